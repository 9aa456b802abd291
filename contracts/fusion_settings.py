"""Settings of a Fusion connection for items, customers and value sets: the parts of them that differ between pods.

What the vendor documents nowhere has a default here that fits the samples which are public.
"""

from typing import Annotated, Literal

from pydantic import Field

from contracts.model import Frozen

ReferenceSetId = Annotated[int, Field(gt=0)]


class ItemSettings(Frozen):
    """Items (`vendors/oracle_fusion.md` 6.2)."""

    resource: Literal["itemsV2", "items"] = "itemsV2"
    """Newer releases show the same under both names."""
    organization: str = ""
    """Code of the organization whose items are read and created, usually the item master. An item has a row for each
    organization it belongs to, all with one item id, so without it rows are sorted by organization as well."""
    stamps: tuple[str, ...] = Field(default=("LastUpdateDateTime", "LastUpdateDate"), min_length=1)
    """Attributes that may hold the time of the last change; the first that the pod describes is used."""
    create: bool = False
    """Whether items may be created."""
    item_class: str = "Root Item Class"
    status: str = "Active"
    lifecycle_phase: str = ""
    """The pod's own default when empty."""
    unit: str = "Each"
    """Primary unit of measure of new items, by its name."""
    defaults: dict[str, str | int | bool] = Field(default_factory=dict)
    """Further attributes of new items, e.g. those that an item class demands."""
    catalog: str = ""
    """Catalog whose categories count; all of them when empty."""


class CustomerSettings(Frozen):
    """Parties, customer accounts and their sites (6.3)."""

    source_system: str = "ML_CONNECTOR"
    """Code of the source system that references belong to. It must be set up in Fusion, for parties, party sites and
    customer accounts, best so that one reference can belong to one record only."""
    service: str = "crmService/CustomerAccountService"
    """Path of the SOAP service."""
    created_by: str = "HZ_WS"
    """`CreatedByModule`; the lookup in Fusion must have it."""
    account_type: str = "R"
    """R external, I internal."""
    party_numbers: Literal["automatic", "given"] = "automatic"
    """`given` where the pod takes numbers: then each party has one made from its reference, of which there is only one,
    even where the pod lets two parties have one reference."""
    account_numbers: Literal["automatic", "given"] = "automatic"
    """As `party_numbers`, for customer accounts."""
    number_prefix: Annotated[str, Field(pattern=r"^[A-Z0-9]{0,6}$")] = "ML"
    """Numbers that are given begin with it."""
    reference_sets: dict[str, ReferenceSetId] = Field(default_factory=dict)
    """Id of the reference data set of customer sites by business unit; no REST resource is known to show it."""
    first_customer: bool = False
    """The pod may have no customer account yet. Unless this is so, an empty list is taken for a missing role, and
    nothing is created."""


class ValueSetSettings(Frozen):
    """Where values of accounting segments are read (4.7)."""

    cost_centers: str = ""
    """Code of the cost centres' value set. Nothing can be read without it."""
    resource: str = "valueSets"
    """The resource of value sets, or another one whose rows are the cost centres themselves, where a pod has one."""
    child: str = "values"
    """Name of the child of a value set that holds its values; empty where the rows are the cost centres themselves."""
