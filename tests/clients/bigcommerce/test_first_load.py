"""A first load of 20,000 rows that change while they are read: every row and every change is seen, in flat memory."""

import gc
import random
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

import pytest
from support.bigcommerce_store import connected, shop_twin, store_of

from clients.bigcommerce import BigCommerceClient
from clients.errors import Unavailable
from contracts.bigcommerce_catalog import Product
from contracts.bigcommerce_customer import ShopCustomer
from sandbox.bigcommerce import BigCommerceTwin
from sandbox.kit import serve

MANY = 20_000
PAGES = 3 * 250
"""Rows that may be in memory at a time."""


@pytest.fixture
async def twin() -> AsyncIterator[BigCommerceTwin]:
    twin = shop_twin()
    async with serve(twin):
        yield twin


@pytest.fixture
async def client(twin: BigCommerceTwin) -> AsyncIterator[BigCommerceClient]:
    client = connected(twin)
    yield client
    await client.aclose()


@pytest.fixture
async def paged(twin: BigCommerceTwin) -> AsyncIterator[BigCommerceClient]:
    """A client that reads small pages."""
    client = connected(twin, page_size=50)
    yield client
    await client.aclose()


def alive(model: type) -> int:
    return sum(type(one) is model for one in gc.get_objects())


async def drain(rows: AsyncIterator[Any], into: list[Any], read: Callable[[Any], Any]) -> None:
    """Keep what came before the reading was broken off."""
    async for row in rows:
        into.append(read(row))


async def test_20_000_products_that_change_while_they_are_read(
    twin: BigCommerceTwin, client: BigCommerceClient
) -> None:
    catalog = store_of(twin).catalog
    made = catalog.grow(MANY)
    chance = random.Random(3)
    began = await client.time()
    names, kept, changed = dict[int, str](), 0, set[int]()
    count = 0
    async for row in client.products.changed():
        names[row.id] = row.name
        count += 1
        if chance.random() < 0.05:
            other = chance.choice(made)
            changed.add(other)
            catalog.edit(other, name=f"Changed {count}")
        if count % 4_000 == 0:
            kept = max(kept, alive(Product))
    assert count == len(names), "each once"
    assert 0 < kept < PAGES, "a few pages, however many rows there are"
    assert len(changed) > 500

    names |= {row.id: row.name async for row in client.products.changed(began)}
    assert names == {row.id: row.fields["name"] for row in catalog.products.values()}
    assert twin.calls.count("GET", "catalog/products") < MANY / 250 + 20


async def test_a_reading_that_was_broken_off_goes_on_where_it_was(
    twin: BigCommerceTwin, paged: BigCommerceClient
) -> None:
    made = [*store_of(twin).catalog.products, *store_of(twin).catalog.grow(400)]
    customers = store_of(twin).customers
    everybody = [*customers.rows, *customers.grow(400)]
    twin.faults.set("outage", path="catalog/products|customers", skip=4, count=1)
    products, people = list[int](), list[tuple[datetime, int]]()
    with pytest.raises(Unavailable):
        await drain(paged.products.changed(), products, lambda row: row.id)
    assert len(products) == 200
    products += [row.id async for row in paged.products.changed(after=products[-1])]
    assert products == made

    twin.faults.set("outage", path="customers", skip=4, count=1)
    with pytest.raises(Unavailable):
        await drain(paged.customers.changed(), people, lambda row: (row.date_modified, row.id))
    assert 0 < len(people) < 250
    people += [(one.date_modified, one.id) async for one in paged.customers.changed(people[-1][0])]
    assert {one for _, one in people} == set(everybody)


async def test_a_shop_where_nothing_changed_costs_one_call_for_products_and_one_for_customers(
    twin: BigCommerceTwin, client: BigCommerceClient
) -> None:
    store_of(twin).catalog.grow(1_000)
    store_of(twin).customers.grow(1_000)
    now = await client.time()
    before = len(list(twin.calls))
    assert not [row async for row in client.products.changed(now)]
    assert not [row async for row in client.customers.changed(now)]
    assert len(list(twin.calls)) == before + 2


async def test_20_000_customers_that_change_while_they_are_read(
    twin: BigCommerceTwin, client: BigCommerceClient
) -> None:
    customers = store_of(twin).customers
    made = customers.grow(MANY)
    chance = random.Random(4)
    companies, kept, changed = dict[int, str](), 0, set[int]()
    count = 0
    async for row in client.customers.changed():
        companies[row.id] = row.company
        count += 1
        if count < MANY and chance.random() < 0.05:
            other = chance.choice(made)
            changed.add(other)
            customers.edit(other, company=f"Changed {count}")
        if count % 4_000 == 0:
            kept = max(kept, alive(ShopCustomer))
    assert companies == {row.id: row.fields.get("company", "") for row in customers.rows.values()}
    assert 0 < kept < PAGES, "a few pages, however many rows there are"
    assert len(changed) > 500


async def test_customers_that_all_changed_in_one_second_and_some_again_meanwhile(
    twin: BigCommerceTwin, client: BigCommerceClient
) -> None:
    customers = store_of(twin).customers
    made = customers.grow(2_000)
    for row in (customers.rows[one] for one in made):
        row.modified = row.created.replace(second=7)
    crowded = customers.rows[made[0]].modified
    chance = random.Random(5)

    companies, changed = dict[int, str](), 0
    async for row in client.customers.changed():
        companies[row.id] = row.company
        # Whoever changes leaves the crowd; what changes while the last page is read is of the next reading.
        if row.date_modified == crowded and chance.random() < 0.02:
            changed += 1
            customers.edit(chance.choice(made), company=f"Changed {changed}")
    assert changed > 20

    assert companies == {row.id: row.fields.get("company", "") for row in customers.rows.values()}
