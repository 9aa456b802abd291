"""What the credit memo of a refund takes back, from which accounts, on which day, and how it is applied."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from contracts.configuration import PostingPolicy
from contracts.credit_memo import CreditApplication, CreditMemo
from contracts.journal import Purpose
from contracts.receivable import Invoice
from contracts.refund import Refund, RefundItem, RefundTender
from contracts.sale import Sale
from contracts.steps.receivables import MappedCredit
from mapping.credit_memo import to_application, to_credit_memo
from mapping.receivable import to_invoice

RETURNED = dt.datetime(2026, 4, 2, 1, 0, tzinfo=dt.UTC)
"""The evening of the first of April in Chicago."""
MEMO_TYPE = {"credit_memo_type": "Credit Memo"}


def item(kind: str = "product", key: str = "1", **fields: Any) -> RefundItem:
    return RefundItem.model_validate({"kind": kind, "key": key} | fields)


def paid_back(amount: str, kind: str = "payment", **fields: Any) -> RefundTender:
    return RefundTender.model_validate({"kind": kind, "amount": amount, **fields})


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
        "tenders": (paid_back(total, provider="stripe"),),
    }
    return Refund.model_validate(given | fields)


EVERYTHING = (item(quantity="3"), item(key="2", quantity="1"), item("shipping", "77", amount="10.00"))
WHOLE = (paid_back("20.00", "store_credit"), paid_back("101.00", provider="stripe"))


@pytest.fixture
def sale(company: Any) -> Sale:
    """Three shirts at 20.00, one mug at 40.00, shipping 10.00, a tax: 121.00 in all, 20.00 by store credit."""
    sold: Sale = company.sale(
        lines=(
            company.line("60.00", quantity=Decimal(3)),
            company.line("40.00", key="2", sku="MUG", name="Mug"),
        ),
        charges=(company.charge("shipping", "10.00"),),
        taxes=(company.tax("11.00", "VAT", rate=Decimal(10)),),
        tenders=(company.tender("20.00", "store_credit", "Store Credit"), company.tender("101.00")),
    )
    return sold


class Till:
    """The books of one channel that is billed in Receivables."""

    def __init__(self, company: Any, **billing: Any) -> None:
        given = {"transaction_source": "Web Shop", "transaction_type": "Invoice", "customer_account": "WEB-US"}
        self.books = company.books(receivable={**given, **MEMO_TYPE, **billing})
        self.settings: dict[str, Any] = {
            "tenant": "acme",
            "integration": company.integration(None, self.books),
            "books": self.books,
            "mapping_set": company.full_set(),
            "lookups": company.lookups(),
        }
        self.company = company

    def bill(self, sale: Sale, **settings: Any) -> Invoice:
        mapped = to_invoice(self.company.snapshot(sale), **(self.settings | settings), ordinal=1)
        assert mapped.invoice is not None, mapped
        return mapped.invoice

    def credit(self, refund: Refund, sale: Sale, **settings: Any) -> MappedCredit:
        return to_credit_memo(refund, sale, **(self.settings | settings))

    def memo(self, refund: Refund, sale: Sale, **settings: Any) -> CreditMemo:
        mapped = self.credit(refund, sale, **settings)
        assert mapped.credit_memo is not None, mapped
        return mapped.credit_memo


@pytest.fixture
def till(company: Any) -> Till:
    return Till(company)


def by_key(document: Invoice | CreditMemo) -> dict[str, tuple[tuple[str, ...], Decimal]]:
    return {line.source_key: (line.segments, line.amount) for line in document.lines}


def code(mapped: MappedCredit) -> list[str]:
    assert mapped.credit_memo is None
    return [problem.code for problem in mapped.problems]


def test_a_refund_of_everything_takes_back_every_line_of_the_invoice(till: Till, sale: Sale) -> None:
    invoice = till.bill(sale)
    memo = till.memo(make_refund("121.00", "11.00", *EVERYTHING, tenders=WHOLE), sale, invoice=invoice)
    assert by_key(memo) == {key: (segments, -amount) for key, (segments, amount) in by_key(invoice).items()}
    assert memo.total == invoice.total == Decimal("101.00")


def test_store_credit_that_is_given_back_lowers_what_is_credited(till: Till, sale: Sale) -> None:
    invoice = till.bill(sale)
    alone = make_refund("20.00", "0.00", item(quantity="1"), tenders=(paid_back("20.00", "store_credit"),))
    memo = till.memo(alone, sale, invoice=invoice)
    assert memo.total == 0
    assert [(line.purpose, line.amount) for line in memo.lines] == [
        (Purpose.REVENUE, Decimal("-20.00")),
        (Purpose.STORE_CREDIT, Decimal("20.00")),
    ]
    applied = to_application(
        memo, invoice, tenant="acme", connection="bc-us", credit_memo_id=1, credit_memo_number="M", invoice_id=2,
        invoice_number="I",
    )  # fmt: skip
    assert applied is None, "nothing of it can be applied"


def test_pieces_are_counted_and_prices_say_which_way_the_money_goes(till: Till, sale: Sale) -> None:
    memo = till.memo(make_refund("40.00", "0.00", item(quantity="2")), sale, invoice=till.bill(sale))
    (line,) = memo.lines
    assert (line.quantity, line.unit_price, line.amount) == (2, Decimal("-20.00"), Decimal("-40.00"))
    assert line.description == "-2 x Blue shirt [SHIRT-1] | order 1024 refund 12 | retail v7 rule revenue"


def test_accounts_customer_and_receivable_are_the_invoices_whatever_is_configured_today(
    company: Any, till: Till, sale: Sale
) -> None:
    invoice = till.bill(sale)
    rules = [
        company.rule(f"new-{rule.id}", rule.purpose.value, "*-20-59999") for rule in till.settings["mapping_set"].rules
    ]
    today = Till(company, customer_account="WEB-NEW", bill_to_site="New site")
    memo = today.memo(
        make_refund("40.00", "0.00", item(quantity="2")), sale, invoice=invoice, mapping_set=company.set(*rules)
    )
    assert {line.segments for line in memo.lines} <= {line.segments for line in invoice.lines}
    assert (memo.customer_account, memo.bill_to_site) == (invoice.customer_account, invoice.bill_to_site)
    assert memo.receivable == invoice.receivable is not None
    assert memo.lines[0].rule is not None
    assert memo.lines[0].rule.rule == "revenue"


def test_a_refund_of_an_order_from_before_the_cut_over_is_booked_by_todays_rules_and_says_so(
    till: Till, sale: Sale
) -> None:
    memo = till.memo(make_refund("40.00", "0.00", item(quantity="2")), sale)
    assert "its order is not in Receivables: booked by the rules of today" in memo.comments
    assert memo.total == Decimal("40.00")


def test_it_is_dated_by_its_own_day_in_the_periods_of_receivables(company: Any, till: Till, sale: Sale) -> None:
    invoice = till.bill(sale)
    april = company.lookups(periods=(company.month(3), company.month(4, "closed"), company.month(5)))
    refund = make_refund("40.00", "0.00", item(quantity="2"))
    memo = till.memo(refund, sale, invoice=invoice)
    assert (memo.transaction_date, memo.accounting_date) == (dt.date(2026, 4, 1), dt.date(2026, 4, 1))
    assert code(till.credit(refund, sale, invoice=invoice, lookups=april)) == ["period_closed"]


def test_reference_number_and_comments_name_the_refund(till: Till, sale: Sale) -> None:
    memo = till.memo(make_refund("40.00", "0.00", item(quantity="2")), sale, invoice=till.bill(sale))
    assert memo.reference == "acme/bc-us/refund/12/credit/1"
    assert len(memo.number) == 20
    assert memo.number.startswith("M")
    assert memo.comments.startswith("Refund 12 of order 1024 (bc-us), refunded 2026-04-01 in America/Chicago")
    assert memo.comments.endswith(f" | {memo.reference}")


def test_what_stands_in_the_way_is_told_all_at_once(company: Any, sale: Sale) -> None:
    till = Till(company, credit_memo_type="", tax="tax_lines")
    assert code(till.credit(make_refund("5.00", "5.00", item("tax", amount="5.00")), sale)) == [
        "no_credit_memo_type",
        "no_tax_code",
        "tax_without_line",
    ]
    journals = till.settings | {"books": company.books()}
    assert code(to_credit_memo(make_refund("5.00"), sale, **journals)) == ["no_receivable_books"]
    assert code(till.credit(make_refund("500.00"), sale)) == ["over_refund"]


def test_a_declined_payment_is_waited_for(till: Till, sale: Sale) -> None:
    declined = make_refund("40.00", tenders=(paid_back("40.00", provider="stripe", declined=True),))
    mapped = till.credit(declined, sale)
    assert mapped.waiting is not None
    assert mapped.waiting.code == "refund_declined"


def test_what_was_taken_back_already_is_not_taken_back_once_more(till: Till, sale: Sale) -> None:
    invoice = till.bill(sale)
    whole = till.memo(make_refund("121.00", "11.00", *EVERYTHING, tenders=WHOLE), sale, invoice=invoice)
    again = till.credit(make_refund("40.00", "0.00", item(quantity="2")), sale, invoice=invoice, given=(whole,))
    assert again.skipped
    assert again.credit_memo is None


@pytest.mark.parametrize("rate", ["original", "refund_date"])
def test_a_foreign_refund_is_converted_on_the_invoices_day_or_its_own(company: Any, rate: str) -> None:
    sale = company.sale(currency="EUR")
    till = Till(company)
    books = till.books.model_copy(update={"currency": "EUR", "conversion_type": "Corporate"})
    policy = PostingPolicy.model_validate({"refund_rate": rate})
    settings: dict[str, Any] = {"books": books, "integration": company.integration(policy, books)}
    invoice = till.bill(sale, **settings)
    memo = till.memo(make_refund("100.00", currency="EUR", refund_id="9"), sale, invoice=invoice, **settings)
    assert memo.conversion_type == "Corporate"
    own = rate == "refund_date"
    assert memo.conversion_date == (dt.date(2026, 4, 1) if own else invoice.conversion_date)


def test_the_whole_memo_is_applied_on_the_later_of_both_days(till: Till, sale: Sale) -> None:
    invoice = till.bill(sale)
    memo = till.memo(make_refund("40.00", "0.00", item(quantity="2")), sale, invoice=invoice)
    moved = invoice.model_copy(update={"accounting_date": dt.date(2026, 5, 1)})
    numbers: dict[str, Any] = {
        "tenant": "acme", "connection": "bc-us", "credit_memo_id": 31, "credit_memo_number": memo.number,
        "invoice_id": 30, "invoice_number": invoice.number,
    }  # fmt: skip
    applied = to_application(memo, invoice, **numbers)
    assert isinstance(applied, CreditApplication)
    assert (applied.amount, applied.currency) == (Decimal("40.00"), "USD")
    assert (applied.apply_date, applied.accounting_date) == (dt.date(2026, 4, 1), dt.date(2026, 4, 1))
    assert applied.reference == "acme/bc-us/refund/12/application/1"
    assert applied.comments.endswith(f" | {applied.reference}")
    later = to_application(memo, moved, **numbers)
    assert later is not None
    assert (later.apply_date, later.accounting_date) == (dt.date(2026, 4, 1), dt.date(2026, 5, 1))
    again = to_application(memo, invoice, **numbers, not_before=dt.date(2026, 6, 1))
    assert again is not None
    assert again.accounting_date == dt.date(2026, 6, 1)


def test_a_memo_never_charges(till: Till, sale: Sale) -> None:
    memo = till.memo(make_refund("40.00", "0.00", item(quantity="2")), sale)
    charge = memo.lines[0].model_copy(update={"amount": Decimal("1.00"), "unit_price": Decimal("0.50")})
    with pytest.raises(ValueError, match=r"would charge 1\.00"):
        CreditMemo.model_validate(memo.model_dump() | {"lines": (charge,)})
