"""One stack under attack: twins in the test's process, workers and gateways as processes of their own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from crash.boundaries import Fate, Points
from crash.report import Run, Verdict
from crash.settings import write_settings
from support.processes import MortalProcess, Nursery, start_command
from support.stack import Stack, eventually, journals_of, open_stack
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError

from contracts import names
from contracts.flow import Decided, Decision, FlowState, State
from runtime.temporal.devserver import DevServer
from sandbox.bigcommerce import US_SHOP, Shape, draft, statuses
from sandbox.bigcommerce.profiles import EU_SHOP
from sandbox.bigcommerce.store import Store, StoreSettings
from sandbox.kit import Exchange
from sandbox.kit.hooks import Point
from store.rows import GroupState

LADDER_SCALE: Final = 0.01
"""The shop repeats a failed delivery after 0.6 s, 1.8 s, 3 s, ... instead of a minute, three, five."""
_QUERY: Final = timedelta(seconds=5)
_UPDATE: Final = timedelta(seconds=5)
SETTLED: Final = 120.0
"""Seconds until everything that was started must have ended: a paused worker swallows a task with each of its polls."""


@dataclass
class Lane:
    """A stack, its processes, and what was done to them."""

    stack: Stack
    server: MortalProcess
    """The Temporal server, which other tests use as well: pause it, and resume it."""
    nursery: Nursery
    points: Points
    config: Path
    gateway_url: str
    workers: list[MortalProcess] = field(default_factory=list)
    gateways: list[MortalProcess] = field(default_factory=list)
    paused: list[MortalProcess] = field(default_factory=list)
    run: Run = field(default_factory=lambda: Run("", ""))
    seeds: int = 0
    _commands: list[tuple[MortalProcess, asyncio.subprocess.Process]] = field(default_factory=list)

    # Processes

    async def start_worker(self) -> MortalProcess:
        worker = await self._start("worker")
        self.workers.append(worker)
        return worker

    async def start_gateway(self) -> MortalProcess:
        gateway = await self._start("gateway")
        self.gateways.append(gateway)
        return gateway

    async def _start(self, role: str) -> MortalProcess:
        options = {"config": str(self.config), "points": str(self.config.parent / "points")}
        return await self.nursery.start(role, self.stack.directory, self.stack.environment, **options)

    @property
    def worker(self) -> MortalProcess:
        """The newest worker that lives."""
        return next(one for one in reversed(self.workers) if one.alive)

    async def one_worker(self, *, fresh: bool = False) -> MortalProcess:
        """Exactly one worker lives; with `fresh` one whose caches are cold."""
        living = [one for one in self.workers if one.alive]
        for surplus in living if fresh else living[1:]:
            await surplus.kill()
        self.workers = [one for one in self.workers if one.alive]
        return self.workers[0] if self.workers else await self.start_worker()

    async def one_gateway(self) -> MortalProcess:
        """Exactly one gateway lives, and listens."""
        living = self.living_gateways()
        for surplus in living[1:]:
            await surplus.kill()
        gateway = living[0] if living else await self.start_gateway()
        await gateway.says("gateway is up")
        return gateway

    def living_workers(self) -> list[MortalProcess]:
        return [one for one in self.workers if one.alive]

    def living_gateways(self) -> list[MortalProcess]:
        return [one for one in self.gateways if one.alive]

    async def start_command(self, role: str) -> MortalProcess:
        """`ml-connector worker` or `gateway` itself, without anything of the tests in it."""
        log = self.stack.directory / f"command-{role}-{len(self._commands)}.log"
        started = await start_command(
            [role, "--config", str(self.config)], self.stack.environment, log, f"ml-connector {role}"
        )
        self._commands.append(started)
        return started[0]

    def hit(self, what: str) -> None:
        """Counts a kill or its like."""
        self.run.kills[what] += 1

    async def kill_worker(self) -> None:
        """The only worker dies; another takes over."""
        await self.worker.kill()
        self.hit("worker")
        await self.start_worker()

    async def pause_worker(self) -> None:
        """The only worker stands still; another takes over."""
        self.worker.pause()
        self.paused.append(self.worker)
        self.hit("worker paused")
        await self.start_worker()

    async def succeed(self, pid: int, fate: Fate) -> None:
        """A worker that met its fate at a point of its own is succeeded by another."""
        struck = next(one for one in self.workers if one.pid == pid)
        if fate == "SIGSTOP":
            self.paused.append(struck)
            self.hit("worker paused")
        else:
            await struck.gone()
            self.hit("worker")
        await self.start_worker()

    async def resume_paused(self) -> None:
        """Paused workers go on where they stood, long after their leases; then they end in an orderly way, so whatever
        they would still do, they have done."""
        for worker in self.paused:
            worker.resume()
            await worker.end()
        self.paused.clear()

    async def clean_up(self) -> None:
        """Ends processes; hooks, faults and armed points are gone."""
        self.stack.fusion.hooks.clear()
        self.stack.shops.hooks.clear()
        self.points.disarm()
        for process in self.paused:
            await process.kill()
        self.paused.clear()

    # Orders

    def store(self, connection: str = "bc-us") -> Store:
        """The twin's side of a connection."""
        return next(one for one in self.stack.shops.stores.values() if one.shop is self.stack.shop(connection))

    async def subscribe(self, connection: str = "bc-us") -> None:
        """The shop announces everything about orders to our gateway."""
        store = self.store(connection)
        account = store.accounts[0]
        wanted = {"scope": "store/order/*", "destination": f"{self.gateway_url}/webhooks/acme/{connection}"}
        if not store.subscriptions.of(account):
            store.subscriptions.create(account, wanted)

    async def acknowledged(self, orders: Iterable[int], connection: str = "bc-us") -> None:
        """Waits until the gateway has taken every delivery about these orders."""
        wanted, log = set(orders), self.store(connection).deliveries.log

        def all_delivered() -> bool:
            return {one.state for one in log if one.order_id in wanted} == {"delivered"}

        await eventually(all_delivered, "every delivery was acknowledged", patience=SETTLED)

    async def settled(self, orders: Iterable[int], connection: str = "bc-us", patience: float = SETTLED) -> None:
        """Waits until every order has ended, asking the server with one question for all."""
        ids = {names.order_to_journal_id(connection, str(order)) for order in orders}

        async def all_ended() -> bool:
            ended = self.stack.temporal.list_workflows('ExecutionStatus="Completed"', page_size=1000)
            running = self.stack.temporal.list_workflows('ExecutionStatus="Running"', page_size=1000)
            return ids <= {one.id async for one in ended} and not ids & {one.id async for one in running}

        await eventually(all_ended, f"{len(ids)} orders of {connection} have ended", patience=patience)

    def place(
        self,
        *,
        category: str = "",
        quiet: bool = True,
        connection: str = "bc-us",
        status_id: int = statuses.AWAITING_FULFILLMENT,
    ) -> int:
        """A new order in the shop; every one another basket. Gives its id."""
        self.seeds += 1
        profile = US_SHOP if connection == "bc-us" else EU_SHOP
        basket = draft(Shape.ORDINARY, profile, seed=self.seeds, categories=[category] if category else None)
        return int(self.stack.shop(connection).place(basket, quiet=quiet, status_id=status_id).id)

    def order(self, order_id: int, connection: str = "bc-us") -> WorkflowHandle[Any, Any]:
        return self.stack.temporal.get_workflow_handle(names.order_to_journal_id(connection, str(order_id)))

    async def is_in(self, state: State, order_id: int, connection: str = "bc-us") -> None:
        """Waits until the order's newest run stands there."""
        await self._stands(self.order(order_id, connection), state, f"order {order_id}")

    async def _stands(self, handle: WorkflowHandle[Any, Any], state: State, what: str) -> None:
        async def there() -> bool:
            try:
                standing = await handle.query(names.STATE, result_type=FlowState, rpc_timeout=_QUERY)
            except RPCError:
                return False
            return standing.state is state

        await eventually(there, f"{what} is {state}", patience=SETTLED)

    async def decide(self, handle: WorkflowHandle[Any, Any], kind: Any, **more: Any) -> None:
        """A person decides about something in review; asked again until the answer comes."""
        decision = Decision(id=f"{handle.id}-{kind}", kind=kind, who="operator", why="crash test", **more)

        async def decided() -> bool:
            try:
                await handle.execute_update(
                    names.DECIDE, decision, id=decision.id, result_type=Decided, rpc_timeout=_UPDATE
                )
            except RPCError:
                return False
            return True

        await eventually(decided, f"{handle.id} takes the decision {kind}", patience=SETTLED)

    async def groups_in_review(self) -> list[WorkflowHandle[Any, Any]]:
        """Imports that wait for a person."""
        return [
            self.stack.temporal.get_workflow_handle(names.journal_import_id(one.fusion, one.ledger, one.group_id))
            for one in await self.stack.parts.store.groups.open_groups()
            if one.state is GroupState.REVIEW
        ]

    async def retry_group_in_review(self) -> int:
        """Waits for an import whose outcome nobody knows, looks into Fusion as its remedy says, then retries it."""
        found: list[WorkflowHandle[Any, Any]] = await eventually(
            self.groups_in_review, "an import is in review", patience=SETTLED
        )
        for handle in found:
            await self._stands(handle, State.NEEDS_REVIEW, handle.id)
            await self.decide(handle, "retry")
        return len(found)

    async def operate_until_no_group_is_in_review(self) -> None:
        """Decides about imports whose outcome nobody knows until none is open any more."""

        async def all_closed() -> bool:
            for handle in await self.groups_in_review():
                await self.decide(handle, "retry")
            return not await self.stack.parts.store.groups.open_groups()

        await eventually(all_closed, "every import is closed", patience=SETTLED)

    async def at_rest(self, *, but: Iterable[str] = ()) -> None:
        """Waits until no workflow runs any more, except those named."""
        allowed = set(but)

        async def ended() -> bool:
            running = self.stack.temporal.list_workflows('ExecutionStatus="Running"', page_size=100)
            return not [one.id async for one in running if one.id not in allowed and "-scheduler:" not in one.id]

        await eventually(ended, "every workflow has ended", patience=SETTLED)

    # Points

    def at(self, twin: Any, point: Point, act: Callable[[], Awaitable[None]], **conditions: Any) -> asyncio.Event:
        """Act once when a request reaches the point; the event tells when it was done. The request waits for it."""
        done = asyncio.Event()

        async def callback(exchange: Exchange) -> None:
            await act()
            done.set()

        twin.hooks.on(point, callback, **conditions)
        return done

    async def reached(self, point: str, patience: float = 30.0) -> int:
        """Waits until a process met its fate at an armed point; gives its id."""
        pid: int = await eventually(lambda: self.points.reached_by(point), f"{point} is reached", patience=patience)
        return pid

    def arm(self, point: str, fate: Fate = "SIGKILL") -> None:
        self.points.arm(point, fate)

    # Truth

    def count(self, orders: Iterable[int], *, absent: Iterable[int] = (), connection: str = "bc-us") -> Verdict:
        """What the twin's books say: each of `orders` has one posted journal of its total, each `absent` has none."""
        verdict = Verdict()
        truth = self.stack.shop(connection).truth()
        for order_id in orders:
            verdict.orders += 1
            self._count_one(verdict, order_id, truth[order_id].currency, truth[order_id].total)
        for order_id in absent:
            verdict.orders += 1
            verdict.duplicates += len(journals_of(self.stack.fusion, order_id))
        verdict.interface_rows = len(self.stack.fusion.interface())
        return verdict

    def _count_one(self, verdict: Verdict, order_id: int, currency: str, total: Decimal) -> None:
        journals = journals_of(self.stack.fusion, order_id)
        posted = [one for one in journals if one.batch.status == "P"]
        verdict.losses += not posted
        verdict.duplicates += max(0, len(journals) - 1)
        amount = sum((one.total("entered_dr") for one in journals), start=Decimal(0))
        left = verdict.differences.pop(currency, Decimal(0)) + amount - total
        if left:
            verdict.differences[currency] = left


@asynccontextmanager
async def open_lane(server: DevServer, nursery: Nursery, directory: Path, **settings: str) -> AsyncIterator[Lane]:
    """A stack with processes of its own. `settings` replace values of the configuration file."""
    config = directory / "connector.toml"
    port = write_settings(config, **settings)
    Path(directory, "points").mkdir()  # noqa: ASYNC240 -- a test's own directory
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
    async with open_stack(server, directory, stores=stores) as stack:
        server_process = MortalProcess(server.pid or 0, "server", directory / "server.log")
        lane = Lane(stack, server_process, nursery, Points(directory / "points"), config, f"http://127.0.0.1:{port}")
        try:
            yield lane
        finally:
            await lane.clean_up()
            for process in (*lane.workers, *lane.gateways, *(command for command, _ in lane._commands)):
                await process.kill()
            for _, command in lane._commands:
                await command.wait()
