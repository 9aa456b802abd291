"""Catalog, customers and metafields: twin and client keep to the vendor's OpenAPI documents."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import BaseModel
from support.bigcommerce_contract import CUSTOMERS, PRODUCTS, V3, VARIANTS, Check, checking
from support.bigcommerce_store import shop_twin

from contracts.bigcommerce_catalog import Product, ProductChange, ProductDraft, Variant, VariantChange
from contracts.bigcommerce_customer import CustomerChange, NewCustomer, ShopCustomer
from contracts.bigcommerce_metafield import MetafieldDraft
from sandbox.bigcommerce import US_SHOP, BigCommerceTwin, Shape, draft
from sandbox.kit import serve


@pytest.fixture(scope="module")
async def twin() -> AsyncIterator[BigCommerceTwin]:
    twin = shop_twin()
    async with serve(twin):
        yield twin


@pytest.fixture(scope="module")
async def check(twin: BigCommerceTwin, bigcommerce_specifications: Any) -> AsyncIterator[Check]:
    async with checking(twin, bigcommerce_specifications) as check:
        yield check


async def test_products_that_are_made_and_changed(twin: BigCommerceTwin, check: Check) -> None:
    store = twin.stores["us1abc"]
    (many,) = store.catalog.grow(1)
    store.catalog.add_variants(many, 3)
    body = {"name": "Kettle", "sku": "K-1", "type": "physical", "weight": 1.5, "price": 0, "is_visible": False}
    made = (await check(PRODUCTS, "/catalog/products", method="POST", json=body))["data"]
    one = f"/catalog/products/{made['id']}"
    await check(PRODUCTS, "/catalog/products", params={"include": "variants", "sort": "id", "direction": "asc"})
    await check(PRODUCTS, "/catalog/products", method="POST", json=body, status=409)
    await check(PRODUCTS, "/catalog/products", method="POST", json={"name": "Pan"}, status=422)
    await check(PRODUCTS, one)
    await check(PRODUCTS, one, method="PUT", json={"name": "Copper kettle"})
    await check(PRODUCTS, one, method="PUT", json={"weight": "heavy"}, status=422)
    await check(PRODUCTS, "/catalog/products", method="PUT", json=[{"id": made["id"], "upc": "1"}])
    await check(PRODUCTS, "/catalog/products", method="PUT", json=[{"id": 1}] * 11, status=413)
    await check(PRODUCTS, "/catalog/products", method="PUT", json=[{"id": 10**7, "upc": "1"}], status=404)
    store.habits.untaken = {"mpn"}
    await check(PRODUCTS, one, method="PUT", json={"mpn": "M"}, status=207)
    await check(PRODUCTS, "/catalog/products", method="PUT", json=[{"id": made["id"], "mpn": "M"}], status=207)
    store.habits.untaken = set()
    await check(VARIANTS, f"{one}/variants")
    await check(VARIANTS, f"/catalog/products/{many}/variants")
    variant = (await check(VARIANTS, "/catalog/variants", params={"product_id:in": many}))["data"][0]
    change = {"id": variant["id"], "upc": "1"}
    await check(VARIANTS, "/catalog/variants", method="PUT", json=[change])
    await check(VARIANTS, "/catalog/variants", method="PUT", json=[{"id": 10**8, "upc": "1"}], status=422)
    await check(VARIANTS, "/catalog/variants", method="PUT", json=[change] * 51, status=413)
    await check(PRODUCTS, one, method="DELETE", status=204)
    await check(PRODUCTS, one, status=404)


async def test_customers_that_are_made_and_changed(twin: BigCommerceTwin, check: Check) -> None:
    store = twin.stores["us1abc"]
    store.customers.describe(11, 1, "4711")
    address = {"first_name": "A", "last_name": "B", "address1": "C", "city": "D", "country_code": "US"}
    body = {"email": "new@example.com", "first_name": "A", "last_name": "B", "addresses": [address]}
    made = (await check(CUSTOMERS, "/customers", method="POST", json=[body]))["data"][0]
    await check(CUSTOMERS, "/customers", method="POST", json=[body], status=422)
    await check(CUSTOMERS, "/customers", params={"include": "addresses,attributes", "sort": "date_modified:asc"})
    await check(CUSTOMERS, "/customers", params={"sort": "id:asc"}, status=422)
    await check(CUSTOMERS, "/customers", method="PUT", json=[{"id": made["id"], "company": "Acme"}])
    await check(CUSTOMERS, "/customers", method="PUT", json=[{"id": 10**6, "company": "Acme"}], status=422)
    await check(CUSTOMERS, "/customers/addresses")
    await check(CUSTOMERS, "/customers/attributes")
    await check(CUSTOMERS, "/customers/attribute-values")
    value = {"attribute_id": 3, "customer_id": 11, "value": "active"}
    await check(CUSTOMERS, "/customers/attribute-values", method="PUT", json=[value])
    await check(CUSTOMERS, "/customers/attribute-values", method="PUT", json=[value | {"attribute_id": 99}], status=422)


async def test_metafields_of_an_order(twin: BigCommerceTwin, check: Check) -> None:
    order = twin.stores["us1abc"].shop.place(draft(Shape.ORDINARY, US_SHOP))
    every = f"/orders/{order.id}/metafields"
    body = {"namespace": "ml_connector", "key": "journal", "value": "1", "permission_set": "read"}
    made = (await check(V3, every, method="POST", json=body))["data"]
    one = f"{every}/{made['id']}"
    await check(V3, every, method="POST", json=body, status=409)
    await check(V3, every, method="POST", json={"key": "journal"}, status=422)
    await check(V3, every)
    await check(V3, one)
    await check(V3, one, method="PUT", json=body | {"value": "2"})
    await check(V3, one, method="DELETE", status=204)


async def test_the_client_reads_every_field_of_what_the_vendor_documents(bigcommerce_specifications: Any) -> None:
    """No field that our models read is unknown to the vendor: a misspelt one would always be empty."""
    for name, path, model in (
        (PRODUCTS, "/catalog/products", Product),
        (VARIANTS, "/catalog/variants", Variant),
        (CUSTOMERS, "/customers", ShopCustomer),
    ):
        specification = bigcommerce_specifications[name]
        answer = specification.resolve(specification.document["paths"][path]["get"]["responses"]["200"])
        rows = specification.resolve(answer["content"]["application/json"]["schema"])["properties"]["data"]
        documented = names_in(specification, rows["items"])
        assert set(model.model_fields) - documented == set(), path


@pytest.mark.parametrize(
    ("name", "path", "method", "model"),
    [
        (PRODUCTS, "/catalog/products", "post", ProductDraft),
        (PRODUCTS, "/catalog/products", "put", ProductChange),
        (VARIANTS, "/catalog/variants", "put", VariantChange),
        (CUSTOMERS, "/customers", "post", NewCustomer),
        (CUSTOMERS, "/customers", "put", CustomerChange),
        (V3, "/orders/{order_id}/metafields", "post", MetafieldDraft),
        (V3, "/orders/{order_id}/metafields/{metafield_id}", "put", MetafieldDraft),
    ],
)
async def test_the_client_writes_no_field_that_the_vendor_does_not_take(
    bigcommerce_specifications: Any, name: str, path: str, method: str, model: type[BaseModel]
) -> None:
    """An unknown field is dropped in silence."""
    specification = bigcommerce_specifications[name]
    request = specification.resolve(specification.document["paths"][path][method]["requestBody"])
    schema = specification.resolve(request["content"]["application/json"]["schema"])
    taken = names_in(specification, schema.get("items", schema))
    assert set(model.model_fields) - taken == set()


def names_in(specification: Any, schema: Any) -> set[str]:
    schema = specification.resolve(schema)
    names = set(schema.get("properties", ()))
    for part in (*schema.get("allOf", ()), *schema.get("anyOf", ())):
        names |= names_in(specification, part)
    return names
