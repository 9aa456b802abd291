import json
from typing import Any

import pytest

from contracts.configuration import BigCommerceConnection
from webhook_gateway import bigcommerce
from webhook_gateway.bigcommerce import Announced, delivery_exception, parse_payload
from webhook_gateway.verdicts import Refusal, Verdict

SHOP = BigCommerceConnection(system="bigcommerce", id="bc-us", tenant="acme", environment="test", store_hash="abc123")


def announced(scope: str, data: Any) -> Announced | None:
    document = {"scope": scope, "store_id": "1", "data": data, "hash": "h", "producer": "stores/abc123"}
    return bigcommerce.announced(parse_payload(json.dumps(document).encode(), SHOP))


@pytest.mark.parametrize(
    ("scope", "data"),
    [
        ("store/order/created", {"type": "order", "id": 250}),
        ("store/order/updated", {"type": "order", "id": 250}),
        ("store/order/archived", {"type": "order", "id": 250}),
        ("store/order/statusUpdated", {"type": "order", "id": 250, "status": {"new_status_id": 11}}),
        ("store/order/transaction/created", {"type": "transaction", "order_id": "250", "transaction_id": 7}),
        ("store/order/transaction/updated", {"type": "transaction", "order_id": "250", "transaction_id": 7}),
        ("store/channel/12/order/created", {"type": "order", "order_id": 250}),
        ("store/channel/12/order/transaction/created", {"order_id": "250"}),
        ("store/shipment/created", {"type": "shipment", "id": 12, "orderId": 250}),
    ],
)
def test_whatever_may_change_an_orders_accounting_names_the_order(scope: str, data: dict[str, Any]) -> None:
    assert announced(scope, data) == Announced(flow="order-to-journal", document_id="250")


@pytest.mark.parametrize(
    ("scope", "data"),
    [
        ("store/order/refund/created", {"type": "order", "id": 250, "refund": {"refund_id": 3}}),
        ("store/channel/12/order/refund/created", {"type": "order", "order_id": 250, "refund": {"refund_id": 3}}),
    ],
)
def test_a_refund_is_announced_by_its_own_id_and_says_of_which_order_it_is(scope: str, data: dict[str, Any]) -> None:
    assert announced(scope, data) == Announced(flow="refund-to-journal", document_id="3", parent_id="250")


@pytest.mark.parametrize("order", [None, "x", 0, True, {"id": 250}])
def test_a_refund_of_nobody_knows_which_order_is_announced_all_the_same(order: Any) -> None:
    data = {"type": "order", "id": order, "refund": {"refund_id": 3}}
    found = announced("store/order/refund/created", data)
    assert found == Announced(flow="refund-to-journal", document_id="3")


@pytest.mark.parametrize(
    ("scope", "data"),
    [
        ("store/product/created", {"type": "product", "id": 250}),
        ("store/product/updated", {"type": "product", "id": 250}),
        ("store/product/deleted", {"type": "product", "id": 250}),
        ("store/product/inventory/updated", {"type": "product", "id": 250, "inventory": {"product_id": 250}}),
        ("store/sku/created", {"type": "sku", "id": 9, "sku": {"product_id": 250, "variant_id": 9}}),
        ("store/sku/updated", {"type": "sku", "id": 9, "sku": {"product_id": 250, "variant_id": 9}}),
        ("store/sku/inventory/updated", {"type": "sku", "id": 9, "inventory": {"product_id": 250, "variant_id": 9}}),
    ],
)
def test_whatever_may_change_an_item_names_the_product(scope: str, data: dict[str, Any]) -> None:
    assert announced(scope, data) == Announced(flow="look-at-product", document_id="250")


@pytest.mark.parametrize(
    ("scope", "data"),
    [
        ("store/customer/created", {"type": "customer", "id": 250}),
        ("store/customer/updated", {"type": "customer", "id": 250}),
        ("store/customer/deleted", {"type": "customer", "id": 250}),
        ("store/customer/address/created", {"type": "customer", "id": 9, "address": {"customer_id": 250}}),
        ("store/customer/address/update", {"type": "customer", "id": 9, "address": {"customer_id": 250}}),
        ("store/customer/address/deleted", {"type": "customer", "id": 9, "address": {"customer_id": 250}}),
    ],
)
def test_whatever_may_change_an_account_names_the_customer(scope: str, data: dict[str, Any]) -> None:
    assert announced(scope, data) == Announced(flow="look-at-customer", document_id="250")


@pytest.mark.parametrize("data", [None, {"type": "sku", "id": 9}, {"sku": [250]}, {"sku": {"product_id": 0}}])
def test_an_event_of_a_sku_without_its_product_is_malformed(data: Any) -> None:
    with pytest.raises(Refusal) as refusal:
        announced("store/sku/updated", data)
    assert refusal.value.verdict is Verdict.MALFORMED


@pytest.mark.parametrize("refund", [None, {}, [], 3, {"refund_id": 0}, {"refund_id": "x"}, {"refund_id": True}])
def test_a_refund_without_a_usable_id_is_malformed(refund: Any) -> None:
    with pytest.raises(Refusal) as refusal:
        announced("store/order/refund/created", {"type": "order", "id": 250, "refund": refund})
    assert refusal.value.verdict is Verdict.MALFORMED


@pytest.mark.parametrize(
    ("scope", "data"),
    [
        ("store/order/message/created", {"type": "order", "id": 250}),
        ("store/order/metafield/updated", {"metafield_id": 1, "resource_id": "250"}),
        ("store/product/inventory/order/updated", {"type": "product", "id": 250}),
        ("store/category/updated", {"type": "category", "id": 250}),
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
    found = bigcommerce.announced(parse_payload(body.encode(), SHOP))
    assert found == Announced(flow="order-to-journal", document_id="1")


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (90001, "a delivery failed and is repeated"),
        (90002, "every repetition of a delivery failed, and it is switched off"),
        (90003, "none is sent there for minutes"),
        (4711, "something is wrong with them"),
    ],
)
def test_what_the_shop_says_of_failed_deliveries_is_said_in_our_words(code: int, told: str) -> None:
    data = {"type": "webhook", "id": 18048287, "error_code": code, "message": "canary"}
    document = {"scope": "store/hook/deliveryException", "data": data, "producer": "stores/abc123"}
    sentence = delivery_exception(parse_payload(json.dumps(document).encode(), SHOP))
    assert told in sentence
    assert "18048287" in sentence
    assert "canary" not in sentence


def test_a_delivery_about_anything_else_is_no_exception() -> None:
    document = {"scope": "store/order/updated", "data": {"type": "order", "id": 1}, "producer": "stores/abc123"}
    assert delivery_exception(parse_payload(json.dumps(document).encode(), SHOP)) == ""
