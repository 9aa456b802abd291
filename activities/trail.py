"""What a step leaves behind of a document: its row, and an event in the audit trail."""

from collections.abc import Mapping
from typing import Any

from temporalio import activity

from activities.collaborators import Collaborators
from contracts.configuration import Integration
from contracts.flow import State
from contracts.journal import Problem
from contracts.model import Instant
from contracts.steps import VerifyJournal
from store.rows import AuditEvent, DocumentRow
from store.turns import Turn

KIND = "order"


def job_of(job: str) -> str:
    """The job that led to a step. A run that somebody started by hand, naming none, is its own."""
    return job or f"run:{activity.info().workflow_run_id}"


async def record(
    parts: Collaborators,
    integration: Integration,
    order_id: str,
    *,
    action: str,
    sentence: str,
    details: Mapping[str, Any],
    job: str,
    payload: str | None = None,
) -> None:
    """One event of an order's life, of which no change in the store tells as well. `payload` is kept sealed."""
    event = event_of(
        parts, integration, order_id, action=action, sentence=sentence, details=details, job=job, payload=payload
    )
    await parts.store.audit.append([event])


def event_of(
    parts: Collaborators,
    integration: Integration,
    order_id: str,
    *,
    action: str,
    sentence: str,
    details: Mapping[str, Any],
    job: str,
    payload: str | None = None,
) -> AuditEvent:
    """An event to be added together with the change that it tells of."""
    return AuditEvent(
        tenant=integration.tenant,
        connection=integration.source,
        kind=KIND,
        document_id=order_id,
        at=parts.clock(),
        action=action,
        sentence=sentence,
        details=dict(details),
        job=job_of(job),
        payload=payload,
    )


async def settle(
    parts: Collaborators,
    integration: Integration,
    order_id: str,
    *,
    state: State,
    reason: str,
    modified_at: Instant,
    fingerprint: str,
    problems: tuple[Problem, ...] = (),
    job: str,
    decided_by: str = "",
    turn: Turn | None = None,
    event: AuditEvent | None = None,
) -> None:
    """Where the order's newest fetched version stands, with the event that tells so.

    Raises `store.turns.Superseded`; then neither is written.
    """
    row = DocumentRow(
        tenant=integration.tenant,
        integration=integration.id,
        connection=integration.source,
        kind=KIND,
        id=order_id,
        modified_at=modified_at,
        fingerprint=fingerprint,
        state=state,
        reason=reason,
        problems=problems,
        job=job_of(job),
        decided_by=decided_by,
        at=parts.clock(),
    )
    await parts.store.documents.settle(row, turn=turn, event=event)


def turn_of(connection: str, order_id: str, decided_at: Instant | None) -> Turn | None:
    """The turn of a step that its workflow decided on at `decided_at`."""
    return Turn(connection=connection, kind=KIND, document_id=order_id, at=decided_at) if decided_at else None


async def settle_as_marked(
    parts: Collaborators,
    integration: Integration,
    wanted: VerifyJournal,
    *,
    sentence: str,
    named: Mapping[str, str],
    job: str,
) -> None:
    """A person named what stands for the document in Fusion (`named`), and it was found there."""
    known = await parts.store.documents.get(wanted.connection, KIND, wanted.order_id)
    await settle(
        parts,
        integration,
        wanted.order_id,
        state=State.POSTED,
        reason=sentence,
        modified_at=known.modified_at if known else parts.clock(),
        fingerprint=wanted.fingerprint,
        job=job,
        decided_by=wanted.who,
        event=event_of(
            parts,
            integration,
            wanted.order_id,
            action="marked_posted",
            sentence=sentence,
            details={**named, "who": wanted.who, "why": wanted.why},
            job=job,
        ),
    )
