"""The console as a process serves it, and the tokens it lets people in with."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from support.ports import free_ports
from support.stack import eventually, stopped

from console.passes import Passes
from contracts.configuration import Configuration
from runtime.serving import serve_console
from store import KeyRing


@asynccontextmanager
async def open_console(configuration: Configuration, keys: KeyRing, *, ui_url: str | None = None) -> AsyncIterator[str]:
    """Serves on a port of its own, decoding for the UI at `ui_url`. Gives its address."""
    [port] = free_ports(1)
    settings = configuration.model_copy(
        update={
            "temporal": configuration.temporal.model_copy(update={"ui_url": ui_url}),
            "console": configuration.console.model_copy(update={"port": port}),
        }
    )
    stop = asyncio.Event()
    serving = asyncio.create_task(serve_console(settings, keys, stop))
    url = f"http://127.0.0.1:{port}"

    async def answers() -> bool:
        try:
            async with httpx.AsyncClient() as http:
                return (await http.get(f"{url}/healthz")).is_success
        except httpx.TransportError:
            return False

    try:
        await eventually(answers, "the console answers")
        yield url
    finally:
        stop.set()
        await stopped(serving, "the console")


def token(keys: KeyRing, who: str = "dana") -> str:
    """What `ml-connector console token` prints."""
    return Passes(keys, "token").issue(who, dt.timedelta(hours=1))[0]
