"""What ten thousand documents in review cost while nobody decides about them.

They are put into review as they are after a month: short runs that wait, and rows of the store. The worker is a process
of its own and remembers some hundreds of them. For a minute nothing is asked; then a person looks at the list.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.figures import Figure, at_most
from benchmarks.worker_process import WORKER, cpu, resident, worker_process
from contracts import names
from runtime.operations.review_pages import review_page, waiting_causes
from runtime.operations.standing import standing
from tests.support.parking import park_directly
from tests.support.stack import DEMO_CONFIGURATION, Stack, eventually, open_stack
from tests.support.topology import TemporalServer

PARKED: Final = 10_000
SECONDS: Final = 60.0
SAMPLE: Final = 1000
"""Runs whose histories are measured before and after."""


async def run(server: TemporalServer, *, parked: int = PARKED, seconds: float = SECONDS) -> tuple[list[Figure], str]:
    with TemporaryDirectory() as name:
        async with open_stack(server, Path(name)) as stack:
            return await _measure(stack, parked, seconds)


async def _measure(stack: Stack, parked: int, seconds: float) -> tuple[list[Figure], str]:
    environment = {**stack.environment, "ML_CONNECTOR_CONFIG": str(DEMO_CONFIGURATION)}
    async with worker_process(WORKER, environment) as pid:
        await asyncio.sleep(2)
        empty, idle_cpu, idle_reads = resident(pid), *await _cost(pid, seconds / 4)
        began = time.perf_counter()
        ids = await park_directly(stack, parked)
        sample = ids[:: max(1, parked // SAMPLE)]
        await _at_rest(stack, sample)
        took = time.perf_counter() - began
        before, calls = await _events(stack, sample), _calls(stack)
        used, reads = await _cost(pid, seconds)
        after, called, full = await _events(stack, sample), _calls(stack) - calls, resident(pid)
    listed = await _timed(lambda: review_page(stack.parts.store, stack.configuration))
    counted = await _timed(lambda: waiting_causes(stack.parts.store, stack.configuration))
    now = stack.parts.clock()
    stood = await _timed(lambda: standing(stack.parts.store, stack.configuration, stack.temporal, since=now, now=now))
    # What an idle worker does anyway is not theirs.
    own_cpu = max(0.0, used / seconds - idle_cpu / (seconds / 4)) * 60
    own_reads = max(0.0, reads / seconds - idle_reads / (seconds / 4)) * 60
    figures = [
        at_most(
            f"history events a minute, {parked:,} parked (sample of {len(sample):,})", after - before, 0, form=".0f"
        ),
        at_most("calls to vendors about them a minute, the same", called, 0, form=".0f"),
        at_most("worker CPU a minute, the same, over an idle worker's", own_cpu, 0.3, form=".2f", unit=" s"),
        Figure("reads of files and sockets a minute, the same, over an idle worker's", f"{own_reads:.0f}"),
        Figure("worker memory, none parked", f"{empty:.0f} MB"),
        at_most("worker memory, the same", full, 300, form=".0f", unit=" MB"),
        at_most("first page of `review list`, the same", listed * 1000, 500, form=".0f", unit=" ms"),
        at_most("`review list --by-cause`, the same", counted * 1000, 500, form=".0f", unit=" ms"),
        at_most("`status`, the same", stood * 1000, 2000, form=".0f", unit=" ms"),
    ]
    details = (
        f"  parked in {took:.0f} s; CPU in {seconds:.0f} s: {used:.2f} s, of an idle worker in {seconds / 4:.0f} s: "
        f"{idle_cpu:.2f} s; reads {reads} and {idle_reads}"
    )
    return figures, details


async def _cost(pid: int, seconds: float) -> tuple[float, int]:
    """CPU seconds and read calls of the process meanwhile."""
    used, reads = cpu(pid), _reads(pid)
    await asyncio.sleep(seconds)
    return cpu(pid) - used, _reads(pid) - reads


def _reads(pid: int) -> int:
    """Reads of files and sockets that the process has made."""
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["syscr"])


async def _events(stack: Stack, ids: list[str]) -> int:
    room = asyncio.Semaphore(50)

    async def length(document_id: str) -> int:
        async with room:
            handle = stack.temporal.get_workflow_handle(names.order_to_journal_id("bc-us", document_id))
            return int((await handle.describe()).history_length)

    return sum(await asyncio.gather(*map(length, ids)))


async def _at_rest(stack: Stack, ids: list[str]) -> None:
    """Started, its task scheduled, begun and completed, and a timer: five events each, and no task to come. A busy
    machine may need more than one task, so that one run has eight before another has begun."""
    room = asyncio.Semaphore(50)

    async def rests(document_id: str) -> bool:
        async with room:
            handle = stack.temporal.get_workflow_handle(names.order_to_journal_id("bc-us", document_id))
            description = (await handle.describe()).raw_description
        return description.workflow_execution_info.history_length >= 5 and not description.HasField(
            "pending_workflow_task"
        )

    async def resting() -> bool:
        return all(await asyncio.gather(*map(rests, ids)))

    await eventually(resting, "all are parked", patience=600)


def _calls(stack: Stack) -> int:
    """About documents: polls ask each shop for its time and for what changed, whatever is in review."""
    return stack.fusion.calls.total + stack.shops.calls.count(path=r"/orders/\d+")


async def _timed(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began
