"""One order, one invoice on the account of its store."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from contracts.configuration import PostingPolicy
from contracts.journal import Purpose
from contracts.names import short_reference
from contracts.receivable import Invoice, InvoiceLine
from contracts.steps.documents import Mapped
from mapping.receivable import to_invoice

VAT = {"regime": "EU VAT", "rate_code": "VAT20"}


def invoice(mapped: Mapped) -> Invoice:
    assert mapped.problems == ()
    assert mapped.invoice is not None, mapped
    return mapped.invoice


def line(mapped: Mapped, purpose: Purpose) -> InvoiceLine:
    (found,) = [one for one in invoice(mapped).lines if one.purpose is purpose]
    return found


@pytest.fixture
def basket(company: Any) -> Any:
    """Three shirts, shipping and tax for 125.40; a certificate and store credit pay 35.40, a card the rest."""
    return company.sale(
        lines=(company.line("90.00", quantity=Decimal(3)), company.line("10.00", key="2", kind="gift_certificate")),
        charges=(company.charge("shipping", "15.00"),),
        taxes=(company.tax("10.40"),),
        tenders=(
            company.tender("90.00"),
            company.tender("25.40", "gift_certificate", ""),
            company.tender("10.00", "store_credit", ""),
        ),
    )


def test_the_invoice_is_what_the_payment_providers_owe(company: Any, basket: Any) -> None:
    made = invoice(company.bill(basket))

    assert basket.total == Decimal("125.40")
    assert made.total == Decimal("90.00")
    assert [(one.number, one.purpose, one.amount) for one in made.lines] == [
        (1, Purpose.REVENUE, Decimal("90.00")),
        (2, Purpose.GIFT_CERTIFICATE, Decimal("10.00")),
        (3, Purpose.SHIPPING, Decimal("15.00")),
        (4, Purpose.TAX, Decimal("10.40")),
        (5, Purpose.GIFT_CERTIFICATE, Decimal("-25.40")),
        (6, Purpose.STORE_CREDIT, Decimal("-10.00")),
    ]
    assert all(one.tax is None for one in made.lines)


def test_it_names_customer_source_type_and_both_references(company: Any, basket: Any) -> None:
    made = invoice(company.bill(basket, billing={"bill_to_site": "1042", "payment_terms": "IMMEDIATE"}))

    assert made.reference == "acme/bc-us/order/1024/invoice/1"
    assert made.number == short_reference(made.reference, 20)
    assert len(made.number) == 20
    assert (made.business_unit, made.transaction_source, made.transaction_type) == ("US Retail", "Web Shop", "Invoice")
    assert (made.customer_account, made.bill_to_site, made.payment_terms) == ("WEB-US", "1042", "IMMEDIATE")
    assert (made.home, made.order_number, made.currency) == ("transaction_number", "1024", "USD")
    assert made.comments == "Order 1024 (bc-us), placed 2026-03-10 in America/Chicago"
    assert (made.mapping_set, made.mapping_version) == ("retail", 7)


def test_quantity_times_unit_price_where_that_is_exact(company: Any) -> None:
    made = line(company.bill(company.sale(lines=(company.line("90.00", quantity=Decimal(3)),))), Purpose.REVENUE)
    assert (made.quantity, made.unit_price, made.amount) == (Decimal(3), Decimal("30.00"), Decimal("90.00"))


@pytest.mark.parametrize("quantity", ["3", "0", "-2", "0.333"])
def test_one_at_the_whole_amount_where_a_unit_price_would_be_rounded(company: Any, quantity: str) -> None:
    sold = company.line("100.00", quantity=Decimal(quantity))
    made = line(company.bill(company.sale(lines=(sold,))), Purpose.REVENUE)
    assert (made.quantity, made.unit_price, made.amount) == (Decimal(1), Decimal("100.00"), Decimal("100.00"))
    assert made.description.startswith(f"{quantity} x Blue shirt [SHIRT-1]")


def test_no_clearing_rule_is_needed(company: Any, basket: Any) -> None:
    every = company.full_set()
    without = company.set(*(rule for rule in every.rules if rule.purpose is not Purpose.CLEARING))
    assert invoice(company.bill(basket, without)).total == Decimal("90.00")


def test_an_unmapped_line_is_a_problem_as_for_a_journal(company: Any, basket: Any) -> None:
    every = company.full_set()
    without = company.set(*(rule for rule in every.rules if rule.purpose is not Purpose.STORE_CREDIT))
    assert [one.code for one in company.bill(basket, without).problems] == ["unmapped_account"]
    suspended = company.bill(basket, without.model_copy(update={"suspense": "*-1-1"}))
    assert invoice(suspended).suspense
    assert line(suspended, Purpose.SUSPENSE).segments == ("101", "1", "1")


def test_the_receivable_account_is_a_rules_or_fusions_own(company: Any, basket: Any) -> None:
    every = company.full_set()
    without = company.set(*(rule for rule in every.rules if rule.purpose is not Purpose.RECEIVABLE), suspense="*-1-1")
    assert invoice(company.bill(basket, without)).receivable is None
    named = company.set(*without.rules, company.rule("owed", "receivable", "*-00-12100", channel=("1",)))
    assert invoice(company.bill(basket, named)).receivable == ("101", "00", "12100")
    foreign = company.set(*without.rules, company.rule("owed", "receivable", "999-00-12100"))
    assert [one.code for one in company.bill(basket, foreign).problems] == ["wrong_legal_entity"]


def test_tax_lines_carry_fusions_names_and_come_last(company: Any, basket: Any) -> None:
    made = invoice(company.bill(basket, billing={"tax": "tax_lines", "tax_codes": {"state tax ": VAT}}))
    assert [one.purpose for one in made.lines if one.tax] == [Purpose.TAX]
    assert made.lines[-1].tax is not None
    assert made.lines[-1].tax.rate_code == "VAT20"
    assert [one.number for one in made.lines] == [1, 2, 3, 4, 5, 6]
    assert made.total == Decimal("90.00")


def test_a_tax_title_without_a_code_is_a_problem(company: Any, basket: Any) -> None:
    mapped = company.bill(basket, billing={"tax": "tax_lines", "tax_codes": {"VAT": VAT}})
    (problem,) = mapped.problems
    assert problem.code == "no_tax_code"
    assert 'tax title "State Tax"' in problem.sentence
    assert "manual_lines" in problem.remedy


def test_tax_alone_has_no_line_to_belong_to(company: Any) -> None:
    sale = company.sale(lines=(company.line("0.00"),), taxes=(company.tax("1.00"),))
    settings = {"tax": "tax_lines", "tax_codes": {"State Tax": VAT}}
    assert [one.code for one in company.bill(sale, billing=settings).problems] == ["tax_without_line"]
    assert invoice(company.bill(sale)).total == Decimal("1.00")


def test_an_order_paid_by_certificate_is_an_invoice_over_nothing(company: Any) -> None:
    sale = company.sale(tenders=(company.tender("100.00", "gift_certificate", ""),))
    made = invoice(company.bill(sale))
    assert made.total == 0
    assert [one.amount for one in made.lines] == [Decimal("100.00"), Decimal("-100.00")]


def test_an_order_over_nothing_is_skipped(company: Any) -> None:
    sale = company.sale(lines=(company.line("0.00"),))
    assert company.bill(sale).skipped == "zero total: the order has nothing to book"


def test_a_negative_invoice_is_a_problem(company: Any) -> None:
    sale = company.sale(
        tenders=(company.tender("120.00", "gift_certificate", ""), company.tender("-20.00", "payment", "Cash"))
    )
    (problem,) = company.bill(sale).problems
    assert problem.code == "negative_invoice"
    assert "-20.00 USD" in problem.sentence


def test_books_that_say_nothing_of_receivables_are_a_problem(company: Any, basket: Any) -> None:
    mapped = to_invoice(
        company.snapshot(basket),
        tenant="acme",
        integration=company.integration(),
        books=company.books(),
        mapping_set=company.full_set(),
        lookups=company.lookups(),
        ordinal=1,
    )
    assert [one.code for one in mapped.problems] == ["no_receivable_books"]


def test_a_closed_period_moves_the_accounting_date_and_not_the_invoices(company: Any) -> None:
    periods = (company.month(2, "closed"), company.month(3))
    sale = company.sale(placed_at=dt.datetime(2026, 2, 27, 18, tzinfo=dt.UTC))
    made = invoice(company.bill(sale, lookups=company.lookups(periods=periods)))
    assert made.transaction_date == dt.date(2026, 2, 27)
    assert made.accounting_date == dt.date(2026, 3, 1)
    assert made.date_moved


def test_an_unopened_period_is_to_be_opened_for_receivables(company: Any) -> None:
    lookups = company.lookups(periods=(company.month(3, "never_opened"),))
    waiting = company.bill(company.sale(), lookups=lookups).waiting
    assert waiting is not None
    assert "Open Mar-26 for Receivables" in waiting.remedy


def test_foreign_currency_takes_the_rate_of_the_sale(company: Any) -> None:
    books = company.books(currency="EUR", conversion_type="Corporate")
    made = invoice(company.bill(company.sale(currency="EUR"), books=books))
    assert (made.conversion_type, made.conversion_date) == ("Corporate", dt.date(2026, 3, 10))
    missing = company.bill(company.sale(currency="EUR"), books=books, lookups=company.lookups(rate_available=False))
    assert missing.waiting is not None
    assert missing.waiting.code == "no_conversion_rate"


def test_every_problem_is_named_at_once(company: Any, basket: Any) -> None:
    mapped = company.bill(
        basket,
        company.set(company.rule("revenue", "revenue")),
        billing={"tax": "tax_lines"},
        lookups=company.lookups(periods=(company.month(3, "closed"),)),
        policy=PostingPolicy(late_days=0),
    )
    assert {one.code for one in mapped.problems} == {"period_closed", "unmapped_account", "no_tax_code"}
