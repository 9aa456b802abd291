"""Routes of V3 around orders: transactions, refunds and webhooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.bigcommerce import listing, v3
from sandbox.bigcommerce.desk import Desk, Visit
from sandbox.bigcommerce.refusals import RefusedError, not_found

ORDERS = "store_v2_orders"
TRANSACTIONS = "store_v2_transactions"


def routes(desk: Desk) -> list[Route]:
    get = desk.route
    refunds = "/v3/orders/payment_actions/refunds"
    return [
        get("/v3/orders/{order_id:int}/transactions", transactions, TRANSACTIONS),
        get("/v3/orders/{order_id:int}/payment_actions/refunds", order_refunds, ORDERS),
        get(refunds, all_refunds, ORDERS),
        get(f"{refunds}/{{refund_id:int}}", refund, ORDERS),
        get("/v3/hooks", hooks),
        desk.route("/v3/hooks", create_hook, method="POST"),
        get("/v3/hooks/admin", hooks_admin),
        desk.route("/v3/hooks/admin", change_hooks_admin, method="PUT"),
        get("/v3/hooks/{hook_id:int}", hook),
        desk.route("/v3/hooks/{hook_id:int}", change_hook, method="PUT"),
        desk.route("/v3/hooks/{hook_id:int}", delete_hook, method="DELETE"),
    ]


async def transactions(visit: Visit) -> Response:
    """No content when nothing was paid; the page parameters have no effect, as reported of the original."""
    order = visit.order()
    if not order.transactions:
        return Response(status_code=204)
    rows = [v3.render_transaction(order, transaction) for transaction in order.transactions[: listing.MOST]]
    return JSONResponse(v3.paged(rows, 1, listing.MOST))


async def order_refunds(visit: Visit) -> Response:
    order = visit.order()
    rows = [v3.render_refund(*row) for row in visit.store.shop.refunds() if row[0] is order]
    return JSONResponse({"data": rows, "meta": {}})


async def all_refunds(visit: Visit) -> Response:
    query = visit.query
    of_orders, wanted = listing.numbers(query, "order_id:in"), listing.numbers(query, "id:in")
    rows = [
        (order, known)
        for order, known in visit.store.shop.refunds()
        if (of_orders is None or order.id in of_orders) and (wanted is None or known.id in wanted)
    ]
    if "created:min" in query:
        earliest = listing.moment("created:min", query["created:min"])
        rows = [row for row in rows if row[1].created >= earliest]
    if "created:max" in query:
        latest = listing.moment("created:max", query["created:max"])
        rows = [row for row in rows if row[1].created <= latest]
    if "transaction_id" in query:
        rows = [row for row in rows if query["transaction_id"] in {str(one.transaction_id) for one in row[1].payments}]
    return _page(visit, [v3.render_refund(*row) for row in rows])


async def refund(visit: Visit) -> Response:
    for order, known in visit.store.shop.refunds():
        if known.id == visit.number("refund_id"):
            return JSONResponse({"data": v3.render_refund(order, known), "meta": {}})
    raise not_found()


async def hooks(visit: Visit) -> Response:
    query = visit.query
    rows = [
        known.render()
        for known in visit.store.subscriptions.of(visit.account)
        if query.get("scope", known.scope) == known.scope
        and query.get("destination", known.destination) == known.destination
        and query.get("is_active", str(known.is_active)).lower() == str(known.is_active).lower()
    ]
    return _page(visit, rows)


async def create_hook(visit: Visit) -> Response:
    """200, not 201."""
    created = visit.store.subscriptions.create(visit.account, await visit.body())
    return JSONResponse({"data": created.render(), "meta": {}})


async def hook(visit: Visit) -> Response:
    known = visit.store.subscriptions.get(visit.account, visit.number("hook_id"))
    return JSONResponse({"data": known.render(), "meta": {}})


async def change_hook(visit: Visit) -> Response:
    visit.store.subscriptions.get(visit.account, visit.number("hook_id"))
    changed = visit.store.subscriptions.change(visit.account, visit.number("hook_id"), await visit.body())
    return JSONResponse({"data": changed.render(), "meta": {}})


async def delete_hook(visit: Visit) -> Response:
    """200 with the deleted hook, not 204."""
    deleted = visit.store.subscriptions.delete(visit.account, visit.number("hook_id"))
    return JSONResponse({"data": deleted.render(), "meta": {}})


async def hooks_admin(visit: Visit) -> Response:
    mine = visit.store.subscriptions.of(visit.account)
    rows = [
        known.render() | {"status": "deactivated" if known.deactivated else "active" if known.is_active else "inactive"}
        for known in mine
        if visit.query.get("is_active", str(known.is_active)).lower() == str(known.is_active).lower()
    ]
    blocked = [
        {"destination": f"https://{domain}", "time_left": left, "reasons": []}
        for domain, left in visit.store.deliveries.blocked_domains().items()
    ]
    emails = visit.store.subscriptions.emails
    return JSONResponse({"data": {"hooks_list": rows, "emails": emails, "blocked_domains": blocked}, "meta": {}})


async def change_hooks_admin(visit: Visit) -> Response:
    wanted = await visit.body()
    emails = wanted.get("emails") if isinstance(wanted, dict) else None
    if not isinstance(emails, list) or not all(isinstance(one, str) and "@" in one for one in emails):
        raise RefusedError(422, "JSON data is missing or invalid", errors={"emails": "error.path.missing."})
    visit.store.subscriptions.emails = emails
    return Response(status_code=204)


def _page(visit: Visit, rows: Sequence[Any]) -> Response:
    try:
        number, limit = listing.page(visit.query)
    except RefusedError as refused:
        raise RefusedError(422 if refused.status == 400 else refused.status, refused.title, errors={}) from None
    return JSONResponse(v3.paged(rows, number, limit, visit.query.items()))
