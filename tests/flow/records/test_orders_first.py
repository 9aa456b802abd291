"""People wait for orders, and a first load of records can wait: both share the shop's quota and queue."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.items import keeping, new_item, poll_records
from support.stack import Stack, eventually, open_stack
from support.topology import TemporalServer, Topology
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest

from contracts import names
from contracts.configuration import BigCommerceConnection, Configuration
from contracts.worker_groups import WorkerGroup
from sandbox.bigcommerce import US_SHOP, Shape, StoreSettings, draft

DEPLOYED = Path(__file__).parents[3] / "deploy" / "temporal" / "dynamic.yaml"
RECORDS = 200
QUOTA = 150
"""Calls in the thirty seconds of a window: a worker takes few steps at once."""
POD = WorkerGroup(name="pod", connections=("fusion",))
"""A worker of it alone leaves the shop's queue as it is."""


@pytest.fixture
async def server(topology: Topology, tmp_path: Path) -> AsyncIterator[TemporalServer]:
    """With the dynamic configuration that is deployed."""
    settings = {name: values[0]["value"] for name, values in yaml.safe_load(DEPLOYED.read_text()).items()}
    directory = tmp_path / "temporal"
    directory.mkdir()
    async with topology.server(directory, dynamic_config=settings) as server:
        yield server


def keeping_items_of_a_small_shop(configuration: Configuration) -> Configuration:
    def limited(connection: Any) -> Any:
        if not isinstance(connection, BigCommerceConnection):
            return connection
        return connection.model_copy(update={"requests_per_window": QUOTA})

    connections = tuple(map(limited, configuration.connections))
    return keeping()(configuration.model_copy(update={"connections": connections, "worker_groups": (POD,)}))


async def waiting(stack: Stack) -> int:
    """Steps that wait in the shop's queue."""
    described = await stack.temporal.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=stack.temporal.namespace,
            task_queue=TaskQueue(name=names.vendor_queue("bc-us")),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
            report_stats=True,
        )
    )
    return described.stats.approximate_backlog_count


async def test_an_order_passes_the_records_that_were_started_before_it(server: TemporalServer, tmp_path: Path) -> None:
    stores = (StoreSettings(US_SHOP, requests_per_window=QUOTA),)
    async with open_stack(server, tmp_path, stores=stores, adjust=keeping_items_of_a_small_shop) as stack:
        async with stack.worker(groups=[POD.name]):
            for number in range(RECORDS):
                new_item(stack, f"LOAD-{number}", f"Load {number}")
            assert (await poll_records(stack, "fusion", whole=True)).started >= RECORDS

            async def all_wait() -> bool:
                return await waiting(stack) > RECORDS * 3 // 4

            await eventually(all_wait, "the records' first steps wait in the shop's queue")
            order = stack.shop().place(draft(Shape.ORDINARY, US_SHOP, seed=1)).id
            await stack.announce(order)

            async def behind_them() -> bool:
                found = await stack.running(names.order_to_journal_id("bc-us", str(order)))
                return found is not None and len(found.raw_description.pending_activities) > 0

            await eventually(behind_them, "the order's first step waits behind them")
        before = stack.shops.calls.total
        async with stack.worker():
            read = f"/orders/{order}$"
            await eventually(lambda: stack.shops.calls.count("GET", read), "the order is read")
            [first, *_] = stack.shops.calls.matching("GET", read)
            assert await waiting(stack) > 0
        passed_by = sum(before < call.id < first.id for call in stack.shops.calls)
        assert passed_by < RECORDS // 2
