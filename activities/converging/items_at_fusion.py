"""Items as Fusion has them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from activities.converging.desks import Page, require_room, require_unchanged
from activities.converging.values import amount, line, number, text
from clients.oracle_fusion.items import Items
from clients.oracle_fusion.rest import Row
from contracts.converging import FieldWrite, SeenRecord
from contracts.master_data import FusionItem, NewItem
from contracts.ownership import ItemField, ItemPolicy

PAGE: Final = 250
CALL: Final = 60.0
"""Seconds after which nothing may be sent any more."""
_NUMBERS: Final[tuple[ItemField, ...]] = ("weight", "price", "stock")
_TEXTS: Final = {"name": "ItemDescription", "description": "LongDescription"}
_LONGEST: Final = {"name": 240, "description": 4000}


class ItemsAtFusion:
    """A record's id is that of the item, its name the item's number."""

    def __init__(self, items: Items, policy: ItemPolicy) -> None:
        self._items = items
        self._policy = policy
        self._owned = frozenset(policy.owner_of())
        wanted = {field: policy.attribute(field) for field in _NUMBERS if field in self._owned}
        self._attributes = {field: name for field, name in wanted.items() if name}

    async def read(self, name: str) -> SeenRecord:
        item = await self._items.find(name, more=self._more)
        return self._record(item) if item is not None else SeenRecord()

    async def parts_of(self, parent: str) -> tuple[SeenRecord, ...]:
        """Nothing is a part of anything here."""
        raise NotImplementedError

    async def changed(self, since: datetime | None, *, whole: bool) -> AsyncIterator[Page]:
        """Window after window until now; after an outage none is longer than the settings say."""
        mark = None if whole else since
        longest = timedelta(seconds=self._policy.window)
        while True:
            overlap = timedelta(seconds=self._policy.overlap)
            window = await self._items.window(mark, overlap=overlap, longest=longest)
            page: list[SeenRecord] = []
            async for item in self._items.changed(window, more=self._more):
                page.append(self._record(item))
                if len(page) == PAGE:
                    yield Page(tuple(page))
                    page = []
            yield Page(tuple(page), reached=window.until)
            if mark is None or window.until - mark < longest:
                return
            mark = window.until

    async def write(self, seen: SeenRecord, writes: tuple[FieldWrite, ...]) -> SeenRecord:
        values = {one.field: one.value for one in writes}
        require_room(f"Item {seen.name}", values, _LONGEST, where="Fusion")

        def apply(row: Row) -> Mapping[str, Any] | None:
            now = SeenRecord(id=seen.id, values=self._values_of(row))
            require_unchanged(seen, now, writes)
            return self._wire({field: value for field, value in values.items() if now.values.get(field) != value})

        await self._items.change(seen.name, apply, ends=asyncio.get_running_loop().time() + CALL)
        return await self.read(seen.name)

    async def make(self, model: SeenRecord) -> SeenRecord:
        begins = {**model.first_values, **model.values}
        require_room(f"Item {model.name}", begins, _LONGEST, where="Fusion")
        new = NewItem(
            number=model.name,
            description=begins.get("name") or model.name,
            long_description=begins.get("description", ""),
            attributes=self._wire({field: value for field, value in model.values.items() if field in _NUMBERS}),
        )
        await self._items.ensure(new, ends=asyncio.get_running_loop().time() + CALL)
        return await self.read(model.name)

    @property
    def _more(self) -> tuple[str, ...]:
        return tuple(self._attributes.values())

    def _record(self, item: FusionItem) -> SeenRecord:
        every = {"name": line(item.description), "description": text(item.long_description)}
        values = {field: value for field, value in every.items() if field in self._owned}
        for field, name in self._attributes.items():
            if (value := amount(item.more.get(name))) is not None:
                values[field] = value
        return SeenRecord(
            id=str(item.item_id),
            name=item.number.strip(),
            values=values,
            first_values=every if self._policy.makes("shop") else {},
            unfit=self._unfit(item),
            changed_at=item.changed_at,
        )

    def _values_of(self, row: Row) -> dict[str, str]:
        spelled = {"name": line, "description": text}
        found = {field: spelled[field](str(row.get(name) or "")) for field, name in _TEXTS.items()}
        for field, name in self._attributes.items():
            if (value := amount(row.get(name))) is not None:
                found[field] = value
        return found

    def _wire(self, values: Mapping[str, str]) -> dict[str, Any]:
        wired: dict[str, Any] = {_TEXTS[field]: value for field, value in values.items() if field in _TEXTS}
        named = {field: name for field, name in self._attributes.items() if field in values}
        return wired | {name: number(values[field]) for field, name in named.items()}

    def _unfit(self, item: FusionItem) -> str:
        if item.orderable is False:
            return "customers may not order it"
        for value, wanted, what in (
            (item.item_class, self._policy.item_classes, "item class"),
            (item.status, self._policy.item_statuses, "status"),
        ):
            if wanted and value not in wanted:
                return f"its {what} is {value or 'empty'}"
        return ""
