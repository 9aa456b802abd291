"""Every fault of both systems, one at a time: each order is in the books once, with its amount, and nothing is left.

A row mostly waits, so a few stacks work through the table side by side; each row is still a test of its own.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, Final

import pytest
from replay.stage import patched, with_fusion
from support.knobs import (
    Row,
    both,
    brackets_for_nothing,
    busy_neighbours,
    down,
    fusion,
    never_needed,
    set_right,
    shop,
    tight_quota,
)
from support.proof import (
    booked_once,
    group_in_review,
    no_journal_twice,
    nothing_in_review,
    nothing_left,
    ordinary,
    posted,
    retry,
    sell,
)
from support.stack import FAST, Stack, open_stack

import activities.failures
from contracts import names
from contracts.configuration import Configuration
from contracts.flow import State
from runtime.temporal.devserver import DevServer

LANES: Final = 4
UNKNOWN: Final = 12.0
"""Seconds until an import that is not found needs a person: longer than any fault that heals."""

SIGN_IN: Final[dict[str, Any]] = {"method": "POST", "path": "/oauth2/v1/token"}
LOOKUP: Final[dict[str, Any]] = {"method": "GET", "path": "LOV|accountingPeriod"}
LOOK: Final[dict[str, Any]] = {"method": "GET", "path": "/ess/rest/scheduler"}
IMPORT: Final[dict[str, Any]] = {"method": "POST", "path": "/erpintegrations"}
STATUS: Final[dict[str, Any]] = {"method": "GET", "path": "/erpintegrations"}
READ_BACK: Final[dict[str, Any]] = {"method": "GET", "path": "/journalBatches"}
ORDER: Final[dict[str, Any]] = {"method": "GET", "path": r"/v2/orders/\d+$"}
LINES: Final[dict[str, Any]] = {"method": "GET", "path": r"/v2/orders/\d+/"}
EXPIRED = fusion("unauthorized", count=1, **LOOK)
"""The token in hand is not accepted any more; another must be asked for."""

READS = {"lookup": LOOKUP, "look": LOOK, "status": STATUS, "read-back": READ_BACK}
STAGES = {**READS, "import": IMPORT}

ROWS: Final = (
    # Fusion: slow, or in error
    Row("fusion is slow", fusion("latency", seconds=0.3, options={"jitter": 0.3})),
    *(Row(f"500 for the {stage}", fusion("error", count=2, **where)) for stage, where in READS.items()),
    Row("500 while posting is followed", fusion("error", skip=3, count=2, **READ_BACK)),
    *(
        Row(f"{status} for the read-back", fusion("error", status=status, count=2, **READ_BACK))
        for status in (502, 503, 504)
    ),
    Row("503 with Retry-After", fusion("error", status=503, retry_after=2, count=1, **READ_BACK)),
    Row("500 for the sign-in", both(EXPIRED, fusion("error", count=2, **SIGN_IN))),
    # Fusion: the import itself
    Row("500 for the import", fusion("error", count=1, **IMPORT)),
    Row("503 for the import", fusion("error", status=503, count=1, **IMPORT)),
    Row("503 for the import, with Retry-After", fusion("error", status=503, retry_after=2, count=1, **IMPORT)),
    Row("502 for the import", fusion("error", status=502, count=1, **IMPORT), group_review="import_unknown"),
    Row("504 for the import", fusion("error", status=504, count=1, **IMPORT), group_review="import_unknown"),
    Row("import cut off", fusion("cut", count=1, **IMPORT), group_review="import_unknown"),
    Row("answer lost", fusion("lost_answer", count=1, **IMPORT)),
    Row("504 after the commit", fusion("error_after", count=1, **IMPORT)),
    Row("500 after the commit", fusion("error_after", status=500, count=1, **IMPORT)),
    Row("answer after the deadline", fusion("slow_answer", seconds=4.0, count=1, **IMPORT)),
    Row("commit after the deadline", fusion("delayed_commit", seconds=4.0, count=1, **IMPORT)),
    Row(
        "cut off, and committed beyond settle",
        fusion("delayed_commit", seconds=5.0, options={"answer": "cut"}, count=1, **IMPORT),
    ),
    Row(
        "answer lost, and the request is shown late",
        both(fusion("lost_answer", count=1, **IMPORT), fusion("late_requests", seconds=3.0, path="^Import Journals$")),
    ),
    # Fusion: down
    *(
        Row(f"Fusion answers 503 from the {stage} on", down("fusion", "503", **where))
        for stage, where in STAGES.items()
    ),
    *(
        Row(f"Fusion refuses connections from the {stage} on", down("fusion", "refused", **where))
        for stage, where in STAGES.items()
    ),
    Row("Fusion answers 503 while posting is followed", down("fusion", "503", after=3, **READ_BACK)),
    Row("Fusion refuses connections while posting is followed", down("fusion", "refused", after=3, **READ_BACK)),
    # Fusion: what only it does
    Row("journals are shown late", fusion("late_visibility", seconds=3.0)),
    Row("requests are shown late", fusion("late_requests", seconds=2.0)),
    Row("the import takes long", fusion("slow_job", seconds=3.0)),
    Row("tokens live shorter than they say", both(EXPIRED, fusion("token_expiry", seconds=1.0, count=3))),
    *(Row(f"401 for the {stage}", fusion("unauthorized", count=1, **where)) for stage, where in STAGES.items()),
    Row("429 for the read-back", fusion("rate_limit", retry_after=1, count=1, **READ_BACK)),
    Row("429 for the import", fusion("rate_limit", retry_after=1, count=1, **IMPORT)),
    Row(
        "errors are plain text",
        both(fusion("text_errors"), fusion("error", count=2, **READ_BACK), fusion("error", count=1, **IMPORT)),
    ),
    Row("totals are answered with 500", never_needed(fusion("total_results_500"))),
    Row("pages have no order", fusion("unstable_order"), orders=3),
    Row("batches are not shown for a while", fusion("no_data", count=3, **READ_BACK)),
    Row(
        "no ledger is shown to the user",
        fusion("no_data", method="GET", path="ledgersLOV"),
        order_review="vendor_notfound",
    ),
    # The shop
    Row("the shop is slow", shop("latency", seconds=0.3, options={"jitter": 0.3})),
    *(
        Row(f"the shop answers {status}", shop("error", status=status, count=2, **ORDER))
        for status in (500, 502, 503, 504)
    ),
    Row("the shop answers 500 for the lines", shop("error", count=2, **LINES)),
    Row("the shop answers 500 in plain text", shop("error", count=1, options={"plain": True, "text": "Oops"}, **ORDER)),
    Row("the shop cuts off", shop("cut", count=2, **ORDER)),
    Row("the shop's answer is lost", shop("lost_answer", count=1, **LINES)),
    Row("the shop's answer is slow", shop("slow_answer", seconds=2.0, count=1, **ORDER)),
    Row("the shop is down", down("shops", "503", **ORDER)),
    Row("the shop refuses connections", down("shops", "refused", **LINES)),
    Row("the shop takes no token once", shop("unauthorized", count=1, **ORDER)),
    Row("429 of the shop", shop("rate_limit", retry_after=1, count=1, **ORDER)),
    Row("429 of the shop, without headers", shop("rate_limit", count=1, **LINES)),
    Row("the shop's quota is small", tight_quota, orders=2),
    Row("other apps use the shop's quota up", busy_neighbours, orders=3),
    Row("the order is visible late", shop("late_visibility", seconds=3.0)),
    Row("empty lists are brackets", brackets_for_nothing),
)


def _quick(configuration: Configuration) -> Configuration:
    return with_fusion(configuration, import_timeout=2.0, settle=0.5, journal_import={"status_interval": 0.3})


async def _carry_out(row: Row, stack: Stack, seed: int) -> None:
    """The system goes wrong, an order comes in, and in the end the books are right."""
    # Warm reference data would never be asked for: for it, two hours have passed.
    stack.parts.facts.clock = lambda: time.monotonic() + seed * 7200.0
    struck = row.arrange(stack)
    orders = await sell(stack, *(ordinary(seed + number) for number in range(row.orders)))
    if row.group_review:
        workflow_id, _ = await group_in_review(stack, row.group_review)
        set_right(stack)
        await retry(stack, workflow_id)
    if row.order_review:
        for order_id in orders:
            standing = await stack.in_state(order_id, State.NEEDS_REVIEW)
            assert [one.code for one in standing.problems] == [row.order_review]
        set_right(stack)
        for order_id in orders:
            await retry(stack, names.order_to_journal_id("bc-us", str(order_id)))
    await posted(stack, orders)
    assert struck() > 0, "it never happened"
    set_right(stack)
    booked_once(stack, orders)
    no_journal_twice(stack)
    nothing_left(stack)
    await nothing_in_review(stack)


class Lanes:
    """Rows that are left, and a verdict for each."""

    def __init__(self, wanted: Iterable[Row]) -> None:
        self.left = deque(wanted)
        loop = asyncio.get_running_loop()
        self._verdicts: dict[str, asyncio.Future[None]] = {row.name: loop.create_future() for row in self.left}
        self._seeds = 0

    async def verdict(self, row: Row) -> None:
        await self._verdicts[row.name]

    async def work(self, stack: Stack) -> None:
        """Rows one after the other. A stack on which one failed is not used again."""
        while self.left:
            row = self.left.popleft()
            self._seeds += 10
            try:
                await _carry_out(row, stack, self._seeds)
            except Exception as error:  # every failure belongs to its row's test
                self._fail(row, error)
                return
            except asyncio.CancelledError:
                self._fail(row, AssertionError("not finished"))
                raise
            self._verdicts[row.name].set_result(None)

    def _fail(self, row: Row, error: Exception) -> None:
        verdict = self._verdicts[row.name]
        verdict.set_exception(error)
        verdict.exception()  # a row that nobody asks for is no warning

    def give_up(self, lane: asyncio.Task[None]) -> None:
        """A lane broke: what is left has no one to carry it out."""
        error = None if lane.cancelled() else lane.exception()
        while error is not None and self.left:
            self._fail(self.left.popleft(), AssertionError(f"its stack broke: {error}"))


@pytest.fixture(scope="module")
async def lanes(
    request: pytest.FixtureRequest, temporal_server: DevServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Lanes]:
    wanted = [
        item.callspec.params["row"]
        for item in request.session.items
        if item.path == request.path and hasattr(item, "callspec")
    ]
    lanes = Lanes(wanted)
    opening = asyncio.Lock()
    imports = FAST | {"unknown_limit": UNKNOWN / 3600}

    async def lane() -> None:
        while lanes.left:
            directory = tmp_path_factory.mktemp("lane")
            async with AsyncExitStack() as closing:
                # One database at a time: Alembic keeps the migration under way in a global.
                async with opening:
                    stack = await closing.enter_async_context(
                        open_stack(temporal_server, directory, imports=imports, adjust=_quick)
                    )
                await closing.enter_async_context(stack.worker())
                await lanes.work(stack)

    with patched(activities.failures, CONFIG_PAUSE=timedelta(seconds=1)):
        working = [asyncio.create_task(lane()) for _ in range(min(LANES, len(wanted)))]
        for task in working:
            task.add_done_callback(lanes.give_up)
        try:
            yield lanes
        finally:
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_one_journal_an_order_whatever_goes_wrong(row: Row, lanes: Lanes) -> None:
    await lanes.verdict(row)
