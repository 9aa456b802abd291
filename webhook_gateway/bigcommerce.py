"""BigCommerce deliveries: which order a thin payload speaks of.

A payload carries no amounts worth trusting and none are read: `{"scope", "data", "producer", "hash", ...}` only says
that something happened to an order, which the workflow then fetches.
"""

import json
import re
from typing import Any, Final

from pydantic import ValidationError

from contracts.configuration import BigCommerceConnection
from contracts.model import Wire
from webhook_gateway.verdicts import Refusal, Verdict

_ORDER_EVENTS = r"order/(?:created|updated|archived|statusUpdated|refund/created)"
_TRANSACTION_EVENTS = r"order/transaction/(?:created|updated)"

ORDER_ID_FIELDS: Final = (
    (re.compile(rf"store/{_ORDER_EVENTS}"), "id"),
    (re.compile(rf"store/{_TRANSACTION_EVENTS}"), "order_id"),
    (re.compile(rf"store/channel/[0-9]+/(?:{_ORDER_EVENTS}|{_TRANSACTION_EVENTS})"), "order_id"),
    (re.compile(r"store/shipment/(?:created|updated|deleted)"), "orderId"),
)
"""Scopes that may change an order's accounting, and the field of `data` that names the order (webhook events
reference). Order messages and metafields change nothing that is posted."""

_ORDER_ID = re.compile(r"[1-9][0-9]{0,17}")


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


def announced_order(payload: Payload) -> str | None:
    """The order id a payload speaks of, or None when its scope is none that a flow follows.

    Ids come as numbers, or as text in transaction events. Raises `Refusal` (`MALFORMED`).
    """
    for scope, field in ORDER_ID_FIELDS:
        if scope.fullmatch(payload.scope):
            value = payload.data.get(field) if isinstance(payload.data, dict) else None
            text = str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
            if not _ORDER_ID.fullmatch(text):
                raise Refusal(Verdict.MALFORMED, f"Scope {payload.scope} came without an order id in data.{field}.")
            return text
    return None
