"""What a refund takes back, to which accounts, on which day and at which rate."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from support.books_of_order import OrderBooks

from contracts.configuration import PostingPolicy
from contracts.journal import JournalLine, Purpose
from contracts.refund import Refund, RefundItem, RefundSale, RefundTender
from contracts.sale import Sale, SaleTax, SaleTender
from mapping.refund_journal import refund_rate_day, status_without_refund, to_refund_journal
from mapping.refunds import take_back

RETURNED = dt.datetime(2026, 4, 2, 1, 0, tzinfo=dt.UTC)
"""The evening of the first of April in Chicago."""
VAT = SaleTax(title="VAT", rate=Decimal(20), amount=Decimal(0))
REDUCED = SaleTax(title="Reduced", rate=Decimal(5), amount=Decimal(0))


def item(kind: str = "product", key: str = "1", **fields: Any) -> RefundItem:
    return RefundItem.model_validate({"kind": kind, "key": key} | fields)


def make_refund(total: str, tax: str = "0.00", *items: RefundItem, **fields: Any) -> Refund:
    given: dict[str, Any] = {
        "connection": "bc-us",
        "refund_id": "12",
        "order_id": "1024",
        "created_at": RETURNED,
        "currency": "USD",
        "total": total,
        "tax": tax,
        "items": items,
        "tenders": (RefundTender(kind="payment", provider="stripe", amount=Decimal(total)),),
    }
    return Refund.model_validate(given | fields)


@pytest.fixture
def sale(company: Any) -> Sale:
    """Three shirts at 20.00, one mug at 40.00, shipping 10.00, two taxes: 121.00 in all, 20.00 by store credit."""
    sold: Sale = company.sale(
        lines=(
            company.line("60.00", quantity=Decimal(3)),
            company.line("40.00", key="2", sku="MUG", name="Mug"),
        ),
        charges=(company.charge("shipping", "10.00"),),
        taxes=(
            company.tax("8.00", "VAT", rate=Decimal(20)),
            company.tax("3.00", "Reduced", rate=Decimal(5)),
        ),
        tenders=(company.tender("20.00", "store_credit", "Store Credit"), company.tender("101.00")),
    )
    return sold


@pytest.fixture
def books(company: Any, sale: Sale) -> OrderBooks:
    posted = OrderBooks(company)
    assert posted.sell(company.snapshot(sale)).journal
    return posted


def by_key(lines: tuple[JournalLine, ...]) -> dict[str, Decimal]:
    return {line.source_key: line.debit - line.credit for line in lines}


def taken(refund: Refund, sale: Sale, *earlier: RefundSale) -> RefundSale:
    found = take_back(refund, sale, earlier)
    assert isinstance(found, RefundSale), found
    return found


EVERYTHING = (item(quantity="3"), item(key="2", quantity="1"), item("shipping", "77", amount="10.00"))


def test_a_refund_of_everything_is_the_exact_reversal(books: OrderBooks, sale: Sale) -> None:
    tenders = (
        RefundTender(kind="store_credit", provider="storecredit", amount=Decimal("20.00")),
        RefundTender(kind="payment", provider="stripe", amount=Decimal("101.00")),
    )
    journal = books.refund(make_refund("121.00", "11.00", *EVERYTHING, tenders=tenders)).journal
    assert journal is not None
    assert by_key(journal.lines) == {key: -amount for key, amount in by_key(tuple(books.own)).items()}
    assert books.balances() == {}


def test_pieces_take_their_share_and_the_last_one_what_is_left(company: Any) -> None:
    sale = company.sale(lines=(company.line("100.00", quantity=Decimal(3)),))
    earlier: list[RefundSale] = []
    for total in ("33.33", "33.34", "33.33"):
        earlier.append(taken(make_refund(total, "0.00", item(quantity="1")), sale, *earlier))
    assert [one.lines[0].net for one in earlier] == [Decimal("-33.33"), Decimal("-33.34"), Decimal("-33.33")]
    assert all(not one.rounding for one in earlier)


def test_shipping_may_be_stated_with_or_without_its_tax(sale: Sale) -> None:
    for amount, total, tax in (("10.00", "12.00", "2.00"), ("12.00", "12.00", "2.00"), ("5.00", "6.00", "1.00")):
        found = taken(make_refund(total, tax, item("shipping", "77", amount=amount, taxes=(VAT,))), sale)
        assert found.charges[0].net == Decimal(tax) - Decimal(total)
        assert (found.taxes, found.rounding) == (
            (SaleTax(title="VAT", rate=Decimal(20), amount=-Decimal(tax)),),
            Decimal(0),
        )


def test_an_amount_for_the_order_lowers_what_was_sold_and_no_tax(books: OrderBooks, sale: Sale) -> None:
    journal = books.refund(make_refund("25.00", "0.00", item("order", "1024", amount="25.00"))).journal
    assert journal is not None
    assert by_key(journal.lines) == {
        "line:1": Decimal("15.00"),
        "line:2": Decimal("10.00"),
        "payment:Credit Card": Decimal("-25.00"),
    }
    assert books.balance(Purpose.TAX) == Decimal("-11.00")


def test_an_amount_for_the_order_may_come_to_all_that_was_charged_and_the_tax_stays(books: OrderBooks) -> None:
    journal = books.refund(make_refund("121.00", "0.00", item("order", "1024", amount="121.00"))).journal
    assert journal is not None
    assert books.balance(Purpose.TAX) == Decimal("-11.00")
    assert books.balance(Purpose.REVENUE, Purpose.SHIPPING) == Decimal("11.00")


def test_nothing_but_tax(books: OrderBooks) -> None:
    journal = books.refund(make_refund("2.20", "2.20", item("tax", "1024", amount="2.20"))).journal
    assert journal is not None
    assert by_key(journal.lines) == {
        "tax:VAT": Decimal("1.60"),
        "tax:Reduced": Decimal("0.60"),
        "payment:Credit Card": Decimal("-2.20"),
    }


def test_tax_may_be_collected_by_a_refund(books: OrderBooks) -> None:
    journal = books.refund(make_refund("30.00", "-1.10", item(key="2", quantity="1"), override=True)).journal
    assert journal is not None
    assert by_key(journal.lines) == {
        "line:2": Decimal("31.10"),
        "tax:VAT": Decimal("-0.80"),
        "tax:Reduced": Decimal("-0.30"),
        "payment:Credit Card": Decimal("-30.00"),
    }


def test_tax_falls_on_the_titles_by_which_the_returned_thing_was_taxed(books: OrderBooks) -> None:
    journal = books.refund(make_refund("42.00", "2.00", item(key="2", quantity="1", taxes=(REDUCED,)))).journal
    assert journal is not None
    assert by_key(journal.lines)["tax:Reduced"] == Decimal("2.00")
    assert "tax:VAT" not in by_key(journal.lines)


def test_store_credit_given_back_is_a_liability_and_not_the_bank(books: OrderBooks) -> None:
    credit = RefundTender(kind="store_credit", provider="storecredit", amount=Decimal("40.00"))
    journal = books.refund(make_refund("40.00", "0.00", item(key="2", quantity="1"), tenders=(credit,))).journal
    assert journal is not None
    line = next(one for one in journal.lines if one.purpose is Purpose.STORE_CREDIT)
    sold = next(one for one in books.own if one.purpose is Purpose.STORE_CREDIT)
    assert (line.credit, line.segments) == (Decimal("40.00"), sold.segments)


def test_a_restocking_fee_is_kept(sale: Sale) -> None:
    found = taken(make_refund("35.00", "0.00", item(key="2", quantity="1", adjustment="-5.00")), sale)
    assert (found.lines[0].net, found.rounding) == (Decimal("-35.00"), Decimal(0))


def test_totals_that_the_merchant_typed_are_divided_over_what_was_named(sale: Sale) -> None:
    items = item(quantity="3"), item(key="2", quantity="1")
    found = taken(make_refund("51.00", "1.00", *items, override=True), sale)
    assert [line.net for line in found.lines] == [Decimal("-30.00"), Decimal("-20.00")]
    bare = taken(make_refund("51.00", "1.00", override=True), sale)
    assert [line.net for line in bare.lines] == [Decimal("-30.00"), Decimal("-20.00")]


def test_a_cent_too_much_is_rounding_and_a_dollar_is_not(books: OrderBooks) -> None:
    journal = books.refund(make_refund("40.02", "0.00", item(key="2", quantity="1"))).journal
    assert journal is not None
    assert by_key(journal.lines)["rounding"] == Decimal("0.02")
    other = books.refund(make_refund("21.50", "0.00", item(quantity="1"), refund_id="13"))
    (problem,) = other.problems
    assert problem.code == "rounding_over_limit"
    assert problem.sentence.startswith("Refund 13 of order 1024 (bc-us): ")


def test_what_was_booked_decides_the_accounts_and_not_the_rules_of_today(company: Any, books: OrderBooks) -> None:
    moved = company.set(*(rule.model_copy(update={"account": "*-99-99999"}) for rule in company.full_set().rules))
    moved = moved.model_copy(update={"version": 8})
    journal = books.refund(make_refund("121.00", "11.00", *EVERYTHING), mapping_set=moved).journal
    assert journal is not None
    assert {line.segments for line in journal.lines} <= {line.segments for line in books.own}
    assert journal.lines[0].rule is not None
    assert journal.lines[0].description.endswith(" | order 1024 refund 12 | retail v7 rule revenue")


def test_what_went_to_suspense_comes_back_from_there(company: Any, sale: Sale) -> None:
    rules = [rule for rule in company.full_set().rules if rule.purpose is not Purpose.SHIPPING]
    books = OrderBooks(company, mapping_set=company.set(*rules, suspense="*-1-1"))
    assert books.sell(company.snapshot(sale)).journal
    journal = books.refund(make_refund("121.00", "11.00", *EVERYTHING), mapping_set=company.full_set()).journal
    assert journal is not None
    assert journal.suspense
    assert books.balance(Purpose.SUSPENSE) == 0


def test_a_refund_of_an_order_from_before_the_cut_over_says_so(books: OrderBooks, sale: Sale) -> None:
    mapped = to_refund_journal(make_refund("40.00", "0.00", item(key="2", quantity="1")), sale, **books.settings)
    assert mapped.journal is not None
    assert "its order is not in the ledger" in mapped.journal.description


def test_a_journal_of_two_legal_entities_is_never_made(company: Any, books: OrderBooks) -> None:
    other = company.books(balancing_segment="202", conversion_type="Corporate")
    credit = RefundTender(kind="gift_certificate", provider="giftcertificate", amount=Decimal("40.00"))
    refund = make_refund("40.00", "0.00", item(key="2", quantity="1"), tenders=(credit,))
    assert [one.code for one in books.refund(refund, books=other).problems] == ["wrong_legal_entity"]
    whole = make_refund("121.00", "11.00", *EVERYTHING)
    journal = books.refund(whole, books=other).journal
    assert journal is not None
    assert {line.segments[0] for line in journal.lines} == {"101"}


def test_its_own_day_its_own_reference_and_the_journal_it_takes_back(books: OrderBooks) -> None:
    refund = make_refund("40.00", "0.00", item(key="2", quantity="1"))
    journal = books.refund(refund, order_reference="acme/bc-us/order/1024/sale/1").journal
    assert journal is not None
    assert journal.reference == "acme/bc-us/refund/12/refund/1"
    assert (journal.accounting_date, journal.date_reason) == (
        dt.date(2026, 4, 1),
        "refunded 2026-04-01 in America/Chicago",
    )
    assert journal.description == (
        "Refund 12 of order 1024 (bc-us), refunded 2026-04-01 in America/Chicago,"
        " takes back acme/bc-us/order/1024/sale/1"
    )


@pytest.mark.parametrize(("rate", "day"), [("original", dt.date(2026, 3, 10)), ("refund_date", dt.date(2026, 4, 1))])
def test_a_foreign_refund_is_converted_at_the_rate_of_the_sale_unless_configured(
    company: Any, sale: Sale, rate: Any, day: dt.date
) -> None:
    policy = PostingPolicy(refund_rate=rate)
    ledger = company.lookups().ledger.model_copy(update={"currency": "EUR"})
    books = OrderBooks(company, policy=policy, lookups=company.lookups(ledger=ledger))
    assert books.sell(company.snapshot(sale)).journal
    refund = make_refund("40.00", "0.00", item(key="2", quantity="1"))
    journal = books.refund(refund).journal
    assert journal is not None
    assert (journal.conversion_date, journal.accounting_date) == (day, dt.date(2026, 4, 1))
    assert refund_rate_day(refund, sale, policy, dt.date(2026, 3, 9)) == (
        dt.date(2026, 3, 9) if rate == "original" else day
    )
    missing = books.refund(
        make_refund("20.00", "0.00", item(quantity="1"), refund_id="13"),
        lookups=company.lookups(ledger=ledger, rate_available=False),
    )
    assert missing.waiting is not None
    assert f"for {day}" in missing.waiting.sentence


def test_a_declined_payment_is_waited_for(books: OrderBooks) -> None:
    tenders = (
        RefundTender(kind="payment", provider="stripe", amount=Decimal("20.00"), declined=True),
        RefundTender(kind="store_credit", provider="storecredit", amount=Decimal("20.00")),
    )
    mapped = books.refund(make_refund("40.00", "0.00", item(key="2", quantity="1"), tenders=tenders))
    assert mapped.waiting is not None
    assert mapped.waiting.code == "refund_declined"
    assert "stripe declined to pay back 20.00 USD" in mapped.waiting.sentence


def test_more_than_was_charged_goes_to_review(books: OrderBooks) -> None:
    assert books.refund(make_refund("100.00", "0.00", item("order", "1024", amount="100.00"))).journal
    (problem,) = books.refund(
        make_refund("21.01", "0.00", item("order", "1024", amount="21.01"), refund_id="13")
    ).problems
    assert problem.code == "over_refund"
    assert "121.01 USD were given back, and the order was charged 121.00" in problem.sentence


def test_more_after_everything_goes_to_review_too(books: OrderBooks) -> None:
    assert books.refund(make_refund("121.00", "11.00", *EVERYTHING)).journal
    again = make_refund("1.00", "0.00", item("order", "1024", amount="1.00"), refund_id="13")
    assert [one.code for one in books.refund(again).problems] == ["over_refund"]


@pytest.mark.parametrize("kind", ["product", "fee", "wrapping", "handling", "other"])
def test_what_the_order_does_not_have_cannot_be_booked(books: OrderBooks, kind: str) -> None:
    (problem,) = books.refund(make_refund("5.00", "0.00", item(kind, "99", amount="5.00"))).problems
    assert problem.code == "unknown_refund_item"


def test_payments_that_do_not_come_to_the_refund_go_to_review(books: OrderBooks) -> None:
    short = (RefundTender(kind="payment", provider="stripe", amount=Decimal("39.00")),)
    (problem,) = books.refund(make_refund("40.00", "0.00", item(key="2", quantity="1"), tenders=short)).problems
    assert problem.code == "does_not_add_up"


def test_money_that_went_back_another_way_is_not_booked_to_the_card(company: Any) -> None:
    sale = company.sale()
    outside = RefundTender(kind="payment", provider="custom", method="custom", amount=Decimal("100.00"))
    found = taken(make_refund("100.00", "0.00", item(quantity="1"), tenders=(outside,)), sale)
    assert found.tenders == (SaleTender(kind="payment", method="custom", amount=Decimal("-100.00")),)


def test_a_refund_of_nothing_is_skipped(books: OrderBooks) -> None:
    assert books.refund(make_refund("0.00", tenders=())).skipped == "zero total: the refund has nothing to book"


def test_the_status_refunded_alone_is_no_evidence(company: Any) -> None:
    snapshot = company.snapshot(company.sale()).model_copy(update={"status_id": "4", "status": "Refunded"})
    assert "was set by hand" in status_without_refund(snapshot, 0)
    assert status_without_refund(snapshot, 1) == ""
    assert status_without_refund(company.snapshot(company.sale()), 0) == ""
