"""What an order of BigCommerce is made of, net: product lines after discounts, and charges, against the header's total.

The header is the truth: `total_inc_tax - total_tax` is what lines and charges have to add up to. The vendor gives
several ways to get there and none holds on every shop, so they are tried in order and the first that agrees with the
header is taken:

    exclusive    `total_ex_tax` of the lines less discounts, charges by `*_ex_tax`
    inclusive    `total_inc_tax` of the lines less discounts less their tax, charges by `*_inc_tax - *_tax`
    discounted   `discounted_total_inc_tax` of the lines less their tax

An order with tax-inclusive prices starts with *inclusive*, any other with *exclusive* (BigCommerce: only the values on
the pricing side of `is_tax_inclusive_pricing` are exact). Custom fees are inside the total in some shops and outside in
others, so each way is tried with and without them. What no way explains stays in the sale's rounding, under its limit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from contracts.bigcommerce import Order, OrderDocument, OrderProduct
from mapping.bigcommerce_taxes import explains, line_rates
from mapping.money import allocate, quantize

ZERO: Final = Decimal(0)
_SHIPPING_COUPONS: Final = (3, 4)

Way = Literal["exclusive", "inclusive", "discounted"]


@dataclass(frozen=True)
class NetLine:
    """One product line: `net = list_net - discount`, tax excluded, exact to the minor unit."""

    product: OrderProduct
    list_net: Decimal
    discount: Decimal
    net: Decimal


@dataclass(frozen=True)
class Charge:
    """A charge as the header or a fee states it."""

    kind: Literal["shipping", "handling", "wrapping", "fee"]
    key: str
    name: str
    ex_tax: Decimal
    inc_tax: Decimal
    tax: Decimal


@dataclass(frozen=True)
class NetCharge:
    charge: Charge
    net: Decimal


@dataclass(frozen=True)
class Breakdown:
    """Lines and charges of one way of reading an order. `residual` is what the header says beyond their sum."""

    way: Way
    lines: tuple[NetLine, ...]
    charges: tuple[NetCharge, ...]
    residual: Decimal
    fees_outside: bool = False


def is_certificate(product: OrderProduct) -> bool:
    """A gift certificate sold: a liability and not revenue."""
    return product.type == "giftcertificate" or product.gift_certificate_id > 0


def counted_products(document: OrderDocument) -> tuple[OrderProduct, ...]:
    """The lines that carry the order's money, by line id.

    The parts of a bundle repeat what their parent line already says, usually with amounts of zero. They are left out,
    unless the header's subtotal proves that they are priced on their own.
    """
    order = document.order
    products = sorted(document.products, key=lambda product: product.id)
    ids = {product.id for product in products}
    alone = [
        one for one in products if one.parent_order_product_id in (0, one.id) or one.parent_order_product_id not in ids
    ]
    if len(alone) == len(products):
        return tuple(products)

    def gap(lines: Sequence[OrderProduct]) -> Decimal:
        if order.is_tax_inclusive_pricing:
            return abs(sum((one.total_inc_tax for one in lines), start=ZERO) - order.subtotal_inc_tax)
        return abs(sum((one.total_ex_tax for one in lines), start=ZERO) - order.subtotal_ex_tax)

    return tuple(products if gap(products) < gap(alone) else alone)


def break_down(document: OrderDocument, units: int) -> Breakdown:
    """The order's lines and charges by the first way that agrees with the header; the preferred way if none does.

    `units` are the decimal places of the currency. To agree means: within one minor unit, or else, as the nearest of
    all, within half a minor unit for each amount that the shop may have rounded.
    """
    order = document.order
    products = counted_products(document)
    ways: list[Way] = ["inclusive", "exclusive"] if order.is_tax_inclusive_pricing else ["exclusive", "inclusive"]
    if products and all(one.discounted_total_inc_tax is not None for one in products):
        ways.append("discounted")
    header, fees = header_charges(order), fee_charges(document)
    readings = []
    for way in ways:
        readings.append(_read(document, products, (*header, *fees), way, units))
        if fees:
            readings.append(_read(document, products, header, way, units, fees_outside=True))
    unit = Decimal(1).scaleb(-units)
    for reading in readings:
        if abs(reading.residual) <= unit:
            return reading
    nearest = min(readings, key=lambda reading: abs(reading.residual))
    tolerance = unit * (1 + len(products) + len(header) + len(fees)) / 2
    return nearest if abs(nearest.residual) <= tolerance else readings[0]


def header_charges(order: Order) -> tuple[Charge, ...]:
    """Shipping, handling and gift wrapping as the header states them."""
    return (
        Charge(
            "shipping",
            "shipping",
            "Shipping",
            order.shipping_cost_ex_tax,
            order.shipping_cost_inc_tax,
            order.shipping_cost_tax,
        ),
        Charge(
            "handling",
            "handling",
            "Handling",
            order.handling_cost_ex_tax,
            order.handling_cost_inc_tax,
            order.handling_cost_tax,
        ),
        Charge(
            "wrapping",
            "wrapping",
            "Gift wrapping",
            order.wrapping_cost_ex_tax,
            order.wrapping_cost_inc_tax,
            order.wrapping_cost_tax,
        ),
    )


def fee_charges(document: OrderDocument) -> tuple[Charge, ...]:
    fees = sorted(document.fees, key=lambda fee: fee.id)
    return tuple(
        Charge(
            "fee",
            f"fee:{fee.id}",
            fee.display_name_merchant or fee.display_name_customer or fee.type,
            fee.cost_ex_tax,
            fee.cost_inc_tax,
            fee.cost_tax,
        )
        for fee in fees
        if fee.cost_ex_tax or fee.cost_inc_tax
    )


def _read(
    document: OrderDocument,
    products: Sequence[OrderProduct],
    charges: Sequence[Charge],
    way: Way,
    units: int,
    *,
    fees_outside: bool = False,
) -> Breakdown:
    order = document.order
    total_tax = quantize(order.total_tax, units)
    charge_nets = [_charge_net(one, inclusive=_charges_inclusive(order, way), units=units) for one in charges]
    item_tax = total_tax - sum((quantize(one.tax, units) for one in charges), start=ZERO)
    if way == "discounted":
        paid = _rounded([one.discounted_total_inc_tax or ZERO for one in products], units)
        nets = _less_tax(document, products, paid, item_tax, units)
        lines = [
            _line(one, net, one.total_inc_tax > (one.discounted_total_inc_tax or ZERO), units)
            for one, net in zip(products, nets, strict=True)
        ]
    else:
        gross = _rounded([one.total_ex_tax if way == "exclusive" else one.total_inc_tax for one in products], units)
        on_lines, on_charges = _divide_discount(document, products, gross, charges, charge_nets, units)
        charge_nets = [net - off for net, off in zip(charge_nets, on_charges, strict=True)]
        paid = [amount - off for amount, off in zip(gross, on_lines, strict=True)]
        if way == "exclusive":
            lines = [
                NetLine(one, amount, off, amount - off)
                for one, amount, off in zip(products, gross, on_lines, strict=True)
            ]
        else:
            nets = _less_tax(document, products, paid, item_tax, units)
            lines = [_line(one, net, off > 0, units) for one, net, off in zip(products, nets, on_lines, strict=True)]
    explained = sum((line.net for line in lines), start=ZERO) + sum(charge_nets, start=ZERO)
    return Breakdown(
        way=way,
        lines=tuple(lines),
        charges=tuple(NetCharge(one, net) for one, net in zip(charges, charge_nets, strict=True)),
        residual=quantize(order.total_inc_tax, units) - total_tax - explained,
        fees_outside=fees_outside,
    )


def _charges_inclusive(order: Order, way: Way) -> bool:
    return way == "inclusive" or (way == "discounted" and order.is_tax_inclusive_pricing)


def _charge_net(charge: Charge, *, inclusive: bool, units: int) -> Decimal:
    if inclusive:
        return quantize(charge.inc_tax, units) - quantize(charge.tax, units)
    return quantize(charge.ex_tax, units)


def _line(product: OrderProduct, net: Decimal, discounted: bool, units: int) -> NetLine:
    """A line whose net is known; its list price before discounts is the shop's estimate, never below the net."""
    list_net = max(net, quantize(product.total_ex_tax, units)) if discounted else net
    return NetLine(product, list_net, list_net - net, net)


def _rounded(amounts: Sequence[Decimal], units: int) -> list[Decimal]:
    """Amounts of four decimals in minor units, their sum rounded once and not line by line."""
    if any(amount < 0 for amount in amounts):
        return [quantize(amount, units) for amount in amounts]
    return list(allocate(quantize(sum(amounts, start=ZERO), units), amounts, units))


def _divide_discount(
    document: OrderDocument,
    products: Sequence[OrderProduct],
    gross: Sequence[Decimal],
    charges: Sequence[Charge],
    charge_nets: Sequence[Decimal],
    units: int,
) -> tuple[list[Decimal], list[Decimal]]:
    """Each line's and each charge's share of the header's discounts, by largest remainder.

    Lines take what the shop says it took off them; without that, in proportion to their price, certificates last.
    Shipping coupons, and what exceeds the lines, are taken off the charges.
    """
    order = document.order
    discount = quantize(order.discount_amount + order.coupon_discount, units)
    none = [ZERO] * len(products), [ZERO] * len(charges)
    if discount <= 0:
        return none
    applied = _applied_discounts(products, discount)
    stated = sum(applied, start=ZERO)
    on_shipping = ZERO
    if abs(stated - discount) > Decimal(len(products) + 1).scaleb(-units) / 2:
        coupons = sum((one.discount for one in document.coupons if one.type in _SHIPPING_COUPONS), start=ZERO)
        shipping = sum((max(net, ZERO) for net in charge_nets[:1]), start=ZERO)
        on_shipping = max(ZERO, min(quantize(coupons, units), quantize(order.coupon_discount, units), shipping))
    on_lines = min(discount - on_shipping, sum((max(amount, ZERO) for amount in gross), start=ZERO))
    weights = _discount_weights(products, gross, applied, on_lines)
    line_shares = list(allocate(on_lines, weights, units)) if products else none[0]
    charge_shares = none[1]
    if charges:
        charge_shares[0] = on_shipping
        room = [max(net - off, ZERO) for net, off in zip(charge_nets, charge_shares, strict=True)]
        rest = min(discount - on_shipping - on_lines, sum(room, start=ZERO))
        charge_shares = [taken + more for taken, more in zip(charge_shares, allocate(rest, room, units), strict=True)]
    return line_shares, charge_shares


def _applied_discounts(products: Sequence[OrderProduct], discount: Decimal) -> list[Decimal]:
    """What each line says was taken off it: all its discounts, or only the order's when that fits the header better."""
    every = [sum((one.amount for one in product.applied_discounts), start=ZERO) for product in products]
    orders = [
        sum((one.amount for one in product.applied_discounts if one.target == "order"), start=ZERO)
        for product in products
    ]
    nearer = abs(sum(orders, start=ZERO) - discount) < abs(sum(every, start=ZERO) - discount)
    return orders if nearer else every


def _discount_weights(
    products: Sequence[OrderProduct], gross: Sequence[Decimal], applied: Sequence[Decimal], on_lines: Decimal
) -> list[Decimal]:
    stated = [min(max(amount, ZERO), max(limit, ZERO)) for amount, limit in zip(applied, gross, strict=True)]
    if sum(stated, start=ZERO) >= on_lines > 0:
        return stated
    fallen = [
        max(ZERO, one.total_inc_tax - one.discounted_total_inc_tax)
        if one.discounted_total_inc_tax is not None
        else ZERO
        for one in products
    ]
    if any(fallen):
        return fallen
    priced = [max(amount, ZERO) for amount in gross]
    ordinary = [ZERO if is_certificate(one) else amount for one, amount in zip(products, priced, strict=True)]
    return ordinary if sum(ordinary, start=ZERO) >= on_lines else priced


def _less_tax(
    document: OrderDocument,
    products: Sequence[OrderProduct],
    paid: Sequence[Decimal],
    item_tax: Decimal,
    units: int,
) -> list[Decimal]:
    """`paid` with the header's tax on items taken out: each line's share by its rates, else by its own tax.

    The amounts of the tax rows, which every refund lowers, have no say.
    """
    if not products or not item_tax:
        return list(paid)
    rates = line_rates(document.taxes)
    by_rates = [
        max(ZERO, amount) * rates.get(str(one.id), ZERO) / (100 + rates.get(str(one.id), ZERO))
        for one, amount in zip(products, paid, strict=True)
    ]
    own = [
        max(ZERO, one.total_tax * amount / one.total_inc_tax) if one.total_inc_tax else ZERO
        for one, amount in zip(products, paid, strict=True)
    ]
    ordinary = [ZERO if is_certificate(one) else max(ZERO, amount) for one, amount in zip(products, paid, strict=True)]
    readings = [[quantize(one, units) for one in by_rates], by_rates, own]
    weights = next(
        (one for one in readings if any(one) and explains(one, item_tax, units)),
        next((one for one in (by_rates, own) if any(one)), ordinary),
    )
    return [amount - tax for amount, tax in zip(paid, _tax_shares(item_tax, weights, paid, units), strict=True)]


def _tax_shares(
    item_tax: Decimal, weights: Sequence[Decimal], paid: Sequence[Decimal], units: int
) -> tuple[Decimal, ...]:
    """`item_tax` by weight, and no line's tax above what was paid for it, as far as the other lines have room.

    Without a discount per line the paid amounts are our own division of the header's, so a row's tax can exceed one.
    """
    shares = allocate(item_tax, weights, units)
    limits = [max(amount, ZERO) for amount in paid]
    if item_tax < 0 or all(share <= limit for share, limit in zip(shares, limits, strict=True)):
        return shares
    kept = [min(share, limit) for share, limit in zip(shares, limits, strict=True)]
    room = [limit - share for share, limit in zip(kept, limits, strict=True)]
    rest = item_tax - sum(kept, start=ZERO)
    if sum(room, start=ZERO) < rest:
        return shares
    return tuple(share + more for share, more in zip(kept, allocate(rest, room, units), strict=True))
