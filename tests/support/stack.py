"""The whole product on one machine for one test: twins over HTTP, Temporal, store, worker and gateway."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TypeVar

from google.protobuf.duration_pb2 import Duration
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from activities.collaborators import Collaborators
from contracts import names
from contracts.configuration import Configuration, TemporalSettings
from contracts.flow import FlowResult, FlowState, State
from contracts.secret_names import ACCESS_TOKEN, CLIENT_SECRET
from contracts.starting import StartError, StartRequest
from runtime.configuring.configuration import load
from runtime.parts import open_parts
from runtime.temporal.connect import connect, register_search_attributes
from runtime.worker import run_worker
from sandbox.bigcommerce import BigCommerceTwin
from sandbox.bigcommerce.profiles import EU_SHOP, US_SHOP
from sandbox.bigcommerce.store import StoreSettings
from sandbox.fusion import FusionTwin, Journal
from sandbox.kit import Listener, serve
from store import KeyRing

from .topology import TemporalServer, store_beside
from .whatever_stands import whatever_stands

DEMO_CONFIGURATION = Path(__file__).parents[2] / "runtime" / "demo" / "connector.toml"
PATIENCE = 420.0
"""Seconds until a condition that does not come true fails the test. The machine is shared and slow at times, and some
steps that their worker never got are done again after two minutes."""

STOPPED = 180.0
"""Seconds within which what is told to stop has stopped. A worker that repeats a local step, because the store refuses
it, never would."""

FAST = {"flush_after": 0.5, "quiet_period": 0.1, "reread_after": 20.0, "unknown_limit": 0.01}
"""Import policy of tests, seconds; `unknown_limit` in hours."""


UNANSWERED: Final = frozenset(
    {
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.FAILED_PRECONDITION,
    }
)
"""Answers to a query of whose workflow nobody has worked lately."""

T = TypeVar("T")

_OPEN: Final[list["Stack"]] = []
"""Of which a condition that does not come true tells where they stand."""


@dataclass
class Stack:
    """What a test acts on. Amounts are compared with the twin's own truth, never with our store."""

    configuration: Configuration
    environment: Mapping[str, str]
    """What a process needs to join this stack."""
    keys: KeyRing
    temporal: Client
    fusion: FusionTwin
    shops: BigCommerceTwin
    fusion_listener: Listener
    shops_listener: Listener
    parts: Collaborators
    directory: Path
    _stack: AsyncExitStack = field(repr=False, default_factory=AsyncExitStack)

    def shop(self, connection: str = "bc-us") -> Any:
        """The store of a connection, as a state machine to act on."""
        return self.shops.stores[self.configuration.connection(connection).store_hash].shop  # type: ignore[union-attr]

    @asynccontextmanager
    async def worker(self, groups: Collection[str] | None = None) -> AsyncIterator[None]:
        """A worker of these groups, or of all, in this process while the context lasts."""
        async with working(self.temporal, self.parts, groups):
            yield

    async def announce(self, order_id: int, connection: str = "bc-us") -> None:
        """What a webhook leads to, without the gateway. As a shop does it is repeated while a busy server is silent."""
        integration = self.configuration.integrations_of(connection)[0]
        request = StartRequest(
            connection=connection,
            integration=integration.id,
            document_id=str(order_id),
            job="test",
            received_at=self.parts.clock(),
        )

        async def heard() -> bool:
            try:
                await self.parts.starter.start(request)
            except StartError as error:
                if not error.outage:
                    raise
                return False
            return True

        await eventually(heard, f"order {order_id} is announced")

    async def result(self, order_id: int, connection: str = "bc-us") -> FlowResult:
        """The end of the order's run."""
        handle = self.temporal.get_workflow_handle(
            names.order_to_journal_id(connection, str(order_id)), result_type=FlowResult
        )
        return await asyncio.wait_for(handle.result(), PATIENCE)

    async def state(self, order_id: int, connection: str = "bc-us") -> FlowState:
        """Where the order's run stands."""
        return await self.asked(names.order_to_journal_id(connection, str(order_id)), FlowState)

    async def asked(self, workflow_id: str, kind: type[T]) -> T:
        """What a run answers that is asked where it stands. Raises `RPCError` where there is none."""
        handle = self.temporal.get_workflow_handle(workflow_id)

        async def answered() -> T | None:
            try:
                return await handle.query(names.STATE, result_type=kind)
            except RPCError as error:
                # A busy worker may let the server wait for longer than it does.
                if error.status not in UNANSWERED:
                    raise
                return None

        found: T = await eventually(answered, f"{workflow_id} says where it stands")
        return found

    async def running(self, workflow_id: str) -> WorkflowExecutionDescription | None:
        """The run that is under way, if there is one. Lists of runs may be some moments behind; this is not."""
        try:
            described = await self.temporal.get_workflow_handle(workflow_id).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return None
        return described if described.status is WorkflowExecutionStatus.RUNNING else None

    async def in_state(self, order_id: int, state: State, connection: str = "bc-us") -> FlowState:
        """Waits until the order's run stands there."""

        async def there() -> FlowState | None:
            try:
                standing = await self.state(order_id, connection)
            except (RPCError, WorkflowQueryFailedError):
                return None
            return standing if standing.state is state else None

        found: FlowState = await eventually(there, f"order {order_id} is {state}")
        return found


@asynccontextmanager
async def working(temporal: Client, parts: Collaborators, groups: Collection[str] | None = None) -> AsyncIterator[None]:
    """A worker of these groups, or of all, in this process while the context lasts."""
    stop = asyncio.Event()
    running = asyncio.create_task(run_worker(temporal, parts, stop, grace=5, groups=groups))
    try:
        yield
    finally:
        stop.set()
        await stopped(running, "the worker")


async def stopped(running: asyncio.Task[None], what: str) -> None:
    """Waits for what was told to stop, and not for ever: nothing of a test that failed may outlive it."""
    await asyncio.wait([running], timeout=STOPPED)
    if not running.done():
        running.cancel()
        await asyncio.wait([running], timeout=STOPPED)
        raise AssertionError(f"told to stop, and has not within {STOPPED:.0f} s: {what}")
    running.result()


async def eventually(condition: Callable[[], Any], what: str, *, patience: float = PATIENCE) -> Any:
    """Waits until `condition` (plain or async) gives something true, and returns it."""
    gives_up_at = asyncio.get_running_loop().time() + patience
    while True:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        if asyncio.get_running_loop().time() > gives_up_at:
            stands = await whatever_stands(stack.temporal for stack in _OPEN)
            raise AssertionError(f"not within {patience:.0f} s: {what}\n{stands}")
        await asyncio.sleep(0.05)


async def new_namespace(server: TemporalServer, keys: KeyRing) -> str:
    """Every test has a namespace of its own: queue names are the same everywhere."""
    name = f"t-{uuid.uuid4().hex[:12]}"
    client = await connect(TemporalSettings(address=server.address), keys)
    await client.workflow_service.register_namespace(
        RegisterNamespaceRequest(namespace=name, workflow_execution_retention_period=Duration(seconds=86400))
    )

    async def known() -> bool:
        try:
            inside = await connect(TemporalSettings(address=server.address, namespace=name), keys)
            await register_search_attributes(inside, patience=PATIENCE)
            async for _ in inside.list_workflows(page_size=1):
                break
        except (RPCError, RuntimeError):
            return False
        return True

    await eventually(known, f"namespace {name} is served")
    return name


def changed(configuration: Configuration, **imports: Any) -> Configuration:
    """The configuration with another import policy in every integration."""
    return configuration.model_copy(
        update={
            "integrations": tuple(
                one.model_copy(update={"imports": one.imports.model_copy(update=imports)})
                for one in configuration.integrations
            )
        }
    )


@asynccontextmanager
async def open_stack(
    server: TemporalServer,
    directory: Path,
    *,
    store_url: str | None = None,
    imports: Mapping[str, Any] = FAST,
    adjust: Callable[[Configuration], Configuration] = lambda configuration: configuration,
    stores: tuple[StoreSettings, ...] = (
        StoreSettings(US_SHOP, requests_per_window=100_000),
        StoreSettings(EU_SHOP, requests_per_window=100_000),
    ),
) -> AsyncIterator[Stack]:
    """Twins, a namespace and a store of their own; without `store_url` the store that goes with the server."""
    keys = KeyRing.generate("k1")
    namespace = await new_namespace(server, keys)
    async with AsyncExitStack() as stack:
        if store_url is None:
            store_url = await stack.enter_async_context(store_beside(server, directory))
        fusion, shops = FusionTwin(), BigCommerceTwin(stores)
        fusion_listener = await stack.enter_async_context(serve(fusion))
        shops_listener = await stack.enter_async_context(serve(shops))
        environment = {
            **os.environ,
            "MLC_STORE_URL": store_url,
            "MLC_TEMPORAL": server.address,
            "TEMPORAL_NAMESPACE": namespace,
            "MLC_FUSION_URL": fusion_listener.url,
            "MLC_SHOP_URL": shops_listener.url,
            "ML_CONNECTOR_KEYS": keys.to_text(),
        }
        configuration = load(DEMO_CONFIGURATION, environment)
        configuration = configuration.model_copy(
            update={"temporal": configuration.temporal.model_copy(update={"namespace": namespace})}
        )
        configuration = adjust(changed(configuration, **imports))
        temporal = await connect(configuration.temporal, keys)
        parts = await stack.enter_async_context(open_parts(configuration, keys, temporal=temporal, migrate=True))
        await set_secrets(parts)
        opened = Stack(
            configuration=configuration,
            environment=environment,
            keys=keys,
            temporal=temporal,
            fusion=fusion,
            shops=shops,
            fusion_listener=fusion_listener,
            shops_listener=shops_listener,
            parts=parts,
            directory=directory,
            _stack=stack,
        )
        _OPEN.append(opened)
        stack.callback(_OPEN.remove, opened)
        yield opened


async def set_secrets(parts: Collaborators) -> None:
    """The twins' credentials."""
    for connection in parts.configuration.connections:
        wanted = (
            {CLIENT_SECRET: "twin-secret"}
            if connection.system == "oracle_fusion"
            else {ACCESS_TOKEN: "access-token", CLIENT_SECRET: "client-secret"}
        )
        for name, value in wanted.items():
            await parts.store.secrets.put(connection.tenant, connection.id, name, value)


def posted_total(fusion: FusionTwin, order_id: int) -> Decimal:
    """Debits of all posted journals of the order, by the twin's own books."""
    return sum((one.total("entered_dr") for one in journals_of(fusion, order_id)), start=Decimal(0))


def balances_of(fusion: FusionTwin, order_id: int) -> dict[str, Decimal]:
    """What all journals of the order leave on each account, debits less credits; what is zero is left out."""
    found: dict[str, Decimal] = {}
    for journal in journals_of(fusion, order_id):
        for line in journal.lines:
            amount = (line.entered_dr or Decimal(0)) - (line.entered_cr or Decimal(0))
            found[line.account] = found.get(line.account, Decimal(0)) + amount
    return {account: amount for account, amount in found.items() if amount}


def standing_total(fusion: FusionTwin, order_id: int) -> Decimal:
    """What all journals of the order together leave on the debit side."""
    return sum((amount for amount in balances_of(fusion, order_id).values() if amount > 0), start=Decimal(0))


def journals_of(fusion: FusionTwin, order_id: int) -> list[Journal]:
    """Every journal in the twin's books that carries the order, whoever wrote it."""
    return [one for one in fusion.journals() if f"/order/{order_id}/" in one.given_name]
