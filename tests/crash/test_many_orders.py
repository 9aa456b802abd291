"""Two hundred orders by webhook, two workers and a gateway that are killed at random, by seed, until all is settled."""

import asyncio
import contextlib
import os
import random

import pytest
from crash.lane import Lane
from crash.report import Report

from contracts.flow import State
from sandbox.bigcommerce import statuses

ORDERS = int(os.environ.get("CRASH_ORDERS", "200"))
SEEDS = range(1, 1 + int(os.environ.get("CRASH_SEEDS", "2")))
LIVES = (1.5, 5.0)
"""Seconds a process lives: from, to."""
STATUSES = (statuses.AWAITING_SHIPMENT, statuses.SHIPPED, statuses.COMPLETED)


async def kill_at_random(lane: Lane, chance: random.Random) -> None:
    """Kills one of the three processes after another, and starts it again at once."""
    while True:
        await asyncio.sleep(chance.uniform(*LIVES))
        if chance.random() < 0.25:
            victim = chance.choice(lane.living_gateways())
            await victim.kill()
            lane.hit("gateway")
            await lane.start_gateway()
        else:
            victim = chance.choice(lane.living_workers())
            await victim.kill()
            lane.hit("worker")
            await lane.start_worker()


async def operate(lane: Lane) -> None:
    """What a person does about imports whose outcome nobody knows."""
    while True:
        for handle in await lane.groups_in_review():
            with contextlib.suppress(AssertionError):
                await lane.decide(handle, "retry")
        await asyncio.sleep(1)


async def sell(lane: Lane, chance: random.Random) -> dict[str, list[int]]:
    """Places the orders of a morning; a third of them say six things about themselves."""
    placed: dict[str, list[int]] = {"bc-us": [], "bc-eu": []}
    for number in range(ORDERS):
        connection = "bc-eu" if number % 4 == 0 else "bc-us"
        order = lane.place(quiet=False, connection=connection)
        placed[connection].append(order)
        if number % 3 == 0:
            for status in STATUSES[: chance.randint(1, len(STATUSES))]:
                lane.stack.shop(connection).set_status(order, status)
        await asyncio.sleep(chance.uniform(0, 0.1))
    return placed


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", SEEDS)
async def test_random_kills_neither_lose_nor_repeat_an_order(seed: int, lane: Lane, report: Report) -> None:
    lane.run = report.begin("orders announced by webhook", "at random", seed)
    chance = random.Random(seed)
    for connection in ("bc-us", "bc-eu"):
        await lane.subscribe(connection)
    await lane.start_worker()
    await lane.start_worker()
    await lane.start_gateway()
    background = [asyncio.create_task(kill_at_random(lane, random.Random(seed))), asyncio.create_task(operate(lane))]
    try:
        placed = await sell(lane, chance)
        for connection, orders in placed.items():
            await lane.acknowledged(orders, connection)
            await lane.settled(orders, connection, patience=300)
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
    for connection, orders in placed.items():
        for order in orders:
            await lane.is_in(State.POSTED, order, connection)
    await lane.at_rest()
    verdict = lane.count(placed["bc-us"])
    verdict.add(lane.count(placed["bc-eu"], connection="bc-eu"))
    lane.run.end(verdict)
    assert verdict.clean, verdict.sentence()
    assert lane.run.kills.total() >= 3
