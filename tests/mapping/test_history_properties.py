"""Whatever happens to an order, in whatever sequence, the ledger ends equal to the shop: by account, tax and tender."""

import datetime as dt
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from support.any_sale import ANY_ROUNDING, build, versions
from support.books_of_order import OrderBooks
from support.twin_documents import refund_of, snapshot_of

from contracts.journal import Purpose
from contracts.sale import OrderSnapshot
from sandbox.bigcommerce import EU_SHOP, JP_SHOP, US_SHOP, Fee, Profile, Returned, Shape, Shop, draft
from sandbox.bigcommerce.documents import Line, Order, Refund
from sandbox.bigcommerce.orders import NOT_EVERYDAY
from sandbox.bigcommerce.truth import Truth

ZERO = Decimal(0)
NOON = dt.datetime(2026, 3, 10, 18, 0, tzinfo=dt.UTC)
PROFILES = (
    US_SHOP,
    EU_SHOP,
    JP_SHOP,
    replace(US_SHOP, fees_in_total=False),
    replace(US_SHOP, line_tax="before_discounts", tax_rounding="order"),
    replace(EU_SHOP, tax_rounding="order"),
)
SHAPES = sorted(set(Shape) - NOT_EVERYDAY)


def booked(company: Any, snapshot: OrderSnapshot, currency: str) -> dict[Any, Decimal]:
    """What the ledger would hold if the order had always been as it is now."""
    fresh = OrderBooks(company, currency, policy=ANY_ROUNDING)
    fresh.sell(snapshot)
    return fresh.balances()


@settings(max_examples=60, deadline=None)
@given(drawn=versions(1, 5), order=st.lists(st.integers(0, 4), min_size=1, max_size=6))
def test_after_any_edits_the_ledger_holds_the_last_version(
    company: Any, drawn: list[dict[str, Any]], order: list[int]
) -> None:
    currency, known = drawn[0]["currency"], [build(company, one) for one in drawn]
    books = OrderBooks(company, currency, policy=ANY_ROUNDING)
    books.sell(company.snapshot(known[0]))
    for place in order:
        version = known[place % len(known)]
        mapped = books.edit(company.snapshot(version))
        assert mapped.problems == ()
        assert books.balances() == booked(company, company.snapshot(version), currency)
    books.cancel(company.snapshot(known[0]))
    assert books.balances() == {}


@settings(max_examples=50, deadline=None)
@given(drawn=versions(2, 2))
def test_there_and_back_twice_gives_four_journals_that_cancel_or_none(
    company: Any, drawn: list[dict[str, Any]]
) -> None:
    one, other = (build(company, each) for each in drawn)
    books = OrderBooks(company, one.currency, policy=ANY_ROUNDING)
    books.sell(company.snapshot(one))
    sold, before = books.balances(), len(books.journals)
    for sale in (other, one, other, one):
        books.edit(company.snapshot(sale))
    assert books.balances() == sold
    equal = sold == booked(company, company.snapshot(other), one.currency)
    assert len(books.journals) - before == (0 if equal else 4)


class History:
    """One order of the twin, its books, and what can happen to it. `lowered`: its refunds lower its tax rows."""

    def __init__(self, company: Any, profile: Profile, shape: Shape, seed: int, *, lowered: bool) -> None:
        self.lowered = lowered
        self.shop = Shop(profile, now=lambda: NOON)
        self.order: Order = self.shop.place(draft(shape, profile, seed=seed))
        by_country = company.set(
            *(
                company.rule(f"ca-{place}", rule.purpose.value, f"*-20-{41000 + place}", ship_to_country=["CA"])
                for place, rule in enumerate(company.full_set().rules)
            ),
            *company.full_set().rules,
        )
        self.books = OrderBooks(company, self.order.currency, str(profile.channel_id), mapping_set=by_country)
        self.unit = Decimal(1).scaleb(-profile.places)
        self.back: dict[Purpose, Decimal] = {}
        """What its refunds gave back without tax, as the shop reckoned when each was made."""
        self.divided = False
        """Some refund was of no one part of the order, so nobody but we divide it."""
        sold = self.books.sell(self.snapshot)
        assert sold.problems == ()

    @property
    def snapshot(self) -> OrderSnapshot:
        return snapshot_of(self.order, lowered=self.lowered)

    @property
    def left(self) -> tuple[Decimal, Decimal]:
        given = self.order.refunds
        total = self.order.priced.total
        return total.inc - sum((one.total for one in given), ZERO), total.tax - sum((one.tax for one in given), ZERO)

    def happen(self, what: str, draw: Callable[[int], int]) -> None:
        """Let one thing happen, where it can, and post what it leads to."""
        order, known, sale = self.order, len(self.order.refunds), self.snapshot.sale
        try:
            if what in EDITS:
                self.edit(what, draw)
            else:
                self.give_back(what, draw)
        except (ValueError, LookupError):
            return  # the shop would not do it
        if what in EDITS:
            mapped = self.books.edit(self.snapshot)
            assert mapped.problems == ()
        else:
            assert self.snapshot.sale.fingerprint() == sale.fingerprint(), "a refund is no edit"
            if len(order.refunds) > known and order.refunds[-1].total:
                mapped = self.books.refund(refund_of(order, order.refunds[-1], lowered=self.lowered))
                assert mapped.problems == ()
                assert mapped.journal is not None
        self.agree()

    def edit(self, what: str, draw: Callable[[int], int]) -> None:
        """No shop would lower an order below its refunds, or take off it what was given back."""
        match what:
            case "price" | "cheaper":
                line = self.order.lines[draw(len(self.order.lines))]
                more = self.unit * (1 + draw(500)) * (1 if what == "price" else -1)
                self.change(line, unit_price=line.item.unit_price + more)
            case "fewer" | "gone":
                line = self.order.lines[draw(len(self.order.lines))]
                fewer = 0 if what == "gone" else line.item.quantity - 1
                if fewer < max(line.quantity_refunded, what == "fewer") or len(self.order.lines) < 2:
                    raise ValueError("given back")
                self.change(line, quantity=fewer)
            case "address":
                person = replace(self.order.draft.person, country_iso2=("US", "CA")[draw(2)])
                self.shop.move(self.order.id, person)
            case "tax-exempt":
                if self.order.refunds:
                    raise ValueError("refunded")
                self.shop.exempt(self.order.id, exempt=bool(draw(2)))
            case _:
                fee = Fee("Insurance", self.unit * (100 + draw(900)))
                self.shop.set_fees(self.order.id, (*self.order.fees, fee))

    def change(self, line: Line, **how: Any) -> None:
        """Edit the line, or leave it as it is where the order would come to less than was given back."""
        lines, item = list(self.order.lines), line.item
        if how.get("unit_price", ZERO) < 0:
            raise ValueError("no price")
        self.shop.edit_line(self.order.id, line.id, **how)
        if min(self.left) < 0:
            self.order.lines, line.item = lines, item
            self.order.reprice()
            raise ValueError("given back")

    def count(self, refund: Refund) -> None:
        """What it gave back, by what that was: known where it is all of one kind."""
        purposes = {self.purpose_of(item) for item in refund.items}
        if len(purposes) != 1 or None in purposes or refund.override:
            self.divided = True
            return
        (purpose,) = purposes
        assert purpose
        self.back[purpose] = self.back.get(purpose, ZERO) + refund.total - refund.tax

    def purpose_of(self, item: Returned) -> Purpose | None:
        if item.type == "PRODUCT":
            sold = self.order.line(item.item_id).item.type == "giftcertificate"
            return Purpose.GIFT_CERTIFICATE if sold else Purpose.REVENUE
        return CHARGES.get(item.type)

    def give_back(self, what: str, draw: Callable[[int], int]) -> None:
        shop, order = self.shop, self.order
        total, tax = self.left
        some = min(total, self.unit * (1 + draw(2000)))
        if total <= 0:
            raise ValueError("nothing left")
        match what:
            case "pieces":
                line = order.lines[draw(len(order.lines))]
                shop.refund(order.id, line.id, 1 + draw(max(1, line.item.quantity - line.quantity_refunded)))
            case "shipping" | "handling":
                kind: Any = what.upper()
                shop.refund(order.id, items=[Returned(kind, order.address_ids[0], amount=(None, some)[draw(2)])])
            case "amount":
                shop.refund(order.id, items=[Returned("ORDER", order.id, amount=some)])
            case "wrapping":
                wrapped = [line for line in order.lines if line.item.wrapping][draw(1)]
                shop.refund(order.id, items=[Returned("GIFT_WRAPPING", wrapped.id, 1)])
            case "credit":
                part = self.unit * draw(int(some / self.unit) + 1)
                payments = {"storecredit": part, "custom": some - part}
                paid = {provider: amount for provider, amount in payments.items() if amount}
                shop.refund(order.id, items=[Returned("ORDER", order.id, amount=some)], payments=paid)
            case "tax":
                shop.refund(order.id, tax_adjustment=min(tax, some))
            case "override":
                items = [Returned("PRODUCT", order.lines[draw(len(order.lines))].id, 1)]
                shop.refund(order.id, items=items, override=(some, min(tax, some, self.unit * draw(100))))
            case _:
                shop.refund(order.id, everything=True)
        self.count(order.refunds[-1])

    def agree(self) -> None:
        """Every journal balances by itself; together they say what the shop says."""
        truth, books = self.shop.truth()[self.order.id], self.books
        assert -books.balance(Purpose.TAX) == truth.tax - truth.refunded_tax
        paid = {
            tender: truth.tenders.get(tender, ZERO) - truth.refunded_by.get(tender, ZERO)
            for tender in ("payment", "store_credit", "gift_certificate")
        }
        assert books.balance(Purpose.CLEARING) == paid["payment"]
        assert books.balance(Purpose.STORE_CREDIT) == paid["store_credit"]
        # Certificates that are sold are on the account of those that are redeemed.
        certificates = any(line.item.type == "giftcertificate" for line in self.order.lines)
        assert certificates or books.balance(Purpose.GIFT_CERTIFICATE) == paid["gift_certificate"]
        if not self.divided:
            self.agree_by_account(truth, paid["gift_certificate"])
        if (truth.refunded, truth.refunded_tax) == (truth.total, truth.tax):
            same = not any(paid.values())
            left = {purpose for purpose, _ in books.balances()}
            assert left <= (set() if same else TENDERS), "of what was sold, nothing is left"

    def agree_by_account(self, truth: Truth, redeemed: Decimal) -> None:
        """What was sold, less what was given back of it, give or take what the shop rounded."""
        sold = dict.fromkeys((*CHARGES.values(), Purpose.REVENUE, Purpose.GIFT_CERTIFICATE), ZERO)
        for kind, net in truth.net.items():
            sold[KINDS[kind]] += net
        sold[Purpose.GIFT_CERTIFICATE] -= redeemed
        slack = self.unit * (len(self.order.lines) + 2 + 2 * len(self.order.refunds))
        for purpose, net in sold.items():
            off = -self.books.balance(purpose) - (net - self.back.get(purpose, ZERO))
            assert abs(off) <= slack, purpose


CHARGES = {
    "SHIPPING": Purpose.SHIPPING,
    "HANDLING": Purpose.HANDLING,
    "GIFT_WRAPPING": Purpose.WRAPPING,
    "FEE": Purpose.FEE,
}
KINDS = {
    "product": Purpose.REVENUE,
    "custom": Purpose.REVENUE,
    "gift_certificate": Purpose.GIFT_CERTIFICATE,
    "shipping": Purpose.SHIPPING,
    "handling": Purpose.HANDLING,
    "wrapping": Purpose.WRAPPING,
    "fee": Purpose.FEE,
}
TENDERS = {Purpose.CLEARING, Purpose.STORE_CREDIT, Purpose.GIFT_CERTIFICATE}
EDITS = ("price", "fee", "address", "tax-exempt", "cheaper", "fewer", "gone")
REFUNDS = ("pieces", "shipping", "handling", "amount", "wrapping", "credit", "tax", "override", "everything")


@settings(max_examples=150, deadline=None)
@given(
    profile=st.sampled_from(range(len(PROFILES))),
    shape=st.sampled_from(SHAPES),
    seed=st.integers(0, 50),
    lowered=st.booleans(),
    events=st.lists(st.sampled_from(EDITS + REFUNDS), max_size=6),
    data=st.data(),
)
def test_after_any_edits_and_refunds_the_ledger_equals_the_shop(
    company: Any, profile: int, shape: Shape, seed: int, lowered: bool, events: list[str], data: st.DataObject
) -> None:
    history = History(company, PROFILES[profile], shape, seed, lowered=lowered)
    for what in (*events, "everything"):
        history.happen(what, lambda bound: data.draw(st.integers(0, max(0, bound - 1))))


@settings(max_examples=100, deadline=None)
@given(
    profile=st.sampled_from(range(len(PROFILES))),
    shape=st.sampled_from(SHAPES),
    seed=st.integers(0, 50),
    lowered=st.booleans(),
    events=st.lists(st.sampled_from((*EDITS, *REFUNDS, "credit", "credit")), max_size=5),
    data=st.data(),
)
def test_a_cancellation_leaves_what_was_granted_and_takes_back_all_else_until_the_order_is_opened_again(
    company: Any, profile: int, shape: Shape, seed: int, lowered: bool, events: list[str], data: st.DataObject
) -> None:
    history = History(company, PROFILES[profile], shape, seed, lowered=lowered)
    for what in events:
        history.happen(what, lambda bound: data.draw(st.integers(0, max(0, bound - 1))))
    books, snapshot = history.books, history.snapshot
    truth = history.shop.truth()[history.order.id]
    mapped = books.cancel(snapshot.model_copy(update={"status_id": "5", "status": "Cancelled"}))
    granted = {kind: back - truth.tenders.get(kind, ZERO) for kind, back in truth.refunded_by.items()}
    if mapped.problems:
        assert [one.code for one in mapped.problems] == ["refunded_otherwise"]
        assert max(granted.values()) > 0
        return
    assert -books.balance(Purpose.STORE_CREDIT) == max(granted.get("store_credit", ZERO), ZERO)
    paid_with = (Purpose.CLEARING, Purpose.STORE_CREDIT, Purpose.GIFT_CERTIFICATE)
    assert {purpose for purpose, _ in books.balances()} <= set(paid_with)
    assert sum(books.balances().values()) == 0
    assert books.edit(snapshot).problems == ()
    history.agree()


@settings(max_examples=50, deadline=None)
@given(
    profile=st.sampled_from(range(len(PROFILES))),
    shape=st.sampled_from(SHAPES),
    seed=st.integers(0, 50),
    lowered=st.booleans(),
    events=st.lists(st.sampled_from(REFUNDS), min_size=2, max_size=5),
    data=st.data(),
)
def test_in_whatever_order_refunds_arrive_the_ledger_ends_equal(
    company: Any, profile: int, shape: Shape, seed: int, lowered: bool, events: list[str], data: st.DataObject
) -> None:
    history = History(company, PROFILES[profile], shape, seed, lowered=lowered)
    for what in events:
        with suppress(ValueError, LookupError):
            history.give_back(what, lambda bound: data.draw(st.integers(0, max(0, bound - 1))))
    known = [refund_of(history.order, one, lowered=lowered) for one in history.order.refunds if one.total]
    for refund in data.draw(st.permutations(known)):
        mapped = history.books.refund(refund, known=known)
        assert mapped.problems == ()
        assert mapped.journal is not None
    history.agree()
