"""The ASGI layer around a twin's own application: hooks, faults and the record of calls."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.kit.calls import Call
from sandbox.kit.exchange import Exchange
from sandbox.kit.faults import Fault
from sandbox.kit.origins import READING, from_elsewhere
from sandbox.kit.server import TRANSPORT

if TYPE_CHECKING:
    from sandbox.kit.twin import Twin

PAGE, CONTROL = "/", "/_twin"
REFUSALS = {"error": 500, "outage": 503, "unauthorized": 401, "rate_limit": 429}
"""Faults that answer instead of handling, with the status they have when the fault names none."""

Refusal = Callable[[Exchange, Fault, int], Response]


class CutError(Exception):
    """The connection is to be cut without an answer."""


class Wire:
    """Takes each request through received, handled, committed, answering, and lets faults strike on the way.

    The twin's application runs to its end before anything is sent: what it did is done, whatever then happens to the
    answer. Requests for the twin's page and below `/_twin` pass untouched, so a twin that misbehaves can still be
    watched and controlled; only pages of other sites may not change anything there.
    """

    def __init__(self, app: ASGIApp, twin: Twin) -> None:
        self._app = app
        self._twin = twin
        self._ids = itertools.count(1)
        self._later: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] == PAGE or scope["path"].startswith(CONTROL):
            await self._control(scope, receive, send)
            return
        body = await _body(receive)
        if body is None:
            return
        exchange = Exchange(
            id=next(self._ids),
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            at=self._twin.clock.now(),
            headers=_headers(scope),
            body=body,
        )
        await self._serve(exchange, scope, receive, send)

    async def _control(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in READING and from_elsewhere(_headers(scope)):
            refused = PlainTextResponse("A page of another site cannot control this twin.\n", status_code=403)
            await refused(scope, receive, send)
            return
        self._twin.agenda.run_due()
        await self._app(scope, receive, send)

    async def _serve(self, exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.monotonic()
        struck: list[str] = []
        status: int | None = None
        try:
            answer = await self._handle(exchange, scope, struck)
            await self._twin.hooks.reach("answering", exchange)
            status = answer[0]["status"]
            for message in answer:
                await send(message)
        except CutError:
            status = None
            await _cut(scope, receive)
        finally:
            seconds = time.monotonic() - began
            fault = ",".join(struck)
            self._twin.calls.add(
                Call(exchange.id, exchange.at, exchange.method, exchange.path, exchange.query, status, seconds, fault)
            )

    async def _handle(self, exchange: Exchange, scope: Scope, struck: list[str]) -> list[Message]:
        twin = self._twin
        await twin.hooks.reach("received", exchange)
        if fault := self._strikes("latency", exchange, struck):
            await asyncio.sleep(fault.seconds + twin.faults.jitter(float(fault.options.get("jitter", 0.0))))
        twin.agenda.run_due()
        if self._strikes("cut", exchange, struck):
            raise CutError
        for kind, status in REFUSALS.items():
            if fault := self._strikes(kind, exchange, struck):
                return await self._refuse(exchange, fault, status, scope)
        if fault := self._strikes("delayed_commit", exchange, struck):
            return await self._delay(exchange, fault, scope)
        answer = await self._commit(exchange, scope)
        if self._strikes("lost_answer", exchange, struck):
            raise CutError
        if fault := self._strikes("error_after", exchange, struck):
            return await self._refuse(exchange, fault, 504, scope)
        if fault := self._strikes("slow_answer", exchange, struck):
            await asyncio.sleep(fault.seconds)
        return answer

    def _strikes(self, kind: str, exchange: Exchange, struck: list[str]) -> Fault | None:
        fault = self._twin.faults.take(kind, exchange.method, exchange.path)
        if fault is not None:
            struck.append(kind)
        return fault

    async def _refuse(self, exchange: Exchange, fault: Fault, status: int, scope: Scope) -> list[Message]:
        if fault.kind == "outage" and fault.options.get("mode") == "refuse":
            if self._twin.listener is not None:
                self._twin.listener.refuse(fault.lasts)
            raise CutError
        response = self._twin.refusal(exchange, fault, fault.status or status)
        if fault.retry_after is not None:
            response.headers["Retry-After"] = f"{fault.retry_after:g}"
        return await self._collect(exchange, response, scope)

    async def _delay(self, exchange: Exchange, fault: Fault, scope: Scope) -> list[Message]:
        async def later() -> list[Message]:
            await asyncio.sleep(fault.seconds)
            self._twin.agenda.run_due()
            return await self._commit(exchange, scope)

        async def unheard() -> None:
            await later()

        if fault.options.get("answer") == "cut":
            task = asyncio.get_running_loop().create_task(unheard())
            self._later.add(task)
            task.add_done_callback(self._later.discard)
            raise CutError
        return await later()

    async def _commit(self, exchange: Exchange, scope: Scope) -> list[Message]:
        answer = await self._collect(exchange, self._app, scope)
        await self._twin.hooks.reach("committed", exchange)
        return answer

    async def _collect(self, exchange: Exchange, app: ASGIApp, scope: Scope) -> list[Message]:
        """Run an application (a response is one too) with the body already read; keep what it sends."""
        messages: list[Message] = []
        read = False

        async def receive() -> Message:
            nonlocal read
            if read:
                await asyncio.Event().wait()
            read = True
            return {"type": "http.request", "body": exchange.body, "more_body": False}

        async def keep(message: Message) -> None:
            messages.append(message)

        # The application may change its scope (routing does); a second run must not see that.
        await app(dict(scope), receive, keep)
        start, *chunks = messages
        exchange.status = int(start["status"])
        exchange.answer = b"".join(chunk.get("body", b"") for chunk in chunks)
        date = format_datetime(self._twin.clock.now(), usegmt=True).encode()
        headers: list[Any] = [*start.get("headers", ()), (b"date", date)]
        return [{**start, "headers": headers}, {"type": "http.response.body", "body": exchange.answer}]

    async def close(self) -> None:
        """Drop commits that are still due."""
        for task in list(self._later):
            task.cancel()
        await asyncio.gather(*self._later, return_exceptions=True)


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


async def _body(receive: Receive) -> bytes | None:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


async def _cut(scope: Scope, receive: Receive) -> None:
    transport = scope.get("state", {}).get(TRANSPORT)
    if transport is None:
        raise ConnectionResetError("The twin cut the connection.")
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
