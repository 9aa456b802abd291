import json
from typing import Any

import pytest

from contracts.configuration import BigCommerceConnection
from webhook_gateway.bigcommerce import announced_order, parse_payload
from webhook_gateway.verdicts import Refusal, Verdict

SHOP = BigCommerceConnection(system="bigcommerce", id="bc-us", tenant="acme", environment="test", store_hash="abc123")


def announced(scope: str, data: Any) -> str | None:
    document = {"scope": scope, "store_id": "1", "data": data, "hash": "h", "producer": "stores/abc123"}
    return announced_order(parse_payload(json.dumps(document).encode(), SHOP))


@pytest.mark.parametrize(
    ("scope", "data"),
    [
        ("store/order/created", {"type": "order", "id": 250}),
        ("store/order/updated", {"type": "order", "id": 250}),
        ("store/order/archived", {"type": "order", "id": 250}),
        ("store/order/statusUpdated", {"type": "order", "id": 250, "status": {"new_status_id": 11}}),
        ("store/order/refund/created", {"type": "order", "id": 250, "refund": {"refund_id": 3}}),
        ("store/order/transaction/created", {"type": "transaction", "order_id": "250", "transaction_id": 7}),
        ("store/order/transaction/updated", {"type": "transaction", "order_id": "250", "transaction_id": 7}),
        ("store/channel/12/order/created", {"type": "order", "order_id": 250}),
        ("store/channel/12/order/transaction/created", {"order_id": "250"}),
        ("store/shipment/created", {"type": "shipment", "id": 12, "orderId": 250}),
    ],
)
def test_whatever_may_change_an_orders_accounting_names_the_order(scope: str, data: dict[str, Any]) -> None:
    assert announced(scope, data) == "250"


@pytest.mark.parametrize(
    ("scope", "data"),
    [
        ("store/order/message/created", {"type": "order", "id": 250}),
        ("store/order/metafield/updated", {"metafield_id": 1, "resource_id": "250"}),
        ("store/product/updated", {"type": "product", "id": 250}),
        ("store/priceList/records/created", [{"price_list_id": 1}]),
        ("store/orders", {"id": 250}),
        ("xstore/order/created", {"id": 250}),
    ],
)
def test_other_events_concern_no_order(scope: str, data: Any) -> None:
    assert announced(scope, data) is None


@pytest.mark.parametrize("order_id", [None, 0, -1, True, 2.5, "", "abc", "1/../2", "0250", "٢٥٠", 10**30, [250], {}])
def test_an_order_event_without_a_usable_id_is_malformed(order_id: Any) -> None:
    with pytest.raises(Refusal) as refusal:
        announced("store/order/created", {"id": order_id})
    assert refusal.value.verdict is Verdict.MALFORMED


@pytest.mark.parametrize("data", [None, [], "250", 250])
def test_an_order_event_without_data_is_malformed(data: Any) -> None:
    with pytest.raises(Refusal) as refusal:
        announced("store/order/created", data)
    assert refusal.value.verdict is Verdict.MALFORMED


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        (b"", Verdict.NOT_JSON),
        (b"scope=store", Verdict.NOT_JSON),
        (b"[" * 100_000, Verdict.NOT_JSON),
        (b"\xff\xfe", Verdict.NOT_JSON),
        (b'{"a":' + b"9" * 5000 + b"}", Verdict.NOT_JSON),
        (b"null", Verdict.MALFORMED),
        (b"[]", Verdict.MALFORMED),
        (b'{"producer":"stores/abc123"}', Verdict.MALFORMED),
        (b'{"scope":1,"producer":"stores/abc123"}', Verdict.MALFORMED),
        (b'{"scope":"store/order/created","data":{"id":1}}', Verdict.WRONG_STORE),
        (b'{"scope":"store/order/created","data":{"id":1},"producer":"stores/def456"}', Verdict.WRONG_STORE),
        (b'{"scope":"store/order/created","data":{"id":1},"producer":"stores/abc1234"}', Verdict.WRONG_STORE),
    ],
)
def test_a_body_that_is_not_a_delivery_of_this_shop_is_refused(body: bytes, verdict: Verdict) -> None:
    with pytest.raises(Refusal) as refusal:
        parse_payload(body, SHOP)
    assert refusal.value.verdict is verdict


def test_unknown_fields_of_the_vendor_are_no_fault() -> None:
    body = json.dumps({"scope": "store/order/created", "data": {"id": 1}, "producer": "stores/abc123", "new": [1]})
    assert announced_order(parse_payload(body.encode(), SHOP)) == "1"
