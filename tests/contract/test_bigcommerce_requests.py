"""Everything that the BigCommerce client asks and writes is documented by the vendor, or named as not at hand."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.asked_paths import fits, paths_in
from support.bigcommerce_contract import NOT_AT_HAND, Watched
from support.bigcommerce_store import connected, shop_twin, store_of

import clients.bigcommerce
from clients.bigcommerce import BigCommerceClient
from contracts.bigcommerce_catalog import ProductChange, ProductDraft, VariantChange
from contracts.bigcommerce_customer import CustomerChange, NewAddress, NewCustomer
from contracts.bigcommerce_metafield import MetafieldDraft
from sandbox.bigcommerce import US_SHOP, Shape, draft
from sandbox.bigcommerce.store import Store
from sandbox.kit import serve

SOURCE = Path(clients.bigcommerce.__file__).parent
BASE = "*/stores/*"
"""What every path begins with."""


@pytest.fixture(scope="module")
async def watched() -> AsyncIterator[Watched]:
    """What the twin was asked while everything that the client can do was done."""
    twin = shop_twin()
    async with serve(twin):
        store = store_of(twin)
        watched = Watched(twin)
        client, cut_short = connected(twin), connected(twin, transport=WithoutParts())
        try:
            await use_orders(client, store)
            await cut_short.order(store.shop.place(draft(Shape.FEE, US_SHOP)).id)
            await use_hooks(client)
            await use_master(client, store.shop.place(draft(Shape.ORDINARY, US_SHOP)).id)
        finally:
            await client.aclose()
            await cut_short.aclose()
        yield watched


class WithoutParts(httpx.AsyncHTTPTransport):
    """A shop that includes nothing in an order's header: its parts are then asked one by one."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_remove_param("include")
        return await super().handle_async_request(request)


async def test_every_path_in_the_clients_source_was_asked(watched: Watched) -> None:
    """Otherwise what follows says nothing about it. Needs none of the vendor's documents."""
    patterns = paths_in(SOURCE, "v[23]/") - {BASE}
    assert len(patterns) > 25
    assert [one for one in sorted(patterns) if not any(fits(one, path) for path in watched.paths)] == []


async def test_every_question_and_every_write_is_one_the_vendor_documents(
    watched: Watched, bigcommerce_specifications: Any
) -> None:
    assert len(watched.calls) > 40
    assert watched.faults(bigcommerce_specifications) == []


async def test_what_is_named_as_not_at_hand_is_asked_and_in_no_document(
    watched: Watched, bigcommerce_specifications: Any
) -> None:
    assert watched.undocumented(bigcommerce_specifications) == NOT_AT_HAND


async def use_orders(client: BigCommerceClient, store: Store) -> None:
    """Everything that the client knows about orders, refunds and the store."""
    shop = store.shop
    orders = [shop.place(draft(wanted, US_SHOP)) for wanted in (Shape.COUPON_PERCENT, Shape.FEE, Shape.OVER_FIFTY)]
    for order in orders:
        await client.order(order.id)
    assert [listed.id async for listed in client.orders_modified(orders[0].modified)]
    assert [listed.id async for listed in client.orders_by_id(1)]
    refund = shop.refund(orders[0].id, everything=True)
    assert (await client.refund(refund.id)).order_id == orders[0].id
    assert await client.order_refunds(orders[0].id)
    assert [one.id async for one in client.refunds_since(orders[0].created, datetime.now(UTC))]
    await client.order_count()
    await client.store()
    await client.currencies()
    await client.product_categories(["77", "102"])
    await client.time()


async def use_hooks(client: BigCommerceClient) -> None:
    made = await client.create_hook("store/order/updated", "https://connector.example.com/client")
    await client.activate_hook(made.id)
    await client.activate_hook(made.id, {"x-secret": "canary"}, "https://connector.example.com/other")
    await client.hooks()
    await client.hook_administration()


async def use_master(client: BigCommerceClient, order_id: int) -> None:
    """Everything that the client knows about channels, catalog, customers and metafields, with every field."""
    now = datetime.now(UTC)
    assert await client.channels()
    await client.categories()
    await client.category_trees()
    assert [row async for row in client.products.changed(datetime(2020, 1, 1, tzinfo=UTC), now)]
    assert await client.products.of([77])
    assert await client.products.place_of_sku("KIT-TOWEL")
    assert not await client.products.place_of_sku("CLIENT-1")
    price = Decimal("9.95")
    full = ProductDraft(
        name="Client",
        sku="CLIENT-1",
        weight=price,
        description="<p>New</p>",
        width=price,
        depth=price,
        height=price,
        tax_class_id=1,
        product_tax_code="P1",
        categories=(20,),
        brand_id=0,
        upc="1",
        mpn="M",
        gtin="2",
        price=price,
        cost_price=price,
        inventory_tracking="product",
        inventory_level=3,
    )
    made = await client.products.create_draft(full, prices=True, stock=True)
    change = ProductChange(
        **{"id": made.id, **full.model_dump(exclude={"type", "name"}), "name": "Client 2", "is_visible": False},
        availability="disabled",
        retail_price=price,
        sale_price=price,
    )
    assert not [one.error async for one in client.products.change([change], prices=True, stock=True) if one.error]
    ((variant,),) = (await client.variants.of([made.id])).values()
    wanted = VariantChange(
        id=variant.id,
        weight=price,
        width=price,
        depth=price,
        height=price,
        upc="3",
        bin_picking_number="A",
        purchasing_disabled=True,
        price=price,
        cost_price=price,
        retail_price=price,
        sale_price=price,
        inventory_level=1,
    )
    assert not [one.error async for one in client.variants.change([wanted], prices=True, stock=True) if one.error]
    assert [row async for row in client.customers.changed(datetime(2020, 1, 1, tzinfo=UTC), now)]
    assert await client.customers.groups()
    assert await client.customers.attribute_names()
    await client.customer_group(11)
    await client.customers.describe(11, {1: "4711"})
    assert await client.customers.of([11])
    address = NewAddress(
        first_name="A",
        last_name="B",
        address1="C",
        address2="D",
        city="E",
        country_code="US",
        company="F",
        state_or_province="Texas",
        postal_code="78701",
        phone="1",
    )
    customer = NewCustomer(
        email="client@example.com",
        first_name="A",
        last_name="B",
        company="C",
        phone="1",
        tax_exempt_category="X",
        customer_group_id=1,
        channel_ids=(1,),
        addresses=(address,),
    )
    known = await client.customers.create(customer)
    assert await client.customers.with_email("client@example.com")
    renamed = CustomerChange(**{"id": known.id, **customer.model_dump(exclude={"channel_ids", "addresses"})})
    assert not [one.error async for one in client.customers.change([renamed]) if one.error]
    note = MetafieldDraft(namespace="ml_connector", key="journal", value="1", description="Where it was booked.")
    await client.metafields.put(order_id, note)
    await client.metafields.put(order_id, note.model_copy(update={"value": "2"}))
