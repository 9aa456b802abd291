"""Whoever makes an update that starts its workflow hears of a failure once."""

import asyncio
import gc
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from support.stack import eventually
from support.topology import TemporalServer
from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError

from activities.updating import update_with_start


@contextmanager
def overheard() -> Iterator[list[str]]:
    """What the loop is told of failures that nobody heard of. Not of those before: they are told elsewhere first."""
    told: list[str] = []
    loop = asyncio.get_running_loop()
    gc.collect()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: told.append(context["message"]))
    try:
        yield told
    finally:
        loop.set_exception_handler(before)


def start(workflow_id: str = "one") -> WithStartWorkflowOperation[Any, Any]:
    return WithStartWorkflowOperation(
        "anything", id=workflow_id, task_queue="nobody", id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING
    )


async def test_a_failure_is_raised_and_not_logged_as_well(temporal_server: TemporalServer) -> None:
    nowhere = await Client.connect(temporal_server.address, namespace="nowhere", lazy=True)
    with overheard() as told:
        with pytest.raises(RPCError):
            await nowhere.execute_update_with_start_workflow("seen", 1, start_workflow_operation=start())
        gc.collect()
        assert told == ["Future exception was never retrieved"], "what the SDK leaves behind"
        told.clear()
        with pytest.raises(RPCError):
            await update_with_start(nowhere, "seen", 1, start())
        gc.collect()
        assert told == []


async def test_one_that_is_given_up_leaves_nothing_behind_either(temporal_server: TemporalServer) -> None:
    """Nobody works on the queue, so the update is never answered."""
    client = await Client.connect(temporal_server.address)
    handle = client.get_workflow_handle(f"given-up-{uuid.uuid4().hex}")

    async def has_started() -> bool:
        try:
            await handle.describe()
        except RPCError:
            return False
        return True

    with overheard() as told:
        waiting = asyncio.create_task(update_with_start(client, "seen", 1, start(handle.id)))
        await eventually(has_started, "the server has the update and its workflow")
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert waiting.cancelled() or waiting.exception()
        del waiting
        gc.collect()
        assert told == []
    await handle.terminate()
