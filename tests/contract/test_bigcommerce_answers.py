"""Every answer of the BigCommerce twin is allowed by the vendor's OpenAPI documents and as complete as its samples."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clients.bigcommerce import BigCommerceClient
from contracts.configuration import BigCommerceConnection
from sandbox.bigcommerce import EU_SHOP, JP_SHOP, US_SHOP, BigCommerceTwin, Shape, StoreSettings, draft, statuses
from sandbox.kit import serve

V2 = "orders.v2.oas2.yml"
V3 = "orders.v3.yml"
HOOKS = "webhooks.v3.yml"
STORE = "store_information.v2.yml"
CURRENCIES = "currencies.v2.yml"
PRODUCTS = "catalog/products_catalog.v3.yml"
TREES = "catalog/category-trees_catalog.v3.yml"
CATEGORIES = "catalog/categories_catalog.v3.yml"
CUSTOMERS = "customers.v3.yml"
DOCUMENTS = {"v2": (V2, STORE, CURRENCIES), "v3": (V3, HOOKS, PRODUCTS, TREES, CATEGORIES, CUSTOMERS)}
PROFILES = {profile.store_hash: profile for profile in (US_SHOP, EU_SHOP, JP_SHOP)}

Check = Callable[..., Awaitable[Any]]


@pytest.fixture(scope="module")
async def twin() -> AsyncIterator[BigCommerceTwin]:
    twin = BigCommerceTwin([StoreSettings(profile, requests_per_window=100_000) for profile in PROFILES.values()])
    async with serve(twin):
        yield twin


@pytest.fixture(scope="module")
async def check(twin: BigCommerceTwin, bigcommerce_specifications: Any) -> AsyncIterator[Check]:
    """Ask the twin and hold its answer against the vendor's document; returns the body."""
    assert twin.listener is not None
    async with httpx.AsyncClient(base_url=twin.listener.url, headers={"X-Auth-Token": "access-token"}) as http:

        async def ask(
            name: str, path: str, *, store: str = "us1abc", method: str = "GET", status: int = 200, **request: Any
        ) -> Any:
            version = "v2" if ".v2." in name else "v3"
            answer = await http.request(method, f"/stores/{store}/{version}{path}", **request)
            assert answer.status_code == status, answer.text
            specification = bigcommerce_specifications[name]
            known = specification.match(path)
            assert known, f"The vendor knows no {path}."
            body = answer.json() if answer.content else None
            if body is not None:
                assert specification.faults(known, method, status, body) == []
            return body

        yield ask


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
    refund = shop.refund(order.id, order.lines[0].id, 1)
    shop.archive(order.id)
    await check(V2, f"/orders/{order.id}")
    await check(V2, f"/orders/{order.id}/shipments")
    await check(V2, f"/orders/{order.id}/products/{order.lines[0].id}")
    await check(V2, f"/orders/{order.id}/shipping_addresses/{order.address_ids[0]}")
    await check(V3, f"/orders/{order.id}/transactions")
    await check(V3, "/orders/payment_actions/refunds")
    await check(V3, f"/orders/{order.id}/payment_actions/refunds")
    await check(V3, f"/orders/payment_actions/refunds/{refund.id}")


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


async def test_webhook_administration(check: Check) -> None:
    wanted = {"scope": "store/order/*", "destination": "https://connector.example.com/a", "is_active": True}
    created = (await check(HOOKS, "/hooks", method="POST", json=wanted))["data"]
    await check(HOOKS, "/hooks")
    await check(HOOKS, f"/hooks/{created['id']}")
    await check(HOOKS, "/hooks/admin")
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
        for scope in ("store/order/*", "store/shipment/*"):
            wanted = {"scope": scope, "destination": "https://connector.example.com/hooks"}
            store.subscriptions.create(store.accounts[0], wanted)
        order = store.shop.place(draft(Shape.ORDINARY, US_SHOP))
        store.shop.ship(order.id)
        store.shop.refund(order.id, order.lines[0].id, 1)
        store.shop.archive(order.id)
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
    }
    for scope in compared:
        assert shape(seen[scope]) == shape(samples[scope]), scope


def shape(value: Any) -> Any:
    """Names and kinds of a document, without its values."""
    if isinstance(value, dict):
        return {name: shape(entry) for name, entry in value.items()}
    return type(value).__name__


async def test_every_request_of_the_client_is_one_the_vendor_documents(
    twin: BigCommerceTwin, bigcommerce_specifications: Any
) -> None:
    shop = twin.stores["us1abc"].shop
    orders = [shop.place(draft(wanted, US_SHOP)) for wanted in (Shape.COUPON_PERCENT, Shape.FEE, Shape.OVER_FIFTY)]
    assert twin.listener is not None
    connection = BigCommerceConnection.model_validate(
        {
            "system": "bigcommerce",
            "id": "bc-us",
            "tenant": "acme",
            "environment": "test",
            "base_url": twin.listener.url,
            "store_hash": "us1abc",
            "requests_per_window": 100_000,
        }
    )

    async def token() -> str:
        return "access-token"

    before = len(list(twin.calls))
    bodies: dict[str, bytes] = {}

    async def keep(exchange: Any) -> None:
        bodies[exchange.path] = exchange.body

    twin.hooks.on("received", keep, method="POST", times=None)
    twin.hooks.on("received", keep, method="PUT", times=None)
    client = BigCommerceClient(connection, token)
    try:
        for order in orders:
            await client.order(order.id)
        assert [listed.id async for listed in client.orders_modified(orders[0].modified)]
        assert [listed.id async for listed in client.orders_by_id(1)]
        await client.order_count()
        await client.store()
        await client.currencies()
        await client.product_categories(["77", "102"])
        await client.time()
        made = await client.create_hook("store/order/updated", "https://connector.example.com/client")
        await client.activate_hook(made.id)
        await client.hooks()
    finally:
        await client.aclose()
    calls = list(twin.calls)[before:]
    assert len(calls) > 12
    faults: list[str] = []
    for call in calls:
        version, _, rest = call.path.removeprefix("/stores/us1abc/").partition("/")
        for name in DOCUMENTS[version]:
            specification = bigcommerce_specifications[name]
            known = specification.match(f"/{rest}")
            if known and call.method.lower() in specification.document["paths"][known]:
                break
        else:
            faults.append(f"{call.method} {call.path} is in none of the vendor's documents.")
            continue
        faults += specification.query_faults(known, call.method.lower(), call.query)
        if call.path in bodies and call.method in ("POST", "PUT"):
            faults += specification.body_faults(known, call.method.lower(), json.loads(bodies[call.path]))
    assert faults == []
