"""Every answer of the BigCommerce twin is allowed by the vendor's OpenAPI documents and as complete as its samples."""

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from support.bigcommerce_contract import (
    CATEGORIES,
    CURRENCIES,
    CUSTOMERS,
    HOOKS,
    PRODUCTS,
    STORE,
    TREES,
    V2,
    V3,
    Check,
    checking,
)

from contracts.bigcommerce_refund import OrderRefund
from sandbox.bigcommerce import (
    EU_SHOP,
    JP_SHOP,
    US_SHOP,
    BigCommerceTwin,
    Returned,
    Shape,
    StoreSettings,
    draft,
    statuses,
)
from sandbox.kit import serve

PROFILES = {profile.store_hash: profile for profile in (US_SHOP, EU_SHOP, JP_SHOP)}


@pytest.fixture(scope="module")
async def twin() -> AsyncIterator[BigCommerceTwin]:
    twin = BigCommerceTwin([StoreSettings(profile, requests_per_window=100_000) for profile in PROFILES.values()])
    async with serve(twin):
        yield twin


@pytest.fixture(scope="module")
async def check(twin: BigCommerceTwin, bigcommerce_specifications: Any) -> AsyncIterator[Check]:
    async with checking(twin, bigcommerce_specifications) as check:
        yield check


@pytest.mark.parametrize("store", list(PROFILES))
@pytest.mark.parametrize("shape", list(Shape))
async def test_an_order_and_all_its_parts(twin: BigCommerceTwin, check: Check, store: str, shape: Shape) -> None:
    order = twin.stores[store].shop.place(draft(shape, PROFILES[store]))
    one = f"/orders/{order.id}"
    await check(V2, one, store=store)
    await check(V2, one, store=store, params={"include": "consignments,fees"})
    for part, rows in (
        ("products", order.lines),
        ("coupons", order.draft.coupons),
        ("taxes", order.priced.rows),
        ("shipping_addresses", order.address_ids),
    ):
        # That an empty list has no content is not in the vendor's document, only in its behavior.
        if rows:
            await check(V2, f"{one}/{part}", store=store)
    if order.priced.rows:
        await check(V2, f"{one}/taxes", store=store, params={"details": "true"})
    await check(V2, f"{one}/fees", store=store)
    await check(V2, f"{one}/consignments", store=store)
    await check(V3, f"{one}/transactions", store=store, status=200 if order.transactions else 204)


async def test_lists_counts_and_statuses(twin: BigCommerceTwin, check: Check) -> None:
    shop = twin.stores["us1abc"].shop
    for status_id in statuses.LABELS:
        shop.place(draft(Shape.ORDINARY, US_SHOP, seed=status_id), status_id=status_id)
    listed = await check(V2, "/orders", params={"limit": 250})
    assert {order["status_id"] for order in listed} == set(statuses.LABELS)
    await check(V2, "/orders/count")
    await check(V2, "/order_statuses")
    await check(V2, "/order_statuses/11")


async def test_what_happens_to_an_order_later(twin: BigCommerceTwin, check: Check) -> None:
    shop = twin.stores["us1abc"].shop
    order = shop.place(draft(Shape.TWO_ADDRESSES, US_SHOP))
    shop.ship(order.id)
    shop.archive(order.id)
    await check(V2, f"/orders/{order.id}")
    await check(V2, f"/orders/{order.id}/shipments")
    await check(V2, f"/orders/{order.id}/products/{order.lines[0].id}")
    await check(V2, f"/orders/{order.id}/shipping_addresses/{order.address_ids[0]}")
    await check(V3, f"/orders/{order.id}/transactions")


@pytest.mark.parametrize("store", list(PROFILES))
async def test_refunds_of_every_kind(twin: BigCommerceTwin, check: Check, store: str) -> None:
    profile = PROFILES[store]
    shop, some = twin.stores[store].shop, Decimal(3)
    order = shop.place(draft(Shape.HANDLING, profile))
    wrapped, charged, split = (
        shop.place(draft(shape, profile)) for shape in (Shape.WRAPPING, Shape.FEE, Shape.SPLIT_TENDER)
    )
    line = next(line for line in wrapped.lines if line.item.wrapping)
    refunds = [
        shop.refund(order.id, order.lines[0].id, 1),
        shop.refund(order.id, items=[Returned("SHIPPING", order.address_ids[0], amount=some)]),
        shop.refund(order.id, items=[Returned("HANDLING", order.address_ids[0])]),
        shop.refund(order.id, items=[Returned("ORDER", order.id, amount=some)], declined=True),
        shop.refund(order.id, items=[Returned("ORDER", order.id, amount=some)], payments={"storecredit": some}),
        shop.refund(wrapped.id, items=[Returned("GIFT_WRAPPING", line.id, 1)]),
        shop.refund(wrapped.id, items=[Returned("PRODUCT", line.id, 1, adjustments=(-some,))]),
        shop.refund(wrapped.id, items=[Returned("ORDER", wrapped.id, amount=some)], override=(some, Decimal(1))),
        shop.refund(charged.id, items=[Returned("FEE", charged.fee_id(0))]),
        shop.refund(charged.id, tax_adjustment=Decimal(1)),
        shop.refund(split.id, everything=True),
    ]
    kinds = set()
    for refund in refunds:
        one = await check(V3, f"/orders/payment_actions/refunds/{refund.id}", store=store)
        kinds |= {item["item_type"] for item in one["data"]["items"]} or {"tax"}
    assert kinds == {"PRODUCT", "GIFT_WRAPPING", "SHIPPING", "HANDLING", "ORDER", "FEE", "tax"}
    every = await check(V3, "/orders/payment_actions/refunds", store=store)
    assert {refund.id for refund in refunds} <= {one["id"] for one in every["data"]}
    for placed in (order, wrapped, charged, split):
        await check(V3, f"/orders/{placed.id}/payment_actions/refunds", store=store)
        await check(V3, f"/orders/{placed.id}/transactions", store=store)
        await check(V2, f"/orders/{placed.id}", store=store)


async def test_no_field_of_the_vendors_sample_of_a_refund_is_missing(
    twin: BigCommerceTwin, check: Check, bigcommerce_specifications: Any
) -> None:
    shop = twin.stores["us1abc"].shop
    order = shop.place(draft(Shape.ORDINARY, US_SHOP))
    refund = shop.refund(order.id, order.lines[0].id, 1)
    schema = bigcommerce_specifications[V3].document["components"]["schemas"]["RefundID_Get"]
    sample = schema["x-examples"]["Example"]["data"]
    answer = (await check(V3, f"/orders/payment_actions/refunds/{refund.id}"))["data"]
    assert set(sample) - set(answer) == set()
    for part in ("items", "payments"):
        assert set(sample[part][0]) - set(answer[part][0]) == set()


async def test_the_client_reads_the_vendors_own_sample_of_a_refund(bigcommerce_specifications: Any) -> None:
    schema = bigcommerce_specifications[V3].document["components"]["schemas"]["RefundID_Get"]
    refund = OrderRefund.model_validate(schema["x-examples"]["Example"]["data"])
    assert (refund.id, refund.order_id, refund.total_amount, refund.total_tax) == (12, 180, 50, 5)
    assert (refund.items[0].quantity, refund.payments[0].provider_id) == (1, "storecredit")


@pytest.mark.parametrize("store", list(PROFILES))
async def test_the_store_and_its_catalog(check: Check, store: str) -> None:
    await check(STORE, "/store", store=store)
    await check(STORE, "/time", store=store)
    await check(CURRENCIES, "/currencies", store=store)
    await check(PRODUCTS, "/catalog/products", store=store)
    await check(PRODUCTS, "/catalog/products/77", store=store)
    await check(TREES, "/catalog/trees", store=store)
    await check(TREES, "/catalog/trees/categories", store=store)
    await check(TREES, "/catalog/trees/1/categories", store=store)
    await check(CATEGORIES, "/catalog/categories", store=store)
    await check(CUSTOMERS, "/customers", store=store)


async def test_webhook_administration(twin: BigCommerceTwin, check: Check) -> None:
    wanted = {"scope": "store/order/*", "destination": "https://connector.example.com/a", "is_active": True}
    created = (await check(HOOKS, "/hooks", method="POST", json=wanted))["data"]
    await check(HOOKS, "/hooks")
    await check(HOOKS, f"/hooks/{created['id']}")
    twin.stores["us1abc"].deliveries.block("connector.example.com")
    await check(HOOKS, "/hooks/admin", method="PUT", status=204, json={"emails": ["ops@example.com"]})
    admin = (await check(HOOKS, "/hooks/admin"))["data"]
    assert admin["hooks_list"]
    assert admin["blocked_domains"]
    twin.stores["us1abc"].deliveries.block("connector.example.com", 0)
    await check(HOOKS, f"/hooks/{created['id']}", method="PUT", json={"is_active": False})
    await check(HOOKS, f"/hooks/{created['id']}", method="DELETE")
    await check(HOOKS, f"/hooks/{created['id']}", status=404)
    await check(HOOKS, "/hooks", method="POST", json={"scope": "store/order/*"}, status=422)
    await check(HOOKS, "/hooks", method="POST", json=wanted | {"scope": "store/boat"}, status=400)


async def test_refusals(check: Check) -> None:
    await check(V2, "/orders/4711", status=404)
    await check(V3, "/orders/4711/transactions", status=404)
    await check(HOOKS, "/hooks", status=401, headers={"X-Auth-Token": "wrong"})


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/orders/{order_id}", ""),
        ("/orders/{order_id}/products", "/products"),
        ("/orders/{order_id}/coupons", "/coupons"),
        ("/orders/{order_id}/taxes", "/taxes"),
        ("/orders/{order_id}/shipping_addresses", "/shipping_addresses"),
        ("/orders/{order_id}/shipments", "/shipments"),
    ],
)
async def test_no_field_of_the_vendors_samples_is_missing(
    twin: BigCommerceTwin, check: Check, bigcommerce_specifications: Any, path: str, part: str
) -> None:
    shop = twin.stores["us1abc"].shop
    order = shop.place(draft(Shape.COUPON_PERCENT, US_SHOP))
    shop.ship(order.id)
    sample = bigcommerce_specifications[V2].example(path)
    answer = await check(V2, f"/orders/{order.id}{part}")
    expected, found = (rows[0] if isinstance(rows, list) else rows for rows in (sample, answer))
    assert set(expected) - set(found) == set()


async def test_webhooks_look_like_the_vendors_samples(twin: BigCommerceTwin, bigcommerce_specifications: Any) -> None:
    got: list[dict[str, Any]] = []

    async def take(request: Request) -> Response:
        got.append(json.loads(await request.body()))
        return Response()

    store = twin.stores["us1abc"]
    async with serve(Starlette(routes=[Route("/{path:path}", take, methods=["POST"])])) as receiver:
        store.deliveries.reachable["https://connector.example.com"] = receiver.url
        for scope in ("store/order/*", "store/shipment/*", "store/product/*", "store/sku/*", "store/customer/*"):
            wanted = {"scope": scope, "destination": "https://connector.example.com/hooks"}
            store.subscriptions.create(store.accounts[0], wanted)
        order = store.shop.place(draft(Shape.ORDINARY, US_SHOP))
        store.shop.ship(order.id)
        store.shop.refund(order.id, order.lines[0].id, 1)
        store.shop.archive(order.id)
        (product,) = store.catalog.grow(1)
        store.catalog.edit(product, name="Renamed")
        store.catalog.change_variant(store.catalog.products[product].variants[0].id, {"upc": "1"})
        store.catalog.delete(product)
        store.catalog.create({"name": "Pot", "type": "physical", "weight": 1, "price": 1})
        address = store.customers.add_address(12, address1="1 Elm Street")
        store.customers.move(12, address, city="Austin")
        store.customers.create([{"email": "hook@example.com", "first_name": "A", "last_name": "B"}])
        await store.deliveries.idle(10)
    samples = {sample["scope"]: sample for _, sample in bigcommerce_specifications.webhooks()}
    seen = {body["scope"]: body for body in got}
    compared = set(samples) & set(seen)
    assert compared >= {
        "store/order/created",
        "store/order/updated",
        "store/order/archived",
        "store/order/statusUpdated",
        "store/order/refund/created",
        "store/product/created",
        "store/product/updated",
        "store/product/deleted",
        "store/sku/updated",
        "store/customer/created",
        "store/customer/address/created",
    }
    for scope in compared:
        assert shape(seen[scope]) == shape(samples[scope]), scope


def shape(value: Any) -> Any:
    """Names and kinds of a document, without its values."""
    if isinstance(value, dict):
        return {name: shape(entry) for name, entry in value.items()}
    return type(value).__name__
