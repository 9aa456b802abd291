"""Holding what the shop's twin answers, and what our client asks, against the vendor's OpenAPI documents."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from sandbox.bigcommerce import BigCommerceTwin
from sandbox.kit import Call

V2 = "orders.v2.oas2.yml"
V3 = "orders.v3.yml"
HOOKS = "webhooks.v3.yml"
STORE = "store_information.v2.yml"
CURRENCIES = "currencies.v2.yml"
PRODUCTS = "catalog/products_catalog.v3.yml"
TREES = "catalog/category-trees_catalog.v3.yml"
CATEGORIES = "catalog/categories_catalog.v3.yml"
VARIANTS = "catalog/product-variants_catalog.v3.yml"
CUSTOMERS = "customers.v3.yml"
DOCUMENTS = {"v2": (V2, STORE, CURRENCIES), "v3": (V3, HOOKS, PRODUCTS, VARIANTS, TREES, CATEGORIES, CUSTOMERS)}
NOT_AT_HAND = {"v2/customer_groups", "v3/channels"}
"""Paths that the client asks and whose documents, `customers.v2.yml` and `channels.v3.yml`, lie not with the others."""

Check = Callable[..., Awaitable[Any]]


@asynccontextmanager
async def checking(twin: BigCommerceTwin, specifications: Any) -> AsyncIterator[Check]:
    """Ask the twin and hold its answer against the vendor's document; returns the body."""
    assert twin.listener is not None
    headers = {"X-Auth-Token": "access-token"}
    async with httpx.AsyncClient(base_url=twin.listener.url, headers=headers, timeout=600) as http:

        async def ask(
            name: str, path: str, *, store: str = "us1abc", method: str = "GET", status: int = 200, **request: Any
        ) -> Any:
            version = "v2" if ".v2." in name else "v3"
            answer = await http.request(method, f"/stores/{store}/{version}{path}", **request)
            assert answer.status_code == status, answer.text
            specification = specifications[name]
            known = specification.match(path)
            assert known, f"The vendor knows no {path}."
            body = answer.json() if answer.content else None
            if body is not None:
                assert specification.faults(known, method, status, body) == []
            return body

        yield ask


class Watched:
    """What the twin is asked from now on."""

    def __init__(self, twin: BigCommerceTwin, store: str = "us1abc") -> None:
        self._twin = twin
        self._prefix = f"/stores/{store}/"
        self._before = len(list(twin.calls))
        self._bodies: dict[int, bytes] = {}
        for method in ("POST", "PUT"):
            twin.hooks.on("received", self._keep, method=method, times=None)

    async def _keep(self, exchange: Any) -> None:
        self._bodies[exchange.id] = exchange.body

    @property
    def calls(self) -> list[Call]:
        return list(self._twin.calls)[self._before :]

    @property
    def paths(self) -> set[str]:
        """What was asked, as `v2/orders/1001`."""
        return {call.path.removeprefix(self._prefix) for call in self.calls}

    def undocumented(self, specifications: Any) -> set[str]:
        """Paths that were asked and are in no document."""
        return {path for path in self.paths if not list(_documents(specifications, path))}

    def faults(self, specifications: Any) -> list[str]:
        """What of it the vendor does not document: paths, query parameters, bodies."""
        faults: list[str] = []
        for call in self.calls:
            path = call.path.removeprefix(self._prefix)
            if path in NOT_AT_HAND:
                continue
            method = call.method.lower()
            for specification, known in _documents(specifications, path):
                if method in specification.document["paths"][known]:
                    break
            else:
                faults.append(f"{call.method} {call.path} is in none of the vendor's documents.")
                continue
            faults += specification.query_faults(known, method, call.query)
            if method in ("post", "put"):
                faults += specification.body_faults(known, method, json.loads(self._bodies[call.id]))
        return faults


def _documents(specifications: Any, path: str) -> Iterator[tuple[Any, str]]:
    """The documents that know a path such as `v2/orders/1001`, each with its own form of it."""
    version, _, rest = path.partition("/")
    for name in DOCUMENTS[version]:
        specification = specifications[name]
        known = specification.match(f"/{rest}")
        if known:
            yield specification, known
