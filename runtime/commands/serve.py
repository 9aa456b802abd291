"""`ml-connector worker`, `gateway` and `up`: the processes of an installation."""

import asyncio
import os
from collections.abc import Awaitable, Callable

import typer

from contracts.configuration import Configuration
from runtime.commands.common import DEFAULT_CONFIG, ConfigOption, configured, run
from runtime.serving import serve_all, serve_gateway, serve_worker, stop_on_signals
from store import KeyRing

Serve = Callable[[Configuration, KeyRing, asyncio.Event], Awaitable[None]]


def register(app: typer.Typer) -> None:
    app.command("worker")(worker)
    app.command("gateway")(gateway)
    app.command("up")(up)


def worker(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Run workflows and activities. Start as many as you like; each drains on SIGTERM."""
    run(_serve(serve_worker, configured(config).configuration))


def gateway(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Receive signed webhooks: the only public listener."""
    run(_serve(serve_gateway, configured(config).configuration))


def up(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Run everything on this machine; with an embedded Temporal server where no address is configured."""
    run(_serve(serve_all, configured(config).configuration))


async def _serve(serve: Serve, configuration: Configuration) -> None:
    keys = KeyRing.from_environment(os.environ)
    with stop_on_signals() as stop:
        await serve(configuration, keys, stop)
