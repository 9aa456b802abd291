"""Routes of orders V2, the store, its currencies and the time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.bigcommerce import listing, statuses, v2, v2_store
from sandbox.bigcommerce.desk import Desk, Visit
from sandbox.bigcommerce.refusals import RefusedError, not_found

ORDERS = "store_v2_orders"
INFORMATION = "store_v2_information"
WRITABLE = frozenset({"status_id", "staff_notes", "is_deleted"})


def routes(desk: Desk) -> list[Route]:
    one = "/v2/orders/{order_id:int}"
    get = desk.route
    return [
        get("/v2/time", time),
        get("/v2/store", store, INFORMATION),
        get("/v2/currencies", currencies, INFORMATION),
        get("/v2/order_statuses", order_statuses, ORDERS),
        get("/v2/order_statuses/{status_id:int}", order_status, ORDERS),
        get("/v2/orders/count", count, ORDERS),
        get("/v2/orders", list_orders, ORDERS),
        get(one, read_order, ORDERS),
        desk.route(one, change_order, ORDERS, "PUT"),
        desk.route(one, archive_order, ORDERS, "DELETE"),
        get(f"{one}/products", products, ORDERS),
        get(f"{one}/products/{{line_id:int}}", product, ORDERS),
        get(f"{one}/coupons", coupons, ORDERS),
        get(f"{one}/taxes", taxes, ORDERS),
        get(f"{one}/fees", fees, ORDERS),
        get(f"{one}/shipping_addresses", addresses, ORDERS),
        get(f"{one}/shippingaddresses", addresses, ORDERS),
        get(f"{one}/shipping_addresses/{{address_id:int}}", address, ORDERS),
        get(f"{one}/shipments", shipments, ORDERS),
        get(f"{one}/messages", messages, ORDERS),
        get(f"{one}/consignments", consignments, ORDERS),
    ]


async def time(visit: Visit) -> Response:
    return JSONResponse({"time": int(visit.store.shop.now().timestamp())})


async def store(visit: Visit) -> Response:
    return JSONResponse(v2_store.render_store(visit.store.profile))


async def currencies(visit: Visit) -> Response:
    rows = v2_store.render_currencies(visit.store.profile, visit.store.shop.now())
    return visit.listed(list(listing.cut(rows, visit.query)))


async def order_statuses(visit: Visit) -> Response:
    return JSONResponse(
        [
            v2_store.render_status(visit.store.profile, status_id) | {"order": statuses.DISPLAY_ORDER.index(status_id)}
            for status_id in sorted(statuses.LABELS)
        ]
    )


async def order_status(visit: Visit) -> Response:
    status_id = visit.number("status_id")
    if status_id not in statuses.LABELS:
        raise not_found()
    return JSONResponse(v2_store.render_status(visit.store.profile, status_id))


async def count(visit: Visit) -> Response:
    """Counts archived orders too, which the list leaves out: the two never agree exactly."""
    every = [order for order in visit.store.shop.orders.values() if visit.store.shop.visible(order)]
    rows = [
        v2_store.render_status(visit.store.profile, status_id)
        | {"count": sum(order.status_id == status_id for order in every), "sort_order": position}
        for position, status_id in enumerate(statuses.DISPLAY_ORDER)
    ]
    return JSONResponse({"statuses": rows, "count": len(every)})


async def list_orders(visit: Visit) -> Response:
    shop = visit.store.shop
    chosen = listing.orders((order for order in shop.orders.values() if shop.visible(order)), visit.query)
    include = _include(visit)
    return visit.listed([v2.render_order(order, include=include) for order in listing.cut(chosen, visit.query)])


async def read_order(visit: Visit) -> Response:
    return JSONResponse(v2.render_order(visit.order(), include=_include(visit)))


async def change_order(visit: Visit) -> Response:
    """Only what this twin's orders can change through the API; anything else is refused as read-only."""
    order, body = visit.order(), await visit.body()
    if not isinstance(body, dict):
        raise RefusedError(400, "Input is invalid.")
    for name in sorted(set(body) - WRITABLE):
        raise RefusedError(400, f"The field '{name}' cannot be written to. Please remove it from your request.")
    shop = visit.store.shop
    if "staff_notes" in body:
        shop.touch(order.id, str(body["staff_notes"]))
    if "status_id" in body:
        try:
            shop.set_status(order.id, int(body["status_id"]))
        except (TypeError, ValueError):
            raise RefusedError(400, "The field 'status_id' is invalid.") from None
    if body.get("is_deleted"):
        shop.archive(order.id)
    return JSONResponse(v2.render_order(order))


async def archive_order(visit: Visit) -> Response:
    visit.store.shop.archive(visit.order().id)
    return Response(status_code=204)


async def products(visit: Visit) -> Response:
    order = visit.order()
    return _sublist(visit, order.lines, lambda line: v2.render_product(order, line))


async def product(visit: Visit) -> Response:
    order = visit.order()
    for line in order.lines:
        if line.id == visit.number("line_id"):
            return JSONResponse(v2.render_product(order, line))
    raise not_found()


async def coupons(visit: Visit) -> Response:
    order = visit.order()
    rows = list(enumerate(order.draft.coupons))
    return _sublist(visit, rows, lambda row: v2.render_coupon(order, *row))


async def taxes(visit: Visit) -> Response:
    details = visit.query.get("details", "").lower() == "true"
    lowered = visit.store.habits.refunded_tax_rows == "lowered"
    rows = v2.render_taxes(visit.order(), details=details, lowered=lowered)
    return _sublist(visit, rows, lambda row: row)


async def fees(visit: Visit) -> Response:
    return JSONResponse(v2.render_fees(visit.order()))


async def addresses(visit: Visit) -> Response:
    order = visit.order()
    return _sublist(visit, range(len(order.address_ids)), lambda index: v2.render_address(order, index))


async def address(visit: Visit) -> Response:
    order = visit.order()
    if visit.number("address_id") not in order.address_ids:
        raise not_found()
    return JSONResponse(v2.render_address(order, order.address_ids.index(visit.number("address_id"))))


async def shipments(visit: Visit) -> Response:
    order = visit.order()
    return _sublist(visit, order.shipments, lambda shipment: v2.render_shipment(order, shipment))


async def messages(visit: Visit) -> Response:
    visit.order()
    return visit.listed([])


async def consignments(visit: Visit) -> Response:
    return JSONResponse(v2.render_consignments(visit.order()))


def _include(visit: Visit) -> set[str]:
    return {part.split(".")[0] for part in visit.query.get("include", "").split(",") if part}


def _sublist(visit: Visit, rows: Sequence[Any], render: Any) -> Response:
    return visit.listed([render(row) for row in listing.cut(rows, visit.query)])
