"""Orders are edited without pause until they are in the ledger, while workers die: the last edit is never lost."""

import asyncio
import os
import random
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
from crash.lane import Lane, open_lane
from crash.report import Report
from crash.settings import HURRY
from support.processes import Nursery
from support.stack import eventually, journals_of
from temporalio.service import RPCError

from contracts import names
from contracts.flow import FlowState, State
from runtime.temporal.devserver import DevServer

ORDERS = 8
EDITS = 25
SEEDS = range(1, 1 + int(os.environ.get("CRASH_SEEDS", "2")))


async def edit(lane: Lane, order: int, chance: random.Random) -> None:
    """Changes the price of the first line and says so, until the journal is in the ledger and once more."""
    last = False
    for _ in range(EDITS):
        line = lane.stack.shop().order(order).lines[0]
        lane.stack.shop().edit_line(order, line.id, unit_price=Decimal(chance.randint(500, 9999)) / 100)
        await lane.stack.announce(order)
        if last:
            return
        last = bool(journals_of(lane.stack.fusion, order))
        await asyncio.sleep(chance.uniform(0.0, 0.8))


async def kill_at_random(lane: Lane, chance: random.Random) -> None:
    while True:
        await asyncio.sleep(chance.uniform(1.0, 3.0))
        await chance.choice(lane.living_workers()).kill()
        lane.hit("worker")
        await lane.start_worker()


async def standing(lane: Lane, order: int) -> FlowState | None:
    """Where the order ended or waits for a person; None while it is on its way."""
    try:
        found = await lane.order(order).query(names.STATE, result_type=FlowState)
    except RPCError:
        return None
    return found if found.state in (State.POSTED, State.NEEDS_REVIEW) else None


@pytest.fixture
async def slow_lane(quick_server: DevServer, nursery: Nursery, tmp_path: Path) -> AsyncIterator[Lane]:
    """Groups wait long enough for edits to meet journals in the outbox, in a group, and in the ledger."""
    async with open_lane(
        quick_server, nursery, tmp_path, flush_after=HURRY["flush_after"].replace("0.3", "3.0", 1)
    ) as opened:
        yield opened


@pytest.mark.parametrize("seed", SEEDS)
async def test_the_last_edit_is_in_the_ledger_or_with_a_person(seed: int, slow_lane: Lane, report: Report) -> None:
    lane = slow_lane
    lane.run = report.begin("orders edited without pause", "at random", seed)
    chance = random.Random(seed)
    await lane.start_worker()
    await lane.start_worker()
    killing = asyncio.create_task(kill_at_random(lane, chance))
    orders = [lane.place() for _ in range(ORDERS)]
    try:
        await asyncio.gather(*(edit(lane, order, random.Random(f"{seed}/{order}")) for order in orders))
    finally:
        killing.cancel()
        await asyncio.gather(killing, return_exceptions=True)
    await lane.operate_until_no_group_is_in_review()

    async def agrees(order: int) -> bool:
        """Ended, with the newest amount in the ledger, or in review because the ledger has an older one."""
        found = await standing(lane, order)
        if found is None or len(journals_of(lane.stack.fusion, order)) != 1:
            return False
        newest = lane.count([order]).clean
        return found.state is State.POSTED if newest else found.state is State.NEEDS_REVIEW

    for order in orders:
        await eventually(lambda order=order: agrees(order), f"the last edit of order {order} is not lost")
    in_review = [order for order in orders if (await standing(lane, order)).state is State.NEEDS_REVIEW]  # type: ignore[union-attr]
    for order in in_review:
        found = await standing(lane, order)
        assert found is not None
        assert [one.code for one in found.problems] == ["edited_after_posting"]
        await lane.decide(lane.order(order), "skip")
    await lane.at_rest()
    verdict = lane.count([order for order in orders if order not in in_review])
    reviewed = lane.count(in_review)
    reviewed.differences.clear()  # the ledger has an older version, and a person knows
    verdict.add(reviewed)
    lane.run.end(verdict)
    assert verdict.clean, verdict.sentence()
