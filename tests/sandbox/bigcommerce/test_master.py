"""Catalog, customers and metafields of the twin, and what may be set about them from outside."""

import json
import time

import pytest

from sandbox.bigcommerce import US_SHOP, Habits, Shape, StoreSettings, draft
from sandbox.bigcommerce.access import Account

PLACES = ("products", "variants")
PRODUCT = {"name": "Kettle", "type": "physical", "sku": "K-1", "weight": 1, "price": 10}


async def test_a_catalog_of_20_000_products_is_there_at_once(us) -> None:
    began = time.process_time()
    answer = await us.control.post("/_twin/stores/us1abc/products", json={"grow": 20_000})
    assert time.process_time() - began < 10
    assert answer.json() == {"count": 20_000 + len(US_SHOP.products)}
    assert (await us.control.post("/_twin/stores/us1abc/customers", json={"grow": 500})).json()["count"] == 503
    page = (await us.http.get("/v3/catalog/products", params={"sort": "id", "limit": 250, "page": 81})).json()
    assert page["meta"]["pagination"]["total"] == 20_017
    assert len(page["data"]) == 17
    variants = (await us.http.get("/v3/catalog/variants", params={"limit": 1})).json()
    assert variants["meta"]["pagination"]["total"] == 20_017 + 2 * 2_000


async def test_what_nobody_sorts_comes_in_another_order_every_time(us) -> None:
    us.store.catalog.grow(100)

    async def ids(**params: object) -> list[int]:
        rows = (await us.http.get("/v3/catalog/products", params={"limit": 250, **params})).json()["data"]
        return [row["id"] for row in rows]

    first, again = await ids(), await ids()
    assert first != again
    assert sorted(first) == sorted(again) == await ids(sort="id")
    assert await ids(sort="id", direction="desc") == sorted(first, reverse=True)
    await us.control.post("/_twin/stores/us1abc/habits", json={"unordered": "kept"})
    assert await ids() == await ids() == sorted(first)


async def test_a_sku_is_found_wherever_it_is_and_nowhere_else(us) -> None:
    async def found(sku: str) -> tuple[list[int], list[int]]:
        """Products, and products of variants."""
        rows = [(await us.http.get(f"/v3/catalog/{what}", params={"sku": sku})).json()["data"] for what in PLACES]
        return [row["id"] for row in rows[0]], [row["product_id"] for row in rows[1]]

    catalog = us.store.catalog
    plain, split, *_ = catalog.grow(2, options_every=2)
    assert await found(f"gen-{plain:06}") == ([plain], [plain])
    assert await found(f"GEN-{split:06}") == ([split], [])
    assert await found(f"GEN-{split:06}-S") == ([], [split])
    small = catalog.products[split].variants[0]
    await us.http.put("/v3/catalog/variants", json=[{"id": small.id, "sku": "Tiny"}])
    assert (await found("TINY"), await found(f"GEN-{split:06}-S")) == (([], [split]), ([], []))
    catalog.edit(plain, sku="Other")
    assert (await found("other"), await found(f"GEN-{plain:06}")) == (([plain], [plain]), ([], []))
    catalog.edit(plain, sku=f"GEN-{plain:06}")
    assert await found(f"GEN-{plain:06}") == ([plain], [plain])
    us.store.habits.ignored.add("sku")
    assert set((await found("other"))[0]) == set(catalog.products)
    us.store.habits.ignored.clear()
    catalog.delete(plain)
    assert await found(f"GEN-{plain:06}") == ([], [])


async def test_a_sku_costs_no_more_in_a_large_catalog(us) -> None:
    us.store.catalog.grow(20_000)
    began = time.process_time()
    for number in range(100):
        for what in PLACES:
            assert (await us.http.get(f"/v3/catalog/{what}", params={"sku": f"NEW-{number}"})).json()["data"] == []
    assert time.process_time() - began < 3


async def test_habits_are_a_stores_own_and_misspelt_ones_are_refused(us) -> None:
    path = "/_twin/stores/us1abc/habits"
    told = (await us.control.post(path, json={"ignored": ["sku"], "batches": "row"})).json()
    assert (told["ignored"], told["batches"], told["unordered"]) == (["sku"], "row", "shuffled")
    assert (await us.control.post(path, json={"unorderd": "kept"})).status_code == 400
    assert us.twin.stores["eu2def"].habits == Habits()
    assert StoreSettings(US_SHOP).habits == Habits()


async def test_a_page_with_variants_is_cut_and_counts_as_if_it_were_not(us) -> None:
    us.store.catalog.grow(30)
    answer = (await us.http.get("/v3/catalog/products", params={"include": "variants", "limit": 25})).json()
    assert (len(answer["data"]), answer["meta"]["pagination"]["total_pages"]) == (10, 2)
    assert all(row["variants"] for row in answer["data"])


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"name": None}, 422, "name"),
        ({"name": "x" * 251}, 422, "name"),
        ({"weight": "1"}, 422, "weight"),
        ({"price": -1}, 422, "price"),
        ({"upc": "x" * 15}, 422, "upc"),
        ({"type": "ghost"}, 422, "type"),
        ({"name": "bread KNIFE"}, 409, "name"),
        ({"sku": "kit-towel"}, 409, "sku"),
        ({"categories": [9999]}, 409, "categories"),
    ],
)
async def test_products_that_are_wrong_or_there_already_are_refused_by_field(us, change, status, field) -> None:
    answer = await us.http.post("/v3/catalog/products", json=PRODUCT | change)
    assert answer.status_code == status
    assert field in answer.json()["errors"]


async def test_products_are_kept_trimmed_and_rounded_and_read_only_fields_are_not_taken(us) -> None:
    made = await us.http.post("/v3/catalog/products", json=PRODUCT | {"name": " Pan ", "weight": 1.23456, "id": 5})
    assert made.json()["data"]["id"] != 5
    assert (made.json()["data"]["name"], made.json()["data"]["weight"]) == ("Pan", 1.2346)


async def test_writes_move_the_date_and_are_announced_unless_idle_ones_are_not(us) -> None:
    for scope in ("store/product/*", "store/customer/*", "store/sku/*", "store/order/metafield/created"):
        await us.hook(scope)
    row = us.store.catalog.products[77]
    us.twin.clock.advance(60)
    await us.http.put("/v3/catalog/products/77", json={"name": "Towel"})
    moved = row.modified
    us.store.habits.idle_writes = False
    us.twin.clock.advance(60)
    await us.http.put("/v3/catalog/products/77", json={"name": "Towel"})
    assert row.modified == moved
    await us.http.put("/v3/customers", json=[{"id": 11, "company": "Acme"}])
    order = us.shop.place(draft(Shape.ORDINARY, US_SHOP))
    body = {"namespace": "n", "key": "k", "value": "v", "permission_set": "app_only"}
    made = (await us.http.post(f"/v3/orders/{order.id}/metafields", json=body)).json()["data"]
    await us.settled()
    told = [json.loads(one.body) for one in us.receiver.got]
    assert sorted(one["scope"] for one in told) == [
        "store/customer/updated",
        "store/order/metafield/created",
        "store/product/updated",
    ]
    assert {"metafield_id": made["id"], "resource_id": str(order.id)}.items() <= told[-1]["data"].items()


async def test_private_metafields_are_seen_by_their_maker_alone(us) -> None:
    order = us.shop.place(draft(Shape.ORDINARY, US_SHOP))
    other = Account("us1abc", "other-app", "secret", "other-token")
    body = {"namespace": "n", "key": "k", "value": "v", "permission_set": "app_only"}
    us.store.metafields.create(order, other, body)
    assert (await us.http.get(f"/v3/orders/{order.id}/metafields")).json()["data"] == []
    shown = us.store.metafields.create(order, other, body | {"key": "k2", "permission_set": "read"})
    (seen,) = (await us.http.get(f"/v3/orders/{order.id}/metafields")).json()["data"]
    assert seen["owner_client_id"] == "other-app"
    path = f"/v3/orders/{order.id}/metafields/{shown.id}"
    assert (await us.http.put(path, json=body | {"key": "k2", "permission_set": "read"})).status_code == 403


async def test_catalog_and_customers_need_their_own_scopes_and_the_quota_is_one(us) -> None:
    first = us.store.accounts[0]
    us.store.accounts[0] = Account(
        first.store_hash, first.client_id, first.client_secret, first.access_token, frozenset({"store_v2_orders"})
    )
    for path in ("catalog/products", "catalog/variants", "customers", "customers/addresses"):
        assert (await us.http.get(f"/v3/{path}")).status_code == 403
    us.store.accounts[0] = Account(
        *(first.store_hash, first.client_id, first.client_secret, first.access_token),
        frozenset({"store_v2_products_read_only"}),
    )
    assert (await us.http.get("/v3/catalog/products")).status_code == 200
    assert (await us.http.post("/v3/catalog/products", json=PRODUCT)).status_code == 403
    us.store.quota.requests = 0
    assert (await us.http.get("/v3/catalog/products")).status_code == 429


async def test_products_and_customers_are_changed_and_deleted_from_outside(us) -> None:
    path = "/_twin/stores/us1abc"
    assert (await us.control.post(f"{path}/products/77", json={"name": "Towel"})).json()["name"] == "Towel"
    assert len((await us.control.post(f"{path}/products/77", json={"variants": 4})).json()["variants"]) == 4
    assert (await us.control.post(f"{path}/products/77", json={"name": "Bread knife"})).status_code == 400
    await us.control.delete(f"{path}/products/77")
    assert (await us.http.get("/v3/catalog/products/77")).status_code == 404
    assert (await us.control.post(f"{path}/customers/11", json={"company": "Acme"})).json()["company"] == "Acme"
    await us.control.post(f"{path}/customers/11/addresses", json={"address1": "1 Elm Street"})
    assert len((await us.http.get("/v3/customers/addresses?customer_id:in=11")).json()["data"]) == 2
    await us.control.delete(f"{path}/customers/11")
    assert (await us.http.get("/v3/customers?id:in=11")).json()["data"] == []
    assert (await us.control.delete(f"{path}/customers/11")).status_code == 400
