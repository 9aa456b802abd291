"""Routes of customers (V3) and their groups (V2)."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.bigcommerce import listing, v3_customers, v3_listing
from sandbox.bigcommerce.catalog import INVALID
from sandbox.bigcommerce.desk import Desk, Visit
from sandbox.bigcommerce.refusals import RefusedError
from sandbox.bigcommerce.v3_listing import Shelf

CUSTOMERS = "store_v2_customers"
MOST = 10

_SHELF = Shelf(
    {
        "id": lambda row: row.id,
        "email": lambda row: row.fields["email"],
        "company": lambda row: row.fields.get("company", ""),
        "customer_group_id": lambda row: row.fields.get("customer_group_id", 0),
        "date_created": lambda row: row.created,
        "date_modified": lambda row: row.modified,
    },
    {
        "date_created": lambda row: row.created,
        "last_name": lambda row: row.fields["last_name"],
        "date_modified": lambda row: row.modified,
    },
)
_PARTS = Shelf(
    {
        "id": lambda row: row["id"],
        "customer_id": lambda row: row["customer_id"],
        "attribute_id": lambda row: row.get("attribute_id", 0),
    },
    {},
)


def routes(desk: Desk) -> list[Route]:
    return [
        desk.route("/v2/customer_groups", groups, CUSTOMERS),
        desk.route("/v3/customers", customers, CUSTOMERS),
        desk.route("/v3/customers", create, CUSTOMERS, "POST"),
        desk.route("/v3/customers", change, CUSTOMERS, "PUT"),
        desk.route("/v3/customers/addresses", addresses, CUSTOMERS),
        desk.route("/v3/customers/attributes", attributes, CUSTOMERS),
        desk.route("/v3/customers/attribute-values", attribute_values, CUSTOMERS),
        desk.route("/v3/customers/attribute-values", describe, CUSTOMERS, "PUT"),
    ]


async def groups(visit: Visit) -> Response:
    return visit.listed(list(listing.cut(v3_customers.groups(), visit.query)))


async def customers(visit: Visit) -> Response:
    """Sorted by date or name, never by id."""
    query, store = visit.query, visit.store
    rows = _SHELF.chosen(store.customers.rows.values(), query, store.habits)
    include = query.get("include", "")
    channel = store.customers.channel_id
    return v3_listing.answer(visit, rows, lambda row: v3_customers.render_customer(row, channel, include=include))


async def create(visit: Visit) -> Response:
    """Ten at most, all or none."""
    return _answer(visit, visit.store.customers.create(_rows(await visit.body())))


async def change(visit: Visit) -> Response:
    """Ten at most, all or none."""
    return _answer(visit, visit.store.customers.change(_rows(await visit.body())))


async def addresses(visit: Visit) -> Response:
    rows = [one for row in visit.store.customers.rows.values() for one in row.addresses]
    return v3_listing.answer(visit, _PARTS.chosen(rows, visit.query, visit.store.habits), lambda row: row)


async def attributes(visit: Visit) -> Response:
    rows = _PARTS.chosen(v3_customers.attribute_names(), {}, visit.store.habits)
    return v3_listing.answer(visit, rows, lambda row: row)


async def attribute_values(visit: Visit) -> Response:
    rows = [one for row in visit.store.customers.rows.values() for one in v3_customers.render_attributes(row)]
    return v3_listing.answer(visit, _PARTS.chosen(rows, visit.query, visit.store.habits), lambda row: row)


async def describe(visit: Visit) -> Response:
    """Set, or made where there is none; ten at most, all or none."""
    rows = _rows(await visit.body())
    visit.store.customers.upsert(rows)
    wanted = {(int(row["customer_id"]), int(row["attribute_id"])) for row in rows}
    known = [one for row in visit.store.customers.rows.values() for one in v3_customers.render_attributes(row)]
    data = [one for one in known if (one["customer_id"], one["attribute_id"]) in wanted]
    return JSONResponse({"data": data, "meta": {}})


def _answer(visit: Visit, rows: list[Any]) -> Response:
    channel = visit.store.customers.channel_id
    data = [v3_customers.render_customer(row, channel, include="addresses") for row in rows]
    return JSONResponse({"data": data, "meta": {}})


def _rows(body: object) -> list[dict[str, Any]]:
    if not isinstance(body, list) or not all(isinstance(row, dict) for row in body):
        raise RefusedError(422, INVALID, errors={"": "error.expected.jsarray"})
    if len(body) > MOST:
        said = f"The request payload is too large. The maximum number of items allowed in the array is {MOST}."
        raise RefusedError(413, said, errors={})
    return body
