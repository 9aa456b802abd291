"""Client and projection together against a simulated shop over real HTTP: every basket adds up to what was sold."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from support.still_clock import StillClock

from clients.bigcommerce import BigCommerceClient
from clients.errors import RateLimited, Unauthorized
from contracts.configuration import BigCommerceConnection
from contracts.sale import OrderSnapshot, Sale
from mapping.bigcommerce import project
from sandbox.bigcommerce import (
    EU_SHOP,
    JP_SHOP,
    US_SHOP,
    BigCommerceTwin,
    Profile,
    Shape,
    StoreSettings,
    Truth,
    draft,
)
from sandbox.kit import serve

ODD_SHOPS = (
    replace(US_SHOP, store_hash="us1fee", fees_in_total=False),
    replace(US_SHOP, store_hash="us1old", line_tax="before_discounts", tax_rounding="order"),
    replace(EU_SHOP, store_hash="eu1rnd", tax_rounding="order"),
)
"""Habits the vendor leaves open: fees outside the total, line tax before discounts, tax rounded once per order."""
PROFILES = {profile.store_hash: profile for profile in (US_SHOP, EU_SHOP, JP_SHOP, *ODD_SHOPS)}
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
"""What a clock of whole seconds may hide."""


class Market:
    """The three shops, and a client of each."""

    def __init__(self, twin: BigCommerceTwin, url: str) -> None:
        self.twin = twin
        self.url = url
        self.clients = {store_hash: self.client(store_hash) for store_hash in twin.stores}

    def client(self, store_hash: str, token: str = "", **settings: int) -> BigCommerceClient:
        connection = BigCommerceConnection.model_validate(
            {
                "system": "bigcommerce",
                "id": f"bc-{store_hash}",
                "tenant": "acme",
                "environment": "test",
                "base_url": self.url,
                "store_hash": store_hash,
                "requests_per_window": 100_000,
                "timeout": 600.0,
            }
            | settings
        )

        async def secret() -> str:
            return token or "access-token"

        return BigCommerceClient(connection, secret)

    async def snapshot(self, profile: Profile, order_id: int) -> OrderSnapshot:
        client = self.clients[profile.store_hash]
        document = await client.order(order_id)
        products = {str(line.product_id) for line in document.products}
        return project(
            document,
            connection=client.connection.id,
            store_timezone=(await client.store()).timezone.name,
            categories=await client.product_categories(products),
        )


@pytest.fixture(scope="module")
async def market() -> AsyncIterator[Market]:
    twin = BigCommerceTwin([StoreSettings(profile, requests_per_window=100_000) for profile in PROFILES.values()])
    async with serve(twin) as listener:
        market = Market(twin, listener.url)
        yield market
        for client in market.clients.values():
            await client.aclose()


@pytest.mark.parametrize("store_hash", list(PROFILES))
@pytest.mark.parametrize("shape", list(Shape))
async def test_every_basket_becomes_a_sale_of_what_was_sold(market: Market, store_hash: str, shape: Shape) -> None:
    profile, shop = PROFILES[store_hash], market.twin.stores[store_hash].shop
    for seed in range(2):
        order_id = shop.place(draft(shape, profile, seed=seed)).id

        snapshot = await market.snapshot(profile, order_id)

        agrees(snapshot.sale, shop.truth()[order_id], once_rounded=profile.tax_rounding == "order")
        assert snapshot.test == (shape is Shape.TEST)
        assert snapshot.migrated == (shape is Shape.MIGRATED)


def agrees(sale: Sale, truth: Truth, *, once_rounded: bool) -> None:
    """The sale says of this order what a correct ledger must say."""
    assert (sale.total, sale.total_tax, sale.currency) == (truth.total, truth.tax, truth.currency)
    slack = Decimal("0.01") if once_rounded else Decimal(0)
    assert abs(sale.rounding) <= slack
    net: dict[str, Decimal] = {}
    parts = [*((str(one.kind), one.net) for one in sale.lines), *((str(one.kind), one.net) for one in sale.charges)]
    for kind, amount in parts:
        net[kind] = net.get(kind, Decimal(0)) + amount
    for kind in net | truth.net:
        expected = truth.net.get(kind, Decimal(0))
        assert abs(net.get(kind, Decimal(0)) - expected) <= slack, f"{kind}: {net} is not {truth.net}"
    tenders: dict[str, Decimal] = {}
    for one in sale.tenders:
        tenders[one.kind] = tenders.get(one.kind, Decimal(0)) + one.amount
    assert tenders == {kind: amount for kind, amount in truth.tenders.items() if amount}
    assert all(one.net >= 0 and one.discount >= 0 for one in sale.lines)


async def test_categories_come_as_full_paths(market: Market) -> None:
    shop = market.twin.stores[US_SHOP.store_hash].shop
    snapshot = await market.snapshot(US_SHOP, shop.place(draft(Shape.ORDINARY, US_SHOP)).id)

    for line in snapshot.sale.lines:
        names = US_SHOP.category_names(int(line.product_id))
        assert {path.split(" > ")[-1] for path in line.categories} <= set(names)
        assert line.categories


async def test_status_changes_and_shipment_leave_the_fingerprint_alone_and_an_edit_does_not(market: Market) -> None:
    shop = market.twin.stores[US_SHOP.store_hash].shop
    order = shop.place(draft(Shape.MANY_LINES, US_SHOP))
    before = (await market.snapshot(US_SHOP, order.id)).sale.fingerprint()

    shop.set_status(order.id, 9)
    shop.touch(order.id)
    shop.ship(order.id)
    assert (await market.snapshot(US_SHOP, order.id)).sale.fingerprint() == before

    shop.refund(order.id, order.lines[0].id, 1)
    assert (await market.snapshot(US_SHOP, order.id)).sale.fingerprint() == before

    fresh = shop.place(draft(Shape.MANY_LINES, US_SHOP))
    placed = (await market.snapshot(US_SHOP, fresh.id)).sale.fingerprint()
    shop.edit_line(fresh.id, fresh.lines[0].id, quantity=7)
    assert (await market.snapshot(US_SHOP, fresh.id)).sale.fingerprint() != placed


async def test_poll_and_sweep_find_every_order(market: Market) -> None:
    shop = market.twin.stores[EU_SHOP.store_hash].shop
    for seed in range(30):
        shop.place(draft(Shape.ORDINARY, EU_SHOP, seed=seed))
    everything = set(shop.truth())
    client = market.client(EU_SHOP.store_hash, page_size=7)

    polled = [row.id async for row in client.orders_modified(LONG_AGO)]
    swept = [row.id async for row in client.orders_by_id(1)]

    assert set(polled) == set(swept) == everything
    assert len(swept) == len(everything)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert [row async for row in client.orders_modified(tomorrow)] == []
    await client.aclose()


async def test_rotated_token_and_clock(market: Market) -> None:
    client = market.client(JP_SHOP.store_hash, token="wrong")
    with pytest.raises(Unauthorized):
        await client.time()
    await client.aclose()

    good = market.clients[JP_SHOP.store_hash]
    began = datetime.now(UTC)
    told = await good.time()
    took = datetime.now(UTC) - began
    assert began - SECOND <= told <= began + took + SECOND
    assert good.skew is not None
    assert abs(good.skew) <= (took + SECOND).total_seconds()
    assert await good.order_count() >= 0
    assert {one.currency_code for one in await good.currencies()} >= {"JPY"}


async def test_quota_of_the_shop_is_respected(market: Market) -> None:
    settings = StoreSettings(US_SHOP, requests_per_window=5, window_seconds=30.0)
    twin = BigCommerceTwin([settings], clock=StillClock())
    async with serve(twin) as listener:
        client = Market(twin, listener.url).clients[US_SHOP.store_hash]
        answers = await asyncio.gather(*(client.time() for _ in range(20)), return_exceptions=True)
        refused = [one for one in answers if isinstance(one, RateLimited)]
        assert 15 <= len(refused) <= 20
        assert all(0 < (one.retry_after or 0) <= 31 for one in refused)
        await client.aclose()


async def test_refunds_are_polled_and_each_is_read_by_id_and_by_order(market: Market) -> None:
    shop = market.twin.stores[EU_SHOP.store_hash].shop
    orders = [shop.place(draft(Shape.MANY_LINES, EU_SHOP, seed=seed)) for seed in range(9)]
    made = [shop.refund(order.id, line.id, 1).id for order in orders for line in order.lines[:2]]
    client = market.client(EU_SHOP.store_hash, page_size=7)

    polled = [row.id async for row in client.refunds_since(LONG_AGO)]
    assert polled == sorted(made)
    assert [row.id for row in await client.order_refunds(orders[0].id)] == made[:2]
    assert (await client.refund(made[0])).order_id == orders[0].id
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert [row async for row in client.refunds_since(tomorrow)] == []
    await client.aclose()
