"""BigCommerce deliveries: which order, refund, product or customer a thin payload speaks of.

A payload carries no amounts worth trusting and none are read: `{"scope", "data", "producer", "hash", ...}` only says
that something happened to a document, which the workflow then fetches.
"""

import json
import re
from typing import Any, Final

from pydantic import ValidationError

from contracts import names
from contracts.configuration import BigCommerceConnection
from contracts.hooks import EXCEPTION_SCOPE
from contracts.model import Frozen, Wire
from webhook_gateway.verdicts import Refusal, Verdict

_ORDER_EVENTS = r"order/(?:created|updated|archived|statusUpdated)"
_REFUND_EVENT = r"order/refund/created"
_TRANSACTION_EVENTS = r"order/transaction/(?:created|updated)"

ORDER_ID_FIELDS: Final = (
    (re.compile(rf"store/{_ORDER_EVENTS}"), "id"),
    (re.compile(rf"store/{_TRANSACTION_EVENTS}"), "order_id"),
    (re.compile(rf"store/channel/[0-9]+/(?:{_ORDER_EVENTS}|{_TRANSACTION_EVENTS})"), "order_id"),
    (re.compile(r"store/shipment/(?:created|updated|deleted)"), "orderId"),
)
"""Scopes that may change an order's accounting, and the field of `data` that names the order (webhook events
reference). Order messages and metafields change nothing that is posted."""

_EXCEPTIONS: Final = {
    90001: "a delivery failed and is repeated",
    90002: "every repetition of a delivery failed, and it is switched off",
    90003: "most deliveries to the gateway's domain failed, and none is sent there for minutes",
}

REFUND: Final = re.compile(rf"store/(?:channel/[0-9]+/)?{_REFUND_EVENT}")
"""Money was given back: `data.refund.refund_id` names the refund, and `data.id` (of channels:
`data.order_id`) its order."""

PRODUCT: Final = re.compile(r"store/product/(?:created|updated|deleted|inventory/updated)")
"""`data.id` names the product."""
SKU: Final = re.compile(r"store/sku/(?:created|updated|deleted|inventory/updated)")
"""`data.sku.product_id`, or `data.inventory.product_id`, names the product that the SKU is of."""

CUSTOMER: Final = re.compile(r"store/customer/(?:created|updated|deleted)")
"""`data.id` names the customer."""
ADDRESS: Final = re.compile(r"store/customer/address/(?:created|updated?|deleted)")
"""`data.address.customer_id` names the customer that the address is of."""

_ID = re.compile(r"[1-9][0-9]{0,17}")


class Payload(Wire):
    """The common frame of every delivery. `data` is an object, except for price lists, where it is a list."""

    scope: str
    producer: str = ""
    hash: str = ""
    data: Any = None


def parse_payload(body: bytes, connection: BigCommerceConnection) -> Payload:
    """Raises `Refusal`: `NOT_JSON`, `MALFORMED`, or `WRONG_STORE` when another shop is the producer."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refusal(Verdict.NOT_JSON, "The body is not JSON.") from error
    try:
        payload = Payload.model_validate(document)
    except ValidationError as error:
        raise Refusal(Verdict.MALFORMED, "The body has no scope, or fields of undocumented types.") from error
    if payload.producer != f"stores/{connection.store_hash}":
        raise Refusal(
            Verdict.WRONG_STORE,
            f"The producer is not this connection's shop {connection.store_hash}: the hook has a wrong address.",
        )
    return payload


def delivery_exception(payload: Payload) -> str:
    """What the shop says of failed deliveries, in our words; empty where it says something else.

    Code and hook are the vendor's (webhook events reference, delivery exceptions); its message is not kept.
    """
    if payload.scope != EXCEPTION_SCOPE:
        return ""
    data = payload.data if isinstance(payload.data, dict) else {}
    code, hook = data.get("error_code"), data.get("id")
    told = _EXCEPTIONS.get(code, "something is wrong with them") if isinstance(code, int) else "deliveries fail"
    return f"The shop says of webhook {hook}: {told}." if isinstance(hook, int) else f"The shop says: {told}."


class Announced(Frozen):
    """The document that a payload speaks of, and the flow that follows it."""

    flow: str
    document_id: str
    parent_id: str | None = None
    """The order of a refund, where the payload names it."""


def announced(payload: Payload) -> Announced | None:
    """None when the payload's scope is none that a flow follows.

    Ids come as numbers, or as text in transaction events. Raises `Refusal` (`MALFORMED`).
    """
    if REFUND.fullmatch(payload.scope):
        refund = payload.data.get("refund") if isinstance(payload.data, dict) else None
        found = _id_in(refund, "refund_id", payload.scope, "data.refund")
        order = _id_of(payload.data.get("order_id", payload.data.get("id")))
        return Announced(flow=names.REFUND_TO_JOURNAL, document_id=found, parent_id=order)
    for scope, field in ORDER_ID_FIELDS:
        if scope.fullmatch(payload.scope):
            found = _id_in(payload.data, field, payload.scope, "data")
            return Announced(flow=names.ORDER_TO_JOURNAL, document_id=found)
    if PRODUCT.fullmatch(payload.scope):
        return Announced(flow=names.LOOK_AT_PRODUCT, document_id=_id_in(payload.data, "id", payload.scope, "data"))
    if SKU.fullmatch(payload.scope):
        part = "inventory" if "/inventory/" in payload.scope else "sku"
        of = payload.data.get(part) if isinstance(payload.data, dict) else None
        found = _id_in(of, "product_id", payload.scope, f"data.{part}")
        return Announced(flow=names.LOOK_AT_PRODUCT, document_id=found)
    if CUSTOMER.fullmatch(payload.scope):
        return Announced(flow=names.LOOK_AT_CUSTOMER, document_id=_id_in(payload.data, "id", payload.scope, "data"))
    if ADDRESS.fullmatch(payload.scope):
        of = payload.data.get("address") if isinstance(payload.data, dict) else None
        found = _id_in(of, "customer_id", payload.scope, "data.address")
        return Announced(flow=names.LOOK_AT_CUSTOMER, document_id=found)
    return None


def _id_in(part: Any, field: str, scope: str, where: str) -> str:
    found = _id_of(part.get(field)) if isinstance(part, dict) else None
    if found is None:
        raise Refusal(Verdict.MALFORMED, f"Scope {scope} came without an id in {where}.{field}.")
    return found


def _id_of(value: Any) -> str | None:
    text = str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    return text if _ID.fullmatch(text) else None
