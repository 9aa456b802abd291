"""The demo's stage: a directory of its own, twins, Temporal, and worker and gateway as processes."""

import asyncio
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

import httpx

from activities.collaborators import Collaborators
from contracts.configuration import BigCommerceConnection, Configuration
from contracts.secret_names import ACCESS_TOKEN, CLIENT_SECRET
from runtime.configuring.configuration import PATH_VARIABLE, load
from runtime.demo.story import Tell
from runtime.parts import open_parts
from runtime.temporal.devserver import DevServer
from runtime.temporal.temporal_cli import find_or_obtain
from sandbox.bigcommerce import EU_SHOP, US_SHOP, BigCommerceTwin, Profile, StoreSettings
from sandbox.fusion import FusionTwin
from sandbox.kit import serve
from store import KeyRing
from store.keyring import KEY_FILE_VARIABLE

HOOKS: Final = "https://hooks.acme.example"
"""Where the shops believe the gateway is: they accept https on port 443 only. The twin knows the way."""
PORT: Final = 18080
"""The gateway's, as the demo's file says; another one where it is taken."""
QUOTA: Final = 3000
RETRY_SCALE: Final = 0.02
"""Of the shop's waits between two attempts of a webhook: a minute becomes 1.2 seconds."""
STARTING: Final = 60.0
"""Seconds until a process that does not come up ends the demo."""


@dataclass
class Stage:
    directory: Path
    configuration: Configuration
    gateway: str
    """Where the gateway really listens."""
    fusion: FusionTwin
    shops: BigCommerceTwin
    server: DevServer
    parts: Collaborators

    @property
    def environment(self) -> dict[str, str]:
        """What operator commands need to look at this installation."""
        return {
            PATH_VARIABLE: str(self.directory / "connector.toml"),
            KEY_FILE_VARIABLE: str(self.directory / "keyring.json"),
        }


@asynccontextmanager
async def open_stage(directory: Path, tell: Tell) -> AsyncIterator[Stage]:
    """Everything is up and the shops' webhooks are registered while the context lasts."""
    binary = await find_or_obtain(tell)
    keys = _emptied(directory)
    port = _free_port()
    gateway = f"http://127.0.0.1:{port}"
    async with AsyncExitStack() as stack:
        fusion, shops = FusionTwin(), BigCommerceTwin([_shop(US_SHOP, gateway), _shop(EU_SHOP, gateway)])
        fusion_at = await stack.enter_async_context(serve(fusion))
        shops_at = await stack.enter_async_context(serve(shops))
        tell("Starting Temporal ...")
        server = DevServer(binary, log=directory / "temporal.log")
        await stack.enter_async_context(server)
        configuration = _configured(
            directory,
            {
                "MLC_STORE_URL": f"sqlite+aiosqlite:///{directory / 'store.db'}",
                "MLC_TEMPORAL": server.address,
                "MLC_TEMPORAL_UI": server.ui_url or "",
                "MLC_FUSION_URL": fusion_at.url,
                "MLC_SHOP_URL": shops_at.url,
            },
            port,
        )
        parts = await stack.enter_async_context(open_parts(configuration, keys, migrate=True))
        stage = Stage(directory, configuration, gateway, fusion, shops, server, parts)
        await _set_secrets(parts)
        tell("Starting worker and gateway ...")
        for command in ("worker", "gateway"):
            await stack.enter_async_context(_process(command, stage))
        await _gateway_answers(gateway)
        await _register_hooks(stage)
        yield stage


def _emptied(directory: Path) -> KeyRing:
    """A fresh directory with a fresh key ring: nothing of an earlier demo is left."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    keys = KeyRing.generate()
    keys.write(directory / "keyring.json")
    return keys


def _free_port() -> int:
    """Another demo, or another program, may have the port: then any other does."""
    for wanted in (PORT, 0):
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", wanted))
            except OSError:
                continue
            return int(listener.getsockname()[1])
    raise OSError("This machine has no free port.")


def _shop(profile: Profile, gateway: str) -> StoreSettings:
    return StoreSettings(profile, requests_per_window=QUOTA, reachable={HOOKS: gateway}, time_scale=RETRY_SCALE)


def _configured(directory: Path, values: Mapping[str, str], port: int) -> Configuration:
    """The demo's file with its variables filled in, so that a person's commands need none of them."""
    text = files("runtime.demo").joinpath("connector.toml").read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace(f"${{{name}}}", value).replace(f"${{{name}:-http://localhost:8233}}", value)
    text = text.replace(f"port = {PORT}", f"port = {port}")
    path = directory / "connector.toml"
    path.write_text(text, encoding="utf-8")
    return load(path)


async def _set_secrets(parts: Collaborators) -> None:
    for connection in parts.configuration.connections:
        values = (
            {ACCESS_TOKEN: "access-token", CLIENT_SECRET: "client-secret"}
            if isinstance(connection, BigCommerceConnection)
            else {CLIENT_SECRET: "twin-secret"}
        )
        for name, value in values.items():
            await parts.store.secrets.put(connection.tenant, connection.id, name, value)


@asynccontextmanager
async def _process(command: str, stage: Stage) -> AsyncIterator[None]:
    with (stage.directory / f"{command}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "from runtime.cli import main; main()",
            "--log-form",
            "json",
            command,
            env={**os.environ, **stage.environment},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 40)
            except TimeoutError:
                process.kill()
                await process.wait()


async def _gateway_answers(gateway: str) -> None:
    async with httpx.AsyncClient() as client, asyncio.timeout(STARTING):
        while True:
            try:
                if (await client.get(f"{gateway}/readyz")).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)


async def _register_hooks(stage: Stage) -> None:
    for connection in stage.configuration.connections:
        if isinstance(connection, BigCommerceConnection):
            destination = f"{HOOKS}/webhooks/{connection.tenant}/{connection.id}"
            await stage.parts.shops[connection.id].register_webhooks(destination)
