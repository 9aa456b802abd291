"""Whose a credit memo in Fusion is, when the store has forgotten: by the end of its comments, or by its number."""

import datetime as dt
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from support.fusion_pod import invoice_body
from support.receivables import billed
from support.stack import Stack, open_stack

from activities.receivables.credited import Credited
from contracts import names
from contracts.flow import State
from contracts.receivable import NUMBER_LENGTH
from runtime.operations.recovering.credit_memos import bring_back_credit_memos
from runtime.operations.recovering.transactions import TransactionsRead
from runtime.temporal.devserver import DevServer
from sandbox.fusion.receivables.applications import Wanted
from sandbox.fusion.receivables.invoice import Invoice
from store.creating.creation import Intent


@pytest.fixture(scope="module")
async def stack(temporal_server: DevServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    directory: Path = tmp_path_factory.mktemp("credits-read-back")
    async with open_stack(temporal_server, directory, adjust=billed) as opened:
        yield opened


def reference_of(refund_id: str, purpose: str = "credit") -> str:
    return names.journal_reference("acme", "bc-us", "refund", refund_id, purpose, 1)


def number_of(refund_id: str) -> str:
    return names.short_reference(reference_of(refund_id), NUMBER_LENGTH)


def today() -> str:
    return dt.datetime.now(dt.UTC).date().isoformat()


def make(stack: Stack, number: str, comments: str = "", **facts: Any) -> Invoice:
    line = {"LineNumber": 1, "LineDescription": "Back", "LineQuantityCredit": 1, "UnitSellingPrice": "-30.00"}
    body = {
        "BusinessUnit": "US Web Sales",
        "TransactionSource": "ML Connector",
        "TransactionType": "Web Credit Memo",
        "TransactionNumber": number,
        "TransactionDate": today(),
        "CreditMemoCurrency": "USD",
        "BillToCustomerNumber": "1006",
        "receivablesCreditMemoLines": [line],
        **({"CreditMemoComments": comments} if comments else {}),
        **facts,
    }
    return stack.fusion.credit_memos.create(body, "receivablesCreditMemos")


def told(refund_id: str) -> str:
    return f"Refund {refund_id} of order 1024 (bc-us), refunded today, takes back M1 | {reference_of(refund_id)}"


async def read_back(stack: Stack) -> TransactionsRead:
    now = stack.parts.clock()
    return await bring_back_credit_memos(stack.parts, now - dt.timedelta(hours=1), now, "recover:1")


async def test_by_the_end_of_its_comments_whatever_its_number(stack: Stack) -> None:
    make(stack, number_of("6001"), told("6001"))
    make(stack, "BY-HAND-1", told("6002"))
    assert sorted((await read_back(stack)).brought_back) == [reference_of("6001"), reference_of("6002")]
    creations = stack.parts.store.creations
    ours, theirs = await creations.creation(reference_of("6001")), await creations.creation(reference_of("6002"))
    assert ours is not None
    assert theirs is not None
    assert (ours.home, ours.number, ours.total) == ("transaction_number", number_of("6001"), Decimal("30.00"))
    assert (theirs.target_number, theirs.home == "transaction_number") == ("BY-HAND-1", False)
    row = await stack.parts.store.documents.get("bc-us", names.REFUND, "6001")
    assert row is not None
    assert (row.state, row.parent_id, row.fingerprint) == (State.RUNNING, "1024", "")
    assert row.reason.endswith("on account")
    assert (await read_back(stack)).brought_back == ()


async def test_what_of_it_is_applied_is_read_back_with_it(stack: Stack) -> None:
    body = invoice_body("MLC-9", "100.00", TransactionDate=today(), AccountingDate=today())
    invoice = stack.fusion.receivables.create(body)
    memo = make(stack, number_of("6101"), told("6101"))
    stack.fusion.receivables.applications.apply(Wanted(memo, invoice), "CreditMemoService")
    assert (await read_back(stack)).brought_back == (reference_of("6101"), reference_of("6101", "application"))
    row = await stack.parts.store.creations.creation(reference_of("6101", "application"))
    assert row is not None
    assert (row.target_id, row.total) == (f"{memo.id}/{invoice.id}", Decimal("30.00"))
    document = await stack.parts.store.documents.get("bc-us", names.REFUND, "6101")
    assert document is not None
    assert document.state is State.POSTED

    partly = make(stack, number_of("6102"), told("6102"))
    stack.fusion.receivables.applications.apply(Wanted(partly, invoice, Decimal("10.00")), "CreditMemoService")
    assert (await read_back(stack)).brought_back == (reference_of("6102"),), "a part is for its refund to judge"


async def test_a_reference_that_was_too_long_is_proved_by_the_refund_that_the_comments_name(stack: Stack) -> None:
    long, edited = "6" * 60, "7" * 60
    assert reference_of(long).startswith("mlc-")
    make(stack, number_of(long), told(long))
    stranger = make(stack, number_of(edited), f"Changed by hand | {reference_of(edited)}")
    result = await read_back(stack)
    assert result.brought_back == (reference_of(long),)
    assert result.unreadable == (stranger.number,)


async def test_by_a_number_that_the_store_knows_when_somebody_wrote_over_the_comments(stack: Stack) -> None:
    integration = stack.configuration.integration("shop-us")
    await stack.parts.store.creations.intend(
        Intent(
            reference=reference_of("6301"),
            key=Credited(integration, "", "6301").memo,
            resource="receivablesCreditMemos",
            home="transaction_number",
            number=number_of("6301"),
            currency="USD",
            total=Decimal("30.00"),
            fingerprint="f",
            content="{}",
        ),
        now=stack.parts.clock(),
    )
    make(stack, number_of("6301"), "Goodwill")
    stranger = make(stack, number_of("6302"), "Goodwill")
    result = await read_back(stack)
    assert result.brought_back == (reference_of("6301"),)
    assert stranger.number in result.unreadable


async def test_what_other_hands_made_is_nobodys(stack: Stack) -> None:
    before = await read_back(stack)
    make(stack, "BY-HAND-2", "Refund 9 of order 7 (by phone)")
    make(stack, "BY-HAND-3", "Goodwill | another/bc-us/refund/9/credit/1")
    after = await read_back(stack)
    assert (after.brought_back, after.read, after.unreadable) == ((), before.read, before.unreadable)


@pytest.mark.parametrize("long", [False, True], ids=["readable", "too long to be readable"])
async def test_what_took_a_cancelled_order_back_is_the_orders(stack: Stack, long: bool) -> None:
    order_id = "8" * 60 if long else "7001"
    credited = Credited(stack.configuration.integration("shop-us"), order_id)
    number = names.short_reference(credited.memo_reference, NUMBER_LENGTH)
    body = invoice_body(f"MLC-1{long:d}", "100.00", TransactionDate=today(), AccountingDate=today())
    invoice = stack.fusion.receivables.create(body)
    memo = make(stack, number, f"Order {order_id} (bc-us), cancelled today, takes back M1 | {credited.memo_reference}")
    assert (await read_back(stack)).brought_back == (credited.memo_reference,)
    half = await stack.parts.store.documents.get("bc-us", names.ORDER, order_id)
    assert half is not None
    assert half.state is State.RUNNING
    stack.fusion.receivables.applications.apply(Wanted(memo, invoice), "CreditMemoService")
    assert (await read_back(stack)).brought_back == (credited.application_reference,)
    whole = await stack.parts.store.documents.get("bc-us", names.ORDER, order_id)
    assert whole is not None
    assert whole.state is State.REVERSED
