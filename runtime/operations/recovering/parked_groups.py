"""Journal groups whose import waits for a person while the restored store takes them for under way.

Such an import has told already that the next group may go, and says so to nobody again: a group that keeps its place
would hold up its ledger and journal source, and no list would show why.
"""

from typing import Any

from temporalio.client import WorkflowHistory
from temporalio.service import RPCError, RPCStatusCode

from activities.collaborators import Collaborators
from contracts import names
from contracts.flow import JournalImportInput, Parked
from runtime.operations.recovering.decided_runs import UNREADABLE, decoded
from store.outbox.fates import GroupUnknown
from store.rows import GroupState


async def park_groups(parts: Collaborators) -> tuple[int, ...]:
    """Puts them back in review; gives which. Raises `RPCError` while Temporal cannot be asked."""
    found: list[int] = []
    state = f"{names.SA_STATE}='needs_review'"
    query = f"WorkflowType='{names.JOURNAL_IMPORT}' AND ExecutionStatus='Running' AND {state}"
    async for run in parts.temporal.list_workflows(query):
        group_id = int(run.id.rsplit(":", 1)[1])
        try:
            group = await parts.store.groups.group(group_id)
            if group.state in (GroupState.REVIEW, GroupState.CLOSED):
                continue
            history = await parts.temporal.get_workflow_handle(run.id).fetch_history()
        except GroupUnknown:
            continue
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            continue
        evidence = await _waits(parts, history)
        if evidence is not None and await parts.store.groups.set_state(group_id, GroupState.REVIEW, evidence):
            found.append(group_id)
    return tuple(sorted(found))


async def _waits(parts: Collaborators, history: WorkflowHistory) -> dict[str, Any] | None:
    """What the store keeps of a group in review. None: a person has decided, or it is on its way there."""
    if any(event.HasField("workflow_execution_update_accepted_event_attributes") for event in history.events):
        return None
    payloads = history.events[0].workflow_execution_started_event_attributes.input
    try:
        given = await decoded(parts.temporal, payloads, JournalImportInput)
    except UNREADABLE:
        return {}
    return _evidence(given.parked) if given.parked else None


def _evidence(parked: Parked) -> dict[str, Any]:
    return {"problem": parked.problems[0].model_dump(mode="json")}
