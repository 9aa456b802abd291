"""Settings of customers that a shop and Fusion both have."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from contracts.master_data import SitePurpose
from contracts.ownership import ConvergingPolicy, Side

CustomerField = Literal["company", "sites", "account_number", "account_status"]
"""What a registered customer of a shop and a customer account have in common, by our names."""

GroupId = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,17}$")]
"""A customer group's id, as the shop numbers it."""


class CustomerPolicy(ConvergingPolicy):
    """Registered customers of a shop and customer accounts of Fusion.

    A shop's private buyers are no accounts, so nobody gets one unless a group says so. What stands in an account is
    never changed from here: where the shop says something else, a person is asked.
    """

    groups: tuple[GroupId, ...] = ()
    """Customer groups whose members get an account; none unless set."""
    company: Side = "shop"
    """Who owns the company's name. `fusion`: the account's organization gives the shop's customer its name. `shop`: a
    name that differs in Fusion goes to review."""
    number_attribute: str = ""
    """Name of the shop's customer attribute that shows the account's number; none is written when empty."""
    status_attribute: str = ""
    """The same for the account's status: `active` or `inactive`."""
    purposes: tuple[SitePurpose, ...] = Field(default=("BILL_TO", "SHIP_TO"), min_length=1)
    """What the sites of an account are for."""
    business_units: tuple[str, ...] = ()
    """Business units that an account has sites in; those of the books when empty."""

    @model_validator(mode="after")
    def _told_apart(self) -> "CustomerPolicy":
        if self.number_attribute and self.number_attribute == self.status_attribute:
            raise ValueError("number_attribute and status_attribute name the same attribute of the shop")
        return self

    def owner_of(self) -> dict[str, Side]:
        owned: dict[str, Side] = {"company": self.company, "sites": "shop"}
        for field, attribute in self.attributes().items():
            if attribute:
                owned[field] = "fusion"
        return owned

    def attributes(self) -> dict[str, str]:
        """The shop's attribute that shows a field of the account, by field; empty where none does."""
        return {"account_number": self.number_attribute, "account_status": self.status_attribute}

    def makes(self, side: Side) -> bool:
        """A customer is made by registering in the shop, and by nothing else."""
        return side == "fusion"

    def may_write(self, side: Side, field: str) -> bool:
        """Accounts get sites, and are otherwise never changed."""
        return side == "shop" or field == "sites"

    def is_private(self, field: str) -> bool:
        return field in ("company", "sites")
