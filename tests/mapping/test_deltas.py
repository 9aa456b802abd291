"""What an edit or a cancellation after posting books: the difference to what the ledger holds, and nothing else."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from support.books_of_order import OrderBooks

from contracts.configuration import PostingPolicy
from contracts.journal import Purpose
from contracts.refund import Refund, RefundItem, RefundTender
from contracts.sale import OrderSnapshot, Sale
from mapping.deltas import NO_DIFFERENCE, to_delta
from mapping.refund_journal import REVERSED

EDITED = dt.datetime(2026, 5, 4, 18, 0, tzinfo=dt.UTC)


def at(company: Any, sale: Sale, **fields: Any) -> OrderSnapshot:
    snapshot: OrderSnapshot = company.snapshot(sale).model_copy(update={"modified_at": EDITED} | fields)
    return snapshot


@pytest.fixture
def versions(company: Any) -> tuple[Sale, Sale]:
    """A shirt for 100.00 and shipping, and the same order with another price, a mug and more tax."""
    first = company.sale(
        lines=(company.line("100.00"),), charges=(company.charge("shipping", "5.00"),), taxes=(company.tax("8.00"),)
    )
    second = company.sale(
        lines=(company.line("90.00"), company.line("30.00", key="2", sku="MUG", name="Mug")),
        charges=(company.charge("shipping", "5.00"),),
        taxes=(company.tax("9.60"),),
    )
    return first, second


def test_an_edit_books_what_changed_and_leaves_the_rest_alone(company: Any, versions: tuple[Sale, Sale]) -> None:
    books = OrderBooks(company)
    first, second = versions
    books.sell(at(company, first))
    mapped = books.edit(at(company, second))
    assert mapped.journal is not None
    assert {line.source_key: line.debit - line.credit for line in mapped.journal.lines} == {
        "line:1": Decimal("10.00"),
        "line:2": Decimal("-30.00"),
        "tax:State Tax": Decimal("-1.60"),
        "payment:Credit Card": Decimal("21.60"),
    }
    assert mapped.journal.reference == "acme/bc-us/order/1024/delta/2"
    assert (
        mapped.journal.lines[0].description == "Edited: 1 x Blue shirt [SHIRT-1] | order 1024 | retail v7 rule revenue"
    )
    fresh = OrderBooks(company)
    fresh.sell(at(company, second))
    assert books.balances() == fresh.balances()


def test_back_and_forth_gives_four_journals_that_cancel(company: Any, versions: tuple[Sale, Sale]) -> None:
    books = OrderBooks(company)
    first, second = versions
    books.sell(at(company, first))
    sold = books.balances()
    for sale in (second, first, second, first):
        assert books.edit(at(company, sale)).journal
    assert books.balances() == sold
    assert [one.reference.split("/", 4)[4] for one in books.journals] == [
        "sale/1",
        *(f"delta/{n}" for n in (2, 3, 4, 5)),
    ]


def test_nothing_is_posted_where_account_and_purpose_agree(company: Any) -> None:
    books = OrderBooks(company)
    books.sell(at(company, company.sale(lines=(company.line("60.00"), company.line("40.00", key="2")))))
    swapped = company.sale(lines=(company.line("40.00"), company.line("60.00", key="2")))
    assert books.edit(at(company, swapped)).skipped == NO_DIFFERENCE
    assert books.edit(at(company, swapped.model_copy(update={"customer_group": "VIP"}))).skipped == NO_DIFFERENCE


def test_another_destination_moves_what_the_rules_tell_apart_and_nothing_else(company: Any) -> None:
    taxes = (
        company.rule("tax-ca", "tax", "*-10-22222", ship_to_state=["CA"]),
        *(rule for rule in company.full_set().rules),
    )
    rules = company.set(*taxes)
    books = OrderBooks(company, mapping_set=rules)
    sale = company.sale(taxes=(company.tax("8.00"),))
    books.sell(at(company, sale))
    # A newer version books revenue elsewhere; what is posted already stays where it is.
    books.settings["mapping_set"] = company.set(
        *(
            rule.model_copy(update={"account": "*-10-77777"}) if rule.purpose is Purpose.REVENUE else rule
            for rule in rules.rules
        ),
        version=8,
    )
    mapped = books.edit(at(company, sale.model_copy(update={"ship_to_state": "CA"})))
    assert mapped.journal is not None
    assert {line.segments[2]: line.debit - line.credit for line in mapped.journal.lines} == {
        "22222": Decimal("-8.00"),
        books.own[1].segments[2]: Decimal("8.00"),
    }


def by_country(company: Any, version: int = 7) -> Any:
    """Revenue of Canada has an account of its own, and another one in version 8."""
    canada = company.rule("canada", "revenue", f"*-10-4{version}000", ship_to_country=["CA"])
    return company.set(canada, *company.full_set().rules, version=version)


def test_what_refunds_took_moves_with_the_amount_they_took_it_from(company: Any) -> None:
    sale = company.sale()
    moved = sale.model_copy(update={"ship_to_country": "CA"})
    books = OrderBooks(company, mapping_set=by_country(company))
    books.sell(at(company, sale))
    assert books.refund(on_the_card("7", "30.00")).journal
    assert books.edit(at(company, moved)).journal
    assert {segments[2]: amount for (purpose, segments), amount in books.balances().items()} == {
        "47000": Decimal("-70.00"),
        books.own[1].segments[2]: Decimal("70.00"),
    }
    # It does not move once more, and back again it moves with the rest.
    dearer = moved.model_copy(update={"charges": (company.charge("shipping", "5.00"),)})
    tenders = (company.tender("105.00"),)
    dearer = dearer.model_copy(update={"tenders": tenders, "total": Decimal("105.00")})
    journal = books.edit(at(company, dearer)).journal
    assert journal is not None
    assert {line.purpose for line in journal.lines} == {Purpose.SHIPPING, Purpose.CLEARING}
    for country in ("US", "CA"):
        assert books.edit(at(company, moved.model_copy(update={"ship_to_country": country}))).journal
    assert books.refund(on_the_card("8", "70.00")).journal
    assert books.balances() == {}


def test_an_order_that_comes_back_under_a_newer_mapping_takes_its_refunds_along(company: Any) -> None:
    sale = company.sale(ship_to_country="CA")
    books = OrderBooks(company, mapping_set=by_country(company))
    books.sell(at(company, sale))
    assert books.refund(on_the_card("7", "30.00")).journal
    assert books.cancel(at(company, sale, status_id="5", status="Cancelled")).journal
    assert books.balances() == {}
    books.settings["mapping_set"] = by_country(company, 8)
    assert books.edit(at(company, sale)).journal
    assert {segments[2] for (purpose, segments) in books.balances() if purpose is Purpose.REVENUE} == {"48000"}
    assert books.refund(on_the_card("8", "70.00")).journal
    assert books.balances() == {}


def test_a_category_that_moved_in_the_catalog_does_not_move_what_is_posted(company: Any) -> None:
    rules = company.set(company.rule("tops", "revenue", "*-10-41111", category=["Tops"]), *company.full_set().rules)
    books = OrderBooks(company, mapping_set=rules)
    books.sell(at(company, company.sale()))
    renamed = company.sale(lines=(company.line("90.00", categories=("Tops",)),))
    mapped = books.edit(at(company, renamed))
    assert mapped.journal is not None
    assert {line.segments for line in mapped.journal.lines} <= {line.segments for line in books.own[:2]}


def test_an_order_emptied_by_an_edit_leaves_nothing(company: Any) -> None:
    books = OrderBooks(company)
    books.sell(at(company, company.sale()))
    assert books.edit(at(company, company.sale(lines=()))).journal
    assert books.balances() == {}


def test_an_edit_belongs_to_the_day_of_the_sale_while_its_period_is_open(
    company: Any, versions: tuple[Sale, Sale]
) -> None:
    books = OrderBooks(company)
    books.sell(at(company, versions[0]))
    journal = books.edit(at(company, versions[1])).journal
    assert journal is not None
    assert journal.accounting_date == dt.date(2026, 3, 10)

    periods = tuple(company.month(number, "closed" if number < 5 else "open") for number in range(1, 13))
    late = to_delta(
        at(company, versions[0]),
        before=versions[1],
        posted=books.own,
        ordinal=3,
        order_reference="acme/bc-us/order/1024/sale/1",
        **(books.settings | {"lookups": company.lookups(periods=periods)}),
    ).journal
    assert late is not None
    assert late.accounting_date == dt.date(2026, 5, 4)
    assert late.description == (
        "Order 1024 (bc-us), edited 2026-05-04 in America/Chicago, changes acme/bc-us/order/1024/sale/1"
    )


def test_an_edit_that_no_rule_covers_goes_to_review(company: Any) -> None:
    rules = [rule for rule in company.full_set().rules if rule.purpose is not Purpose.FEE]
    books = OrderBooks(company, mapping_set=company.set(*rules))
    books.sell(at(company, company.sale()))
    (problem,) = books.edit(at(company, company.sale(charges=(company.charge("fee", "2.00", "Insurance"),)))).problems
    assert problem.code == "unmapped_account"


def test_what_changes_a_sale_is_converted_as_it_was(company: Any, versions: tuple[Sale, Sale]) -> None:
    """A cancellation voids the payment that the sale was recognized by, and a payment may be dated anew."""
    ledger = company.lookups().ledger.model_copy(update={"currency": "EUR"})
    books = OrderBooks(company, policy=PostingPolicy(recognise_on="paid"), lookups=company.lookups(ledger=ledger))
    first, second = (one.model_copy(update={"paid_at": company.noon}) for one in versions)
    sold = books.sell(at(company, first)).journal
    assert sold is not None
    assert sold.conversion_date == dt.date(2026, 3, 10)
    books.settings["rate_day"] = sold.conversion_date
    paid_again = second.model_copy(update={"paid_at": EDITED})
    edited = books.edit(at(company, paid_again)).journal
    assert edited is not None
    assert edited.conversion_date == sold.conversion_date
    voided = second.model_copy(update={"paid_at": None})
    reversal = books.cancel(at(company, voided, status_id="5", status="Cancelled")).journal
    assert reversal is not None
    assert (reversal.conversion_date, reversal.accounting_date) == (sold.conversion_date, EDITED.date())


def test_a_cancellation_takes_everything_back_on_its_own_day(company: Any, versions: tuple[Sale, Sale]) -> None:
    books = OrderBooks(company)
    books.sell(at(company, versions[0]))
    books.edit(at(company, versions[1]))
    cancelled = at(company, versions[1], status_id="5", status="Cancelled")
    journal = books.cancel(cancelled).journal
    assert journal is not None
    assert books.balances() == {}
    assert journal.reference == "acme/bc-us/order/1024/reversal/3"
    assert journal.date_reason == "cancelled 2026-05-04 in America/Chicago"
    assert books.cancel(cancelled).skipped == NO_DIFFERENCE
    assert books.edit(at(company, versions[1])).journal, "the order is opened again"
    fresh = OrderBooks(company)
    fresh.sell(at(company, versions[1]))
    assert books.balances() == fresh.balances()


def in_store_credit(number: str, total: str) -> Refund:
    """A free amount of the order, as store credit."""
    tender = RefundTender(kind="store_credit", provider="storecredit", amount=Decimal(total))
    return on_the_card(number, total).model_copy(update={"tenders": (tender,)})


def on_the_card(number: str, total: str) -> Refund:
    """A free amount of the order."""
    return Refund(
        connection="bc-us",
        refund_id=number,
        order_id="1024",
        created_at=EDITED,
        currency="USD",
        total=Decimal(total),
        tax=Decimal(0),
        items=(RefundItem(kind="order", key="1024", amount=Decimal(total)),),
        tenders=(RefundTender(kind="payment", amount=Decimal(total)),),
    )


def test_store_credit_that_a_refund_granted_outlives_the_order(company: Any) -> None:
    books = OrderBooks(company)
    books.sell(at(company, company.sale()))
    assert books.refund(in_store_credit("7", "30.00")).journal
    cancelled = at(company, company.sale(), status_id="5", status="Cancelled")
    journal = books.cancel(cancelled).journal
    assert journal is not None
    assert journal.total == Decimal("70.00")
    assert {purpose: amount for (purpose, _), amount in books.balances().items()} == {
        Purpose.CLEARING: Decimal("30.00"),
        Purpose.STORE_CREDIT: Decimal("-30.00"),
    }
    assert books.cancel(cancelled).skipped == NO_DIFFERENCE
    # Opened again and cancelled again, it is still the shopper's.
    assert books.edit(at(company, company.sale())).journal
    assert books.balance(Purpose.REVENUE) == Decimal("-70.00")
    assert books.cancel(cancelled).journal
    assert books.balance(Purpose.STORE_CREDIT) == Decimal("-30.00")


def test_store_credit_that_was_paid_with_goes_back_with_the_order(company: Any) -> None:
    tenders = (company.tender("40.00", "store_credit", "Store Credit"), company.tender("60.00"))
    sale = company.sale(tenders=tenders)
    books = OrderBooks(company)
    books.sell(at(company, sale))
    assert books.refund(in_store_credit("7", "30.00")).journal
    cancelled = at(company, sale, status_id="5", status="Cancelled")
    assert books.cancel(cancelled).journal
    assert books.balances() == {}
    books.edit(at(company, sale))
    assert books.refund(in_store_credit("8", "15.00")).journal
    assert books.cancel(cancelled).journal
    assert books.balance(Purpose.STORE_CREDIT) == Decimal("-5.00")
    assert books.balance(Purpose.CLEARING) == Decimal("5.00")


def test_which_of_several_payments_keeps_what_was_granted_is_for_a_person(company: Any) -> None:
    sale = company.sale(
        tenders=(company.tender("40.00", "gift_certificate", "Gift Certificate"), company.tender("60.00"))
    )
    books = OrderBooks(company)
    books.sell(at(company, sale))
    assert books.refund(in_store_credit("7", "30.00")).journal
    cancelled = at(company, sale, status_id="5", status="Cancelled")
    assert [one.code for one in books.cancel(cancelled).problems] == ["refunded_otherwise"]


def test_store_credit_that_comes_after_the_reversal_is_for_a_person(company: Any) -> None:
    books = OrderBooks(company)
    books.sell(at(company, company.sale()))
    books.cancel(at(company, company.sale(), status_id="5", status="Cancelled"))
    (problem,) = books.refund(in_store_credit("7", "30.00")).problems
    assert problem.code == "refund_of_reversed_order"
    assert "more went to Store Credit than came from there" in problem.sentence


def test_of_a_reversed_order_nobody_is_told_to_book_a_refund_that_cannot_be_read(company: Any) -> None:
    books = OrderBooks(company)
    books.sell(at(company, company.sale()))
    books.cancel(at(company, company.sale(), status_id="5", status="Cancelled"))
    unknown = (RefundItem(kind="fee", key="99", amount=Decimal("30.00")),)
    in_kind = in_store_credit("7", "30.00").model_copy(update={"items": unknown})
    on_card = in_kind.model_copy(
        update={"tenders": (RefundTender(kind="payment", provider="stripe", amount=Decimal("30.00")),)}
    )
    (problem,) = books.refund(in_kind).problems
    assert problem.code == "refund_of_reversed_order"
    assert books.refund(on_card).skipped == REVERSED


def test_a_cancellation_does_not_take_back_twice_what_refunds_took(company: Any) -> None:
    books = OrderBooks(company)
    sale = company.sale(lines=(company.line("60.00"), company.line("40.00", key="2")))
    books.sell(at(company, sale))

    def refund(number: str, line: str, total: str) -> Refund:
        return Refund(
            connection="bc-us",
            refund_id=number,
            order_id="1024",
            created_at=EDITED,
            currency="USD",
            total=Decimal(total),
            tax=Decimal(0),
            items=(RefundItem(kind="product", key=line, quantity=Decimal(1)),),
            tenders=(RefundTender(kind="payment", amount=Decimal(total)),),
        )

    assert books.refund(refund("7", "2", "40.00")).journal
    cancelled = at(company, sale, status_id="5", status="Cancelled")
    journal = books.cancel(cancelled).journal
    assert journal is not None
    assert journal.total == Decimal("60.00")
    assert books.balances() == {}
    assert books.refund(refund("8", "1", "60.00")).skipped == REVERSED
