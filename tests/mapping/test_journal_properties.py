"""What holds for every sale, whatever a shop sends."""

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from support.any_sale import ANY_ROUNDING, build, sales

from contracts.journal import Purpose


@settings(max_examples=200, deadline=None)
@given(drawn=sales())
def test_every_sale_becomes_a_balanced_journal_that_says_what_the_sale_says(
    company: Any, drawn: dict[str, Any]
) -> None:
    sale = build(company, drawn)
    books = company.books(currency=sale.currency, conversion_type="Corporate")
    mapped = company.map(sale, books=books, policy=ANY_ROUNDING)
    assert mapped.problems == ()
    if mapped.journal is None:
        assert mapped.skipped
        assert not any((sale.total, sale.rounding, *(line.net for line in sale.lines)))
        return

    lines = mapped.journal.lines
    assert sum(line.debit for line in lines) == sum(line.credit for line in lines) > 0

    def credited(*purposes: Purpose) -> Decimal:
        return sum((line.credit - line.debit for line in lines if line.purpose in purposes), start=Decimal(0))

    assert credited(Purpose.REVENUE) == sum(line.net for line in sale.lines if line.kind != "gift_certificate")
    assert credited(Purpose.TAX) == sum(tax.amount for tax in sale.taxes)
    assert credited(Purpose.SHIPPING) == sum(charge.net for charge in sale.charges if charge.kind == "shipping")
    assert credited(Purpose.CLEARING) == -sum(tender.amount for tender in sale.tenders if tender.kind == "payment")
    assert credited(Purpose.ROUNDING) == sale.rounding
    sold = sum(line.net for line in sale.lines if line.kind == "gift_certificate")
    redeemed = sum(tender.amount for tender in sale.tenders if tender.kind == "gift_certificate")
    assert credited(Purpose.GIFT_CERTIFICATE) == sold - redeemed


@settings(max_examples=100, deadline=None)
@given(drawn=sales())
def test_every_line_is_explained_in_240_characters_and_exact_to_the_minor_unit(
    company: Any, drawn: dict[str, Any]
) -> None:
    sale = build(company, drawn)
    books = company.books(currency=sale.currency, conversion_type="Corporate")
    journal = company.map(sale, books=books, policy=ANY_ROUNDING).journal
    for line in journal.lines if journal else ():
        assert len(line.description) <= 240
        assert line.description.isprintable()
        assert line.rule is not None
        assert line.description.endswith(f" | order 1024 | retail v7 rule {line.rule.rule}")
        assert line.segments[0] == books.balancing_segment
        assert -line.debit.as_tuple().exponent == -line.credit.as_tuple().exponent == sale.minor_units


@settings(max_examples=100, deadline=None)
@given(drawn=sales(), covered=st.sets(st.sampled_from(list(Purpose))))
def test_without_suspense_a_sale_is_posted_whole_or_not_at_all(
    company: Any, drawn: dict[str, Any], covered: set[Purpose]
) -> None:
    sale = build(company, drawn)
    books = company.books(currency=sale.currency, conversion_type="Corporate")
    every = company.full_set()
    rules = company.set(*(rule for rule in every.rules if rule.purpose in covered))
    whole = company.map(sale, every, books=books, policy=ANY_ROUNDING).journal
    partial = company.map(sale, rules, books=books, policy=ANY_ROUNDING)
    needed = {line.purpose for line in whole.lines} if whole else set()
    assert (partial.journal is None) == (whole is None or not needed <= covered)
    assert bool(partial.problems) == (not needed <= covered)

    suspended = company.map(sale, rules.model_copy(update={"suspense": "*-1-1"}), books=books, policy=ANY_ROUNDING)
    if whole:
        assert suspended.journal is not None
        assert suspended.journal.total == whole.total
        assert suspended.journal.suspense == (not needed <= covered)
