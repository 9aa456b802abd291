"""What a step leaves behind of a document: its row, and an event in the audit trail."""

from collections.abc import Mapping
from typing import Any

from temporalio import activity

from activities.collaborators import Collaborators
from activities.refunds.telling import tell_order, wake_refunds
from contracts import names
from contracts.configuration import Integration
from contracts.flow import State
from contracts.journal import Problem
from contracts.model import Instant
from contracts.steps.documents import VERSION_UNKNOWN
from contracts.steps.journals import VerifyJournal
from store.rows import AuditEvent, DocumentRow
from store.turns import Turn

KIND = names.ORDER
_SETTLES = (State.POSTED, State.SKIPPED, State.REVERSED, State.NEEDS_REVIEW)
"""States of an order that its refunds wait for, or were left out for the lack of: also in review, for what was on its
way then no longer is. And those of a refund that its order may wait for."""


def job_of(job: str) -> str:
    """The job that led to a step. A run that somebody started by hand, naming none, is its own."""
    return job or f"run:{activity.info().workflow_run_id}"


async def record(
    parts: Collaborators,
    integration: Integration,
    order_id: str,
    *,
    kind: str = KIND,
    action: str,
    sentence: str,
    details: Mapping[str, Any],
    job: str,
    payload: str | None = None,
) -> None:
    """One event of a document's life, of which no change in the store tells as well. `payload` is kept sealed."""
    event = event_of(
        parts,
        integration,
        order_id,
        kind=kind,
        action=action,
        sentence=sentence,
        details=details,
        job=job,
        payload=payload,
    )
    await parts.store.audit.append([event])


def event_of(
    parts: Collaborators,
    integration: Integration,
    order_id: str,
    *,
    kind: str = KIND,
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
        kind=kind,
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
    kind: str = KIND,
    parent_id: str = "",
    state: State,
    reason: str,
    modified_at: Instant,
    fingerprint: str,
    problems: tuple[Problem, ...] = (),
    job: str,
    decided_by: str = "",
    decided_version: str = "",
    turn: Turn | None = None,
    event: AuditEvent | None = None,
) -> None:
    """Where the document's newest fetched version stands, with the event that tells so.

    Refunds that wait for an order are told, and the order that waits for a refund. Raises `store.turns.Superseded`;
    then neither is written. Raises `contracts.starting.StartError` when the refunds cannot be told; then the step is to
    be repeated.
    """
    row = DocumentRow(
        tenant=integration.tenant,
        integration=integration.id,
        connection=integration.source,
        kind=kind,
        id=order_id,
        parent_id=parent_id,
        modified_at=modified_at,
        fingerprint=fingerprint,
        state=state,
        reason=reason,
        problems=problems,
        job=job_of(job),
        decided_by=decided_by,
        decided_version=decided_version,
        at=parts.clock(),
    )
    await parts.store.documents.settle(row, turn=turn, event=event)
    if state not in _SETTLES:
        return
    if kind == names.ORDER:
        await wake_refunds(parts, integration.source, [order_id], row.job)
    elif kind == names.REFUND:
        known = row if parent_id else await parts.store.documents.get(integration.source, kind, order_id)
        if known is not None and known.parent_id:
            await tell_order(parts, integration.source, known.parent_id)


def turn_of(connection: str, order_id: str, decided_at: Instant | None, *, kind: str = KIND) -> Turn | None:
    """The turn of a step that its workflow decided on at `decided_at`."""
    return Turn(connection=connection, kind=kind, document_id=order_id, at=decided_at) if decided_at else None


async def settle_as_marked(
    parts: Collaborators,
    integration: Integration,
    wanted: VerifyJournal,
    *,
    sentence: str,
    named: Mapping[str, str],
    job: str,
    state: State = State.POSTED,
) -> None:
    """A person named what stands for the document in Fusion (`named`), and it was found there."""
    known = await parts.store.documents.get(wanted.connection, wanted.kind, wanted.order_id)
    await settle(
        parts,
        integration,
        wanted.order_id,
        kind=wanted.kind,
        state=state,
        reason=sentence,
        modified_at=known.modified_at if known else parts.clock(),
        fingerprint=wanted.fingerprint,
        job=job,
        decided_by=wanted.who,
        decided_version=wanted.version or VERSION_UNKNOWN,
        event=event_of(
            parts,
            integration,
            wanted.order_id,
            kind=wanted.kind,
            action="marked_posted",
            sentence=sentence,
            details={**named, "who": wanted.who, "why": wanted.why},
            job=job,
        ),
    )
