"""A served twin with two stores, a client per store, and a receiver for its webhooks."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from support.still_clock import StillClock

from sandbox.bigcommerce import EU_SHOP, US_SHOP, BigCommerceTwin, StoreSettings
from sandbox.kit import serve

SECRET = "0123456789abcdefclientsecret"
DESTINATION = "https://connector.example.com/webhooks/acme/bc-us"


@dataclass
class Received:
    headers: dict[str, str]
    body: bytes
    path: str


@dataclass
class Receiver:
    """Answers deliveries with `status`; the first ones with `refusals`, one status each; those to `closed` with 500."""

    status: int = 200
    closed: str = ""
    """A part of the path that always fails."""
    refusals: list[int] = field(default_factory=list)
    got: list[Received] = field(default_factory=list)
    upon_arrival: Callable[[], object] = lambda: None
    """Called with each delivery before it is answered."""

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self.take, methods=["POST"])])

    async def take(self, request: Request) -> Response:
        self.got.append(Received(dict(request.headers), await request.body(), request.url.path))
        self.upon_arrival()
        if self.closed and self.closed in request.url.path:
            return Response(status_code=500)
        return Response(status_code=self.refusals.pop(0) if self.refusals else self.status)


@dataclass
class Us:
    """The US store as a test sees it."""

    twin: BigCommerceTwin
    http: httpx.AsyncClient
    """Signed in, below `/stores/us1abc`."""
    control: httpx.AsyncClient
    receiver: Receiver

    @property
    def store(self):
        return self.twin.stores["us1abc"]

    @property
    def shop(self):
        return self.store.shop

    async def hook(self, scope: str = "store/order/*", **more: object) -> dict:
        wanted = {"scope": scope, "destination": DESTINATION, "is_active": True, **more}
        answer = await self.http.post("/v3/hooks", json=wanted)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    async def settled(self) -> None:
        await self.store.deliveries.idle(600)


@pytest.fixture
async def us() -> AsyncIterator[Us]:
    receiver = Receiver()
    async with serve(receiver.app()) as listening:
        twin = BigCommerceTwin(
            [
                StoreSettings(
                    US_SHOP,
                    client_id="us-client",
                    client_secret=SECRET,
                    access_token="us-token",
                    requests_per_window=10_000,
                    time_scale=0.000001,
                    reachable={"https://connector.example.com": listening.url},
                ),
                StoreSettings(EU_SHOP, access_token="eu-token", requests_per_window=10_000),
            ],
            clock=StillClock(),
        )
        async with (
            serve(twin) as served,
            httpx.AsyncClient(
                base_url=f"{served.url}/stores/us1abc",
                headers={"X-Auth-Token": "us-token", "Accept": "application/json"},
                timeout=600,
            ) as http,
            httpx.AsyncClient(base_url=served.url, timeout=600) as control,
        ):
            yield Us(twin, http, control, receiver)
        await asyncio.sleep(0)
