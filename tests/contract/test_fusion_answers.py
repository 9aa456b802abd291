"""The pod's twin against the fields of real pods: names, types, and what `describe` says of them."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from support.fusion_framework import connected
from support.fusion_pod import invoice_body

from clients.oracle_fusion import FusionClient
from clients.oracle_fusion.payloads import payload_faults
from sandbox.fusion import FusionTwin, demo_world
from sandbox.kit import serve

Fields = Callable[[str], dict[str, Any]]

WORDS = {"integer": {"integer"}, "number": {"number", "integer"}, "string": {"string", "date", "datetime"}}
"""Which words of a description stand for a type of the wire."""


@pytest.fixture
async def twin() -> AsyncIterator[FusionTwin]:
    twin = FusionTwin(demo_world())
    async with serve(twin):
        yield twin


@pytest.fixture
async def fusion(twin: FusionTwin) -> AsyncIterator[FusionClient]:
    client = connected(twin)
    yield client
    await client.aclose()


async def test_invoices_have_the_fields_of_real_pods_and_are_described_as_they_are(
    twin: FusionTwin, fusion: FusionClient, fusion_fields: Fields
) -> None:
    schema = fusion_fields("receivables_invoices")
    invoices = fusion.collection("receivablesInvoices", key="CustomerTransactionId")
    made = await invoices.create(
        invoice_body("MLC-1", "19.95", TransactionDate=twin.clock.now().date().isoformat(), AccountingDate=None),
        subject="invoice MLC-1",
        but=["/AccountingDate"],
    )
    row = (await invoices.item(made.path, subject="invoice MLC-1")).row
    assert [error.message for error in OAS31Validator(schema).iter_errors(_wire(row))] == []
    described = (await invoices.facts()).attributes
    real = {name: facts["type"] for name, facts in schema["properties"].items() if name != "links"}
    assert set(described) >= set(real)
    for name, types in real.items():
        (wire,) = set(types) - {"null"}
        assert described[name].type in WORDS[wire], name


async def test_rates_have_the_fields_of_real_pods(
    twin: FusionTwin, fusion: FusionClient, fusion_fields: Fields
) -> None:
    today = twin.clock.now().date().isoformat()
    finder = (
        "CurrencyRatesFinder;fromCurrency=EUR,toCurrency=USD,userConversionType=Corporate,"
        f"startDate={today},endDate={today}"
    )
    rows, _ = await fusion.listed("currencyRates", {"finder": finder, "onlyData": True}, 25)
    (row,) = rows
    assert set(row) == set(fusion_fields("currency_rates")["properties"])
    assert [error.message for error in OAS31Validator(fusion_fields("currency_rates")).iter_errors(_wire(row))] == []


async def test_what_a_description_refuses_in_an_invoice_the_pod_refuses_too(fusion: FusionClient) -> None:
    facts = await fusion.descriptions.of("receivablesInvoices")
    body = invoice_body("MLC-1" * 5, "19.95", Nonsense="x", InvoiceBalanceAmount="1")
    assert [(fault.path, fault.kind.value) for fault in payload_faults(facts, body)] == [
        (f"/{name}", kind)
        for name, kind in (
            ("TransactionNumber", "too_long"),
            ("Nonsense", "unknown"),
            ("InvoiceBalanceAmount", "not_updatable"),
        )
    ]
    good = invoice_body("MLC-1", "19.95")
    assert payload_faults(facts, good) == ()


def _wire(row: Any) -> Any:
    """As it was on the wire: amounts as numbers."""
    return {
        name: value if value is None or isinstance(value, str | int | float | list | dict) else float(value)
        for name, value in row.items()
    }
