"""How long is waited, and for what: an outage uses up nobody's patience, and locks nothing that a person decides."""

import dataclasses
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from replay.order_scenes import POUNDS, STORES
from replay.stage import hurried, patched, shortened, with_integration
from support.parking import book_by_hand, deciding, park_unmapped, trail
from support.stack import Stack, eventually, open_stack
from support.topology import TemporalServer
from temporalio.client import WorkflowQueryFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

import workflows.document_steps
from activities.failures import NEEDS_REVIEW, explained
from contracts.configuration import Configuration
from contracts.flow import State
from contracts.journal import Problem
from runtime.operations.deciding import DecisionError
from runtime.temporal.starting import TemporalStarter
from sandbox.bigcommerce import Shape, draft
from store.creating.decided_creations import CreationInFlight
from store.outbox.journals import PostingInFlight
from workflows.patience import VERIFICATION

BATCH = "Antiques, by hand"
SECOND = dt.timedelta(seconds=1)
PATIENCE = 20.0
"""Seconds that a rate is waited for."""


def in_pounds(configuration: Configuration) -> Configuration:
    integration = configuration.integration("shop-us")
    books = integration.books[0].model_copy(update={"currency": "GBP", "conversion_type": "Corporate"})
    posting = integration.posting.model_copy(update={"rate_wait": PATIENCE / 3600})
    return with_integration(configuration, "shop-us", books=(*integration.books, books), posting=posting)


@pytest.fixture
async def quick(temporal_server: TemporalServer, tmp_path: Path) -> AsyncIterator[Stack]:
    """A stack whose workflows' patience can be shortened."""
    async with AsyncExitStack() as opened:
        stack = await opened.enter_async_context(open_stack(temporal_server, tmp_path, stores=STORES, adjust=in_pounds))
        client = await hurried(stack)
        parts = dataclasses.replace(stack.parts, temporal=client, starter=TemporalStarter(client))
        yield dataclasses.replace(stack, temporal=client, parts=parts)


async def test_an_outage_does_not_use_up_the_patience_for_a_rate(quick: Stack) -> None:
    """Fusion says that the rate is missing, is down for longer than a rate is waited for, and says so again."""
    rates = list(quick.fusion.world.rates)
    quick.fusion.world.rates.clear()
    with patched(workflows.document_steps, LOOK_UP_AGAIN=SECOND / 2, LONGEST_GAP=SECOND):
        async with quick.worker():
            order_id = int(quick.shop().place(draft(Shape.ORDINARY, POUNDS, currency="GBP")).id)
            await quick.announce(order_id)
            await eventually(lambda: misses_a_rate(quick, order_id), "the order waits for a rate")
            outage = quick.fusion.faults.set("outage")
            began = dt.datetime.now(dt.UTC)
            await eventually(lambda: dt.datetime.now(dt.UTC) - began > (PATIENCE + 2) * SECOND, "Fusion was down long")
            outage.count = 0
            asked = quick.fusion.calls.total
            await eventually(lambda: quick.fusion.calls.total > asked + 2, "Fusion has answered again")
            quick.fusion.world.rates.extend(rates)
            assert (await quick.result(order_id)).state is State.POSTED
    assert await trail(quick, order_id, "needs_review") == []


async def misses_a_rate(stack: Stack, order_id: int) -> bool:
    try:
        return "rate" in (await stack.state(order_id)).sentence
    except (RPCError, WorkflowQueryFailedError):
        return False


async def test_a_rate_that_stays_missing_is_for_a_person(quick: Stack) -> None:
    quick.fusion.world.rates.clear()
    with patched(workflows.document_steps, LOOK_UP_AGAIN=SECOND, LONGEST_GAP=2 * SECOND):
        async with quick.worker():
            order_id = int(quick.shop().place(draft(Shape.ORDINARY, POUNDS, currency="GBP")).id)
            await quick.announce(order_id)
            standing = await quick.in_state(order_id, State.NEEDS_REVIEW)
    assert [problem.code for problem in standing.problems] == ["no_conversion_rate"]


async def test_a_verification_that_fusion_does_not_answer_ends_and_others_may_decide(quick: Stack) -> None:
    await book_by_hand(quick, BATCH)
    async with quick.worker():
        (order_id,) = await park_unmapped(quick, 1)
        outage = quick.fusion.faults.set("outage")
        with (
            shortened(VERIFICATION, schedule_to_close_timeout=3 * SECOND),
            pytest.raises(DecisionError, match=rf"Fusion cannot be asked for {BATCH}\. Decide again"),
        ):
            await deciding(quick, order_id, "mark_posted", target_id=BATCH)
        assert (await quick.state(order_id)).state is State.NEEDS_REVIEW
        assert await trail(quick, order_id, "decided") == []
        outage.count = 0
        # The very same decision is a new question: what was refused has not been decided.
        await deciding(quick, order_id, "mark_posted", target_id=BATCH)
        assert (await quick.result(order_id)).state is State.POSTED
        assert len(await trail(quick, order_id, "decided")) == 1


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            CreationInFlight("acme/bc-us/order/7/invoice/1", dt.datetime(2026, 3, 2, 15, 4, 10, tzinfo=dt.UTC)),
            "Decide after 15:05 UTC.",
        ),
        (PostingInFlight("acme/bc-us/order/7/sale/1", 12), "Decide when that import has ended."),
    ],
    ids=["an invoice", "a journal"],
)
def test_nobody_decides_about_what_is_on_its_way_and_is_told_when_to(error: Exception, told: str) -> None:
    with pytest.raises(ApplicationError) as refused, explained("Order 7 (bc-us)"):
        raise error
    assert (refused.value.type, refused.value.non_retryable) == (NEEDS_REVIEW, True)
    problem = Problem.model_validate(refused.value.details[0])
    assert problem.code == "on_its_way"
    assert problem.sentence.startswith("Order 7 (bc-us): acme/bc-us/order/7/")
    assert problem.remedy == told
