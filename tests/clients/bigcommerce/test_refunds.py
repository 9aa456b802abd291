"""Refunds over the wire: one, an order's, and all since a moment."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from httpx import Response

from clients.errors import BadAnswer, NotFound

NOON = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
ALL = "v3/orders/payment_actions/refunds"


def row(number: int, at: datetime = NOON, **fields: Any) -> dict[str, Any]:
    """A refund as in the vendor's sample: numbers, null where pieces were refunded."""
    return {
        "id": number,
        "order_id": 180,
        "user_id": 0,
        "created": at.isoformat(timespec="seconds"),
        "reason": "Dora Finch did not like it",
        "total_amount": 50.1,
        "total_tax": -0.25,
        "uses_merchant_override_values": False,
        "items": [{"item_type": "PRODUCT", "item_id": 87, "quantity": 1, "requested_amount": None}],
        "payments": [
            {"id": 13, "provider_id": "storecredit", "amount": 50.1, "offline": True, "is_declined": False},
        ],
    } | fields


def page(rows: list[dict[str, Any]], number: int = 1, pages: int = 1) -> dict[str, Any]:
    return {"data": rows, "meta": {"pagination": {"current_page": number, "total_pages": pages}}}


async def test_a_refund_is_exact_and_leaves_behind_what_people_typed(shop: Any) -> None:
    shop.on(f"{ALL}/12", {"data": row(12), "meta": {}})
    refund = await shop.client().refund(12)
    assert (refund.total_amount, refund.total_tax, refund.created) == (Decimal("50.1"), Decimal("-0.25"), NOON)
    assert refund.items[0].requested_amount is None
    assert "Dora" not in refund.model_dump_json()


async def test_amounts_stated_for_an_item_and_lists_that_are_missing(shop: Any) -> None:
    items = [{"item_type": "SHIPPING", "item_id": 5, "requested_amount": "9.99", "adjustments": None}]
    shop.on(f"{ALL}/12", {"data": row(12, items=items, payments=None), "meta": {}})
    refund = await shop.client().refund("12")
    assert (refund.items[0].requested_amount, refund.items[0].quantity, refund.payments) == (Decimal("9.99"), 0, ())


async def test_a_refund_that_is_announced_but_not_there_yet_is_not_found(shop: Any) -> None:
    with pytest.raises(NotFound):
        await shop.client().refund(12)
    shop.on(f"{ALL}/12", lambda request: Response(204))
    with pytest.raises(NotFound):
        await shop.client().refund(12)


@pytest.mark.parametrize("wrong", ["../store", "", "12a", "-1"])
async def test_anything_but_a_number_never_reaches_an_address(shop: Any, wrong: str) -> None:
    with pytest.raises(ValueError, match="is no refund id"):
        await shop.client().refund(wrong)
    with pytest.raises(ValueError, match="is no order id"):
        await shop.client().order_refunds(wrong)
    assert shop.asked == []


async def test_the_refunds_of_an_order_come_without_pages(shop: Any) -> None:
    shop.on("v3/orders/180/payment_actions/refunds", {"data": [row(13), row(12)], "meta": {}})
    assert [one.id for one in await shop.client().order_refunds(180)] == [12, 13]
    assert shop.asked[0].url.query == b""


async def test_all_refunds_since_a_moment_are_read_over_pages_and_told_once(shop: Any) -> None:
    rows = [row(number, NOON + timedelta(seconds=number)) for number in range(1, 26)]
    late = row(4, NOON + timedelta(seconds=4))

    def answer(request: Any) -> Response:
        number = int(request.url.params["page"])
        # The fourth becomes visible after the first page was read, and pushes another over the border.
        visible = [one for one in rows if one["id"] != 4] if number == 1 else [*rows[:3], late, *rows[4:]]
        return Response(200, json=page(visible[(number - 1) * 10 : number * 10], number, 3))

    shop.on(ALL, answer)
    found = [one.id async for one in shop.client(page_size=10).refunds_since(NOON + timedelta(microseconds=5), NOON)]
    assert len(found) == len(set(found))
    assert set(range(1, 26)) - set(found) == {4}, "it is found by the next poll, which looks back"
    assert dict(shop.asked[0].url.params) == {
        "created:min": "2026-03-05T12:00:00+00:00",
        "created:max": "2026-03-05T12:00:00+00:00",
        "page": "1",
        "limit": "10",
    }
    assert b"created%3Amin=2026-03-05T12%3A00%3A00%2B00%3A00" in shop.asked[0].url.query


async def test_a_shop_that_ignores_filter_or_order_is_not_believed(shop: Any) -> None:
    shop.on(ALL, page([row(1, NOON - timedelta(days=1))]))
    with pytest.raises(BadAnswer, match="ignored the filter by created"):
        _ = [one async for one in shop.client().refunds_since(NOON)]
    shop.on(ALL, page([row(2), row(1)]))
    with pytest.raises(BadAnswer, match="ignored that it ascends by id"):
        _ = [one async for one in shop.client().refunds_since(NOON)]
