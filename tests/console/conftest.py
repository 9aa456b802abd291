"""A console in this process, over ASGI, and the people and tools that talk to it."""

import contextlib
import datetime as dt
import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from temporalio.api.common.v1 import Payload

from console.app import ConsoleParts, create_app
from console.passes import Passes
from contracts.configuration import Configuration
from runtime.temporal.codec import EncryptionCodec
from store import KeyRing

UI = "http://127.0.0.1:8233"
NAMESPACE = "production"


class Clock:
    def __init__(self) -> None:
        self.now = dt.datetime(2026, 3, 2, 9, 0, tzinfo=dt.UTC)

    def __call__(self) -> dt.datetime:
        return self.now


@dataclass
class Desk:
    """A console and what is needed to talk to it."""

    http: httpx.AsyncClient
    keys: KeyRing
    clock: Clock

    def token(self, who: str = "dana", *, hours: float = 24) -> str:
        return Passes(self.keys, "token", now=self.clock).issue(who, dt.timedelta(hours=hours))[0]

    async def sealed(self, *texts: str, keys: KeyRing | None = None) -> dict[str, Any]:
        """The JSON in which the UI and the CLI send sealed payloads."""
        plain = [Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(text).encode()) for text in texts]
        return as_json(await EncryptionCodec(keys or self.keys).encode(plain))

    async def sign_in(self, who: str = "dana") -> None:
        answer = await self.http.post("/sign-in", data={"token": self.token(who)})
        assert answer.status_code == 303

    async def decode(
        self,
        body: Any,
        *,
        path: str = "/decode",
        origin: str | None = UI,
        token: str | None = None,
        namespace: str | None = NAMESPACE,
        **more: Any,
    ) -> httpx.Response:
        """As the Temporal UI asks, unless told otherwise."""
        headers = {"origin": origin, "x-namespace": namespace, "authorization": f"Bearer {token}" if token else None}
        given = {name: value for name, value in headers.items() if value is not None}
        return await self.http.post(path, json=body, headers=given | more.pop("headers", {}), **more)


def as_json(payloads: list[Payload]) -> dict[str, Any]:
    return {
        "payloads": [
            {
                "metadata": {name: b64encode(value).decode() for name, value in one.metadata.items()},
                "data": b64encode(one.data).decode(),
            }
            for one in payloads
        ]
    }


def texts(answer: httpx.Response) -> list[Any]:
    """The decoded values, as the UI reads them."""
    assert answer.status_code == 200, answer.text
    return [json.loads(b64decode(one["data"])) for one in answer.json()["payloads"]]


def configuration(**console: Any) -> Configuration:
    return Configuration.model_validate(
        {
            "tenants": [],
            "connections": [],
            "integrations": [],
            "mapping_sets": [],
            "temporal": {"ui_url": UI},
            "console": console,
        }
    )


Serve = Callable[..., contextlib.AbstractAsyncContextManager[Desk]]


@pytest.fixture
def serve() -> Serve:
    """`async with serve(ui_origins=[...]) as desk`: a console with these settings."""

    @contextlib.asynccontextmanager
    async def serving(*, keys: KeyRing | None = None, **console: Any) -> AsyncIterator[Desk]:
        ring, clock = keys or KeyRing.generate("k1"), Clock()
        settings = configuration(**console)
        app = create_app(ConsoleParts(settings, ring, EncryptionCodec(ring), NAMESPACE, now=clock))
        base = str(settings.console.url or "http://127.0.0.1:8081")
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base) as http:
            yield Desk(http, ring, clock)

    return serving


@pytest.fixture
async def desk(serve: Serve) -> AsyncIterator[Desk]:
    async with serve() as opened:
        yield opened


@dataclass(frozen=True)
class Kit:
    """The factories of this folder."""

    UI = UI
    NAMESPACE = NAMESPACE
    as_json = staticmethod(as_json)
    texts = staticmethod(texts)
    configuration = staticmethod(configuration)


@pytest.fixture
def kit() -> Kit:
    return Kit()
