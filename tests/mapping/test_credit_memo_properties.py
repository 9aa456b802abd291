"""What holds for the credit memos of every order's refunds, whatever a shop sends."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.any_sale import ANY_ROUNDING
from support.twin_documents import refund_of, snapshot_of

from contracts.credit_memo import CreditMemo
from contracts.journal import Purpose
from contracts.receivable import Invoice, InvoiceLine
from contracts.refund import Refund, RefundSale
from contracts.steps.receivables import MappedCredit
from mapping.credit_memo import credited_total, to_credit_memo
from mapping.invoice_reversal import sold_total, to_reversal_memo
from mapping.receivable import to_invoice
from mapping.refund_journal import to_refund_journal
from mapping.refunds import take_back
from mapping.standing_tenders import is_tender
from sandbox.bigcommerce import EU_SHOP, JP_SHOP, US_SHOP, Profile, Returned, Shape, Shop, draft
from sandbox.bigcommerce.documents import Order
from sandbox.bigcommerce.orders import NOT_EVERYDAY

ZERO = Decimal(0)
NOON = dt.datetime(2026, 3, 10, 18, 0, tzinfo=dt.UTC)
PROFILES = (US_SHOP, EU_SHOP, JP_SHOP, replace(US_SHOP, fees_in_total=False), replace(EU_SHOP, tax_rounding="order"))
SHAPES = sorted(set(Shape) - NOT_EVERYDAY)
REFUNDS = ("pieces", "shipping", "amount", "credit", "tax", "override", "everything")
BILLING = {
    "transaction_source": "Web Shop",
    "transaction_type": "Invoice",
    "customer_account": "WEB",
    "credit_memo_type": "Credit Memo",
}


class History:
    """One order of the twin, its invoice, and the memos of its refunds."""

    def __init__(self, company: Any, profile: Profile, shape: Shape, seed: int, **billing: Any) -> None:
        self.shop = Shop(profile, now=lambda: NOON)
        self.order: Order = self.shop.place(draft(shape, profile, seed=seed))
        self.unit = Decimal(1).scaleb(-profile.places)
        self.sale = snapshot_of(self.order).sale
        titles = {tax.title: {"regime": "R", "rate_code": "C"} for tax in self.sale.taxes}
        books = company.books(
            currency=self.order.currency,
            channel=str(profile.channel_id),
            conversion_type="Corporate",
            receivable={**BILLING, "tax_codes": titles, **billing},
        )
        self.settings: dict[str, Any] = {
            "tenant": "acme",
            "integration": company.integration(ANY_ROUNDING, books),
            "books": books,
            "mapping_set": company.full_set(),
            "lookups": company.lookups(),
        }
        mapped = to_invoice(snapshot_of(self.order), **self.settings, ordinal=1)
        assert mapped.problems == ()
        assume(mapped.invoice is not None)
        assert mapped.invoice is not None
        self.invoice: Invoice = mapped.invoice
        self.taken: list[RefundSale] = []
        self.memos: list[CreditMemo] = []

    def give_back(self, what: str, draw: Any) -> Refund:
        """Raises ValueError or LookupError where the shop would not do it."""
        shop, order = self.shop, self.order
        known = len(order.refunds)
        total = order.priced.total.inc - sum((one.total for one in order.refunds), ZERO)
        tax = order.priced.total.tax - sum((one.tax for one in order.refunds), ZERO)
        some = min(total, self.unit * (1 + draw(2000)))
        if total <= 0:
            raise ValueError("nothing left")
        match what:
            case "pieces":
                line = order.lines[draw(len(order.lines))]
                shop.refund(order.id, line.id, 1 + draw(max(1, line.item.quantity - line.quantity_refunded)))
            case "shipping":
                shop.refund(order.id, items=[Returned("SHIPPING", order.address_ids[0], amount=(None, some)[draw(2)])])
            case "amount":
                shop.refund(order.id, items=[Returned("ORDER", order.id, amount=some)])
            case "credit":
                part = self.unit * draw(int(some / self.unit) + 1)
                paid = {name: each for name, each in (("storecredit", part), ("custom", some - part)) if each}
                shop.refund(order.id, items=[Returned("ORDER", order.id, amount=some)], payments=paid)
            case "tax":
                shop.refund(order.id, tax_adjustment=min(tax, some))
            case "override":
                items = [Returned("PRODUCT", order.lines[draw(len(order.lines))].id, 1)]
                shop.refund(order.id, items=items, override=(some, min(tax, some, self.unit * draw(100))))
            case _:
                shop.refund(order.id, everything=True)
        if len(order.refunds) == known or not order.refunds[-1].total:
            raise ValueError("nothing was given back")
        return refund_of(order, order.refunds[-1])

    def credit(self, refund: Refund) -> MappedCredit:
        mapped = to_credit_memo(
            refund, self.sale, **self.settings, earlier=self.taken, invoice=self.invoice, given=self.memos
        )
        taken = take_back(refund, self.sale, self.taken)
        assert isinstance(taken, RefundSale)
        self.taken.append(taken)
        if mapped.credit_memo is not None:
            self.memos.append(mapped.credit_memo)
        return mapped


def distributed(lines: Iterable[InvoiceLine]) -> dict[tuple[str, ...], Decimal]:
    found: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    for line in lines:
        found[line.segments] += line.amount
    return {segments: amount for segments, amount in found.items() if amount}


def paid_back(refund: Refund) -> Decimal:
    return sum((one.amount for one in refund.tenders if one.kind == "payment"), ZERO)


anything = {
    "profile": st.sampled_from(range(len(PROFILES))),
    "shape": st.sampled_from(SHAPES),
    "seed": st.integers(0, 50),
    "events": st.lists(st.sampled_from(REFUNDS), min_size=1, max_size=5),
    "data": st.data(),
}


def refunds(history: History, events: list[str], data: st.DataObject) -> Iterable[Refund]:
    for what in events:
        with suppress(ValueError, LookupError):
            yield history.give_back(what, lambda bound: data.draw(st.integers(0, max(0, bound - 1))))


@settings(max_examples=100, deadline=None)
@given(**anything)
def test_lines_and_taxes_of_a_memo_come_to_what_was_paid_back_to_the_cent(
    company: Any, profile: int, shape: Shape, seed: int, events: list[str], data: st.DataObject
) -> None:
    history = History(company, PROFILES[profile], shape, seed)
    for refund in refunds(history, events, data):
        mapped = history.credit(refund)
        assert [one.code for one in mapped.problems] in ([], ["negative_credit_memo"])
        if mapped.credit_memo is None:
            continue
        memo = mapped.credit_memo
        assert (
            -sum(line.amount for line in memo.lines) == memo.total == paid_back(refund) == credited_total(refund) >= 0
        )
        assert -sum(line.amount for line in memo.lines if line.purpose is Purpose.TAX) == refund.tax
        for line in memo.lines:
            assert line.quantity > 0
            assert line.quantity * line.unit_price == line.amount != 0
            assert -int(line.amount.as_tuple().exponent) == history.sale.minor_units
    credited = sum((memo.total for memo in history.memos), ZERO)
    assert credited <= history.sale.total


@settings(max_examples=60, deadline=None)
@given(**anything)
def test_every_account_is_debited_with_what_the_journal_of_the_same_refund_debits_it(
    company: Any, profile: int, shape: Shape, seed: int, events: list[str], data: st.DataObject
) -> None:
    history = History(company, PROFILES[profile], shape, seed)
    for refund in refunds(history, events, data):
        earlier = tuple(history.taken)
        memo = history.credit(refund).credit_memo
        if memo is None:
            continue
        journal = to_refund_journal(refund, history.sale, **history.settings, earlier=earlier).journal
        assert journal is not None
        debited: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
        for line in journal.lines:
            if line.purpose is not Purpose.CLEARING:
                debited[line.segments] -= line.debit - line.credit
        assert distributed(memo.lines) == {key: amount for key, amount in debited.items() if amount}


@settings(max_examples=60, deadline=None)
@given(**anything)
def test_an_order_given_back_the_way_it_was_paid_leaves_nothing_on_any_account(
    company: Any, profile: int, shape: Shape, seed: int, events: list[str], data: st.DataObject
) -> None:
    history = History(company, PROFILES[profile], shape, seed)
    for refund in refunds(history, [*events, "everything"], data):
        history.credit(refund)
    truth = history.shop.truth()[history.order.id]
    same = all(truth.refunded_by.get(kind, ZERO) == amount for kind, amount in truth.tenders.items())
    assume((truth.refunded, truth.refunded_tax) == (truth.total, truth.tax))
    assume(same and set(truth.refunded_by) <= set(truth.tenders))
    lines = [*history.invoice.lines, *(line for memo in history.memos for line in memo.lines)]
    assert distributed(lines) == {}
    assert history.invoice.total == sum((memo.total for memo in history.memos), ZERO)


@settings(max_examples=40, deadline=None)
@given(**anything)
def test_how_tax_is_sent_does_not_change_what_is_credited(
    company: Any, profile: int, shape: Shape, seed: int, events: list[str], data: st.DataObject
) -> None:
    history = History(company, PROFILES[profile], shape, seed)
    engine = History(company, PROFILES[profile], shape, seed, tax="tax_lines")
    for refund in refunds(history, events, data):
        by_lines = history.credit(refund).credit_memo
        mapped = engine.credit(refund)
        if by_lines is None or mapped.credit_memo is None:
            assert [one.code for one in mapped.problems] in (["tax_without_line"], ["negative_credit_memo"])
            break
        assert mapped.credit_memo.total == by_lines.total
        assert distributed(mapped.credit_memo.lines) == distributed(by_lines.lines)


@settings(max_examples=100, deadline=None)
@given(**anything, tax_engine=st.booleans())
def test_the_memo_of_a_cancellation_and_those_of_refunds_are_the_invoice_by_line_and_tax(
    company: Any, profile: int, shape: Shape, seed: int, events: list[str], data: st.DataObject, tax_engine: bool
) -> None:
    """Less what refunds gave back another way than it was paid: that stays with the shopper."""
    billing = {"tax": "tax_lines"} if tax_engine else {}
    history = History(company, PROFILES[profile], shape, seed, **billing)
    for refund in refunds(history, events, data):
        history.credit(refund)
    cancelled = snapshot_of(history.order).model_copy(
        update={"status_id": "5", "status": "Cancelled", "modified_at": NOON + dt.timedelta(hours=1)}
    )
    mapped = to_reversal_memo(cancelled, **history.settings, invoice=history.invoice, given=history.memos)
    assert {one.code for one in mapped.problems} <= {"refunded_otherwise", "tax_without_line", "negative_credit_memo"}
    assert mapped.waiting is None
    assume(not mapped.problems)
    last = [mapped.credit_memo] if mapped.credit_memo else []
    assert bool(last) != mapped.standing
    left: dict[tuple[str, tuple[str, ...]], Decimal] = defaultdict(Decimal)
    for document in (history.invoice, *history.memos, *last):
        for line in document.lines:
            left[line.source_key, line.segments] += line.amount
    assert not {place for place, amount in left.items() if amount and not is_tender(place[0])} or not last
    # Of what was sold nothing stands on any account, and of tenders what is the shopper's.
    stays = sum(left.values(), start=ZERO)
    granted = sum((amount for (key, _), amount in left.items() if is_tender(key)), start=ZERO)
    truth = history.shop.truth()[history.order.id]
    # Below nothing only where more money went back than had come: instead of a certificate or of credit.
    more = truth.refunded_by.get("payment", ZERO) - truth.tenders.get("payment", ZERO)
    assert stays == granted >= min(-more, ZERO)
    assert history.invoice.total - sum(memo.total for memo in (*history.memos, *last)) == granted
    if last:
        assert last[0].reference == f"acme/{cancelled.sale.connection}/order/{cancelled.sale.order_id}/reversal/1"
        assert all((line.tax is not None) == (tax_engine and line.purpose is Purpose.TAX) for line in last[0].lines)
    assert sum(map(sold_total, (*history.memos, *last)), start=ZERO) == sum(
        (line.amount for line in history.invoice.lines if not is_tender(line.source_key)), start=ZERO
    )
