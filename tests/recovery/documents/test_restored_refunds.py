"""Refunds after a restore: what the ledger has of them is recognised, and what people decided about them stands."""

import datetime as dt

from recovery.conftest import Vintage
from recovery.redelivery import poll
from support.parking import deciding
from support.proof import no_journal_twice, ordinary, posted, sell
from support.refunds import (
    all_journals,
    announce_refund,
    balances,
    journals_of_refund,
    refund_in_state,
    refund_result,
    refund_row,
)
from support.stack import eventually

from contracts import names
from contracts.flow import State
from mapping.refund_journal import REVERSED
from runtime.operations.recovery import recover
from sandbox.bigcommerce import Returned, statuses

HALF_A_DAY = dt.timedelta(hours=12)


async def test_refunds_since_the_backup_are_recognised_and_decisions_about_them_stand(vintage: Vintage) -> None:
    live = vintage.stack
    async with live.worker():
        order_id, other = await sell(live, ordinary(0), ordinary(1))
        await posted(live, [order_id, other])
        await vintage.back_up()
        refund = live.shop().refund(order_id, everything=True)
        await announce_refund(live, refund.id)
        assert (await refund_result(live, refund.id)).state is State.POSTED
        total = live.shop().truth()[other].total + 5
        over = live.shop().refund(
            other, items=[Returned("ORDER", other, amount=total)], override=(total, total - total), over=True
        )
        await announce_refund(live, over.id)
        await refund_in_state(live, over.id, State.NEEDS_REVIEW)
        await deciding(live, f"refund/{over.id}", "skip")
        assert (await refund_result(live, over.id)).state is State.SKIPPED
    async with vintage.restored() as stack, stack.worker():
        assert await refund_row(stack, refund.id) is None
        result = await recover(stack.parts, stack.parts.clock() - HALF_A_DAY)
        assert result.done
        assert result.brought_back == (f"acme/bc-us/refund/{refund.id}/refund/1",)
        (told,) = result.decided
        assert told.startswith(f"Refund {over.id} (bc-us): skipped by dana")
        await poll(stack)
        await poll(stack, names.SWEEP_ORDERS, days=7)

        async def known() -> bool:
            row = await refund_row(stack, refund.id)
            return row is not None and (row.state, row.parent_id) == (State.POSTED, str(order_id))

        await eventually(known, "the refund is known to be posted")
        assert len(journals_of_refund(stack, refund.id)) == 1
        assert balances(all_journals(stack, order_id, refund.id)) == {}
        (posting,) = await stack.parts.store.journals.postings_below("bc-us", str(order_id))
        assert posting.key.document_id == str(refund.id)
        await announce_refund(stack, over.id)
        assert (await refund_result(stack, over.id)).state is State.SKIPPED
        assert journals_of_refund(stack, over.id) == []
        no_journal_twice(stack)


async def test_what_a_refund_since_the_backup_took_back_a_reversal_does_not_take_once_more(vintage: Vintage) -> None:
    live = vintage.stack
    async with live.worker():
        order_id, another = await sell(live, ordinary(2), ordinary(3))
        await posted(live, [order_id, another])
        await vintage.back_up()
        shop = live.shop()
        refunds = {one: shop.refund(one, shop.order(one).lines[0].id, 1).id for one in (order_id, another)}
        for refund_id in refunds.values():
            await announce_refund(live, refund_id)
            assert (await refund_result(live, refund_id)).state is State.POSTED
    for journal in journals_of_refund(live, refunds[another]):
        # Somebody has described it anew: only the shop knows whose refund it is.
        journal.description = "Reviewed"
    async with vintage.restored() as stack:
        assert (await recover(stack.parts, stack.parts.clock() - HALF_A_DAY)).done
        for one, refund_id in refunds.items():
            (posting,) = await stack.parts.store.journals.postings_below("bc-us", str(one))
            assert posting.key.document_id == str(refund_id)
            stack.shop().set_status(one, statuses.CANCELLED)
        async with stack.worker():
            for one, refund_id in refunds.items():
                assert (await refund_result(stack, refund_id)).state is State.POSTED
                await stack.announce(one)
                assert (await stack.result(one)).state is State.REVERSED
                assert balances(all_journals(stack, one, refund_id)) == {}
        no_journal_twice(stack)


async def test_a_refund_of_an_order_that_was_reversed_since_the_backup_takes_nothing_back(vintage: Vintage) -> None:
    live = vintage.stack
    async with live.worker():
        (order_id,) = await sell(live, ordinary(4))
        await posted(live, [order_id])
        await vintage.back_up()
        refund = live.shop().refund(order_id, everything=True)
        live.shop().set_status(order_id, statuses.CANCELLED)
        await live.announce(order_id)
        assert (await live.result(order_id)).state is State.REVERSED
        await announce_refund(live, refund.id)
        assert (await refund_result(live, refund.id)).sentence == REVERSED
    async with vintage.restored() as stack, stack.worker():
        assert (await recover(stack.parts, stack.parts.clock() - HALF_A_DAY)).done
        await announce_refund(stack, refund.id)
        result = await refund_result(stack, refund.id)
        assert (result.state, result.sentence) == (State.SKIPPED, REVERSED)
        assert journals_of_refund(stack, refund.id) == []
        assert balances(all_journals(stack, order_id)) == {}
