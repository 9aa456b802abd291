"""Updates that start their workflow where it is not there, as Temporal's client makes them."""

import asyncio
from typing import Any

from temporalio.client import Client, WithStartWorkflowOperation


async def update_with_start(
    client: Client, update: str, argument: object, start: WithStartWorkflowOperation[Any, Any], **given: Any
) -> Any:
    """As `Client.execute_update_with_start_workflow`; what fails is raised, and told nowhere else.

    The SDK also keeps the failure for whoever asks `start` for the run. Where nobody does, Python says in the log that
    an exception was never retrieved, with a stack trace that is nobody's to read.
    """
    run = asyncio.ensure_future(start.workflow_handle())
    try:
        return await client.execute_update_with_start_workflow(
            update, argument, start_workflow_operation=start, **given
        )
    finally:
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
