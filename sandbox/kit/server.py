"""Running a twin: uvicorn in the current event loop, on a port that can be closed and opened again."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any, Protocol

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

TRANSPORT = "twin.transport"


class HasApp(Protocol):
    """A twin, or anything else with an ASGI application; told of its listener while it is served."""

    @property
    def app(self) -> ASGIApp: ...

    listener: Listener | None


class _Protocol(H11Protocol):
    """Hands each request its transport, so that a fault can cut the connection without a word."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.app_state = {**self.app_state, TRANSPORT: transport}
        super().connection_made(transport)


class _Server(uvicorn.Server):
    """Ends as soon as it is asked to, which uvicorn alone notices a tenth of a second later."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.stopping = asyncio.Event()

    async def main_loop(self) -> None:
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), 1.0)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to whoever runs the loop."""
        yield


class Listener:
    """A served twin: its address, and the door."""

    def __init__(self, server: _Server, host: str, port: int) -> None:
        self._server = server
        self._reopening: asyncio.Task[None] | None = None
        self._held: socket.socket | None = None
        """While nobody is let in, what keeps others from taking the port."""
        self.host = host
        self.port = port
        self.url = f"http://{host}:{port}"

    def refuse(self, seconds: float | None = None) -> None:
        """Close the port and cut every connection, as a system that is down does; open again after `seconds`."""
        loop = asyncio.get_running_loop()
        closing = list(self._server.servers)
        for listening in closing:
            for door in listening.sockets:
                loop.remove_reader(door.fileno())
        self.cut()
        # Who has been let in at this very moment needs a server that is still open, and is cut once he is known.
        loop.call_soon(self._shut, closing)
        if seconds is not None:
            self._reopening = loop.create_task(self._reopen(seconds))

    def _shut(self, closing: list[asyncio.Server]) -> None:
        for listening in closing:
            listening.close()
        if self._held is None:
            self._held = _bind(self.host, self.port)
        asyncio.get_running_loop().call_soon(self.cut)

    async def accept(self) -> None:
        """Open the port again after `refuse`."""
        loop = asyncio.get_running_loop()
        state = self._server.lifespan.state

        def protocol() -> asyncio.Protocol:
            return _Protocol(config=self._server.config, server_state=self._server.server_state, app_state=state)

        held, self._held = self._held, None
        self._server.servers = [await loop.create_server(protocol, sock=held or _bind(self.host, self.port))]

    def cut(self) -> None:
        """Cut every open connection."""
        for connection in list(self._server.server_state.connections):
            transport: Any = connection.transport
            if transport is not None:
                transport.abort()

    async def _reopen(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.accept()

    async def close(self) -> None:
        """Stop a pending reopening, and let go of a port that is closed."""
        if self._reopening is not None:
            self._reopening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reopening
        if self._held is not None:
            self._held.close()
            self._held = None


@contextlib.asynccontextmanager
async def serve(twin: HasApp | ASGIApp, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Listener]:
    """Serve a twin (or a bare ASGI application) while the context lasts; port 0 takes a free one.

    Connections stay open for 75 idle seconds: a server that closes them sooner makes clients lose requests for reasons
    nobody asked for.
    """
    served: Any = twin
    known = hasattr(served, "listener")
    app: ASGIApp = served.app if known else served
    listening = _bind(host, port)
    config = uvicorn.Config(
        app,
        http=_Protocol,
        loop="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=not known,  # a twin sends the date of its own clock
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    listener = Listener(server, host, listening.getsockname()[1])
    running = asyncio.get_running_loop().create_task(server.serve(sockets=[listening]))
    try:
        while not server.started:
            if running.done():
                await running
                raise RuntimeError("The twin's server ended before it had started.")
            await asyncio.sleep(0.005)
        if known:
            served.listener = listener
        yield listener
    finally:
        if known:
            served.listener = None
        await listener.close()
        if server.started:
            listener.cut()
        server.should_exit = True
        server.stopping.set()
        await running


def _bind(host: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, port))
    listening.setblocking(False)
    return listening
