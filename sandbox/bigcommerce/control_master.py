"""Routes below `/_twin` that play the merchant who keeps products and customers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from sandbox.bigcommerce import v3_catalog, v3_customers
from sandbox.bigcommerce.channels import Channel
from sandbox.bigcommerce.refusals import RefusedError
from sandbox.bigcommerce.store import Store

if TYPE_CHECKING:
    from sandbox.bigcommerce.app import BigCommerceTwin

_Act = Callable[[Store, Request, dict[str, Any]], Any]


def master_routes(twin: BigCommerceTwin) -> list[BaseRoute]:
    """
    GET, POST /_twin/stores/{hash}/products         {"grow": 20000}; GET counts them
    POST, DELETE /_twin/stores/{hash}/products/{id} {"name": "Blue shirt"}, {"variants": 300}: change or delete one
    GET, POST /_twin/stores/{hash}/customers        {"grow": 5000}
    POST, DELETE /_twin/stores/{hash}/customers/{id} {"company": "Acme"}
    POST /_twin/stores/{hash}/customers/{id}/addresses {"address1": "1 Elm Street", "country_code": "US", ...}
    GET, POST /_twin/stores/{hash}/channels         {"id": 2, "name": "Pop-up", "status": "active"}
    GET, POST /_twin/stores/{hash}/habits           {"unordered": "kept", "batches": "row"}
    """

    def on(path: str, act: _Act, *methods: str) -> Route:
        async def endpoint(request: Request) -> JSONResponse:
            store = twin.stores.get(request.path_params["store_hash"])
            if store is None:
                return JSONResponse({"error": "There is no such store."}, status_code=404)
            body = await request.json() if await request.body() else {}
            try:
                return JSONResponse(act(store, request, body))
            except RefusedError as refused:
                return JSONResponse({"error": refused.title, "errors": refused.errors}, status_code=400)
            except (LookupError, TypeError, ValueError) as error:
                return JSONResponse({"error": str(error)}, status_code=400)

        return Route(f"/_twin/stores/{{store_hash}}/{path}", endpoint, methods=list(methods))

    return [
        on("products", _products, "GET", "POST"),
        on("products/{id:int}", _product, "POST", "DELETE"),
        on("customers", _customers, "GET", "POST"),
        on("customers/{id:int}", _customer, "POST", "DELETE"),
        on("customers/{id:int}/addresses", _address, "POST"),
        on("channels", _channels, "GET", "POST"),
        on("habits", _habits, "GET", "POST"),
    ]


def _products(store: Store, request: Request, body: dict[str, Any]) -> Any:
    if request.method == "POST":
        store.catalog.grow(int(body["grow"]))
    return {"count": len(store.catalog.products)}


def _product(store: Store, request: Request, body: dict[str, Any]) -> Any:
    product_id = int(request.path_params["id"])
    if request.method == "DELETE":
        store.catalog.delete(product_id)
        return {}
    if "variants" in body:
        store.catalog.add_variants(product_id, int(body.pop("variants")))
    row = store.catalog.edit(product_id, **body) if body else store.catalog.get(product_id)
    return v3_catalog.render_product(row, include="variants")


def _customers(store: Store, request: Request, body: dict[str, Any]) -> Any:
    if request.method == "POST":
        store.customers.grow(int(body["grow"]))
    return {"count": len(store.customers.rows)}


def _customer(store: Store, request: Request, body: dict[str, Any]) -> Any:
    customer_id = int(request.path_params["id"])
    if request.method == "DELETE":
        store.customers.delete(customer_id)
        return {}
    row = store.customers.edit(customer_id, **body)
    return v3_customers.render_customer(row, store.customers.channel_id, include="addresses,attributes")


def _address(store: Store, request: Request, body: dict[str, Any]) -> Any:
    return {"id": store.customers.add_address(int(request.path_params["id"]), **body)}


def _channels(store: Store, request: Request, body: dict[str, Any]) -> Any:
    if request.method == "POST":
        given = Channel(**body)
        store.channels[:] = [*(one for one in store.channels if one.id != given.id), given]
    return [asdict(one) for one in store.channels]


def _habits(store: Store, request: Request, body: dict[str, Any]) -> Any:
    known = {one.name for one in fields(store.habits)}
    if unknown := set(body) - known:
        raise ValueError(f"There is no habit {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}.")
    for name, value in body.items():
        setattr(store.habits, name, set(value) if isinstance(value, list) else value)
    return {name: sorted(value) if isinstance(value, set) else value for name, value in asdict(store.habits).items()}
