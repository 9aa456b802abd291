"""What goes to a pod when an invoice is created or looked for, and what its answers are taken for."""

import asyncio
import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx
import pytest

from clients.errors import BadAnswer, InDoubt, NotFound, NotSent, Rejected
from clients.oracle_fusion import FusionClient
from clients.oracle_fusion.receivables import DUPLICATE
from contracts.configuration import ReceivableBooks

BOOKS = ReceivableBooks(transaction_source="Web Shop", transaction_type="Invoice", customer_account="1006")
REFERENCE = "acme/bc-us/order/1024/invoice/1"
NUMBER = "MABCDEFGHIJKLMNOPQRS"
Make = Callable[..., Any]


def soon() -> float:
    return asyncio.get_running_loop().time() + 600


def row(**changes: Any) -> dict[str, Any]:
    return {
        "CustomerTransactionId": 300100170996427,
        "TransactionNumber": NUMBER,
        "CrossReference": REFERENCE,
        "TransactionSource": "Web Shop",
        "TransactionType": "Invoice",
        "BusinessUnit": "US Retail",
        "BillToCustomerNumber": "1006",
        "InvoiceCurrencyCode": "USD",
        "EnteredAmount": 10.50,
        "TransactionDate": "2026-03-01",
        "AccountingDate": "2026-03-02",
        "InvoiceStatus": "Complete",
        "PurchaseOrder": "1024",
        "CreationDate": "2026-03-01T10:00:00.123+00:00",
        **changes,
    }


def refusal(detail: str, code: str = "", status: int = 400) -> httpx.Response:
    error = {"detail": detail, "o:errorCode": code, "o:errorPath": "/TransactionNumber"}
    return httpx.Response(status, json={"title": "Bad Request", "status": str(status), "o:errorDetails": [error]})


class Shelf:
    """Invoices of a pod that takes only some questions."""

    def __init__(self, pod: Any, rows: list[dict[str, Any]], *, takes: Callable[[httpx.QueryParams], bool]) -> None:
        self.rows = rows
        self.takes = takes
        self.asked: list[httpx.QueryParams] = []
        pod.on("/receivablesInvoices", self.answer)

    def answer(self, request: httpx.Request) -> httpx.Response:
        asked = request.url.params
        self.asked.append(asked)
        if not self.takes(asked):
            return httpx.Response(400, text="The attribute cannot be used in a query.")
        offset, limit = int(asked["offset"]), int(asked["limit"])
        page = self.rows[offset : offset + limit]
        more = offset + limit < len(self.rows)
        envelope = {"items": page, "count": len(page), "hasMore": more, "limit": limit, "offset": offset}
        return httpx.Response(200, json=envelope)


async def test_an_invoice_is_created_with_lines_distributions_and_both_references(
    fusion: FusionClient, pod: Any, make_invoice: Make, make_invoice_line: Make
) -> None:
    pod.on("/receivablesInvoices", httpx.Response(201, json=row()))
    lines = (
        make_invoice_line(1, "31.50", quantity=Decimal(3), unit_price=Decimal("10.50")),
        make_invoice_line(2, "-21.00", "101-00-23100-000"),
    )
    made = await fusion.create_invoice(
        make_invoice(lines=lines, receivable=("101", "00", "12100", "000"), comments="Order 1024 (bc-us)"),
        BOOKS.model_copy(update={"account_separator": "."}),
        ends=soon(),
    )
    assert made.customer_transaction_id == 300100170996427
    assert made.entered_amount == Decimal("10.5")
    assert made.accounting_date == dt.date(2026, 3, 2)
    assert pod.bodies() == [
        {
            "BusinessUnit": "US Retail",
            "TransactionSource": "Web Shop",
            "TransactionType": "Invoice",
            "TransactionNumber": NUMBER,
            "TransactionDate": "2026-03-01",
            "AccountingDate": "2026-03-02",
            "BillToCustomerNumber": "1006",
            "InvoiceCurrencyCode": "USD",
            "PurchaseOrder": "1024",
            "CrossReference": REFERENCE,
            "Comments": "Order 1024 (bc-us)",
            "receivablesInvoiceLines": [
                {"LineNumber": 1, "Description": lines[0].description, "Quantity": 3, "UnitSellingPrice": 10.5},
                {"LineNumber": 2, "Description": lines[1].description, "Quantity": 1, "UnitSellingPrice": -21},
            ],
            "receivablesInvoiceDistributions": [
                {
                    "InvoiceLineNumber": 1,
                    "AccountClass": "Revenue",
                    "AccountCombination": "101.10.41000.000",
                    "Amount": 31.5,
                    "Percent": 100,
                },
                {
                    "InvoiceLineNumber": 2,
                    "AccountClass": "Revenue",
                    "AccountCombination": "101.00.23100.000",
                    "Amount": -21,
                    "Percent": 100,
                },
                {
                    "AccountClass": "Receivable",
                    "AccountCombination": "101.00.12100.000",
                    "Amount": 10.5,
                    "Percent": 100,
                },
            ],
        }
    ]


async def test_tax_of_fusions_own_kind_hangs_on_the_first_line(
    fusion: FusionClient, pod: Any, make_invoice: Make, make_invoice_line: Make
) -> None:
    pod.on("/receivablesInvoices", httpx.Response(201, json=row()))
    tax = {"regime": "US SALES AND USE TAX", "rate_code": "STD"}
    lines = (make_invoice_line(1), make_invoice_line(2, "0.87", "101-00-22100-000", tax=tax))
    await fusion.create_invoice(make_invoice(lines=lines), BOOKS, ends=soon())
    (body,) = pod.bodies()
    (line,) = body["receivablesInvoiceLines"]
    assert line["receivablesInvoiceLineTaxLines"] == [
        {"TaxRegimeCode": "US SALES AND USE TAX", "TaxRateCode": "STD", "TaxAmount": 0.87}
    ]
    assert body["receivablesInvoiceDistributions"][1] == {
        "InvoiceLineNumber": 1,
        "DetailedTaxLineNumber": 1,
        "AccountClass": "Tax",
        "AccountCombination": "101-00-22100-000",
        "Amount": 0.87,
        "Percent": 100,
    }


async def test_a_number_is_sent_only_where_it_is_the_references_home(
    fusion: FusionClient, pod: Any, make_invoice: Make
) -> None:
    pod.on("/receivablesInvoices", httpx.Response(201, json=row(TransactionNumber="1001")))
    made = await fusion.create_invoice(make_invoice(home="cross_reference"), BOOKS, ends=soon())
    flexfield = BOOKS.model_copy(update={"flexfield_attribute": "connectorReference"})
    await fusion.create_invoice(make_invoice(home="line_flexfield"), flexfield, ends=soon())
    assert made.transaction_number == "1001"
    first, second = pod.bodies()
    assert "TransactionNumber" not in first | second
    assert first["CrossReference"] == second["CrossReference"] == REFERENCE
    assert second["receivablesInvoiceLines"][0]["receivablesInvoiceLineTransactionDFF"] == [
        {"__FLEX_Context": "ML Connector", "connectorReference": REFERENCE}
    ]


async def test_foreign_currency_names_type_and_date_and_no_rate(
    fusion: FusionClient, pod: Any, make_invoice: Make
) -> None:
    pod.on("/receivablesInvoices", httpx.Response(201, json=row()))
    foreign = make_invoice(
        currency="EUR",
        conversion_type="Corporate",
        conversion_date=dt.date(2026, 2, 28),
        bill_to_site="1042",
        payment_terms="IMMEDIATE",
    )
    await fusion.create_invoice(foreign, BOOKS, ends=soon())
    (body,) = pod.bodies()
    assert (body["ConversionRateType"], body["ConversionDate"]) == ("Corporate", "2026-02-28")
    assert (body["BillToSite"], body["PaymentTerms"]) == ("1042", "IMMEDIATE")
    assert "ConversionRate" not in body


@pytest.mark.parametrize(
    ("amount", "sent"), [("100.00", 100), ("0.10", 0.1), ("12345678901234567.89", "12345678901234567.89")]
)
async def test_amounts_are_sent_to_the_cent(
    fusion: FusionClient, pod: Any, make_invoice: Make, make_invoice_line: Make, amount: str, sent: object
) -> None:
    pod.on("/receivablesInvoices", httpx.Response(201, json=row()))
    await fusion.create_invoice(make_invoice(lines=(make_invoice_line(1, amount),)), BOOKS, ends=soon())
    assert pod.bodies()[0]["receivablesInvoiceLines"][0]["UnitSellingPrice"] == sent


@pytest.mark.parametrize(
    "answer",
    [
        refusal("This transaction number already exists. Enter a unique transaction number. (AR-855040)"),
        refusal("You can't do that.", "AR-855040"),
        refusal("The transaction number M1 already exists for the transaction source you entered.", "AR_ANY"),
        refusal("The Transaction Number must be unique within a source.", status=409),
        httpx.Response(400, text="Duplicate transaction number."),
    ],
)
async def test_a_number_that_exists_is_a_refusal_of_its_own_kind(
    fusion: FusionClient, pod: Any, make_invoice: Make, answer: httpx.Response
) -> None:
    pod.on("/receivablesInvoices", answer)
    with pytest.raises(Rejected) as refused:
        await fusion.create_invoice(make_invoice(), BOOKS, ends=soon())
    assert refused.value.code == DUPLICATE
    assert "already" in refused.value.remedy or "looked up" in refused.value.remedy


async def test_any_other_refusal_keeps_fusions_own_code(fusion: FusionClient, pod: Any, make_invoice: Make) -> None:
    pod.on("/receivablesInvoices", refusal("The transaction source you entered doesn't exist.", "AR-855123"))
    with pytest.raises(Rejected) as refused:
        await fusion.create_invoice(make_invoice(), BOOKS, ends=soon())
    assert refused.value.code == "AR-855123"


async def test_another_pods_code_for_a_duplicate_is_a_setting(connection: Any, pod: Any, make_invoice: Make) -> None:
    async def secret() -> str:
        return "secret"

    known = connection.model_copy(update={"duplicate_invoice_codes": ("AR-999999",)})
    client = FusionClient(known, secret, transport=httpx.MockTransport(pod))
    pod.on("/receivablesInvoices", refusal("No.", "AR-999999"))
    with pytest.raises(Rejected) as refused:
        await client.create_invoice(make_invoice(), BOOKS, ends=soon())
    assert refused.value.code == DUPLICATE
    with pytest.raises(Rejected) as other:
        await client.create_invoice(make_invoice(home="cross_reference"), BOOKS, ends=soon())
    assert other.value.code == "AR-999999"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500, text="oops"),
        httpx.Response(201, text="<html>"),
        httpx.Response(201, json=row(EnteredAmount=None)),
        httpx.Response(201, json={}),
    ],
)
async def test_what_may_have_been_created_is_in_doubt(
    fusion: FusionClient, pod: Any, make_invoice: Make, answer: httpx.Response
) -> None:
    pod.on("/receivablesInvoices", answer)
    with pytest.raises(InDoubt):
        await fusion.create_invoice(make_invoice(), BOOKS, ends=soon())
    assert len(pod.bodies()) == 1


async def test_after_the_lease_nothing_is_sent(fusion: FusionClient, pod: Any, make_invoice: Make) -> None:
    pod.on("/receivablesInvoices", httpx.Response(201, json=row()))
    with pytest.raises(NotSent):
        await fusion.create_invoice(make_invoice(), BOOKS, ends=asyncio.get_running_loop().time() - 1)
    assert pod.bodies() == []


async def test_tax_without_a_line_is_not_sent(
    fusion: FusionClient, pod: Any, make_invoice: Make, make_invoice_line: Make
) -> None:
    alone = make_invoice_line(1, tax={"regime": "R", "rate_code": "C"})
    with pytest.raises(ValueError, match="no line that it belongs to"):
        await fusion.create_invoice(make_invoice(lines=(alone,)), BOOKS, ends=soon())
    assert pod.bodies() == []


@pytest.mark.parametrize(
    ("home", "q"),
    [
        ("transaction_number", f"TransactionNumber='{NUMBER}'"),
        ("cross_reference", f"CrossReference='{REFERENCE}'"),
        (
            "line_flexfield",
            f"receivablesInvoiceLines.receivablesInvoiceLineTransactionDFF.reference='{REFERENCE}'",
        ),
    ],
)
async def test_a_reference_is_looked_for_in_its_home(
    fusion: FusionClient, pod: Any, make_invoice: Make, home: str, q: str
) -> None:
    flexfield = {"__FLEX_Context": "ML Connector", "reference": REFERENCE}
    lines = {"items": [{"LineNumber": 1, "receivablesInvoiceLineTransactionDFF": {"items": [flexfield]}}]}
    shown = row(receivablesInvoiceLines=lines) if home == "line_flexfield" else row()
    shelf = Shelf(pod, [shown], takes=lambda _: True)
    (found,) = await fusion.find_invoices(make_invoice(home=home), BOOKS)
    assert (found.transaction_number, found.cross_reference) == (NUMBER, REFERENCE)
    assert found.line_reference == (REFERENCE if home == "line_flexfield" else "")
    (asked,) = shelf.asked
    assert asked["q"] == q
    assert asked["orderBy"] == "CustomerTransactionId:asc"


async def test_only_exact_hits_count(fusion: FusionClient, pod: Any, make_invoice: Make) -> None:
    strangers = [
        row(CustomerTransactionId=1, TransactionNumber=NUMBER.lower()),
        row(CustomerTransactionId=2, TransactionNumber=NUMBER + "1"),
        row(CustomerTransactionId=3, TransactionSource="Manual", CrossReference="PO 17"),
        row(CustomerTransactionId=4, BusinessUnit="EU Retail", CrossReference=None),
    ]
    moved = row(CustomerTransactionId=5, TransactionSource="Web Shop 2")
    Shelf(pod, [*strangers, moved, row()], takes=lambda _: True)
    found = await fusion.find_invoices(make_invoice(), BOOKS)
    assert [one.customer_transaction_id for one in found] == [5, 300100170996427]
    assert [one.customer_transaction_id for one in await fusion.find_invoices(make_invoice(number="M2"), BOOKS)] == []


async def test_where_the_reference_cannot_be_asked_for_the_finder_is_used_and_remembered(
    fusion: FusionClient, pod: Any, make_invoice: Make
) -> None:
    old = [row(CustomerTransactionId=n, TransactionNumber=str(n), CrossReference=None) for n in range(1000, 0, -1)]
    for one in old[500:]:
        one["CreationDate"] = "2026-02-26T00:00:00+00:00"
    shelf = Shelf(pod, [*old[:499], row(), *old[499:]], takes=lambda asked: "finder" in asked)
    assert len(await fusion.find_invoices(make_invoice(), BOOKS)) == 1
    assert len(await fusion.find_invoices(make_invoice(), BOOKS)) == 1
    tried = [asked.get("finder", asked.get("q")) for asked in shelf.asked]
    finder = "invoiceSearch;TransactionSource=Web Shop,BusinessUnit=US Retail"
    assert tried == [f"TransactionNumber='{NUMBER}'", finder, finder, finder, finder]
    assert {asked["orderBy"] for asked in shelf.asked[1:]} == {"CreationDate:desc,CustomerTransactionId:desc"}
    assert max(int(asked["offset"]) for asked in shelf.asked) == 499, "nothing older than the order is read"


async def test_a_name_the_finder_cannot_take_is_compared_here(
    fusion: FusionClient, pod: Any, make_invoice: Make
) -> None:
    shelf = Shelf(pod, [row(BusinessUnit="Retail, Inc.")], takes=lambda asked: "finder" in asked)
    wanted = make_invoice(business_unit="Retail, Inc.")
    assert len(await fusion.find_invoices(wanted, BOOKS)) == 1
    assert shelf.asked[-1]["finder"] == "invoiceSearch;TransactionSource=Web Shop"


async def test_the_last_way_is_the_day_of_creation(fusion: FusionClient, pod: Any, make_invoice: Make) -> None:
    shelf = Shelf(pod, [row()], takes=lambda asked: asked.get("q", "").startswith("CreationDate"))
    assert len(await fusion.find_invoices(make_invoice(home="cross_reference"), BOOKS)) == 1
    assert shelf.asked[-1]["q"] == "CreationDate >= '2026-02-27T00:00:00Z'"
    Shelf(pod, [row()], takes=lambda _: False)
    with pytest.raises(Rejected):
        await fusion.find_invoices(make_invoice(home="cross_reference"), BOOKS)


async def test_an_invoice_without_an_amount_is_no_answer(fusion: FusionClient, pod: Any, make_invoice: Make) -> None:
    Shelf(pod, [row(EnteredAmount=None)], takes=lambda _: True)
    with pytest.raises(BadAnswer):
        await fusion.find_invoices(make_invoice(), BOOKS)


async def test_an_invoice_is_read_by_its_key(fusion: FusionClient, pod: Any) -> None:
    pod.on("/receivablesInvoices/300100170996427", httpx.Response(200, json=row(EnteredAmount="10.50")))
    found = await fusion.invoice(300100170996427)
    assert (found.entered_amount, found.status) == (Decimal("10.50"), "Complete")
    assert found.created_at == dt.datetime(2026, 3, 1, 10, 0, 0, 123000, dt.UTC)
    with pytest.raises(NotFound):
        await fusion.invoice(1)


async def test_a_sources_invoices_are_read_once_each_in_a_stable_order(fusion: FusionClient, pod: Any) -> None:
    rows = [row(CustomerTransactionId=n, TransactionNumber=f"M{n}") for n in range(1, 1101)]
    shelf = Shelf(pod, rows, takes=lambda _: True)
    since = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    found = [one async for one in fusion.invoices_of_source("Web Shop", "US Retail", since)]
    assert [one.customer_transaction_id for one in found] == list(range(1, 1101))
    assert {asked["orderBy"] for asked in shelf.asked} == {"CustomerTransactionId:asc"}
    assert shelf.asked[0]["q"] == (
        "TransactionSource='Web Shop' and BusinessUnit='US Retail' and CreationDate >= '2026-03-01T00:00:00Z'"
    )


async def test_a_source_is_read_by_its_finder_where_it_cannot_be_asked_for(fusion: FusionClient, pod: Any) -> None:
    rows = [row(), row(CustomerTransactionId=1, CreationDate="2026-02-01T00:00:00+00:00")]
    Shelf(pod, rows, takes=lambda asked: "finder" in asked)
    since = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    found = [one async for one in fusion.invoices_of_source("Web Shop", "US Retail", since)]
    assert [one.customer_transaction_id for one in found] == [300100170996427]
