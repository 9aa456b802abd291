"""Reviews whose workflow is gone: terminated, or past its retention while the store still lists them.

Nothing waits for a decision then. The run is begun anew, in review as it was, in one request with the decision.
"""

import datetime as dt

from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from activities.parked import ParkedRun, parked_document
from activities.updating import update_with_start
from contracts import names
from contracts.causes import NEEDS_REVIEW
from contracts.flow import Decided, Decision, JournalImportInput, Parked, State
from contracts.journal import Problem
from store import Store
from store.outbox.fates import GroupUnknown
from store.rows import GroupRow, GroupState


async def decide_anew(
    client: Client,
    store: Store,
    kind: str | None,
    connection: str,
    document_id: str,
    decision: Decision,
    *,
    patience: dt.timedelta,
) -> Decided | None:
    """Begin the review anew and decide about it. None: the store says by now that it is not in review.

    `kind` is that of a document, None for a journal group.
    Raises as `temporalio.client.Client.execute_update_with_start_workflow` does.
    """
    run = await (parked_document(store, connection, kind, document_id) if kind else _group(store, document_id))
    if run is None:
        return None
    operation: WithStartWorkflowOperation[object, object] = WithStartWorkflowOperation(
        run.flow,
        run.given,
        id=run.id,
        task_queue=names.WORKFLOW_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        search_attributes=run.search_attributes,
        static_summary=run.summary,
    )
    answer = await update_with_start(
        client, names.DECIDE, decision, operation, id=decision.id, result_type=Decided, rpc_timeout=patience
    )
    if not isinstance(answer, Decided):
        raise TypeError(f"a decision is answered by `Decided`, not by {type(answer).__name__}")
    return answer


def problem_of_group(group: GroupRow) -> Problem:
    found = group.evidence.get("problem")
    if found:
        return Problem.model_validate(found)
    return Problem(code=NEEDS_REVIEW, sentence="Its import waits for a person.", remedy="Look into it, then retry.")


async def _group(store: Store, number: str) -> ParkedRun | None:
    try:
        group = await store.groups.group(int(number))
    except GroupUnknown:
        return None
    if group.state is not GroupState.REVIEW:
        return None
    since = group.submitted_at or group.marked_at or group.sealed_at
    return ParkedRun(
        flow=names.JOURNAL_IMPORT,
        id=names.journal_import_id(group.fusion, group.ledger, group.group_id),
        given=JournalImportInput(
            fusion=group.fusion,
            ledger=group.ledger,
            source=group.source,
            group_id=group.group_id,
            groups_workflow=names.journal_groups_id(group.fusion, group.ledger, group.source),
            parked=Parked(problems=(problem_of_group(group),), since=since),
            epoch=group.epoch,
        ),
        values={names.SA_STATE: State.NEEDS_REVIEW.value},
        summary=f"import journals of group {group.group_id}, in review again",
    )
