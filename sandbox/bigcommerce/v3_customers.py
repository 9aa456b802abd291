"""Customers on the wire (V3), and their groups (V2)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sandbox.bigcommerce.customers import ATTRIBUTES, GROUPS, CustomerRow
from sandbox.bigcommerce.money import ZERO, number

WITH = 10
"""Addresses and attributes that come along with a customer, at most."""


def date(moment: datetime) -> str:
    """ISO 8601 as customers have it: `2018-05-08T15:06:12Z`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def render_customer(row: CustomerRow, channel_id: int, *, include: str = "") -> dict[str, Any]:
    """A customer, with the first addresses and attributes where they are included."""
    document = {
        "id": row.id,
        "email": "",
        "first_name": "",
        "last_name": "",
        "company": "",
        "phone": "",
        "notes": "",
        "tax_exempt_category": "",
        "customer_group_id": 0,
        "address_count": len(row.addresses),
        "attribute_count": len(row.attributes),
        "authentication": {"force_password_reset": False},
        "accepts_product_review_abandoned_cart_emails": False,
        "origin_channel_id": channel_id,
        "channel_ids": [channel_id],
        "store_credit_amounts": [{"amount": number(ZERO)}],
        "date_created": date(row.created),
        "date_modified": date(row.modified),
        **row.fields,
    }
    parts = include.split(",")
    if "addresses" in parts:
        document["addresses"] = row.addresses[:WITH]
    if "attributes" in parts:
        document["attributes"] = render_attributes(row)[:WITH]
    return document


def render_attributes(row: CustomerRow) -> list[dict[str, Any]]:
    """Values of a customer's attributes; always text."""
    return [
        {
            "id": row.id * 1000 + attribute_id,
            "attribute_id": attribute_id,
            "attribute_value": value,
            "customer_id": row.id,
            "date_created": date(row.created),
            "date_modified": date(row.modified),
        }
        for attribute_id, value in row.attributes.items()
    ]


def attribute_names() -> list[dict[str, Any]]:
    """The attributes that the merchant defined."""
    stamp = {"date_created": "2024-01-15T09:00:00Z", "date_modified": "2024-01-15T09:00:00Z"}
    return [{"id": known, "name": name, "type": kind, **stamp} for known, (name, kind) in ATTRIBUTES.items()]


def groups() -> list[dict[str, Any]]:
    """Customer groups as V2 lists them."""
    return [
        {
            "id": known,
            "name": name,
            "is_default": known == min(GROUPS),
            "category_access": {"type": "all"},
            "discount_rules": [],
            "is_group_for_guests": False,
        }
        for known, name in GROUPS.items()
    ]
