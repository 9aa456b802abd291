"""Memory of a worker that sweeps a shop with a hundred thousand changed orders, all of which are posted already.

The worker is a process of its own and reads pages of a shop over HTTP that works them out as they are asked for. Every
order is listed twice, by change and by id, and asked for in the store each time.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from sqlalchemy import Connection, insert

from benchmarks.figures import Figure, below
from benchmarks.worker_process import product_worker, resident
from contracts import names
from contracts.flow import PollInput, State
from contracts.steps.orders import Polled
from sandbox.kit import serve
from store.schema import documents
from tests.support.long_shop import LongShop
from tests.support.stack import Stack, open_stack
from tests.support.topology import TemporalServer

ORDERS: Final = 100_000
WARM_UP: Final = 1_000
"""Orders of a first sweep: what a sweep needs whatever it finds, once for a process."""
PACE: Final = {"flush_after": 5.0, "quiet_period": 1.0, "reread_after": 3600.0}
GOAL: Final = 20.0
"""MB of growth. Kept as objects, the orders alone took ten times that."""


async def run(server: TemporalServer, *, orders: int = ORDERS) -> tuple[list[Figure], str]:
    begin = datetime.now(UTC) - timedelta(days=6)
    shop = LongShop(min(WARM_UP, orders), begin=begin)
    with TemporaryDirectory() as name:
        async with open_stack(server, Path(name)) as stack, serve(shop.app) as market:
            stack.environment = {**stack.environment, "MLC_SHOP_URL": market.url}
            async with product_worker(stack, PACE) as pid:
                # One that comes by its schedule would be measured as well.
                await stack.temporal.get_schedule_handle(names.poll_orders_id("bc-us")).pause()
                await _posted(stack, shop)
                await _sweep(stack, "first")
                before = resident(pid)
                shop.resize(orders, 0)
                await _posted(stack, shop)
                shop.pages, began = 0, time.perf_counter()
                async with _watched(pid) as memory:
                    polled = await _sweep(stack, "second")
                seconds = time.perf_counter() - began
    assert (polled.seen, polled.started) == (orders, 0), polled
    growth = max(memory) - before
    figures = [
        below(f"a sweep of {orders:,} changed orders: memory of the worker grows by", growth, GOAL, unit=" MB"),
        Figure("the same: calls to the shop, each of up to 250 orders", f"{shop.pages}"),
        Figure("the same: orders a second, looked at twice", f"{orders / seconds:,.0f}"),
    ]
    return figures, f"  before {before:.1f} MB, most {max(memory):.1f} MB, at the end {memory[-1]:.1f} MB"


async def _sweep(stack: Stack, which: str) -> Polled:
    polled: Polled = await stack.temporal.execute_workflow(
        names.SWEEP_ORDERS,
        PollInput(connection="bc-us", days=7),
        id=f"sweep-{which}",
        task_queue=names.WORKFLOW_QUEUE,
        result_type=Polled,
    )
    return polled


async def _posted(stack: Stack, shop: LongShop) -> None:
    """The store knows every order of the shop as posted."""
    rows: list[dict[str, Any]] = [
        {
            "connection": "bc-us",
            "kind": names.ORDER,
            "id": order_id,
            "tenant": "acme",
            "integration": "shop-us",
            "modified_at": modified,
            "fingerprint": "f",
            "state": State.POSTED,
            "reason": "",
            "problems": [],
            "job": "bench",
            "decided_by": "",
            "at": modified,
        }
        for order_id, modified in shop.versions()
    ]

    def unit(at: Connection) -> None:
        at.execute(documents.delete())
        at.execute(insert(documents), rows)

    await stack.parts.store._database.write(unit)


@asynccontextmanager
async def _watched(pid: int) -> AsyncIterator[list[float]]:
    """What the process holds, in MB, twenty times a second and at the end."""
    seen = [resident(pid)]

    async def watch() -> None:
        while True:
            await asyncio.sleep(0.05)
            seen.append(resident(pid))

    watching = asyncio.create_task(watch())
    try:
        yield seen
    finally:
        watching.cancel()
        seen.append(resident(pid))
