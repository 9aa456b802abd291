"""What every vendor route goes through: credentials, quota, scope, and refusals in the right shape."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.bigcommerce.access import Account
from sandbox.bigcommerce.documents import Order
from sandbox.bigcommerce.refusals import RefusedError, answer, not_found, version_of
from sandbox.bigcommerce.store import Store

Handler = Callable[["Visit"], Awaitable[Response]]
_TOKEN = re.compile(r"[\x21-\x7e]{1,255}")
_HOOKS_401 = "Unauthorized - the v3 Auth client ID or token in the request are not a valid combination for this store."


class Visit:
    """One admitted request at one store."""

    def __init__(self, request: Request, store: Store, account: Account) -> None:
        self.request = request
        self.store = store
        self.account = account

    def order(self) -> Order:
        """The order named in the path, or a 404 refusal; an order nobody can see yet is not found."""
        shop = self.store.shop
        order = shop.orders.get(self.number("order_id"))
        if order is None or not shop.visible(order):
            raise not_found()
        return order

    @property
    def query(self) -> dict[str, str]:
        return dict(self.request.query_params)

    def number(self, name: str) -> int:
        """A numeric part of the path."""
        return int(self.request.path_params[name])

    async def body(self) -> Any:
        """The request's JSON, or a 400 refusal."""
        try:
            return json.loads(await self.request.body())
        except ValueError:
            raise RefusedError(400, "Input is invalid.") from None

    def listed(self, rows: list[Any]) -> Response:
        """A bare V2 list; an empty one has no content."""
        if not rows and self.store.settings.empty_lists == 204:
            return Response(status_code=204)
        return JSONResponse(rows)


class Desk:
    """Admits requests to the stores of a twin."""

    def __init__(self, stores: dict[str, Store]) -> None:
        self._stores = stores

    def route(self, path: str, handler: Handler, scope: str = "", method: str = "GET") -> Route:
        """A vendor route below `/stores/{store_hash}`; `scope` is the OAuth scope it needs, empty for any account."""

        async def endpoint(request: Request) -> Response:
            version = version_of(request.url.path)
            store = self._stores.get(request.path_params["store_hash"])
            try:
                if store is None:
                    raise not_found()
                visit = Visit(request, store, self._admit(request, store))
                if not store.quota.take():
                    raise RefusedError(429, "You have used up the requests allowed in this time window.")
                allowed = visit.account.may_read if method == "GET" else visit.account.may_write
                if scope and not allowed(scope):
                    raise RefusedError(403, "You don't have a required scope to access the endpoint.")
                response = await handler(visit)
            except RefusedError as refused:
                response = answer(refused, version)
            if store is not None and response.status_code != 401:
                _mark(response, store)
            return response

        return Route(f"/stores/{{store_hash}}{path}", endpoint, methods=[method])

    def _admit(self, request: Request, store: Store) -> Account:
        token = request.headers.get("x-auth-token")
        if token is None:
            raise RefusedError(401, "X-Auth-Token header is required", plain=True)
        if not _TOKEN.fullmatch(token):
            raise RefusedError(401, "X-Auth-Token header should have correct format", plain=True)
        account = store.account(token)
        if account is None:
            raise RefusedError(401, _HOOKS_401 if "/hooks" in request.url.path else "Unauthorized")
        return account


def _mark(response: Response, store: Store) -> None:
    response.headers.update(store.quota.headers())
    response.headers["x-bc-store-version"] = "8.0.0"
    response.headers["x-bc-apilimit-remaining"] = "2147483647"
    if response.status_code == 429:
        response.headers["x-retry-after"] = str(store.quota.retry_after())
