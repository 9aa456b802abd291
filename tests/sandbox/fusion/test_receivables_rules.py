"""What a pod refuses in an invoice, what it fills in, and how amounts, tax and distributions come about."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from support.fusion_pod import REVENUE, Pod, invoice_body

from sandbox.fusion.receivables.invoice import Invoice
from sandbox.fusion.receivables.setup import CustomerSite, TaxEngine
from sandbox.fusion.world import RECEIVABLES

RECEIVABLE, TAX_ACCOUNT, FREIGHT_ACCOUNT = "101-000-12100-0000", "101-000-22100-0000", "101-000-42100-0000"
OTHER_REVENUE = "101-000-41900-0000"
TAX = {"TaxRegimeCode": "US SALES AND USE TAX", "TaxRateCode": "US SALES TAX"}


async def refused(pod: Pod, body: dict[str, Any]) -> str:
    """The code of a refusal; nothing was made."""
    before = len(pod.twin.invoices())
    answer = await pod.bill(body)
    assert answer.status_code == 400, answer.text
    assert len(pod.twin.invoices()) == before
    code: str = answer.json()["o:errorDetails"][0]["o:errorCode"]
    return code


async def made(pod: Pod, body: dict[str, Any]) -> Invoice:
    await pod.billed(body)
    return pod.twin.invoices()[-1]


def line(**facts: Any) -> dict[str, Any]:
    whole = {"LineNumber": 1, "Description": "Shirt", "Quantity": 1, "UnitSellingPrice": 10} | facts
    return {name: value for name, value in whole.items() if value is not None}


def with_lines(*lines: dict[str, Any], **facts: Any) -> dict[str, Any]:
    return invoice_body(receivablesInvoiceLines=list(lines), **facts)


def distribution(kind: str, account: str, amount: str | None = None, **facts: Any) -> dict[str, Any]:
    row = {"AccountClass": kind, "AccountCombination": account, "Amount": amount, **facts}
    return {name: value for name, value in row.items() if value is not None}


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"BusinessUnit": "Nowhere"}, "AR_BU_NOT_FOUND"),
        ({"BusinessUnit": None}, "AR_BU_NOT_FOUND"),
        ({"TransactionSource": "Nothing"}, "AR_BATCH_SOURCE_NOT_FOUND"),
        ({"TransactionType": "Nothing"}, "AR_TRX_TYPE_NOT_FOUND"),
        ({"BillToCustomerNumber": "9999"}, "AR_BILL_TO_CUST_NOT_FOUND"),
        ({"BillToCustomerNumber": None}, "AR_BILL_TO_CUST_NOT_FOUND"),
        ({"BillToCustomerName": "Web Store EU"}, "AR_BILL_TO_CUST_NOT_FOUND"),
        ({"BillToSite": "Nowhere"}, "AR_BILL_TO_SITE_NOT_FOUND"),
        ({"BillToCustomerNumber": "2006"}, "AR_BILL_TO_SITE_NOT_FOUND"),
        ({"BillToCustomerNumber": "1007"}, "AR_BILL_TO_SITE_DUPLICATE"),
        ({"ShipToSite": "Web Store US Shipping"}, "AR_SHIP_TO_CUST_NUM_REQ"),
        ({"ShipToCustomerNumber": "9999"}, "AR_SHIP_TO_CUST_NOT_FOUND"),
        ({"ShipToCustomerNumber": "1006", "ShipToSite": "Nowhere"}, "AR_SHIP_TO_SITE_NOT_FOUND"),
        ({"InvoiceCurrencyCode": None}, "AR_FUNC_CURRENCY_REQ"),
        ({"InvoiceCurrencyCode": "XXX"}, "AR_FUNC_CURRENCY_REQ"),
        ({"PaymentTerms": "Sometime"}, "AR_TERMS_NOT_FOUND"),
        ({"InvoiceStatus": "Incomplete"}, "AR-857798"),
        ({"InvoiceStatus": "Frozen"}, "AR-857798"),
        ({"receivablesInvoiceLines": []}, "AR_LINES_REQ"),
        ({"Colour": "blue"}, "JBO-25009"),
        ({"EnteredAmount": 10}, "JBO-27008"),
        ({"TransactionDate": "20.11.2026"}, "JBO-25009"),
    ],
)
async def test_a_header_that_does_not_fit_the_setup_is_refused(pod: Pod, facts: dict[str, Any], code: str) -> None:
    assert await refused(pod, invoice_body(**facts)) == code


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"Description": None}, "AR_LINE_ATTR_OPT_REQ"),
        ({"Quantity": None}, "JBO-27014"),
        ({"UnitSellingPrice": None}, "JBO-27014"),
        ({"UnitSellingPrice": "ten"}, "JBO-25009"),
        ({"LineAmount": 10}, "JBO-27008"),
        ({"Description": "x" * 241}, "JBO-27010"),
        ({"ItemNumber": "SKU-9"}, "AR_ITEM_NOT_FOUND"),
        ({"MemoLine": "Nothing"}, "AR_MEMO_LINE_NOT_FOUND"),
        ({"Warehouse": "MOON", "ItemNumber": "SKU-1"}, "AR_WH_NOT_FOUND"),
        ({"Warehouse": "WEB"}, "AR_NO_ITEM_NO_WH"),
        ({"UnitOfMeasure": "Furlong"}, "AR_UOM_NOT_FOUND"),
        ({"LineNumber": 0}, "AR_LINE_NUMBER_INVALID"),
    ],
)
async def test_a_line_that_does_not_fit_is_refused(pod: Pod, facts: dict[str, Any], code: str) -> None:
    assert await refused(pod, with_lines(line(**facts))) == code


async def test_line_numbers_are_unique_and_filled_in(pod: Pod) -> None:
    assert await refused(pod, with_lines(line(), line())) == "AR_LINE_NUMBER_INVALID"
    invoice = await made(pod, with_lines(line(LineNumber=None), line(LineNumber=7), line(LineNumber=None)))
    assert [each.number for each in invoice.lines] == [1, 7, 8]


async def test_an_item_or_a_memo_line_describes_its_line(pod: Pod) -> None:
    item, memo = line(Description=None, ItemNumber="SKU-1"), line(Description=None, MemoLine="Shipping", LineNumber=2)
    invoice = await made(pod, with_lines(item, memo))
    assert [each.description for each in invoice.lines] == ["Cotton shirt", "Shipping"]


async def test_a_refusal_says_what_and_where_with_the_code_behind_the_sentence(pod: Pod) -> None:
    answer = await pod.bill(invoice_body(InvoiceStatus="Incomplete"))
    (details,) = answer.json()["o:errorDetails"]
    assert details["o:errorPath"] == "/InvoiceStatus"
    assert details["detail"].endswith("incomplete or frozen invoice. (AR-857798)")
    assert answer.json()["status"] == "400"
    plain = await pod.http.post(
        str(answer.url), json=invoice_body(BusinessUnit="Nowhere"), headers={"Accept": "application/json"}
    )
    assert plain.text == "The business unit you entered doesn't exist. (AR_BU_NOT_FOUND)"


async def test_customers_and_sites_can_be_disabled_and_named(pod: Pod) -> None:
    pod.twin.set_customer("1006", enabled=False)
    assert await refused(pod, invoice_body()) == "AR_BILL_TO_CUST_NOT_FOUND"
    pod.twin.set_customer("1006", enabled=True)
    sites = pod.twin.world.receivables.customer("1006").sites
    sites.append(CustomerSite("Second", "US Web Sales", primary=False))
    assert (await made(pod, invoice_body("A"))).site == "Web Store US Billing"
    assert (await made(pod, invoice_body("B", BillToSite="Second"))).site == "Second"
    sites[0].active = False
    by_name = invoice_body("C", BillToCustomerNumber=None, BillToCustomerName="Web Store US")
    assert (await made(pod, by_name)).site == "Second"


async def test_the_accounting_date_needs_an_open_receivables_period_whatever_the_ledger_says(pod: Pod) -> None:
    october = {"TransactionDate": "2026-10-31", "AccountingDate": "2026-10-31"}
    assert await refused(pod, invoice_body(**october)) == "AR_ACCOUNTING_DATE_INVALID"
    pod.twin.set_period("US Primary Ledger", "Oct-26", "O", application=RECEIVABLES)
    pod.twin.set_period("US Primary Ledger", "Oct-26", "C")
    await made(pod, invoice_body("A", **october))
    future = await made(pod, invoice_body("B", AccountingDate="2026-12-01"))
    assert (future.transaction_date.isoformat(), future.accounting_date.isoformat()) == ("2026-11-20", "2026-12-01")
    today = await made(pod, invoice_body("C", TransactionDate=None, AccountingDate=None))
    assert today.accounting_date.isoformat() == "2026-11-20"
    pod.twin.set_period("US Primary Ledger", "Nov-26", "C", application=RECEIVABLES)
    assert await refused(pod, invoice_body("D")) == "AR_ACCOUNTING_DATE_INVALID"


async def test_a_foreign_currency_needs_a_conversion(pod: Pod) -> None:
    euro: dict[str, Any] = {"InvoiceCurrencyCode": "EUR"}
    assert await refused(pod, invoice_body(**euro)) == "AR_CONVERSION_TYPE_REQ"
    assert await refused(pod, invoice_body(**euro, ConversionRateType="Guess")) == "AR_CONVERSION_TYPE_REQ"
    assert await refused(pod, invoice_body(**euro, ConversionRateType="User")) == "AR_CONVERSION_RATE_REQ"
    spot = invoice_body(**euro, ConversionRateType="Spot")
    assert await refused(pod, spot) == "AR_CONVERSION_RATE_NOT_FOUND"
    daily = await made(pod, invoice_body("A", "10.00", **euro, ConversionRateType="Corporate"))
    assert daily.conversion_rate == Decimal("1.0832")
    assert {row.accounted for row in daily.distributions} == {Decimal("10.83")}
    own = await made(pod, invoice_body("B", "10.00", **euro, ConversionRateType="User", ConversionRate=1.5))
    assert (own.amount, own.distributions[0].accounted) == (10, 15)


async def test_line_amounts_are_rounded_to_the_currency(pod: Pod) -> None:
    dollars = await made(pod, with_lines(line(Quantity=3, UnitSellingPrice=3.335), TransactionNumber="A"))
    assert dollars.amount == Decimal("10.01")
    conversion = {"ConversionRateType": "User", "ConversionRate": 1}
    yen = with_lines(line(UnitSellingPrice=10.5), TransactionNumber="B", InvoiceCurrencyCode="JPY", **conversion)
    assert (await made(pod, yen)).amount == 11
    dinar = with_lines(line(UnitSellingPrice=1.2345), TransactionNumber="C", InvoiceCurrencyCode="BHD", **conversion)
    assert (await made(pod, dinar)).amount == Decimal("1.235")


async def test_negative_lines_are_taken_and_zero_totals_by_setting(pod: Pod) -> None:
    discount = line(LineNumber=2, Quantity=-1, UnitSellingPrice=4)
    assert (await made(pod, with_lines(line(), discount, TransactionNumber="A"))).amount == 6
    nothing = with_lines(line(), line(LineNumber=2, UnitSellingPrice=-10), TransactionNumber="B")
    assert (await made(pod, nothing)).amount == 0
    pod.twin.world.receivables.habits.zero_total = False
    assert await refused(pod, nothing | {"TransactionNumber": "C"}) == "AR_ZERO_AMOUNT"
    negative = with_lines(line(UnitSellingPrice=-1), TransactionNumber="D")
    assert (await made(pod, negative)).amount == -1
    pod.twin.world.receivables.types[0].sign = "positive"
    assert await refused(pod, negative | {"TransactionNumber": "E"}) == "AR_CREATION_SIGN"


async def test_terms_make_the_due_date_and_the_installments(pod: Pod) -> None:
    document = await pod.billed(invoice_body("A", "10.01", PaymentTerms="50 50 Split", DueDate="2026-11-21"))
    rows = document["receivablesInvoiceInstallments"]["items"]
    assert [(row["InstallmentDueDate"], row["OriginalAmount"]) for row in rows] == [
        ("2026-12-20", 5.01), ("2027-01-19", 5),
    ]  # fmt: skip
    assert document["DueDate"] == "2027-01-19"


def tax_of(invoice: Invoice) -> list[tuple[str, str]]:
    return [(tax.rate_code, str(tax.amount)) for each in invoice.lines for tax in each.taxes]


@pytest.mark.parametrize(
    ("engine", "total", "taxes"),
    [
        ("manual", "10.83", [("US SALES TAX", "0.83")]),
        ("adds", "10.98", [("US SALES TAX", "0.83"), ("ENGINE TAX", "0.15")]),
        ("ignores", "10.00", []),
        ("replaces", "10.15", [("ENGINE TAX", "0.15")]),
    ],
)
async def test_what_becomes_of_manual_tax_is_the_tax_engines_decision(
    pod: Pod, engine: TaxEngine, total: str, taxes: list[tuple[str, str]]
) -> None:
    pod.twin.world.receivables.habits.tax_engine = engine
    taxed = line(receivablesInvoiceLineTaxLines=[{**TAX, "TaxAmount": 0.83}])
    document = await pod.billed(with_lines(taxed, TransactionNumber="A"))
    assert Decimal(str(document["EnteredAmount"])) == Decimal(total)
    invoice = pod.twin.invoices()[-1]
    assert tax_of(invoice) == taxes
    manual = [
        distribution("Revenue", REVENUE, "10.00", InvoiceLineNumber=1),
        distribution("Tax", TAX_ACCOUNT, "0.83", InvoiceLineNumber=1, DetailedTaxLineNumber=1),
        distribution("Receivable", RECEIVABLE, "10.83"),
    ]
    with_rows = await made(pod, with_lines(taxed, TransactionNumber="B", receivablesInvoiceDistributions=manual))
    assert with_rows.amount == Decimal(total)
    by_class = {
        kind: sum(row.amount for row in with_rows.distributions if row.account_class == kind)
        for kind in ("Receivable", "Revenue", "Tax")
    }
    assert by_class == {"Receivable": Decimal(total), "Revenue": 10, "Tax": Decimal(total) - 10}


async def test_tax_lines_need_a_known_rate_and_its_regime(pod: Pod) -> None:
    def taxed(**facts: Any) -> dict[str, Any]:
        return with_lines(line(receivablesInvoiceLineTaxLines=[TAX | facts]), TransactionNumber="A")

    assert await refused(pod, taxed(TaxRateCode="Nothing")) == "AR_TAX_RATE_NOT_FOUND"
    assert await refused(pod, taxed(TaxRegimeCode="DE VAT")) == "AR_TAX_REGIME_NOT_FOUND"
    assert await refused(pod, taxed(TaxInclusiveIndicator="Y")) == "AR_TAX_INCLUSIVE_NOT_ALLOWED"
    assert tax_of(await made(pod, taxed())) == [("US SALES TAX", "0.83")]
    pod.twin.world.receivables.habits.tax_engine = "adds"
    pod.twin.world.receivables.habits.engine_rate = "Nothing"
    assert await refused(pod, taxed() | {"TransactionNumber": "B"}) == "AR_TAX_ENGINE_ERROR"


async def test_autoaccounting_makes_what_is_missing(pod: Pod) -> None:
    taxed = line(receivablesInvoiceLineTaxLines=[{**TAX, "TaxAmount": 1}])
    rows = [distribution("Revenue", REVENUE, "10.00", InvoiceLineNumber=1, Comments="rule 7")]
    invoice = await made(pod, with_lines(taxed, line(LineNumber=2), receivablesInvoiceDistributions=rows))
    assert [(row.account_class, row.account, str(row.amount), row.manual) for row in invoice.distributions] == [
        ("Receivable", RECEIVABLE, "21.00", False),
        ("Revenue", REVENUE, "10.00", True),
        ("Tax", TAX_ACCOUNT, "1.00", False),
        ("Revenue", OTHER_REVENUE, "10.00", False),
    ]
    assert invoice.distributions[1].comments == "rule 7"


async def test_autoaccounting_follows_memo_lines_and_tax_rates_and_needs_good_accounts(pod: Pod) -> None:
    setup = pod.twin.world.receivables
    setup.memo_lines["Shipping"] = FREIGHT_ACCOUNT
    rate = setup.tax_rate("US SALES TAX")
    assert rate is not None
    rate.accounts["US Web Sales"] = "101-110-22100-0000"
    shipping = line(MemoLine="Shipping", receivablesInvoiceLineTaxLines=[{**TAX, "TaxAmount": 1}])
    invoice = await made(pod, with_lines(shipping))
    assert [row.account for row in invoice.distributions] == [RECEIVABLE, FREIGHT_ACCOUNT, "101-110-22100-0000"]
    pod.twin.set_account(RECEIVABLE, enabled=False)
    assert await refused(pod, invoice_body("B")) == "AR_ACCOUNT_INVALID"


async def test_distributions_must_make_the_amounts_they_distribute(pod: Pod) -> None:
    def body(*rows: dict[str, Any]) -> dict[str, Any]:
        return invoice_body(None, "10.00", TransactionSource="ML Connector Auto") | {
            "receivablesInvoiceDistributions": list(rows)
        }

    short = distribution("Revenue", REVENUE, "9.99", InvoiceLineNumber=1)
    assert await refused(pod, body(short)) == "AR_DIST_AMOUNT_MISMATCH"
    assert await refused(pod, body(distribution("Receivable", RECEIVABLE, "9.99"))) == "AR_DIST_AMOUNT_MISMATCH"
    elsewhere = distribution("Revenue", REVENUE, "10.00", InvoiceLineNumber=2)
    assert await refused(pod, body(elsewhere)) == "AR_DIST_LINE_NOT_FOUND"
    assert await refused(pod, body(distribution("Tax", TAX_ACCOUNT, "0", InvoiceLineNumber=1))) == (
        "AR_DIST_LINE_NOT_FOUND"
    )
    assert await refused(pod, body(distribution("Suspense", REVENUE, "10.00"))) == "AR_ACCOUNT_CLASS_INVALID"
    nothing = distribution("Revenue", REVENUE, InvoiceLineNumber=1)
    assert await refused(pod, body(nothing)) == "AR_DIST_AMOUNT_REQ"
    halves = [
        distribution("Revenue", account, amount, InvoiceLineNumber=1)
        for account, amount in ((REVENUE, "4.00"), (OTHER_REVENUE, "6.00"))
    ]
    assert len((await made(pod, body(*halves))).distributions) == 3


async def test_shares_that_make_a_whole_lose_nothing_to_rounding(pod: Pod) -> None:
    thirds = [
        distribution("Revenue", account, InvoiceLineNumber=1, Percent=percent)
        for account, percent in ((REVENUE, 33.33), (OTHER_REVENUE, 33.33), (FREIGHT_ACCOUNT, 33.34))
    ]
    invoice = await made(pod, invoice_body("A", "0.10", receivablesInvoiceDistributions=thirds))
    assert [str(row.amount) for row in invoice.distributions[1:]] == ["0.03", "0.03", "0.04"]


@pytest.mark.parametrize(
    "facts",
    [{"enabled": False}, {"posting_allowed": False}, {"import_refuses": "EF04"}],
    ids=lambda facts: next(iter(facts)),
)
async def test_accounts_of_distributions_must_be_valid_and_enabled(pod: Pod, facts: dict[str, Any]) -> None:
    rows = [distribution("Revenue", "101-000-99999-0000", "19.95", InvoiceLineNumber=1)]
    assert await refused(pod, invoice_body(receivablesInvoiceDistributions=rows)) == "AR_ACCOUNT_INVALID"
    rows[0]["AccountCombination"] = REVENUE
    pod.twin.set_account(REVENUE, **facts)
    assert await refused(pod, invoice_body(receivablesInvoiceDistributions=rows)) == "AR_ACCOUNT_INVALID"


async def test_freight_is_a_matter_of_the_header_or_of_the_lines(pod: Pod) -> None:
    both = with_lines(line(AllocatedFreightAmount=3), FreightAmount=3)
    assert await refused(pod, both) == "AR_FREIGHT_LEVELS"
    header = await made(pod, invoice_body("A", "10.00", FreightAmount=3))
    assert (header.amount, [row.account for row in header.distributions][-1]) == (13, FREIGHT_ACCOUNT)
    lines = await made(pod, with_lines(line(AllocatedFreightAmount=3), TransactionNumber="B"))
    assert (lines.amount, lines.distributions[-1].line_number) == (13, 1)
    pod.twin.world.receivables.types[0].freight_account = None
    assert await refused(pod, invoice_body("C", FreightAmount=3)) == "AR_FREIGHT_NOT_ALLOWED"


async def test_what_is_refused_takes_no_number(pod: Pod) -> None:
    rows = [distribution("Revenue", REVENUE, "1.00", InvoiceLineNumber=1)]
    automatic = {"TransactionSource": "ML Connector Auto"}
    await refused(pod, invoice_body(None, receivablesInvoiceDistributions=rows, **automatic))
    assert (await made(pod, invoice_body(None, **automatic))).number == "1001"
    await refused(pod, invoice_body("MLC-1", receivablesInvoiceDistributions=rows))
    assert (await made(pod, invoice_body("MLC-1"))).number == "MLC-1"
