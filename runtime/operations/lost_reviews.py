"""Reviews whose workflow is gone: terminated, or past its retention while the store still lists them.

Nothing waits for a decision then. The run is begun anew, in review as it was, in one request with the decision.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import BaseModel
from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)

from contracts import names
from contracts.causes import NEEDS_REVIEW
from contracts.flow import Decided, Decision, JournalImportInput, OrderToJournalInput, Parked, State
from contracts.journal import Problem
from store import Store
from store.outbox.fates import GroupUnknown
from store.rows import DocumentRow, GroupRow, GroupState

ORDER: Final = "order"


@dataclass(frozen=True)
class _Run:
    flow: str
    id: str
    given: BaseModel
    attributes: dict[str, str]
    summary: str


async def decide_anew(
    client: Client,
    store: Store,
    kind: Literal["document", "journal_group"],
    connection: str,
    document_id: str,
    decision: Decision,
    *,
    patience: dt.timedelta,
) -> Decided | None:
    """Begin the review anew and decide about it. None: the store says by now that it is not in review.

    A document's row is written before its run ends, so what the store still lists was not decided by anybody else.
    Raises as `temporalio.client.Client.execute_update_with_start_workflow` does.
    """
    run = await (_document(store, connection, document_id) if kind == "document" else _group(store, document_id))
    if run is None:
        return None
    pairs = [SearchAttributePair(SearchAttributeKey.for_keyword(name), text) for name, text in run.attributes.items()]
    operation: WithStartWorkflowOperation[object, object] = WithStartWorkflowOperation(
        run.flow,
        run.given,
        id=run.id,
        task_queue=names.WORKFLOW_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        search_attributes=TypedSearchAttributes(pairs),
        static_summary=run.summary,
    )
    answer = await client.execute_update_with_start_workflow(
        names.DECIDE,
        decision,
        start_workflow_operation=operation,
        id=decision.id,
        result_type=Decided,
        rpc_timeout=patience,
    )
    if not isinstance(answer, Decided):
        raise TypeError(f"a decision is answered by `Decided`, not by {type(answer).__name__}")
    return answer


def problems_of_document(row: DocumentRow) -> tuple[Problem, ...]:
    """What the row says is wrong; its reason, where it was put into review without problems."""
    return row.problems or (Problem(code=NEEDS_REVIEW, sentence=row.reason, remedy="Repair the cause, then retry."),)


def problem_of_group(group: GroupRow) -> Problem:
    found = group.evidence.get("problem")
    if found:
        return Problem.model_validate(found)
    return Problem(code=NEEDS_REVIEW, sentence="Its import waits for a person.", remedy="Look into it, then retry.")


async def _document(store: Store, connection: str, document_id: str) -> _Run | None:
    row = await store.documents.get(connection, ORDER, document_id)
    if row is None or row.state is not State.NEEDS_REVIEW:
        return None
    postings = await store.journals.postings_of(connection, ORDER, document_id)
    # Fates of groups that are known already are history (`Parked.group_id`).
    refused = max((one.fate.group_id for one in postings if one.fate), default=0)
    return _Run(
        flow=names.ORDER_TO_JOURNAL,
        id=names.order_to_journal_id(connection, document_id),
        given=OrderToJournalInput(
            integration=row.integration,
            connection=connection,
            order_id=document_id,
            job=row.job,
            parked=Parked(
                problems=problems_of_document(row), since=row.at, fingerprint=row.fingerprint, group_id=refused
            ),
        ),
        attributes={
            names.SA_INTEGRATION: row.integration,
            names.SA_FLOW: names.ORDER_TO_JOURNAL,
            names.SA_DOCUMENT: document_id,
            names.SA_STATE: State.NEEDS_REVIEW.value,
            names.SA_JOB: row.job,
        },
        summary=f"Order {document_id} of {connection}, in review again",
    )


async def _group(store: Store, number: str) -> _Run | None:
    try:
        group = await store.groups.group(int(number))
    except GroupUnknown:
        return None
    if group.state is not GroupState.REVIEW:
        return None
    since = group.submitted_at or group.marked_at or group.sealed_at
    return _Run(
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
        attributes={names.SA_STATE: State.NEEDS_REVIEW.value},
        summary=f"import journals of group {group.group_id}, in review again",
    )
