"""A store that answers from a table of paths, for what the wire may look like in single answers."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from clients.bigcommerce import BigCommerceClient
from contracts.configuration import BigCommerceConnection

Answer = Callable[[httpx.Request], httpx.Response]


class Shop:
    """Routes requests by path below the store; keeps what was asked."""

    def __init__(self) -> None:
        self.routes: dict[str, Answer] = {}
        self.asked: list[httpx.Request] = []
        self.tokens = ["token-1"]

    def on(self, path: str, answer: Answer | Any) -> None:
        self.routes[path] = answer if callable(answer) else lambda request: httpx.Response(200, json=answer)

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        path = request.url.path.removeprefix("/stores/abc123/")
        route = self.routes.get(path)
        return route(request) if route else httpx.Response(404, json=[{"status": 404, "message": "Not found."}])

    def paths(self) -> list[str]:
        return [request.url.path.removeprefix("/stores/abc123/") for request in self.asked]

    async def token(self) -> str:
        return self.tokens[-1]

    def client(self, **settings: Any) -> BigCommerceClient:
        connection = BigCommerceConnection.model_validate(
            {
                "system": "bigcommerce",
                "id": "bc-us",
                "tenant": "acme",
                "environment": "test",
                "base_url": "https://api.example.test",
                "store_hash": "abc123",
                "requests_per_window": 10_000,
            }
            | settings
        )
        return BigCommerceClient(connection, self.token, transport=httpx.MockTransport(self.handle))


@pytest.fixture
def shop() -> Shop:
    return Shop()
