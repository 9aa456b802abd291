"""Routes of V3: transactions, refunds, catalog, customers and webhooks."""

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
PRODUCTS = "store_v2_products"
CUSTOMERS = "store_v2_customers"


def routes(desk: Desk) -> list[Route]:
    get = desk.route
    refunds = "/v3/orders/payment_actions/refunds"
    return [
        get("/v3/orders/{order_id:int}/transactions", transactions, TRANSACTIONS),
        get("/v3/orders/{order_id:int}/payment_actions/refunds", order_refunds, ORDERS),
        get(refunds, all_refunds, ORDERS),
        get(f"{refunds}/{{refund_id:int}}", refund, ORDERS),
        get("/v3/catalog/products", products, PRODUCTS),
        get("/v3/catalog/products/{product_id:int}", product, PRODUCTS),
        get("/v3/catalog/trees", trees, PRODUCTS),
        get("/v3/catalog/trees/categories", tree_categories, PRODUCTS),
        get("/v3/catalog/trees/{tree_id:int}/categories", category_nodes, PRODUCTS),
        get("/v3/catalog/categories", categories, PRODUCTS),
        get("/v3/customers", customers, CUSTOMERS),
        get("/v3/hooks", hooks),
        desk.route("/v3/hooks", create_hook, method="POST"),
        get("/v3/hooks/admin", hooks_admin),
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
    return _page(visit, [v3.render_refund(*row) for row in rows])


async def refund(visit: Visit) -> Response:
    for order, known in visit.store.shop.refunds():
        if known.id == visit.number("refund_id"):
            return JSONResponse({"data": v3.render_refund(order, known), "meta": {}})
    raise not_found()


async def products(visit: Visit) -> Response:
    wanted, hidden = listing.numbers(visit.query, "id:in"), listing.numbers(visit.query, "id:not_in")
    single, within = listing.numbers(visit.query, "id"), listing.numbers(visit.query, "categories:in")
    fields = {name for name in visit.query.get("include_fields", "").split(",") if name}
    rows = [
        v3.render_product(visit.store.profile, known, fields=fields)
        for known in visit.store.profile.products
        if (wanted is None or known.id in wanted)
        and (hidden is None or known.id not in hidden)
        and (single is None or known.id in single)
        and (within is None or within & set(known.categories))
        and visit.query.get("sku", known.sku) == known.sku
    ]
    return _page(visit, rows)


async def product(visit: Visit) -> Response:
    fields = {name for name in visit.query.get("include_fields", "").split(",") if name}
    for known in visit.store.profile.products:
        if known.id == visit.number("product_id"):
            return JSONResponse({"data": v3.render_product(visit.store.profile, known, fields=fields), "meta": {}})
    raise not_found()


async def trees(visit: Visit) -> Response:
    profile = visit.store.profile
    return _page(visit, [{"id": v3.TREE_ID, "name": f"{profile.name} catalog", "channels": [profile.channel_id]}])


async def tree_categories(visit: Visit) -> Response:
    query = visit.query
    wanted, tree = listing.numbers(query, "category_id:in"), listing.numbers(query, "tree_id:in")
    parents = listing.numbers(query, "parent_id:in")
    rows = [
        v3.render_category(known)
        for known in visit.store.profile.categories
        if (wanted is None or known.id in wanted)
        and (parents is None or known.parent_id in parents)
        and (tree is None or v3.TREE_ID in tree)
    ]
    return _page(visit, rows)


async def category_nodes(visit: Visit) -> Response:
    if visit.number("tree_id") != v3.TREE_ID:
        raise not_found()
    profile = visit.store.profile
    roots = [known for known in profile.categories if not known.parent_id]
    return JSONResponse({"data": [v3.render_category_node(profile, root) for root in roots], "meta": {}})


async def categories(visit: Visit) -> Response:
    wanted = listing.numbers(visit.query, "id:in")
    rows = [
        v3.render_category(known, old=True)
        for known in visit.store.profile.categories
        if wanted is None or known.id in wanted
    ]
    return _page(visit, rows)


async def customers(visit: Visit) -> Response:
    wanted = listing.numbers(visit.query, "id:in")
    rows = [
        v3.render_customer(person, visit.store.profile)
        for person in visit.store.profile.people
        if person.customer_id and (wanted is None or person.customer_id in wanted)
    ]
    return _page(visit, rows)


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
        {
            "id": known.id,
            "scope": known.scope,
            "destination": known.destination,
            "is_active": known.is_active,
            "status": "deactivated" if known.deactivated else "active" if known.is_active else "inactive",
            "created_at": int(known.created.timestamp()),
        }
        for known in mine
    ]
    return JSONResponse({"data": {"hooks_list": rows, "emails": [], "blocked_domains": []}, "meta": {}})


def _page(visit: Visit, rows: Sequence[Any]) -> Response:
    try:
        number, limit = listing.page(visit.query)
    except RefusedError as refused:
        raise RefusedError(422 if refused.status == 400 else refused.status, refused.title, errors={}) from None
    return JSONResponse(v3.paged(rows, number, limit, visit.query.items()))
