"""Memory of one worker with documents that wait: for their import, and for a person.

All of them come there through the real flow: announced, fetched from the shop, mapped, staged or parked. Nothing is
imported meanwhile. Memory is what the operating system calls resident, after everything has come to rest.
"""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.figures import Figure, below
from benchmarks.worker_process import product_worker, resident
from contracts.flow import State
from sandbox.bigcommerce import US_SHOP, Shape, StoreSettings, draft
from tests.support.stack import Stack, eventually, open_stack
from tests.support.topology import TemporalServer

WAITING: Final = 1000
PARKED: Final = 1000
AT_ONCE: Final = 50
"""Announced and not yet at rest, so that arrivals do not decide the peak."""
PACE: Final = {"flush_after": 7200.0, "flush_count": 5000, "quiet_period": 1.0, "reread_after": 7200.0}
UNMAPPED: Final = "Antiques"
"""A category without an account rule: orders that sell it go to review."""
PATIENCE: Final = 900
"""Seconds: on a busy machine Temporal may lose a step on its way to the worker, and tries it again after its limit."""
GOAL: Final = 300
"""MB."""


async def run(server: TemporalServer, *, waiting: int = WAITING, parked: int = PARKED) -> tuple[list[Figure], str]:
    with TemporaryDirectory() as name:
        stores = (StoreSettings(US_SHOP, requests_per_window=1_000_000),)
        async with (
            open_stack(server, Path(name), imports=PACE, stores=stores) as stack,
            product_worker(stack, PACE) as pid,
        ):
            idle = resident(pid)
            await _arrive(stack, waiting, State.WAITING_IMPORT)
            half = resident(pid)
            await _arrive(stack, parked, State.NEEDS_REVIEW)
            both = resident(pid)
    figures = [
        below(f"memory of a worker, {waiting:,} waiting and {parked:,} parked", both, GOAL, form=".0f", unit=" MB"),
        Figure("the same, before the first document", f"{idle:.0f} MB"),
        Figure("memory a waiting document", f"{(half - idle) * 1000 / waiting:.0f} KB"),
        Figure("memory a parked document", f"{(both - half) * 1000 / parked:.0f} KB"),
    ]
    return figures, f"  idle {idle:.1f} MB, with those that wait {half:.1f} MB, with all {both:.1f} MB"


async def _arrive(stack: Stack, count: int, state: State) -> None:
    """So many new orders, until all of them stand there."""
    categories = (UNMAPPED,) if state is State.NEEDS_REVIEW else None

    async def standing() -> int:
        return (await stack.parts.store.documents.counts_by_state()).get(state, 0)

    for arrived in range(0, count, AT_ONCE):
        wanted = min(count, arrived + AT_ONCE)
        placed = [
            stack.shop().place(draft(Shape.ORDINARY, US_SHOP, seed=seed, categories=categories), quiet=True).id
            for seed in range(arrived, wanted)
        ]
        await asyncio.gather(*(stack.announce(order_id) for order_id in placed))

        async def there(wanted: int = wanted) -> bool:
            return await standing() >= wanted

        await eventually(there, f"{wanted} orders are {state}", patience=PATIENCE)
