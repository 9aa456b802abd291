"""Orders V2 on the wire: dates as in mail headers, amounts as strings with four decimals, bare lists."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import Any

from sandbox.bigcommerce import statuses
from sandbox.bigcommerce.documents import Coupon, Delivery, Fee, Line, Order, Shipment
from sandbox.bigcommerce.money import ZERO, number, text
from sandbox.bigcommerce.payments import payment_method
from sandbox.bigcommerce.pricing import Taxed, TaxRow
from sandbox.bigcommerce.profiles import Person, Profile
from sandbox.bigcommerce.refunds import left_of_rows
from sandbox.bigcommerce.v2_store import date, label

PUBLIC_BASE = "https://api.bigcommerce.com/stores"
_CONSIGNMENT_COSTS = (
    *("base_cost", "cost_ex_tax", "cost_inc_tax", "cost_tax"),
    *("base_handling_cost", "handling_cost_ex_tax", "handling_cost_inc_tax", "handling_cost_tax"),
)
"""Consignments write these as numbers, shipping addresses as strings."""


def render_order(order: Order, *, include: Collection[str] = ()) -> dict[str, Any]:
    """One order as `GET /orders/{id}` shows it; fees and consignments are links unless included."""
    priced, profile, draft = order.priced, order.profile, order.draft
    tenders = order.tenders()
    foreign = order.currency != profile.currency
    currency_id = 2 if foreign else 1
    transactional_rate = dict(profile.exchange_rates)[order.currency] if foreign else Decimal(1)
    document: dict[str, Any] = {
        "id": order.id,
        "customer_id": draft.person.customer_id,
        "date_created": date(order.created),
        "date_modified": date(order.modified),
        "date_shipped": date(order.shipped),
        "status_id": order.status_id,
        "status": statuses.LABELS[order.status_id],
        "custom_status": label(profile, order.status_id),
        **_sums("subtotal", priced.subtotal),
        **_cost("shipping", priced.shipping, _base(priced.shipping, profile), profile.shipping_tax_class_id),
        **_cost("handling", priced.handling, _base(priced.handling, profile), profile.handling_tax_class_id),
        **_cost("wrapping", priced.wrapping, _base(priced.wrapping, profile), profile.wrapping_tax_class_id),
        **_sums("total", priced.total),
        "is_tax_inclusive_pricing": profile.tax_inclusive,
        "items_total": sum(line.item.quantity for line in order.lines),
        "items_shipped": sum(line.quantity_shipped for line in order.lines),
        "payment_method": payment_method(order),
        "payment_provider_id": "",
        "payment_status": order.payment_status,
        "refunded_amount": text(ZERO),
        "order_is_digital": all(line.item.type != "physical" for line in order.lines),
        "store_credit_amount": text(tenders.get("store_credit", ZERO)),
        "gift_certificate_amount": text(tenders.get("gift_certificate", ZERO)),
        "ip_address": f"203.0.113.{order.id % 250 + 1}",
        "ip_address_v6": "",
        "geoip_country": draft.person.country,
        "geoip_country_iso2": draft.person.country_iso2,
        "currency_id": currency_id,
        "currency_code": order.currency,
        "currency_exchange_rate": f"{transactional_rate:.10f}",
        "default_currency_id": currency_id,
        "default_currency_code": order.currency,
        "store_default_currency_code": profile.currency,
        "store_default_to_transactional_exchange_rate": f"{transactional_rate:.10f}",
        "staff_notes": order.staff_notes,
        "customer_message": "",
        "discount_amount": text(priced.discount_amount),
        "coupon_discount": text(priced.coupon_discount),
        "shipping_address_count": len(order.address_ids),
        "is_deleted": order.deleted,
        "ebay_order_id": "0",
        "cart_id": order.cart_id,
        "billing_address": {**_address(draft.person), "form_fields": []},
        "is_email_opt_in": False,
        "credit_card_type": None,
        "order_source": "external" if draft.migrated else "www",
        "channel_id": profile.channel_id,
        "external_source": "M-MIG" if draft.migrated else None,
        "products": _link(order, "products"),
        "shipping_addresses": _link(order, "shippingaddresses"),
        "coupons": _link(order, "coupons"),
        "consignments": render_consignments(order) if "consignments" in include else _link(order, "consignments"),
        "fees": [_fee(order, index, fee) for index, fee in enumerate(order.fees)]
        if "fees" in include
        else _link(order, "fees"),
        "external_id": None,
        "external_merchant_id": None,
        "external_order_id": "",
        "tax_provider_id": "BasicTaxProvider",
        "customer_locale": "en",
    }
    return document


def render_product(order: Order, line: Line) -> dict[str, Any]:
    """One line as `/orders/{id}/products` shows it."""
    item, priced = line.item, order.priced.lines[line.id]
    inclusive = order.profile.tax_inclusive
    parent = line.parent_id
    option = [_option(line, *item.option)] if item.option else []
    return {
        "id": line.id,
        "order_id": order.id,
        "product_id": item.product_id,
        "variant_id": item.variant_id,
        "order_pickup_method_id": 0,
        "order_address_id": order.address_id(line),
        "name": item.name,
        "name_customer": item.name,
        "name_merchant": item.name,
        "sku": item.sku,
        "upc": "",
        "type": item.type,
        "base_price": text(item.unit_price),
        **_sums("price", priced.unit),
        "base_total": text(item.amount),
        **_sums("total", priced.total),
        "weight": "1.0000" if item.type == "physical" else "0.0000",
        "width": "0.0000",
        "height": "0.0000",
        "depth": "0.0000",
        "quantity": item.quantity,
        "base_cost_price": text(item.cost),
        "cost_price_inc_tax": text(item.cost),
        "cost_price_ex_tax": text(item.cost),
        "cost_price_tax": text(ZERO),
        "is_refunded": 0 < item.quantity <= line.quantity_refunded,
        "quantity_refunded": line.quantity_refunded,
        "refund_amount": text(ZERO),
        "return_id": 0,
        "wrapping_id": 1 if item.wrapping else 0,
        "wrapping_name": "Gift wrap" if item.wrapping else "",
        "base_wrapping_cost": text(priced.wrapping.inc if inclusive else priced.wrapping.ex),
        **_sums("wrapping_cost", priced.wrapping),
        "wrapping_message": "",
        "quantity_shipped": line.quantity_shipped,
        "event_name": None,
        "event_date": None,
        "fixed_shipping_cost": text(ZERO),
        "ebay_item_id": "",
        "ebay_transaction_id": "",
        "option_set_id": 19 if item.option else None,
        "parent_order_product_id": parent,
        "is_bundled_product": parent is not None,
        "bin_picking_number": "",
        "external_id": None,
        "brand": "",
        "applied_discounts": [
            {
                "id": discount.source,
                "amount": text(discount.amount),
                "name": discount.name,
                "code": discount.code,
                "target": discount.target,
            }
            for discount in item.discounts
        ],
        "product_options": option,
        "configurable_fields": [],
        "gift_certificate_id": line.id if item.type == "giftcertificate" else None,
        "discounted_total_inc_tax": text(priced.discounted.inc),
    }


def render_coupon(order: Order, index: int, coupon: Coupon) -> dict[str, Any]:
    """Coupons write amounts as numbers."""
    return {
        "id": order.id * 10 + index,
        "coupon_id": sum(coupon.code.encode()) % 97 + 1,
        "order_id": order.id,
        "code": coupon.code,
        "amount": number(coupon.amount),
        "type": coupon.type,
        "discount": number(order.coupon_discount(coupon)),
    }


def render_taxes(order: Order, *, details: bool, lowered: bool = False) -> list[dict[str, Any]]:
    """Tax rows per address, class and title; with `details` per line or charge; `lowered` by what was given back."""
    rows = left_of_rows(order) if lowered else order.priced.rows
    if details:
        return [_tax(order, index, row, row.amount, details=True) for index, row in enumerate(rows)]
    merged: dict[tuple[int, int, str], tuple[TaxRow, Decimal]] = {}
    for row in rows:
        key = (row.address_id, row.tax_class.id, row.rate.title)
        first, amount = merged.get(key, (row, ZERO))
        merged[key] = (first, amount + row.amount)
    return [_tax(order, index, row, amount, details=False) for index, (row, amount) in enumerate(merged.values())]


def render_address(order: Order, index: int) -> dict[str, Any]:
    """One shipping address with the cost of sending to it."""
    address_id, delivery = order.address_ids[index], order.draft.deliveries[index]
    priced, profile = order.priced.addresses[index], order.profile
    there = [line for line in order.lines if order.address_id(line) == address_id]
    quotes = f"/orders/{order.id}/shippingaddresses/{address_id}/shippingquotes"
    return {
        "id": address_id,
        "order_id": order.id,
        **_address(delivery.person),
        "items_total": sum(line.item.quantity for line in there),
        "items_shipped": sum(line.quantity_shipped for line in there),
        "shipping_method": delivery.method,
        "base_cost": text(delivery.shipping),
        **_sums("cost", priced.shipping),
        "cost_tax_class_id": profile.shipping_tax_class_id,
        "base_handling_cost": text(delivery.handling),
        **_sums("handling_cost", priced.handling),
        "handling_cost_tax_class_id": profile.handling_tax_class_id,
        "shipping_zone_id": 1,
        "shipping_zone_name": delivery.person.country,
        "shipping_quotes": {"url": _url(order, quotes), "resource": quotes},
        "form_fields": [],
    }


def render_fees(order: Order) -> dict[str, Any]:
    """`/orders/{id}/fees` is an object, not a list."""
    return {"fees": [_fee(order, index, fee) for index, fee in enumerate(order.fees)]}


def render_shipment(order: Order, shipment: Shipment) -> dict[str, Any]:
    delivery: Delivery = order.draft.deliveries[order.address_ids.index(shipment.address_id)]
    products = {line.id: line.item.product_id for line in order.lines}
    return {
        "id": shipment.id,
        "order_id": order.id,
        "customer_id": order.draft.person.customer_id,
        "order_address_id": shipment.address_id,
        "date_created": date(shipment.created),
        "tracking_number": shipment.tracking_number,
        "merchant_shipping_cost": text(ZERO),
        "shipping_method": delivery.method,
        "comments": "",
        "shipping_provider": "usps",
        "shipping_provider_display_name": "USPS",
        "tracking_carrier": "",
        "tracking_link": "",
        "generated_tracking_link": "",
        "billing_address": _address(order.draft.person),
        "shipping_address": _address(delivery.person),
        "items": [
            {"order_product_id": line_id, "product_id": products.get(line_id, 0), "quantity": quantity}
            for line_id, quantity in shipment.items
        ],
    }


def render_consignments(order: Order) -> dict[str, Any]:
    """Lines grouped by how they reach the shopper; line items are links."""

    def links(*types: str, address_id: int = 0) -> list[dict[str, str]]:
        return [
            {"url": _url(order, path), "resource": path}
            for line in order.lines
            if line.item.type in types and order.address_id(line) == address_id
            for path in (f"/orders/{order.id}/products/{line.id}",)
        ]

    shipping = []
    for index, address_id in enumerate(order.address_ids):
        address = render_address(order, index)
        del address["order_id"]
        address |= {name: number(Decimal(address[name])) for name in _CONSIGNMENT_COSTS}
        shipping.append({**address, "line_items": links("physical", address_id=address_id)})
    recipient = {"recipient_email": order.draft.person.email}
    downloads, certificates = links("digital"), links("giftcertificate")
    return {
        "pickups": [],
        "shipping": shipping,
        "downloads": [{**recipient, "line_items": downloads}] if downloads else [],
        "email": {"gift_certificates": [{**recipient, "line_items": certificates}] if certificates else []},
    }


def _sums(name: str, taxed: Taxed) -> dict[str, str]:
    return {f"{name}_ex_tax": text(taxed.ex), f"{name}_inc_tax": text(taxed.inc), f"{name}_tax": text(taxed.tax)}


def _base(taxed: Taxed, profile: Profile) -> Decimal:
    return taxed.inc if profile.tax_inclusive else taxed.ex


def _cost(name: str, taxed: Taxed, base: Decimal, tax_class_id: int) -> dict[str, Any]:
    return {
        f"base_{name}_cost": text(base),
        **_sums(f"{name}_cost", taxed),
        f"{name}_cost_tax_class_id": tax_class_id,
    }


def _address(person: Person) -> dict[str, Any]:
    return {
        "first_name": person.first_name,
        "last_name": person.last_name,
        "company": "",
        "street_1": person.street,
        "street_2": "",
        "city": person.city,
        "state": person.state,
        "zip": person.zip,
        "country": person.country,
        "country_iso2": person.country_iso2,
        "phone": "5550100",
        "email": person.email,
    }


def _tax(order: Order, index: int, row: TaxRow, amount: Decimal, *, details: bool) -> dict[str, Any]:
    document: dict[str, Any] = {
        "id": order.id * 1000 + index,
        "order_id": order.id,
        "order_address_id": row.address_id,
        "tax_rate_id": 0,
        "sales_tax_id": "",
        "tax_class_id": row.tax_class.id,
        "name": row.rate.title,
        "class": row.tax_class.name,
        "rate": text(row.rate.percent),
        "priority": 0,
        "priority_amount": text(amount),
        "line_amount": text(amount),
        "order_pickup_method_id": 0,
    }
    if details:
        document["line_item_type"] = row.type
        if row.line_id is not None:
            document["order_product_id"] = str(row.line_id)
    return document


def _fee(order: Order, index: int, fee: Fee) -> dict[str, Any]:
    return {
        "id": order.fee_id(index),
        "type": "custom_fee",
        "display_name_customer": fee.name,
        "display_name_merchant": fee.name,
        "source": "checkout",
        "base_cost": text(fee.cost),
        "cost_ex_tax": text(fee.cost),
        "cost_inc_tax": text(fee.cost + fee.tax),
        "cost_tax": text(fee.tax),
        "tax_class_id": None,
    }


def _option(line: Line, name: str, value: str) -> dict[str, Any]:
    return {
        "id": line.id,
        "option_id": 18,
        "order_product_id": line.id,
        "product_option_id": 120,
        "display_name": name,
        "display_name_customer": name,
        "display_name_merchant": name,
        "display_value": value,
        "display_value_customer": value,
        "display_value_merchant": value,
        "value": value,
        "type": "Multiple choice",
        "name": name,
        "display_style": "Rectangle",
    }


def _link(order: Order, name: str) -> dict[str, str]:
    path = f"/orders/{order.id}/{name}"
    return {"url": _url(order, path), "resource": path}


def _url(order: Order, path: str) -> str:
    return f"{PUBLIC_BASE}/{order.profile.store_hash}/v2{path}"
