"""Edits and cancellations since the backup: what the ledger shows of an order after a restore is not its sale alone."""

import datetime as dt

import pytest
from recovery.conftest import Vintage
from replay.stage import with_shared_flows
from support.proof import no_journal_twice, ordinary, posted, sell
from support.refunds import all_journals, balances
from support.stack import Stack, eventually, journals_of

import activities.journals.posted
import workflows.journal_import
from contracts import names
from contracts.flow import State
from runtime.operations.recovery import recover
from sandbox.bigcommerce import statuses
from sandbox.fusion.demo_world import US_LEDGER
from store.rows import PostingState

FORGOTTEN_POSTING = 600.0
"""Seconds until Fusion posts by itself what was imported, by its own clock: nobody waits for them."""
HALF_A_DAY = dt.timedelta(hours=12)


async def recovered(stack: Stack) -> None:
    assert (await recover(stack.parts, stack.parts.clock() - HALF_A_DAY)).done


async def test_an_order_that_was_reversed_since_the_backup_is_asked_about_when_it_comes_back(vintage: Vintage) -> None:
    live = vintage.stack
    async with live.worker():
        order_id, unheard = await sell(live, ordinary(10), ordinary(11))
        await posted(live, [order_id])
        await vintage.back_up()
        await posted(live, [unheard])
        for one in (order_id, unheard):
            live.shop().set_status(one, statuses.CANCELLED)
            await live.announce(one)
            assert (await live.result(one)).state is State.REVERSED
    async with vintage.restored() as stack:
        await recovered(stack)
        async with stack.worker():
            for one in (order_id, unheard):
                await stack.announce(one)
                assert (await stack.result(one)).state is State.REVERSED
                stack.shop().set_status(one, statuses.AWAITING_FULFILLMENT)
                await stack.announce(one)
                standing = await stack.in_state(one, State.NEEDS_REVIEW)
                assert "its lines are not known here" in standing.problems[0].sentence
                assert balances(all_journals(stack, one)) == {}
        no_journal_twice(stack)


async def test_an_order_whose_edit_since_the_backup_is_taken_back_is_asked_about(vintage: Vintage) -> None:
    live = vintage.stack
    async with live.worker():
        (order_id,) = await sell(live, ordinary(12))
        await posted(live, [order_id])
        await vintage.back_up()
        shop = live.shop()
        line = shop.order(order_id).lines[0]
        quantity = line.item.quantity
        shop.edit_line(order_id, line.id, quantity=quantity + 4)
        await live.announce(order_id)
        assert (await live.result(order_id)).state is State.POSTED
        assert len(journals_of(live.fusion, order_id)) == 2
    async with vintage.restored() as stack:
        await recovered(stack)
        async with stack.worker():
            await stack.announce(order_id)
            await stack.in_state(order_id, State.NEEDS_REVIEW)
            stack.shop().edit_line(order_id, line.id, quantity=quantity)
            await stack.announce(order_id)

            async def asked_about_what_is_shown() -> bool:
                snapshot, _ = await stack.parts.shops["bc-us"].order(str(order_id))
                row = await stack.parts.store.documents.get("bc-us", "order", str(order_id))
                return row is not None and row.modified_at >= snapshot.modified_at

            await eventually(asked_about_what_is_shown, "the order as it was before the edit was looked at")
            standing = await stack.in_state(order_id, State.NEEDS_REVIEW)
            assert "its lines are not known here" in standing.problems[0].sentence
        no_journal_twice(stack)


async def test_journals_that_are_imported_and_not_posted_yet_are_followed_after_a_restore(
    vintage: Vintage, monkeypatch: pytest.MonkeyPatch
) -> None:
    vintage.stack.fusion.world.habits.autopost_delay = FORGOTTEN_POSTING
    monkeypatch.setattr(activities.journals.posted, "PATIENCE", 0.1)
    monkeypatch.setattr(workflows.journal_import, "UNPOSTED_PAUSE", dt.timedelta(seconds=3))
    live = await with_shared_flows(vintage.stack)
    async with live.worker():
        await vintage.back_up()
        orders = await sell(live, ordinary(13))

        async def imported() -> bool:
            found = await live.parts.store.journals.postings_of("bc-us", "order", str(orders[0]))
            return [one.state for one in found] == [PostingState.IMPORTED]

        await eventually(imported, "the journal is in the ledger, and not posted")
        (posting,) = await live.parts.store.journals.postings_of("bc-us", "order", str(orders[0]))
    handle = live.temporal.get_workflow_handle(names.journal_import_id("fusion", US_LEDGER, posting.group_id or 0))
    # As if it had looked at the restored store before that was recovered, and found a group without members.
    await handle.terminate()
    async with vintage.restored() as empty:
        stack = await with_shared_flows(empty)
        result = await recover(stack.parts, stack.parts.clock() - HALF_A_DAY)
        assert (result.done, result.followed) == (True, (posting.group_id,))
        stack.fusion.clock.advance(FORGOTTEN_POSTING)
        async with stack.worker():
            await posted(stack, orders)
        no_journal_twice(stack)
