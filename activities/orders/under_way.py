"""Which orders have a workflow that runs, as Temporal knows it."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Final

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from contracts import names

ASKED_AT_ONCE: Final = 100
"""Orders that one search asks for."""
AT_ONCE: Final = 10
"""Single workflows asked for at the same time."""


async def under_way(client: Client, integration: str, connection: str, ids: Iterable[str]) -> frozenset[str]:
    """Those of these orders whose workflow runs.

    A search finds most of them for one call; it may be some moments behind, so the others are asked for one by one.
    """
    wanted = sorted(set(ids))
    found: set[str] = set()
    for start in range(0, len(wanted), ASKED_AT_ONCE):
        found |= await _searched(client, integration, wanted[start : start + ASKED_AT_ONCE])
    rest = [one for one in wanted if one not in found]
    room = asyncio.Semaphore(AT_ONCE)

    async def runs(order_id: str) -> bool:
        async with room:
            return await _runs(client, names.order_to_journal_id(connection, order_id))

    running = await asyncio.gather(*(runs(one) for one in rest))
    return frozenset(found) | {one for one, is_there in zip(rest, running, strict=True) if is_there}


async def _searched(client: Client, integration: str, ids: Sequence[str]) -> set[str]:
    listed = ", ".join(f'"{one}"' for one in ids)
    query = (
        f'{names.SA_INTEGRATION} = "{integration}" AND {names.SA_FLOW} = "{names.ORDER_TO_JOURNAL}" '
        f'AND ExecutionStatus = "Running" AND {names.SA_DOCUMENT} IN ({listed})'
    )
    return {run.id.rpartition(":")[2] async for run in client.list_workflows(query)}


async def _runs(client: Client, workflow_id: str) -> bool:
    try:
        description = await client.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return False
    return description.status is WorkflowExecutionStatus.RUNNING


async def poll_interval(client: Client, connection: str) -> timedelta:
    """The longest pause between the next polls of the shop, paused or not; none where it has no schedule.

    At most a day: the sweep finds within that what polls, however rare, have not.
    """
    try:
        described = await client.get_schedule_handle(names.poll_orders_id(connection)).describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return timedelta(0)
    pauses = [later - earlier for earlier, later in pairwise(described.info.next_action_times)]
    return min(max(pauses, default=timedelta(0)), timedelta(days=1))
