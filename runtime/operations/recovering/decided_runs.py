"""What people decided since the backup, as the histories of closed runs tell it.

A run that a decision ended carries it as an accepted update, with who and why, and is followed by runs that only say
that the document is settled. Temporal forgets closed runs after the namespace's retention.
"""

import asyncio
import datetime as dt
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError
from temporalio.api.common.v1 import Payloads
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError, RPCStatusCode

from contracts import names
from contracts.flow import INPUTS, Decision, DocumentInput, FlowResult
from contracts.model import Frozen
from store.keys.keyring import KeyRingError

AT_ONCE: Final = 20
"""Histories that are read at the same time."""
ENDING: Final = frozenset({"mark_posted", "skip"})
"""Decisions that end a document's run; the others lead to another try, which Fusion shows."""
SETTLED: Final = re.compile(r"(skipped|marked as posted) by ", re.IGNORECASE)
"""How a run ends that finds its document decided: an earlier one carries the decision."""
UNREADABLE: Final = (KeyRingError, ValidationError, ValueError, RuntimeError, LookupError)

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Decided:
    """A document's run that a person's decision ended."""

    document: DocumentInput
    decision: Decision


class Unread(Frozen):
    """A run of which nobody can say whether and how a person ended it."""

    workflow_id: str
    why: str


async def forgotten_before(client: Client, now: dt.datetime) -> dt.datetime:
    """Runs that closed before this moment are not kept any more."""
    described = await client.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace=client.namespace), retry=True
    )
    retention: dt.timedelta = described.config.workflow_execution_retention_ttl.ToTimedelta()
    return now - retention


async def decided_runs(client: Client, since: dt.datetime) -> AsyncIterator[Decided | Unread]:
    """The newest decision of every document whose runs closed at or after `since`, if it still counts.

    Raises `RPCError` while Temporal cannot be asked.
    """
    query = (
        f"WorkflowType IN ({', '.join(repr(flow) for flow in names.KINDS)}) AND ExecutionStatus='Completed' "
        f"AND CloseTime >= '{since.astimezone(dt.UTC).isoformat()}'"
    )
    runs: defaultdict[str, list[WorkflowExecution]] = defaultdict(list)
    async for run in client.list_workflows(query):
        runs[run.id].append(run)
    documents = list(runs.values())
    for start in range(0, len(documents), AT_ONCE):
        chosen = documents[start : start + AT_ONCE]
        for found in await asyncio.gather(*(_newest_decision(client, one) for one in chosen)):
            if found is not None:
                yield found


async def _newest_decision(client: Client, runs: Sequence[WorkflowExecution]) -> Decided | Unread | None:
    """None: nobody decided since, or the document went another way afterwards."""
    latest = dt.datetime.max.replace(tzinfo=dt.UTC)
    for run in sorted(runs, key=lambda one: one.close_time or latest, reverse=True):
        try:
            history = await client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return Unread(workflow_id=run.id, why="Temporal has just forgotten the run")
        try:
            decided = await _decision_of(client, history.events)
            if decided is not None:
                return decided
            if not await _only_settled(client, history.events):
                return None
        except UNREADABLE as error:
            return Unread(workflow_id=run.id, why=f"{type(error).__name__}: {error}")
    return None


async def _decision_of(client: Client, events: Sequence[HistoryEvent]) -> Decided | None:
    accepted = {}
    for event in events:
        if event.HasField("workflow_execution_update_accepted_event_attributes"):
            request = event.workflow_execution_update_accepted_event_attributes.accepted_request
            if request.input.name == names.DECIDE:
                accepted[event.event_id] = request
        elif event.HasField("workflow_execution_update_completed_event_attributes"):
            completed = event.workflow_execution_update_completed_event_attributes
            if completed.outcome.HasField("failure"):
                accepted.pop(completed.accepted_event_id, None)
    for request in accepted.values():
        decision = await decoded(client, request.input.args, Decision)
        if decision.kind in ENDING:
            started = events[0].workflow_execution_started_event_attributes
            model = INPUTS[names.KINDS[started.workflow_type.name]]
            return Decided(document=await decoded(client, started.input, model), decision=decision)
    return None


async def _only_settled(client: Client, events: Sequence[HistoryEvent]) -> bool:
    for event in reversed(events):
        if event.HasField("workflow_execution_completed_event_attributes"):
            result = event.workflow_execution_completed_event_attributes.result
            return bool(SETTLED.match((await decoded(client, result, FlowResult)).sentence))
    return False


async def decoded(client: Client, payloads: Payloads, model: type[Model]) -> Model:
    """The first of them. Raises one of `UNREADABLE`."""
    found: Iterable[object] = await client.data_converter.decode(payloads.payloads, [model])
    value = next(iter(found))
    if not isinstance(value, model):
        raise TypeError(f"it holds no {model.__name__}")
    return value
