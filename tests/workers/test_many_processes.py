"""Two workers and two gateways at once: on one SQLite file, and on PostgreSQL."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
from support.processes import MortalProcess, Nursery
from support.stack import eventually
from support.topology import TemporalServer
from workers.crew import PROFILES, Crew, Order, open_crew

from sandbox.bigcommerce import statuses
from sandbox.bigcommerce.webhooks import Rule

ORDERS = 100
TROUBLE = ("database is locked", "SQLITE_BUSY", "database does not answer", "Traceback")
"""What no process may say."""


@pytest.fixture
async def crew(quick_server: TemporalServer, nursery: Nursery, store_url: str, tmp_path: Path) -> AsyncIterator[Crew]:
    # A step that is late on a busy machine is not to be given up: that is told by the worker that has it.
    async with open_crew(quick_server, nursery, tmp_path, store_url=store_url, patience=20.0) as opened:
        opened.subscribe()
        await asyncio.gather(
            opened.start_worker(), opened.start_worker(), opened.start_gateway(0), opened.start_gateway(1)
        )
        yield opened


async def sell(crew: Crew, chance: random.Random, count: int) -> None:
    """Orders of both shops; each webhook is sent twice, at any gateway, and a third of the orders goes on changing."""
    for number in range(count):
        connection, order_id = crew.sell("bc-eu" if number % 4 == 0 else "bc-us")
        if number % 3 == 0:
            shop = crew.stack.shop(connection)
            for status in (statuses.AWAITING_SHIPMENT, statuses.SHIPPED)[: chance.randint(1, 2)]:
                shop.set_status(order_id, status)
        await asyncio.sleep(chance.uniform(0, 0.05))


@pytest.mark.timeout(1800)
async def test_orders_at_two_gateways_and_two_workers_are_booked_once(crew: Crew, quick_server: TemporalServer) -> None:
    chance = random.Random(11)
    for connection in PROFILES:
        crew.store(connection).deliveries.rules.append(Rule("duplicate", copies=1, seconds=0.5))
    await sell(crew, chance, ORDERS // 2)
    await crew.workers[0].kill()
    await crew.gateways[0].kill()
    await sell(crew, chance, ORDERS // 4)
    await asyncio.gather(crew.start_worker(), crew.start_gateway(0))
    restarted = len(crew.orders)
    server = MortalProcess(quick_server.pid or 0, "server", Path())
    server.pause()
    try:
        await sell(crew, chance, ORDERS // 10)
        await eventually(crew.stack.parts.store.deliveries.inbox_depth, "starts wait in the inbox")
    finally:
        server.resume()
    await sell(crew, chance, ORDERS // 10)
    await crew.acknowledged(patience=300)
    await crew.posted(patience=300)
    crew.booked_once()
    await inbox_is_drained(crew)
    await each_answer_has_one_receipt(crew, crew.orders[restarted:])
    assert [line for line in crew.logs().splitlines() if any(words in line for words in TROUBLE)] == []


async def inbox_is_drained(crew: Crew) -> None:
    async def empty() -> bool:
        return await crew.stack.parts.store.deliveries.inbox_depth() == 0

    await eventually(empty, "the inbox is empty")


async def each_answer_has_one_receipt(crew: Crew, orders: Iterable[Order]) -> None:
    """Of deliveries at gateways that were not killed: whichever took it wrote it down, and nobody else.

    An attempt whose answer came when the shop no longer waited may have been written down, too.
    """
    chosen = set(orders)
    for connection in PROFILES:
        answers, attempts = Counter[str](), Counter[str]()
        for one in crew.store(connection).deliveries.log:
            if (connection, one.order_id) in chosen:
                answers[one.webhook_id] += sum(attempt.status is not None for attempt in one.attempts)
                attempts[one.webhook_id] += len(one.attempts)
        assert answers

        async def all_written(
            connection: str = connection, answers: Counter[str] = answers, attempts: Counter[str] = attempts
        ) -> bool:
            receipts = await crew.stack.parts.store.deliveries.receipts(connection, limit=10_000)
            written = Counter(one.delivery_id for one in receipts if one.delivery_id in answers)
            return answers <= written <= attempts

        await eventually(all_written, f"receipts of {connection} are those of its answers")
