"""How an order of BigCommerce was taxed, paid and shipped: tax by title, tenders, and the dates of both events."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from contracts.bigcommerce import OrderDocument, Transaction
from contracts.sale import SaleTax, SaleTender
from mapping.bigcommerce_amounts import ZERO, Breakdown
from mapping.bigcommerce_taxes import amounts_by_rate, explains, stated_amounts
from mapping.money import allocate, quantize

_MONEY_MOVED: Final = ("purchase", "capture", "settled")
_PROMISED: Final = ("authorization",)
_SHOP_TENDERS: Final = ("store_credit", "gift_certificate")
_PAID_STATUSES: Final = ("captured", "paid", "partially refunded", "refunded")


def taxes_by_title(document: OrderDocument, parts: Breakdown, units: int) -> tuple[SaleTax, ...]:
    """The header's tax divided over the titles in proportion to what their rates come to.

    The header is the truth, because some tax services send no rows. Where the rates do not explain it, the rows' own
    amounts are the proportion; rows that are all zero divide by their rate; without rows the tax has no title.
    """
    total = quantize(document.order.total_tax, units)
    if not total:
        return ()
    charged = _charged(document, parts, units)
    amounts = stated_amounts(document.taxes, document.order.total_tax) if charged is None else charged
    groups: dict[tuple[str, str, Decimal], Decimal] = {}
    for row, amount in zip(document.taxes, amounts, strict=True):
        key = (row.name, row.tax_class, row.rate.normalize())
        groups[key] = groups.get(key, ZERO) + amount
    if not groups:
        return (SaleTax(title="", amount=total),)
    titles = sorted(groups)
    stated = charged is None and len(titles) > 1
    weights = [max(ZERO, groups[title]) for title in titles]
    if not any(weights):
        weights = [max(ZERO, rate) for _, _, rate in titles]
    return tuple(
        SaleTax(title=name, tax_class=tax_class, rate=Decimal(f"{rate:f}"), amount=amount, stated=stated)
        for (name, tax_class, rate), amount in zip(titles, allocate(total, weights, units), strict=True)
        if amount
    )


def tax_rows_disagree(document: OrderDocument, units: int) -> bool:
    """Whether the tax rows add up to something else than the header's tax, beyond rounding of each row."""
    return not explains(stated_amounts(document.taxes, document.order.total_tax), document.order.total_tax, units)


def _charged(document: OrderDocument, parts: Breakdown, units: int) -> tuple[Decimal, ...] | None:
    """What each tax row was charged by its rate; none where that is not what the header's tax is made of."""
    charges: dict[str, Decimal] = {}
    for one in parts.charges:
        charges[one.charge.kind] = charges.get(one.charge.kind, ZERO) + one.net
    # BigCommerce: fees have no tax rows.
    on_fees = sum((one.charge.tax for one in parts.charges if one.charge.kind == "fee"), start=ZERO)
    return amounts_by_rate(
        document,
        {str(line.product.id): line.net for line in parts.lines},
        charges,
        quantize(document.order.total_tax - on_fees, units),
        units,
    )


def tenders(document: OrderDocument, total: Decimal, units: int) -> tuple[SaleTender, ...]:
    """How `total` was settled; the tenders add up to it exactly.

    Store credit and gift certificates do not reduce the order's total, they settle it. The rest is one payment by the
    order's payment method, or several when the transactions show several methods that add up to the rest.
    """
    order = document.order
    credit, certificates = quantize(order.store_credit_amount, units), quantize(order.gift_certificate_amount, units)
    found = []
    if credit:
        found.append(SaleTender(kind="store_credit", method="Store Credit", amount=credit))
    if certificates:
        found.append(SaleTender(kind="gift_certificate", method="Gift Certificate", amount=certificates))
    rest = total - credit - certificates
    if rest:
        found.extend(_payments(document, rest, units))
    return tuple(found)


def _payments(document: OrderDocument, rest: Decimal, units: int) -> list[SaleTender]:
    moved: dict[str, Decimal] = {}
    promised: dict[str, Decimal] = {}
    for one in _effective(document.transactions):
        side = moved if one.event in _MONEY_MOVED else promised if one.event in _PROMISED else None
        if side is not None and one.method not in _SHOP_TENDERS:
            side[one.label] = side.get(one.label, ZERO) + one.amount
    by_method = {
        label: quantize(moved.get(label) or promised.get(label, ZERO), units) for label in sorted(moved | promised)
    }
    if len(by_method) > 1 and all(by_method.values()) and sum(by_method.values()) == rest:
        return [SaleTender(kind="payment", method=label, amount=amount) for label, amount in by_method.items()]
    return [SaleTender(kind="payment", method=document.order.payment_method, amount=rest)]


def paid_at(document: OrderDocument, total: Decimal, units: int) -> dt.datetime | None:
    """When the payments of the order reached what store credit and gift certificates left open; none while they do not.

    An order that the shop calls paid without saying when (a manual payment) counts from its last payment, else from the
    day it was placed. Refunds do not make a paid order unpaid.
    """
    order = document.order
    due = total - quantize(order.store_credit_amount, units) - quantize(order.gift_certificate_amount, units)
    if due <= 0:
        return order.date_created
    payments = sorted(
        (one.date_created, one.id, one.amount)
        for one in _effective(document.transactions)
        if one.event in _MONEY_MOVED and one.method not in _SHOP_TENDERS and one.date_created
    )
    received = ZERO
    for moment, _, amount in payments:
        received += amount
        if quantize(received, units) >= due:
            return moment
    if order.payment_status in _PAID_STATUSES:
        return payments[-1][0] if payments else order.date_created
    return None


def _effective(transactions: Sequence[Transaction]) -> list[Transaction]:
    """Transactions that succeeded and were not voided."""
    succeeded = [one for one in transactions if one.status in ("ok", "")]
    voided = {one.reference_transaction_id for one in succeeded if one.event == "void"}
    return [one for one in succeeded if one.event != "void" and (not one.id or one.id not in voided)]
