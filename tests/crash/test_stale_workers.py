"""A worker that stood still while others went on does not put back what they changed."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
from crash.lane import Lane, open_lane
from crash.report import Report
from crash.settings import HURRY
from support.processes import Nursery
from support.stack import eventually

from contracts.flow import State
from runtime.temporal.devserver import DevServer
from sandbox.bigcommerce import statuses

PAIRS = HURRY["flush_after"].replace("0.3", "600\nflush_count = 2", 1)
"""A journal waits in the outbox until there is a second one: time for a late worker to meet it there."""


@pytest.fixture
async def lane_of_pairs(quick_server: DevServer, nursery: Nursery, tmp_path: Path) -> AsyncIterator[Lane]:
    async with open_lane(quick_server, nursery, tmp_path, flush_after=PAIRS) as opened:
        yield opened


async def paused_before(lane: Lane, boundary: str) -> int:
    """An order whose worker stands still before a step; another worker has taken over. Gives the order."""
    await lane.start_worker()
    lane.arm(boundary, "SIGSTOP")
    order = lane.place()
    await lane.stack.announce(order)
    await lane.succeed(await lane.reached(boundary), "SIGSTOP")
    return order


async def test_an_older_version_does_not_replace_the_newest_in_the_outbox(lane_of_pairs: Lane, report: Report) -> None:
    lane = lane_of_pairs
    lane.run = report.begin("an order edited while a worker stood still", "before stage_journal, paused")
    order = await paused_before(lane, "activity/stage_journal/before")
    line = lane.stack.shop().order(order).lines[0]
    lane.stack.shop().edit_line(order, line.id, unit_price=Decimal("77.77"))
    await lane.stack.announce(order)

    async def newest_is_staged() -> bool:
        content = await lane.stack.parts.store.journals.content(f"acme/bc-us/order/{order}/sale/1")
        return content is not None and content.total == lane.stack.shop().truth()[order].total

    await eventually(newest_is_staged, "the edit waits in the outbox")
    await lane.resume_paused()
    other = lane.place()
    await lane.stack.announce(other)
    for posted in (order, other):
        await lane.is_in(State.POSTED, posted)
    await lane.at_rest()
    verdict = lane.run.end(lane.count([order, other]))
    assert verdict.clean, verdict.sentence()


async def test_a_cancelled_order_is_not_posted_after_all(lane_of_pairs: Lane, report: Report) -> None:
    lane = lane_of_pairs
    lane.run = report.begin("an order cancelled while a worker stood still", "before stage_journal, paused")
    order = await paused_before(lane, "activity/stage_journal/before")
    lane.stack.shop().set_status(order, statuses.CANCELLED)
    await lane.stack.announce(order)
    await lane.is_in(State.SKIPPED, order)
    await lane.resume_paused()
    others = [lane.place(), lane.place()]
    for other in others:
        await lane.stack.announce(other)
    for other in others:
        await lane.is_in(State.POSTED, other)
    await lane.at_rest()
    verdict = lane.run.end(lane.count(others, absent=[order]))
    assert verdict.clean, verdict.sentence()


async def test_an_order_that_counts_after_all_is_not_withdrawn(lane_of_pairs: Lane, report: Report) -> None:
    """The worker stood still while it was about to withdraw an order that was not postable at first."""
    lane = lane_of_pairs
    lane.run = report.begin("an order paid while a worker stood still", "before settle_document, paused")
    await lane.start_worker()
    lane.arm("activity/settle_document/before", "SIGSTOP")
    order = lane.place(status_id=statuses.CANCELLED)
    await lane.stack.announce(order)
    await lane.succeed(await lane.reached("activity/settle_document/before"), "SIGSTOP")
    lane.stack.shop().set_status(order, statuses.AWAITING_FULFILLMENT)
    await lane.stack.announce(order)
    await lane.is_in(State.WAITING_IMPORT, order)
    await lane.resume_paused()
    other = lane.place()
    await lane.stack.announce(other)
    for posted in (order, other):
        await lane.is_in(State.POSTED, posted)
    await lane.at_rest()
    verdict = lane.run.end(lane.count([order, other]))
    assert verdict.clean, verdict.sentence()
