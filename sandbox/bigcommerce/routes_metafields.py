"""Routes of an order's metafields (V3)."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.bigcommerce import v3_listing
from sandbox.bigcommerce.desk import Desk, Visit
from sandbox.bigcommerce.refusals import RefusedError
from sandbox.bigcommerce.v3_listing import Shelf

ORDERS = "store_v2_orders"

_SHELF = Shelf(
    {
        "key": lambda row: row.key,
        "namespace": lambda row: row.namespace,
        "date_created": lambda row: row.created,
        "date_modified": lambda row: row.modified,
    },
    {},
)


def routes(desk: Desk) -> list[Route]:
    every = "/v3/orders/{order_id:int}/metafields"
    one = f"{every}/{{metafield_id:int}}"
    return [
        desk.route(every, metafields, ORDERS),
        desk.route(every, create, ORDERS, "POST"),
        desk.route(one, metafield, ORDERS),
        desk.route(one, change, ORDERS, "PUT"),
        desk.route(one, delete, ORDERS, "DELETE"),
    ]


async def metafields(visit: Visit) -> Response:
    try:
        order_id = visit.order().id
    except RefusedError:
        if visit.store.habits.unknown_order == "404":
            raise
        order_id = 0
    rows = visit.store.metafields.of(order_id, visit.account)
    chosen = _SHELF.chosen(rows, visit.query, visit.store.habits)
    return v3_listing.answer(visit, chosen, lambda row: row.render())


async def create(visit: Visit) -> Response:
    """200, not 201."""
    row = visit.store.metafields.create(visit.order(), visit.account, await visit.body())
    return JSONResponse({"data": row.render(), "meta": {}})


async def metafield(visit: Visit) -> Response:
    row = visit.store.metafields.get(visit.order().id, visit.number("metafield_id"), visit.account)
    return JSONResponse({"data": row.render(), "meta": {}})


async def change(visit: Visit) -> Response:
    order, wanted = visit.order(), await visit.body()
    row = visit.store.metafields.change(order, visit.number("metafield_id"), visit.account, wanted)
    return JSONResponse({"data": row.render(), "meta": {}})


async def delete(visit: Visit) -> Response:
    visit.store.metafields.delete(visit.order(), visit.number("metafield_id"), visit.account)
    return Response(status_code=204)
