"""Two workers serve three hundred connections: with fewer pollers than a namespace takes, and without delay."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
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
from workers.estate import ShopOf, shops, stores, write_estate
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
CALM = LONGEST_WAIT / SLOWER
"""Seconds that bare tasks wait at most on a machine whose server is fast enough to lose nothing: one that is far too
busy gives up handing out a task that it has marked as begun, which is tried again when its step's minutes are over."""
PATIENCE = 120.0
"""Seconds for the last documents to be posted."""

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
        async with httpx.AsyncClient(trust_env=False) as client:
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
async def estate(quick_server: TemporalServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Estate]:
    directory = tmp_path_factory.mktemp("estate")
    config = directory / "connector.toml"
    write_estate(config)
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(open_stack(quick_server, directory, stores=stores()))
        parts = replace(opened.parts, configuration=load(config, opened.environment))
        await set_secrets(parts)
        metrics = tuple(free_ports(WORKERS))
        workers: list[MortalProcess] = []
        for number, port in enumerate(metrics):
            log = directory / f"worker-{number}.log"
            workers.append(await stack.enter_async_context(worker_command(config, opened.environment, log, port)))
            await workers[-1].says("worker is up", patience=400)
        yield Estate(opened, parts, metrics, tuple(workers))


def samples(metrics: list[Metric], name: str) -> Iterator[tuple[dict[str, str], float]]:
    for metric in metrics:
        for sample in metric.samples:
            if sample.name == name:
                yield sample.labels, sample.value


@pytest.mark.timeout(900)
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


@pytest.mark.timeout(900)
async def test_tasks_of_three_hundred_connections_start_within_a_second(
    estate: Estate, quick_server: TemporalServer, say: Callable[[str], None], record_property: Note
) -> None:
    bare = await calibrate(quick_server.address, runs=CALIBRATIONS, a_second=PACE)
    sold = [(shop, sell(estate, shop)) for shop in shops()]
    for number, (shop, order) in enumerate(sold):
        if number % 3:
            await announce(estate, shop, order)
        else:
            await estate.stack.temporal.get_schedule_handle(names.poll_orders_id(shop.id)).trigger()
        await asyncio.sleep(1 / PACE)
    posted = await posted_in_time(estate, sold)
    after = await calibrate(quick_server.address, runs=CALIBRATIONS, a_second=PACE)

    waits = await waits_of_all_tasks(estate.stack.temporal)
    usual = max(percentile(bare.all, 0.99), percentile(after.all, 0.99))
    for kind, values in (("workflow tasks", waits.workflow_tasks), ("activities", waits.activities)):
        median, late = percentile(values, 0.5), percentile(values, 0.99)
        record_property(f"schedule to start of {kind}, p99, ms", round(1000 * late))
        say(f"\n{len(values)} {kind}: schedule to start p50 {1000 * median:.0f} ms, p99 {1000 * late:.0f} ms")
    say(f"bare tasks: p99 {1000 * usual:.0f} ms; {waits.repeated} activities tried again; {posted} documents posted")
    assert posted >= (len(sold) if usual <= CALM else len(sold) / 2)
    assert percentile(waits.all, 0.99) < max(LONGEST_WAIT, SLOWER * usual)
    assert len(waits.activities) > len(sold)
    assert waits.repeated < len(sold) / 10


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


async def posted_in_time(estate: Estate, sold: list[tuple[ShopOf, int]]) -> int:
    """How many orders are posted: all of them, or those that are after some patience."""
    missing = list(sold)

    async def none_missing() -> bool:
        for shop, order in list(missing):
            document = await estate.parts.store.documents.get(shop.id, "order", str(order))
            if document is not None and document.state is State.POSTED:
                missing.remove((shop, order))
        return not missing

    with suppress(AssertionError):
        await eventually(none_missing, "every order is posted", patience=PATIENCE)
    return len(sold) - len(missing)


async def waits_of_all_tasks(client: Client) -> Waits:
    """Of every run in the namespace."""
    waits = Waits()
    async for execution in client.list_workflows(page_size=1000):
        handle = client.get_workflow_handle(execution.id, run_id=execution.run_id)
        waits.read_pending((await handle.describe()).raw_description)
        waits.read((await handle.fetch_history()).events)
    return waits
