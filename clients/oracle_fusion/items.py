"""Items of the product master and their categories (Oracle Fusion: 6.2).

An item has a row for each organization it belongs to. Its key is opaque, and what holds the time of its last change
is named differently by different descriptions; both are taken from the pod.
"""

import datetime as dt
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, Final

from clients.errors import NotFound, Rejected
from clients.oracle_fusion.collection import Collection
from clients.oracle_fusion.creating import make_once
from clients.oracle_fusion.described import Descriptions
from clients.oracle_fusion.rest import FusionRest, Row, brought, first, flag, instant, quoted, text, whole
from clients.oracle_fusion.versions import Apply, Change
from clients.oracle_fusion.visibility import Emptiness, Patience, Told
from clients.oracle_fusion.windows import OVERLAP, Feed, Window
from contracts.master_data import EnsuredItem, FusionItem, ItemCategory, NewItem, Outcome

CATEGORIES: Final = "ItemCategory"
_ATTRIBUTES: Final = (
    "ItemId",
    "ItemNumber",
    "OrganizationCode",
    "ItemDescription",
    "LongDescription",
    "ItemClass",
    "ItemStatusValue",
    "LifecyclePhaseValue",
    "PrimaryUOMValue",
    "CustomerOrderEnabledFlag",
    "LastUpdatedBy",
)
"""What is read: rows have hundreds of attributes."""
_TIES: Final = ("ItemId", "OrganizationCode")
"""Unique together, in all organizations."""
_OF_CATEGORIES: Final = ("ItemCatalog", "CategoryCode", "CategoryName")


class Items:
    """Reads, creates and changes items of one pod. Raises the errors of `clients.errors`."""

    def __init__(self, rest: FusionRest, descriptions: Descriptions) -> None:
        self._rest = rest
        self._descriptions = descriptions
        self._settings = rest.connection.items

    async def collection(self) -> Collection:
        """The resource as this pod has it. Rows of all organizations share item ids, so only within one is it a key."""
        facts = await self._descriptions.known(self._settings.resource)
        stamps = self._settings.stamps
        stamp = next((one for one in stamps if one in facts.attributes), stamps[0])
        key = "ItemId" if self._settings.organization else ""
        feed = Feed(resource=self._settings.resource, key=key, stamp=stamp, ties=() if key else _TIES)
        return Collection(self._rest, self._descriptions, feed)

    # Reading

    async def window(
        self, since: dt.datetime | None, *, overlap: dt.timedelta = OVERLAP, longest: dt.timedelta | None = None
    ) -> Window:
        """From a watermark to now by the pod's clock (`ChangedRows.window`)."""
        return await (await self.collection()).window(since, overlap=overlap, longest=longest)

    async def changed(
        self, window: Window, *, categories: bool = False, more: Sequence[str] = ()
    ) -> AsyncIterator[FusionItem]:
        """Items whose stamp lies in the window (`ChangedRows.read`), one by one, a page or two in memory.

        `more`: further attributes by their wire names, as far as the pod describes them.
        A category that was assigned or taken away need not show in an item's stamp: read everything now and then.
        """
        items = await self.collection()
        facts = await items.facts()
        rows = items.changed(
            window,
            q=self._within(),
            fields=tuple(name for name in (*_ATTRIBUTES, *more) if facts.has(name)),
            children={CATEGORIES: _OF_CATEGORIES} if categories else None,
            links=categories,
        )
        async for row in rows:
            yield await self._item(row, items, categories=categories, more=more)

    async def find(self, number: str, *, categories: bool = False, more: Sequence[str] = ()) -> FusionItem | None:
        """The item of a number. Raises `Rejected` when several organizations have it and the settings name none."""
        items = await self.collection()
        found = await items.find(_both(f"ItemNumber={quoted(number)}", self._within()), subject=f"item {number}")
        if found is None or text(found.row, "ItemNumber") != number:
            return None
        item = await self._item(found.row, items, categories=False, more=more)
        if not categories:
            return item
        return item.model_copy(update={"categories": await self._assigned(found.row, items, number)})

    async def count(self) -> int | None:
        """About how many there are; `None` where the pod cannot say."""
        return await (await self.collection()).count(self._within())

    async def why_empty(self) -> Emptiness:
        """Why there are no items, as far as the pod lets it be known."""
        return await (await self.collection()).why_empty(privilege="a role that sees items, and its organizations")

    # Writing

    async def ensure(
        self,
        new: NewItem,
        *,
        ends: float | None = None,
        patience: Patience | None = None,
        told: Told | None = None,
    ) -> EnsuredItem:
        """Make sure that there is an item of this number: look, create, look again. What exists is not changed.

        An organization has a number once, so two runs at once end with one item. Raises `Rejected` where items may not
        be created, `InDoubt` when one may have been (do the same again, after the time to settle).
        """
        subject = f"item {new.number}"
        there = await self.find(new.number)
        if there is not None:
            return EnsuredItem(outcome=Outcome.FOUND, item=there)
        items = await self.collection()
        await self._allowed(items, subject)
        made = await make_once(
            lambda: items.create(self._document(new), subject=subject, ends=ends),
            lambda: self.find(new.number),
            connection=self._rest.connection.id,
            subject=subject,
            patience=patience,
            told=told,
        )
        return EnsuredItem(outcome=Outcome.CREATED if made.ours else Outcome.FOUND, item=made.found)

    async def change(self, number: str, apply: Apply, *, ends: float | None = None) -> Change:
        """Change an item unless somebody else does meanwhile (`Collection.change`). Raises `NotFound`."""
        items = await self.collection()
        subject = f"item {number}"
        path = await items.locate(_both(f"ItemNumber={quoted(number)}", self._within()), subject=subject)
        return await items.change(path, apply, subject=subject, ends=ends)

    async def _allowed(self, items: Collection, subject: str) -> None:
        facts = await items.facts()
        remedy = "Create it in Fusion, then retry."
        if not self._settings.create:
            why = "creating items is switched off"
            remedy = "Create it in Fusion, or set items.create of the connection, then retry."
        elif not self._settings.organization:
            why = "the settings name no organization to create it in"
            remedy = "Set items.organization of the connection, then retry."
        elif facts.actions and "create" not in facts.actions:
            why = f"{items.resource} of this pod takes no new items"
        else:
            return
        raise Rejected(self._rest.connection.id, f"{subject} does not exist in Fusion, and {why}.", remedy=remedy)

    def _document(self, new: NewItem) -> Mapping[str, Any]:
        how = self._settings
        wanted = {
            "OrganizationCode": how.organization,
            "ItemNumber": new.number,
            "ItemDescription": new.description,
            "LongDescription": new.long_description,
            "ItemClass": new.item_class or how.item_class,
            "ItemStatusValue": how.status,
            "LifecyclePhaseValue": how.lifecycle_phase,
            "PrimaryUOMValue": new.unit or how.unit,
        }
        return {**how.defaults, **{name: value for name, value in wanted.items() if value}, **new.attributes}

    def _within(self) -> str:
        code = self._settings.organization
        return f"OrganizationCode={quoted(code)}" if code else ""

    async def _item(self, row: Row, items: Collection, *, categories: bool, more: Sequence[str] = ()) -> FusionItem:
        item_id, number = whole(row, "ItemId"), text(row, "ItemNumber")
        subject = f"item {number}"
        if item_id is None:
            raise self._rest.http.bad_answer(subject, "an item has no id")
        orderable = first(row, "CustomerOrderEnabledFlag")
        item = FusionItem(
            item_id=item_id,
            number=number,
            organization=text(row, "OrganizationCode"),
            description=text(row, "ItemDescription"),
            long_description=text(row, "LongDescription"),
            item_class=text(row, "ItemClass"),
            status=text(row, "ItemStatusValue"),
            lifecycle_phase=text(row, "LifecyclePhaseValue"),
            unit=text(row, "PrimaryUOMValue"),
            orderable=None if orderable is None else flag(row, "CustomerOrderEnabledFlag"),
            changed_at=instant(row, items.feed.stamp),
            changed_by=text(row, "LastUpdatedBy"),
            more={name: str(row[name]) for name in more if row.get(name) is not None},
            path=items.links.own(row, subject=subject) if row.get("links") else "",
        )
        if not categories:
            return item
        rows, all_of_them = brought(row, CATEGORIES)
        found = self._counted(rows) if all_of_them else await self._assigned(row, items, number)
        return item.model_copy(update={"categories": found})

    async def _assigned(self, row: Row, items: Collection, number: str) -> tuple[ItemCategory, ...]:
        """All categories of an item, by the link of its children: a row brings the first few only."""
        subject = f"the categories of item {number}"
        path = items.links.child(row, CATEGORIES, subject=subject)
        try:
            rows = [one async for one in self._rest.rows(CATEGORIES, subject=subject, order_by="", path=path)]
        except NotFound:
            return ()
        return self._counted(rows)

    def _counted(self, rows: Iterable[Row]) -> tuple[ItemCategory, ...]:
        wanted = self._settings.catalog
        found = (
            ItemCategory(
                catalog=text(row, "ItemCatalog", "CatalogName"),
                code=text(row, "CategoryCode"),
                name=text(row, "CategoryName"),
            )
            for row in rows
        )
        unique = dict.fromkeys(one for one in found if wanted in ("", one.catalog))
        return tuple(sorted(unique, key=lambda one: (one.catalog, one.code)))


def _both(*questions: str) -> str:
    return " and ".join(filter(None, questions))
