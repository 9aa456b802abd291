"""One store as a state machine: orders are placed, paid, changed, shipped, refunded and archived.

Every change moves `date_modified` (whole seconds, as the vendor has it) and tells whoever listens what happened, in
the vendor's webhook scopes. Nothing here speaks HTTP.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sandbox.bigcommerce import refunds, statuses
from sandbox.bigcommerce.documents import Draft, Fee, Item, Line, Order, Refund, Returned, Shipment
from sandbox.bigcommerce.money import ZERO
from sandbox.bigcommerce.payments import decline, pay_back, settle
from sandbox.bigcommerce.profiles import Person, Profile
from sandbox.bigcommerce.truth import Truth, truth_of


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened; `data` is the webhook's thin `data` object."""

    scope: str
    data: dict[str, Any]
    at: datetime

    @property
    def order_id(self) -> int | None:
        if self.data.get("type") in _NO_ORDERS:
            return None
        named = self.data.get("order_id", self.data.get("orderId", self.data.get("id")))
        return int(named) if named is not None else None


_NO_ORDERS = ("product", "sku", "customer")
Listener = Callable[[Event], None]


class Shop:
    """One store's orders. `late_by` is asked for every new order how many seconds it takes until others see it."""

    def __init__(
        self,
        profile: Profile,
        *,
        now: Callable[[], datetime] | None = None,
        late_by: Callable[[], float] | None = None,
    ) -> None:
        self.profile = profile
        self.orders: dict[int, Order] = {}
        self.refund_lag = 0.0
        """Seconds from a refund's webhook until the refund can be read."""
        self.listeners: list[Listener] = []
        self._now = now or (lambda: datetime.now(UTC))
        self._late_by = late_by or (lambda: 0.0)
        self._last_order = profile.first_order_id - 1
        self._last_id = profile.first_order_id * 10

    def now(self) -> datetime:
        """The store's present in whole seconds, UTC."""
        return self._now().replace(microsecond=0)

    def order(self, order_id: int) -> Order:
        """The order, or LookupError."""
        try:
            return self.orders[order_id]
        except KeyError:
            raise LookupError(f"{self.profile.name} has no order {order_id}.") from None

    def visible(self, order: Order) -> bool:
        """Whether others can see the order by now."""
        return order.visible_from is None or order.visible_from <= self._now()

    def refunds(self) -> list[tuple[Order, Refund]]:
        """Every refund that can be read by now, by id."""
        now = self._now()
        rows = [(order, refund) for order in self.orders.values() for refund in order.refunds]
        return sorted((row for row in rows if row[1].visible_from <= now), key=lambda row: row[1].id)

    # What happens to an order

    def place(
        self,
        draft: Draft,
        *,
        status_id: int = statuses.AWAITING_FULFILLMENT,
        created: datetime | None = None,
        channel_id: int | None = None,
        quiet: bool = False,
    ) -> Order:
        """A new order. `created` back-dates it (`date_modified` stays the present); `channel_id` is where it was
        placed, if not in the store's own channel; `quiet` sends no webhook."""
        self._last_order += 1
        ids = [self._next() for _ in draft.items]
        lines = [
            Line(line_id, item, None if item.part_of is None else ids[item.part_of])
            for line_id, item in zip(ids, draft.items, strict=True)
        ]
        order = Order(
            id=self._last_order,
            draft=draft,
            profile=self.profile if channel_id is None else replace(self.profile, channel_id=channel_id),
            status_id=status_id,
            created=(created or self.now()).astimezone(UTC).replace(microsecond=0),
            modified=self.now(),
            lines=lines,
            address_ids=tuple(self._next() for _ in draft.deliveries),
            cart_id=_cart_id(self.profile.store_hash, self._last_order),
            fees=list(draft.fees),
        )
        self.orders[order.id] = order
        self._hide(order)
        if not quiet:
            self._tell("store/order/created", order)
        self._pay(order, quiet=quiet)
        return order

    def set_status(self, order_id: int, status_id: int) -> Order:
        """Move the order to another status; a first paid status brings its payment."""
        if status_id not in statuses.LABELS:
            raise ValueError(f"There is no order status {status_id}.")
        order = self.order(order_id)
        previous, order.status_id = order.status_id, status_id
        if status_id in (statuses.SHIPPED, statuses.COMPLETED) and order.shipped is None:
            order.shipped = self.now()
        self._change(order)
        self._pay(order)
        status = {"previous_status_id": previous, "new_status_id": status_id}
        self._tell("store/order/statusUpdated", order, status=status)
        self._tell("store/order/updated", order)
        return order

    def ship(self, order_id: int) -> Order:
        """Ship everything that is not shipped yet, one shipment per address."""
        order = self.order(order_id)
        for address_id in order.address_ids:
            lines = [line for line in order.lines if order.address_id(line) == address_id and _open(line)]
            if not lines:
                continue
            items = tuple((line.id, _open(line)) for line in lines)
            shipment = Shipment(self._next(), address_id, self.now(), f"TRK{order.id}{address_id}", items)
            order.shipments.append(shipment)
            for line in lines:
                line.quantity_shipped = line.item.quantity
            self._emit("store/shipment/created", {"type": "shipment", "id": shipment.id, "orderId": order.id})
        order.shipped = self.now()
        return self.set_status(order_id, statuses.SHIPPED)

    def edit_line(
        self, order_id: int, line_id: int, *, quantity: int | None = None, unit_price: Decimal | None = None
    ) -> Order:
        """Change a line; quantity 0 removes it. Discounts on the changed line are lost (orders V2, order edits)."""
        order = self.order(order_id)
        line = order.line(line_id)
        if quantity == 0:
            order.lines.remove(line)
        else:
            line.item = replace(
                line.item,
                quantity=line.item.quantity if quantity is None else quantity,
                unit_price=line.item.unit_price if unit_price is None else unit_price,
                discounts=(),
            )
        return self._edited(order)

    def add_line(self, order_id: int, item: Item) -> Order:
        """Add a line to a placed order."""
        order = self.order(order_id)
        order.lines.append(Line(self._next(), item))
        return self._edited(order)

    def set_fees(self, order_id: int, fees: tuple[Fee, ...]) -> Order:
        """Replace all fees: an edit never adds to them."""
        order = self.order(order_id)
        order.fees = list(fees)
        return self._edited(order)

    def move(self, order_id: int, person: Person) -> Order:
        """Ship everything to another address; its tax stays what it was charged."""
        order = self.order(order_id)
        deliveries = tuple(replace(one, person=person) for one in order.draft.deliveries)
        order.draft = replace(order.draft, deliveries=deliveries)
        return self._edited(order)

    def exempt(self, order_id: int, *, exempt: bool = True) -> Order:
        """Take all tax off the order, or put it on again."""
        order = self.order(order_id)
        order.draft = replace(order.draft, tax_exempt=exempt)
        return self._edited(order)

    def touch(self, order_id: int, note: str = "Checked.") -> Order:
        """Change something that is no money: the staff note."""
        order = self.order(order_id)
        order.staff_notes = note
        self._change(order)
        self._tell("store/order/updated", order)
        return order

    def archive(self, order_id: int) -> Order:
        """Archive ("delete") the order: still readable by id, gone from lists."""
        order = self.order(order_id)
        order.deleted = True
        self._change(order)
        self._tell("store/order/archived", order)
        return order

    def refund(
        self,
        order_id: int,
        line_id: int = 0,
        quantity: int = 0,
        *,
        items: Sequence[Returned] = (),
        everything: bool = False,
        tax_adjustment: Decimal = ZERO,
        payments: Mapping[str, Decimal] | str | None = None,
        override: tuple[Decimal, Decimal] | None = None,
        declined: bool | Collection[str] = False,
        over: bool = False,
        reason: str = "Returned",
    ) -> Refund:
        """Refund pieces of one line, `items`, `everything` that is left, or tax alone; readable after the lag.

        `payments` are amounts by provider, or the one that pays it all, else money goes back the way it came;
        `override` are total and tax that the merchant types; `declined` payments (all, or those of the named providers)
        move no money and leave the status, until `repeat_refund`. `over` allows more than was charged. Status 4 or
        14 when it is paid.
        """
        order = self.order(order_id)
        wanted = (Returned("PRODUCT", line_id, quantity),) if line_id else tuple(items)
        returned = refunds.everything_left(order) if everything else refunds.completed(order, wanted)
        before, before_tax = refunds.refunded_totals(order)
        rest = (order.priced.total.inc - before, order.priced.total.tax - before_tax)
        total, tax = override or (rest if everything else refunds.cost(order, returned, tax_adjustment))
        if not over and (total > rest[0] or tax > rest[1]):
            raise ValueError(f"Order {order_id} has {rest[0]} and {rest[1]} of tax left, not {total} and {tax}.")
        refund = Refund(
            id=self._next(),
            created=self.now(),
            visible_from=self._now() + timedelta(seconds=self.refund_lag),
            reason=reason,
            total=total,
            tax=tax,
            items=returned,
            payments=refunds.paid_back(order, total, payments, declined, self._next),
            override=override is not None,
        )
        for item in returned:
            if item.type == "PRODUCT":
                order.line(item.item_id).quantity_refunded += item.quantity or 0
        order.refunds.append(refund)
        for payment in refund.payments:
            pay_back(order, payment, self._next, self.now())
        self._tell("store/order/refund/created", order, refund={"refund_id": refund.id})
        self._refunded(order)
        return refund

    def repeat_refund(self, refund_id: int) -> Refund:
        """Repeat the declined payments of a refund; this time they are taken."""
        for order in self.orders.values():
            for refund in order.refunds:
                if refund.id == refund_id:
                    for payment in refund.payments:
                        if payment.declined:
                            payment.declined = False
                            pay_back(order, payment, self._next, self.now())
                    self._refunded(order)
                    return refund
        raise LookupError(f"{self.profile.name} has no refund {refund_id}.")

    def decline_refund(self, refund_id: int) -> Refund:
        """Its provider declines to pay the refund back after all: refunds are asynchronous. The status stays."""
        for order in self.orders.values():
            for refund in order.refunds:
                if refund.id == refund_id:
                    for payment in refund.payments:
                        decline(order, payment)
                    self._change(order)
                    return refund
        raise LookupError(f"{self.profile.name} has no refund {refund_id}.")

    def _refunded(self, order: Order) -> None:
        """Status and payment status after what was really paid back."""
        paid = [refund for refund in order.refunds if not refund.declined]
        if not paid:
            self._change(order)
            return
        whole = sum((refund.total for refund in paid), ZERO) >= order.priced.total.inc
        order.payment_status = "refunded" if whole else "partially refunded"
        self.set_status(order.id, statuses.REFUNDED if whole else statuses.PARTIALLY_REFUNDED)

    # What a ledger must say

    def truth(self) -> dict[int, Truth]:
        """Every order with the amounts a correct ledger shows for it."""
        return {order.id: truth_of(order) for order in self.orders.values()}

    def announce(self, scope: str, data: dict[str, Any]) -> None:
        """Tell that something happened beside the orders."""
        self._emit(scope, data)

    def annotated(self, order: Order, what: str, data: dict[str, Any], *, touches: bool) -> None:
        """A metafield of the order was made, changed or deleted; it may count as a change of the order."""
        self._emit(f"store/order/metafield/{what}", {"type": "order", "resource_id": str(order.id), **data})
        if touches:
            self._change(order)
            self._tell("store/order/updated", order)

    def _edited(self, order: Order) -> Order:
        order.reprice()
        self._change(order)
        self._tell("store/order/updated", order)
        return order

    def _change(self, order: Order) -> None:
        order.modified = max(self.now(), order.modified)

    def _pay(self, order: Order, *, quiet: bool = False) -> None:
        if order.status_id in statuses.UNPAID or order.transactions:
            return
        for transaction in settle(order, self._next, self.now()):
            if not quiet:
                data = {
                    "type": "transaction",
                    "order_id": str(order.id),
                    "transaction_id": transaction.id,
                    "transaction_status": transaction.status,
                    "transaction_type": transaction.event,
                }
                self._emit("store/order/transaction/created", data)

    def _hide(self, order: Order) -> None:
        late = self._late_by()
        if late > 0:
            order.visible_from = self._now() + timedelta(seconds=late)

    def _tell(self, scope: str, order: Order, **more: Any) -> None:
        self._emit(scope, {"type": "order", "id": order.id, **more})

    def _emit(self, scope: str, data: dict[str, Any]) -> None:
        event = Event(scope, data, self.now())
        for listener in self.listeners:
            listener(event)

    def _next(self) -> int:
        self._last_id += 1
        return self._last_id


def _open(line: Line) -> int:
    return line.item.quantity - line.quantity_shipped


def _cart_id(store_hash: str, order_id: int) -> str:
    digits = hashlib.sha256(f"{store_hash}/{order_id}".encode()).hexdigest()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))
