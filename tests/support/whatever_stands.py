"""What a test that has waited in vain tells: every run that is still under way, and what it waits for."""

import asyncio
from collections.abc import Iterable
from typing import Final

from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.converter import DataConverter
from temporalio.service import RPCError

from contracts import names

ENOUGH: Final = 30
"""Runs that are told of."""
PATIENCE: Final = 30.0
"""Seconds for asking. Whatever does not answer by then is left out."""


async def whatever_stands(clients: Iterable[Client]) -> str:
    """A line for each run and each of its steps, or why nothing is known."""
    told: list[str] = []

    async def tell() -> None:
        for client in clients:
            async for run in client.list_workflows("ExecutionStatus = 'Running'", limit=ENOUGH):
                told.append(f"  {run.id}: {await _state(client, run.id)}")
                described = await client.get_workflow_handle(run.id).describe()
                steps = described.raw_description.pending_activities
                told.extend([await _step(client.data_converter, step) for step in steps])

    try:
        await asyncio.wait_for(tell(), PATIENCE)
    except (RPCError, TimeoutError) as error:
        told.append(f"  and more, which cannot be read: {error!r}")
    return "\n".join(told or ["  no run is under way"])


async def _state(client: Client, workflow_id: str) -> str:
    try:
        return str(await client.get_workflow_handle(workflow_id).query(names.STATE))
    except WorkflowQueryFailedError:
        return "takes no such question"
    except Exception as error:
        # Whatever it is: the test fails for another reason.
        return f"does not say: {error!r}"


async def _step(converter: DataConverter, step: PendingActivityInfo) -> str:
    state = PendingActivityState.Name(step.state).removeprefix("PENDING_ACTIVITY_STATE_").lower()
    failed = f": {await converter.decode_failure(step.last_failure)}" if step.HasField("last_failure") else ""
    return f"    {step.activity_type.name} is {state}, attempt {step.attempt}{failed}"
