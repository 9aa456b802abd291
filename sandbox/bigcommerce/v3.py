"""V3 on the wire: `{data, meta}`, ISO dates, amounts as numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from sandbox.bigcommerce.documents import Order, Refund, Transaction
from sandbox.bigcommerce.money import number


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
    return {
        "id": refund.id,
        "order_id": order.id,
        "user_id": 1,
        "created": date(refund.created),
        "reason": refund.reason,
        "total_amount": number(refund.total),
        "total_tax": number(refund.tax),
        "uses_merchant_override_values": refund.override,
        "items": [
            {
                "item_type": item.type,
                "item_id": item.item_id,
                "requested_amount": None if item.amount is None else number(item.amount),
                "reason": refund.reason if item.reason is None else item.reason,
                "adjustments": [{"amount": number(one), "description": "Service fee"} for one in item.adjustments],
            }
            | ({"quantity": item.quantity} if item.type == "PRODUCT" else {})
            for item in refund.items
        ],
        "payments": [
            {
                "id": payment.id,
                "provider_id": payment.provider_id,
                "amount": number(payment.amount),
                "offline": payment.offline,
                "is_declined": payment.declined,
                "declined_message": payment.declined_message if payment.declined else "",
                "transaction_id": str(payment.transaction_id),
            }
            for payment in refund.payments
        ],
    }
