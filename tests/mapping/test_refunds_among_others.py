"""A refund among the others of its order: what they took back counts, as they were booked and whatever came between."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from support.books_of_order import OrderBooks

from contracts.refund import Refund, RefundItem, RefundTender
from contracts.sale import Sale

RETURNED = dt.datetime(2026, 4, 2, 1, 0, tzinfo=dt.UTC)
DECLINED = RefundTender(kind="payment", amount=Decimal("60.00"), declined=True)


def refund(number: str, total: str, *items: RefundItem, **fields: Any) -> Refund:
    """Back on the card; a free amount where no items are given."""
    given: dict[str, Any] = {
        "connection": "bc-us",
        "refund_id": number,
        "order_id": "1024",
        "created_at": RETURNED,
        "currency": "USD",
        "total": total,
        "tax": "0.00",
        "items": items or (RefundItem(kind="order", key="1024", amount=Decimal(total)),),
        "tenders": (RefundTender(kind="payment", amount=Decimal(total)),),
    }
    return Refund.model_validate(given | fields)


def pieces(line: str, number: str = "1") -> RefundItem:
    return RefundItem(kind="product", key=line, quantity=Decimal(number))


@pytest.fixture
def books(company: Any) -> OrderBooks:
    """A shirt and a mug, each with an account of its own."""
    rules = company.full_set().rules
    mugs = company.rule("mugs", "revenue", "*-10-41111", sku=["MUG"])
    return OrderBooks(company, mapping_set=company.set(mugs, *rules))


def order(company: Any, shirt: str | None, mug: str) -> Sale:
    lines = [company.line(mug, key="2", sku="MUG", name="Mug")]
    if shirt is not None:
        lines.insert(0, company.line(shirt))
    sale: Sale = company.sale(lines=tuple(lines))
    return sale


def codes(books: OrderBooks, one: Refund, known: Sequence[Refund]) -> list[str]:
    return [problem.code for problem in books.refund(one, known=known).problems]


def test_what_was_booked_before_an_edit_counts_as_it_was_booked(company: Any, books: OrderBooks) -> None:
    books.sell(company.snapshot(order(company, "10.00", "10.00")))
    first, rest = refund("7", "10.00"), refund("8", "30.00")
    assert books.refund(first, known=[first]).journal
    assert books.edit(company.snapshot(order(company, "10.00", "30.00"))).journal
    assert books.refund(rest, known=[first, rest]).journal
    assert books.balances() == {}


def test_what_was_given_back_of_a_line_that_is_gone_comes_back_with_the_rest(company: Any, books: OrderBooks) -> None:
    books.sell(company.snapshot(order(company, "10.00", "10.00")))
    first, rest = refund("7", "10.00", pieces("1")), refund("8", "15.00")
    assert books.refund(first, known=[first]).journal
    assert books.edit(company.snapshot(order(company, None, "25.00"))).journal
    assert books.refund(rest, known=[first, rest]).journal
    assert books.balances() == {}


@pytest.mark.parametrize("booked", [True, False])
def test_an_older_refund_that_nobody_can_read_any_more_counts_with_its_total(
    company: Any, books: OrderBooks, booked: bool
) -> None:
    """Its line was removed: where it was not booked before, only the shop's total is known of it."""
    books.sell(company.snapshot(order(company, "10.00", "10.00")))
    first, more = refund("7", "10.00", pieces("1")), refund("8", "20.00", pieces("2"))
    if booked:
        assert books.refund(first, known=[first]).journal
    books.edit(company.snapshot(order(company, None, "20.00")))
    assert codes(books, more, [first, more]) == ["over_refund"]
    if not booked:
        assert codes(books, first, [first, more]) == ["unknown_refund_item"]
        less = refund("8", "4.00")
        assert books.refund(less, known=[first, less]).journal


def test_a_refund_that_is_repeated_counts_what_younger_ones_took_meanwhile(company: Any, books: OrderBooks) -> None:
    books.sell(company.snapshot(order(company, "50.00", "50.00")))
    first, second = refund("7", "60.00", tenders=(DECLINED,)), refund("8", "60.00")
    assert books.refund(second, known=[first, second]).journal
    repeated = refund("7", "60.00")
    assert codes(books, repeated, [repeated, second]) == ["over_refund"]


def test_a_refund_that_is_repeated_falls_on_what_younger_ones_left(company: Any, books: OrderBooks) -> None:
    books.sell(company.snapshot(order(company, "60.00", "40.00")))
    first, second = refund("7", "30.00", tenders=(DECLINED,)), refund("8", "60.00", pieces("1"))
    assert books.refund(second, known=[first, second]).journal
    repeated = refund("7", "30.00")
    journal = books.refund(repeated, known=[repeated, second]).journal
    assert journal is not None
    assert {line.source_key: line.debit - line.credit for line in journal.lines} == {
        "line:2": Decimal("30.00"),
        "payment:Credit Card": Decimal("-30.00"),
    }
