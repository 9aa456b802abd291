"""Totals of an order, with the vendor's identities.

Tax-exclusive stores: discounts and taxes work on the price without tax, tax is on the discounted price.
Tax-inclusive stores: prices and discounts contain tax, tax is what the discounted price contains; a line's own
ex-tax values are estimates from the undiscounted price, four decimals long.

Always, to the minor unit: `total_inc = subtotal_inc + shipping_inc + handling_inc + wrapping_inc + fees_inc
- discount_amount - coupon_discount` and `total_inc = total_ex + total_tax` (fees only where the store includes them).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from sandbox.bigcommerce.money import ZERO, allocate, minor_units, quantize
from sandbox.bigcommerce.profiles import NON_TAXABLE, TaxClass, TaxRate

if TYPE_CHECKING:
    from sandbox.bigcommerce.documents import Line, Order

RowType = Literal["item", "shipping", "handling", "gift-wrapping"]


@dataclass(frozen=True, slots=True)
class Taxed:
    """An amount without tax, with tax, and the tax."""

    ex: Decimal = ZERO
    inc: Decimal = ZERO
    tax: Decimal = ZERO

    def __add__(self, other: Taxed) -> Taxed:
        return Taxed(self.ex + other.ex, self.inc + other.inc, self.tax + other.tax)


@dataclass(frozen=True, slots=True)
class TaxRow:
    type: RowType
    line_id: int | None
    address_id: int
    tax_class: TaxClass
    rate: TaxRate
    amount: Decimal


@dataclass(frozen=True, slots=True)
class PricedLine:
    unit: Taxed
    total: Taxed
    """Before order-level discounts, as the line shows it."""
    discounted: Taxed
    """After all discounts: what was really charged."""
    wrapping: Taxed


@dataclass(frozen=True, slots=True)
class PricedAddress:
    shipping: Taxed
    handling: Taxed


@dataclass(frozen=True, slots=True)
class Priced:
    lines: dict[int, PricedLine]
    addresses: tuple[PricedAddress, ...]
    rows: tuple[TaxRow, ...]
    subtotal: Taxed
    shipping: Taxed
    handling: Taxed
    wrapping: Taxed
    fees: Taxed
    discount_amount: Decimal
    coupon_discount: Decimal
    total: Taxed


@dataclass(frozen=True, slots=True)
class _Taxation:
    """How this order is taxed: price basis, rounding, exemption."""

    order: Order
    places: int

    @property
    def inclusive(self) -> bool:
        return self.order.profile.tax_inclusive

    @property
    def row_places(self) -> int:
        return 4 if self.order.profile.tax_rounding == "order" else self.places

    def tax_class(self, class_id: int) -> TaxClass:
        known = self.order.profile.tax_class(class_id)
        return TaxClass(known.id, known.name) if self.order.draft.tax_exempt else known

    def rows(self, amount: Decimal, rates: Sequence[TaxRate]) -> list[Decimal]:
        """Tax per rate on an amount in the store's price basis."""
        if not self.inclusive:
            return [quantize(amount * rate.percent / 100, self.row_places) for rate in rates]
        percent = sum((rate.percent for rate in rates), ZERO)
        tax = quantize(amount * percent / (100 + percent), self.row_places)
        return allocate(tax, [rate.percent for rate in rates], self.row_places)

    def charged(self, amount: Decimal, tax: Decimal) -> Taxed:
        return Taxed(amount - tax, amount, tax) if self.inclusive else Taxed(amount, amount + tax, tax)

    def shown(self, amount: Decimal, rates: Sequence[TaxRate]) -> Taxed:
        """The same with four-decimal tax, as unit prices and estimates show it."""
        percent = sum((rate.percent for rate in rates), ZERO)
        if self.inclusive:
            return self.charged(amount, quantize(amount * percent / (100 + percent), 4))
        return self.charged(amount, quantize(amount * percent / 100, 4))


class _Rows:
    """Tax rows as they are found, and sums per kind rounded as the order's totals show them."""

    def __init__(self, taxation: _Taxation) -> None:
        self.taxation = taxation
        self.rows: list[TaxRow] = []

    def tax(
        self, kind: RowType, amount: Decimal, class_id: int, *, line_id: int | None = None, address_id: int = 0
    ) -> Taxed:
        tax_class = self.taxation.tax_class(class_id)
        taxes = self.taxation.rows(amount, tax_class.rates)
        if amount:
            self.rows += [
                TaxRow(kind, line_id, address_id, tax_class, rate, tax)
                for rate, tax in zip(tax_class.rates, taxes, strict=True)
            ]
        return self.taxation.charged(amount, sum(taxes, ZERO))

    def sum(self, kind: RowType) -> Decimal:
        return quantize(sum((row.amount for row in self.rows if row.type == kind), ZERO), self.taxation.places)


def price(order: Order) -> Priced:
    """Every total of the order, from its lines, deliveries, fees and the discounts its lines carry."""
    profile = order.profile
    taxation = _Taxation(order, minor_units(order.currency))
    rows = _Rows(taxation)
    lines = {line.id: _line(order, line, taxation, rows) for line in order.lines}
    addresses = tuple(
        PricedAddress(
            shipping=rows.tax("shipping", delivery.shipping, profile.shipping_tax_class_id, address_id=address_id),
            handling=rows.tax("handling", delivery.handling, profile.handling_tax_class_id, address_id=address_id),
        )
        for address_id, delivery in zip(order.address_ids, order.draft.deliveries, strict=True)
    )
    shipping = taxation.charged(sum((d.shipping for d in order.draft.deliveries), ZERO), rows.sum("shipping"))
    handling = taxation.charged(sum((d.handling for d in order.draft.deliveries), ZERO), rows.sum("handling"))
    wrapping = taxation.charged(sum((line.item.wrapping for line in order.lines), ZERO), rows.sum("gift-wrapping"))
    fees = Taxed(
        ex=sum((fee.cost for fee in order.fees), ZERO),
        inc=sum((fee.cost + fee.tax for fee in order.fees), ZERO),
        tax=sum((fee.tax for fee in order.fees), ZERO),
    )
    subtotal = _subtotal(order, lines, taxation, rows.sum("item"))
    by_source = {
        source: sum((d.amount for line in order.lines for d in line.item.discounts if d.source == source), ZERO)
        for source in ("coupon", "manual-discount", "automatic")
    }
    discount_amount = by_source["manual-discount"] + by_source["automatic"]
    charges = shipping + handling + wrapping + (fees if profile.fees_in_total else Taxed())
    inc = subtotal.inc + charges.inc - discount_amount - by_source["coupon"]
    tax = subtotal.tax + charges.tax
    return Priced(
        lines=lines,
        addresses=addresses,
        rows=tuple(rows.rows),
        subtotal=subtotal,
        shipping=shipping,
        handling=handling,
        wrapping=wrapping,
        fees=fees,
        discount_amount=discount_amount,
        coupon_discount=by_source["coupon"],
        total=Taxed(ex=inc - tax, inc=inc, tax=tax),
    )


def _line(order: Order, line: Line, taxation: _Taxation, rows: _Rows) -> PricedLine:
    item = line.item
    address_id = order.address_id(line)
    rates = taxation.tax_class(item.tax_class_id).rates
    charged = rows.tax("item", item.amount - item.discount, item.tax_class_id, line_id=line.id, address_id=address_id)
    if taxation.inclusive or order.profile.line_tax == "before_discounts":
        total = taxation.shown(item.amount, rates)
    else:
        total = Taxed(item.amount, item.amount + charged.tax, charged.tax)
    wrapping = rows.tax(
        "gift-wrapping",
        item.wrapping,
        order.profile.wrapping_tax_class_id if item.wrapping else NON_TAXABLE,
        line_id=line.id,
        address_id=address_id,
    )
    return PricedLine(taxation.shown(item.unit_price, rates), total, charged, wrapping)


def _subtotal(order: Order, lines: dict[int, PricedLine], taxation: _Taxation, tax: Decimal) -> Taxed:
    """Prices before discounts, but the tax really charged: `inc - ex` and `tax` differ in tax-inclusive stores."""
    amount = sum((line.item.amount for line in order.lines), ZERO)
    if taxation.inclusive:
        return Taxed(ex=sum((line.total.ex for line in lines.values()), ZERO), inc=amount, tax=tax)
    return Taxed(ex=amount, inc=amount + tax, tax=tax)
