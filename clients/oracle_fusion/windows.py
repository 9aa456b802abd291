"""Rows that changed, read in bounded windows of time (Oracle Fusion: 2.5, 2.6).

Pages by offset lose rows whose neighbours change meanwhile: a changed row leaves the window, and what stands behind it
moves up over the edge of the page. So pages go by the key, or else by the stamp itself, wherever the pod lets them be
asked for; which way a resource can be read is taken from its description, and from what the pod refuses.
"""

import datetime as dt
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from pydantic import model_validator

from clients.errors import Rejected
from clients.oracle_fusion.described import Descriptions, ResourceFacts
from clients.oracle_fusion.errors import Unordered
from clients.oracle_fusion.rest import PAGE, FusionRest, Row, address, child_key, instant, moment_literal, whole
from contracts.model import Frozen, Instant

OVERLAP: Final = dt.timedelta(minutes=10)
"""How far a window reaches back: stamps are set before the commit, and by more clocks than one."""
BACK: Final = 10
"""Rows that a page by offset repeats, so that a few that were deleted or moved do not take others along."""
SECOND: Final = dt.timedelta(seconds=1)


class Way(StrEnum):
    """How changed rows of a resource are found."""

    BY_KEY = "by_key"
    """Filtered by the stamp, pages by key: nothing is missed whatever changes meanwhile."""
    BY_STAMP = "by_stamp"
    """Filtered by the stamp, pages by it as well: for opaque keys and keys that are no numbers."""
    NEWEST_FIRST = "newest_first"
    """Sorted by a stamp that cannot be filtered by, until it is old enough."""
    WHOLE = "whole"
    """All rows, compared here."""


class Feed(Frozen):
    """What changes of a resource are read by."""

    resource: str
    key: str = ""
    """Unique per row. Without it rows are told apart by their own links."""
    ties: tuple[str, ...] = ()
    """Without a key: attributes that are unique together, for rows that share what else they are sorted by."""
    stamp: str = "LastUpdateDate"


class Window(Frozen):
    """A span of the pod's clock, whole seconds; its end is not in it. `since` is `None` for everything before."""

    since: Instant | None = None
    until: Instant

    @model_validator(mode="after")
    def _in_order(self) -> "Window":
        if any(one is not None and one.microsecond for one in (self.since, self.until)):
            raise ValueError("A window begins and ends with a second: fractions are lost in questions.")
        if self.since is not None and self.since >= self.until:
            raise ValueError("A window ends after it begins.")
        return self

    def holds(self, moment: dt.datetime) -> bool:
        return (self.since is None or moment >= self.since) and moment < self.until

    def question(self, stamp: str, since: dt.datetime | None = None) -> str:
        """The window as `q` says it; `since` for a later beginning. Every literal has its offset."""
        begin = since or self.since
        parts = [f"{stamp} >= {moment_literal(begin)}"] if begin is not None else []
        return " and ".join([*parts, f"{stamp} < {moment_literal(self.until)}"])


def windows(since: dt.datetime, until: dt.datetime, *, length: dt.timedelta) -> Iterator[Window]:
    """A long time in windows of at most `length`, oldest first, without gaps: for backfills."""
    begin, end = whole_second(since), whole_second(until)
    if length < SECOND:
        raise ValueError("A window is at least one second long.")
    while begin < end:
        stop = min(begin + length, end)
        yield Window(since=begin, until=stop)
        begin = stop


class ChangedRows:
    """Reads the changes of one pod. Raises the errors of `clients.errors`."""

    def __init__(self, rest: FusionRest, descriptions: Descriptions, *, limit: int = PAGE) -> None:
        self._rest = rest
        self._descriptions = descriptions
        self._limit = limit

    async def window(
        self, since: dt.datetime | None, *, overlap: dt.timedelta = OVERLAP, longest: dt.timedelta | None = None
    ) -> Window:
        """The window from a watermark to now, by the pod's clock; `until` is the next watermark.

        It begins `overlap` before the watermark, and ends `longest` after it when more time than that has passed.
        """
        if self._rest.http.skew is None:
            await self._rest.http.read("fscmRestApi/resources", subject="the API root")
        skew = dt.timedelta(seconds=self._rest.http.skew or 0.0)
        until = whole_second(dt.datetime.now(dt.UTC) - skew)
        if since is None:
            return Window(until=until)
        mark = whole_second(since)
        if longest is not None and mark + longest < until:
            until = whole_second(mark + longest)
        begin = whole_second(mark - overlap)
        # A watermark ahead of the pod's clock is one of another clock; it is not taken back.
        return Window(since=begin, until=max(until, mark, begin + SECOND))

    async def way(self, feed: Feed) -> Way:
        """How the resource will be read, as far as is known now."""
        return _way(feed, await self._descriptions.known(feed.resource))

    async def read(
        self,
        feed: Feed,
        window: Window,
        *,
        subject: str = "",
        q: str = "",
        fields: Sequence[str] = (),
        expand: str = "",
        children: Mapping[str, Sequence[str]] | None = None,
        links: bool = False,
    ) -> AsyncIterator[Row]:
        """Every row whose stamp lies in the window, normally once, in no order.

        A row that changes while this reads may come, or not: its new stamp lies in the next window. Rows without a
        stamp come with everything (`since=None`), and in other windows where stamps are compared here. Changes of
        children need not show in the parent's stamp (2.6): read everything now and then.
        `children`: attributes to bring of children, by their name; besides `fields`, which rule out `expand`.
        `links`: rows bring theirs, to be followed. Holds one or two pages in memory, whatever the number of rows.
        """
        told = subject or f"changes of {feed.resource}"
        while True:
            facts = await self._descriptions.known(feed.resource)
            way = _way(feed, facts)
            params = self._params(feed, fields, expand, children or {}, links)
            try:
                async for row in self._rows(feed, way, facts, window, q, params, told):
                    yield row
                return
            except Unordered:
                raise
            except Rejected:
                # Nothing is lost by beginning anew: rows that came already come again.
                if not await self._learn(feed, way, told):
                    raise

    def _params(
        self, feed: Feed, fields: Sequence[str], expand: str, children: Mapping[str, Sequence[str]], links: bool
    ) -> dict[str, str | int | bool]:
        params: dict[str, str | int | bool] = {"limit": self._limit}
        if fields:
            own = ",".join(dict.fromkeys([*fields, *filter(None, (feed.key, feed.stamp))]))
            params["fields"] = ";".join([own, *(f"{name}:{','.join(one)}" for name, one in children.items())])
        if expand:
            params["expand"] = expand
        if feed.key and not links:
            params["onlyData"] = True
        return params

    def _rows(
        self,
        feed: Feed,
        way: Way,
        facts: ResourceFacts,
        window: Window,
        q: str,
        params: dict[str, str | int | bool],
        subject: str,
    ) -> AsyncIterator[Row]:
        if way is Way.BY_KEY:
            # Everything there is needs no question, and then rows without a stamp come as well.
            asked = window.question(feed.stamp) if window.since is not None else ""
            return self._by_key(feed, _both(asked, q), params, subject)
        if way is Way.BY_STAMP:
            return self._by_stamp(feed, facts, window, q, params, subject)
        if way is Way.NEWEST_FIRST:
            over = (lambda moment: moment < window.since) if window.since is not None else None
            return self._held(
                feed, window, self._by_offset(feed, facts, q, (f"{feed.stamp}:desc",), params, subject, over)
            )
        if _pages_by_key(feed, facts):
            return self._held(feed, window, self._by_key(feed, q, params, subject))
        return self._held(feed, window, self._by_offset(feed, facts, q, (), params, subject, None))

    async def _by_key(
        self, feed: Feed, q: str, params: dict[str, str | int | bool], subject: str
    ) -> AsyncIterator[Row]:
        last: int | None = None
        while True:
            question = _both(q, f"{feed.key} > {last}" if last is not None else "")
            rows, over = await self._page(feed, question, f"{feed.key}:asc", params, subject)
            for row in rows:
                yield row
            if over:
                return
            keys = [whole(row, feed.key) for row in rows]
            numbers = [key for key in keys if key is not None]
            if len(numbers) < len(keys) or (last is not None and min(numbers) <= last):
                raise self._rest.http.bad_answer(subject, f"{feed.key} does not order its rows")
            last = max(numbers)

    async def _by_stamp(
        self,
        feed: Feed,
        facts: ResourceFacts,
        window: Window,
        q: str,
        params: dict[str, str | int | bool],
        subject: str,
    ) -> AsyncIterator[Row]:
        order = _order(feed, facts, f"{feed.stamp}:asc")
        since, offset = window.since, 0
        edge = set[tuple[str, str]]()
        while True:
            question = _both(window.question(feed.stamp, since), q)
            rows, over = await self._page(feed, question, order, {**params, "offset": offset}, subject)
            for row in rows:
                if _identity(feed, row) not in edge:
                    yield row
            if over:
                return
            newest = instant(rows[-1], feed.stamp)
            if newest is None:
                raise self._rest.http.bad_answer(subject, f"a row that was asked for by {feed.stamp} has none")
            newest = whole_second(newest)
            if since is None or newest > since:
                # What the page has of its last second comes again, with the rest of it.
                since, offset = newest, 0
                edge = {_identity(feed, row) for row in rows if (instant(row, feed.stamp) or newest) >= newest}
            else:
                self._demand_order(feed, facts, subject)
                edge |= {_identity(feed, row) for row in rows}
                offset += len(rows) - min(BACK, len(rows) // 2)

    async def _by_offset(
        self,
        feed: Feed,
        facts: ResourceFacts,
        q: str,
        first: tuple[str, ...],
        params: dict[str, str | int | bool],
        subject: str,
        over: Callable[[dt.datetime], bool] | None,
    ) -> AsyncIterator[Row]:
        order, offset = _order(feed, facts, *first), 0
        before, this = set[tuple[str, str]](), set[tuple[str, str]]()
        while True:
            rows, last = await self._page(feed, q, order, {**params, "offset": offset}, subject)
            before, this = this, {_identity(feed, row) for row in rows}
            for row in rows:
                moment = instant(row, feed.stamp)
                if over is not None and moment is not None and over(moment):
                    return
                if _identity(feed, row) not in before:
                    yield row
            if last:
                return
            self._demand_order(feed, facts, subject)
            offset += len(rows) - min(BACK, len(rows) // 2)

    def _demand_order(self, feed: Feed, facts: ResourceFacts, subject: str) -> None:
        """Rows that the sort leaves in any order change places between pages, and then some are on none of them."""
        if not _ordered(feed, facts):
            raise Unordered(
                self._rest.connection.id,
                f"Oracle Fusion ({self._rest.connection.id}) cannot be asked for {subject} in an order that is the "
                f"same each time, and there is more than a page of them ({self._limit} rows). Nothing is taken for "
                "read: some rows would be missed.",
            )

    async def _held(self, feed: Feed, window: Window, rows: AsyncIterator[Row]) -> AsyncIterator[Row]:
        """Those in the window, and those that do not say."""
        async for row in rows:
            moment = instant(row, feed.stamp)
            if moment is None or window.holds(moment):
                yield row

    async def _page(
        self, feed: Feed, q: str, order: str, params: dict[str, str | int | bool], subject: str
    ) -> tuple[list[Row], bool]:
        """One page, and whether it is the last: shorter than the size the pod says it used (2.5)."""
        asked: dict[str, str | int | bool] = {
            **params,
            **({"q": q} if q else {}),
            **({"orderBy": order} if order else {}),
        }
        body = await self._rest.page(address(feed.resource), subject=subject, params=asked)
        rows: list[Row] = body["items"]
        told = body.get("limit")
        size = told if isinstance(told, int) and told > 0 else self._limit
        return rows, not rows or (len(rows) < size and not body.get("hasMore"))

    async def _learn(self, feed: Feed, way: Way, subject: str) -> bool:
        """Find out which attribute the pod refuses, and remember it; False when it refuses none of ours."""
        known = self._descriptions
        now = moment_literal(dt.datetime.now(dt.UTC))
        if way in (Way.BY_KEY, Way.BY_STAMP) and await self._refuses(feed, {"q": f"{feed.stamp} >= {now}"}, subject):
            await known.refuse_filter(feed.resource, feed.stamp)
            return True
        facts = await known.known(feed.resource)
        keyed = way is Way.BY_KEY or (way is Way.WHOLE and _pages_by_key(feed, facts))
        if keyed and await self._refuses(feed, {"q": f"{feed.key} > 0"}, subject):
            await known.refuse_filter(feed.resource, feed.key)
            return True
        stamped = way in (Way.BY_STAMP, Way.NEWEST_FIRST)
        if stamped and await self._refuses(feed, {"orderBy": f"{feed.stamp}:asc"}, subject):
            await known.refuse_sort(feed.resource, feed.stamp)
            return True
        for name in _ties(feed):
            if facts.sortable(name) and await self._refuses(feed, {"orderBy": f"{name}:asc"}, subject):
                await known.refuse_sort(feed.resource, name)
                return True
        return False

    async def _refuses(self, feed: Feed, asked: dict[str, Any], subject: str) -> bool:
        try:
            await self._rest.page(
                address(feed.resource), subject=subject, params={"limit": 1, "onlyData": True, **asked}
            )
        except Rejected:
            return True
        return False


def whole_second(moment: dt.datetime) -> dt.datetime:
    """Down to the second, in UTC."""
    return moment.astimezone(dt.UTC).replace(microsecond=0)


def _way(feed: Feed, facts: ResourceFacts) -> Way:
    if facts.filterable(feed.stamp):
        if _pages_by_key(feed, facts):
            return Way.BY_KEY
        if facts.sortable(feed.stamp):
            return Way.BY_STAMP
    return Way.NEWEST_FIRST if facts.sortable(feed.stamp) else Way.WHOLE


def _pages_by_key(feed: Feed, facts: ResourceFacts) -> bool:
    """Texts are ordered by rules of the pod's language, so only numbers will do."""
    key = feed.key
    return bool(key) and facts.filterable(key) and facts.sortable(key) and facts.whole_number(key)


def _ties(feed: Feed) -> tuple[str, ...]:
    """What is unique per row."""
    return (feed.key,) if feed.key else feed.ties


def _ordered(feed: Feed, facts: ResourceFacts) -> bool:
    """Whether rows can be sorted so that each has one place."""
    return bool(_ties(feed)) and all(facts.sortable(name) for name in _ties(feed))


def _order(feed: Feed, facts: ResourceFacts, *first: str) -> str:
    """`orderBy`: what comes first, and then what tells the others apart, as far as the pod lets it be sorted by."""
    return ",".join([*first, *(f"{name}:asc" for name in _ties(feed) if facts.sortable(name))])


def _identity(feed: Feed, row: Row) -> tuple[str, str]:
    """A row in one of its states."""
    return str(row.get(feed.key)) if feed.key else child_key(row), str(row.get(feed.stamp))


def _both(*questions: str) -> str:
    """Questions that all must be answered with yes."""
    there = [one for one in questions if one]
    return "".join(there) if len(there) < 2 else " and ".join(f"({one})" for one in there)
