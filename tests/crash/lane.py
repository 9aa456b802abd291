"""One stack under attack: twins in the test's process, workers and gateways as processes of their own."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from crash.boundaries import Fate, Points, writable
from crash.report import Run
from crash.settings import Setting, write_settings
from support.processes import MortalProcess, Nursery, start_command
from support.stack import Stack, eventually, open_stack

from sandbox.bigcommerce import US_SHOP
from sandbox.bigcommerce.profiles import EU_SHOP
from sandbox.bigcommerce.store import Store, StoreSettings
from sandbox.kit import Exchange
from sandbox.kit.hooks import Point

LADDER_SCALE: Final = 0.01
"""The shop repeats a failed delivery after 0.6 s, 1.8 s, 3 s, ... instead of a minute, three, five."""
SETTLED: Final = 900.0
"""Seconds until everything that was started must have ended: a paused worker swallows a task with each of its polls."""


class Server(Protocol):
    """What the crash proof needs of a Temporal server, of whatever make."""

    @property
    def address(self) -> str: ...

    @property
    def pid(self) -> int | None:
        """Of the process that serves; None while there is none."""
        ...

    async def start(self) -> None:
        """Comes up again where clients expect it, with what it knew."""
        ...

    async def kill(self) -> None:
        """SIGKILL, and waits until it is gone."""
        ...


@dataclass
class Lane:
    """A stack, its processes, and what is done to them. One row at a time."""

    stack: Stack
    setting: Setting
    server: Server
    """Others use it as well, unless the setting has a server of its own."""
    nursery: Nursery
    points: Points
    config: Path
    gateway_url: str
    workers: list[MortalProcess] = field(default_factory=list)
    gateways: list[MortalProcess] = field(default_factory=list)
    paused: list[MortalProcess] = field(default_factory=list)
    mapping_version: int = 1
    run: Run = field(default_factory=lambda: Run("", ""))
    """What the row is counted in."""
    _shift: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while one process takes over from another."""
    _commands: list[tuple[MortalProcess, asyncio.subprocess.Process]] = field(default_factory=list)
    _known: dict[int, MortalProcess] = field(default_factory=dict)
    """Every worker and gateway that was ever started, by its id."""

    def __post_init__(self) -> None:
        self._configuration = self.config.read_text()

    # Who is there

    async def staff(self, *, workers: int = 1, fresh: bool = False) -> None:
        """Exactly so many workers live, and the gateways of the setting, which listen.

        `fresh`: workers whose caches are cold.
        """
        await self._reduce(self.workers, 0 if fresh else workers)
        while len(self.living_workers()) < workers:
            await self.start_worker()
        await self._reduce(self.gateways, self.setting.gateways)
        while len(self.living_gateways()) < self.setting.gateways:
            await self.start_gateway()
        for gateway in self.gateways:
            await gateway.says("gateway is up")
        if self.setting.gateways:
            for connection in ("bc-us", "bc-eu"):
                self.subscribe(connection)

    async def _reduce(self, processes: list[MortalProcess], number: int) -> None:
        living = [one for one in processes if one.alive]
        for surplus in living[number:]:
            await surplus.kill()
        processes[:] = living[:number]

    async def nobody(self) -> None:
        """No worker and no gateway lives."""
        await self._reduce(self.workers, 0)
        await self._reduce(self.gateways, 0)

    async def start_worker(self) -> MortalProcess:
        worker = await self._start("worker")
        self.workers.append(worker)
        return worker

    async def start_gateway(self) -> MortalProcess:
        gateway = await self._start("gateway")
        self.gateways.append(gateway)
        return gateway

    async def _start(self, role: str) -> MortalProcess:
        options = {"config": str(self.config), "points": str(self.config.parent / "points"), "few_pollers": True}
        process = await self.nursery.start(role, self.stack.directory, self.stack.environment, **options)
        self._known[process.pid] = process
        return process

    async def start_commands(self) -> None:
        """`ml-connector worker` and `gateway` themselves, without anything of the tests in them."""
        for role in ("gateway", "worker"):
            log = self.stack.directory / f"command-{role}-{len(self._commands)}.log"
            started = await start_command(
                [role, "--config", str(self.config)], self.stack.environment, log, f"ml-connector {role}"
            )
            self._commands.append(started)
            await started[0].says(f"{role} is up")

    async def kill_commands(self) -> None:
        """All that live."""
        for process, _ in self._commands:
            if process.alive:
                await process.kill()
                self.hit("gateway" if "gateway" in process.name else "worker")

    async def end_commands(self) -> None:
        """In an orderly way."""
        for process, _ in self._commands:
            await process.end()

    def living_workers(self) -> list[MortalProcess]:
        """Those that do not stand still."""
        return [one for one in self.workers if one.alive and one not in self.paused]

    def last_words(self) -> list[str]:
        """Of processes that ended by an error of their own, for people."""
        told = []
        for process in (*self.workers, *self.gateways):
            words = process.text().strip().splitlines()[-1:]
            if not process.alive and words and not words[0].startswith("{"):
                told.append(f"{process.name} ended: {words[0][:300]}")
        return told

    def living_gateways(self) -> list[MortalProcess]:
        return [one for one in self.gateways if one.alive]

    async def remap(self, rules: str = "") -> None:
        """Another version of the mapping set, with further rules as TOML, comes into effect with new workers."""
        self.mapping_version += 1
        text = self._configuration.replace("\nversion = 1\n", f"\nversion = {self.mapping_version}\n", 1)
        await asyncio.to_thread(self.config.write_text, f"{text}\n{rules}")
        async with self._shift:
            # One at least: who has just met its fate at a point of its own is no longer there to be succeeded.
            number = max(1, len(self.living_workers()))
            await self._reduce(self.workers, 0)
            for _ in range(number):
                await self.start_worker()

    # What is done to them

    def hit(self, what: str) -> None:
        """Counts a kill or its like."""
        self.run.kills[what] += 1

    async def strike_worker(self, fate: Fate) -> None:
        """The newest worker dies or stands still; another takes over."""
        async with self._shift:
            for worker in self.living_workers()[-1:]:
                if fate == "SIGSTOP":
                    await self._pause(worker)
                    self._note_paused(worker)
                else:
                    await worker.kill()
                    self.hit("worker")
            await self.start_worker()

    async def kill_any(self, chance: random.Random, *, gateway: bool = False) -> None:
        """Some worker or gateway dies; another takes over."""
        async with self._shift:
            victims = self.living_gateways() if gateway else self.living_workers()
            if victims:
                await chance.choice(victims).kill()
                self.hit("gateway" if gateway else "worker")
            await (self.start_gateway() if gateway else self.start_worker())

    async def succeed(self, pid: int, fate: Fate) -> None:
        """A process that met its fate at a point of its own is succeeded by another."""
        async with self._shift:
            struck = self._known[pid]
            gateway = struck.name.startswith("gateway")
            if fate == "SIGSTOP":
                self._note_paused(struck)
            else:
                await struck.gone()
                self.hit("gateway" if gateway else "worker")
            await (self.start_gateway() if gateway else self.start_worker())

    async def _pause(self, worker: MortalProcess) -> None:
        """It stands still, and not in the middle of a write to a store of one file."""
        url = self.stack.environment["MLC_STORE_URL"]
        worker.pause()
        while not await asyncio.to_thread(writable, url, 0.5):
            worker.resume()
            await asyncio.sleep(0.02)
            worker.pause()

    def _note_paused(self, process: MortalProcess) -> None:
        self.paused.append(process)
        self.hit("worker paused")

    async def resume_paused(self) -> None:
        """Paused workers go on where they stood, long after their leases; then they end in an orderly way, so whatever
        they would still do, they have done."""
        while self.paused:
            worker = self.paused.pop()
            worker.resume()
            await worker.end()

    async def clean_up(self) -> None:
        """Hooks, faults, armed points and paused processes are gone."""
        self.stack.fusion.hooks.clear()
        self.stack.shops.hooks.clear()
        self.points.disarm()
        while self.paused:
            await self.paused.pop().kill()

    async def close(self) -> None:
        await self.clean_up()
        for process in (*self.workers, *self.gateways, *(command for command, _ in self._commands)):
            await process.kill()
        for _, command in self._commands:
            await command.wait()

    # The shops' side

    def store(self, connection: str) -> Store:
        """The twin's side of a connection."""
        return next(one for one in self.stack.shops.stores.values() if one.shop is self.stack.shop(connection))

    def subscribe(self, connection: str) -> None:
        """The shop announces everything about orders to our gateway."""
        store = self.store(connection)
        account = store.accounts[0]
        wanted = {"scope": "store/order/*", "destination": f"{self.gateway_url}/webhooks/acme/{connection}"}
        if not store.subscriptions.of(account):
            store.subscriptions.create(account, wanted)

    # Points

    def at(self, twin: Any, point: Point, act: Callable[[], Awaitable[None]], **conditions: Any) -> asyncio.Event:
        """Act once when a request reaches the point; the event tells when it was done. The request waits for it."""
        done = asyncio.Event()

        async def callback(exchange: Exchange) -> None:
            await act()
            done.set()

        twin.hooks.on(point, callback, **conditions)
        return done

    async def reached(self, point: str, patience: float = SETTLED) -> int:
        """Waits until a process met its fate at an armed point; gives its id."""
        pid: int = await eventually(lambda: self.points.reached_by(point), f"{point} is reached", patience=patience)
        return pid

    def pause_server(self) -> MortalProcess:
        """The Temporal server stands still; resume what is given."""
        process = MortalProcess(self.server.pid or 0, "server", self.stack.directory / "server.log")
        process.pause()
        self.hit("server paused")
        return process


@asynccontextmanager
async def open_lane(
    server: Server, nursery: Nursery, directory: Path, setting: Setting, *, store_url: str | None = None
) -> AsyncIterator[Lane]:
    """A stack with processes of its own. `store_url`: None for a store that goes with the server."""
    config = directory / "connector.toml"
    port = write_settings(config, setting.amended, **dict(setting.toml))
    stores = tuple(
        StoreSettings(
            profile,
            requests_per_window=1_000_000,
            time_scale=LADDER_SCALE,
            plain_http=True,
            delivery_timeout=5.0,
        )
        for profile in (US_SHOP, EU_SHOP)
    )
    async with open_stack(server, directory, stores=stores, store_url=store_url) as stack:
        points = Points(directory / "points")
        lane = Lane(stack, setting, server, nursery, points, config, f"http://127.0.0.1:{port}")
        try:
            yield lane
        finally:
            await lane.close()
