"""The gateway's web application: verify raw bytes, make a durable start, answer 202."""

import asyncio
import contextlib
import datetime as dt
import os
import secrets as random_secrets
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Final

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from contracts import names
from contracts.configuration import BigCommerceConnection, Configuration
from contracts.hooks import exceptions_of
from contracts.secret_names import CLIENT_SECRET, WEBHOOK_HEADER
from contracts.starting import Starter, StartRequest
from store import Store
from store.rows import Receipt
from webhook_gateway import counters
from webhook_gateway.admission import STORE_DEADLINE, Admission, Admitted
from webhook_gateway.bigcommerce import announced, delivery_exception, parse_payload
from webhook_gateway.breaker import CircuitBreaker
from webhook_gateway.credentials import CredentialCache
from webhook_gateway.faults import reason
from webhook_gateway.inbox import InboxDrain
from webhook_gateway.receipts import Receipts
from webhook_gateway.receiving import receive_body
from webhook_gateway.verdicts import STATUS, Refusal, Verdict
from webhook_gateway.verification import delivery_id, uses_header, uses_signature, verify_header, verify_signature

REASONS: Final = {
    400: "Bad request.",
    401: "Not authorized.",
    404: "Not found.",
    408: "Too slow.",
    413: "Too large.",
    503: "Try again later.",
}
"""What a sender is told. The truth about a refusal is in the delivery record, not in the answer to a stranger."""

_log = structlog.stdlib.get_logger(__name__)


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _owner() -> str:
    return f"{socket.gethostname()[:60]}:{os.getpid()}:{random_secrets.token_hex(4)}"


@dataclass(frozen=True)
class GatewayParts:
    """What a gateway is made of."""

    configuration: Configuration
    store: Store
    starter: Starter
    breaker: CircuitBreaker = field(default_factory=CircuitBreaker)
    owner: str = field(default_factory=_owner)
    """Names this process in the inbox's claims."""
    now: Callable[[], dt.datetime] = _utc_now
    drain: bool = True
    """Drain the inbox in the background. Off only where a test drains by hand."""


@dataclass
class _Delivery:
    """What is known of one delivery so far; becomes its record."""

    tenant: str
    connection: str
    received_at: dt.datetime
    delivery_id: str = ""
    workflow_id: str = ""
    scope: str = ""


def create_app(parts: GatewayParts) -> Starlette:
    """`POST /webhooks/{tenant}/{connection}`, `GET /healthz` (the process runs) and `GET /readyz` (it can accept).

    A shop that wants another address for what it says of failed deliveries has `/exceptions` below the first.
    The lifespan drains the inbox and writes delivery records; on shutdown it writes what is left of them, and leaves
    nothing behind that uses the store.
    """
    gateway = _Gateway(parts)
    app = Starlette(
        routes=[
            Route("/webhooks/{tenant}/{connection}", gateway.deliver, methods=["POST"]),
            Route(exceptions_of("/webhooks/{tenant}/{connection}"), gateway.deliver, methods=["POST"]),
            Route("/webhooks/{rest:path}", gateway.deliver, methods=["POST"]),
            Route("/healthz", gateway.healthz, methods=["GET"]),
            Route("/readyz", gateway.readyz, methods=["GET"]),
        ],
        lifespan=gateway.lifespan,
    )
    app.router.redirect_slashes = False  # a redirected POST loses its body with many senders
    return app


class _Gateway:
    def __init__(self, parts: GatewayParts) -> None:
        settings = parts.configuration.gateway
        self._parts = parts
        self._settings = settings
        self._connections = {
            (one.tenant, one.id): one
            for one in parts.configuration.connections
            if isinstance(one, BigCommerceConnection)
        }
        self._credentials = CredentialCache(parts.store.secrets.get)
        self._receipts = Receipts(parts.store.deliveries.receive)
        self._drain = InboxDrain(parts.store, parts.starter, parts.breaker, owner=parts.owner, now=parts.now)
        self._admission = Admission(
            parts.store,
            parts.starter,
            parts.breaker,
            start_deadline=settings.start_deadline,
            inbox_filled=self._drain.fill,
        )
        self._ready = (float("-inf"), False)

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self._receipts.run(), name="delivery records")]
        if self._parts.drain:
            tasks.append(asyncio.create_task(self._drain.run(), name="inbox"))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._admission.settled()
            await self._receipts.flush()

    async def healthz(self, request: Request) -> Response:
        return PlainTextResponse("ok")

    async def readyz(self, request: Request) -> Response:
        """Ready while the store answers: without Temporal deliveries go to the inbox. Asked once a second at most."""
        at, ready = self._ready
        if time.monotonic() - at > 1.0:
            try:
                async with asyncio.timeout(STORE_DEADLINE):
                    await self._parts.store.deliveries.inbox_depth()
                ready = True
            except Exception as error:
                _log.warning("store not ready", error=reason(error))
                ready = False
            self._ready = (time.monotonic(), ready)
        return PlainTextResponse("ready" if ready else "not ready", status_code=200 if ready else 503)

    async def deliver(self, request: Request) -> Response:
        began = time.perf_counter()
        delivery = _Delivery(
            tenant=_printable(request.path_params.get("tenant", "")),
            connection=_printable(request.path_params.get("connection", "")),
            received_at=self._parts.now(),
        )
        try:
            admitted = await self._accept(request, delivery)
            verdict, sentence = admitted.verdict, admitted.sentence
        except Refusal as refusal:
            verdict, sentence = refusal.verdict, refusal.sentence
        except Exception as error:
            # Nothing durable is known to have happened, so the sender is asked to come again.
            _log.error("delivery failed", connection=delivery.connection, error=reason(error))
            verdict, sentence = Verdict.UNAVAILABLE, f"The delivery could not be handled ({reason(error)})."
        status = STATUS[verdict]
        self._record(delivery, verdict, sentence, seconds=time.perf_counter() - began)
        headers = {"retry-after": "60"} if status == 503 else {}
        if verdict in (Verdict.OVERSIZE, Verdict.TOO_SLOW):
            headers["connection"] = "close"
        return PlainTextResponse(REASONS.get(status, ""), status_code=status, headers=headers)

    async def _accept(self, request: Request, delivery: _Delivery) -> Admitted:
        """Everything between the first byte and the answer, in the order in which a stranger learns least."""
        path = request.path_params
        connection = self._connections.get((path.get("tenant", ""), path.get("connection", "")))
        if connection is None:
            raise Refusal(Verdict.UNKNOWN_ROUTE, "No connection of this tenant receives webhooks under this name.")
        body = await receive_body(request, limit=self._settings.max_body, deadline=self._settings.receive_deadline)
        await self._verify(request, body, connection, delivery)
        payload = parse_payload(body, connection)
        delivery.delivery_id = delivery.delivery_id or payload.hash[:200]
        delivery.scope = payload.scope[:80]
        trouble = delivery_exception(payload)
        document = None if trouble else announced(payload)
        if document is None and not trouble:
            return Admitted(Verdict.IGNORED, f"Scope {delivery.scope} concerns no flow.")
        integrations = self._parts.configuration.integrations_of(connection.id)
        if not integrations:
            return Admitted(Verdict.IGNORED, f"No integration has {connection.id} as its source.")
        if document and document.flow == names.LOOK_AT_PRODUCT:
            integrations = tuple(one for one in integrations if one.items.enabled)
        if document and document.flow == names.LOOK_AT_CUSTOMER:
            integrations = tuple(one for one in integrations if one.customers.enabled)
        if not integrations:
            return Admitted(Verdict.IGNORED, f"Scope {delivery.scope} concerns no flow.")
        start = StartRequest(
            flow=document.flow if document else names.HOOKS_HEALTH,
            connection=connection.id,
            integration=integrations[0].id,
            document_id=document.document_id if document else names.HOOKS_EXCEPTION,
            parent_id=document.parent_id if document else None,
            job=f"delivery:{delivery.delivery_id}"[:200] if delivery.delivery_id else "delivery",
            received_at=delivery.received_at,
            quiet=0.0 if trouble else integrations[0].imports.quiet_period,
        )
        delivery.workflow_id = start.workflow_id
        admitted = await self._admission.admit(start, tenant=connection.tenant)
        if trouble:
            _log.warning("shop says that deliveries fail", connection=connection.id, sentence=trouble)
            return Admitted(admitted.verdict, f"{trouble} {admitted.sentence}".strip())
        return admitted

    async def _verify(
        self, request: Request, body: bytes, connection: BigCommerceConnection, delivery: _Delivery
    ) -> None:
        """By signature, by header, or by both where both are required. Sets the delivery id once it can be trusted."""
        settings, headers = connection.webhooks, request.headers
        now = self._parts.now()
        if uses_signature(settings):
            await self._with_secrets(
                connection,
                CLIENT_SECRET,
                lambda secrets: verify_signature(body, headers, secrets=secrets, tolerance=settings.tolerance, now=now),
            )
        if uses_header(settings):
            await self._with_secrets(
                connection,
                WEBHOOK_HEADER,
                lambda secrets: verify_header(headers, name=settings.header, secrets=secrets),
            )
        delivery.delivery_id = delivery_id(headers)

    async def _with_secrets(
        self, connection: BigCommerceConnection, name: str, verify: Callable[[tuple[str, ...]], None]
    ) -> None:
        """Verifies with the secrets in memory, and once more with those of the store when none of them matches."""
        secrets = await self._credentials.secrets(connection.tenant, connection.id, name)
        try:
            verify(secrets)
        except Refusal as refusal:
            if refusal.verdict is not Verdict.BAD_SIGNATURE:
                raise
            newer = await self._credentials.secrets(connection.tenant, connection.id, name, newer=True)
            if not newer:
                raise Refusal(
                    Verdict.UNAVAILABLE,
                    f"{connection.id} has no secret {name}, so nothing can be verified. Set it with "
                    f"`ml-connector secrets set {connection.id} {name}`; the shop will deliver again.",
                ) from refusal
            if newer == secrets:
                raise
            verify(newer)

    def _record(self, delivery: _Delivery, verdict: Verdict, sentence: str, *, seconds: float) -> None:
        status = STATUS[verdict]
        known = (delivery.tenant, delivery.connection) in self._connections
        counters.DELIVERIES.labels(delivery.connection if known else "", verdict.value).inc()
        counters.ANSWER_SECONDS.labels("accepted" if status < 300 else "refused").observe(seconds)
        counters.BREAKER_OPEN.set(self._parts.breaker.open)
        self._receipts.add(
            Receipt(
                tenant=delivery.tenant,
                connection=delivery.connection,
                delivery_id=delivery.delivery_id,
                verdict=verdict.value,
                status=status,
                workflow_id=delivery.workflow_id,
                received_at=delivery.received_at,
                sentence=sentence,
                scope=delivery.scope,
            )
        )


def _printable(text: str) -> str:
    """A path segment from a stranger, fit for a record: at most 40 printable ASCII characters."""
    return "".join(character if " " < character <= "~" else "?" for character in text[:40])
