"""`ml-connector worker`, `gateway` and `up`: the processes of an installation. The console has a module of its own."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated

import typer

from contracts.configuration import Configuration
from runtime import pollers
from runtime.commands.common import DEFAULT_CONFIG, ConfigOption, configured, fail, run
from runtime.serving import serve_all, serve_gateway, serve_worker, stop_on_signals
from store import KeyRing, follow_keys

Serve = Callable[[Configuration, KeyRing, asyncio.Event], Awaitable[None]]


def register(app: typer.Typer) -> None:
    app.command("worker")(worker)
    app.command("gateway")(gateway)
    app.command("up")(up)


def worker(
    config: ConfigOption = DEFAULT_CONFIG,
    group: Annotated[
        list[str] | None, typer.Option(help="Worker group whose connections to serve; all unless named. Repeatable.")
    ] = None,
) -> None:
    """Run workflows and activities. Start as many as you like; each drains on SIGTERM."""
    configuration = configured(config).configuration
    known = pollers.groups(configuration)
    for name in group or ():
        if name not in known:
            fail(
                f'There is no worker group "{name}" with connections to serve. Groups are: {", ".join(known)}.', code=2
            )
    run(serve_until_told(partial(serve_worker, groups=group), configuration))


def gateway(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Receive signed webhooks: the only public listener."""
    run(serve_until_told(serve_gateway, configured(config).configuration))


def up(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Run everything on this machine; with an embedded Temporal server where no address is configured."""
    run(serve_until_told(serve_all, configured(config).configuration))


async def serve_until_told(serve: Serve, configuration: Configuration) -> None:
    """Runs a process until SIGTERM or SIGINT, with a key ring that takes up changes of its file."""
    keys = follow_keys(os.environ)
    with stop_on_signals() as stop:
        await serve(configuration, keys, stop)
