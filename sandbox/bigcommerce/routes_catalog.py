"""Routes of the catalog: products, variants and categories (V3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.bigcommerce import v3_catalog, v3_listing
from sandbox.bigcommerce.catalog import INVALID, CatalogProduct, CatalogVariant
from sandbox.bigcommerce.desk import Desk, Visit
from sandbox.bigcommerce.refusals import RefusedError, not_found
from sandbox.bigcommerce.v3_listing import Shelf, picked

PRODUCTS = "store_v2_products"
MOST_PRODUCTS = 10
MOST_VARIANTS = 50
WITH_PARTS = 10
"""Products on a page that carries their variants, options or modifiers."""

_SHELF = Shelf(
    {
        "id": lambda row: row.id,
        "sku": lambda row: row.fields.get("sku", ""),
        "name": lambda row: row.fields["name"],
        "type": lambda row: row.fields["type"],
        "is_visible": lambda row: row.fields["is_visible"],
        "categories": lambda row: row.fields.get("categories", ()),
        "date_modified": lambda row: row.modified,
    },
    {
        "id": lambda row: row.id,
        "name": lambda row: row.fields["name"],
        "sku": lambda row: row.fields.get("sku", ""),
        "price": lambda row: row.fields.get("price", 0),
        "date_modified": lambda row: row.modified,
    },
)
_CATEGORIES = Shelf(
    {
        "category_id": lambda row: row.id,
        "id": lambda row: row.id,
        "parent_id": lambda row: row.parent_id,
        "tree_id": lambda row: v3_catalog.TREE_ID,
        "name": lambda row: row.name,
    },
    {},
)


def routes(desk: Desk) -> list[Route]:
    def on(path: str, handler: Callable[[Visit], Any], method: str = "GET") -> Route:
        return desk.route(f"/v3/catalog{path}", handler, PRODUCTS, method)

    return [
        on("/products", products),
        on("/products", create_product, "POST"),
        on("/products", change_products, "PUT"),
        on("/products/{product_id:int}", product),
        on("/products/{product_id:int}", change_product, "PUT"),
        on("/products/{product_id:int}", delete_product, "DELETE"),
        on("/products/{product_id:int}/variants", product_variants),
        on("/variants", variants),
        on("/variants", change_variants, "PUT"),
        on("/trees", trees),
        on("/trees/categories", tree_categories),
        on("/trees/{tree_id:int}/categories", category_nodes),
        on("/categories", categories),
    ]


async def products(visit: Visit) -> Response:
    """A page with variants, options or modifiers is cut to ten rows, while its pagination counts as asked."""
    query = visit.query
    include = query.get("include", "")
    rows = _SHELF.chosen(visit.store.catalog.seen(_sku(visit)), query, visit.store.habits)
    cut = WITH_PARTS if {"variants", "options", "modifiers"} & set(include.split(",")) else 0
    return v3_listing.answer(visit, rows, lambda row: _shown(visit, row, include), cut=cut)


async def product(visit: Visit) -> Response:
    row = visit.store.catalog.get(visit.number("product_id"))
    return JSONResponse({"data": _shown(visit, row, visit.query.get("include", "")), "meta": {}})


async def create_product(visit: Visit) -> Response:
    row, untaken = visit.store.catalog.create(await visit.body())
    return _written(_shown(visit, row), untaken)


async def change_product(visit: Visit) -> Response:
    row, untaken = visit.store.catalog.write(visit.number("product_id"), await visit.body())
    return _written(_shown(visit, row), untaken)


async def change_products(visit: Visit) -> Response:
    """Ten at most. One bad row refuses them all, or only itself, as the store's habit is."""
    catalog = visit.store.catalog
    rows = _rows(await visit.body(), MOST_PRODUCTS)
    if visit.store.habits.batches == "whole":
        for row in rows:
            catalog.check(_id(row), row)
    taken, errors = [], dict[str, str]()
    for row in rows:
        try:
            changed, untaken = catalog.write(_id(row), row)
        except RefusedError as refused:
            errors |= refused.errors or {f"{_id(row)}": refused.title}
            continue
        taken.append(_shown(visit, changed))
        errors |= untaken
    return _written(taken, errors)


async def delete_product(visit: Visit) -> Response:
    visit.store.catalog.delete(visit.number("product_id"))
    return Response(status_code=204)


async def product_variants(visit: Visit) -> Response:
    row = visit.store.catalog.get(visit.number("product_id"))
    return _variants(visit, row.variants)


async def variants(visit: Visit) -> Response:
    """Nothing sorts variants, and they have no dates."""
    return _variants(visit, list(visit.store.catalog.variants(_sku(visit))))


async def change_variants(visit: Visit) -> Response:
    """Fifty at most; one bad row refuses them all."""
    catalog = visit.store.catalog
    rows = _rows(await visit.body(), MOST_VARIANTS)
    errors = []
    for row in rows:
        try:
            catalog.check_variant(_id(row), row)
        except RefusedError as refused:
            errors.append({"status": refused.status, "title": refused.title, "errors": refused.errors or {}})
    if errors:
        return JSONResponse({"batch_errors": errors}, status_code=422)
    taken = [catalog.change_variant(_id(row), row) for row in rows]
    return JSONResponse({"data": [_variant(visit, one) for one in taken], "meta": {}})


async def trees(visit: Visit) -> Response:
    profile = visit.store.profile
    rows = [{"id": v3_catalog.TREE_ID, "name": f"{profile.name} catalog", "channels": [profile.channel_id]}]
    return v3_listing.answer(visit, rows, lambda row: row)


async def tree_categories(visit: Visit) -> Response:
    rows = _CATEGORIES.chosen(visit.store.profile.categories, visit.query, visit.store.habits)
    return v3_listing.answer(visit, rows, v3_catalog.render_category)


async def category_nodes(visit: Visit) -> Response:
    if visit.number("tree_id") != v3_catalog.TREE_ID:
        raise not_found()
    profile = visit.store.profile
    roots = [known for known in profile.categories if not known.parent_id]
    return JSONResponse({"data": [v3_catalog.render_category_node(profile, root) for root in roots], "meta": {}})


async def categories(visit: Visit) -> Response:
    rows = _CATEGORIES.chosen(visit.store.profile.categories, visit.query, visit.store.habits)
    return v3_listing.answer(visit, rows, lambda row: v3_catalog.render_category(row, old=True))


def _sku(visit: Visit) -> str:
    """What a list is asked for by: then few rows are looked at, instead of all."""
    return "" if "sku" in visit.store.habits.ignored else visit.query.get("sku", "")


def _shown(visit: Visit, row: CatalogProduct, include: str = "") -> dict[str, Any]:
    return picked(v3_catalog.render_product(row, include=include), visit.query)


def _variant(visit: Visit, variant: CatalogVariant) -> dict[str, Any]:
    row = visit.store.catalog.products[variant.product_id]
    return picked(v3_catalog.render_variant(row, variant), visit.query)


def _variants(visit: Visit, rows: list[CatalogVariant]) -> Response:
    catalog = visit.store.catalog
    shelf = Shelf(
        {
            "id": lambda row: row.id,
            "product_id": lambda row: row.product_id,
            "sku": lambda row: row.fields.get("sku") or catalog.products[row.product_id].fields.get("sku", ""),
            "upc": lambda row: row.fields.get("upc", ""),
        },
        {},
    )
    chosen = shelf.chosen(rows, visit.query, visit.store.habits)
    return v3_listing.answer(visit, chosen, lambda row: _variant(visit, row))


def _written(data: Any, errors: dict[str, str]) -> Response:
    """200, or 207 with what could not be saved."""
    if not errors:
        return JSONResponse({"data": data, "meta": {}})
    said = {"status": 207, "title": "Some of the data could not be saved.", "type": "", "errors": errors}
    return JSONResponse({"data": data, "errors": said, "meta": {}}, status_code=207)


def _rows(body: object, most: int) -> list[dict[str, Any]]:
    if not isinstance(body, list) or not all(isinstance(row, dict) for row in body):
        raise RefusedError(422, INVALID, errors={"": "error.expected.jsarray"})
    if len(body) > most:
        said = f"The request payload is too large. The maximum items allowed in the array is {most}."
        raise RefusedError(413, said, errors={})
    return body


def _id(row: dict[str, Any]) -> int:
    if not isinstance(row.get("id"), int):
        raise RefusedError(422, INVALID, errors={"id": "error.path.missing"})
    return int(row["id"])
