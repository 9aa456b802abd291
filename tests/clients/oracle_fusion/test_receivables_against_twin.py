"""Invoices created and found again over real HTTP: what client and twin were built from is the vendor page."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from clients.errors import Forbidden, Rejected
from clients.oracle_fusion import FusionClient
from clients.oracle_fusion.receivables import DUPLICATE
from clients.oracle_fusion.reference_data import GENERAL_LEDGER, RECEIVABLES
from contracts.configuration import FusionConnection, ReceivableBooks
from contracts.journal import Purpose
from contracts.names import short_reference
from contracts.receivable import Invoice, InvoiceLine, ReferenceHome
from sandbox.fusion import FusionTwin
from sandbox.fusion.demo_world import US_LEDGER, demo_world
from sandbox.fusion.receivables.demo import (
    AUTOMATIC_SOURCE,
    CONTEXT,
    CREDIT_MEMO_TYPE,
    EU_UNIT,
    INVOICE_TYPE,
    MANUAL_SOURCE,
    REFERENCE_ATTRIBUTE,
    SALES_TAX,
    SECOND_CUSTOMER,
    TAX_REGIMES,
    US_CUSTOMER,
    US_UNIT,
)
from sandbox.kit import serve

HOMES: tuple[ReferenceHome, ...] = ("transaction_number", "cross_reference", "line_flexfield")


@pytest.fixture
async def twin() -> AsyncIterator[FusionTwin]:
    twin = FusionTwin(demo_world())
    async with serve(twin):
        yield twin


@pytest.fixture
async def fusion(twin: FusionTwin) -> AsyncIterator[FusionClient]:
    assert twin.listener is not None
    credentials = twin.world.credentials

    async def secret() -> str:
        return credentials.client_secret

    connection = FusionConnection.model_validate(
        {
            "system": "oracle_fusion",
            "id": "fusion-test",
            "tenant": "acme",
            "environment": "test",
            "base_url": twin.listener.url,
            "requests_per_minute": 60_000,
            "timeout": 600.0,
            "oauth": {
                "token_url": f"{twin.listener.url}/oauth2/v1/token",
                "client_id": credentials.client_id,
                "scope": credentials.scope,
            },
        }
    )
    client = FusionClient(connection, secret)
    yield client
    await client.aclose()


def books(home: ReferenceHome = "transaction_number") -> ReceivableBooks:
    return ReceivableBooks(
        transaction_source=MANUAL_SOURCE if home == "transaction_number" else AUTOMATIC_SOURCE,
        transaction_type=INVOICE_TYPE,
        customer_account=US_CUSTOMER,
        reference_home=home,
        flexfield_context=CONTEXT,
        flexfield_attribute=REFERENCE_ATTRIBUTE,
    )


def line(number: int, amount: str, account: str = "41100", **more: Any) -> InvoiceLine:
    return InvoiceLine.model_validate(
        {
            "number": number,
            "purpose": Purpose.REVENUE,
            "description": f"Line {number} | order 1024",
            "quantity": Decimal(1),
            "unit_price": Decimal(amount),
            "amount": Decimal(amount),
            "segments": ("101", "000", account, "0000"),
            **more,
        }
    )


def invoice(order: int = 1024, home: ReferenceHome = "transaction_number", **changes: Any) -> Invoice:
    today = dt.datetime.now(dt.UTC).date()
    reference = f"acme/bc-us/order/{order}/invoice/1"
    given: dict[str, Any] = {
        "reference": reference,
        "number": short_reference(reference, 20),
        "home": home,
        "business_unit": US_UNIT,
        "transaction_source": books(home).transaction_source,
        "transaction_type": INVOICE_TYPE,
        "customer_account": US_CUSTOMER,
        "ledger": US_LEDGER,
        "transaction_date": today,
        "accounting_date": today,
        "date_reason": "placed today",
        "currency": "USD",
        "order_number": str(order),
        "comments": f"Order {order} (bc-us)",
        "lines": (
            line(1, "31.50", quantity=Decimal(3), unit_price=Decimal("10.50")),
            line(2, "8.25", "22100"),
            line(3, "-5.00", "23100"),
        ),
        "mapping_set": "retail",
        "mapping_version": 7,
    }
    return Invoice.model_validate(given | changes)


def soon() -> float:
    return asyncio.get_running_loop().time() + 600


@pytest.mark.parametrize("home", HOMES)
async def test_an_invoice_is_created_to_the_cent_and_found_by_its_reference(
    twin: FusionTwin, fusion: FusionClient, home: ReferenceHome
) -> None:
    ours = invoice(home=home)
    assert await fusion.find_invoices(ours, books(home)) == ()
    made = await fusion.create_invoice(ours, books(home), ends=soon())
    await fusion.create_invoice(invoice(1025, home), books(home), ends=soon())

    (found,) = await fusion.find_invoices(ours, books(home))
    by_key = await fusion.invoice(made.customer_transaction_id)
    assert found.customer_transaction_id == made.customer_transaction_id == by_key.customer_transaction_id
    assert found.entered_amount == made.entered_amount == ours.total == Decimal("34.75")
    assert (found.cross_reference, found.purchase_order) == (ours.reference, "1024")
    assert (found.customer_account, found.currency, found.status) == (US_CUSTOMER, "USD", "Complete")
    assert (found.transaction_date, found.accounting_date) == (ours.transaction_date, ours.accounting_date)
    assert (found.transaction_number == ours.number) == (home == "transaction_number")
    assert found.line_reference == (ours.reference if home == "line_flexfield" else "")
    assert found.created_at is not None

    truth = twin.invoices()[0]
    revenue = [(one.account, one.amount) for one in truth.distributions if one.account_class == "Revenue"]
    assert revenue == [
        ("101-000-41100-0000", Decimal("31.50")),
        ("101-000-22100-0000", Decimal("8.25")),
        ("101-000-23100-0000", Decimal("-5.00")),
    ]
    assert all(one.manual for one in truth.distributions if one.account_class == "Revenue")


async def test_fusion_itself_refuses_a_second_invoice_under_the_number(twin: FusionTwin, fusion: FusionClient) -> None:
    await fusion.create_invoice(invoice(), books(), ends=soon())
    for status, codes in ((400, {}), (400, {"AR_TRX_NUMBER_DUPLICATE": "AR-855040"}), (409, {})):
        twin.world.receivables.habits.duplicate_status = status
        twin.world.receivables.habits.codes = codes
        with pytest.raises(Rejected) as refused:
            await fusion.create_invoice(invoice(), books(), ends=soon())
        assert refused.value.code == DUPLICATE
    assert len(twin.invoices()) == 1


@pytest.mark.parametrize("home", HOMES)
async def test_it_is_found_where_nothing_can_be_asked_for(
    twin: FusionTwin, fusion: FusionClient, home: ReferenceHome
) -> None:
    habits = twin.world.receivables.habits
    habits.queryable = {"TransactionNumber": False, "CrossReference": False}
    habits.flexfields_queryable = False
    for order in range(1000, 1030):
        await fusion.create_invoice(invoice(order, home), books(home), ends=soon())
    (found,) = await fusion.find_invoices(invoice(1017, home), books(home))
    assert found.purchase_order == "1017"
    assert await fusion.find_invoices(invoice(2000, home), books(home)) == ()


async def test_a_sources_invoices_are_listed_for_recovery(twin: FusionTwin, fusion: FusionClient) -> None:
    for order in range(1000, 1060):
        await fusion.create_invoice(invoice(order), books(), ends=soon())
    await fusion.create_invoice(invoice(1, "cross_reference"), books("cross_reference"), ends=soon())
    since = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    for queryable in ({}, {"TransactionSource": False}, {"CreationDate": False}):
        twin.world.receivables.habits.queryable = dict(queryable)
        fusion._invoices._usable.clear()
        found = [one async for one in fusion.invoices_of_source(MANUAL_SOURCE, US_UNIT, since)]
        assert sorted(one.purchase_order for one in found) == [str(order) for order in range(1000, 1060)]
    assert [one async for one in fusion.invoices_of_source(MANUAL_SOURCE, EU_UNIT, since)] == []
    later = since + dt.timedelta(hours=2)
    assert [one async for one in fusion.invoices_of_source(MANUAL_SOURCE, US_UNIT, later)] == []


async def test_a_business_units_invoices_are_listed_whatever_their_source(
    twin: FusionTwin, fusion: FusionClient
) -> None:
    for order, home in enumerate(HOMES, start=1000):
        await fusion.create_invoice(invoice(order, home), books(home), ends=soon())
    since = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    for queryable in ({}, {"BusinessUnit": False}, {"CreationDate": False}):
        twin.world.receivables.habits.queryable = dict(queryable)
        fusion._invoices._usable.clear()
        found = [one async for one in fusion.invoices_of_unit(US_UNIT, since)]
        assert sorted(one.purchase_order for one in found) == ["1000", "1001", "1002"]
    assert [one async for one in fusion.invoices_of_unit(EU_UNIT, since)] == []
    assert [one async for one in fusion.invoices_of_unit(US_UNIT, since + dt.timedelta(hours=2))] == []


async def test_tax_of_fusions_own_kind_and_a_receivable_account(twin: FusionTwin, fusion: FusionClient) -> None:
    tax = {"regime": TAX_REGIMES[SALES_TAX], "rate_code": SALES_TAX}
    ours = invoice(
        lines=(line(1, "100.00"), line(2, "3.00"), line(3, "8.25", "22100", tax=tax)),
        receivable=("101", "000", "11200", "0000"),
    )
    made = await fusion.create_invoice(ours, books(), ends=soon())
    assert made.entered_amount == ours.total == Decimal("111.25")
    (truth,) = twin.invoices()
    by_class = {one.account_class: (one.account, one.amount) for one in truth.distributions}
    assert by_class["Tax"] == ("101-000-22100-0000", Decimal("8.25"))
    assert by_class["Receivable"] == ("101-000-11200-0000", Decimal("111.25"))


async def test_the_tax_engine_of_a_pod_shows_as_a_difference(twin: FusionTwin, fusion: FusionClient) -> None:
    twin.world.receivables.habits.tax_engine = "adds"
    ours = invoice(lines=(line(1, "100.00"),))
    made = await fusion.create_invoice(ours, books(), ends=soon())
    assert made.entered_amount == Decimal("101.50") != ours.total


async def test_an_invoice_over_nothing_is_created(fusion: FusionClient) -> None:
    ours = invoice(lines=(line(1, "20.00"), line(2, "-20.00", "23200")), receivable=("101", "000", "11200", "0000"))
    made = await fusion.create_invoice(ours, books(), ends=soon())
    assert made.entered_amount == 0


async def test_periods_are_those_of_the_application(fusion: FusionClient) -> None:
    ledger = await fusion.ledger(US_LEDGER)
    ours, others = [
        {one.name: one.status for one in await fusion.periods(ledger.ledger_id, application)}
        for application in (GENERAL_LEDGER, RECEIVABLES)
    ]
    assert ours.keys() == others.keys()
    assert list(ours.values()).count("open") == list(others.values()).count("open") + 1


async def test_the_setup_is_read_by_name(twin: FusionTwin, fusion: FusionClient) -> None:
    assert await fusion.transaction_sources() == {MANUAL_SOURCE, AUTOMATIC_SOURCE}
    assert await fusion.transaction_types() == {INVOICE_TYPE, CREDIT_MEMO_TYPE}
    assert "IMMEDIATE" in await fusion.payment_terms()
    (site,) = await fusion.bill_to_sites(US_CUSTOMER)
    assert (site.account, site.site, site.primary) == (US_CUSTOMER, "Web Store US Billing", True)
    assert [one.primary for one in await fusion.bill_to_sites(SECOND_CUSTOMER)] == [False, False]
    twin.world.receivables.customer(US_CUSTOMER).enabled = False
    twin.world.receivables.sources[0].active = False
    assert await fusion.bill_to_sites(US_CUSTOMER) == ()
    assert MANUAL_SOURCE in await fusion.transaction_sources(), "another unit's source of the same name"


@pytest.mark.parametrize("home", HOMES)
async def test_a_home_that_cannot_be_asked_for_is_told_without_a_trace(
    twin: FusionTwin, fusion: FusionClient, home: ReferenceHome
) -> None:
    assert await fusion.can_be_asked_for(home, books(home))
    habits = twin.world.receivables.habits
    habits.queryable = {"TransactionNumber": False, "CrossReference": False}
    habits.flexfields_queryable = False
    assert not await fusion.can_be_asked_for(home, books(home))
    twin.faults.set("error", path="receivablesInvoices", status=403)
    with pytest.raises(Forbidden):
        await fusion.can_be_asked_for(home, books(home))
    assert twin.invoices() == []


async def test_the_description_names_the_attributes_of_children(fusion: FusionClient) -> None:
    described = await fusion.describe("receivablesInvoices")
    assert {"TransactionNumber", "CrossReference"} <= described.queryable
    flexfield = described.children["receivablesInvoiceLines.receivablesInvoiceLineTransactionDFF"]
    assert REFERENCE_ATTRIBUTE in flexfield
