"""A decision is applied once, whatever happens between its being taken and its being answered."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.parking import ANTIQUES, LONG, SHORT, book_by_hand, deployed, park_unmapped, trail, with_version
from support.stack import Stack, eventually, journals_of, open_stack
from support.topology import QUICK, TemporalServer, Topology
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.service import RPCError

from contracts import names
from contracts.flow import Decided, Decision, State
from runtime.operations.deciding import (
    DecisionError,
    NotInReviewError,
    ReviewItem,
    UnansweredError,
    decide,
    decision_on,
    find_item,
)
from sandbox.kit.hooks import Gate

BATCH = "Antiques, by hand"


async def item_of(stack: Stack, order_id: int) -> ReviewItem:
    return await find_item(stack.parts.store, stack.configuration, str(order_id))


def marking(item: ReviewItem) -> Decision:
    return decision_on(item, "mark_posted", who="dana", why="sold at the fair", target_id=BATCH)


@contextmanager
def held(stack: Stack) -> Iterator[Gate]:
    """Fusion is about to be asked for the journal that a person named, and does not answer."""
    gate = stack.fusion.hooks.hold("received", method="GET", path="/journalBatches")
    try:
        yield gate
    finally:
        gate.release()


async def applied_once(stack: Stack, order_id: int, first: Decided | None, again: Decided) -> None:
    result = await stack.result(order_id)
    assert (result.state, result.journal_name) == (State.POSTED, BATCH)
    assert first in (None, again)
    (marked,) = await trail(stack, order_id, "marked_posted")
    (decided,) = await trail(stack, order_id, "decided")
    assert marked.job == decided.job == names.decision_job(again.id)
    assert (decided.details["decision"], decided.details["who"]) == ("mark_posted", "dana")
    assert decided.details["why"] == "sold at the fair"
    assert journals_of(stack.fusion, order_id) == []


async def test_a_deploy_in_the_middle_of_a_decision(stack: Stack) -> None:
    """Worker A goes, worker B comes with a newer mapping set that would have released the order."""
    await book_by_hand(stack, BATCH)
    async with stack.worker():
        (order_id,) = await park_unmapped(stack, 1)
        item = await item_of(stack, order_id)
        with held(stack) as gate:
            asked = asyncio.create_task(decide(stack.temporal, item, marking(item), patience=LONG))
            await gate.reached()
            with pytest.raises(DecisionError, match="being decided by dana"):
                await decide(stack.temporal, item, decision_on(item, "skip", who="erik", why="a gift"))
    async with deployed(stack, with_version(stack.configuration, 2, ANTIQUES)) as newer, newer.worker():
        again = await decide(stack.temporal, item, marking(item), patience=LONG)
        await applied_once(stack, order_id, await asked, again)


@pytest.fixture
async def durable_server(topology: Topology, tmp_path: Path) -> AsyncIterator[TemporalServer]:
    async with topology.server(tmp_path, dynamic_config=QUICK) as server:
        yield server


async def test_the_temporal_server_is_killed_in_the_middle_of_a_decision(
    durable_server: TemporalServer, tmp_path: Path
) -> None:
    async with open_stack(durable_server, tmp_path) as stack, stack.worker():
        await book_by_hand(stack, BATCH)
        (order_id,) = await park_unmapped(stack, 1)
        item = await item_of(stack, order_id)
        with held(stack) as gate:
            asked = asyncio.create_task(decide(stack.temporal, item, marking(item), patience=LONG))
            await gate.reached()
            await durable_server.kill()
        await durable_server.start()
        first: Decided | None = None
        with contextlib.suppress(UnansweredError):
            first = await asked

        async def answered() -> Decided | None:
            try:
                return await decide(stack.temporal, item, marking(item), patience=LONG)
            except UnansweredError:
                return None

        await applied_once(stack, order_id, first, await eventually(answered, "the decision is answered"))


async def test_a_client_that_gives_up_is_given_the_same_answer_when_it_asks_again(stack: Stack) -> None:
    await book_by_hand(stack, BATCH)
    async with stack.worker():
        (order_id,) = await park_unmapped(stack, 1)
        item = await item_of(stack, order_id)
        with held(stack) as gate:
            with pytest.raises(UnansweredError, match="decided once"):
                await decide(stack.temporal, item, marking(item), patience=SHORT)
            await gate.reached()
        assert (await stack.result(order_id)).state is State.POSTED
        first = await decide(stack.temporal, item, marking(item), patience=LONG)
        again = await decide(stack.temporal, item, marking(item), patience=LONG)
        await applied_once(stack, order_id, first, again)


async def forgotten(stack: Stack, item: ReviewItem, *, past_retention: bool) -> None:
    """Its workflow is terminated; past its retention, Temporal has not even heard of it."""
    handle = stack.temporal.get_workflow_handle(item.workflow_id)
    await handle.terminate("by mistake")
    if not past_retention:
        return

    async def gone() -> bool:
        # The list comes after the fact: what it does not show yet it shows next time.
        for run in [one async for one in stack.temporal.list_workflows(f'WorkflowId = "{item.workflow_id}"')]:
            with contextlib.suppress(RPCError):
                await stack.temporal.workflow_service.delete_workflow_execution(
                    DeleteWorkflowExecutionRequest(
                        namespace=stack.temporal.namespace,
                        workflow_execution=WorkflowExecution(workflow_id=run.id, run_id=run.run_id),
                    )
                )
        try:
            await handle.describe()
        except RPCError:
            return True
        return False

    await eventually(gone, "its history is gone")


@pytest.mark.parametrize("past_retention", [False, True], ids=["terminated", "past its retention"])
async def test_a_review_whose_workflow_is_gone_can_still_be_decided(stack: Stack, past_retention: bool) -> None:
    async with stack.worker():
        skipped, retried = await park_unmapped(stack, 2)
        item = await item_of(stack, skipped)
        await forgotten(stack, item, past_retention=past_retention)
        skip = decision_on(item, "skip", who="dana", why="a gift")
        with pytest.raises(NotInReviewError):
            await decide(stack.temporal, item, skip, patience=LONG)
        first = await decide(stack.temporal, item, skip, store=stack.parts.store, patience=LONG)
        assert (await stack.result(skipped)).state is State.SKIPPED
        assert await decide(stack.temporal, item, skip, store=stack.parts.store, patience=LONG) == first
        assert len(await trail(stack, skipped, "decided")) == 1
        # Decided by another meanwhile: the row tells so, and nothing is begun anew.
        late = decision_on(item, "retry", who="erik", why="it is mapped now")
        with pytest.raises(NotInReviewError):
            await decide(stack.temporal, item, late, store=stack.parts.store, patience=LONG)

        item = await item_of(stack, retried)
        await forgotten(stack, item, past_retention=past_retention)
        again = decision_on(item, "retry", who="dana", why="it is mapped now")
        await decide(stack.temporal, item, again, store=stack.parts.store, patience=LONG)

        async def back_in_review() -> bool:
            standing = await stack.in_state(retried, State.NEEDS_REVIEW)
            return "Antiques" in standing.problems[0].sentence

        await eventually(back_in_review, "it was retried and is unmapped still")
        (decided,) = await trail(stack, retried, "decided")
        assert (decided.details["decision"], decided.job) == ("retry", names.decision_job(again.id))


async def test_every_kind_of_decision_is_an_event_with_who_and_why(stack: Stack) -> None:
    async with stack.worker():
        orders = await park_unmapped(stack, 3)
        for order_id, kind, version in zip(
            orders, ("skip", "retry", "retry_with_mapping"), (None, None, 1), strict=True
        ):
            item = await item_of(stack, order_id)
            decision = decision_on(item, kind, who="dana", why="month end", mapping_version=version)
            await decide(stack.temporal, item, decision, patience=LONG)
            (event,) = await trail(stack, order_id, "decided")
            assert event.details["decision"] == kind
            assert (event.details["who"], event.details["why"]) == ("dana", "month end")
            assert event.job == names.decision_job(decision.id)
