"""Stories of orders: what may happen to one in a shop, and how the shop tells of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final, Literal

from hypothesis import strategies as st
from support.story_ledger import given_back

from sandbox.bigcommerce import EU_SHOP, US_SHOP, Fee, Profile, Returned, Shape, draft, statuses
from sandbox.bigcommerce.documents import Order, Refund
from sandbox.bigcommerce.money import ZERO, minor_units, quantize
from sandbox.bigcommerce.orders import NOT_EVERYDAY
from sandbox.bigcommerce.payments import gateway

US: Final = replace(US_SHOP, exchange_rates=(("GBP", Decimal("0.8")),))
EU: Final = replace(EU_SHOP, exchange_rates=(("CHF", Decimal("0.94")),))
PROFILES: Final[Mapping[str, Profile]] = {"bc-us": US, "bc-eu": EU}
FOREIGN: Final = {"bc-us": "GBP", "bc-eu": "CHF"}

Delivery = Literal["at once", "twice", "late", "never"]
"""`late`: when all has happened, the last first; `never`: a poll has to find it."""
CHANGES: Final = ("note", "quantity", "price", "another line", "no line", "no tax", "fee", "address")
STATUSES: Final = ("cancelled", "declined", "back again", "shipped")
REFUNDS: Final = (
    "pieces",
    "everything",
    "amount",
    "tax alone",
    "shipping",
    "a fee",
    "to several tenders",
    "declined payment",
    "payment repeated",
)
PAUSES: Final = ("rest", "poll")
"""`rest`: what happened so far is booked before anything else happens."""
EVENTS: Final = (*PAUSES, *CHANGES, *STATUSES, *REFUNDS, *REFUNDS)
"""The first are the simplest to read of; refunds come up as often as all else."""
SHAPES: Final = tuple(sorted(set(Shape) - NOT_EVERYDAY - {Shape.OVER_FIFTY}))


@dataclass(frozen=True)
class Event:
    """One thing that happens to an order. `choice` picks among lines, amounts and quantities."""

    what: str
    told: Delivery = "at once"
    choice: int = 0


@dataclass(frozen=True)
class Story:
    """One order and all that happens to it."""

    connection: str
    shape: Shape
    seed: int
    foreign: bool
    told: Delivery
    events: tuple[Event, ...]


deliveries = st.sampled_from(("at once", "twice", "late", "never"))
events = st.builds(Event, what=st.sampled_from(EVENTS), told=deliveries, choice=st.integers(0, 11))
stories = st.builds(
    Story,
    connection=st.sampled_from(tuple(PROFILES)),
    shape=st.sampled_from((Shape.ORDINARY, *SHAPES)),
    seed=st.integers(0, 50),
    foreign=st.booleans(),
    told=deliveries,
    events=st.lists(events, max_size=7).map(tuple),
)


class Impossible(Exception):  # noqa: N818 -- it is no error: the shop would not do it
    """The order is not such that this could happen to it."""


class Happening:
    """An order of the shop's twin, and what can happen to it.

    A line that was refunded is not edited any more: the shop would show another price than the one that was given back,
    and where the refund is not booked yet, which of the two the books shall follow a person has to say. No edit takes
    off an order what was given back of it: the shop would not have it.
    """

    def __init__(self, shop: Any, story: Story) -> None:
        profile = PROFILES[story.connection]
        self.shop = shop
        self.story = story
        currency = FOREIGN[story.connection] if story.foreign else None
        basket = draft(story.shape, profile, seed=story.seed, currency=currency)
        self.order: Order = shop.place(basket, quiet=True)
        self.unit = Decimal(1).scaleb(-minor_units(self.order.currency))
        self.was_reversed = False
        self.given: dict[int, list[tuple[str, Decimal]]] = {}
        """By refund, what it gave back without tax as things were priced then, by account."""

    def happen(self, event: Event) -> Refund | None:
        """Raises `Impossible`. The refund that came of it, if one did."""
        known = len(self.order.refunds)
        try:
            repeated = _DEEDS[event.what](self, event.choice)
        except (ValueError, LookupError) as error:
            raise Impossible(event.what) from error
        self.was_reversed = self.was_reversed or self.is_reversed
        for refund in self.order.refunds[known:]:
            self.given[refund.id] = [given_back(self.order, item) for item in refund.items]
        return repeated or (self.order.refunds[-1] if len(self.order.refunds) > known else None)

    @property
    def is_reversed(self) -> bool:
        return self.order.status_id in (statuses.CANCELLED, statuses.DECLINED)

    @property
    def paid_back(self) -> list[Refund]:
        """Refunds that moved money."""
        return [refund for refund in self.order.refunds if not refund.declined]

    @property
    def _left(self) -> tuple[Decimal, Decimal]:
        """Of total and tax, declined refunds taken off as well: the shop has them."""
        total, given = self.order.priced.total, self.order.refunds
        return total.inc - sum((one.total for one in given), ZERO), total.tax - sum((one.tax for one in given), ZERO)

    def _untouched(self, choice: int) -> Any:
        """A line that has a price of its own and was not refunded."""
        whole = {line.parent_id for line in self.order.lines}
        lines = [
            line
            for line in self.order.lines
            if line.item.type != "giftcertificate"
            and line.item.part_of is None
            and line.id not in whole
            and not any(item.item_id == line.id for refund in self.order.refunds for item in refund.items)
        ]
        if not lines:
            raise Impossible
        return lines[choice % len(lines)]

    def _change(self, line: Any, **how: Any) -> None:
        """Edit the line. Raises `Impossible` where the order would come to less than was given back of it."""
        order, lines, item = self.order, list(self.order.lines), line.item
        order.lines = [one for one in lines if one is not line or how.get("quantity") != 0]
        line.item = replace(item, discounts=(), **how)
        order.reprice()
        enough = min(self._left) >= ZERO
        order.lines, line.item = lines, item
        order.reprice()
        if not enough:
            raise Impossible
        self.shop.edit_line(order.id, line.id, **how)

    def _given(self, kind: str, item_id: int) -> bool:
        """Whether some of it was given back."""
        return any((one.type, one.item_id) == (kind, item_id) for refund in self.order.refunds for one in refund.items)

    # What the merchant changes

    def _quantity(self, choice: int) -> None:
        self._change(self._untouched(choice), quantity=1 + choice % 4)

    def _price(self, choice: int) -> None:
        line = self._untouched(choice)
        more = self.unit * (1 + 37 * choice) * (-1 if choice % 3 == 2 else 1)
        if line.item.unit_price + more < ZERO:
            raise Impossible
        self._change(line, unit_price=line.item.unit_price + more)

    def _another_line(self, choice: int) -> None:
        basket = draft(Shape.ORDINARY, self.order.profile, seed=choice, currency=self.order.draft.currency)
        self.shop.add_line(self.order.id, basket.items[0])

    def _no_line(self, choice: int) -> None:
        if len(self.order.lines) < 2:
            raise Impossible
        self._change(self._untouched(choice), quantity=0)

    def _no_tax(self, choice: int) -> None:
        if self.order.refunds:
            raise Impossible
        self.shop.exempt(self.order.id, exempt=not self.order.draft.tax_exempt)

    def _fee(self, choice: int) -> None:
        kept = tuple(self.order.fees) if self.order.refunds else ()
        self.shop.set_fees(self.order.id, (*kept, Fee("Insurance", self.unit * (100 + 13 * choice))))

    def _address(self, choice: int) -> None:
        people = self.order.profile.people
        self.shop.move(self.order.id, people[choice % len(people)])

    def _note(self, choice: int) -> None:
        self.shop.touch(self.order.id, f"Note {choice}")

    # Its status

    def _status(self, status_id: int) -> Callable[[int], None]:
        def move(_: int) -> None:
            self.shop.set_status(self.order.id, status_id)

        return move

    # What is given back

    def _pieces(self, choice: int, **how: Any) -> None:
        lines = [
            line
            for line in self.order.lines
            if line.item.quantity > line.quantity_refunded and self.order.priced.lines[line.id].discounted.inc > ZERO
        ]
        if not lines:
            raise Impossible
        line = lines[choice % len(lines)]
        pieces = 1 + choice % (line.item.quantity - line.quantity_refunded)
        self.shop.refund(self.order.id, line.id, pieces, **how)

    def _everything(self, choice: int) -> None:
        if self._left[0] <= ZERO:
            raise Impossible
        self.shop.refund(self.order.id, everything=True)

    def _amount(self, choice: int) -> Decimal:
        total, tax = self._left
        # What is free of tax can come to no more than what was sold.
        amount = min(self.unit * (1 + 59 * choice), total - tax)
        if amount <= ZERO:
            raise Impossible
        return amount

    def _some(self, choice: int) -> None:
        amount = self._amount(choice)
        self.shop.refund(self.order.id, items=[Returned("ORDER", self.order.id, amount=amount)])

    def _tax_alone(self, choice: int) -> None:
        tax = min(self._left[1], self.unit * (1 + 7 * choice))
        if tax <= ZERO:
            raise Impossible
        self.shop.refund(self.order.id, tax_adjustment=tax)

    def _shipping(self, choice: int) -> None:
        charged = [
            address_id
            for address_id, one in zip(self.order.address_ids, self.order.priced.addresses, strict=True)
            if one.shipping.inc and not self._given("SHIPPING", address_id)
        ]
        if not charged:
            raise Impossible
        amount = None if choice % 2 else self.unit * (1 + choice)
        self.shop.refund(self.order.id, items=[Returned("SHIPPING", charged[0], amount=amount)])

    def _a_fee(self, choice: int) -> None:
        if not self.order.fees or self._given("FEE", self.order.fee_id(0)):
            raise Impossible
        self.shop.refund(self.order.id, items=[Returned("FEE", self.order.fee_id(0))])

    def _tenders(self, choice: int) -> None:
        amount = self._amount(choice)
        credit = quantize(amount / 2, minor_units(self.order.currency))
        name = gateway(self.order)[1]
        payments = {
            "storecredit": credit,
            name if "payment" in self.order.tenders() else "storecredit": amount - credit,
        }
        if len(payments) < 2 or amount == credit:
            payments = {"storecredit": amount}
        self.shop.refund(self.order.id, items=[Returned("ORDER", self.order.id, amount=amount)], payments=payments)

    def _declined(self, choice: int) -> None:
        self._pieces(choice, declined=True)

    def _repeated(self, choice: int) -> Refund:
        waiting = [refund for refund in self.order.refunds if refund.declined]
        if not waiting:
            raise Impossible
        refund: Refund = self.shop.repeat_refund(waiting[0].id)
        return refund


_DEEDS: Final[dict[str, Callable[[Happening, int], Refund | None]]] = {
    "quantity": Happening._quantity,
    "price": Happening._price,
    "another line": Happening._another_line,
    "no line": Happening._no_line,
    "no tax": Happening._no_tax,
    "fee": Happening._fee,
    "address": Happening._address,
    "note": Happening._note,
    "cancelled": lambda one, choice: one._status(statuses.CANCELLED)(choice),
    "declined": lambda one, choice: one._status(statuses.DECLINED)(choice),
    "back again": lambda one, choice: one._status(statuses.AWAITING_FULFILLMENT)(choice),
    "shipped": lambda one, choice: one._status(statuses.SHIPPED)(choice),
    "pieces": Happening._pieces,
    "everything": Happening._everything,
    "amount": Happening._some,
    "tax alone": Happening._tax_alone,
    "shipping": Happening._shipping,
    "a fee": Happening._a_fee,
    "to several tenders": Happening._tenders,
    "declined payment": Happening._declined,
    "payment repeated": Happening._repeated,
}
