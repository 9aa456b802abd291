"""A decision is about the version that was in review. What changes while it is taken, or later, is looked at."""

import asyncio

import pytest
from support.parking import book_by_hand, deciding, park_unmapped, trail
from support.stack import Stack, eventually
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from contracts import names
from contracts.flow import Decided, Decision, State
from sandbox.bigcommerce import US_SHOP, Shape, draft, statuses

BATCH = "Antiques, by hand"


def edit(stack: Stack, order_id: int) -> None:
    shop = stack.shop()
    shop.edit_line(order_id, shop.order(order_id).lines[0].id, quantity=7)


async def in_review_for(stack: Stack, order_id: int, code: str) -> None:
    async def there() -> bool:
        standing = await stack.in_state(order_id, State.NEEDS_REVIEW)
        return [problem.code for problem in standing.problems] == [code]

    await eventually(there, f"order {order_id} is in review for {code}")


async def test_an_edit_while_a_journal_is_verified_is_not_lost(stack: Stack) -> None:
    """One announcement is all there is: the poll and later webhooks rely on its being looked at."""
    await book_by_hand(stack, BATCH)
    async with stack.worker():
        (order_id,) = await park_unmapped(stack, 1)
        gate = stack.fusion.hooks.hold("received", method="GET", path="/journalBatches")
        asked = asyncio.create_task(deciding(stack, order_id, "mark_posted", target_id=BATCH))
        await gate.reached()
        edit(stack, order_id)
        await stack.announce(order_id)
        gate.release()
        await asked
        await in_review_for(stack, order_id, "edited_after_posting")
        assert len(await trail(stack, order_id, "marked_posted")) == 1


async def test_an_edit_that_the_shop_was_being_asked_for_is_not_lost_to_a_decision(stack: Stack) -> None:
    async with stack.worker():
        (order_id,) = await park_unmapped(stack, 1)
        gate = stack.shops.hooks.hold("received", path=rf"/orders/{order_id}$")
        stack.shop().set_status(order_id, statuses.COMPLETED)
        edit(stack, order_id)
        await stack.announce(order_id)
        await gate.reached()
        await deciding(stack, order_id, "skip")
        gate.release()
        # The skip was about the version before.
        await in_review_for(stack, order_id, "unmapped_account")
        (skipped,) = await trail(stack, order_id, "skipped")
        (parked, again) = await trail(stack, order_id, "needs_review")
        assert parked.id < skipped.id < again.id


async def test_an_order_that_was_marked_by_hand_and_is_edited_later_says_so(stack: Stack) -> None:
    """Not that its rules are missing: nobody would map it again."""
    await book_by_hand(stack, BATCH)
    async with stack.worker():
        (order_id,) = await park_unmapped(stack, 1)
        await deciding(stack, order_id, "mark_posted", target_id=BATCH)
        assert (await stack.result(order_id)).state is State.POSTED
        edit(stack, order_id)
        await stack.announce(order_id)
        await in_review_for(stack, order_id, "edited_after_posting")
        standing = await stack.state(order_id)
        assert f"/order/{order_id}/" in standing.problems[0].sentence
        # Taken back, it is what was marked.
        shop = stack.shop()
        shop.edit_line(order_id, shop.order(order_id).lines[0].id, quantity=draft_quantity())
        await stack.announce(order_id)
        assert (await stack.result(order_id)).state is State.POSTED


def draft_quantity() -> int:
    return int(draft(Shape.ORDINARY, US_SHOP, seed=0, categories=["Antiques"]).items[0].quantity)


async def test_an_answer_says_in_words_what_was_decided_and_what_is_missing(stack: Stack) -> None:
    await book_by_hand(stack, BATCH)
    async with stack.worker():
        (order_id,) = await park_unmapped(stack, 1)
        handle = stack.temporal.get_workflow_handle(names.order_to_journal_id("bc-us", str(order_id)))
        nothing = Decision(id="nothing", kind="mark_posted", who="dana", why="at the fair")
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await handle.execute_update(names.DECIDE, nothing, id=nothing.id, result_type=Decided)
        assert isinstance(refused.value.cause, ApplicationError)
        assert "the journal batch or the invoice's number" in refused.value.cause.message
        answer = await deciding(stack, order_id, "mark_posted", target_id=BATCH)
        assert answer.sentence == f"Order {order_id} (bc-us): mark posted decided by dana: at the fair"
