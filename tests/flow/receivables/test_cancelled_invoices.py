"""Orders that are cancelled after they were billed: one credit memo over what is left, applied once to the invoice."""

from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from replay.stage import with_integration
from support.parking import deciding
from support.proof import nothing_in_review
from support.receivables import (
    applied_to,
    invoices_of,
    left_in_doubt,
    memos_of,
    nobody_sees,
    open_balance,
    quickly_credited,
    reversals_of,
    sold,
    worker_with,
)
from support.refunds import announce_refund, journals_of_refund, refund_in_state, refund_result, refund_row
from support.stack import FAST, Stack, eventually, journals_of, open_stack

from contracts import names
from contracts.flow import FlowResult, FlowState, State
from runtime.operations.reconciled import Verdict
from runtime.operations.reconciliation import reconcile_store
from runtime.temporal.devserver import DevServer
from sandbox.bigcommerce import Returned, statuses
from sandbox.fusion.demo_world import US_LEDGER
from sandbox.fusion.world import RECEIVABLES
from sandbox.kit import Exchange
from store.creating.creation import CreationState

CREATE: Final[dict[str, Any]] = {"method": "POST", "path": r"/receivablesCreditMemos$"}
APPLY: Final[dict[str, Any]] = {"method": "POST", "path": "CreditMemoService"}
STORE_CREDIT: Final = "101-000-23100-0000"
NOTHING: Final = Decimal(0)

pytestmark = pytest.mark.usefixtures("credited_once")


@pytest.fixture(scope="module")
def stack(billed_stack: Stack) -> Stack:
    return billed_stack


async def changed(stack: Stack, order_id: int, status: int = statuses.CANCELLED) -> None:
    stack.shop().set_status(order_id, status)
    await stack.announce(order_id)


async def reversed_(stack: Stack, order_id: int) -> FlowResult:
    result = await stack.result(order_id)
    assert result.state is State.REVERSED
    row = await stack.parts.store.documents.get("bc-us", names.ORDER, str(order_id))
    assert row is not None
    assert row.state is State.REVERSED
    return result


async def in_review(stack: Stack, order_id: int, code: str) -> FlowState:
    standing = await stack.in_state(order_id, State.NEEDS_REVIEW)
    assert [one.code for one in standing.problems] == [code]
    return standing


def standing(stack: Stack, order_id: int, *refunds: int) -> dict[str, Decimal]:
    """What invoice and memos together leave, by account; what is zero is left out."""
    memos = [memo for refund_id in refunds for memo in memos_of(stack, refund_id)]
    found: defaultdict[str, Decimal] = defaultdict(Decimal)
    for document in (*invoices_of(stack, order_id), *memos, *reversals_of(stack, order_id)):
        for one in document.distributions:
            found[one.account] += one.amount
    return {account: amount for account, amount in found.items() if amount}


async def agrees(stack: Stack, order_id: int) -> None:
    """Orders less refunds against Receivables: nothing that is not explained."""
    result = await reconcile_store(stack.parts, stack.configuration.integration("shop-us"))
    (order,) = [one for one in result.orders if one.order_id == str(order_id)]
    assert (order.verdict, order.source_amount - order.ledger_amount) == (Verdict.POSTED, NOTHING)
    assert [one.difference for one in result.totals] == [NOTHING]


@pytest.mark.parametrize("status", [statuses.CANCELLED, statuses.DECLINED], ids=["cancelled", "declined"])
async def test_an_order_that_is_taken_back_leaves_nothing_open_of_its_invoice(stack: Stack, status: int) -> None:
    order_id = await sold(stack)
    total = open_balance(stack, order_id)
    await changed(stack, order_id, status)
    result = await reversed_(stack, order_id)
    assert result.reference == f"acme/bc-us/order/{order_id}/reversal/1"
    (memo,), (invoice,) = reversals_of(stack, order_id), invoices_of(stack, order_id)
    assert (result.journal_name, -memo.amount) == (memo.number, total)
    assert f"credit memo {memo.number} to transaction {invoice.number}" in result.sentence
    assert applied_to(stack, order_id) == [total]
    assert (open_balance(stack, order_id), standing(stack, order_id)) == (NOTHING, {})
    rows = await stack.parts.store.creations.creations_of("bc-us", names.ORDER, str(order_id))
    assert {(one.key.purpose, one.state) for one in rows} == {
        ("invoice", CreationState.POSTED),
        ("reversal", CreationState.POSTED),
        ("application", CreationState.POSTED),
    }
    # Announced again, it is settled.
    await stack.announce(order_id)
    again = await reversed_(stack, order_id)
    assert again.reference == result.reference
    assert len(reversals_of(stack, order_id)) == 1
    assert journals_of(stack.fusion, order_id) == []
    await agrees(stack, order_id)


async def test_what_refunds_have_credited_is_not_credited_once_more(stack: Stack) -> None:
    order_id = await sold(stack, 1)
    shop = stack.shop()
    whole = open_balance(stack, order_id)
    given = [
        shop.refund(order_id, items=[Returned("ORDER", order_id, amount=Decimal("1.00"))]),
        shop.refund(order_id, shop.order(order_id).lines[0].id, 1),
    ]
    for refund in given:
        await announce_refund(stack, refund.id)
        assert (await refund_result(stack, refund.id)).state is State.POSTED
    left = open_balance(stack, order_id)
    assert left == whole - sum(refund.total for refund in given)
    await changed(stack, order_id)
    await reversed_(stack, order_id)
    assert [-one.amount for one in reversals_of(stack, order_id)] == [left]
    assert open_balance(stack, order_id) == NOTHING
    assert standing(stack, order_id, *(refund.id for refund in given)) == {}
    await agrees(stack, order_id)


async def test_where_refunds_have_credited_everything_nothing_is_left_to_take_back(stack: Stack) -> None:
    order_id = await sold(stack, 7)
    refund = stack.shop().refund(order_id, everything=True)
    await announce_refund(stack, refund.id)
    assert (await refund_result(stack, refund.id)).state is State.POSTED
    await changed(stack, order_id)
    await reversed_(stack, order_id)
    assert reversals_of(stack, order_id) == []
    assert open_balance(stack, order_id) == NOTHING
    await agrees(stack, order_id)
    # Nothing was done about it, so nothing is to be undone.
    await changed(stack, order_id, statuses.AWAITING_FULFILLMENT)
    assert (await stack.result(order_id)).state is State.POSTED


@pytest.mark.parametrize("call", [CREATE, APPLY], ids=["memo", "application"])
@pytest.mark.parametrize("fault", ["lost_answer", "error_after", "cut"])
async def test_an_answer_that_is_lost_takes_nothing_back_twice(stack: Stack, call: dict[str, Any], fault: str) -> None:
    order_id = await sold(stack, 3)
    total = open_balance(stack, order_id)
    with left_in_doubt(stack, fault, **call):
        await changed(stack, order_id)
        doubtful = await stack.in_state(order_id, State.IN_DOUBT)
    number = invoices_of(stack, order_id)[0].number
    assert (f"still to be applied to invoice {number}" in doubtful.sentence) == (call is APPLY)
    await reversed_(stack, order_id)
    assert [-one.amount for one in reversals_of(stack, order_id)] == applied_to(stack, order_id) == [total]


async def test_a_memo_that_cannot_be_applied_stays_on_account_until_somebody_retries(stack: Stack) -> None:
    order_id = await sold(stack, 5)
    total = open_balance(stack, order_id)
    # Nobody has heard of it yet.
    refund = stack.shop().refund(order_id, items=[Returned("ORDER", order_id, amount=Decimal("1.00"))])
    told = {"message": "The invoice is locked by a person."}
    stack.fusion.faults.set("soap_fault", path="CreditMemoService", options=told)
    await changed(stack, order_id)
    parked = await in_review(stack, order_id, "refused_by_fusion")
    (memo,), (invoice,) = reversals_of(stack, order_id), invoices_of(stack, order_id)
    (problem,) = parked.problems
    assert f"credit memo {memo.number} over {total} USD is in Fusion" in problem.sentence
    assert f"was not applied to invoice {invoice.number}" in problem.sentence
    assert "skip the order with a reason" in problem.remedy
    assert applied_to(stack, order_id) == []
    # It is still half done, and a refund that arrives meanwhile waits for what becomes of it.
    await announce_refund(stack, refund.id)
    await refund_in_state(stack, refund.id, State.WAITING_PARENT)
    stack.fusion.faults.clear()
    await deciding(stack, f"bc-us/order/{order_id}", "retry")
    await reversed_(stack, order_id)
    assert applied_to(stack, order_id) == [total]
    assert (await refund_result(stack, refund.id)).state is State.SKIPPED
    assert memos_of(stack, refund.id) == []


async def test_an_order_that_was_edited_while_half_taken_back_is_completed(stack: Stack) -> None:
    order_id = await sold(stack, 12)
    total = open_balance(stack, order_id)
    stack.fusion.faults.set("soap_fault", path="CreditMemoService", options={"message": "The invoice is locked."})
    await changed(stack, order_id)
    await in_review(stack, order_id, "refused_by_fusion")
    stack.fusion.faults.clear()
    stack.shop().exempt(order_id)
    await deciding(stack, f"bc-us/order/{order_id}", "retry")
    await reversed_(stack, order_id)
    assert applied_to(stack, order_id) == [total]


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
    await changed(stack, order_id)
    await reversed_(stack, order_id)
    (memo,) = reversals_of(stack, order_id)
    (application,) = [one for one in stack.fusion.applications() if one.memo is memo]
    assert now.starts <= memo.accounting_date <= now.ends
    assert application.accounting_date == following.starts
    for period, status in zip((now, following), before, strict=True):
        stack.fusion.set_period(US_LEDGER, period.name, status, application=RECEIVABLES)
    stack.parts.facts._entries.clear()


async def test_a_cancellation_waits_for_a_refund_whose_memo_is_on_its_way(stack: Stack) -> None:
    order_id = await sold(stack, 8)
    whole = open_balance(stack, order_id)
    refund = stack.shop().refund(order_id, items=[Returned("ORDER", order_id, amount=Decimal("2.00"))])
    gate = stack.fusion.hooks.hold("received", **CREATE)

    async def waits() -> bool:
        return "is on its way into Fusion" in (await stack.state(order_id)).sentence

    with nobody_sees(stack, gate, "/receivablesCreditMemos"):
        await announce_refund(stack, refund.id)
        await gate.reached()
        await changed(stack, order_id)
        await eventually(waits, "the order waits for its refund")
    await reversed_(stack, order_id)
    assert [-one.amount for one in memos_of(stack, refund.id)] == [Decimal("2.00")]
    assert [-one.amount for one in reversals_of(stack, order_id)] == [whole - Decimal("2.00")]
    assert (open_balance(stack, order_id), standing(stack, order_id, refund.id)) == (NOTHING, {})


async def test_a_refund_waits_for_a_cancellation_whose_memo_is_on_its_way(stack: Stack) -> None:
    order_id = await sold(stack, 9)
    whole = open_balance(stack, order_id)
    refund = stack.shop().refund(order_id, items=[Returned("ORDER", order_id, amount=Decimal("2.00"))])
    gate = stack.fusion.hooks.hold("received", **CREATE)
    with nobody_sees(stack, gate, "/receivablesCreditMemos"):
        await changed(stack, order_id)
        await gate.reached()
        await announce_refund(stack, refund.id)
        await refund_in_state(stack, refund.id, State.WAITING_PARENT)
    await reversed_(stack, order_id)
    assert (await refund_result(stack, refund.id)).state is State.SKIPPED
    row = await refund_row(stack, refund.id)
    assert row is not None
    assert "cancelled and reversed" in row.reason
    assert memos_of(stack, refund.id) == []
    assert applied_to(stack, order_id) == [whole]
    await agrees(stack, order_id)


async def test_a_later_refund_that_went_another_way_is_for_a_person(stack: Stack) -> None:
    order_id = await sold(stack, 10)
    refund = stack.shop().refund(
        order_id, items=[Returned("ORDER", order_id, amount=Decimal("3.00"))], payments="storecredit"
    )
    await changed(stack, order_id)
    await reversed_(stack, order_id)
    await announce_refund(stack, refund.id)
    parked = await refund_in_state(stack, refund.id, State.NEEDS_REVIEW)
    assert [one.code for one in parked.problems] == ["refund_of_reversed_order"]
    await deciding(stack, f"bc-us/refund/{refund.id}", "skip")
    assert (await refund_result(stack, refund.id)).state is State.SKIPPED


async def test_store_credit_that_a_refund_granted_outlives_the_order(stack: Stack) -> None:
    order_id = await sold(stack, 11)
    whole = open_balance(stack, order_id)
    credit = stack.shop().refund(
        order_id, items=[Returned("ORDER", order_id, amount=Decimal("3.00"))], payments="storecredit"
    )
    await announce_refund(stack, credit.id)
    assert (await refund_result(stack, credit.id)).state is State.POSTED
    await changed(stack, order_id)
    await reversed_(stack, order_id)
    # So much of what was paid is kept for it.
    assert open_balance(stack, order_id) == Decimal("3.00")
    assert [-one.amount for one in reversals_of(stack, order_id)] == [whole - Decimal("3.00")]
    left = standing(stack, order_id, credit.id)
    assert abs(left.pop(STORE_CREDIT)) == Decimal("3.00")
    assert [abs(amount) for amount in left.values()] == [Decimal("3.00")]
    await agrees(stack, order_id)


async def test_a_cancelled_order_that_comes_back_is_for_a_person(stack: Stack) -> None:
    order_id = await sold(stack, 13)
    await changed(stack, order_id)
    await reversed_(stack, order_id)
    await changed(stack, order_id, statuses.AWAITING_FULFILLMENT)
    parked = await in_review(stack, order_id, "credited_order_came_back")
    (memo,) = reversals_of(stack, order_id)
    assert memo.number in parked.problems[0].sentence
    # Cancelled once more, it is as it was.
    await changed(stack, order_id)
    await reversed_(stack, order_id)
    assert len(reversals_of(stack, order_id)) == 1


async def test_an_edit_of_an_invoiced_order_is_for_a_person_and_a_cancellation_after_it_is_not(stack: Stack) -> None:
    order_id = await sold(stack, 14)
    total = open_balance(stack, order_id)
    stack.shop().exempt(order_id)
    await stack.announce(order_id)
    await in_review(stack, order_id, "edited_after_posting")
    await changed(stack, order_id)
    await reversed_(stack, order_id)
    assert applied_to(stack, order_id) == [total]


async def test_a_refund_that_a_person_booked_is_not_credited_by_a_cancellation(stack: Stack) -> None:
    order_id = await sold(stack, 6)
    total = stack.shop().truth()[order_id].total + 5
    over = stack.shop().refund(
        order_id, items=[Returned("ORDER", order_id, amount=total)], override=(total, NOTHING), over=True
    )
    await announce_refund(stack, over.id)
    await refund_in_state(stack, over.id, State.NEEDS_REVIEW)
    await deciding(stack, f"bc-us/refund/{over.id}", "skip")
    assert (await refund_result(stack, over.id)).state is State.SKIPPED
    await changed(stack, order_id)
    await in_review(stack, order_id, "refund_by_hand")
    assert reversals_of(stack, order_id) == []
    await deciding(stack, f"bc-us/order/{order_id}", "skip")


async def test_a_person_names_the_memo_that_takes_an_order_back(stack: Stack) -> None:
    order_id = await sold(stack, 15)
    stack.fusion.world.receivables.habits.tax_engine = "adds"
    await changed(stack, order_id)
    await in_review(stack, order_id, "posted_with_difference")
    stack.fusion.world.receivables.habits.tax_engine = "manual"
    (memo,) = reversals_of(stack, order_id)
    await deciding(stack, f"bc-us/order/{order_id}", "mark_posted", target_id=memo.number)
    row = await stack.parts.store.documents.get("bc-us", names.ORDER, str(order_id))
    assert row is not None
    assert (row.state, row.decided_by != "") == (State.REVERSED, True)
    assert journals_of_refund(stack, order_id) == []


async def test_without_a_type_of_credit_memos_it_waits_for_one(temporal_server: DevServer, tmp_path: Path) -> None:
    async with open_stack(temporal_server, tmp_path, imports=FAST, adjust=quickly_credited) as stack:
        america = stack.configuration.integration("shop-us")
        untyped = [
            one.model_copy(
                update={"receivable": one.receivable and one.receivable.model_copy(update={"credit_memo_type": ""})}
            )
            for one in america.books
        ]
        async with worker_with(stack, with_integration(stack.configuration, "shop-us", books=tuple(untyped))):
            order_id = await sold(stack, 2)
            total = open_balance(stack, order_id)
            await changed(stack, order_id)
            parked = await in_review(stack, order_id, "no_credit_memo_type")
            assert "Set credit_memo_type" in parked.problems[0].remedy
        # Its channel has become journals meanwhile: what is billed is credited all the same.
        channels = tuple(one.model_copy(update={"target": "journal"}) for one in america.channels)
        async with worker_with(stack, with_integration(stack.configuration, "shop-us", channels=channels)):
            await deciding(stack, f"bc-us/order/{order_id}", "retry")
            await reversed_(stack, order_id)
            assert applied_to(stack, order_id) == [total]
            assert journals_of(stack.fusion, order_id) == []
        await nothing_in_review(stack)
