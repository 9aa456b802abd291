"""Orders a second and CPU an order, beside a workflow of one activity measured in the same minute.

Both workers are processes of their own. An order is counted from its start to the end of its run: fetched, mapped,
staged, imported with its group and posted; its share of groups and imports is in its worker's CPU. The twins share the
machine and take their part of it in both directions, so ratios carry over and absolute figures do not.
"""

import asyncio
import os
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from temporalio.client import Client

from benchmarks.bare import QUEUE, BareDocument
from benchmarks.figures import Figure
from benchmarks.worker_process import cpu, product_worker, worker_process
from contracts.flow import State
from sandbox.bigcommerce import US_SHOP, Shape, StoreSettings, draft
from tests.support.stack import Stack, open_stack
from tests.support.topology import TemporalServer

DOCUMENTS: Final = 150
WARM_UP: Final = 10
PACE: Final = {"flush_after": 2.0, "quiet_period": 1.0, "reread_after": 3600.0}


@dataclass(frozen=True)
class Measured:
    per_second: float
    cpu_ms: float
    """CPU of the worker a document, milliseconds."""


async def run(server: TemporalServer, *, documents: int = DOCUMENTS) -> tuple[list[Figure], str]:
    with TemporaryDirectory() as name:
        stores = (StoreSettings(US_SHOP, requests_per_window=1_000_000),)
        async with open_stack(server, Path(name), imports=PACE, stores=stores) as stack:
            bare = await _bare(stack, documents)
            orders = await _orders(stack, documents)
    figures = [
        Figure("orders a second, start to posted, one worker", f"{orders.per_second:.1f}"),
        Figure("the same, workflows of one activity", f"{bare.per_second:.1f}"),
        Figure("worker CPU an order", f"{orders.cpu_ms:.0f} ms"),
        Figure("worker CPU an order, against one activity", f"{orders.cpu_ms / bare.cpu_ms:.1f} x"),
    ]
    return figures, f"  one activity: {bare}\n  orders: {orders}"


async def _bare(stack: Stack, documents: int) -> Measured:
    known = stack.temporal
    address, namespace = known.service_client.config.target_host, known.namespace
    # Without our plugin: nothing is encrypted.
    client = await Client.connect(address, namespace=namespace)

    async def one(number: int) -> None:
        await client.execute_workflow(BareDocument.run, f"{number}", id=f"bare-{number}", task_queue=QUEUE)

    async with worker_process(("-m", "benchmarks.bare", address, namespace), dict(os.environ)) as pid:
        await _timed(pid, [one(-number) for number in range(1, min(WARM_UP, documents) + 1)])
        return await _timed(pid, [one(number) for number in range(documents)])


async def _orders(stack: Stack, documents: int) -> Measured:
    async def one(number: int) -> None:
        order_id = stack.shop().place(draft(Shape.ORDINARY, US_SHOP, seed=number), quiet=True).id
        await stack.announce(order_id)
        result = await stack.result(order_id)
        assert result.state is State.POSTED, result.sentence

    async with product_worker(stack, PACE) as pid:
        await _timed(pid, [one(-number) for number in range(1, min(WARM_UP, documents) + 1)])
        return await _timed(pid, [one(number) for number in range(documents)])


async def _timed(pid: int, work: Sequence[Coroutine[Any, Any, object]]) -> Measured:
    """All at once, until all are done."""
    used, began = cpu(pid), time.perf_counter()
    await asyncio.gather(*work)
    seconds = time.perf_counter() - began
    return Measured(len(work) / seconds, (cpu(pid) - used) * 1000 / len(work))
