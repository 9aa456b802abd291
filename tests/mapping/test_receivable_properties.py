"""What holds for the invoice of every sale, whatever a shop sends."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

from hypothesis import assume, given, settings
from support.any_sale import ANY_ROUNDING, build, sales

from contracts.journal import Purpose
from contracts.receivable import Invoice
from contracts.sale import Sale
from contracts.steps.documents import Mapped


def bill(company: Any, sale: Sale, **fields: Any) -> Mapped:
    books = company.books(currency=sale.currency, conversion_type="Corporate")
    mapped: Mapped = company.bill(sale, books=books, policy=ANY_ROUNDING, **fields)
    return mapped


def billed(mapped: Mapped) -> Invoice:
    assume(mapped.invoice is not None)
    assert mapped.invoice is not None
    return mapped.invoice


@settings(max_examples=300, deadline=None)
@given(drawn=sales())
def test_lines_come_to_the_shops_total_less_what_liabilities_paid(company: Any, drawn: dict[str, Any]) -> None:
    sale = build(company, drawn)
    settled = sum((one.amount for one in sale.tenders if one.kind != "payment"), start=Decimal(0))
    mapped = bill(company, sale)
    if mapped.invoice is None:
        negative = [one.code for one in mapped.problems] == ["negative_invoice"]
        assert negative == (sale.total - settled < 0)
        assert negative or mapped.skipped
        return
    invoice = mapped.invoice
    assert sum(line.amount for line in invoice.lines) == invoice.total == sale.total - settled >= 0
    assert [line.number for line in invoice.lines] == list(range(1, len(invoice.lines) + 1))


@settings(max_examples=300, deadline=None)
@given(drawn=sales())
def test_every_account_gets_what_the_journal_of_the_same_sale_credits_it(company: Any, drawn: dict[str, Any]) -> None:
    sale = build(company, drawn)
    invoice = billed(bill(company, sale))
    books = company.books(currency=sale.currency, conversion_type="Corporate")
    journal = company.map(sale, books=books, policy=ANY_ROUNDING).journal
    credited: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    for line in journal.lines:
        if line.purpose is not Purpose.CLEARING:
            credited[line.segments] += line.credit - line.debit
    distributed: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    for sold in invoice.lines:
        distributed[sold.segments] += sold.amount
    assert distributed == credited


@settings(max_examples=200, deadline=None)
@given(drawn=sales())
def test_every_line_multiplies_exactly_and_is_explained(company: Any, drawn: dict[str, Any]) -> None:
    sale = build(company, drawn)
    for line in billed(bill(company, sale)).lines:
        assert line.quantity * line.unit_price == line.amount != 0
        assert -int(line.amount.as_tuple().exponent) == sale.minor_units
        assert len(line.description) <= 240
        assert line.description.isprintable()
        assert line.rule is not None
        assert line.description.endswith(f" | order 1024 | retail v7 rule {line.rule.rule}")


@settings(max_examples=200, deadline=None)
@given(drawn=sales())
def test_how_tax_is_sent_does_not_change_the_total(company: Any, drawn: dict[str, Any]) -> None:
    sale = build(company, drawn)
    codes = {tax.title: {"regime": "R", "rate_code": "C"} for tax in sale.taxes}
    by_lines = billed(bill(company, sale))
    by_engine = bill(company, sale, billing={"tax": "tax_lines", "tax_codes": codes})
    if by_engine.invoice is None:
        assert [one.code for one in by_engine.problems] == ["tax_without_line"]
        assert {line.purpose for line in by_lines.lines} == {Purpose.TAX}
        return
    assert by_engine.invoice.total == by_lines.total
    assert sum(line.amount for line in by_engine.invoice.lines if line.tax) == sum(tax.amount for tax in sale.taxes)
