"""The vendor's habits on the wire: pages, 204s, dates, error shapes, credentials, quota, late orders."""

from decimal import Decimal

import httpx
import pytest

from sandbox.bigcommerce import US_SHOP, Shape, draft, statuses


def stock(us, count: int) -> list[int]:
    return [us.shop.place(draft(Shape.ORDINARY, US_SHOP, seed=seed)).id for seed in range(count)]


async def test_a_list_is_bare_and_ends_with_204(us) -> None:
    ids = stock(us, 5)
    first = await us.http.get("/v2/orders", params={"limit": 3, "page": 1})
    second = await us.http.get("/v2/orders", params={"limit": 3, "page": 2})
    third = await us.http.get("/v2/orders", params={"limit": 3, "page": 3})
    assert [order["id"] for order in first.json() + second.json()] == ids
    assert (third.status_code, third.content) == (204, b"")


async def test_sub_lists_come_by_fifty(us) -> None:
    order = us.shop.place(draft(Shape.OVER_FIFTY, US_SHOP))
    first = (await us.http.get(f"/v2/orders/{order.id}/products")).json()
    second = (await us.http.get(f"/v2/orders/{order.id}/products", params={"page": 2})).json()
    assert (len(first), len(second)) == (50, 5)
    assert (await us.http.get(f"/v2/orders/{order.id}/products", params={"page": 3})).status_code == 204
    assert (await us.http.get(f"/v2/orders/{order.id}/coupons")).status_code == 204


async def test_empty_lists_can_also_be_an_empty_array(us) -> None:
    object.__setattr__(us.store.settings, "empty_lists", 200)
    answer = await us.http.get("/v2/orders")
    assert (answer.status_code, answer.json()) == (200, [])


async def test_more_than_250_at_once_is_413(us) -> None:
    answer = await us.http.get("/v2/orders", params={"limit": 251})
    assert answer.status_code == 413
    assert answer.json()[0]["status"] == 413


async def test_orders_show_mail_dates_and_four_decimals_and_transactions_iso_dates_and_numbers(us) -> None:
    order = us.shop.place(draft(Shape.ORDINARY, US_SHOP))
    wire = (await us.http.get(f"/v2/orders/{order.id}")).json()
    assert wire["date_created"].endswith(" +0000")
    assert wire["date_shipped"] == ""
    assert Decimal(wire["total_inc_tax"]) == order.priced.total.inc
    assert wire["total_inc_tax"][-5] == "."
    assert wire["fees"]["resource"] == f"/orders/{order.id}/fees"
    (transaction,) = (await us.http.get(f"/v3/orders/{order.id}/transactions")).json()["data"]
    assert transaction["order_id"] == str(order.id)
    assert transaction["date_created"].endswith("+00:00")
    assert isinstance(transaction["amount"], int | float)


async def test_an_unpaid_order_has_no_transactions_at_all(us) -> None:
    order = us.shop.place(draft(Shape.ORDINARY, US_SHOP), status_id=statuses.AWAITING_PAYMENT)
    assert (await us.http.get(f"/v3/orders/{order.id}/transactions")).status_code == 204


async def test_orders_modified_since_come_oldest_first_and_unknown_filters_are_ignored(us) -> None:
    ids = stock(us, 3)
    us.twin.clock.advance(60)
    since = us.shop.now()
    us.shop.touch(ids[1])
    us.twin.clock.advance(5)
    us.shop.touch(ids[0])
    wanted = {"min_date_modified": since.isoformat(), "sort": "date_modified:asc"}
    changed = (await us.http.get("/v2/orders", params=wanted)).json()
    assert [order["id"] for order in changed] == [ids[1], ids[0]]
    mistyped = (await us.http.get("/v2/orders", params={"min_date_modifed": since.isoformat()})).json()
    assert len(mistyped) == 3


async def test_a_plus_that_was_not_encoded_breaks_the_date(us) -> None:
    stock(us, 1)
    raw = await us.http.get("/v2/orders?min_date_modified=2026-01-01T00:00:00+00:00")
    assert raw.status_code == 400
    encoded = await us.http.get("/v2/orders?min_date_modified=2026-01-01T00:00:00%2B00:00")
    assert encoded.status_code == 200
    mail = await us.http.get("/v2/orders", params={"min_date_created": "Tue, 05 Mar 2019 21:40:11 +0000"})
    assert mail.status_code == 200


async def test_the_list_shows_incomplete_orders_and_hides_archived_ones_that_the_count_still_counts(us) -> None:
    first, second = stock(us, 2)
    incomplete = us.shop.place(draft(Shape.ORDINARY, US_SHOP), status_id=statuses.INCOMPLETE).id
    us.shop.archive(first)
    listed = [order["id"] for order in (await us.http.get("/v2/orders")).json()]
    assert listed == [second, incomplete]
    assert (await us.http.get("/v2/orders/count")).json()["count"] == 3
    assert (await us.http.get(f"/v2/orders/{first}")).json()["is_deleted"] is True


async def test_refusals_have_the_shape_of_their_version(us) -> None:
    old = await us.http.get("/v2/orders/999999")
    assert old.json() == [{"status": 404, "message": "The requested resource was not found."}]
    new = (await us.http.get("/v3/orders/999999/transactions")).json()
    assert (new["status"], new["title"]) == (404, "The requested resource was not found.")
    order = us.shop.place(draft(Shape.ORDINARY, US_SHOP))
    readonly = await us.http.put(f"/v2/orders/{order.id}", json={"total_tax": "1.00"})
    assert readonly.status_code == 400
    assert "cannot be written to" in readonly.json()[0]["message"]


async def test_credentials_are_refused_as_text_or_json(us) -> None:
    url = f"{us.control.base_url}/stores/us1abc"
    async with httpx.AsyncClient(timeout=600) as anyone:
        none = await anyone.get(f"{url}/v2/orders")
        malformed = await anyone.get(f"{url}/v2/orders", headers={"X-Auth-Token": "a b"})
        wrong = await anyone.get(f"{url}/v3/hooks", headers={"X-Auth-Token": "eu-token"})
    assert (none.status_code, none.text) == (401, "X-Auth-Token header is required")
    assert (malformed.status_code, malformed.text) == (401, "X-Auth-Token header should have correct format")
    assert wrong.status_code == 401
    assert wrong.json()["title"].startswith("Unauthorized - the v3 Auth client ID")


async def test_a_rotated_token_shuts_out_the_old_one(us) -> None:
    us.store.rotate_token("new-token")
    assert (await us.http.get("/v2/store")).status_code == 401
    assert (await us.http.get("/v2/store", headers={"X-Auth-Token": "new-token"})).status_code == 200


async def test_an_account_without_the_scope_is_forbidden(us) -> None:
    account = us.store.accounts[0]
    object.__setattr__(account, "scopes", frozenset({"store_v2_orders_read_only"}))
    order = us.shop.place(draft(Shape.ORDINARY, US_SHOP))
    assert (await us.http.get("/v2/orders")).status_code == 200
    assert (await us.http.get(f"/v3/orders/{order.id}/transactions")).status_code == 403
    assert (await us.http.put(f"/v2/orders/{order.id}", json={"status_id": 2})).status_code == 403
    assert (await us.http.get("/v2/time")).status_code == 200


async def test_the_quota_is_counted_in_headers_and_refuses_with_the_seconds_to_wait(us) -> None:
    us.store.quota.requests = 2
    first = await us.http.get("/v2/time")
    assert first.headers["x-rate-limit-requests-quota"] == "2"
    assert first.headers["x-rate-limit-requests-left"] == "1"
    assert first.headers["x-rate-limit-time-window-ms"] == "30000"
    await us.http.get("/v2/time")
    refused = await us.http.get("/v2/orders")
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["x-retry-after"]) <= 30
    assert refused.json()[0]["status"] == 429
    us.twin.clock.advance(30)
    assert (await us.http.get("/v2/time")).status_code == 200


async def test_other_apps_eat_the_quota_while_nobody_asks_for_anything(us) -> None:
    async def left() -> int:
        return int((await us.http.get("/v2/time")).headers["x-rate-limit-requests-left"])

    us.twin.clock.advance(30)
    us.store.quota.requests = 100
    assert await left() == 99
    us.store.quota.others_per_second = 5.0
    us.twin.clock.advance(10)
    assert 45 <= await left() <= 48
    us.twin.clock.advance(10)
    refused = await us.http.get("/v2/time")
    assert refused.status_code == 429
    assert refused.headers["x-rate-limit-requests-left"] == "0"
    assert 1 <= int(refused.headers["x-retry-after"]) <= 10
    # The next window was opened by one of them: it does not wait for us.
    us.twin.clock.advance(24)
    assert 20 <= await left() <= 31


async def test_faults_strike_in_the_vendors_shapes(us) -> None:
    us.twin.faults.set("outage", path="/v2/", count=1)
    us.twin.faults.set("rate_limit", path="/v3/", count=1)
    down = await us.http.get("/v2/orders")
    assert (down.status_code, down.json()[0]["status"]) == (503, 503)
    overloaded = await us.http.get("/v3/catalog/trees")
    assert overloaded.status_code == 429
    assert "x-rate-limit-requests-left" not in overloaded.headers


async def test_a_late_order_is_announced_before_it_can_be_read(us) -> None:
    us.twin.faults.set("late_visibility", seconds=20, count=1)
    late = us.shop.place(draft(Shape.ORDINARY, US_SHOP))
    seen = us.shop.place(draft(Shape.ORDINARY, US_SHOP))
    assert (await us.http.get(f"/v2/orders/{late.id}")).status_code == 404
    assert [order["id"] for order in (await us.http.get("/v2/orders")).json()] == [seen.id]
    us.twin.clock.advance(21)
    assert [order["id"] for order in (await us.http.get("/v2/orders")).json()] == [late.id, seen.id]


async def test_categories_of_ordered_products_can_be_looked_up(us) -> None:
    products = await us.http.get("/v3/catalog/products", params={"id:in": "86,102", "include_fields": "categories"})
    found = {product["id"]: product["categories"] for product in products.json()["data"]}
    assert found == {86: [19], 102: [24, 20]}
    assert products.json()["meta"]["pagination"]["total"] == 2
    tree = (await us.http.get("/v3/catalog/trees/categories", params={"category_id:in": "19"})).json()["data"]
    assert [(category["name"], category["parent_id"]) for category in tree] == [("Garden", 18)]
    nodes = (await us.http.get("/v3/catalog/trees/1/categories")).json()["data"]
    home = next(node for node in nodes if node["name"] == "Home")
    assert [child["name"] for child in home["children"]] == ["Garden", "Kitchen"]


async def test_v3_pages_link_to_their_neighbours(us) -> None:
    page = (await us.http.get("/v3/catalog/products", params={"limit": 5, "page": 2})).json()
    pagination = page["meta"]["pagination"]
    assert (pagination["count"], pagination["current_page"]) == (5, 2)
    assert pagination["links"]["next"] == "?page=3&limit=5"


async def test_a_refund_is_announced_before_it_can_be_read(us) -> None:
    us.shop.refund_lag = 30
    order = us.shop.place(draft(Shape.ORDINARY, US_SHOP))
    refund = us.shop.refund(order.id, order.lines[0].id, 1)
    path = f"/v3/orders/payment_actions/refunds/{refund.id}"
    assert (await us.http.get(path)).status_code == 404
    us.twin.clock.advance(31)
    assert (await us.http.get(path)).json()["data"]["items"][0]["requested_amount"] is None
    since = {"created:min": order.created.isoformat()}
    every = (await us.http.get("/v3/orders/payment_actions/refunds", params=since)).json()
    assert [known["id"] for known in every["data"]] == [refund.id]


async def test_stores_do_not_see_each_other(us) -> None:
    stock(us, 1)
    eu = f"{us.control.base_url}/stores/eu2def"
    answer = await us.control.get(f"{eu}/v2/orders", headers={"X-Auth-Token": "eu-token"})
    assert answer.status_code == 204
    store = (await us.control.get(f"{eu}/v2/store", headers={"X-Auth-Token": "eu-token"})).json()
    assert (store["currency"], store["timezone"]["name"]) == ("EUR", "Europe/Berlin")


async def test_another_process_plays_the_shop_and_reads_the_truth(us) -> None:
    store = "/_twin/stores/us1abc"
    placed = (await us.control.post(f"{store}/orders", json={"shape": "wrapping", "seed": 3})).json()
    (order_id,) = placed["ids"]
    await us.control.post(f"{store}/orders/{order_id}/status", json={"status_id": 2})
    (truth,) = (await us.control.get("/_twin/orders")).json()["us1abc"]
    assert truth["status_id"] == 2
    assert Decimal(truth["total"]) == us.shop.order(order_id).priced.total.inc
    assert len((await us.control.post(f"{store}/orders", json={"morning": 7})).json()["ids"]) == 7
    assert (await us.control.post(f"{store}/orders", json={"shape": "square"})).status_code == 400
    assert (await us.control.post(f"{store}/orders/{order_id}/fly", json={})).status_code == 400


@pytest.mark.parametrize("path", ["/v2/orders/{id}/shipments", "/v2/orders/{id}/messages"])
async def test_what_an_order_does_not_have_is_no_content(us, path: str) -> None:
    order = us.shop.place(draft(Shape.ORDINARY, US_SHOP))
    assert (await us.http.get(path.format(id=order.id))).status_code == 204
