"""The Temporal server and PostgreSQL are killed in the middle of a morning: nothing is lost, nothing is booked twice.

All tests use one installation, whose workers and gateways are never restarted and have to live through everything; each
counts every order since the beginning.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest
from cluster.installation import SETTLED, Installation
from support.proof import SEND
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistoryEventFilterType

from contracts import names

ORDERS = 40
MORE = 20
"""Orders of the time when something is down."""
OUTAGE = 4.0
"""Seconds that what was killed stays away."""

Act = Callable[[Installation], Awaitable[None]]


async def kill_temporal(installation: Installation) -> None:
    await installation.server.kill()


async def kill_postgresql(installation: Installation) -> None:
    await installation.postgres.kill()


async def kill_both(installation: Installation) -> None:
    await asyncio.gather(installation.server.kill(), installation.postgres.kill())


KILLS = [
    pytest.param(kill_temporal, id="the Temporal server"),
    pytest.param(kill_postgresql, id="PostgreSQL"),
    pytest.param(kill_both, id="both"),
]


async def test_two_workers_and_two_gateways_share_a_morning(installation: Installation) -> None:
    orders = installation.sell(ORDERS)
    await installation.all_booked_once()
    starting, working = set[str](), set[str]()
    temporal = installation.crew.stack.temporal
    for connection, order_id in orders:
        handle = temporal.get_workflow_handle(names.order_to_journal_id(connection, str(order_id)))
        history = await handle.fetch_history(event_filter_type=WorkflowHistoryEventFilterType.ALL_EVENT)
        starting.add(history.events[0].workflow_execution_started_event_attributes.identity)
        working |= {
            event.workflow_task_started_event_attributes.identity
            for event in history.events
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED
        }
    assert {identity.split("@")[0] for identity in starting} == {str(one.pid) for one in installation.gateways}
    assert {identity.split("@")[0] for identity in working} == {str(one.pid) for one in installation.workers}


@pytest.mark.parametrize("kill", KILLS)
async def test_killed_with_orders_on_their_way(kill: Act, installation: Installation) -> None:
    orders = installation.sell(ORDERS)
    await installation.on_their_way(orders)
    await kill(installation)
    installation.sell(MORE)
    await asyncio.sleep(OUTAGE)
    await installation.bring_back()
    await installation.all_booked_once()


@pytest.mark.parametrize("kill", KILLS)
async def test_killed_when_only_fusion_knows_that_it_has_the_import(kill: Act, installation: Installation) -> None:
    held = installation.crew.stack.fusion.hooks.hold("committed", **SEND)
    installation.sell(ORDERS)
    await held.reached(SETTLED)
    await kill(installation)
    held.release()
    await asyncio.sleep(OUTAGE)
    await installation.bring_back()
    await installation.all_booked_once()


async def test_killed_again_and_again_at_random(installation: Installation) -> None:
    chance = random.Random(1)
    for _ in range(6):
        installation.sell(10)
        await asyncio.sleep(chance.uniform(0.5, 4.0))
        await chance.choice((kill_temporal, kill_postgresql, kill_both))(installation)
        installation.sell(5)
        await asyncio.sleep(chance.uniform(0.5, 3.0))
        await installation.bring_back()
    await installation.all_booked_once()
