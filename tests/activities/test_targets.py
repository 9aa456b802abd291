"""What an order becomes is its channel's decision, and whose periods date it follows from that."""

import datetime as dt
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from activities.orders.facts import ReferenceFacts, periods_key
from activities.orders.lookup import LookupActivities
from activities.orders.mapping import MappingActivities
from clients.oracle_fusion.reference_data import GENERAL_LEDGER, RECEIVABLES
from contracts.configuration import Configuration
from contracts.journal import LedgerFacts, Period
from contracts.sale import OrderSnapshot, Sale, SaleLine, SaleTender
from contracts.steps.documents import LookupFor, Mapped
from contracts.steps.orders import MapOrder

NOW = dt.datetime(2026, 3, 10, 18, tzinfo=dt.UTC)
LEDGER = LedgerFacts(ledger="US Primary", ledger_id=7, currency="USD", segment_count=2)
BOOKS = {
    "currency": "USD",
    "ledger": "US Primary",
    "data_access_set": "US Primary",
    "journal_source": "Web Shop",
    "journal_category": "Sales",
    "balancing_segment": "101",
    "business_unit": "US Retail",
}
BILLING = {"transaction_source": "Web Shop", "transaction_type": "Invoice", "customer_account": "WEB-US"}


def configured(*, billing: dict[str, str] | None = BILLING) -> Configuration:
    """Channel 1 becomes journals, channel 2 invoices."""
    oauth = {"token_url": "https://id.example/token", "client_id": "c", "scope": "s"}
    shared = {"tenant": "acme", "environment": "test"}
    return Configuration.model_validate(
        {
            "tenants": [{"id": "acme"}],
            "connections": [
                {"system": "oracle_fusion", "id": "pod", "base_url": "https://pod.example", "oauth": oauth, **shared},
                {"system": "bigcommerce", "id": "bc-us", "store_hash": "abc", **shared},
            ],
            "integrations": [
                {
                    "id": "us",
                    "tenant": "acme",
                    "fusion": "pod",
                    "source": "bc-us",
                    "mapping_set": "retail",
                    "cut_over": "2026-01-01",
                    "channels": [{"id": "1"}, {"id": "2", "target": "receivable"}],
                    "books": [{"channel": "1", **BOOKS}, {"channel": "2", "receivable": billing, **BOOKS}],
                }
            ],
            "mapping_sets": [
                {
                    "id": "retail",
                    "version": 1,
                    "segments": ["company", "account"],
                    "balancing_segment": "company",
                    "rules": [
                        {"id": "sales", "purpose": "revenue", "account": "*-41000"},
                        {"id": "cards", "purpose": "clearing", "account": "*-11200"},
                    ],
                }
            ],
        }
    )


def months(march: str) -> tuple[Period, ...]:
    first = Period.model_validate(
        {"name": "Mar-26", "starts": dt.date(2026, 3, 1), "ends": dt.date(2026, 3, 31), "status": march}
    )
    second = Period(name="Apr-26", starts=dt.date(2026, 4, 1), ends=dt.date(2026, 4, 30), status="future")
    return first, second


def order(channel: str) -> OrderSnapshot:
    line = SaleLine(
        key="1",
        kind="product",
        quantity=Decimal(1),
        list_net=Decimal(10),
        discount=Decimal(0),
        net=Decimal(10),
        categories=("Shirts",),
    )
    sale = Sale(
        connection="bc-us",
        order_id="1024",
        channel=channel,
        currency="USD",
        tax_inclusive=False,
        placed_at=dt.datetime(2026, 3, 25, 18, tzinfo=dt.UTC),
        store_timezone="America/Chicago",
        lines=(line,),
        tenders=(SaleTender(kind="payment", method="Card", amount=Decimal(10)),),
        total=Decimal(10),
        total_tax=Decimal(0),
        rounding=Decimal(0),
    )
    return OrderSnapshot(sale=sale, modified_at=NOW, status_id="10", status="Completed")


@pytest.fixture
def parts() -> Any:
    """March is open in the general ledger and closed in Receivables."""
    facts = ReferenceFacts()
    facts.put(("pod", "ledger", "US Primary"), LEDGER, 60)
    facts.put(periods_key("pod", 7, GENERAL_LEDGER), months("open"), 60)
    facts.put(periods_key("pod", 7, RECEIVABLES), months("closed"), 60)
    return SimpleNamespace(configuration=configured(), facts=facts, clock=lambda: NOW)


async def mapped(parts: Any, channel: str) -> Mapped:
    found = await LookupActivities(parts).lookup_cached(LookupFor(integration="us", snapshot=order(channel)))
    assert found.lookups is not None
    return await MappingActivities(parts).map_order(
        MapOrder(integration="us", snapshot=order(channel), lookups=found.lookups)
    )


async def test_a_channels_orders_become_journals_by_the_periods_of_the_ledger(parts: Any) -> None:
    journal = (await mapped(parts, "1")).journal
    assert journal is not None
    assert (journal.reference, journal.accounting_date) == ("acme/bc-us/order/1024/sale/1", dt.date(2026, 3, 25))


async def test_a_billed_channels_orders_become_invoices_by_the_periods_of_receivables(parts: Any) -> None:
    invoice = (await mapped(parts, "2")).invoice
    assert invoice is not None
    assert invoice.reference == "acme/bc-us/order/1024/invoice/1"
    assert (invoice.transaction_date, invoice.accounting_date) == (dt.date(2026, 3, 25), dt.date(2026, 4, 1))


async def test_what_another_worker_learned_of_one_application_is_not_taken_for_the_other(parts: Any) -> None:
    found = await LookupActivities(parts).lookup_cached(LookupFor(integration="us", snapshot=order("2")))
    elsewhere = SimpleNamespace(configuration=parts.configuration, facts=ReferenceFacts(), clock=parts.clock)
    assert found.lookups is not None
    await MappingActivities(elsewhere).map_order(MapOrder(integration="us", snapshot=order("2"), lookups=found.lookups))
    warm = LookupActivities(elsewhere)
    billed = await warm.lookup_cached(LookupFor(integration="us", snapshot=order("2")))
    journal = await warm.lookup_cached(LookupFor(integration="us", snapshot=order("1")))
    assert billed.lookups is not None
    assert journal.lookups is None, "the ledger's own periods have to be asked for"


async def test_a_billed_channel_whose_books_do_not_say_how_goes_to_review(parts: Any) -> None:
    parts.configuration = configured(billing=None)
    assert [one.code for one in (await mapped(parts, "2")).problems] == ["no_receivable_books"]
