"""An installation as an operator runs it: two workers, two gateways, a production server, a store on PostgreSQL.

Processes are those of the crash proof, which are in a hurry: a step that could not report what it did is repeated after
seconds. Temporal's SDK reports for ten seconds, fewer than a server needs after its database has come back, and in
production the step is repeated when its time is up, minutes later. Orders come by webhook alone, each attempt at any of
the two gateways.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Final

from support.cluster import ProductionServer
from support.ports import free_ports
from support.postgres import MortalPostgres
from support.processes import MortalProcess, Nursery
from support.stack import DEMO_CONFIGURATION, Stack, eventually, journals_of, open_stack

from contracts.flow import State
from runtime.operations.deciding import DecisionError, decide, decision_on, review_items
from sandbox.bigcommerce import EU_SHOP, US_SHOP, Shape, StoreSettings, draft
from store.engine.database import StoreUnavailable

HOOKS: Final = "https://hooks.acme.example"
SETTINGS: Final[Mapping[str, str]] = {
    "import_timeout": "3.0",
    "settle": "0.5",
    "flush_after": "2.0\nunknown_limit = 0.0015",  # hours: five seconds
    "quiet_period": "0.3",
    "cron": '"0 4 1 1 *"\nsweep_cron = "0 5 1 1 *"',  # never during a test: nothing is found but by webhook
}
PROFILES: Final = {"bc-us": US_SHOP, "bc-eu": EU_SHOP}
SETTLED: Final = 240.0
"""Seconds until everything must have ended."""

Order = tuple[str, int]
"""Connection and order id."""


@dataclass(frozen=True)
class Count:
    """What the twin's own books say of a set of orders."""

    orders: int
    duplicates: int
    """Journals beyond the first of an order."""
    lost: tuple[Order, ...]
    """Orders without a posted journal."""
    difference: Decimal
    """Sum over all orders of what the ledger has too much or too little, without its sign."""
    left_behind: int
    """Rows in Fusion's interface that a person could import later."""

    @property
    def clean(self) -> bool:
        return not (self.duplicates or self.lost or self.difference or self.left_behind)


@dataclass
class Installation:
    stack: Stack
    server: ProductionServer
    nursery: Nursery
    config: tuple[Path, Path]
    """The gateways' files, which differ in their port."""
    orders: list[Order] = field(default_factory=list)
    workers: list[MortalProcess] = field(default_factory=list)
    gateways: list[MortalProcess] = field(default_factory=list)

    @property
    def postgres(self) -> MortalPostgres:
        return self.server.postgres

    async def start(self) -> None:
        """Two of each kind; returns when all are up."""
        for config in self.config:
            self.workers.append(await self._start("worker", config))
            self.gateways.append(await self._start("gateway", config))
        for process in (*self.workers, *self.gateways):
            await process.says("is up", 120)

    async def _start(self, role: str, config: Path) -> MortalProcess:
        directory = self.stack.directory
        return await self.nursery.start(
            role, directory, self.stack.environment, config=str(config), points=str(directory / "points")
        )

    async def bring_back(self) -> None:
        """Starts what was killed, the database first."""
        if self.postgres.pid is None:
            await self.postgres.start()
        if self.server.pid is None:
            await self.server.start()

    def sell(self, count: int) -> list[Order]:
        """Places orders in both shops, which announce them at once."""
        sold = []
        for _ in range(count):
            connection = "bc-eu" if len(self.orders) % 3 == 2 else "bc-us"
            basket = draft(Shape.ORDINARY, PROFILES[connection], seed=len(self.orders) + 1)
            order = connection, int(self.stack.shop(connection).place(basket).id)
            self.orders.append(order)
            sold.append(order)
        return sold

    def subscribe(self) -> None:
        """The shops announce everything about orders to our public address."""
        for connection, profile in PROFILES.items():
            store = self.stack.shops.stores[profile.store_hash]
            destination = f"{HOOKS}/webhooks/acme/{connection}"
            store.subscriptions.create(store.accounts[0], {"scope": "store/order/*", "destination": destination})

    async def in_state(self, state: State, orders: Iterable[Order]) -> None:
        """Waits until the store says so of every order."""
        wanted = list(orders)

        missing: dict[Order, str] = {}

        async def all_there() -> bool:
            missing.clear()
            for connection, order_id in wanted:
                document = await self.stack.parts.store.documents.get(connection, "order", str(order_id))
                if document is None or document.state is not state:
                    missing[connection, order_id] = f"{document.state}: {document.reason}" if document else "unknown"
            return not missing

        try:
            await eventually(lambda: _told(all_there), f"{len(wanted)} orders are {state}", patience=SETTLED)
        except AssertionError as error:
            raise AssertionError(f"{error}; {len(missing)} are not: {missing}") from None

    async def posted(self) -> None:
        """Waits until every order is posted; retries imports whose outcome nobody knows, as their remedy says."""
        operating = asyncio.create_task(self._operate())
        try:
            await self.in_state(State.POSTED, self.orders)
        finally:
            operating.cancel()
            await asyncio.gather(operating, return_exceptions=True)

    async def _operate(self) -> None:
        while True:
            with suppress(StoreUnavailable, DecisionError):
                for item in await review_items(self.stack.parts.store, self.stack.configuration):
                    if item.kind == "journal_group":
                        decision = decision_on(item, "retry", who="operator", why="looked in Fusion")
                        await decide(self.stack.parts.temporal, item, decision)
            await asyncio.sleep(1)

    async def acknowledged(self) -> None:
        """Waits until a gateway has taken every delivery."""

        def all_delivered() -> bool:
            stores = self.stack.shops.stores.values()
            return {one.state for store in stores for one in store.deliveries.log} == {"delivered"}

        await eventually(all_delivered, "every delivery was acknowledged", patience=SETTLED)

    def count(self) -> Count:
        """From the twin's ledger and the shops' own sums; our store is not asked."""
        duplicates, lost, difference = 0, [], Decimal(0)
        for connection, order_id in self.orders:
            truth = self.stack.shop(connection).truth()[order_id]
            journals = [
                one for one in journals_of(self.stack.fusion, order_id) if f"/{connection}/order/" in one.given_name
            ]
            duplicates += max(0, len(journals) - 1)
            if not any(one.batch.status == "P" for one in journals):
                lost.append((connection, order_id))
            booked = sum((one.total("entered_dr") for one in journals), start=Decimal(0))
            difference += abs(booked - truth.total)
        return Count(len(self.orders), duplicates, tuple(lost), difference, len(self.stack.fusion.interface()))


async def _told(condition: Callable[[], Awaitable[bool]]) -> bool:
    """False while the store cannot be asked."""
    try:
        return await condition()
    except StoreUnavailable:
        return False


@asynccontextmanager
async def open_installation(server: ProductionServer, nursery: Nursery, directory: Path) -> AsyncIterator[Installation]:
    """Everything is up while the context lasts."""
    ports = free_ports(2)
    config = (directory / "connector.toml", directory / "second-gateway.toml")
    for path, port in zip(config, ports, strict=True):
        _write(path, port)
    stores = tuple(
        StoreSettings(
            profile,
            requests_per_window=1_000_000,
            time_scale=0.01,
            delivery_timeout=5.0,
            reachable={HOOKS: [f"http://127.0.0.1:{port}" for port in ports]},
        )
        for profile in PROFILES.values()
    )
    async with open_stack(server, directory, stores=stores) as stack:
        installation = Installation(stack, server, nursery, config)
        Path(directory, "points").mkdir()  # noqa: ASYNC240 -- a test's own directory
        installation.subscribe()
        try:
            await installation.start()
            yield installation
        finally:
            for process in (*installation.workers, *installation.gateways):
                await process.kill()


def _write(path: Path, port: int) -> None:
    text = DEMO_CONFIGURATION.read_text()
    for name, value in {**SETTINGS, "port": str(port)}.items():
        text, count = re.subn(rf"(?m)^{name} = .*$", lambda _, n=name, v=value: f"{n} = {v}", text)  # type: ignore[misc]
        if not count:
            raise KeyError(f"The demo's configuration does not set {name}.")
    path.write_text(text)
