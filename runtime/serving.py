"""The long-running processes: worker, gateway, console, and all with an embedded Temporal server for a pilot."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Collection, Iterator
from pathlib import Path
from typing import Final

import structlog
import uvicorn
from temporalio.client import Client

from console.addresses import public_url
from console.app import ConsoleParts
from console.app import create_app as create_console
from console.server import make_server as make_console_server
from contracts.configuration import Configuration
from runtime.observing.metrics import telemetry
from runtime.parts import open_parts, open_store
from runtime.temporal.codec import EncryptionCodec
from runtime.temporal.connect import connect, connect_options, register_search_attributes
from runtime.temporal.devserver import DevServer
from runtime.temporal.schedules import sync_schedules
from runtime.temporal.starting import TemporalStarter
from runtime.temporal.temporal_cli import find_or_obtain
from runtime.worker import run_worker
from store import KeyRing
from webhook_gateway.app import GatewayParts, create_app
from webhook_gateway.server import make_server

METRICS_PORT: Final = "ML_CONNECTOR_METRICS_PORT"
"""Environment: where metrics are served, the SDK's on it and ours on the next. Not set: nowhere."""
METRICS_HOST: Final = "ML_CONNECTOR_METRICS_HOST"
"""Environment: the address metrics are served on; this machine only unless it says otherwise."""
LOCAL_STATE: Final = Path(".ml-connector")
"""Where `up` keeps the database of the embedded Temporal server."""

_log = structlog.stdlib.get_logger(__name__)


@contextlib.contextmanager
def stop_on_signals() -> Iterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set. A second signal has its ordinary effect, for the impatient."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    asked = (signal.SIGTERM, signal.SIGINT)

    def ask() -> None:
        stop.set()
        for number in asked:
            loop.remove_signal_handler(number)

    for number in asked:
        loop.add_signal_handler(number, ask)
    try:
        yield stop
    finally:
        for number in asked:
            loop.remove_signal_handler(number)


async def serve_worker(
    configuration: Configuration, keys: KeyRing, stop: asyncio.Event, groups: Collection[str] | None = None
) -> None:
    """A worker until `stop`; at boot it brings tables, search attributes and schedules up to date.

    `groups`: worker groups whose connections it serves; all by default.
    """
    client = await _client(configuration, keys)
    await register_search_attributes(client)
    async with open_parts(configuration, keys, temporal=client, migrate=True) as parts:
        await sync_schedules(client, configuration)
        await run_worker(client, parts, stop, groups=groups)


async def serve_gateway(configuration: Configuration, keys: KeyRing, stop: asyncio.Event) -> None:
    """A gateway until `stop`. It starts, and takes deliveries, also while Temporal is down."""
    client = await _client(configuration, keys, lazy=True)
    async with open_store(configuration, keys, migrate=True) as store:
        app = create_app(GatewayParts(configuration=configuration, store=store, starter=TemporalStarter(client)))
        async with _serving(make_server(app, configuration.gateway), stop):
            _log.info("gateway is up", host=configuration.gateway.host, port=configuration.gateway.port)


async def serve_console(configuration: Configuration, keys: KeyRing, stop: asyncio.Event) -> None:
    """The operator's pages and the codec endpoint until `stop`. Needs the key ring and nothing else."""
    namespace = connect_options(configuration.temporal)["namespace"]
    app = create_console(ConsoleParts(configuration, keys, EncryptionCodec(keys), namespace))
    async with _serving(make_console_server(app, configuration.console), stop):
        _log.info("console is up", url=public_url(configuration.console), sign_in="ml-connector console token")


async def serve_all(configuration: Configuration, keys: KeyRing, stop: asyncio.Event) -> None:
    """Worker, gateway and console in one process; with an embedded Temporal server where none is configured."""
    async with _temporal_for(configuration) as complete, asyncio.TaskGroup() as tasks:
        for serve in (serve_worker, serve_gateway, serve_console):
            tasks.create_task(_stopping_others(serve(complete, keys, stop), stop))


@contextlib.asynccontextmanager
async def _serving(server: uvicorn.Server, stop: asyncio.Event) -> AsyncIterator[None]:
    """The server runs while the body does and then until `stop`; afterwards running requests have ended."""
    serving = asyncio.create_task(_stopping_others(server.serve(), stop))
    yield
    await stop.wait()
    server.should_exit = True
    await serving


@contextlib.asynccontextmanager
async def _temporal_for(configuration: Configuration) -> AsyncIterator[Configuration]:
    if configuration.temporal.address or configuration.temporal.profile or os.environ.get("TEMPORAL_ADDRESS"):
        yield configuration
        return
    binary = await find_or_obtain(lambda line: _log.info(line))
    async with DevServer(
        binary, database=LOCAL_STATE / "temporal.db", log=LOCAL_STATE / "temporal.log", port=7233, ui_port=8233
    ) as server:
        temporal = configuration.temporal.model_copy(update={"address": server.address, "ui_url": server.ui_url})
        yield configuration.model_copy(update={"temporal": temporal})


async def _client(configuration: Configuration, keys: KeyRing, *, lazy: bool = False) -> Client:
    port = os.environ.get(METRICS_PORT)
    host = os.environ.get(METRICS_HOST) or "127.0.0.1"
    runtime = telemetry(host, int(port)) if port else telemetry()
    return await connect(configuration.temporal, keys, lazy=lazy, announce=True, runtime=runtime)


async def _stopping_others(work: Awaitable[None], stop: asyncio.Event) -> None:
    """When one part ends, by an error or by a signal, the others drain as well."""
    try:
        await work
    finally:
        stop.set()
