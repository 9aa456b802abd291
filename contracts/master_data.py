"""Customers and items as they are wanted in Fusion or were found there."""

import datetime as dt
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from contracts.model import Frozen, Instant

Reference = Annotated[str, Field(min_length=1, max_length=240, pattern=r"^[!-~]+(?: [!-~]+)*$")]
"""What a record is called in its source: tenant, connection and id of the document, never anything of the person."""

SitePurpose = Literal["BILL_TO", "SHIP_TO"]


class PostalAddress(Frozen):
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    """ISO 3166, two letters."""
    line_1: str = Field(min_length=1, max_length=240)
    line_2: str = Field(default="", max_length=240)
    line_3: str = Field(default="", max_length=240)
    city: str = Field(default="", max_length=60)
    state: str = Field(default="", max_length=60)
    postal_code: str = Field(default="", max_length=60)


class WantedSite(Frozen):
    """An address of a customer, for one business unit."""

    reference: Reference
    """Of the address. Two sites with one reference share the address, each in a business unit of its own."""
    business_unit: str
    address: PostalAddress
    purposes: tuple[SitePurpose, ...] = ("BILL_TO",)
    name: str = Field(default="", max_length=150)
    """The site's own name, as invoices name it (`BillToSite`); Fusion makes one up when empty."""


class WantedCustomer(Frozen):
    """A customer that should exist once in Fusion: an organization, one account of it, and the account's sites."""

    reference: Reference
    name: str = Field(min_length=1, max_length=360)
    sites: tuple[WantedSite, ...] = ()

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        places = [(site.reference, site.business_unit) for site in self.sites]
        if len(set(places)) < len(places):
            raise ValueError("Two sites of a customer have the same reference in the same business unit.")
        addresses = {site.reference: site.address for site in self.sites}
        if any(addresses[site.reference] != site.address for site in self.sites):
            raise ValueError("Two sites of a customer share a reference, but not the address.")
        return self


class Party(Frozen):
    """An organization in the trading community."""

    party_id: int
    party_number: str
    name: str
    active: bool = True
    references: tuple[tuple[str, str], ...] = ()
    """Source systems and what the party is called in them, as far as the pod shows it."""
    changed_at: Instant | None = None


class PartySite(Frozen):
    """An address of an organization."""

    party_site_id: int
    reference: str
    source_system: str = ""
    country: str = ""
    city: str = ""
    postal_code: str = ""
    state: str = ""
    lines: tuple[str, ...] = Field(default=(), repr=False)
    """Of the street, without those that are empty."""


class SiteUse(Frozen):
    """A purpose of a customer's site."""

    purpose: str
    """BILL_TO, SHIP_TO and others."""
    site_use_id: int | None = None
    location: str = ""
    """Name of the site in this purpose, as invoices name it."""
    primary: bool = False
    active: bool = True


class CustomerSite(Frozen):
    """A site of a customer account: an address of its party, in one reference data set."""

    site_id: int
    party_site_id: int
    set_id: int | None = None
    active: bool = True
    uses: tuple[SiteUse, ...] = ()


class CustomerAccount(Frozen):
    account_id: int
    account_number: str
    party_id: int
    name: str = ""
    active: bool = True
    references: tuple[tuple[str, str], ...] = ()
    """As `Party.references`; a reference without a system has an empty one."""
    sites: tuple[CustomerSite, ...] = ()
    changed_at: Instant | None = None


class Outcome(StrEnum):
    """What ensuring that something exists came to."""

    FOUND = "found"
    """It was there, all of it."""
    COMPLETED = "completed"
    """A part of it was there; what was missing was created."""
    CREATED = "created"


class EnsuredCustomer(Frozen):
    """A customer that exists."""

    outcome: Outcome
    created: tuple[str, ...] = ()
    """What this run created, in order: party, address, account, site, purpose. For the audit trail; no references."""
    party: Party
    account: CustomerAccount
    party_sites: dict[str, int] = Field(default_factory=dict)
    """Party site ids by the addresses' references."""
    differences: tuple[str, ...] = ()
    """What is otherwise than wanted and was left as it is: `name`, `account inactive`, ..."""


class ItemCategory(Frozen):
    """A category that an item is assigned to."""

    catalog: str
    code: str
    name: str = ""


class FusionItem(Frozen):
    """An item of one organization."""

    item_id: int
    number: str
    organization: str
    description: str = ""
    long_description: str = ""
    item_class: str = ""
    status: str = ""
    lifecycle_phase: str = ""
    unit: str = ""
    orderable: bool | None = None
    """Whether customers may order it; `None` where the pod does not say."""
    changed_at: Instant | None = None
    changed_by: str = ""
    """Who changed it last, by which our own changes are recognised."""
    path: str = ""
    """Its own address; empty where the list brought no links."""
    more: dict[str, str] = Field(default_factory=dict)
    """Further attributes that were asked for, by their wire names, as far as they have a value."""
    categories: tuple[ItemCategory, ...] | None = None
    """Only where they were asked for."""


class NewItem(Frozen):
    """An item to create; what is empty is taken from the settings."""

    number: str = Field(min_length=1, max_length=300)
    description: str = Field(min_length=1, max_length=240)
    long_description: str = Field(default="", max_length=4000)
    unit: str = ""
    item_class: str = ""
    attributes: dict[str, str | int | float | bool] = Field(default_factory=dict)
    """Further attributes by their wire names."""


class EnsuredItem(Frozen):
    outcome: Outcome
    item: FusionItem


class SegmentValue(Frozen):
    """A value of an accounting segment: a cost centre, for example."""

    value: str
    description: str = ""
    enabled: bool = True
    summary: bool = False
    """Only others below it can be posted to."""
    starts: dt.date | None = None
    ends: dt.date | None = None

    def usable(self, on: dt.date) -> bool:
        """Whether it can be posted to on a day, as far as the value alone decides it."""
        return (
            self.enabled
            and not self.summary
            and (self.starts is None or self.starts <= on)
            and (self.ends is None or on <= self.ends)
        )
