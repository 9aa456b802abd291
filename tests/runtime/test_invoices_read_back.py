"""Whose an invoice in Fusion is, when the store has forgotten: by its reference, its line flexfield or its number."""

import datetime as dt
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from support.fusion_pod import invoice_body
from support.receivables import billed
from support.stack import Stack, open_stack

from activities.receivables.invoices import invoice_key
from contracts import names
from contracts.configuration import Configuration
from contracts.receivable import NUMBER_LENGTH
from runtime.operations.recovering.invoices import bring_back_invoices
from runtime.operations.recovering.transactions import TransactionsRead
from runtime.temporal.devserver import DevServer
from sandbox.fusion.receivables.demo import AUTOMATIC_SOURCE, CONTEXT, REFERENCE_ATTRIBUTE
from store.creating.creation import Intent


def in_flexfield(configuration: Configuration) -> Configuration:
    return billed(configuration, "line_flexfield")


@pytest.fixture(scope="module")
async def stack(temporal_server: DevServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    directory: Path = tmp_path_factory.mktemp("read-back")
    async with open_stack(temporal_server, directory, adjust=in_flexfield) as opened:
        yield opened


def reference_of(order_id: str) -> str:
    return names.journal_reference("acme", "bc-us", "order", order_id, "invoice", 1)


def number_of(order_id: str) -> str:
    return names.short_reference(reference_of(order_id), NUMBER_LENGTH)


def make(stack: Stack, number: str | None = None, **facts: Any) -> str:
    """An invoice in Fusion's automatic source; gives its number."""
    today = dt.datetime.now(dt.UTC).date().isoformat()
    body = invoice_body(number, "19.95", TransactionDate=today, AccountingDate=today)
    if number is None:
        body["TransactionSource"] = AUTOMATIC_SOURCE
    return str(stack.fusion.receivables.create(body | facts).number)


async def read_back(stack: Stack) -> TransactionsRead:
    now = stack.parts.clock()
    return await bring_back_invoices(stack.parts, now - dt.timedelta(hours=1), now, "recover:1")


async def found(stack: Stack) -> tuple[str, ...]:
    return (await read_back(stack)).brought_back


async def test_by_the_cross_reference_whatever_the_source(stack: Stack) -> None:
    make(stack, CrossReference=reference_of("7001"))
    make(stack, "BY-HAND-1", CrossReference=reference_of("7002"))
    assert sorted(await found(stack)) == [reference_of("7001"), reference_of("7002")]
    row = await stack.parts.store.creations.creation(reference_of("7002"))
    assert row is not None
    assert (row.target_number, row.home, row.total) == ("BY-HAND-1", "cross_reference", Decimal("19.95"))
    assert await found(stack) == ()


async def test_by_the_line_flexfield(stack: Stack) -> None:
    flexfield = [{"__FLEX_Context": CONTEXT, REFERENCE_ATTRIBUTE: reference_of("7101")}]
    line = {"LineNumber": 1, "Description": "Order 7101", "Quantity": 1, "UnitSellingPrice": "5.00"}
    make(stack, receivablesInvoiceLines=[line | {"receivablesInvoiceLineTransactionDFF": flexfield}])
    assert await found(stack) == (reference_of("7101"),)
    row = await stack.parts.store.creations.creation(reference_of("7101"))
    assert row is not None
    assert row.home == "line_flexfield"


async def test_by_a_number_that_only_one_reference_gives(
    stack: Stack, temporal_server: DevServer, tmp_path: Path
) -> None:
    async with open_stack(temporal_server, tmp_path, adjust=billed) as numbered:
        make(numbered, number_of("7201"), PurchaseOrder="7201")
        make(numbered, "7202", PurchaseOrder="7202")
        stranger = make(numbered, number_of("7203"))
        result = await read_back(numbered)
        assert result.brought_back == (reference_of("7201"),)
        assert result.unreadable == (stranger,)
        row = await numbered.parts.store.creations.creation(reference_of("7201"))
        assert row is not None
        assert (row.home, row.number) == ("transaction_number", number_of("7201"))


async def test_a_reference_that_was_too_long_is_known_by_the_store_or_named(stack: Stack) -> None:
    known, unknown = "7" * 60, "8" * 60
    assert reference_of(known).startswith("mlc-")
    integration = stack.configuration.integration("shop-us")
    await stack.parts.store.creations.intend(
        Intent(
            reference=reference_of(known),
            key=invoice_key(integration, known),
            resource="receivablesInvoices",
            home="cross_reference",
            number=reference_of(known),
            currency="USD",
            total=Decimal("19.95"),
            fingerprint="f",
            content="{}",
        ),
        now=stack.parts.clock(),
    )
    make(stack, CrossReference=reference_of(known))
    stranger = make(stack, CrossReference=reference_of(unknown))
    result = await read_back(stack)
    assert result.brought_back == (reference_of(known),)
    assert result.unreadable == (stranger,)


async def test_what_other_hands_made_is_nobodys(stack: Stack) -> None:
    before = await read_back(stack)
    make(stack, "BY-HAND-2", PurchaseOrder="7301", CrossReference="PO 7301/1")
    make(stack, PurchaseOrder="7302", CrossReference="another/bc-us/order/7302/invoice/1")
    after = await read_back(stack)
    assert (after.brought_back, after.read, after.unreadable) == ((), before.read, before.unreadable)
