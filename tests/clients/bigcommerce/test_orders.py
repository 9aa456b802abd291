"""Reading orders: complete, cheap, and nothing lost while the shop goes on selling."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from clients.errors import BadAnswer, NotFound, RateLimited, Rejected, Unauthorized

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
NOTHING = httpx.Response(204)


def order(**fields: Any) -> dict[str, Any]:
    return {
        "id": 1024,
        "status_id": 11,
        "date_created": format_datetime(NOON),
        "date_modified": format_datetime(NOON),
        "date_shipped": "",
        "default_currency_code": "USD",
        "subtotal_ex_tax": "10.0000",
        "subtotal_inc_tax": "10.0000",
        "total_inc_tax": "10.0000",
        "total_tax": "0.0000",
        "coupon_discount": "0.0000",
        "consignments": {"shipping": [{"id": 7, "country_iso2": "US", "state": "Texas"}]},
        "fees": [],
    } | fields


def line(number: int, amount: str = "10.0000") -> dict[str, Any]:
    return {"id": number, "product_id": 77, "total_ex_tax": amount, "total_inc_tax": amount}


def sold(shop: Any, **fields: Any) -> None:
    shop.on("v2/orders/1024", order(**fields))
    shop.on("v2/orders/1024/products", [line(1)])
    shop.on("v3/orders/1024/transactions", lambda request: NOTHING)


async def test_plain_order_costs_three_calls(shop: Any) -> None:
    sold(shop)

    document = await shop.client().order(1024)

    assert sorted(shop.paths()) == ["v2/orders/1024", "v2/orders/1024/products", "v3/orders/1024/transactions"]
    assert (document.products[0].id, document.taxes, document.transactions) == (1, (), ())
    assert document.shipping_addresses[0].state == "Texas"


async def test_lists_are_left_out_only_where_the_header_proves_them_empty(shop: Any) -> None:
    sold(
        shop,
        total_tax="0.8300",
        coupon_discount="2.0000",
        consignments={"url": "…", "resource": "/orders/1024/consignments"},
        fees={"url": "…", "resource": "/orders/1024/fees"},
        shipping_address_count=1,
    )
    shop.on("v2/orders/1024/taxes", [{"id": 1, "name": "Tax", "class": "Default", "line_amount": "0.8300"}])
    shop.on("v2/orders/1024/coupons", [{"id": 3, "code": "SPRING", "amount": 2, "type": 2, "discount": 2}])
    shop.on("v2/orders/1024/shipping_addresses", [{"id": 7, "country_iso2": "US", "state": "Ohio"}])
    shop.on("v2/orders/1024/fees", {"fees": [{"id": 1, "cost_exc_tax": "12.3000", "cost_inc_tax": 12.3}]})

    document = await shop.client().order(1024)

    assert document.taxes[0].tax_class == "Default"
    assert str(document.coupons[0].discount) == "2"
    assert document.shipping_addresses[0].state == "Ohio"
    assert str(document.fees[0].cost_ex_tax) == "12.3000"
    taxes = next(one for one in shop.asked if one.url.path.endswith("/taxes"))
    assert taxes.url.params["details"] == "true"


async def test_order_with_more_lines_than_a_page_loses_none(shop: Any) -> None:
    lines = [line(number, "1.0000") for number in range(1, 124)]
    sold(shop, subtotal_ex_tax="123.0000", subtotal_inc_tax="123.0000", total_inc_tax="123.0000")

    def pages(request: httpx.Request) -> httpx.Response:
        page = int(request.url.params["page"])
        rows = lines[(page - 1) * 50 : page * 50]
        return httpx.Response(200, json=rows) if rows else NOTHING

    shop.on("v2/orders/1024/products", pages)

    for page_size in (50, 250):  # 250: the shop caps the limit at 50 in silence
        document = await shop.client(page_size=page_size).order(1024)
        assert [one.id for one in document.products] == list(range(1, 124))


async def test_limit_the_shop_refuses_is_lowered(shop: Any) -> None:
    sold(shop)

    def strict(request: httpx.Request) -> httpx.Response:
        too_large = int(request.url.params["limit"]) > 50
        refusal = [{"status": 413, "message": "Limit too large."}]
        return httpx.Response(413, json=refusal) if too_large else httpx.Response(200, json=[line(1)])

    shop.on("v2/orders/1024/products", strict)

    assert len((await shop.client().order(1024)).products) == 1


async def test_pages_that_repeat_are_an_error_and_no_endless_read(shop: Any) -> None:
    sold(shop)
    shop.on("v2/orders/1024/products", [line(number) for number in range(1, 51)])

    with pytest.raises(BadAnswer, match="repeat"):
        await shop.client(page_size=50).order(1024)


async def test_order_that_changes_while_it_is_read_is_read_again(shop: Any) -> None:
    """The header is old, the lines are new: a torn order must not reach the ledger."""
    sold(shop)
    versions = [
        order(),
        order(
            date_modified=format_datetime(NOON + timedelta(seconds=1)),
            subtotal_ex_tax="25.0000",
            subtotal_inc_tax="25.0000",
            total_inc_tax="25.0000",
        ),
    ]
    shop.on(
        "v2/orders/1024",
        lambda request: httpx.Response(200, json=versions.pop(0) if len(versions) > 1 else versions[0]),
    )
    shop.on("v2/orders/1024/products", [line(1), line(2, "15.0000")])

    document = await shop.client().order(1024)

    assert str(document.order.total_inc_tax) == "25.0000"
    assert shop.paths().count("v2/orders/1024/products") == 2


async def test_order_whose_totals_never_fit_is_handed_over_as_it_is(shop: Any) -> None:
    sold(shop, subtotal_ex_tax="999.0000", subtotal_inc_tax="999.0000")

    document = await shop.client().order(1024)

    assert str(document.order.subtotal_ex_tax) == "999.0000"
    assert shop.paths().count("v2/orders/1024") == 2


async def test_order_whose_tax_rows_a_refund_lowered_is_read_once(shop: Any) -> None:
    sold(shop, total_tax="0.8300", payment_status="partially refunded")
    shop.on("v2/orders/1024/taxes", [{"id": 1, "name": "Tax", "line_amount": "0.4100", "priority_amount": "0.4100"}])

    await shop.client().order(1024)

    assert shop.paths().count("v2/orders/1024") == 1


async def test_missing_order_is_not_found(shop: Any) -> None:
    with pytest.raises(NotFound, match="order 1024"):
        await shop.client().order(1024)
    shop.on("v2/orders/1024", lambda request: NOTHING)
    with pytest.raises(NotFound):
        await shop.client().order(1024)


async def test_order_without_a_currency_is_a_bad_answer_that_names_the_field_only(shop: Any) -> None:
    sold(shop, default_currency_code="", billing_address={"email": "jane@example.com"})

    with pytest.raises(BadAnswer, match="default_currency_code") as caught:
        await shop.client().order(1024)
    assert "jane" not in str(caught.value)


async def test_order_id_that_is_no_number_never_reaches_an_address(shop: Any) -> None:
    with pytest.raises(ValueError, match="order id"):
        await shop.client().order("../store")
    assert shop.asked == []


class Sales:
    """A list of orders that moves: every request may be preceded by a change in the shop."""

    def __init__(self, count: int) -> None:
        self.orders = {number: NOON + timedelta(seconds=number) for number in range(1, count + 1)}
        self.changes: list[tuple[int, datetime]] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        params = request.url.params
        since = datetime.fromisoformat(params["min_date_modified"])
        until = datetime.fromisoformat(params.get("max_date_modified", "2100-01-01T00:00:00+00:00"))
        rows = sorted((moment, number) for number, moment in self.orders.items() if since <= moment <= until)
        start = (int(params["page"]) - 1) * int(params["limit"])
        page = rows[start : start + int(params["limit"])]
        if self.changes:
            number, moment = self.changes.pop(0)
            self.orders[number] = moment
        listed = [{"id": number, "date_modified": format_datetime(moment)} for moment, number in page]
        return httpx.Response(200, json=listed) if listed else NOTHING


async def test_change_during_a_poll_pushes_no_order_over_a_page_border(shop: Any) -> None:
    sales = Sales(60)
    sales.changes = [(number, NOON + timedelta(seconds=100 + number)) for number in range(1, 9)]
    shop.on("v2/orders", sales.answer)

    seen = [row async for row in shop.client(page_size=10).orders_modified(NOON)]

    assert {row.id for row in seen} == set(range(1, 61))
    assert len({(row.id, row.date_modified) for row in seen}) == len(seen)
    assert [row.date_modified for row in seen] == sorted(row.date_modified for row in seen)


async def test_more_orders_in_one_second_than_fit_a_page_are_all_found(shop: Any) -> None:
    sales = Sales(35)
    sales.orders = dict.fromkeys(sales.orders, NOON)
    shop.on("v2/orders", sales.answer)

    assert len([row async for row in shop.client(page_size=10).orders_modified(NOON)]) == 35


async def test_a_second_whose_pages_repeat_is_an_error_and_no_endless_read(shop: Any) -> None:
    first = [{"id": number, "date_modified": format_datetime(NOON)} for number in range(1, 11)]
    shop.on("v2/orders", first)

    with pytest.raises(BadAnswer, match="ignored the page"):
        _ = [row async for row in shop.client(page_size=10).orders_modified(NOON)]
    assert len(shop.asked) == 2


async def test_poll_asks_with_an_encoded_offset_and_obeys_until(shop: Any) -> None:
    shop.on("v2/orders", Sales(60).answer)

    seen = [row async for row in shop.client().orders_modified(NOON, NOON + timedelta(seconds=5))]

    assert len(seen) == 5
    assert "min_date_modified=2026-03-05T12%3A00%3A00%2B00%3A00" in shop.asked[0].url.query.decode()


async def test_filter_that_the_shop_ignores_is_noticed(shop: Any) -> None:
    shop.on("v2/orders", [{"id": 1, "date_modified": "Tue, 05 Mar 2019 21:40:11 +0000"}])

    with pytest.raises(BadAnswer, match="filter"):
        _ = [row async for row in shop.client().orders_modified(NOON)]


async def test_empty_poll_is_204_or_an_empty_list(shop: Any) -> None:
    for empty in (lambda request: NOTHING, lambda request: httpx.Response(200, json=[])):
        shop.on("v2/orders", empty)
        assert [row async for row in shop.client().orders_modified(NOON)] == []


async def test_odd_order_in_a_list_hides_no_other(shop: Any) -> None:
    odd = {"id": 2, "date_modified": format_datetime(NOON), "default_currency_code": None, "status_id": None}
    shop.on("v2/orders", [{"id": 1, "date_modified": format_datetime(NOON)}, odd])

    assert [row.id async for row in shop.client().orders_modified(NOON)] == [1, 2]


async def test_sweep_by_id_reads_on_from_the_last_id(shop: Any) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        first, limit = int(request.url.params["min_id"]), int(request.url.params["limit"])
        ids = [number for number in range(5, 30) if number >= first][:limit]
        listed = [{"id": number, "date_modified": format_datetime(NOON)} for number in ids]
        return httpx.Response(200, json=listed) if listed else NOTHING

    shop.on("v2/orders", answer)

    assert [row.id async for row in shop.client(page_size=10).orders_by_id(7)] == list(range(7, 30))


async def test_orders_placed_since_a_day_are_asked_for_and_a_shop_that_ignores_it_is_found_out(shop: Any) -> None:
    listed = [{"id": 7, "date_modified": format_datetime(NOON), "date_created": format_datetime(NOON)}]
    shop.on("v2/orders", listed)
    client = shop.client(page_size=10)

    assert [row.id async for row in client.orders_by_id(1, NOON - timedelta(days=3))] == [7]
    assert shop.asked[-1].url.params["min_date_created"] == "2026-03-02T12:00:00+00:00"
    # Hours may be a matter of zones.
    assert [row.id async for row in client.orders_by_id(1, NOON + timedelta(hours=14))] == [7]
    with pytest.raises(BadAnswer, match="ignored the filter by date_created"):
        assert [row async for row in client.orders_by_id(1, NOON + timedelta(days=3))]


async def test_every_error_shape_becomes_a_sentence(shop: Any) -> None:
    shapes = {
        "list": httpx.Response(400, json=[{"status": 400, "message": "The field 'x' cannot be written to."}]),
        "object": httpx.Response(
            422,
            json={"status": 422, "title": "JSON data is missing or invalid", "errors": {"a.b": "error.path.missing"}},
        ),
        "wrapped": httpx.Response(422, json={"data": [{"status": 422, "title": "No credit for a guest."}]}),
        "text": httpx.Response(400, text="Something is wrong"),
        "html": httpx.Response(400, html="<html><body><h1>Bad</h1></body></html>"),
    }
    said = {}
    for name, answer in shapes.items():
        shop.on("v2/orders/count", lambda request, answer=answer: answer)
        with pytest.raises(Rejected) as caught:
            await shop.client().order_count()
        said[name] = str(caught.value)

    assert "cannot be written to" in said["list"]
    assert "missing or invalid" in said["object"]
    assert "a.b: error.path.missing" in said["object"]
    assert "No credit for a guest" in said["wrapped"]
    assert "Something is wrong" in said["text"]
    assert "<" not in said["html"]


async def test_token_that_was_rotated_is_read_again_once(shop: Any) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.headers["X-Auth-Token"] == "token-2":
            return httpx.Response(200, json={"time": 1529512970})
        shop.tokens.append("token-2")
        return httpx.Response(401, text="X-Auth-Token header should have correct format")

    shop.on("v2/time", answer)

    assert await shop.client().time() == datetime(2018, 6, 20, 16, 42, 50, tzinfo=UTC)


async def test_dead_token_is_unauthorized_and_never_named(shop: Any) -> None:
    shop.on("v2/time", lambda request: httpx.Response(401, text="X-Auth-Token header is required"))

    with pytest.raises(Unauthorized) as caught:
        await shop.client().time()
    assert "token-1" not in str(caught.value) + repr(caught.value)


async def test_rate_limit_says_how_long_to_wait(shop: Any) -> None:
    shop.on("v2/time", lambda request: httpx.Response(429, headers={"X-Retry-After": "15"}))

    with pytest.raises(RateLimited) as caught:
        await shop.client().time()
    assert caught.value.retry_after == 15


async def test_used_up_quota_stops_the_next_call_before_it_is_sent(shop: Any) -> None:
    headers = {"x-rate-limit-requests-left": "0", "x-rate-limit-time-reset-ms": "25000000"}
    shop.on("v2/time", lambda request: httpx.Response(200, json={"time": 1}, headers=headers))
    client = shop.client()
    await client.time()

    with pytest.raises(RateLimited):
        await client.time()
    assert len(shop.asked) == 1
