"""Memory and pace of a worker that reads a large catalog on both sides while it changes.

Everything is agreed at first. Then both sides are read whole, unordered lists shuffled, while some items change: each
of these has to arrive in the shop, and the others must not be started. The worker is a process of its own; its memory
is looked at all the time.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from activities.converging.policies import connection_of, desk_of
from benchmarks.figures import Figure, at_most, below
from benchmarks.worker_process import product_worker, resident
from contracts import names
from contracts.configuration import Integration
from contracts.converging import Digests, PolledRecords, PollRecordsInput, SeenRecord
from contracts.ownership import Side
from contracts.record_ids import record_id
from mapping.ownership import digests_of
from sandbox.bigcommerce import US_SHOP, StoreSettings
from sandbox.fusion.masters.setup import ITEM_MASTER
from store.rows import Agreement
from tests.support.items import keeping
from tests.support.stack import Stack, eventually, open_stack
from tests.support.topology import TemporalServer

COUNT: Final = 20_000
CHANGED: Final = 1_000
NEW: Final = 500
PACE: Final = {"quiet_period": 0.1}
GOAL: Final = 150
"""MB above idle."""
PATIENCE: Final = 1800
LOOK: Final = 0.1
"""Seconds between two looks at the worker's memory."""


async def run(
    server: TemporalServer, *, count: int = COUNT, changed: int = CHANGED, new: int = NEW
) -> tuple[list[Figure], str]:
    with TemporaryDirectory() as name:
        stores = (StoreSettings(US_SHOP, requests_per_window=10_000_000),)
        async with open_stack(server, Path(name), imports=PACE, stores=stores, adjust=keeping()) as stack:
            _fill(stack, count)
            await _agree(stack)
            async with product_worker(stack, PACE, items=True) as pid:
                return await _measure(stack, pid, count, changed, new)


async def _measure(stack: Stack, pid: int, count: int, changed: int, new: int) -> tuple[list[Figure], str]:
    await _read(stack, "fusion", "once, so that it is warm")
    idle = resident(pid)
    async with _watched(pid) as peak:
        began = time.perf_counter()
        changing = asyncio.create_task(_change(stack, changed))
        found = [await _read(stack, side, "while it changes") for side in ("fusion", "shop")]
        touched = await changing
        took = time.perf_counter() - began
        read = sum(one.seen for one in found)
        found.append(await _until(stack, lambda: not _unseen(stack, touched), "every change has arrived"))
    missing = len(_unseen(stack, touched))
    pace = await _made(stack, new)
    seen, started = sum(one.seen for one in found), sum(one.started for one in found)
    figures = [
        below(f"memory of a worker above idle, {count:,} items read on both sides while {len(touched):,} change",
              max(peak) - idle, GOAL, form=".0f", unit=" MB"),
        at_most("changes not seen", missing, 0, form=".0f"),
        Figure("rows read and compared a second", f"{read / took:.0f}"),
        Figure(f"drafts made of new items a second, {new:,} at once", f"{pace:.0f}"),
    ]  # fmt: skip
    return (
        figures,
        f"  idle {idle:.0f} MB, at most {max(peak):.0f} MB; {seen:,} rows, {started:,} started, {took:.0f} s",
    )


def _fill(stack: Stack, count: int) -> None:
    """So many products, each with the item of its name."""
    catalog = stack.shops.stores[US_SHOP.store_hash].catalog
    for product_id in list(catalog.products):
        catalog.delete(product_id)
    for product_id in catalog.grow(count, options_every=0):
        fields = catalog.products[product_id].fields
        stack.fusion.items.add(ItemNumber=fields["sku"], ItemDescription=fields["name"], OrganizationCode=ITEM_MASTER)
    stack.fusion.faults.set("unstable_order")


async def _agree(stack: Stack) -> None:
    """What both sides show is what was agreed."""
    integration = stack.configuration.integration("shop-us")
    shown: dict[str, dict[Side, SeenRecord]] = {}
    for side in ("fusion", "shop"):
        async for page in desk_of(stack.parts, integration, names.ITEM, side).changed(None, whole=True):
            for record in page.records:
                shown.setdefault(record.name, {})[side] = record
    for name, sides in shown.items():
        await stack.parts.store.agreements.put(_agreement(stack, integration, name, sides))


def _agreement(stack: Stack, integration: Integration, name: str, sides: dict[Side, SeenRecord]) -> Agreement:
    own = record_id(name)
    salt = f"{integration.tenant}/{integration.source}/{names.ITEM}/{own}"
    return Agreement(
        tenant=integration.tenant,
        integration=integration.id,
        connection=integration.source,
        kind=names.ITEM,
        id=own,
        name=name,
        fusion_id=sides["fusion"].id,
        shop_id=sides["shop"].id,
        parent=sides["shop"].parent,
        digests=Digests(fusion=digests_of(salt, sides["fusion"]), shop=digests_of(salt, sides["shop"])),
        at=stack.parts.clock(),
    )


async def _read(stack: Stack, side: Side, what: str) -> PolledRecords:
    integration = stack.configuration.integration("shop-us")
    handle = await stack.temporal.start_workflow(
        names.POLL_RECORDS,
        PollRecordsInput(
            integration=integration.id,
            connection=connection_of(integration, side),
            kind=names.ITEM,
            side=side,
            whole=what == "while it changes",
        ),
        id=names.poll_records_id(integration.id, names.ITEM, side),
        task_queue=names.WORKFLOW_QUEUE,
        result_type=PolledRecords,
    )
    return await asyncio.wait_for(handle.result(), PATIENCE)


async def _until(stack: Stack, condition: Callable[[], bool], what: str) -> PolledRecords:
    """Polls Fusion until this is so. A window ends with the last whole second; what is younger is in the next."""
    last = PolledRecords(seen=0, started=0)

    async def polled() -> bool:
        nonlocal last
        if not condition():
            last = await _read(stack, "fusion", what)
            await asyncio.sleep(1)
        return condition()

    await eventually(polled, what, patience=PATIENCE)
    return last


async def _change(stack: Stack, count: int) -> set[str]:
    """So many items get another name, a few at a time."""
    chance = random.Random(5)
    rows: list[Any] = chance.sample(stack.fusion.items.rows, count)
    for number, row in enumerate(rows):
        stack.fusion.items.touch(row, ItemDescription=f"Renamed {number}")
        if number % 10 == 9:
            await asyncio.sleep(LOOK)
    return {str(row.values["ItemNumber"]) for row in rows}


async def _made(stack: Stack, count: int) -> float:
    """So many new items at once, until each has its draft; a second."""
    catalog = stack.shops.stores[US_SHOP.store_hash].catalog
    wanted = len(catalog.products) + count
    for number in range(count):
        stack.fusion.items.add(
            ItemNumber=f"NEW-{number:05d}", ItemDescription=f"Novelty {number:05d}", OrganizationCode=ITEM_MASTER
        )
    began = time.perf_counter()
    await _until(stack, lambda: len(catalog.products) >= wanted, "every new item has its draft")
    return count / (time.perf_counter() - began)


def _unseen(stack: Stack, touched: set[str]) -> set[str]:
    """Renamed items whose product has another name."""
    wanted = {row.values["ItemNumber"]: row.values["ItemDescription"] for row in stack.fusion.items.rows}
    products = stack.shops.stores[US_SHOP.store_hash].catalog.products.values()
    shown = {one.fields["sku"]: one.fields["name"] for one in products}
    return {number for number in touched if shown[number] != wanted[number]}


@asynccontextmanager
async def _watched(pid: int) -> AsyncIterator[list[float]]:
    """Its memory, look by look."""
    looks: list[float] = [resident(pid)]

    async def look() -> None:
        while True:
            looks.append(resident(pid))
            await asyncio.sleep(LOOK)

    looking = asyncio.create_task(look())
    try:
        yield looks
    finally:
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking
