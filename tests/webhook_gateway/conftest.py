import asyncio
import base64
import contextlib
import datetime as dt
import hashlib
import hmac
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from support.stack import eventually

from contracts.configuration import Configuration
from contracts.starting import StartError, StartRequest
from store import Store
from store.keys.keyring import KeyRing
from store.keys.vault import Vault
from store.rows import Receipt
from webhook_gateway.app import GatewayParts, create_app
from webhook_gateway.breaker import CircuitBreaker
from webhook_gateway.inbox import InboxDrain
from webhook_gateway.receipts import Receipts, WriteReceipts

SECRET = "0123456789abcdefclientsecret"
PATH = "/webhooks/acme/bc-us"


def sign(body: bytes, *, secret: str = SECRET, message: str = "msg_1", at: int | None = None) -> dict[str, str]:
    """Headers as BigCommerce sends them: HMAC-SHA256 with the raw bytes of the client secret."""
    stamp = int(dt.datetime.now(dt.UTC).timestamp()) if at is None else at
    digest = hmac.new(secret.encode(), f"{message}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": message,
        "webhook-timestamp": str(stamp),
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
        "content-type": "application/json",
    }


def payload(order_id: Any = 1024, *, scope: str = "store/order/updated", **changes: Any) -> bytes:
    document = {
        "scope": scope,
        "store_id": "1025646",
        "data": {"type": "order", "id": order_id},
        "hash": "dd70c0976e06b67aaf671e73f49dcb79230ebf9d",
        "created_at": 1561479335,
        "producer": "stores/abc123",
    }
    return json.dumps(document | changes, separators=(",", ":")).encode()


LONG: Final = 60.0
"""Seconds for whatever the gateway waits for: a machine that stands still sends no delivery another way. Tests about
those who let it wait shorten theirs."""


def configuration(*, start_deadline: float = LONG, receive_deadline: float = LONG, **webhooks: Any) -> Configuration:
    """Two shops of two tenants, both paired with one Fusion pod; `webhooks` changes the first shop's verification."""
    fusion = {
        "system": "oracle_fusion",
        "id": "fusion",
        "tenant": "acme",
        "environment": "test",
        "base_url": "https://pod.example.com",
        "oauth": {"token_url": "https://idp.example.com/token", "client_id": "mlc", "scope": "urn:all"},
    }
    shop = {"system": "bigcommerce", "environment": "test"}
    books = {
        "channel": "1",
        "currency": "USD",
        "ledger": "US Primary",
        "data_access_set": "US Primary",
        "journal_source": "Connector",
        "journal_category": "Sales",
        "balancing_segment": "101",
        "business_unit": "US",
    }
    return Configuration.model_validate(
        {
            "tenants": [{"id": "acme"}, {"id": "other"}],
            "connections": [
                fusion,
                shop | {"id": "bc-us", "tenant": "acme", "store_hash": "abc123", "webhooks": webhooks},
                shop | {"id": "bc-eu", "tenant": "other", "store_hash": "def456"},
            ],
            "integrations": [
                {
                    "id": "us-retail",
                    "tenant": "acme",
                    "fusion": "fusion",
                    "source": "bc-us",
                    "mapping_set": "retail",
                    "cut_over": "2026-01-01",
                    "channels": [{"id": "1"}],
                    "books": [books],
                }
            ],
            "mapping_sets": [{"id": "retail", "version": 1, "segments": ["co"], "balancing_segment": "co"}],
            "gateway": {
                "start_deadline": start_deadline,
                "receive_deadline": receive_deadline,
                "max_body": 20_000,
            },
        }
    )


@dataclass
class Temporal:
    """A starter that remembers what became durable, with the ways in which the real one lets us down."""

    down: bool = False
    hangs: bool = False
    started: list[StartRequest] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)
    attempts: int = 0
    attempts_of: Counter[asyncio.Task[Any] | None] = field(default_factory=Counter)
    """By the task that waited for the start: a sender's is the test's own, the drain has others."""

    async def start(self, request: StartRequest) -> None:
        self.attempts += 1
        self.attempts_of[asyncio.current_task()] += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.down:
            raise StartError(f"Temporal did not start {request.workflow_id}: unavailable.", outage=True)
        if request.document_id in self.refuses:
            raise StartError(f"Temporal did not start {request.workflow_id}: invalid argument.")
        self.started.append(request)

    @property
    def orders(self) -> list[str]:
        return [request.document_id for request in self.started]


class Written(Receipts):
    """Records of deliveries, of which a test knows when they are in the store."""

    def __init__(self, write: WriteReceipts) -> None:
        self._busy = 0

        async def counted(batch: Sequence[Receipt]) -> None:
            self._busy += 1
            try:
                await write(batch)
            finally:
                self._busy -= 1

        super().__init__(counted, interval=0.01)

    async def written(self) -> None:
        await eventually(lambda: not self._waiting and not self._busy, "the records are in the store")

    async def flush(self, *, patience: float = LONG) -> None:
        await super().flush(patience=patience)


@dataclass
class Gateway:
    """A gateway under test, reached over ASGI."""

    http: httpx.AsyncClient
    store: Store
    temporal: Temporal
    breaker: CircuitBreaker
    drain: InboxDrain
    receipts: Written

    sign = staticmethod(sign)
    payload = staticmethod(payload)

    async def deliver(
        self, body: bytes | None = None, headers: dict[str, str] | None = None, *, path: str = PATH
    ) -> httpx.Response:
        """A genuine delivery about order 1024, unless told otherwise."""
        body = payload() if body is None else body
        return await self.http.post(path, content=body, headers=sign(body) if headers is None else headers)

    async def records(self, connection: str = "bc-us") -> list[Receipt]:
        """Newest first, once the last delivery has been written down."""
        await self.receipts.written()
        return list(await self.store.deliveries.receipts(connection))


Serve = Callable[..., contextlib.AbstractAsyncContextManager[Gateway]]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = Store.open(f"sqlite+aiosqlite:///{tmp_path}/store.db", Vault(KeyRing.generate()))
    await opened.migrate()
    await opened.secrets.put("acme", "bc-us", "client_secret", SECRET)
    await opened.secrets.put("other", "bc-eu", "client_secret", SECRET)
    yield opened
    await opened.aclose()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store and the last resort have as long as the rest."""
    for deadline in ("admission.STORE_DEADLINE", "admission.LAST_RESORT", "app.STORE_DEADLINE"):
        monkeypatch.setattr(f"webhook_gateway.{deadline}", LONG)


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[Written]:
    """The records of every gateway that the test makes, in the order of their making."""
    made: list[Written] = []

    def keep(write: WriteReceipts) -> Written:
        made.append(Written(write))
        return made[-1]

    monkeypatch.setattr("webhook_gateway.app.Receipts", keep)
    return made


@pytest.fixture
def serve(store: Store, kept: list[Written]) -> Serve:
    """`async with serve(...) as gateway`: the application with its lifespan; leaving it is a graceful shutdown."""

    @contextlib.asynccontextmanager
    async def serving(
        *,
        temporal: Temporal | None = None,
        drain: bool = False,
        breaker: CircuitBreaker | None = None,
        now: Callable[[], dt.datetime] | None = None,
        store: Store = store,
        **webhooks: Any,
    ) -> AsyncIterator[Gateway]:
        starter = temporal or Temporal()
        breaker = breaker or CircuitBreaker()
        clock = {} if now is None else {"now": now}
        parts = GatewayParts(configuration(**webhooks), store, starter, breaker=breaker, drain=drain, **clock)
        app = create_app(parts)
        receipts = kept[-1]
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as http,
        ):
            by_hand = InboxDrain(store, starter, breaker, owner="by-hand")
            yield Gateway(http, store, starter, breaker, by_hand, receipts)

    return serving


@dataclass(frozen=True)
class Kit:
    """The factories of this folder, for tests that put their own gateway together."""

    configuration = staticmethod(configuration)
    payload = staticmethod(payload)
    sign = staticmethod(sign)
    Temporal = Temporal


@pytest.fixture
def kit() -> Kit:
    return Kit()
