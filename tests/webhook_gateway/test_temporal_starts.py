"""Durable starts on a real Temporal server, which is also killed."""

import asyncio
import datetime as dt
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from support.stack import eventually
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle
from temporalio.common import SearchAttributeKey

from contracts.configuration import GatewaySettings, TemporalSettings
from contracts.flow import OrderToJournalInput
from contracts.starting import StartError, StartRequest
from runtime.temporal.connect import connect
from runtime.temporal.devserver import DevServer
from runtime.temporal.starting import TemporalStarter
from store import Store
from store.keys.keyring import KeyRing
from webhook_gateway.breaker import CircuitBreaker

Serve = Callable[..., Any]
History = list[str]
SHORT = GatewaySettings().start_deadline
"""Seconds that a gateway waits for Temporal before it leaves the start to its inbox."""


async def client_of(server: DevServer, *, lazy: bool = False) -> Client:
    return await connect(TemporalSettings(address=server.address, namespace="default"), KeyRing.generate(), lazy=lazy)


@pytest.fixture
async def client(temporal_server: DevServer) -> Client:
    return await client_of(temporal_server)


@pytest.fixture
def request_() -> StartRequest:
    """A start of an order nobody else has."""
    return StartRequest(
        connection="bc-us",
        integration="us-retail",
        document_id=uuid.uuid4().hex[:12],
        job="poll:7",
        received_at=dt.datetime.now(dt.UTC),
    )


async def events(handle: WorkflowHandle[Any, Any]) -> History:
    return [
        EventType.Name(event.event_type).removeprefix("EVENT_TYPE_WORKFLOW_")
        async for event in handle.fetch_history_events()
        if "WORKFLOW_EXECUTION" in EventType.Name(event.event_type)
    ]


async def test_a_start_carries_the_input_a_signal_and_what_it_can_be_found_by(
    client: Client, request_: StartRequest
) -> None:
    await TemporalStarter(client).start(request_)
    handle = client.get_workflow_handle(request_.workflow_id)
    assert await events(handle) == ["EXECUTION_STARTED", "EXECUTION_SIGNALED"]
    description = await handle.describe()
    assert (description.workflow_type, description.task_queue) == ("order-to-journal", "ml-connector")
    assert await description.static_summary() == f"Order {request_.document_id} of bc-us to the general ledger"
    found = {
        name: description.typed_search_attributes.get(SearchAttributeKey.for_keyword(name))
        for name in ("MlcIntegration", "MlcFlow", "MlcDocument", "MlcState", "MlcJob")
    }
    assert found == {
        "MlcIntegration": "us-retail",
        "MlcFlow": "order-to-journal",
        "MlcDocument": request_.document_id,
        "MlcState": "running",
        "MlcJob": "poll:7",
    }
    [first, *_] = [event async for event in handle.fetch_history_events()]
    payloads = first.workflow_execution_started_event_attributes.input.payloads
    [given] = await client.data_converter.decode(payloads, [OrderToJournalInput])
    assert (given.integration, given.connection, given.order_id) == ("us-retail", "bc-us", request_.document_id)


async def test_any_number_of_starts_are_one_run_that_hears_of_each(client: Client, request_: StartRequest) -> None:
    starter = TemporalStarter(client)
    await asyncio.gather(*(starter.start(request_) for _ in range(10)))
    handle = client.get_workflow_handle(request_.workflow_id)
    assert await events(handle) == ["EXECUTION_STARTED"] + ["EXECUTION_SIGNALED"] * 10


async def test_a_change_after_a_run_has_ended_starts_another(client: Client, request_: StartRequest) -> None:
    starter = TemporalStarter(client)
    await starter.start(request_)
    handle = client.get_workflow_handle(request_.workflow_id)
    first = (await handle.describe()).run_id
    await handle.terminate("the run of this test has ended")
    await starter.start(request_)
    assert (await handle.describe()).run_id != first


async def test_an_unknown_flow_is_not_started(client: Client, request_: StartRequest) -> None:
    with pytest.raises(StartError, match="Flow order-to-moon"):
        await TemporalStarter(client).start(request_.model_copy(update={"flow": "order-to-moon"}))


@pytest.fixture
async def mortal_server(temporal_cli: Path, tmp_path: Path) -> AsyncIterator[DevServer]:
    """A server that keeps its state in a file, so that it can be killed and come back."""
    async with DevServer(temporal_cli, database=tmp_path / "temporal.db", ui_port=None) as server:
        yield server


async def test_a_gateway_comes_up_without_temporal_and_starts_everything_once_it_is_there(
    mortal_server: DevServer, serve: Serve
) -> None:
    await mortal_server.kill()
    client = await client_of(mortal_server, lazy=True)
    async with serve(temporal=TemporalStarter(client), drain=True, start_deadline=SHORT) as gateway:
        assert (await gateway.deliver(gateway.payload(1))).status_code == 202
        assert await gateway.store.deliveries.inbox_depth() == 1
        await mortal_server.start()
        await emptied(gateway.store)
        description = await client.get_workflow_handle("order-to-journal:bc-us:1").describe()
        assert description.workflow_type == "order-to-journal"


class Counted:
    """A starter, and how many starts the senders of this test have waited for: the drain's are of other tasks."""

    def __init__(self, starter: TemporalStarter) -> None:
        self._starter = starter
        self._sender = asyncio.current_task()
        self.waited_for = 0

    async def start(self, request: StartRequest) -> None:
        self.waited_for += asyncio.current_task() is self._sender
        await self._starter.start(request)


async def test_a_kill_of_temporal_loses_no_delivery_and_costs_few_senders_less_than_a_tenth_of_a_second(
    mortal_server: DevServer, serve: Serve
) -> None:
    """Counted: how long a wait takes on a machine that does much else says nothing. The benchmarks measure p99."""
    assert SHORT < 0.1
    client = await client_of(mortal_server)
    temporal = Counted(TemporalStarter(client))
    # Its clock stands still: however long this takes, no sender is asked to find out whether Temporal is back.
    breaker = CircuitBreaker(threshold=3, clock=lambda: 0.0)
    async with serve(temporal=temporal, drain=True, breaker=breaker, start_deadline=SHORT) as gateway:

        async def deliver(number: int) -> None:
            body = gateway.payload(number)
            answer = await gateway.deliver(body, gateway.sign(body, message=f"msg_{number}"))
            assert answer.status_code == 202

        for number in range(1, 21):
            await deliver(number)
        await mortal_server.kill()
        before = temporal.waited_for
        for number in range(21, 121):
            await deliver(number)
        # Starts of the drain that were under way may have ended well, and the count of failures begun anew.
        assert temporal.waited_for - before <= 6
        assert gateway.breaker.open
        await mortal_server.start()
        await emptied(gateway.store)
        await deliver(121)
        await emptied(gateway.store)
        handles = [client.get_workflow_handle(f"order-to-journal:bc-us:{number}") for number in range(1, 122)]
        descriptions = await asyncio.gather(*(handle.describe() for handle in handles))
        assert len({description.run_id for description in descriptions}) == 121
        assert not gateway.breaker.open


async def emptied(store: Store) -> None:
    async def empty() -> bool:
        return not await store.deliveries.inbox_depth()

    await eventually(empty, "the inbox is empty")
