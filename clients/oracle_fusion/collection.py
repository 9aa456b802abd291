"""One resource of a pod with all that the framework offers, for those who name it and its attributes.

items = fusion.collection("itemsV2", key="ItemId", stamp="LastUpdateDateTime")
async for row in items.changed(await items.window(watermark), fields=("ItemNumber",)): ...
await items.change(await items.locate("ItemNumber='A-1'", subject="item A-1"), apply, subject="item A-1")
"""

import datetime as dt
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

from clients.oracle_fusion.described import Descriptions, ResourceFacts
from clients.oracle_fusion.links import Links
from clients.oracle_fusion.payloads import Operation, check_document
from clients.oracle_fusion.rest import FusionRest, Row, address, link
from clients.oracle_fusion.versions import TRIES, Apply, Change, Item, Versions, change_indicator
from clients.oracle_fusion.visibility import Appeared, Emptiness, Patience, Told, Visibility, appear
from clients.oracle_fusion.windows import OVERLAP, ChangedRows, Feed, Way, Window


class Collection:
    """A resource, named once. Raises the errors of `clients.errors` and `clients.oracle_fusion.errors`."""

    def __init__(self, rest: FusionRest, descriptions: Descriptions, feed: Feed) -> None:
        self.feed = feed
        self.links = Links(rest)
        self.versions = Versions(rest)
        self._rest = rest
        self._descriptions = descriptions
        self._changed = ChangedRows(rest, descriptions)
        self._visibility = Visibility(rest)

    @property
    def resource(self) -> str:
        return self.feed.resource

    async def facts(self) -> ResourceFacts:
        """What the resource says of itself; of which nothing is known when it cannot be described."""
        return await self._descriptions.known(self.resource)

    # Reading

    async def window(
        self, since: dt.datetime | None, *, overlap: dt.timedelta = OVERLAP, longest: dt.timedelta | None = None
    ) -> Window:
        """From a watermark to now by the pod's clock (`ChangedRows.window`)."""
        return await self._changed.window(since, overlap=overlap, longest=longest)

    async def way(self) -> Way:
        """How changes will be read."""
        return await self._changed.way(self.feed)

    def changed(
        self,
        window: Window,
        *,
        q: str = "",
        fields: Sequence[str] = (),
        expand: str = "",
        children: Mapping[str, Sequence[str]] | None = None,
        links: bool = False,
    ) -> AsyncIterator[Row]:
        """Rows whose stamp lies in the window (`ChangedRows.read`)."""
        return self._changed.read(self.feed, window, q=q, fields=fields, expand=expand, children=children, links=links)

    def rows(self, *, subject: str, q: str = "", finder: str = "", expand: str = "") -> AsyncIterator[Row]:
        """All rows that fit, in the order of the key. For short lists: where rows change meanwhile, `changed`."""
        return self._rest.rows(
            self.resource,
            subject=subject,
            order_by=self.feed.key,
            q=q,
            finder=finder,
            expand=expand,
            links=not self.feed.key,
        )

    async def count(self, q: str = "") -> int | None:
        """About how many there are; `None` where the pod cannot say."""
        return await self._rest.count(self.resource, subject=f"the number of {self.resource}", q=q)

    async def find(self, q: str, *, subject: str) -> Item | None:
        """The one item that fits, with its own address. Raises `Rejected` when there are several."""
        found = await self.links.find(self.resource, subject=subject, q=q)
        return Item(found[0], found[1], change_indicator(found[1])) if found else None

    async def locate(self, q: str, *, subject: str) -> str:
        """The path of the one item that fits, opaque key and all. Raises `NotFound`."""
        return await self.links.locate(self.resource, subject=subject, q=q)

    async def item(self, path: str, *, subject: str, fields: str = "", expand: str = "") -> Item:
        """An item with its version, by its path. Raises `NotFound`."""
        return await self.versions.read(path, subject=subject, fields=fields, expand=expand)

    async def why_empty(self, *, known: str = "", never_empty: bool = False, privilege: str = "") -> Emptiness:
        """Why there were no rows, as far as the pod lets it be known (`Visibility.why_empty`)."""
        return await self._visibility.why_empty(
            self.resource, known=known, never_empty=never_empty, privilege=privilege
        )

    # Writing

    async def check(
        self,
        payload: Mapping[str, Any],
        *,
        subject: str,
        operation: Operation = "create",
        child: str = "",
        but: Iterable[str] = (),
    ) -> None:
        """Raises `UnfitPayload` with all faults. `child`: dotted path of the children that the document is one of."""
        await check_document(
            self._descriptions,
            self._rest.connection,
            self.resource,
            payload,
            subject=subject,
            child=child,
            operation=operation,
            but=but,
        )

    async def create(
        self,
        payload: Mapping[str, Any],
        *,
        subject: str,
        ends: float | None = None,
        within: str = "",
        child: str = "",
        but: Iterable[str] = (),
    ) -> Item:
        """Check a document and create it. A lost answer is `InDoubt`: look before anything is sent again.

        `within` and `child`: path of the item and name of its children, for a row below one.
        """
        await self.check(payload, subject=subject, child=child, but=but)
        path = f"{within}/child/{child}" if within else address(self.resource)
        row = await self._rest.create(path, payload, subject=subject, ends=ends)
        href = link(row, "self").get("href")
        own = self.links.path(href, subject=subject) if isinstance(href, str) and href else self._numbered(path, row)
        return Item(own, row, change_indicator(row))

    async def appeared(
        self, path: str, *, subject: str, patience: Patience | None = None, told: Told | None = None
    ) -> Appeared[Item]:
        """Read a created item back, with patience. Raises `NotVisibleYet`."""
        return await appear(
            lambda: self.item(path, subject=subject),
            connection=self._rest.connection.id,
            subject=subject,
            patience=patience,
            told=told,
        )

    async def change(
        self,
        path: str,
        apply: Apply,
        *,
        subject: str,
        child: str = "",
        but: Iterable[str] = (),
        tries: int = TRIES,
        ends: float | None = None,
    ) -> Change:
        """Change an item on condition that nobody else did meanwhile (`Versions.change`), checked before it is sent."""

        async def check(changes: Mapping[str, Any]) -> None:
            await self.check(changes, subject=subject, operation="update", child=child, but=but)

        return await self.versions.change(path, apply, subject=subject, check=check, tries=tries, ends=ends)

    def _numbered(self, path: str, row: Row) -> str:
        """For answers without links: the address by a key that is in the row."""
        key = row.get(self.feed.key) if self.feed.key else None
        return f"{path}/{key}" if key else ""
