"""Which SKUs of a shop are items of Fusion, and which are not: what to put right before items are kept equal."""

from collections import Counter
from collections.abc import AsyncIterator
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from activities.converging.desks import Desk
from contracts.converging import SeenRecord
from contracts.model import Frozen


class Mismatch(StrEnum):
    CASE = "case differs"
    NO_ITEM = "no item"
    NO_SKU = "no SKU"
    DUPLICATE_SKU = "SKU twice"
    DUPLICATE_ITEM = "item twice"


WHAT_TO_DO: Final = MappingProxyType(
    {
        Mismatch.CASE: "Write SKU and item number the same way; they are not linked before that.",
        Mismatch.NO_ITEM: "Make the item in Fusion, correct the SKU, or leave it: such products are never touched.",
        Mismatch.NO_SKU: 'These become drafts in the shop. To leave them, set item_classes or new_items = "ignore".',
        Mismatch.DUPLICATE_SKU: "Give each product or variant a SKU of its own; blanks around it do not count.",
        Mismatch.DUPLICATE_ITEM: "Name one organization in items.organization of the Fusion connection.",
    }
)


class Unmapped(Frozen):
    """One SKU or item that has no counterpart, or not exactly one."""

    what: Mismatch
    sku: str = ""
    product: str = ""
    """The shop's id: `product`, or `product/variant`."""
    item: str = ""
    """The item's number."""


class Matching:
    """Made by streaming both sides; what is kept of a side are its SKUs or numbers."""

    def __init__(self) -> None:
        self.items = 0
        self.skus = 0
        self.linked = 0
        self.found: Counter[Mismatch] = Counter()
        self.not_for_sale = 0
        """Items without a SKU of which no product would be made."""

    async def read(self, shop: Desk, fusion: Desk) -> AsyncIterator[Unmapped]:
        """Everything that does not match, shop first. Raises `clients.errors.VendorError`."""
        numbers: dict[str, bool] = {}
        folded: dict[str, str] = {}
        async for record in _every(fusion):
            self.items += 1
            if record.name in numbers:
                yield self._note(Unmapped(what=Mismatch.DUPLICATE_ITEM, item=record.name))
                continue
            numbers[record.name] = not record.unfit
            folded.setdefault(record.name.casefold(), record.name)
        seen: set[str] = set()
        async for record in _every(shop):
            self.skus += 1
            if record.name in seen:
                yield self._note(Unmapped(what=Mismatch.DUPLICATE_SKU, sku=record.name, product=record.id))
                continue
            seen.add(record.name)
            if numbers.pop(record.name, None) is not None:
                self.linked += 1
                continue
            other = folded.get(record.name.casefold(), "")
            what = Mismatch.CASE if other else Mismatch.NO_ITEM
            if other:
                numbers.pop(other, None)
            yield self._note(Unmapped(what=what, sku=record.name, product=record.id, item=other))
        for number, sold in numbers.items():
            if sold:
                yield self._note(Unmapped(what=Mismatch.NO_SKU, item=number))
            else:
                self.not_for_sale += 1

    def _note(self, one: Unmapped) -> Unmapped:
        self.found[one.what] += 1
        return one


async def _every(desk: Desk) -> AsyncIterator[SeenRecord]:
    async for page in desk.changed(None, whole=True):
        for record in page.records:
            if record.name:
                yield record
