"""Decisions of people that a restored store has forgotten are recorded once more, as the real step does it.

A document that a person skipped, or marked as posted by what they had booked by hand, is not posted because of a
restore. What cannot be recorded waits for a person again.
"""

import datetime as dt
from collections.abc import Awaitable, Callable
from typing import TypeVar

from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import ApplicationError

from activities.collaborators import Collaborators
from activities.decisions import DECIDED
from activities.journals.staging import StagingActivities
from activities.journals.verify import mark_posted
from activities.receivables.invoices import invoice_reference
from contracts import names
from contracts.configuration import Integration
from contracts.flow import Decision, DocumentInput, Parked, State
from contracts.journal import Problem
from contracts.model import Frozen
from contracts.steps.documents import SettleDocument
from contracts.steps.journals import VerifyJournal
from runtime.operations.recovering.decided_runs import Decided, Unread, decided_runs
from store import StoreError, StoreUnavailable
from store.recovered_creations import ForgottenReview

T = TypeVar("T")


class DecisionsRead(Frozen):
    """What was found."""

    recorded: tuple[str, ...] = ()
    """One sentence for each that the store did not know."""
    asked_again: tuple[str, ...] = ()
    """Documents whose decision could not be recorded; each waits for a person once more."""
    unread: tuple[Unread, ...] = ()
    """Runs that nobody can read: posting must not go on as if nobody had decided."""


async def record_decisions(parts: Collaborators, since: dt.datetime, now: dt.datetime, job: str) -> DecisionsRead:
    """Raises `VendorError` while a pod cannot be asked, `RPCError` while Temporal cannot be."""
    recorded, again, unread = [], [], []
    async for found in decided_runs(parts.temporal, since):
        if isinstance(found, Unread):
            unread.append(found)
            continue
        integration = _integration(parts, found.document)
        if integration is None:
            unread.append(
                Unread(workflow_id=_workflow_id(found.document), why="its integration is not configured any more")
            )
            continue
        if await _is_on_record(parts, found):
            continue
        sentence = f"{_title(found.document)}: {_told(found.decision)}"
        try:
            await _record(parts, integration, found, now, job)
        except (ApplicationError, StoreError) as refused:
            if isinstance(refused, StoreUnavailable):
                raise
            why = refused.message if isinstance(refused, ApplicationError) else str(refused)
            await _ask_again(parts, integration, found, f"{sentence}; {why}", now, job)
            again.append(f"{sentence}; {why}")
        else:
            recorded.append(sentence)
    return DecisionsRead(recorded=tuple(recorded), asked_again=tuple(again), unread=tuple(unread))


def _integration(parts: Collaborators, given: DocumentInput) -> Integration | None:
    mine = (one for one in parts.configuration.integrations if one.id == given.integration)
    return next((one for one in mine if one.source == given.connection), None)


async def _is_on_record(parts: Collaborators, found: Decided) -> bool:
    """Every decision that was carried out has its own event; the backup, or an earlier recovery, brought it."""
    job = names.decision_job(found.decision.id)
    events = await parts.store.audit.of(found.document.connection, found.document.kind, found.document.document_id)
    return any((event.action, event.job) == (DECIDED, job) for event in events)


async def _record(parts: Collaborators, integration: Integration, found: Decided, now: dt.datetime, job: str) -> None:
    given, decision = found.document, found.decision
    fingerprint = given.parked.fingerprint if given.parked else ""
    problems = given.parked.problems if given.parked else ()
    await parts.store.recoveries.reopen(_review(integration, given, fingerprint, problems, now, job))
    if decision.kind == "skip":
        settled = await StagingActivities(parts).settle_document(
            SettleDocument(
                integration=integration.id,
                connection=given.connection,
                order_id=given.document_id,
                kind=given.kind,
                state="skipped",
                sentence=f"skipped by {decision.who}: {decision.why}",
                fingerprint=fingerprint,
                job=names.decision_job(decision.id),
                who=decision.who,
                why=decision.why,
                version=given.parked.version if given.parked else "",
            )
        )
        if settled.standing is not None:
            raise ApplicationError(f"{settled.standing.reference} is on its way", type="InImport")
        return
    wanted = VerifyJournal(
        integration=integration.id,
        connection=given.connection,
        order_id=given.document_id,
        kind=given.kind,
        batch_name=decision.target_id or "",
        fingerprint=fingerprint,
        version=given.parked.version if given.parked else "",
        who=decision.who,
        why=decision.why,
        decision=decision.id,
    )
    await mark_posted(parts, integration, wanted, _directly, verified_before=True)
    if given.kind != names.ORDER:
        return
    # What was read back from Fusion before is the version that the person looked at.
    reference = invoice_reference(integration, given.document_id)
    creation = await parts.store.creations.creation(reference)
    if creation is not None and decision.target_id in (creation.target_id, creation.target_number):
        await parts.store.creations.recognised(reference, fingerprint)


async def _directly(call: Callable[[], Awaitable[T]], /) -> T:
    """Without waiting at the connection's gate: a pod that does not answer ends the recovery, which is repeated."""
    return await call()


async def _ask_again(
    parts: Collaborators, integration: Integration, found: Decided, sentence: str, now: dt.datetime, job: str
) -> None:
    """In review, by the store and by a run that waits for a person: one that tries to post is replaced.

    What that one may have sent is not known then, so it counts as sent since the person decided.
    """
    given, parked = found.document, found.document.parked
    problem = Problem(
        code="decision_lost",
        sentence=f"After a restore a decision could not be recorded again: {sentence.rstrip('.')}.",
        remedy="Look at the document in Fusion, then decide once more.",
    )
    problems = (problem, *(parked.problems if parked else ()))
    fingerprint = parked.fingerprint if parked else ""
    again = parked or Parked(problems=(), since=now)
    attributes = {
        names.SA_INTEGRATION: integration.id,
        names.SA_FLOW: names.FLOWS[given.kind],
        names.SA_DOCUMENT: given.document_id,
        names.SA_STATE: State.NEEDS_REVIEW.value,
        names.SA_JOB: job,
    }
    await parts.store.recoveries.park(_review(integration, given, fingerprint, problems, now, job))
    if await _waits(parts, _workflow_id(given)):
        return
    waiting = again.model_copy(update={"problems": problems, "since": now, "remapped": None})
    open_since = given.open_since or again.since
    await parts.temporal.start_workflow(
        names.FLOWS[given.kind],
        given.model_copy(update={"job": job, "parked": waiting, "open_since": open_since}),
        id=_workflow_id(given),
        task_queue=names.WORKFLOW_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        search_attributes=TypedSearchAttributes(
            [SearchAttributePair(SearchAttributeKey.for_keyword(name), value) for name, value in attributes.items()]
        ),
        static_summary=f"{given.kind.capitalize()} {given.document_id} of {given.connection}, in review again",
    )


async def _waits(parts: Collaborators, workflow_id: str) -> bool:
    """Whether its newest run waits for a person already."""
    state = f"{names.SA_STATE} = '{State.NEEDS_REVIEW}'"
    query = f"WorkflowId = '{workflow_id}' AND ExecutionStatus = 'Running' AND {state}"
    return (await parts.temporal.count_workflows(query)).count > 0


def _review(
    integration: Integration,
    given: DocumentInput,
    fingerprint: str,
    problems: tuple[Problem, ...],
    now: dt.datetime,
    job: str,
) -> ForgottenReview:
    return ForgottenReview(
        tenant=integration.tenant,
        integration=integration.id,
        connection=given.connection,
        kind=given.kind,
        id=given.document_id,
        fingerprint=fingerprint,
        problems=problems,
        job=job,
        at=now,
    )


def _workflow_id(given: DocumentInput) -> str:
    return names.document_workflow_id(given.kind, given.connection, given.document_id)


def _title(given: DocumentInput) -> str:
    return names.document_title(given.kind, given.connection, given.document_id)


def _told(decision: Decision) -> str:
    if decision.kind == "skip":
        return f"skipped by {decision.who}: {decision.why}"
    return f"marked as posted by {decision.who} ({decision.target_id}): {decision.why}"
