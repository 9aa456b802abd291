"""One store as a state machine: orders are placed, paid, changed, shipped, refunded and archived.

Every change moves `date_modified` (whole seconds, as the vendor has it) and tells whoever listens what happened, in
the vendor's webhook scopes. Nothing here speaks HTTP.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sandbox.bigcommerce import statuses
from sandbox.bigcommerce.documents import Draft, Fee, Item, Line, Order, Refund, Shipment
from sandbox.bigcommerce.money import ZERO, quantize
from sandbox.bigcommerce.payments import settle
from sandbox.bigcommerce.profiles import Profile


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened; `data` is the webhook's thin `data` object."""

    scope: str
    data: dict[str, Any]
    at: datetime

    @property
    def order_id(self) -> int | None:
        named = self.data.get("order_id", self.data.get("orderId", self.data.get("id")))
        return int(named) if named is not None else None


@dataclass(frozen=True, slots=True)
class Truth:
    """What a correct ledger must say about one order. Amounts are in `currency`."""

    store_hash: str
    order_id: int
    channel_id: int
    currency: str
    shape: str
    status_id: int
    deleted: bool
    test: bool
    migrated: bool
    created: datetime
    modified: datetime
    total: Decimal
    tax: Decimal
    tenders: dict[str, Decimal]
    """`payment`, `store_credit`, `gift_certificate`; they sum to `total`."""
    net: dict[str, Decimal]
    """Revenue and charges without tax: product, custom, gift_certificate, shipping, handling, wrapping, fee. Exact
    where the store rounds each tax row; where it rounds once per order, within a minor unit of `total - tax`."""
    categories: tuple[str, ...]
    """Names of every category its catalog products are in."""


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
        quiet: bool = False,
    ) -> Order:
        """A new order. `created` back-dates it (`date_modified` stays the present); `quiet` sends no webhook."""
        self._last_order += 1
        ids = [self._next() for _ in draft.items]
        lines = [
            Line(line_id, item, None if item.part_of is None else ids[item.part_of])
            for line_id, item in zip(ids, draft.items, strict=True)
        ]
        order = Order(
            id=self._last_order,
            draft=draft,
            profile=self.profile,
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

    def refund(self, order_id: int, line_id: int, quantity: int, *, reason: str = "Returned") -> Refund:
        """Refund pieces of one line: money back by transaction, status 4 or 14, the refund readable after the lag."""
        order = self.order(order_id)
        line = order.line(line_id)
        left = line.item.quantity - line.quantity_refunded
        if not 0 < quantity <= left:
            raise ValueError(f"Line {line_id} of order {order_id} has {left} pieces left to refund, not {quantity}.")
        charged = order.priced.lines[line_id].discounted
        places = self.profile.places
        refund = Refund(
            id=self._next(),
            created=self.now(),
            visible_from=self._now() + timedelta(seconds=self.refund_lag),
            reason=reason,
            total=quantize(charged.inc * quantity / line.item.quantity, places),
            tax=quantize(charged.tax * quantity / line.item.quantity, places),
            items=(("PRODUCT", line_id, quantity, None),),
            provider_id="storecredit" if "payment" not in order.tenders() else "stripe",
        )
        line.quantity_refunded += quantity
        order.refunds.append(refund)
        whole = all(entry.quantity_refunded >= entry.item.quantity for entry in order.lines)
        order.payment_status = "refunded" if whole else "partially refunded"
        settle(order, self._next, self.now(), refund=refund)
        self._tell("store/order/refund/created", order, refund={"refund_id": refund.id})
        self.set_status(order_id, statuses.REFUNDED if whole else statuses.PARTIALLY_REFUNDED)
        return refund

    # What a ledger must say

    def truth(self) -> dict[int, Truth]:
        """Every order with the amounts a correct ledger shows for it."""
        return {order.id: _truth(order) for order in self.orders.values()}

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


def _truth(order: Order) -> Truth:
    priced = order.priced
    net: dict[str, Decimal] = {}
    for line in order.lines:
        kind = "product" if line.item.product_id else "custom"
        kind = "gift_certificate" if line.item.type == "giftcertificate" else kind
        net[kind] = net.get(kind, ZERO) + priced.lines[line.id].discounted.ex
    charges = {"shipping": priced.shipping, "handling": priced.handling, "wrapping": priced.wrapping}
    if order.profile.fees_in_total:
        charges["fee"] = priced.fees
    net |= {kind: charge.ex for kind, charge in charges.items() if charge.ex}
    names = {name for line in order.lines for name in order.profile.category_names(line.item.product_id)}
    return Truth(
        store_hash=order.profile.store_hash,
        order_id=order.id,
        channel_id=order.profile.channel_id,
        currency=order.currency,
        shape=order.draft.shape,
        status_id=order.status_id,
        deleted=order.deleted,
        test=order.draft.test,
        migrated=order.draft.migrated,
        created=order.created,
        modified=order.modified,
        total=priced.total.inc,
        tax=priced.total.tax,
        tenders=dict(order.tenders()),
        net=net,
        categories=tuple(sorted(names)),
    )
