"""As for invoices, where refunds become credit memos: a store is restored, and nothing is credited or applied twice."""

import asyncio
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

import pytest
from recovery.conftest import Vintage
from recovery.receivables.conftest import ONE_HOME
from recovery.redelivery import announce_all, poll, recovered
from support.proof import ordinary, sell
from support.receivables import (
    billed_once,
    invoices_of,
    memos_of,
    no_credit_twice,
    no_invoice_twice,
    open_balance,
)
from support.refunds import announce_refund, refund_in_state, refund_row
from support.stack import PATIENCE, Stack, eventually

import activities.refunds.mapping
from activities.collaborators import Collaborators
from activities.refunds.crediting import map_credit
from contracts import names
from contracts.configuration import Integration
from contracts.flow import State
from contracts.steps.receivables import MappedCredit
from contracts.steps.refunds import MapRefund
from runtime.operations.recovering import credit_memos
from runtime.operations.recovering.transactions import record_all
from sandbox.fusion.receivables.invoice import Invoice
from store.creating.creation import CreationState

CREATE: Final[dict[str, Any]] = {"method": "POST", "path": r"/receivablesCreditMemos$"}
APPLY: Final = "CreditMemoService"


@pytest.fixture
def imports() -> dict[str, float]:
    return {"reread_after": 3.0}


async def sold(stack: Stack, *seeds: int) -> list[int]:
    orders = await sell(stack, *(ordinary(seed) for seed in seeds))
    await billed_once(stack, orders)
    return orders


def give_back(stack: Stack, order_id: int) -> int:
    """All of an order, in the shop; nobody has heard of it."""
    refund_id: int = stack.shop().refund(order_id, everything=True).id
    return refund_id


async def credited(stack: Stack, refunds: Iterable[int]) -> None:
    """Waits until each is posted: one memo, applied, and nothing open of its invoice."""
    expected = list(refunds)

    async def known() -> bool:
        rows = [await refund_row(stack, one) for one in expected]
        return all(row is not None and row.state is State.POSTED and row.fingerprint for row in rows)

    await eventually(known, f"refunds {expected} are credited")
    for refund_id in expected:
        row = await refund_row(stack, refund_id)
        assert row is not None
        assert len(memos_of(stack, refund_id)) == 1
        assert open_balance(stack, int(row.parent_id)) == Decimal(0)


def made(stack: Stack) -> tuple[int, int, int]:
    """Invoices, credit memos, and applications that there ever were."""
    return (
        len(stack.fusion.invoices()),
        len(stack.fusion.credit_memos.all()),
        len(stack.fusion.receivables.applications.all()),
    )


def references(refunds: Iterable[int], *purposes: str) -> set[str]:
    return {f"acme/bc-us/refund/{refund}/{purpose}/1" for refund in refunds for purpose in purposes}


async def redeliver(stack: Stack, orders: Sequence[int], refunds: Sequence[int]) -> None:
    """Every webhook once more, and every poll."""
    await announce_all(stack, orders)
    for refund_id in refunds:
        await announce_refund(stack, refund_id)
    await poll(stack)
    await poll(stack, names.SWEEP_ORDERS, days=7)


async def test_a_restored_store_credits_and_applies_no_refund_twice(vintage: Vintage) -> None:
    live = vintage.stack
    async with live.worker():
        old, doubtful, later, half = await sold(live, 0, 1, 2, 3)
        before = give_back(live, old)
        await announce_refund(live, before)
        await credited(live, [before])
        held = live.fusion.hooks.hold("received", **CREATE)
        in_doubt = give_back(live, doubtful)
        await announce_refund(live, in_doubt)
        await held.reached()
        await vintage.back_up()
        held.release()
        live.fusion.hooks.clear()
        await credited(live, [in_doubt])

        since = give_back(live, later)
        await announce_refund(live, since)
        (new,) = await sold(live, 4)
        of_new = give_back(live, new)
        await announce_refund(live, of_new)
        await credited(live, [since, of_new])
        live.fusion.faults.set("soap_fault", path=APPLY, options={"message": "The invoice is locked."})
        on_account = give_back(live, half)
        await announce_refund(live, on_account)
        await refund_in_state(live, on_account, State.NEEDS_REVIEW)
        live.fusion.faults.clear()
    orders, refunds = [old, doubtful, later, half, new], [before, in_doubt, since, of_new, on_account]
    count = made(live)
    assert count == (5, 5, 4)

    async with vintage.restored() as stack, stack.worker():
        await redeliver(stack, orders, refunds)
        await refund_in_state(stack, since, State.RUNNING, "restored from a backup")
        assert made(stack) == count

        result = await recovered(stack)
        assert result.done
        assert set(result.brought_back) == {
            f"acme/bc-us/order/{new}/invoice/1",
            *references([in_doubt, since, of_new], "credit", "application"),
            *references([on_account], "credit"),
        }
        assert (result.read_credit_memos, result.several, result.unreadable) == (5, (), ())
        # Half a refund is completed, and that is all that is new.
        await credited(stack, refunds)
        assert made(stack) == (5, 5, 5)
        await redeliver(stack, orders, refunds)
        await credited(stack, refunds)
        assert made(stack) == (5, 5, 5)
        assert await stack.parts.store.documents.review_list() == ()

        again = await recovered(stack)
        assert (again.brought_back, again.read_credit_memos) == ((), 5)
        fresh = give_back(stack, (await sold(stack, 5))[0])
        await announce_refund(stack, fresh)
        await credited(stack, [fresh])
        no_invoice_twice(stack)
        no_credit_twice(stack)
        assert made(stack) == (6, 6, 6)


@ONE_HOME
async def test_nobody_is_asked_about_half_of_what_was_read_back(
    vintage: Vintage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refund that looks at itself between its memo and the memo's application would be told to apply it by hand."""
    live = vintage.stack
    async with live.worker():
        await sold(live, 50)
        await vintage.back_up()
        (order_id,) = await sold(live, 51)
        refund_id = give_back(live, order_id)
        await announce_refund(live, refund_id)
        await credited(live, [refund_id])
    count = made(live)
    mapped = asyncio.Event()

    async def mapping(parts: Collaborators, wanted: MapRefund, integration: Integration) -> MappedCredit:
        found = await map_credit(parts, wanted, integration)
        mapped.set()
        return found

    monkeypatch.setattr(activities.refunds.mapping, "map_credit", mapping)
    async with vintage.restored() as stack, stack.worker():

        async def recording(*given: Any, **named: Any) -> Any:
            brought = await record_all(*given, **named)
            monkeypatch.setattr(credit_memos, "record_all", record_all)
            mapped.clear()
            await announce_refund(stack, refund_id)
            async with asyncio.timeout(PATIENCE):
                await mapped.wait()
            await refund_in_state(stack, refund_id, State.RUNNING, "restored from a backup")
            return brought

        monkeypatch.setattr(credit_memos, "record_all", recording)
        assert (await recovered(stack)).done
        await credited(stack, [refund_id])
        assert made(stack) == count
        assert await stack.parts.store.documents.review_list() == ()


@ONE_HOME
async def test_two_memos_with_our_reference_are_named_and_nothing_is_sent(vintage: Vintage) -> None:
    live = vintage.stack
    async with live.worker():
        (order_id,) = await sold(live, 20)
        await vintage.back_up()
        refund_id = give_back(live, order_id)
        await announce_refund(live, refund_id)
        await credited(live, [refund_id])
    (ours,) = memos_of(live, refund_id)
    copy = copied(live, ours, "COPY-20")
    count = made(live)
    async with vintage.restored() as stack, stack.worker():
        result = await recovered(stack)
        (several,) = result.several
        assert several.sentence().startswith("2 credit memos in Fusion carry acme/bc-us/refund/")
        assert set(several.numbers) == {ours.number, copy.number}
        await announce_refund(stack, refund_id)
        standing = await refund_in_state(stack, refund_id, State.NEEDS_REVIEW)
        assert [one.code for one in standing.problems] == ["duplicate_in_erp"]
        assert copy.number in standing.problems[0].sentence
        assert made(stack) == count


@ONE_HOME
async def test_a_memo_on_account_of_an_invoice_that_was_read_back_too_is_told_as_that(vintage: Vintage) -> None:
    """Nobody is asked to credit the invoice by hand, which would be a second time."""
    live = vintage.stack
    async with live.worker():
        await sold(live, 30)
        await vintage.back_up()
        (order_id,) = await sold(live, 31)
        live.fusion.faults.set("soap_fault", path=APPLY, options={"message": "The invoice is locked."})
        refund_id = give_back(live, order_id)
        await announce_refund(live, refund_id)
        await refund_in_state(live, refund_id, State.NEEDS_REVIEW)
        live.fusion.faults.clear()
    (memo,) = memos_of(live, refund_id)
    count = made(live)
    async with vintage.restored() as stack, stack.worker():
        result = await recovered(stack)
        assert references([refund_id], "credit") <= set(result.brought_back)
        row = await stack.parts.store.creations.creation(*references([refund_id], "credit"))
        assert row is not None
        assert (row.state, row.target_number) == (CreationState.POSTED, memo.number)
        await announce_refund(stack, refund_id)
        standing = await refund_in_state(stack, refund_id, State.NEEDS_REVIEW, "")
        await eventually_told(stack, refund_id, "credit_memo_on_account")
        assert standing.state is State.NEEDS_REVIEW
        assert made(stack) == count


@ONE_HOME
async def test_a_memo_that_is_applied_to_another_invoice_than_its_own_is_told_as_that(vintage: Vintage) -> None:
    """Both were read back: the refund's own invoice is still open, so it does not pass for credited."""
    live = vintage.stack
    async with live.worker():
        (other,) = await sold(live, 40)
        await vintage.back_up()
        (order_id,) = await sold(live, 41)
        refund_id = give_back(live, order_id)
        await announce_refund(live, refund_id)
        await credited(live, [refund_id])
    (memo,) = memos_of(live, refund_id)
    (applied,) = [one for one in live.fusion.receivables.applications.all() if one.memo is memo]
    (applied.invoice,) = invoices_of(live, other)
    count = made(live)
    async with vintage.restored() as stack, stack.worker():
        result = await recovered(stack)
        assert references([refund_id], "credit", "application") <= set(result.brought_back)
        await announce_refund(stack, refund_id)
        await eventually_told(stack, refund_id, "posted_with_difference")
        row = await refund_row(stack, refund_id)
        assert row is not None
        assert f"credit memo {memo.number}" in row.problems[0].sentence
        assert "it is applied elsewhere" in row.problems[0].sentence
        assert made(stack) == count


async def eventually_told(stack: Stack, refund_id: int, code: str) -> None:
    """Its old review goes on until the refund was looked at again."""

    async def told() -> bool:
        row = await refund_row(stack, refund_id)
        return row is not None and [one.code for one in row.problems] == [code]

    await eventually(told, f"refund {refund_id} is in review for {code}")


def copied(stack: Stack, memo: Invoice, number: str) -> Invoice:
    """What somebody made of a memo in Fusion, by duplicating it."""
    line = {"LineNumber": 1, "LineDescription": "Copy", "LineQuantityCredit": 1, "UnitSellingPrice": str(memo.amount)}
    body = {
        "BusinessUnit": memo.business_unit,
        "TransactionSource": memo.source,
        "TransactionType": memo.type,
        "TransactionNumber": number,
        "TransactionDate": memo.transaction_date.isoformat(),
        "CreditMemoCurrency": memo.currency,
        "BillToCustomerNumber": memo.customer,
        "CreditMemoComments": memo.given["Comments"],
        "receivablesCreditMemoLines": [line],
    }
    return stack.fusion.credit_memos.create(body, "receivablesCreditMemos")
