"""Settings of the store, categories of products, and webhooks."""

from typing import Any

import httpx
import pytest

from clients.errors import BadAnswer, InDoubt, Rejected

TREE = [
    {"category_id": 2, "parent_id": 0, "tree_id": 1, "name": "Apparel"},
    {"category_id": 12, "parent_id": 2, "tree_id": 1, "name": "Shirts"},
    {"category_id": 30, "parent_id": 0, "tree_id": 1, "name": "Sale"},
]


def v3(rows: list[Any], request: httpx.Request) -> httpx.Response:
    page, limit = int(request.url.params["page"]), int(request.url.params["limit"])
    chosen = rows[(page - 1) * limit : page * limit]
    pages = -(-len(rows) // limit)
    meta = {"pagination": {"total": len(rows), "current_page": page, "total_pages": pages}}
    return httpx.Response(200, json={"data": chosen, "meta": meta})


def catalog(shop: Any, products: dict[int, list[int]]) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        wanted = {int(one) for one in request.url.params["id:in"].split(",")}
        return v3([{"id": one, "categories": products[one]} for one in sorted(wanted & products.keys())], request)

    shop.on("v3/catalog/products", answer)
    shop.on("v3/catalog/trees/categories", lambda request: v3(TREE, request))


async def test_categories_are_full_paths_the_most_specific_first(shop: Any) -> None:
    catalog(shop, {77: [30, 12], 78: [2]})

    found = await shop.client(page_size=2).product_categories(["77", "78", "79", "0"])

    assert found == {"77": ("Apparel > Shirts", "Sale"), "78": ("Apparel",), "79": ()}


async def test_categories_are_read_once_for_many_orders(shop: Any) -> None:
    catalog(shop, {77: [12]})
    client = shop.client()

    for _ in range(5):
        await client.product_categories(["77"])
    assert shop.paths() == ["v3/catalog/products", "v3/catalog/trees/categories"]

    await client.product_categories(["77"], fresh=True)
    assert len(shop.asked) == 4


async def test_product_that_just_got_its_category_is_seen_at_once(shop: Any) -> None:
    products: dict[int, list[int]] = {77: []}
    catalog(shop, products)
    client = shop.client()
    assert await client.product_categories(["77"]) == {"77": ()}

    products[77] = [12]

    assert await client.product_categories(["77"]) == {"77": ("Apparel > Shirts",)}


async def test_categories_that_are_their_own_ancestors_end(shop: Any) -> None:
    catalog(shop, {77: [1]})
    loop = [{"category_id": 1, "parent_id": 2, "name": "A"}, {"category_id": 2, "parent_id": 1, "name": "B"}]
    shop.on("v3/catalog/trees/categories", lambda request: v3(loop, request))

    assert await shop.client().product_categories(["77"]) == {"77": ("B > A",)}


async def test_store_tells_its_time_zone_and_is_asked_once(shop: Any) -> None:
    shop.on(
        "v2/store",
        {
            "id": "abc123",
            "name": "Acme",
            "timezone": {"name": "America/Chicago"},
            "currency": "USD",
            "decimal_places": 2,
        },
    )
    client = shop.client()

    assert (await client.store()).timezone.name == (await client.store()).timezone.name == "America/Chicago"
    assert len(shop.asked) == 1


async def test_store_without_a_time_zone_is_a_bad_answer(shop: Any) -> None:
    shop.on("v2/store", {"id": "abc123", "timezone": {}})

    with pytest.raises(BadAnswer, match=r"timezone\.name"):
        await shop.client().store()


async def test_currencies_and_count(shop: Any) -> None:
    shop.on("v2/currencies", [{"id": 1, "currency_code": "JPY", "is_default": True, "decimal_places": 0}])
    shop.on("v2/orders/count", {"statuses": [], "count": 133})

    assert (await shop.client().currencies())[0].decimal_places == 0
    assert await shop.client().order_count() == 133


HOOK = {"id": 5, "scope": "store/order/*", "destination": "https://hooks.example.test/bc", "is_active": True}


async def test_webhook_is_registered_with_its_header_and_read_without_it(shop: Any) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(200, json={"data": HOOK | {"headers": {"x-secret": "canary"}}, "meta": {}})
        return v3([HOOK | {"headers": {"x-secret": "canary"}}], request)

    shop.on("v3/hooks", answer)
    client = shop.client()

    made = await client.create_hook(HOOK["scope"], HOOK["destination"], {"x-secret": "canary"})

    assert b'"x-secret"' in shop.asked[0].content
    assert made == (await client.hooks())[0]
    assert made.headers == {"x-secret": "canary"}, "to be compared with what they should be"
    assert "canary" not in repr(made)


async def test_webhook_without_headers_has_none(shop: Any) -> None:
    shop.on("v3/hooks", lambda request: v3([HOOK | {"headers": None}], request))
    assert [one.headers for one in await shop.client().hooks()] == [{}]


async def test_domains_that_get_nothing_are_known_with_their_time(shop: Any) -> None:
    blocked = [{"destination": "https://hooks.example.test", "time_left": 120, "reasons": [{"count": 101}]}]
    shop.on("v3/hooks/admin", {"data": {"emails": [], "hooks_list": [], "blocked_domains": blocked}, "meta": {}})
    (domain,) = (await shop.client().hook_administration()).blocked_domains
    assert (domain.destination, domain.time_left) == ("https://hooks.example.test", 120)
    shop.on("v3/hooks/admin", {"data": {"blocked_domains": None}})
    assert (await shop.client().hook_administration()).blocked_domains == ()


async def test_refused_webhook_says_why_and_a_lost_answer_is_in_doubt(shop: Any) -> None:
    refusal = {
        "status": 422,
        "title": "JSON data is missing or invalid",
        "errors": {"destination": "error.path.missing."},
    }
    shop.on("v3/hooks", lambda request: httpx.Response(422, json=refusal))
    with pytest.raises(Rejected, match=r"destination: error\.path\.missing"):
        await shop.client().create_hook("store/order/*", "https://hooks.example.test/bc")

    shop.on("v3/hooks", lambda request: httpx.Response(502))
    with pytest.raises(InDoubt):
        await shop.client().create_hook("store/order/*", "https://hooks.example.test/bc")
