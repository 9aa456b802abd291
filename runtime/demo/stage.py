"""The demo's stage: a directory of its own, twins, Temporal, and workers and gateways as processes."""

import asyncio
import os
import re
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

import httpx

from activities.collaborators import Collaborators
from activities.hooks.keeping import keep_hooks
from activities.hooks.plan import plan_hooks
from contracts.configuration import BigCommerceConnection, Configuration
from contracts.secret_names import ACCESS_TOKEN, CLIENT_SECRET
from runtime.configuring.configuration import PATH_VARIABLE, load
from runtime.demo.afterwards import Tell
from runtime.demo.wholesale import CHANNEL, NAME, with_wholesale
from runtime.parts import open_parts
from runtime.pollers import groups
from runtime.temporal.devserver import DevServer
from runtime.temporal.temporal_cli import find_or_obtain
from sandbox.bigcommerce import EU_SHOP, US_SHOP, BigCommerceTwin, Profile, StoreSettings
from sandbox.bigcommerce.channels import Channel
from sandbox.fusion import FusionTwin
from sandbox.kit import serve
from store import KeyRing
from store.keys.keyring import KEY_FILE_VARIABLE

HOOKS: Final = "https://hooks.acme.example"
"""Where the shops believe the gateway is: they accept https on port 443 only. The twin knows the way."""
PORT: Final = 18080
"""The first gateway's, as the demo's file says; another one where it is taken."""
UI: Final = "http://localhost:8233"
"""Temporal's, as the demo's file says."""
LOOKED_AFTER: Final = 'hooks = { check_cron = "* * * * *", activation = 1.0 }'
"""Webhooks that a shop switches off are switched on again within a minute, and deliver at once: so do the twins."""
QUOTA: Final = 3000
RETRY_SCALE: Final = 0.02
"""Of the shop's waits between two attempts of a webhook: a minute becomes 1.2 seconds."""
MARKER: Final = ".ml-connector-demo"
"""A file in the directories that demos made: nothing else is ever emptied."""
STARTING: Final = 60.0
"""Seconds until a process that does not come up ends the demo."""


class DirectoryTakenError(Exception):
    """The demo would have to delete what it has not made."""

    def __init__(self, directory: Path) -> None:
        super().__init__(
            f"{directory} holds something that no demo made, and the demo empties its directory first. "
            "Name another with --directory, or delete it yourself."
        )


@dataclass(frozen=True)
class Setting:
    """What the demo runs on, and on how many."""

    workers: int = 1
    gateways: int = 1
    """The shops spread their deliveries over them, as a balancer would."""
    temporal: str | None = None
    """Address of a server that runs already; its namespace is `TEMPORAL_NAMESPACE`. None: a dev server of our own."""
    store: str | None = None
    """URL of an empty database. None: SQLite in the demo's directory."""


@dataclass
class Stage:
    directory: Path
    configuration: Configuration
    fusion: FusionTwin
    shops: BigCommerceTwin
    ui: str | None
    """Temporal's pages about this installation; None where nobody has said where they are."""
    parts: Collaborators

    @property
    def environment(self) -> dict[str, str]:
        """What operator commands need to look at this installation."""
        return {
            PATH_VARIABLE: str(_file(self.directory)),
            KEY_FILE_VARIABLE: str(self.directory / "keyring.json"),
        }


@asynccontextmanager
async def open_stage(directory: Path, tell: Tell, setting: Setting) -> AsyncIterator[Stage]:
    """Everything is up and the shops' webhooks are registered while the context lasts.

    Raises `DirectoryTakenError` before anything is touched.
    """
    keys = emptied(directory)
    binary = None if setting.temporal else await find_or_obtain(tell)
    ports = _free_ports(setting.gateways)
    gateways = [f"http://127.0.0.1:{port}" for port in ports]
    async with AsyncExitStack() as stack:
        fusion, shops = FusionTwin(), BigCommerceTwin([_shop(US_SHOP, gateways), _shop(EU_SHOP, gateways)])
        shops.stores[US_SHOP.store_hash].channels.append(Channel(CHANNEL, NAME))
        fusion_at = await stack.enter_async_context(serve(fusion))
        shops_at = await stack.enter_async_context(serve(shops))
        address, ui = setting.temporal or "", None
        if binary is not None:
            tell("Starting Temporal ...")
            server = await stack.enter_async_context(_temporal(binary, directory))
            address, ui = server.address, server.ui_url
        configuration = _configured(
            directory,
            {
                "MLC_STORE_URL": setting.store or f"sqlite+aiosqlite:///{directory / 'store.db'}",
                "MLC_TEMPORAL": address,
                "MLC_TEMPORAL_UI": ui or UI,
                "MLC_FUSION_URL": fusion_at.url,
                "MLC_SHOP_URL": shops_at.url,
            },
            ports,
        )
        parts = await stack.enter_async_context(open_parts(configuration, keys, migrate=True))
        pages = ui and f"{ui}/namespaces/{parts.temporal.namespace}/workflows"
        if parts.sharing is not None:
            # For the whole demo, unlike a command: who comes back after a minute has to wait until busy workers have
            # taken note. The demo's accounts allow far more than its part.
            await parts.sharing.join(groups(configuration))
        stage = Stage(directory, configuration, fusion, shops, pages, parts)
        await _set_secrets(parts)
        tell(f"Starting {_counted(setting.workers, 'worker')} and {_counted(setting.gateways, 'gateway')} ...")
        for command, count in (("worker", setting.workers), ("gateway", setting.gateways)):
            for number in range(1, count + 1):
                await stack.enter_async_context(_process(command, number, stage))
        for gateway in gateways:
            await _gateway_answers(gateway)
        await _register_hooks(stage)
        yield stage


def _temporal(binary: Path, directory: Path) -> DevServer:
    """In a file: a busy machine makes a server lose what it has in memory now and then. No write waits for the disk,
    because nothing outlives the demo."""
    pragmas = ("--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=off")
    return DevServer(
        binary, database=directory / "temporal.db", log=directory / "temporal.log", extra_arguments=pragmas
    )


def _counted(count: int, what: str) -> str:
    return what if count == 1 else f"{count} {what}s"


def emptied(directory: Path) -> KeyRing:
    """A fresh directory with a fresh key ring: nothing of an earlier demo is left.

    Raises `DirectoryTakenError` where something else is there.
    """
    if directory.exists():
        if not directory.is_dir() or (any(directory.iterdir()) and not (directory / MARKER).is_file()):
            raise DirectoryTakenError(directory)
        shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / MARKER).write_text("ml-connector demo empties this directory when it begins.\n", encoding="utf-8")
    keys = KeyRing.generate()
    keys.write(directory / "keyring.json")
    return keys


def _free_ports(count: int) -> list[int]:
    """Another demo, or another program, may have the usual port: then any other does."""
    with ExitStack() as held:
        ports: list[int] = []
        for wanted in (PORT, *[0] * count):
            listener = held.enter_context(socket.socket())
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", wanted))
            except OSError:
                continue
            ports.append(int(listener.getsockname()[1]))
        return ports[:count]


def _shop(profile: Profile, gateways: Sequence[str]) -> StoreSettings:
    return StoreSettings(profile, requests_per_window=QUOTA, reachable={HOOKS: gateways}, time_scale=RETRY_SCALE)


def _configured(directory: Path, values: Mapping[str, str], ports: Sequence[int]) -> Configuration:
    """The demo's file with its variables filled in, so that a person's commands need none of them.

    Gateways share a machine here, so each has a file that differs in its port.
    """
    text = with_wholesale(files("runtime.demo").joinpath("connector.toml").read_text(encoding="utf-8"))
    for name, value in values.items():
        text = text.replace(f"${{{name}}}", value).replace(f"${{{name}:-{UI}}}", value)
    text = re.sub(r"^store_hash = .*$", rf"\g<0>\n{LOOKED_AFTER}", text, flags=re.MULTILINE)
    for number, port in enumerate(ports, start=1):
        path = _file(directory, "gateway", number)
        path.write_text(text.replace(f"port = {PORT}", f"port = {port}"), encoding="utf-8")
    return load(_file(directory))


def _file(directory: Path, command: str = "worker", number: int = 1) -> Path:
    """The configuration file of a process."""
    return directory / (f"gateway-{number}.toml" if command == "gateway" and number > 1 else "connector.toml")


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
async def _process(command: str, number: int, stage: Stage) -> AsyncIterator[None]:
    name = command if number == 1 else f"{command}-{number}"
    with (stage.directory / f"{name}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "from runtime.cli import main; main()",
            "--log-form",
            "json",
            command,
            env={**os.environ, **stage.environment, PATH_VARIABLE: str(_file(stage.directory, command, number))},
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
            plan = await plan_hooks(stage.parts.store, stage.configuration, connection, address=HOOKS)
            if plan is not None:
                desk = stage.parts.shops[connection.id].hooks
                await keep_hooks(stage.parts.store, desk, plan, job="demo", clock=stage.parts.clock)
