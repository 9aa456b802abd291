"""What is read of each side, and by whom it is judged: the same for a schedule's step and for a person's command."""

import datetime as dt
from typing import Protocol

from clients.errors import Forbidden, NotFound, VendorError
from clients.oracle_fusion.models import BusinessUnit
from contracts.alignment import CategoryNode, SideCompared, Storefront
from contracts.configuration import Configuration, Integration, MappingSet
from contracts.master_data import SegmentValue
from mapping.alignment import pod_aligned, shop_aligned


class ShopSide(Protocol):
    """The part of a `Shop` that is compared. Implementations raise `clients.errors.VendorError`."""

    async def storefronts(self) -> tuple[Storefront, ...]: ...
    async def categories(self) -> tuple[CategoryNode, ...]: ...


class SegmentSource(Protocol):
    """The part of `clients.oracle_fusion.segment_values.SegmentValues` that is compared."""

    async def cost_centers(self) -> tuple[SegmentValue, ...]: ...
    async def values(self, value_set: str) -> tuple[SegmentValue, ...]: ...


class PodSide(Protocol):
    """The part of `clients.oracle_fusion.FusionClient` that is compared."""

    @property
    def segment_values(self) -> SegmentSource: ...
    async def business_units(self) -> tuple[BusinessUnit, ...]: ...


async def compare_shop(
    configuration: Configuration, integration: Integration, shop: ShopSide, today: dt.date
) -> SideCompared:
    """Two calls, and one for every 250 categories. What the token may not read is told, and the rest compared."""
    notes: list[str] = []
    storefronts = categories = None
    try:
        storefronts = await shop.storefronts()
    except Forbidden as error:
        notes.append(_unread("channels", error, "Give the token the scope store_channel_settings_read_only."))
    try:
        categories = await shop.categories()
    except Forbidden as error:
        notes.append(_unread("categories", error, "Give the token the scope store_v2_products_read_only."))
    return shop_aligned(
        integration,
        _rules(configuration, integration),
        storefronts=storefronts,
        categories=categories,
        today=today,
        notes=notes,
    )


async def compare_pod(
    configuration: Configuration, integration: Integration, pod: PodSide, today: dt.date
) -> SideCompared:
    """One call for the business units, and two or more for each value set that the settings name."""
    notes: list[str] = []
    units = None
    try:
        units = [one.name for one in await pod.business_units()]
    except (Forbidden, NotFound) as error:
        notes.append(_unread("business units", error, error.remedy))
    values: dict[str, tuple[str, tuple[SegmentValue, ...]]] = {}
    for segment, value_set in integration.alignment.segments.items():
        try:
            held = await (pod.segment_values.values(value_set) if value_set else pod.segment_values.cost_centers())
        except (Forbidden, NotFound) as error:
            notes.append(_unread(f"values of {segment}", error, error.remedy))
        else:
            values[segment] = value_set or "of the cost centres", held
    mapping_set = _rules(configuration, integration)
    return pod_aligned(integration, mapping_set, values=values, units=units, today=today, notes=notes)


def _rules(configuration: Configuration, integration: Integration) -> MappingSet:
    return configuration.mapping_set(integration.mapping_set)


def _unread(what: str, error: VendorError, remedy: str) -> str:
    return f"The {what} could not be compared: {error.sentence} {remedy}".strip()
