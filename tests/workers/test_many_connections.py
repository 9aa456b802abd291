"""Two workers serve three hundred connections: with fewer pollers than a namespace takes, and without delay."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from support.ports import free_ports
from support.processes import MortalProcess, start_command
from support.stack import Stack, eventually, open_stack, set_secrets
from support.topology import TemporalServer
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from workers.estate import SHOPS, TENANTS, ShopOf, shops, stores, write_estate
from workers.waits import Waits, calibrate, percentile

from activities.collaborators import Collaborators
from contracts import names
from contracts.flow import State
from contracts.starting import StartRequest
from runtime import pollers
from runtime.configuring.configuration import load
from sandbox.bigcommerce import US_SHOP, Shape, draft, statuses

WORKERS = 2
CONNECTIONS = 300
PACE = 8.0
"""Documents that arrive in a second."""
LONGEST_WAIT = 1.0
"""Seconds that 99 of 100 tasks wait at most, on a machine that has nothing else to do."""
SLOWER = 10
"""Times as long as bare tasks wait on the same machine, where that is more: then it is busy with other things."""
CALIBRATIONS = 40
ROUNDS = 3
"""At most."""
PATIENCE = 900.0
"""Seconds for the last documents to be posted. A server that is far too busy gives up handing out a task that it has
marked as begun, which is tried again when its step's minutes are over."""

Note = Callable[[str, object], None]


@dataclass(frozen=True)
class Estate:
    stack: Stack
    parts: Collaborators
    """With the configuration of three hundred connections."""
    metrics: tuple[int, ...]
    """Ports on which the workers tell theirs."""
    workers: tuple[MortalProcess, ...]

    async def measured(self) -> list[Metric]:
        """What the workers tell now."""
        found: list[Metric] = []
        async with httpx.AsyncClient(trust_env=False, timeout=60.0) as client:
            for port in self.metrics:
                answer = await client.get(f"http://127.0.0.1:{port}/metrics")
                found += text_string_to_metric_families(answer.raise_for_status().text)
        return found


@asynccontextmanager
async def worker_command(
    config: Path, environment: Mapping[str, str], log: Path, metrics: int
) -> AsyncIterator[MortalProcess]:
    """`ml-connector worker` itself."""
    told = {**environment, "ML_CONNECTOR_METRICS_PORT": str(metrics)}
    process, child = await start_command(["worker", "--config", str(config)], told, log, log.stem)
    try:
        yield process
    finally:
        await process.end()
        await child.wait()


@pytest.fixture(scope="module")
async def estate(temporal_server: TemporalServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Estate]:
    directory = tmp_path_factory.mktemp("estate")
    config = directory / "connector.toml"
    write_estate(config)
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(open_stack(temporal_server, directory, stores=stores()))
        parts = replace(opened.parts, configuration=load(config, opened.environment))
        await set_secrets(parts)
        metrics = tuple(free_ports(WORKERS, room=2))  # ours are beside those of Temporal's SDK
        workers: list[MortalProcess] = []
        for number, port in enumerate(metrics):
            log = directory / f"worker-{number}.log"
            workers.append(await stack.enter_async_context(worker_command(config, opened.environment, log, port)))
            await workers[-1].says("worker is up", patience=600)
        yield Estate(opened, parts, metrics, tuple(workers))


def samples(metrics: list[Metric], name: str) -> Iterator[tuple[dict[str, str], float]]:
    for metric in metrics:
        for sample in metric.samples:
            if sample.name == name:
                yield sample.labels, sample.value


@pytest.mark.timeout(1800)
async def test_two_workers_of_three_hundred_connections_stay_within_the_pollers_of_a_namespace(
    estate: Estate, say: Callable[[str], None], record_property: Note
) -> None:
    configuration = estate.parts.configuration
    assert len(pollers.active_connections(configuration)) == CONNECTIONS
    planned = pollers.planned(configuration, WORKERS)
    counted = 0

    async def all_poll() -> bool:
        nonlocal counted
        told = [value for _, value in samples(await estate.measured(), "temporal_num_pollers")]
        counted = int(sum(told))
        return counted == planned

    try:
        await eventually(all_poll, f"{planned} pollers")
    except AssertionError as error:
        raise AssertionError(f"{error}, but {counted}") from None
    record_property("pollers", counted)
    say(f"\n{CONNECTIONS} connections, {WORKERS} workers: {counted} pollers; a namespace serves {pollers.LIMIT}")
    assert counted < pollers.LIMIT
    await eventually(lambda: each_queue_is_served(estate), "the server knows both workers at every queue")
    refused = [
        labels
        for name in ("temporal_long_request_failure_total", "temporal_request_failure_total")
        for labels, value in samples(await estate.measured(), name)
        if value and labels.get("status_code") == "RESOURCE_EXHAUSTED"
    ]
    assert refused == []


async def each_queue_is_served(estate: Estate) -> bool:
    """By the server's word: who polled each connection's queue lately."""
    client = estate.stack.temporal
    for connection in estate.parts.configuration.connections:
        answer = await client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=client.namespace,
                task_queue=TaskQueue(name=names.vendor_queue(connection.id)),
                task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
            )
        )
        if len({one.identity for one in answer.pollers}) != WORKERS:
            return False
    return True


@dataclass(frozen=True)
class Round:
    """How long tasks waited while an order of every shop was posted; `usual`: bare tasks, before and after."""

    waits: Waits
    usual: float

    @property
    def late(self) -> float:
        return percentile(self.waits.all, 0.99)

    @property
    def in_time(self) -> bool:
        return self.late < max(LONGEST_WAIT, SLOWER * self.usual) and self.waits.repeated < TENANTS * SHOPS / 10


@pytest.mark.timeout(3600)
async def test_tasks_of_three_hundred_connections_start_within_a_second(
    estate: Estate, temporal_server: TemporalServer, say: Callable[[str], None], record_property: Note
) -> None:
    """What makes tasks wait by itself does so in every round; what the machine does besides comes and goes."""
    for number in range(ROUNDS):
        measured = await one_round(estate, temporal_server.address)
        waits = measured.waits
        for kind, values in (("workflow tasks", waits.workflow_tasks), ("activities", waits.activities)):
            median, late = percentile(values, 0.5), percentile(values, 0.99)
            record_property(f"schedule to start of {kind}, p99, ms, round {number + 1}", round(1000 * late))
            say(f"\n{len(values)} {kind}: schedule to start p50 {1000 * median:.0f} ms, p99 {1000 * late:.0f} ms")
        say(f"bare tasks: p99 {1000 * measured.usual:.0f} ms; {waits.repeated} activities tried again")
        assert len(waits.activities) > TENANTS * SHOPS
        if measured.in_time:
            return
    raise AssertionError(f"in each of {ROUNDS} rounds tasks waited too long, or too many were tried again")


async def one_round(estate: Estate, address: str) -> Round:
    """Posts an order of every shop, found or announced at a pace, between two measurements of bare tasks."""
    bare = await calibrate(address, runs=CALIBRATIONS, a_second=PACE)
    began = time.time()
    sold = [(shop, sell(estate, shop)) for shop in shops()]
    for number, (shop, order) in enumerate(sold):
        if number % 3:
            await announce(estate, shop, order)
        else:
            await estate.stack.temporal.get_schedule_handle(names.poll_orders_id(shop.id)).trigger()
        await asyncio.sleep(1 / PACE)
    await all_posted(estate, sold)
    # One that is asked for while another runs is left out.
    await eventually(lambda: no_poll_runs(estate.stack.temporal), "polls have ended")
    after = await calibrate(address, runs=CALIBRATIONS, a_second=PACE)
    waits = await waits_of_all_tasks(estate.stack.temporal, since=began)
    return Round(waits, usual=max(percentile(bare.all, 0.99), percentile(after.all, 0.99)))


async def no_poll_runs(client: Client) -> bool:
    query = f'WorkflowType = "{names.POLL_ORDERS}" AND ExecutionStatus = "Running"'
    return not [one async for one in client.list_workflows(query)]


def sell(estate: Estate, shop: ShopOf) -> int:
    """An order that nobody announces."""
    desk = estate.stack.shops.stores[shop.store_hash].shop
    basket = draft(Shape.ORDINARY, US_SHOP, seed=shop.number + 1)
    return int(desk.place(basket, quiet=True, status_id=statuses.AWAITING_FULFILLMENT).id)


async def announce(estate: Estate, shop: ShopOf, order: int) -> None:
    """What a webhook leads to, without a gateway."""
    await estate.parts.starter.start(
        StartRequest(
            connection=shop.id,
            integration=shop.id,
            document_id=str(order),
            job="test",
            received_at=estate.parts.clock(),
        )
    )


async def all_posted(estate: Estate, sold: list[tuple[ShopOf, int]]) -> None:
    """Waits until every order is posted; those that are not are told with where they stand."""
    missing = list(sold)
    states: dict[str, State | None] = {}

    async def none_missing() -> bool:
        for shop, order in list(missing):
            document = await estate.parts.store.documents.get(shop.id, "order", str(order))
            states[f"order {order} ({shop.id})"] = document and document.state
            if document is not None and document.state is State.POSTED:
                missing.remove((shop, order))
        return not missing

    try:
        await eventually(none_missing, "every order is posted", patience=PATIENCE)
    except AssertionError as error:
        late = [f"{name}: {state}" for name, state in states.items() if state is not State.POSTED]
        raise AssertionError(f"{error}; {len(late)} are not: {', '.join(late[:5])}") from None


async def waits_of_all_tasks(client: Client, *, since: float) -> Waits:
    """Of every run in the namespace; of what was scheduled since that second of the epoch."""
    waits = Waits(since=since)
    async for execution in client.list_workflows(page_size=1000):
        if execution.close_time is not None and execution.close_time.timestamp() < since:
            continue
        handle = client.get_workflow_handle(execution.id, run_id=execution.run_id)
        waits.read_pending((await handle.describe()).raw_description)
        waits.read((await handle.fetch_history()).events)
    return waits
