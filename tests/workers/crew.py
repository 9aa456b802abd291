"""An installation on one machine for one test: any number of workers and gateways as processes of their own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from crash.settings import write_settings
from support.processes import MortalProcess, Nursery
from support.stack import Stack, eventually, journals_of, open_stack
from support.topology import TemporalServer

from contracts.configuration import Configuration
from contracts.flow import State
from runtime.operations.deciding import DecisionError, decide, decision_on, review_items
from sandbox.bigcommerce import EU_SHOP, US_SHOP, Profile, Shape, StoreSettings, draft, statuses
from sandbox.bigcommerce.store import Store
from store import StoreUnavailable

HOOKS: Final = "https://hooks.acme.example"
"""Where shops send webhooks: any of the gateways takes each."""
PROFILES: Final[Mapping[str, Profile]] = {"bc-us": US_SHOP, "bc-eu": EU_SHOP}
AS_DELIVERED: Final[Mapping[str, float]] = {}
"""Workers see each other as often as in production, and not as often as crash tests need it."""

Order = tuple[str, int]
"""Connection and order id."""


@dataclass
class Crew:
    stack: Stack
    configs: tuple[Path, Path]
    """They differ in the port of the gateway."""
    rhythm: Mapping[str, float] | None
    patience: float | None
    nursery: Nursery
    orders: list[Order] = field(default_factory=list)
    workers: list[MortalProcess] = field(default_factory=list)
    gateways: dict[int, MortalProcess] = field(default_factory=dict)
    processes: list[MortalProcess] = field(default_factory=list)
    """All of them, those that are gone as well."""

    async def start_worker(self, **more: str) -> MortalProcess:
        worker = await self._start("worker", self.configs[0], more)
        self.workers.append(worker)
        return worker

    async def start_gateway(self, number: int) -> MortalProcess:
        """The first or the second; each has a port of its own."""
        self.gateways[number] = await self._start("gateway", self.configs[number], {})
        return self.gateways[number]

    async def _start(self, role: str, config: Path, more: Mapping[str, str]) -> MortalProcess:
        options: dict[str, Any] = {"config": str(config), "points": str(config.parent / "points")}
        if self.rhythm is not None:
            options["rhythm"] = dict(self.rhythm)
        if self.patience is not None:
            options["patience"] = self.patience
        process = await self.nursery.start(role, self.stack.directory, {**self.stack.environment, **more}, **options)
        self.processes.append(process)
        await process.says(f"{role} is up")
        return process

    def store(self, connection: str) -> Store:
        """The twin's side of a connection."""
        return next(one for one in self.stack.shops.stores.values() if one.shop is self.stack.shop(connection))

    def subscribe(self, scope: str = "store/order/*") -> None:
        for connection in PROFILES:
            store = self.store(connection)
            destination = f"{HOOKS}/webhooks/acme/{connection}"
            store.subscriptions.create(store.accounts[0], {"scope": scope, "destination": destination})

    def sell(self, connection: str = "bc-us", *, quiet: bool = False) -> Order:
        """An order that is paid and may be posted; every one another basket."""
        basket = draft(Shape.ORDINARY, PROFILES[connection], seed=len(self.orders) + 1)
        placed = self.stack.shop(connection).place(basket, quiet=quiet, status_id=statuses.AWAITING_FULFILLMENT)
        self.orders.append((connection, int(placed.id)))
        return self.orders[-1]

    async def announce(self, order: Order) -> None:
        """What a webhook leads to, without a gateway."""
        await self.stack.announce(order[1], order[0])

    async def acknowledged(self, *, patience: float = 300.0) -> None:
        """Waits until a gateway has taken every delivery."""

        def not_delivered() -> list[dict[str, Any]]:
            stores = self.stack.shops.stores.values()
            return [one.facts() for store in stores for one in store.deliveries.log if one.state != "delivered"]

        try:
            await eventually(lambda: not not_delivered(), "every delivery was acknowledged", patience=patience)
        except AssertionError as error:
            raise AssertionError(f"{error}: {not_delivered()[:3]}") from None

    async def in_state(self, state: State, orders: Iterable[Order], *, patience: float = 180.0) -> None:
        """Waits until the store has said so of every order once; while the store cannot be asked, too."""
        left = list(orders)
        count = len(left)

        async def all_seen() -> bool:
            while left and (await self._standing(left[-1]))[0] is state:
                left.pop()
            return not left

        try:
            await eventually(all_seen, f"{count} orders are {state}", patience=patience)
        except AssertionError as error:
            found = {order: (await self._standing(order))[1] for order in left[-5:]}
            raise AssertionError(f"{error}; up to {len(left)} are not, the last of them: {found}") from None

    async def _standing(self, order: Order) -> tuple[State | None, str]:
        """Its state, and why it is so; no state where the store does not know or cannot be asked."""
        connection, order_id = order
        try:
            document = await self.stack.parts.store.documents.get(connection, "order", str(order_id))
        except StoreUnavailable as error:
            return None, str(error)
        return (document.state, f"{document.state} {document.reason}") if document else (None, "unknown")

    async def posted(self, *, patience: float = 180.0) -> None:
        """Waits until every order is posted; retries imports whose outcome nobody knows, as their remedy says."""
        operating = asyncio.create_task(self._operate())
        try:
            await self.in_state(State.POSTED, self.orders, patience=patience)
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

    def booked_once(self) -> None:
        """One posted journal an order, of its amount, by the twin's own books; nothing left where it could be
        imported again."""
        for connection, order_id in self.orders:
            journals = [
                one for one in journals_of(self.stack.fusion, order_id) if f"/{connection}/order/" in one.given_name
            ]
            total = sum((one.total("entered_dr") for one in journals), start=Decimal(0))
            assert [one.batch.status for one in journals] == ["P"], f"{connection}/{order_id}"
            assert total == self.stack.shop(connection).truth()[order_id].total, f"{connection}/{order_id}"
        assert self.stack.fusion.interface() == []

    def logs(self) -> str:
        """What all processes said, those that are gone as well."""
        return "\n".join(one.text() for one in self.processes)


@asynccontextmanager
async def open_crew(
    server: TemporalServer,
    nursery: Nursery,
    directory: Path,
    *,
    store_url: str | None = None,
    rhythm: Mapping[str, float] | None = None,
    patience: float | None = None,
    requests_per_window: int = 1_000_000,
    delivery_timeout: float = 30.0,
    adjust: Callable[[Configuration], Configuration] = lambda configuration: configuration,
    edit: Callable[[str], str] = lambda text: text,
    **settings: str,
) -> AsyncIterator[Crew]:
    """Twins, a store and a namespace; processes are the test's to start.

    `settings` replace values of the configuration file and `edit` its text; `requests_per_window` is the shops' own
    quota, and `delivery_timeout` how many seconds they wait for an answer. `patience`: seconds after which a step whose
    worker is silent is given to another; few unless given.
    """
    configs = (directory / "connector.toml", directory / "second.toml")
    ports = [write_settings(path, **settings) for path in configs]
    for path in configs:
        path.write_text(edit(path.read_text()))
    Path(directory, "points").mkdir()  # noqa: ASYNC240 -- a test's own directory
    stores = tuple(
        StoreSettings(
            profile,
            requests_per_window=requests_per_window,
            time_scale=0.01,
            delivery_timeout=delivery_timeout,
            reachable={HOOKS: [f"http://127.0.0.1:{port}" for port in ports]},
        )
        for profile in PROFILES.values()
    )
    async with open_stack(server, directory, store_url=store_url, stores=stores, adjust=adjust) as stack:
        crew = Crew(stack, configs, rhythm, patience, nursery)
        try:
            yield crew
        finally:
            for process in crew.processes:
                await process.kill()
