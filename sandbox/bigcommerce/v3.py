"""V3 on the wire: `{data, meta}`, ISO dates, amounts as numbers."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from sandbox.bigcommerce.documents import Order, Refund, Transaction
from sandbox.bigcommerce.money import ZERO, number
from sandbox.bigcommerce.profiles import Category, Person, Product, Profile

TREE_ID = 1


def date(moment: datetime) -> str:
    """ISO 8601 with offset: `2018-05-08T15:06:12+00:00`."""
    return moment.isoformat(timespec="seconds")


def paged(rows: Sequence[Any], page: int, limit: int, query: Iterable[tuple[str, str]] = ()) -> dict[str, Any]:
    """One page with its `meta.pagination`; links are query strings."""
    others = [(name, value) for name, value in query if name not in ("page", "limit")]
    pages = math.ceil(len(rows) / limit)
    chosen = rows[(page - 1) * limit : page * limit]

    def link(number: int) -> str:
        return "?" + urlencode([*others, ("page", str(number)), ("limit", str(limit))])

    links = {"current": link(page)}
    if page > 1:
        links["previous"] = link(page - 1)
    if page < pages:
        links["next"] = link(page + 1)
    pagination = {
        "total": len(rows),
        "count": len(chosen),
        "per_page": limit,
        "current_page": page,
        "total_pages": pages,
        "links": links,
    }
    return {"data": list(chosen), "meta": {"pagination": pagination}}


def render_transaction(order: Order, transaction: Transaction) -> dict[str, Any]:
    """A payment transaction. `order_id` is a string here and a number everywhere else."""
    document: dict[str, Any] = {
        "id": transaction.id,
        "order_id": str(order.id),
        "event": transaction.event,
        "method": transaction.method,
        "amount": number(transaction.amount),
        "currency": order.currency,
        "gateway": transaction.gateway,
        "gateway_transaction_id": f"gw_{transaction.id}",
        "reference_transaction_id": transaction.reference_id,
        "date_created": date(transaction.created),
        "status": transaction.status,
        "test": order.draft.test,
        "fraud_review": False,
        "payment_method_id": f"{transaction.gateway}.{transaction.method}",
        "payment_instrument_token": None,
        "provider_instrument_token": None,
        "provider_customer_id": None,
        "avs_result": {"code": "", "message": "", "street_match": "", "postal_match": ""},
        "cvv_result": {"code": "", "message": ""},
        "offline": None,
        "custom": None,
        "gift_certificate": None,
        "store_credit": None,
        "custom_provider_field_result": None,
    }
    if transaction.method == "credit_card":
        document["credit_card"] = {
            "card_type": "visa",
            "card_iin": "411111",
            "card_last4": "1111",
            "card_expiry_month": 11,
            "card_expiry_year": 2031,
        }
    elif transaction.method == "offline":
        document["offline"] = {"display_name": order.draft.payment_method}
    elif transaction.method == "custom":
        document["custom"] = {"payment_method": order.draft.payment_method}
    elif transaction.method == "gift_certificate":
        balance = order.draft.gift_certificate
        document["gift_certificate"] = {
            "code": f"GC-{order.id}",
            "original_balance": number(balance),
            "starting_balance": number(balance),
            "remaining_balance": number(balance - transaction.amount),
            "status": "active",
        }
    elif transaction.method == "store_credit":
        document["store_credit"] = {"remaining_balance": number(order.draft.store_credit - transaction.amount)}
    return document


def render_refund(order: Order, refund: Refund) -> dict[str, Any]:
    """A refund; quantity items carry no amount of their own."""
    paid = next((known.id for known in order.transactions if known.event == "refund"), 0)
    return {
        "id": refund.id,
        "order_id": order.id,
        "user_id": 1,
        "created": date(refund.created),
        "reason": refund.reason,
        "total_amount": number(refund.total),
        "total_tax": number(refund.tax),
        "uses_merchant_override_values": False,
        "items": [
            {
                "item_type": item_type,
                "item_id": item_id,
                "quantity": quantity,
                "requested_amount": None if amount is None else number(amount),
                "reason": refund.reason,
                "adjustments": [],
            }
            for item_type, item_id, quantity, amount in refund.items
        ],
        "payments": [
            {
                "id": refund.id,
                "provider_id": refund.provider_id,
                "amount": number(refund.total),
                "offline": False,
                "is_declined": False,
                "declined_message": "",
                "transaction_id": str(paid),
            }
        ],
    }


def render_product(profile: Profile, product: Product, *, fields: Collection[str] = ()) -> dict[str, Any]:
    """A catalog product; with `fields` (`include_fields`) only these and the id."""
    document: dict[str, Any] = {
        "id": product.id,
        "name": product.name,
        "type": product.type,
        "sku": product.sku,
        "description": "",
        "weight": 1 if product.type == "physical" else 0,
        "price": number(product.price),
        "cost_price": number(product.cost),
        "retail_price": 0,
        "sale_price": 0,
        "map_price": 0,
        "calculated_price": number(product.price),
        "tax_class_id": product.tax_class_id,
        "categories": list(product.categories),
        "brand_id": 0,
        "inventory_tracking": "none",
        "inventory_level": 0,
        "is_visible": True,
        "is_featured": False,
        "availability": "available",
        "condition": "New",
        "base_variant_id": product.variant_id,
        "date_created": "2024-01-15T09:00:00+00:00",
        "date_modified": "2024-01-15T09:00:00+00:00",
    }
    return {name: value for name, value in document.items() if not fields or name in fields or name == "id"}


def render_category(category: Category, *, old: bool = False) -> dict[str, Any]:
    """A category of `/catalog/trees/categories`, or of the older `/catalog/categories`."""
    path = f"/{category.name.lower().replace(' ', '-')}/"
    common: dict[str, Any] = {
        "parent_id": category.parent_id,
        "name": category.name,
        "description": "",
        "views": 0,
        "sort_order": 0,
        "page_title": "",
        "meta_keywords": [],
        "meta_description": "",
        "layout_file": "category.html",
        "image_url": "",
        "is_visible": True,
        "search_keywords": "",
        "default_product_sort": "use_store_settings",
    }
    if old:
        return {"id": category.id, **common, "custom_url": {"url": path, "is_customized": False}}
    return {
        "category_id": category.id,
        "tree_id": TREE_ID,
        **common,
        "url": {"path": path, "is_customized": False},
    }


def render_category_node(profile: Profile, category: Category, depth: int = 0) -> dict[str, Any]:
    """A category with everything below it, as `/catalog/trees/{id}/categories` nests them."""
    parents = {known.id: known for known in profile.categories}
    path: list[int] = []
    step: Category | None = category
    while step is not None:
        path.insert(0, step.id)
        step = parents.get(step.parent_id)
    return {
        "id": category.id,
        "parent_id": category.parent_id,
        "depth": depth,
        "path": path,
        "name": category.name,
        "is_visible": True,
        "url": f"/{category.name.lower().replace(' ', '-')}/",
        "children": [
            render_category_node(profile, child, depth + 1)
            for child in profile.categories
            if child.parent_id == category.id
        ],
    }


def render_customer(person: Person, profile: Profile) -> dict[str, Any]:
    return {
        "id": person.customer_id,
        "email": person.email,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "company": "",
        "phone": "5550100",
        "notes": "",
        "tax_exempt_category": "",
        "customer_group_id": person.customer_group_id,
        "address_count": 1,
        "attribute_count": 0,
        "accepts_product_review_abandoned_cart_emails": False,
        "origin_channel_id": profile.channel_id,
        "channel_ids": [profile.channel_id],
        "store_credit_amounts": [{"amount": number(ZERO)}],
        "date_created": "2024-01-15T09:00:00Z",
        "date_modified": "2024-01-15T09:00:00Z",
    }
