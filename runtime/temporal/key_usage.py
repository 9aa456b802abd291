"""Which keys of the ring Temporal still needs: for running workflows, for schedules, to read closed histories.

Every sealed payload names its key in the clear (`runtime.temporal.codec.KEY_ID`), so nothing is opened to find out.
"""

import asyncio
import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from temporalio.api.common.v1 import WorkflowExecution as Execution
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeWorkflowExecutionRequest,
    GetWorkflowExecutionHistoryRequest,
)
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError, RPCStatusCode

from runtime.grouped_errors import ungrouped
from runtime.temporal.codec import KEY_ID

TOGETHER: Final = 20
"""Histories read at a time."""

# A map entry in protobuf: the name with its length, then the value with its own.
_NAMED: Final = re.compile(rb"\n" + bytes((len(KEY_ID),)) + re.escape(KEY_ID.encode()) + rb"\x12([\x01-\x28])")


class _Message(Protocol):
    def SerializeToString(self) -> bytes: ...  # noqa: N802 -- protobuf's name


@dataclass(frozen=True)
class KeysInUse:
    """What is alive in Temporal and cannot go on without which key."""

    running: Mapping[str, tuple[str, ...]]
    """Key id -> workflow ids."""
    schedules: Mapping[str, tuple[str, ...]]
    """Key id -> schedule ids."""


@dataclass(frozen=True)
class Closed:
    """Closed workflows that started before a moment and are still kept."""

    count: int
    kept_until: dt.datetime | None
    """When the last of them is deleted; None when there is none."""


async def keys_in_use(client: Client) -> KeysInUse:
    """Reads every history that is still being written, and every schedule. Raises `RPCError`."""
    running: dict[str, list[str]] = {}
    schedules: dict[str, list[str]] = {}
    slots = asyncio.Semaphore(TOGETHER)

    async def look(run: WorkflowExecution) -> None:
        try:
            for key_id in await _keys_of(client, run):
                running.setdefault(key_id, []).append(run.id)
        finally:
            slots.release()

    with ungrouped(RPCError):
        async with asyncio.TaskGroup() as tasks:
            async for run in client.list_workflows('ExecutionStatus = "Running"'):
                await slots.acquire()
                tasks.create_task(look(run))
    async for listed in await client.list_schedules():
        description = await client.get_schedule_handle(listed.id).describe()
        for key_id in set(_named(description.raw_description)):
            schedules.setdefault(key_id, []).append(listed.id)
    return KeysInUse(_sorted(running), _sorted(schedules))


async def closed_since(client: Client, before: dt.datetime) -> Closed:
    """Closed workflows that started before this moment, in the namespace's retention."""
    query = f"ExecutionStatus != 'Running' AND StartTime < '{before.astimezone(dt.UTC).isoformat()}'"
    count = (await client.count_workflows(query)).count
    if not count:
        return Closed(0, None)
    namespace = await client.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace=client.namespace), retry=True
    )
    retention = namespace.config.workflow_execution_retention_ttl.ToTimedelta()
    # The one that closed last comes first.
    async for run in client.list_workflows(query, page_size=1, limit=1):
        return Closed(count, (run.close_time or dt.datetime.now(dt.UTC)) + retention)
    return Closed(0, None)


async def _keys_of(client: Client, run: WorkflowExecution) -> set[str]:
    """Keys in the run's history, memo and pending steps; none when it has ended and gone meanwhile."""
    execution = Execution(workflow_id=run.id, run_id=run.run_id)
    found: set[str] = set()
    page = b""
    try:
        described = await client.workflow_service.describe_workflow_execution(
            DescribeWorkflowExecutionRequest(namespace=client.namespace, execution=execution), retry=True
        )
        found.update(_named(described))
        while True:
            history = await client.workflow_service.get_workflow_execution_history(
                GetWorkflowExecutionHistoryRequest(
                    namespace=client.namespace, execution=execution, next_page_token=page
                ),
                retry=True,
            )
            found.update(_named(history))
            page = history.next_page_token
            if not page:
                return found
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return set()
        raise


def _named(message: _Message) -> Iterator[str]:
    content = message.SerializeToString()
    for match in _NAMED.finditer(content):
        yield content[match.end() : match.end() + match[1][0]].decode("ascii", errors="replace")


def _sorted(found: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {key_id: tuple(sorted(ids)) for key_id, ids in found.items()}
