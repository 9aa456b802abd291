"""Refunds of orders that are billed in Receivables: one credit memo each, applied once to the invoice of its order."""

from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from replay.stage import with_integration
from support.parking import deciding
from support.proof import nothing_in_review, ordinary, posted, sell
from support.receivables import (
    applied_to,
    billed_once,
    invoices_of,
    left_in_doubt,
    memos_of,
    nobody_sees,
    open_balance,
    quickly_credited,
    sold,
    worker_with,
)
from support.refunds import (
    all_journals,
    announce_refund,
    balances,
    journals_of_refund,
    refund_in_state,
    refund_result,
    refund_row,
)
from support.stack import FAST, Stack, journals_of, open_stack

from contracts import names
from contracts.flow import FlowState, State
from runtime.operations.deciding import DecisionError
from runtime.temporal.devserver import DevServer
from sandbox.bigcommerce import Returned
from sandbox.bigcommerce.refunds import left_of_rows
from sandbox.fusion.demo_world import US_LEDGER
from sandbox.fusion.world import RECEIVABLES
from sandbox.kit import Exchange
from store.creating.creation import CreationState

CREATE: Final[dict[str, Any]] = {"method": "POST", "path": r"/receivablesCreditMemos$"}
APPLY: Final[dict[str, Any]] = {"method": "POST", "path": "CreditMemoService"}
NOTHING: Final = Decimal(0)

pytestmark = pytest.mark.usefixtures("credited_once")


@pytest.fixture(scope="module")
def stack(billed_stack: Stack) -> Stack:
    return billed_stack


async def in_review(stack: Stack, refund_id: int, code: str) -> FlowState:
    standing = await refund_in_state(stack, refund_id, State.NEEDS_REVIEW)
    assert [one.code for one in standing.problems] == [code]
    return standing


async def test_a_refund_of_everything_leaves_nothing_open_of_the_invoice(stack: Stack) -> None:
    order_id = await sold(stack)
    refund = stack.shop().refund(order_id, everything=True)
    await announce_refund(stack, refund.id)
    result = await refund_result(stack, refund.id)
    assert (result.state, result.reference) == (State.POSTED, f"acme/bc-us/refund/{refund.id}/credit/1")
    (memo,) = memos_of(stack, refund.id)
    assert result.journal_name == memo.number
    assert -memo.amount == refund.total
    assert applied_to(stack, order_id) == [refund.total]
    assert open_balance(stack, order_id) == NOTHING
    row = await refund_row(stack, refund.id)
    assert row is not None
    assert (row.state, row.parent_id) == (State.POSTED, str(order_id))
    # The accounts of the invoice itself, with the other sign.
    (invoice,) = invoices_of(stack, order_id)
    accounts = {(one.account, one.amount) for one in invoice.distributions}
    assert {(one.account, -one.amount) for one in memo.distributions} == accounts
    # Announced again, it is settled.
    await announce_refund(stack, refund.id)
    again = await refund_result(stack, refund.id)
    assert (again.state, again.reference) == (State.POSTED, result.reference)
    assert journals_of_refund(stack, refund.id) == []


async def test_a_payment_that_is_declined_after_its_refund_was_credited_is_put_before_a_person(stack: Stack) -> None:
    order_id = await sold(stack)
    refund = stack.shop().refund(order_id, everything=True)
    await announce_refund(stack, refund.id)
    assert (await refund_result(stack, refund.id)).state is State.POSTED
    stack.shop().decline_refund(refund.id)
    await announce_refund(stack, refund.id)
    await in_review(stack, refund.id, "refund_changed")
    stack.shop().repeat_refund(refund.id)
    await deciding(stack, f"refund/{refund.id}", "retry")
    assert (await refund_result(stack, refund.id)).state is State.POSTED
    assert len(memos_of(stack, refund.id)) == 1
    assert applied_to(stack, order_id) == [refund.total]


async def test_a_partial_refund_that_lowers_tax_rows_is_no_edit_of_the_order_that_was_billed(stack: Stack) -> None:
    order_id = await sold(stack)
    shop = stack.shop()
    priced = shop.order(order_id).priced
    titles = [{row.rate.title for row in priced.rows if row.type == kind} for kind in ("item", "shipping")]
    assert titles[0] != titles[1], "two titles that do not fall on everything alike"
    refund = shop.refund(order_id, shop.order(order_id).lines[0].id, 1)
    assert left_of_rows(shop.order(order_id)) != priced.rows
    await announce_refund(stack, refund.id)
    assert (await refund_result(stack, refund.id)).state is State.POSTED
    await stack.announce(order_id)
    assert (await stack.result(order_id)).state is State.POSTED
    assert len(invoices_of(stack, order_id)) == 1
    await nothing_in_review(stack)


async def test_partial_refunds_take_from_the_invoice_what_they_gave_back(stack: Stack) -> None:
    order_id = await sold(stack, 1)
    shop = stack.shop()
    whole = open_balance(stack, order_id)
    first = shop.refund(order_id, items=[Returned("ORDER", order_id, amount=Decimal("1.00"))])
    await announce_refund(stack, first.id)
    assert (await refund_result(stack, first.id)).state is State.POSTED
    assert open_balance(stack, order_id) == whole - Decimal("1.00")
    rest = [shop.refund(order_id, shop.order(order_id).lines[0].id, 1), shop.refund(order_id, everything=True)]
    for refund in reversed(rest):
        await announce_refund(stack, refund.id)
    for refund in rest:
        assert (await refund_result(stack, refund.id)).state is State.POSTED
        assert [-one.amount for one in memos_of(stack, refund.id)] == [refund.total]
    assert open_balance(stack, order_id) == NOTHING
    assert len(applied_to(stack, order_id)) == 3


async def test_a_refund_before_its_order_waits_for_the_invoice(stack: Stack) -> None:
    order_id = stack.shop().place(ordinary(2), quiet=True).id
    refund = stack.shop().refund(order_id, everything=True)
    gate = stack.fusion.hooks.hold("answering", method="POST", path=r"/receivablesInvoices$")
    with nobody_sees(stack, gate, "/receivablesInvoices"):
        await announce_refund(stack, refund.id)
        await gate.reached()
        await refund_in_state(stack, refund.id, State.WAITING_PARENT)
    assert (await refund_result(stack, refund.id)).state is State.POSTED
    assert open_balance(stack, order_id) == NOTHING


@pytest.mark.parametrize("call", [CREATE, APPLY], ids=["memo", "application"])
@pytest.mark.parametrize("fault", ["lost_answer", "error_after", "cut"])
async def test_an_answer_that_is_lost_credits_nobody_twice(stack: Stack, call: dict[str, Any], fault: str) -> None:
    order_id = await sold(stack, 3)
    refund = stack.shop().refund(order_id, everything=True)
    with left_in_doubt(stack, fault, **call):
        await announce_refund(stack, refund.id)
        doubtful = await refund_in_state(stack, refund.id, State.IN_DOUBT)
    assert (f"still to be applied to invoice {invoices_of(stack, order_id)[0].number}" in doubtful.sentence) == (
        call is APPLY
    )
    assert (await refund_result(stack, refund.id)).state is State.POSTED
    assert applied_to(stack, order_id) == [refund.total]
    assert [-one.amount for one in memos_of(stack, refund.id)] == [refund.total]


async def test_a_period_that_closes_between_memo_and_application_moves_the_application(stack: Stack) -> None:
    order_id = await sold(stack, 4)
    today = stack.shop().now().date()
    periods = [one for one in stack.fusion.world.ledger(US_LEDGER).periods if not one.adjustment and one.ends >= today]
    now, following = periods[0], periods[1]
    before = [one.status.get(RECEIVABLES, "N") for one in (now, following)]
    stack.fusion.set_period(US_LEDGER, following.name, "O", application=RECEIVABLES)

    async def close(exchange: Exchange) -> None:
        stack.fusion.set_period(US_LEDGER, now.name, "C", application=RECEIVABLES)

    stack.fusion.hooks.on("answering", close, times=1, **CREATE)
    refund = stack.shop().refund(order_id, everything=True)
    await announce_refund(stack, refund.id)
    assert (await refund_result(stack, refund.id)).state is State.POSTED
    (memo,) = memos_of(stack, refund.id)
    (application,) = [one for one in stack.fusion.applications() if one.memo is memo]
    assert now.starts <= memo.accounting_date <= now.ends
    assert application.accounting_date == following.starts
    assert open_balance(stack, order_id) == NOTHING
    for period, status in zip((now, following), before, strict=True):
        stack.fusion.set_period(US_LEDGER, period.name, status, application=RECEIVABLES)
    stack.parts.facts._entries.clear()


async def test_a_memo_that_cannot_be_applied_stays_on_account_until_somebody_retries(stack: Stack) -> None:
    order_id = await sold(stack, 5)
    refund = stack.shop().refund(order_id, everything=True)
    told = {"message": "The invoice is locked by a person."}
    stack.fusion.faults.set("soap_fault", path="CreditMemoService", options=told)
    await announce_refund(stack, refund.id)
    standing = await in_review(stack, refund.id, "refused_by_fusion")
    (memo,) = memos_of(stack, refund.id)
    (invoice,) = invoices_of(stack, order_id)
    (problem,) = standing.problems
    assert f"credit memo {memo.number} over {refund.total:f} USD is in Fusion" in problem.sentence
    assert f"was not applied to invoice {invoice.number}" in problem.sentence
    assert applied_to(stack, order_id) == []
    stack.fusion.faults.clear()
    await deciding(stack, f"bc-us/refund/{refund.id}", "retry")
    assert (await refund_result(stack, refund.id)).state is State.POSTED
    assert applied_to(stack, order_id) == [refund.total]


async def test_a_refund_that_is_half_done_is_completed_whatever_its_order_has_become(stack: Stack) -> None:
    order_id = await sold(stack, 12)
    refund = stack.shop().refund(order_id, everything=True)
    stack.fusion.faults.set("soap_fault", path="CreditMemoService", options={"message": "The invoice is locked."})
    await announce_refund(stack, refund.id)
    await in_review(stack, refund.id, "refused_by_fusion")
    stack.fusion.faults.clear()
    # Its tax rows are gone, by which the refund's items were taxed.
    stack.shop().exempt(order_id)
    await deciding(stack, f"bc-us/refund/{refund.id}", "retry")
    assert (await refund_result(stack, refund.id)).state is State.POSTED
    assert applied_to(stack, order_id) == [refund.total]


async def test_a_person_names_a_refunds_credit_memo_and_no_journal(stack: Stack) -> None:
    order_id = await sold(stack, 13)
    refund = stack.shop().refund(order_id, everything=True)
    stack.fusion.world.receivables.habits.tax_engine = "adds"
    await announce_refund(stack, refund.id)
    await in_review(stack, refund.id, "posted_with_difference")
    stack.fusion.world.receivables.habits.tax_engine = "manual"
    (memo,) = memos_of(stack, refund.id)
    with pytest.raises(DecisionError, match=r"Fusion has no credit memo of .* with the number"):
        await deciding(stack, f"bc-us/refund/{refund.id}", "mark_posted", target_id="no such number")
    await deciding(stack, f"bc-us/refund/{refund.id}", "mark_posted", target_id=memo.number)
    assert (await refund_result(stack, refund.id)).state is State.POSTED
    assert journals_of_refund(stack, refund.id) == []
    (credit,) = await stack.parts.store.creations.creations_of("bc-us", names.REFUND, str(refund.id))
    assert (credit.state, credit.target_number) == (CreationState.POSTED, memo.number)
    # It is settled: what is announced once more is not looked at again.
    await announce_refund(stack, refund.id)
    assert (await refund_result(stack, refund.id)).state is State.POSTED
    assert len(memos_of(stack, refund.id)) == 1


async def test_more_than_was_charged_is_for_a_person(stack: Stack) -> None:
    order_id = await sold(stack, 6)
    total = stack.shop().truth()[order_id].total
    over = stack.shop().refund(
        order_id, items=[Returned("ORDER", order_id, amount=total + 5)], override=(total + 5, NOTHING), over=True
    )
    await announce_refund(stack, over.id)
    await in_review(stack, over.id, "over_refund")
    assert memos_of(stack, over.id) == []
    await deciding(stack, f"bc-us/refund/{over.id}", "skip")
    assert (await refund_result(stack, over.id)).state is State.SKIPPED


async def test_a_refund_becomes_what_its_order_became_whatever_its_channel_is_now(
    temporal_server: DevServer, tmp_path: Path
) -> None:
    async with open_stack(temporal_server, tmp_path, imports=FAST) as stack:
        switched = quickly_credited(stack.configuration)
        async with stack.worker():
            (booked,) = await sell(stack, ordinary(8))
            await posted(stack, [booked])
        async with worker_with(stack, switched):
            refund = stack.shop().refund(booked, everything=True)
            await announce_refund(stack, refund.id)
            assert (await refund_result(stack, refund.id)).state is State.POSTED
            assert memos_of(stack, refund.id) == []
            assert balances(all_journals(stack, booked, refund.id)) == {}
            (billed_now,) = await sell(stack, ordinary(9))
            await billed_once(stack, [billed_now])
        # The books still say how that channel was billed.
        america = switched.integration("shop-us")
        channels = tuple(one.model_copy(update={"target": "journal"}) for one in america.channels)
        async with worker_with(stack, with_integration(switched, "shop-us", channels=channels)):
            refund = stack.shop().refund(billed_now, everything=True)
            await announce_refund(stack, refund.id)
            assert (await refund_result(stack, refund.id)).state is State.POSTED
            assert journals_of_refund(stack, refund.id) == journals_of(stack.fusion, billed_now) == []
            assert open_balance(stack, billed_now) == NOTHING
        await nothing_in_review(stack)
