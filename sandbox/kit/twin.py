"""The base of a twin."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from sandbox.kit.agenda import Agenda
from sandbox.kit.calls import Calls
from sandbox.kit.clock import Clock
from sandbox.kit.control import control_routes
from sandbox.kit.exchange import Exchange
from sandbox.kit.faults import Fault, Faults
from sandbox.kit.hooks import Hooks
from sandbox.kit.pages import Pages
from sandbox.kit.server import Listener
from sandbox.kit.wire import Wire


class Twin:
    """A simulated system. Subclasses set `name`, give `routes`, and say what their refusals look like.

    `startup` and `shutdown` run with the server: a twin that acts by itself (sends webhooks) keeps its tasks there.
    A subclass sets its own state before it calls `super().__init__`, which asks for the routes.
    """

    name = "twin"

    def __init__(self, *, clock: Clock | None = None, seed: int = 0) -> None:
        self.clock = clock or Clock()
        self.agenda = Agenda(self.clock)
        self.faults = Faults(seed)
        self.hooks = Hooks()
        self.calls = Calls()
        self.listener: Listener | None = None
        routes = [*self.pages().routes(), *control_routes(self), *self.routes()]
        self._wire = Wire(Starlette(routes=routes, lifespan=self._lifespan), self)

    @property
    def app(self) -> ASGIApp:
        """The twin as an ASGI application."""
        return self._wire

    @property
    def url(self) -> str:
        """Where the twin is served."""
        return self.listener.url if self.listener else f"http://{self.name}.invalid"

    def routes(self) -> list[BaseRoute]:
        """The vendor's routes, and the twin's own below `/_twin`."""
        return []

    def pages(self) -> Pages:
        """What people see at `/`. Called once, before a subclass has set what follows `super().__init__`."""
        return Pages(self)

    def refusal(self, exchange: Exchange, fault: Fault, status: int) -> Response:
        """What the vendor's answer with this status looks like when the twin refuses to handle a request."""
        return PlainTextResponse(str(fault.options.get("text", "Refused.")), status_code=status)

    async def startup(self) -> None:
        """Called when serving begins."""

    async def shutdown(self) -> None:
        """Called when serving ends."""

    @contextlib.asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        await self.startup()
        try:
            yield
        finally:
            self.hooks.clear()
            await self._wire.close()
            await self.shutdown()
