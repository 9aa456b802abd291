"""What a production server does and the dev server does not."""

import asyncio
import uuid
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
from google.protobuf.duration_pb2 import Duration
from support.cluster import SHARDS, ProductionServer
from support.postgres import plain
from support.proof import nothing_in_review, ordinary, posted, sell
from support.server_tools import ServerToolsMissing, find_or_build
from support.stack import PATIENCE, open_stack
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest

from contracts.configuration import TemporalSettings
from contracts.names import SEARCH_ATTRIBUTES
from contracts.starting import StartRequest
from runtime.temporal.connect import connect, register_search_attributes
from runtime.temporal.starting import TemporalStarter
from store import KeyRing


async def test_processes_that_start_together_register_the_search_attributes_and_may_use_them_at_once(
    production_server: ProductionServer,
) -> None:
    """The server lists an attribute before its services have heard of it."""
    keys, namespace = KeyRing.generate(), f"t-{uuid.uuid4().hex[:12]}"
    first = await connect(TemporalSettings(address=production_server.address), keys)
    await first.workflow_service.register_namespace(
        RegisterNamespaceRequest(namespace=namespace, workflow_execution_retention_period=Duration(seconds=86400))
    )
    settings = TemporalSettings(address=production_server.address, namespace=namespace)
    clients = [await connect(settings, keys) for _ in range(3)]
    added = await asyncio.gather(*(register_search_attributes(client, patience=PATIENCE) for client in clients))
    assert set(SEARCH_ATTRIBUTES) in [set(names) for names in added]
    for number, client in enumerate(clients):
        request = StartRequest(
            connection="bc-us",
            integration="shop-us",
            document_id=str(number),
            job="test",
            received_at=datetime.now(UTC),
        )
        await TemporalStarter(client).start(request)


async def test_orders_are_spread_over_several_history_shards(
    production_server: ProductionServer, tmp_path: Path
) -> None:
    async with open_stack(production_server, tmp_path) as stack, stack.worker():
        assert stack.configuration.store.url.startswith("postgresql+asyncpg://")
        orders = await sell(stack, *(ordinary(seed) for seed in range(1, 21)))
        await posted(stack, orders)
        await nothing_in_review(stack)
    connection = await asyncpg.connect(plain(production_server.database))
    try:
        rows = await connection.fetch(
            "SELECT shard_id, count(*) FROM executions WHERE workflow_id LIKE 'order-to-journal:%' GROUP BY shard_id"
        )
    finally:
        await connection.close()
    assert 1 < len(rows) <= SHARDS


def test_a_server_that_cannot_be_built_says_what_to_do(tmp_path: Path) -> None:
    environment = {"PATH": str(tmp_path), "ML_CONNECTOR_CACHE": str(tmp_path / "cache")}
    with pytest.raises(ServerToolsMissing, match=r"(?s)TEMPORAL_SERVER_PATH.*Go is not installed.*Install Go 1\.25"):
        find_or_build(environment=environment)
    with pytest.raises(ServerToolsMissing, match=r"TEMPORAL_SQL_PATH=.*is not a working"):
        find_or_build(environment={**environment, "TEMPORAL_SQL_PATH": str(tmp_path / "absent")})
