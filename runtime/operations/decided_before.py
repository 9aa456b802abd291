"""Decisions that were asked for before: what the audit trail has of them, and what a workflow has refused."""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Final

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import UpdateWorkflowExecutionLifecycleStage
from temporalio.api.update.v1 import UpdateRef, WaitPolicy
from temporalio.api.workflowservice.v1 import PollWorkflowExecutionUpdateRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.decisions import DECIDED
from activities.journals.closing import GROUP
from contracts import names
from contracts.causes import Choice
from contracts.configuration import BigCommerceConnection, Configuration
from contracts.flow import Decided, State
from runtime.operations.naming import Named
from store import Store
from store.rows import AuditRow

ATTEMPT: Final = "."
"""Between a decision's id and the number of its attempt, from the second on."""

_JOB: Final = names.decision_job("")


async def decided_before(
    store: Store,
    configuration: Configuration,
    wanted: Named,
    *,
    kind: Choice,
    who: str,
    why: str,
    decision_id: str | None = None,
) -> Decided | None:
    """The decision on record about what `wanted` stands for.

    With `decision_id` that very decision; else the same one, taken since its last review began.
    """
    for place in _places(configuration, wanted):
        trail = await store.audit.of(*place)
        event = _with_id(trail, decision_id) if decision_id else _in_last_review(trail, kind, who, why)
        if event is not None:
            name = f"{place[1].replace('_', ' ').capitalize()} {wanted.document_id} ({place[0]})"
            told = f"{name}: {event.sentence} (on record since {event.at:%Y-%m-%d %H:%M:%S} UTC)"
            return Decided(id=event.job.removeprefix(_JOB), sentence=told)
    return None


def _places(configuration: Configuration, wanted: Named) -> Iterator[tuple[str, str, str]]:
    for one in configuration.connections:
        if wanted.connection not in (None, one.id):
            continue
        for kind in names.FLOWS if isinstance(one, BigCommerceConnection) else (GROUP,):
            if wanted.kind in (None, kind):
                yield one.id, kind, wanted.document_id


def _with_id(trail: Sequence[AuditRow], decision_id: str) -> AuditRow | None:
    job = names.decision_job(decision_id)
    return next(
        (one for one in trail if one.action == DECIDED and (one.job == job or one.job.startswith(job + ATTEMPT))), None
    )


def _in_last_review(trail: Sequence[AuditRow], kind: Choice, who: str, why: str) -> AuditRow | None:
    wanted = (kind, who, why)
    for event in reversed(trail):
        if event.action == State.NEEDS_REVIEW:
            return None
        if event.action == DECIDED:
            found = tuple(event.details.get(name) for name in ("decision", "who", "why"))
            return event if found == wanted else None
    return None


async def next_attempt(client: Client, workflow_id: str, decision_id: str, *, patience: dt.timedelta) -> str:
    """The id to ask with: the decision's own, unless the workflow has refused it under that id already.

    What a workflow once answered under an id it answers for ever, and what was refused (no journal of that name, Fusion
    is down) may be right by now. Raises `RPCError`.
    """
    number, attempt = 1, decision_id
    while await _was_refused(client, workflow_id, attempt, patience):
        number += 1
        attempt = f"{decision_id}{ATTEMPT}{number}"
    return attempt


async def _was_refused(client: Client, workflow_id: str, update_id: str, patience: dt.timedelta) -> bool:
    stage = UpdateWorkflowExecutionLifecycleStage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED
    try:
        known = await client.workflow_service.poll_workflow_execution_update(
            PollWorkflowExecutionUpdateRequest(
                namespace=client.namespace,
                update_ref=UpdateRef(
                    workflow_execution=WorkflowExecution(workflow_id=workflow_id), update_id=update_id
                ),
                wait_policy=WaitPolicy(lifecycle_stage=stage),
            ),
            timeout=patience,
        )
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return known.outcome.HasField("failure")
