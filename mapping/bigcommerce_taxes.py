"""What each tax row of an order was charged, whatever refunds have made of the row since.

A refund lowers the amounts of the rows it is about (BigCommerce: unless the merchant typed its totals), and neither
their rates nor the header's tax. So a row is worked out from its rate and from what that is charged on. The header's
tax says whether this is how the shop reckoned. A shop that did not, because another service said how much, leaves only
the amounts.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from contracts.bigcommerce import OrderDocument, OrderTax
from mapping.money import quantize

ZERO: Final = Decimal(0)
_CHARGES: Final[Mapping[str, str]] = {"shipping": "shipping", "handling": "handling", "gift-wrapping": "wrapping"}
"""Charge of the order by the row's type."""

_Place = tuple[str, int]
"""Line and address that a row is of."""


def explains(amounts: Sequence[Decimal], total: Decimal, units: int) -> bool:
    """Whether they add up to the total, give or take half a minor unit for each of them and for the total."""
    return abs(sum(amounts, start=ZERO) - total) <= Decimal(len(amounts) + 1).scaleb(-units) / 2


def stated_amounts(taxes: Sequence[OrderTax], total_tax: Decimal) -> tuple[Decimal, ...]:
    """The amount of each tax row: of `line_amount` and `priority_amount` the one whose sum is nearer to the header."""
    by_line = tuple(row.line_amount for row in taxes)
    by_priority = tuple(row.priority_amount for row in taxes)
    nearer_by_priority = abs(sum(by_priority) - total_tax) < abs(sum(by_line) - total_tax)
    return by_priority if nearer_by_priority else by_line


def line_rates(taxes: Sequence[OrderTax]) -> dict[str, Decimal]:
    """Percent of all titles together, by id of the product line."""
    found: dict[str, Decimal] = {}
    for row in taxes:
        if row.line_item_type == "item" and row.order_product_id:
            found[row.order_product_id] = found.get(row.order_product_id, ZERO) + row.rate
    return found


def amounts_by_rate(
    document: OrderDocument, lines: Mapping[str, Decimal], charges: Mapping[str, Decimal], tax: Decimal, units: int
) -> tuple[Decimal, ...] | None:
    """What each tax row was charged by its rate; none where this does not explain `tax`.

    `lines` are net by id of the product line, `charges` net by kind (shipping, handling, wrapping). The amounts are
    rounded to the minor unit where the shop did so, else exact.
    """
    bases = _bases(document, lines, charges)
    if bases is None:
        return None
    exact = tuple(base * row.rate / 100 for base, row in zip(bases, document.taxes, strict=True))
    rounded = tuple(quantize(one, units) for one in exact)
    if sum(rounded, start=ZERO) == tax:
        return rounded
    return exact if explains(exact, tax, units) else None


def _bases(
    document: OrderDocument, lines: Mapping[str, Decimal], charges: Mapping[str, Decimal]
) -> list[Decimal] | None:
    """What each row's rate is of; none when a row does not say what it is about."""
    shares = {kind: _shares(kind, document) for kind in _CHARGES}
    found = []
    for row in document.taxes:
        if row.line_item_type == "item":
            base = lines.get(row.order_product_id)
        elif row.line_item_type in _CHARGES:
            base = charges.get(_CHARGES[row.line_item_type], ZERO) * shares[row.line_item_type][_place(row)]
        else:
            base = None
        if base is None:
            return None
        found.append(base)
    return found


def _shares(kind: str, document: OrderDocument) -> dict[_Place, Decimal]:
    """What part of a charge each line or address bears that has rows of it: by its cost, else all alike."""
    places = sorted({_place(row) for row in document.taxes if row.line_item_type == kind})
    by_line = {str(one.id): one.wrapping_cost_ex_tax for one in document.products}
    by_address = {
        one.id: one.cost_ex_tax if kind == "shipping" else one.handling_cost_ex_tax
        for one in document.shipping_addresses
    }
    costs = [
        by_line.get(line, ZERO) if kind == "gift-wrapping" else by_address.get(address, ZERO)
        for line, address in places
    ]
    if any(cost <= 0 for cost in costs):
        costs = [Decimal(1)] * len(places)
    whole = sum(costs, start=ZERO)
    return {place: cost / whole for place, cost in zip(places, costs, strict=True)}


def _place(row: OrderTax) -> _Place:
    return row.order_product_id, row.order_address_id
