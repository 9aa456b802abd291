"""A worker is killed at every point of every posting: one journal each, by the ledger's own books.

Rows wait far longer than they compute, so several lanes work through the selected rows side by side; each row is still
one test with its own verdict.
"""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack

import pytest
from crash.lane import Lane, open_lane
from crash.report import Report, Verdict
from crash.table import Row, rows
from support.processes import Nursery

from runtime.temporal.devserver import DevServer

LANES = int(os.environ.get("CRASH_LANES", "4"))


class Lanes:
    """Runs rows; `verdict` waits for one of them."""

    def __init__(self, wanted: Iterable[Row]) -> None:
        self.left = deque(wanted)
        loop = asyncio.get_running_loop()
        self._verdicts: dict[str, asyncio.Future[Verdict]] = {row.id: loop.create_future() for row in self.left}

    async def verdict(self, row: Row) -> Verdict:
        return await self._verdicts[row.id]

    def note_end(self, lane: asyncio.Task[None]) -> None:
        """A lane that broke: what it would have done is not left waiting."""
        error = None if lane.cancelled() else lane.exception()
        if error is not None:
            for verdict in self._verdicts.values():
                if not verdict.done():
                    verdict.set_exception(error)
                    verdict.exception()
            self.left.clear()

    async def work(self, lane: Lane, report: Report) -> None:
        """One lane: rows, one after the other, until none is left or one failed: what it left behind is not reused."""
        while self.left:
            row = self.left.popleft()
            verdict = self._verdicts[row.id]
            try:
                verdict.set_result(await carry_out(row, lane, report))
            except Exception as error:
                verdict.set_exception(error)
                verdict.exception()  # a row that nobody asks for is no warning
                return
            except asyncio.CancelledError:
                verdict.cancel()
                raise


async def carry_out(row: Row, lane: Lane, report: Report) -> Verdict:
    """Arrange, kill, settle, count."""
    lane.run = run = report.begin(row.posting.name, row.point.name)
    await lane.one_worker(fresh=row.point.fresh)
    struck = row.point.prepare(lane)
    try:
        subject = await row.posting.arrange(lane)
        await struck()
        await row.posting.settle(lane, subject)
        await lane.resume_paused()
        await lane.at_rest()
    finally:
        await lane.clean_up()
    return run.end(row.posting.count(lane, subject))


@pytest.fixture(scope="module")
async def lanes(
    request: pytest.FixtureRequest,
    quick_server: DevServer,
    nursery: Nursery,
    report: Report,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Lanes]:
    wanted = [
        item.callspec.params["row"]
        for item in request.session.items
        if item.path == request.path and hasattr(item, "callspec")
    ]
    opened = Lanes(wanted)
    one_at_a_time = asyncio.Lock()

    async def lane() -> None:
        while opened.left:
            async with AsyncExitStack() as stack:
                # Alembic keeps the migration under way in a global: two databases of one process would mix them up.
                async with one_at_a_time:
                    one = await stack.enter_async_context(
                        open_lane(quick_server, nursery, tmp_path_factory.mktemp("lane"))
                    )
                await opened.work(one, report)

    working = [asyncio.create_task(lane()) for _ in range(min(LANES, len(wanted)))]
    for task in working:
        task.add_done_callback(opened.note_end)
    try:
        yield opened
    finally:
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("row", list(rows()), ids=lambda row: row.id)
async def test_a_worker_killed_there_neither_loses_nor_repeats_a_journal(row: Row, lanes: Lanes) -> None:
    verdict = await lanes.verdict(row)
    assert verdict.clean, verdict.sentence()
