"""The table of the crash proof: postings x kill points. A later posting adds its rows to `POSTINGS`."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, get_args

from crash.boundaries import Fate
from crash.lane import Lane
from crash.report import Verdict

from contracts import names
from contracts.flow import State
from sandbox.kit import Exchange
from sandbox.kit.hooks import Point

_PAUSED: Final[dict[Fate, str]] = {"SIGKILL": "", "SIGSTOP": ", paused", "NOTE": ""}


@dataclass(frozen=True)
class AtTwin:
    """The worker dies while a twin is at `point` with a request of it."""

    call: str
    point: Point
    twin: Literal["fusion", "shops"]
    method: str
    path: str
    query: str = ""
    body: str = ""
    fresh: bool = False
    fate: Fate = "SIGKILL"

    @property
    def name(self) -> str:
        return f"{self.call}, {self.point}{_PAUSED[self.fate]}"

    def prepare(self, lane: Lane) -> Callable[[], Awaitable[None]]:
        def fits(exchange: Exchange) -> bool:
            return self.query in exchange.query

        done = lane.at(
            getattr(lane.stack, self.twin),
            self.point,
            lane.kill_worker if self.fate == "SIGKILL" else lane.pause_worker,
            method=self.method,
            path=self.path,
            body=self.body,
            match=fits,
        )

        async def struck() -> None:
            await _within(done.wait(), self.name)

        return struck


@dataclass(frozen=True)
class AtBoundary:
    """The worker dies at a boundary of an activity, or of a step of the store inside one."""

    boundary: str
    """`activity/NAME/before`, `activity/NAME/after`, `store/STEP/before|after`."""
    fresh: bool = False
    """The step only runs in a worker whose caches are cold."""
    fate: Fate = "SIGKILL"

    @property
    def name(self) -> str:
        kind, step, side = self.boundary.split("/")
        return f"{side} {step if kind == 'activity' else f'{step} in the store'}{_PAUSED[self.fate]}"

    def prepare(self, lane: Lane) -> Callable[[], Awaitable[None]]:
        lane.arm(self.boundary, self.fate)

        async def struck() -> None:
            await lane.succeed(await lane.reached(self.boundary), self.fate)

        return struck


@dataclass(frozen=True)
class Posting:
    """A posting with the points at which its worker is killed."""

    name: str
    points: tuple[AtTwin | AtBoundary, ...]
    arrange: Callable[[Lane], Awaitable[Any]]
    """Places and announces; gives what `settle` and `count` need."""
    settle: Callable[[Lane, Any], Awaitable[None]]
    """Waits until all is settled, deciding as an operator would."""
    count: Callable[[Lane, Any], Verdict]
    """From the twin's own books."""


@dataclass(frozen=True)
class Row:
    posting: Posting
    point: AtTwin | AtBoundary

    @property
    def id(self) -> str:
        return f"{self.posting.name}: {self.point.name}"


async def _within(work: Awaitable[Any], what: str, patience: float = 45.0) -> None:
    try:
        await asyncio.wait_for(work, patience)
    except TimeoutError:
        raise AssertionError(f"not reached within {patience:.0f} s: {what}") from None


def at_all_points(
    call: str, twin: Literal["fusion", "shops"], method: str, path: str, **more: str
) -> tuple[AtTwin, ...]:
    """The three points of one call."""
    return tuple(AtTwin(call, point, twin, method, path, **more) for point in get_args(Point))


def paused(*points: AtTwin | AtBoundary) -> tuple[AtTwin | AtBoundary, ...]:
    """The worker is not killed there but stands still until another has settled everything, and then goes on."""
    return tuple(replace(point, fate="SIGSTOP") for point in points)


def around(*activities: str, fresh: bool = False) -> tuple[AtBoundary, ...]:
    """Both boundaries of activities."""
    return tuple(AtBoundary(f"activity/{name}/{side}", fresh) for name in activities for side in ("before", "after"))


# An order to its journal


async def one_order(lane: Lane) -> list[int]:
    order = lane.place()
    await lane.stack.announce(order)
    return [order]


async def until_posted(lane: Lane, orders: list[int]) -> None:
    for order in orders:
        await lane.is_in(State.POSTED, order)
    await lane.at_rest()


def count_all(lane: Lane, orders: list[int]) -> Verdict:
    return lane.count(orders)


READING = at_all_points("reading the order", "shops", "GET", r"/v2/orders/\d+$")
LOOKING = at_all_points("looking for the import", "fusion", "GET", "/ess/rest/scheduler/v1/requests$")
IMPORTING = at_all_points("importBulkData", "fusion", "POST", "/erpintegrations$", body="importBulkData")

ORDER = Posting(
    "an order to its journal",
    (
        *READING,
        *LOOKING,
        *IMPORTING,
        *at_all_points("job status", "fusion", "GET", "/erpintegrations$", query="ESSExecutionDetailsRF"),
        *at_all_points("reading journals back", "fusion", "GET", "/journalBatches$"),
        *around("lookup", fresh=True),
        *around("fetch_order", "lookup_cached", "map_order", "stage_journal", "read_fate"),
        *around("seal_group", "submit_group", "follow_job", "read_outcome", "close_group"),
        *around("follow_posting", "tell_documents"),
        AtBoundary("store/lease/after"),
        AtBoundary("store/mark/before"),
        AtBoundary("store/submitted/before"),
        *paused(LOOKING[-1], *IMPORTING, AtBoundary("store/lease/after"), AtBoundary("store/mark/before")),
        *paused(*around("fetch_order", "stage_journal", "submit_group", "close_group")),
        *paused(AtBoundary("activity/read_outcome/after"), AtBoundary("activity/tell_documents/before")),
    ),
    one_order,
    until_posted,
    count_all,
)


# Marked as about to be sent, and never sent: only a person knows that


async def until_retried_and_posted(lane: Lane, orders: list[int]) -> None:
    assert await lane.retry_group_in_review() == 1
    await until_posted(lane, orders)


NEVER_SENT = Posting(
    "an order whose import was announced and never sent",
    (AtBoundary("store/mark/after"), *paused(AtBoundary("store/mark/after"))),
    one_order,
    until_retried_and_posted,
    count_all,
)


# An order whose neighbour is refused

REFUSED_ACCOUNT = "101-120-41400-1000"
"""Revenue of category Clearance."""


@dataclass(frozen=True)
class Neighbours:
    good: int
    bad: int


async def good_and_bad_order(lane: Lane) -> Neighbours:
    lane.stack.fusion.set_account(REFUSED_ACCOUNT, import_refuses="EF04")
    both = Neighbours(good=lane.place(), bad=lane.place(category="Clearance"))
    for order in (both.good, both.bad):
        await lane.stack.announce(order)
    return both


async def until_good_is_posted_and_bad_skipped(lane: Lane, both: Neighbours) -> None:
    await lane.is_in(State.POSTED, both.good)
    await lane.is_in(State.NEEDS_REVIEW, both.bad)
    await lane.decide(lane.order(both.bad), "skip")
    await lane.at_rest()
    lane.stack.fusion.set_account(REFUSED_ACCOUNT, import_refuses="")


def count_good_only(lane: Lane, both: Neighbours) -> Verdict:
    return lane.count([both.good], absent=[both.bad])


REFUSED_NEIGHBOUR = Posting(
    "an order whose neighbour is refused",
    (
        *at_all_points("import report", "fusion", "GET", "/erpintegrations$", query="ESSJobExecutionDetailsRF"),
        *at_all_points("purge", "fusion", "POST", "/erpintegrations$", body="JournalImportDelete"),
        *around("read_outcome", "purge_group", "close_group", "tell_documents", "settle_document"),
        *paused(AtBoundary("activity/read_outcome/after"), *around("close_group", "settle_document")),
    ),
    good_and_bad_order,
    until_good_is_posted_and_bad_skipped,
    count_good_only,
)


# A group that a person sends again, with kills around the review itself


async def order_never_sent(lane: Lane) -> list[int]:
    lane.arm("store/mark/after")
    orders = await one_order(lane)
    await lane.succeed(await lane.reached("store/mark/after"), "SIGKILL")
    return orders


REVIEWED = Posting(
    "a group in review",
    around("review_group"),
    order_never_sent,
    until_retried_and_posted,
    count_all,
)


# Found by the poll, not announced


async def order_to_be_polled(lane: Lane) -> list[int]:
    order = lane.place()
    await lane.stack.temporal.get_schedule_handle(names.poll_orders_id("bc-us")).trigger()
    return [order]


POLLED = Posting(
    "an order found by the poll",
    around("poll_orders"),
    order_to_be_polled,
    until_posted,
    count_all,
)

POSTINGS: Final = (ORDER, NEVER_SENT, REFUSED_NEIGHBOUR, REVIEWED, POLLED)


def rows() -> Iterator[Row]:
    for posting in POSTINGS:
        for point in posting.points:
            yield Row(posting, point)
