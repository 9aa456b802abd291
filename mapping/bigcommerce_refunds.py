"""A refund of BigCommerce as accounting sees it. What it takes back of its order is found by `mapping.refunds`."""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from contracts.bigcommerce import OrderDocument
from contracts.bigcommerce_refund import OrderRefund, RefundedItem, RefundPayment
from contracts.refund import Refund, RefundItem, RefundKind, RefundTender
from contracts.sale import SaleTax
from mapping.bigcommerce_amounts import ZERO, counted_products
from mapping.bigcommerce_settlement import tenders
from mapping.money import minor_units, quantize

_KINDS: Final[Mapping[str, RefundKind]] = MappingProxyType(
    {
        "PRODUCT": "product",
        "GIFT_WRAPPING": "wrapping",
        "SHIPPING": "shipping",
        "HANDLING": "handling",
        "ORDER": "order",
        "FEE": "fee",
    }
)
_TAXED_AS: Final = MappingProxyType(
    {"product": "item", "wrapping": "gift-wrapping", "shipping": "shipping", "handling": "handling"}
)
_SHOP_TENDERS: Final = MappingProxyType({"storecredit": "store_credit", "giftcertificate": "gift_certificate"})
_OUTSIDE: Final = "custom"
"""Provider of money that went back in a way the shop knows nothing of."""


def project_refund(wire: OrderRefund, document: OrderDocument, *, connection: str) -> Refund:
    """The refund as accounting sees it. Pure: the same documents give the same refund.

    `document` is its order as it stands, for the currency, the rates of what was given back and the names of payment
    methods. Raises `ValueError` when the refund is of another order.
    """
    order = document.order
    if wire.order_id != order.id:
        raise ValueError(f"Refund {wire.id} is of order {wire.order_id} and not of {order.id}")
    units = minor_units(order.default_currency_code)
    total, tax = quantize(wire.total_amount, units), quantize(wire.total_tax, units)
    items = tuple(_item(one, document, units) for one in wire.items)
    if not items and tax:
        # BigCommerce: a refund of a tax adjustment has no items.
        items = (RefundItem(kind="tax", key=str(order.id), amount=tax),)
    return Refund(
        connection=connection,
        refund_id=str(wire.id),
        order_id=str(wire.order_id),
        created_at=wire.created,
        currency=order.default_currency_code,
        minor_units=units,
        total=total,
        tax=tax,
        override=wire.uses_merchant_override_values,
        items=items,
        tenders=tuple(_tender(one, document, units) for one in wire.payments),
    )


def _item(item: RefundedItem, document: OrderDocument, units: int) -> RefundItem:
    kind = _KINDS.get(item.item_type.strip().upper(), "other")
    # Only a PRODUCT says how many pieces; an amount that was asked for counts before them.
    asked = None if item.requested_amount is None else quantize(item.requested_amount, units)
    if kind == "order" and asked is None:
        asked = ZERO
    key, parts_of = item.item_id, _bundles(document)
    pieces = item.quantity if kind == "product" and asked is None else ZERO
    if kind == "product" and key in parts_of:
        # A part of a bundle has no price of its own: the pieces of the bundle count.
        key, pieces = parts_of[key], ZERO
    return RefundItem(
        kind=kind,
        key=str(key),
        quantity=pieces,
        amount=asked,
        adjustment=quantize(sum((one.amount for one in item.adjustments), start=ZERO), units),
        taxes=_taxes(kind, str(item.item_id), document),
    )


def _bundles(document: OrderDocument) -> dict[int, int]:
    """Line of a bundle's part -> line of the bundle, for parts that the order's amounts do not count."""
    counted = {one.id for one in counted_products(document)}
    return {one.id: one.parent_order_product_id for one in document.products if one.id not in counted}


def _taxes(kind: RefundKind, key: str, document: OrderDocument) -> tuple[SaleTax, ...]:
    """Titles and rates by which the item was taxed. The rows' amounts change with every refund, their rates do not."""
    taxed_as = _TAXED_AS.get(kind)
    if taxed_as is None:
        return ()
    found = {
        (row.name, row.tax_class, row.rate.normalize())
        for row in document.taxes
        if row.line_item_type == taxed_as and (taxed_as in ("shipping", "handling") or row.order_product_id == key)
    }
    return tuple(
        SaleTax(title=name, tax_class=tax_class, rate=Decimal(f"{rate:f}"), amount=ZERO)
        for name, tax_class, rate in sorted(found)
    )


def _tender(payment: RefundPayment, document: OrderDocument, units: int) -> RefundTender:
    provider = payment.provider_id.strip()
    kind = _SHOP_TENDERS.get(provider.casefold(), "payment")
    return RefundTender.model_validate(
        {
            "kind": kind,
            "provider": provider,
            "method": _method(payment, document, units) if kind == "payment" else "",
            "amount": quantize(payment.amount, units),
            "declined": payment.is_declined,
            "offline": payment.offline,
        }
    )


def _method(payment: RefundPayment, document: OrderDocument, units: int) -> str:
    """The payment method that the money goes back to, as the order's own tenders name it; empty when nobody says.

    Through the transaction that it returns, where the refund names one; else by the provider. What goes back outside
    the shop (`custom`) is no method of the order unless the order was paid so.
    """
    paid = [one.method for one in tenders(document, quantize(document.order.total_inc_tax, units), units)]
    by_id = {str(one.id): one for one in document.transactions}
    transaction = by_id.get(payment.transaction_id)
    returned = by_id.get(str(transaction.reference_transaction_id)) if transaction else None
    provider = payment.provider_id.strip().casefold()
    known = [one for one in document.transactions if one.gateway.casefold() == provider and one.event != "refund"]
    for one in (*([returned] if returned else []), *known):
        if one.label in paid:
            return one.label
    return payment.provider_id.strip() if provider == _OUTSIDE and not known else ""
