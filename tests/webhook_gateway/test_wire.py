"""The gateway behind a real socket: sizes, slowness, and an end in good order."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import uvicorn
from support.stack import PATIENCE, eventually, stopped

from store import Store
from webhook_gateway.app import GatewayParts, create_app
from webhook_gateway.server import make_server


@dataclass
class Served:
    server: uvicorn.Server
    running: asyncio.Task[None]
    port: int
    temporal: Any
    sign: Callable[..., dict[str, str]]
    payload: Callable[..., bytes]

    async def post(self, body: Any, headers: dict[str, str] | None = None) -> httpx.Response:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=60) as http:
            return await http.post("/webhooks/acme/bc-us", content=body, headers=headers or {})

    async def raw(self, *pieces: bytes) -> bytes:
        """Sends the pieces as they are and reads to the end, or until the server has answered and closed."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        try:
            return await asyncio.wait_for(reader.read(), PATIENCE)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def serving(store: Store, kit: Any, **deadlines: float) -> AsyncIterator[Served]:
    configuration, temporal = kit.configuration(**deadlines), kit.Temporal()
    settings = configuration.gateway.model_copy(update={"host": "127.0.0.1", "port": 0})
    server = make_server(create_app(GatewayParts(configuration, store, temporal)), settings)
    server.config.timeout_graceful_shutdown = int(PATIENCE)
    running = asyncio.create_task(server.serve())
    await eventually(lambda: server.started or running.done(), "the gateway is up")
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Served(server, running, port, temporal, kit.sign, kit.payload)
    finally:
        server.should_exit = True
        await stopped(running, "the gateway")


@pytest.fixture
async def served(store: Store, kit: Any, kept: list[Any]) -> AsyncIterator[Served]:
    async with serving(store, kit) as opened:
        yield opened


HEAD = b"POST /webhooks/acme/bc-us HTTP/1.1\r\nHost: gateway\r\n"


async def test_a_delivery_over_the_wire_starts_its_workflow(served: Served) -> None:
    body = served.payload()
    answer = await served.post(body, served.sign(body))
    assert (answer.status_code, answer.content) == (202, b"")
    assert "server" not in answer.headers
    assert served.temporal.orders == ["1024"]


async def test_a_body_beyond_the_limit_is_refused_even_when_its_length_is_not_told(served: Served) -> None:
    async def chunks(count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield b"x" * 1000

    assert (await served.post(b"x" * 20_001)).status_code == 413
    assert (await served.post(chunks(30))).status_code == 413
    assert (await served.post(b"x" * 20_000)).status_code == 401


async def test_an_endless_body_is_cut_off(served: Served) -> None:
    answer = await served.raw(HEAD + b"Content-Length: 999999999999\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")
    piece = b"3e8\r\n" + b"x" * 1000 + b"\r\n"
    with contextlib.suppress(ConnectionError):
        assert (await served.raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", piece * 200)).startswith(
            b"HTTP/1.1 413 "
        )


async def test_a_sender_that_dawdles_is_not_waited_for(store: Store, kit: Any, kept: list[Any]) -> None:
    async with serving(store, kit, receive_deadline=0.5) as served:
        answer = await served.raw(HEAD + b"Content-Length: 500\r\n\r\n", b"{", b'"', b"a")
    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_a_sender_that_hangs_up_leaves_a_record(served: Served, store: Store) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(HEAD + b"Content-Length: 500\r\n\r\n{")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    records = await eventually(lambda: store.deliveries.receipts("bc-us"), "the delivery is recorded")
    assert records[0].verdict == "cut_off"


async def test_a_delivery_in_flight_is_answered_before_the_process_ends(served: Served, store: Store) -> None:
    body = served.payload()
    headers = "".join(f"{name}: {value}\r\n" for name, value in served.sign(body).items())
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(HEAD + headers.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body[:10])
    await writer.drain()
    await eventually(lambda: served.server.server_state.tasks, "the delivery is in flight")
    [listening] = served.server.servers
    served.server.should_exit = True
    await eventually(lambda: not listening.is_serving(), "the gateway takes no more of them")
    writer.write(body[10:])
    assert (await asyncio.wait_for(reader.readline(), PATIENCE)).startswith(b"HTTP/1.1 202 ")
    writer.close()
    await stopped(served.running, "the gateway")
    # A record that was just being written is written again.
    assert {record.verdict for record in await store.deliveries.receipts("bc-us")} == {"started"}


async def test_the_server_leaves_signals_to_its_process(served: Served) -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert all(getattr(handler, "__self__", None) is not served.server for handler in handlers)
