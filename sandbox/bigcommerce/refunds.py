"""What a refund costs and how it is paid back, as the merchant's control panel works it out.

Pieces and stated amounts are refunded with their tax; a free amount (ORDER) has no tax in it; a tax adjustment is
nothing but tax. Shares of a line are counted over all its refunds, so the last piece takes what is left of its price.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from sandbox.bigcommerce.documents import Order, RefundPayment, Returned
from sandbox.bigcommerce.money import ZERO, minor_units, quantize
from sandbox.bigcommerce.payments import gateway
from sandbox.bigcommerce.pricing import Taxed, TaxRow


def everything_left(order: Order) -> tuple[Returned, ...]:
    """Items that give back all that is left of the order."""
    items: list[Returned] = []
    for line in order.lines:
        left = line.item.quantity - line.quantity_refunded
        if left > 0:
            items.append(Returned("PRODUCT", line.id, left))
        wrapped = line.item.quantity - _pieces(order, "GIFT_WRAPPING", line.id)
        if line.item.wrapping and wrapped > 0:
            items.append(Returned("GIFT_WRAPPING", line.id, wrapped))
    charges: list[Returned] = []
    for address_id in order.address_ids:
        charges += [Returned("SHIPPING", address_id), Returned("HANDLING", address_id)]
    if order.profile.fees_in_total:
        charges += [Returned("FEE", order.fee_id(index)) for index, _ in enumerate(order.fees)]
    items += [replace(charge, amount=_left(order, charge)) for charge in charges if _left(order, charge) > 0]
    return tuple(items)


def completed(order: Order, items: Sequence[Returned]) -> tuple[Returned, ...]:
    """The items with the amounts that were left out. ValueError for one that the order cannot give back."""
    found = []
    for item in items:
        if item.type in ("PRODUCT", "GIFT_WRAPPING"):
            _check_pieces(order, item)
        elif item.amount is None:
            if item.type == "ORDER":
                raise ValueError("A refund of the order needs an amount.")
            item = Returned(item.type, item.item_id, amount=_left(order, item))
        elif item.type != "ORDER" and item.amount > _left(order, item):
            raise ValueError(f"{item.type} {item.item_id} has {_left(order, item)} left to refund, not {item.amount}.")
        found.append(item)
    return tuple(found)


def cost(order: Order, items: Sequence[Returned], tax_adjustment: Decimal) -> tuple[Decimal, Decimal]:
    """Total and tax of refunding `items`: never more than is left, and all of that when they leave nothing."""
    places = minor_units(order.currency)
    refunded, tax = refunded_totals(order)
    left = Taxed(inc=order.priced.total.inc - refunded, tax=order.priced.total.tax - tax)
    rest = {(item.type, item.item_id) for item in everything_left(order)}
    if rest and {(item.type, item.item_id) for item in items} >= rest and _nothing_but_articles(order, items):
        return left.inc, left.tax
    parts = [_worth(order, item) for item in items]
    inc = quantize(sum((part.inc for part in parts), ZERO) + tax_adjustment, places)
    part_tax = quantize(sum((part.tax for part in parts), ZERO) + tax_adjustment, places)
    # Rounded line by line they can come to a little more than the order.
    slack = Decimal(len(order.lines) + 2).scaleb(-places)
    return (
        left.inc if left.inc < inc <= left.inc + slack else inc,
        left.tax if left.tax < part_tax <= left.tax + slack else part_tax,
    )


def _nothing_but_articles(order: Order, items: Sequence[Returned]) -> bool:
    """Whether all refunds of the order, these items included, were of things and charges at their price."""
    every = [*items, *(one for known in order.refunds for one in known.items)]
    priced = all(one.type != "ORDER" and not one.adjustments for one in every)
    stated = any(known.override or not known.items for known in order.refunds)
    return priced and not stated and all(_takes_the_rest(order, item) for item in items)


def paid_back(
    order: Order,
    total: Decimal,
    wanted: Mapping[str, Decimal] | str | None,
    declined: bool | Collection[str],
    next_id: Callable[[], int],
) -> list[RefundPayment]:
    """Payments that add up to `total`: as `wanted` by provider, all to the one that it names, else to the payment
    first and to the shop's own after.

    Providers are gateways, `storecredit`, `giftcertificate` and `custom` (outside the shop).
    """
    name = gateway(order)[1]
    if isinstance(wanted, str):
        wanted = {wanted: total}
    if wanted is None:
        names = {"payment": name, "store_credit": "storecredit", "gift_certificate": "giftcertificate"}
        tenders = order.tenders()
        wanted = {}
        left = total
        for tender in ("payment", "store_credit", "gift_certificate"):
            back = [
                payment.amount
                for refund in order.refunds
                for payment in refund.payments
                if payment.provider_id == names[tender]
            ]
            part = min(left, tenders.get(tender, ZERO) - sum(back, ZERO))
            if part > 0:
                wanted[names[tender]] = part
                left -= part
        if left:
            first = next(iter(wanted), name if "payment" in tenders else "storecredit")
            wanted[first] = wanted.get(first, ZERO) + left
    elif sum(wanted.values(), ZERO) != total:
        raise ValueError(f"The payments come to {sum(wanted.values(), ZERO)}, the refund to {total}.")
    offline = {"storecredit", "custom", "bankdeposit", "cod", "cheque"}
    return [
        RefundPayment(
            id=next_id(),
            provider_id=provider,
            amount=amount,
            offline=provider in offline,
            declined=declined if isinstance(declined, bool) else provider in declined,
        )
        for provider, amount in wanted.items()
    ]


def refunded_totals(order: Order) -> tuple[Decimal, Decimal]:
    """Total and tax of all refunds of the order so far, declined ones too."""
    return sum((one.total for one in order.refunds), ZERO), sum((one.tax for one in order.refunds), ZERO)


def left_of_rows(order: Order) -> tuple[TaxRow, ...]:
    """The order's tax rows less what its refunds took off them, none of which is of totals that the merchant typed."""
    given = [item for refund in order.refunds if not refund.override for item in refund.items]
    places = 4 if order.profile.tax_rounding == "order" else minor_units(order.currency)
    return tuple(
        replace(row, amount=quantize(row.amount * (1 - _part_given(order, row, given)), places))
        for row in order.priced.rows
    )


def _part_given(order: Order, row: TaxRow, given: Sequence[Returned]) -> Decimal:
    """How much of what the row is about was given back, between nothing and 1."""
    if row.line_id is not None:
        kind = "PRODUCT" if row.type == "item" else "GIFT_WRAPPING"
        back = Decimal(sum(one.quantity or 0 for one in given if (one.type, one.item_id) == (kind, row.line_id)))
        whole = Decimal(order.line(row.line_id).item.quantity)
    else:
        kind = row.type.upper()
        back = sum((one.amount or ZERO for one in given if (one.type, one.item_id) == (kind, row.address_id)), ZERO)
        priced = order.priced.addresses[order.address_ids.index(row.address_id)]
        charge = priced.shipping if row.type == "shipping" else priced.handling
        whole = charge.inc if order.profile.tax_inclusive else charge.ex
    return min(Decimal(1), back / whole) if whole else Decimal(0)


def _worth(order: Order, item: Returned) -> Taxed:
    """What an item gives back, with its tax."""
    if item.type == "ORDER":
        amount = item.amount or ZERO
        return Taxed(amount, amount, ZERO)
    if item.type in ("PRODUCT", "GIFT_WRAPPING"):
        line, priced = order.line(item.item_id), order.priced.lines[item.item_id]
        whole = priced.discounted if item.type == "PRODUCT" else priced.wrapping
        before = _pieces(order, item.type, item.item_id)
        found = _difference(
            _portion(order, whole, before + (item.quantity or 0), line.item.quantity),
            _portion(order, whole, before, line.item.quantity),
        )
        for adjustment in item.adjustments:
            found = found + _taxed(order, whole, adjustment)
        return found
    return _taxed(order, _charge(order, item), item.amount or ZERO)


def _portion(order: Order, whole: Taxed, pieces: int, of: int) -> Taxed:
    places = minor_units(order.currency)
    inc, tax = quantize(whole.inc * pieces / of, places), quantize(whole.tax * pieces / of, places)
    return Taxed(inc - tax, inc, tax)


def _difference(now: Taxed, before: Taxed) -> Taxed:
    return Taxed(now.ex - before.ex, now.inc - before.inc, now.tax - before.tax)


def _taxed(order: Order, whole: Taxed, amount: Decimal) -> Taxed:
    """An amount in the store's price basis, taxed as `whole` is."""
    places = minor_units(order.currency)
    base = whole.inc if order.profile.tax_inclusive else whole.ex
    tax = quantize(whole.tax * amount / base, places) if base else ZERO
    return Taxed(amount - tax, amount, tax) if order.profile.tax_inclusive else Taxed(amount, amount + tax, tax)


def _charge(order: Order, item: Returned) -> Taxed:
    """The charge that an item is about. ValueError when the order has none such."""
    if item.type == "ORDER":
        return order.priced.total
    if item.type == "FEE":
        for index, fee in enumerate(order.fees):
            if item.item_id == order.fee_id(index) and order.profile.fees_in_total:
                return Taxed(fee.cost, fee.cost + fee.tax, fee.tax)
    elif item.item_id in order.address_ids:
        priced = order.priced.addresses[order.address_ids.index(item.item_id)]
        return priced.shipping if item.type == "SHIPPING" else priced.handling
    raise ValueError(f"Order {order.id} has no {item.type} {item.item_id}.")


def _left(order: Order, item: Returned) -> Decimal:
    """What is left of a charge, in the store's price basis."""
    whole = _charge(order, item)
    known = [one for refund in order.refunds for one in refund.items]
    back = [one.amount or ZERO for one in known if (one.type, one.item_id) == (item.type, item.item_id)]
    return (whole.inc if order.profile.tax_inclusive else whole.ex) - sum(back, ZERO)


def _takes_the_rest(order: Order, item: Returned) -> bool:
    if item.type in ("PRODUCT", "GIFT_WRAPPING"):
        whole = order.line(item.item_id).item.quantity
        return _pieces(order, item.type, item.item_id) + (item.quantity or 0) >= whole
    return item.amount == _left(order, item)


def _pieces(order: Order, kind: str, line_id: int) -> int:
    known = [one for refund in order.refunds for one in refund.items]
    return sum(one.quantity or 0 for one in known if (one.type, one.item_id) == (kind, line_id))


def _check_pieces(order: Order, item: Returned) -> None:
    line = order.line(item.item_id)
    left = line.item.quantity - _pieces(order, item.type, line.id)
    if item.quantity is None or not 0 < item.quantity <= left:
        raise ValueError(
            f"Line {line.id} of order {order.id} has {left} pieces left to refund, not {item.quantity or 0}."
        )
