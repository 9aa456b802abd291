"""What product and customer masters are set up with, and what differs between pods or is documented nowhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sandbox.fusion.receivables.demo import EU_UNIT, US_UNIT

SOURCE_SYSTEM = "ML_CONNECTOR"
ITEM_MASTER, WAREHOUSE = "ITM", "WEB"
ORGANIZATIONS = {ITEM_MASTER: 300000046987012, WAREHOUSE: 300000046987013}
CATALOG = "Web Shop"
ITEM_CLASSES = ("Root Item Class", "Apparel", "Home")
UNITS = ("Each", "Pair", "Kilogram")
US_SET, EU_SET = 300000001127001, 300000001127002
"""Reference data sets of the two business units."""

Numbers = Literal["automatic", "given"]


@dataclass
class MasterHabits:
    """How this pod behaves where pods differ."""

    duplicate_references: Literal["refused", "accepted"] = "refused"
    """Whether two records may carry one reference of a source system."""
    party_numbers: Numbers = "automatic"
    """automatic: given numbers are refused. given: each party needs one, and no two have the same."""
    account_numbers: Numbers = "automatic"
    party_query: Literal["attribute", "child", "none"] = "attribute"
    """attribute: rows show their reference, and can be asked for it. child: rows have the attributes, empty; only the
    child shows it and can be asked for. none: neither can be asked for."""
    party_site_id: Literal["PartySiteId", "AddressId"] = "PartySiteId"
    """Which attribute of an address holds the id of the party site."""
    soap_answers: Literal["plain", "mtom"] = "plain"
    fault_status: Literal[500, 200] = 500
    """Status of the answer that holds a fault."""
    item_stamp: Literal["LastUpdateDateTime", "LastUpdateDate"] = "LastUpdateDateTime"
    """Read when the twin is made."""
    items_created: bool = True
    """Whether the resource takes new items; read when the twin is made."""
    cost_centers: Literal["values", "resource"] = "values"
    """resource: the pod has `costCenters` besides; read when the twin is made."""


@dataclass
class Masters:
    """Everything the masters know before the first request. Change it in place, also while the twin runs."""

    source_systems: set[str] = field(default_factory=lambda: {SOURCE_SYSTEM, "LEGACY"})
    organizations: dict[str, int] = field(default_factory=lambda: dict(ORGANIZATIONS))
    """Inventory organizations by code; the first is the item master."""
    item_classes: tuple[str, ...] = ITEM_CLASSES
    units: tuple[str, ...] = UNITS
    reference_sets: dict[int, str] = field(default_factory=lambda: {US_SET: US_UNIT, EU_SET: EU_UNIT})
    """Business units by the id of their reference data set; the first is the default."""
    habits: MasterHabits = field(default_factory=MasterHabits)
