"""What waits for a person, the command that resolves it, and carrying a person's decision to the workflow."""

import asyncio
import datetime as dt
import hashlib
import shlex
from typing import Any, Final, Literal

from temporalio.client import Client, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.parked import problems_of_document
from contracts import names
from contracts.causes import Cause, Choice, leading_cause
from contracts.configuration import Configuration
from contracts.flow import Decided, Decision
from contracts.journal import Problem
from contracts.model import Frozen, Instant
from runtime.operations.decided_before import ATTEMPT, next_attempt
from runtime.operations.lost_reviews import decide_anew, problem_of_group
from runtime.operations.naming import named, short_ids
from runtime.temporal.starting import OUTAGES
from store import Store
from store.rows import DocumentRow, GroupRow, GroupState

PATIENCE: Final = dt.timedelta(seconds=30)
"""How long an answer is waited for. Marking as posted asks Fusion first."""
PAUSE: Final = 0.5
"""Seconds between two attempts of one that the server sends back."""


class DecisionError(Exception):
    """A decision was not taken. The message is a sentence that says why and what to do."""


class NotInReviewError(DecisionError):
    """Nothing with this name waits for a decision."""


class UnansweredError(DecisionError):
    """The workflow did not answer in time. The decision may still apply: asking again decides once."""


class ReviewItem(Frozen):
    """A document or a journal group that waits for a person."""

    workflow_id: str
    kind: Literal["document", "journal_group"]
    name: str
    """For sentences: `Order 1024 (bc-us)`."""
    short_ids: tuple[str, ...]
    """What a person may type instead of the workflow id, clearest first: `bc-us/1024`, `1024`."""
    tenant: str
    integration: str = ""
    connection: str
    """Of a document its source, of a group its Fusion connection."""
    document_id: str
    """Of a group its number."""
    document_kind: str = names.ORDER
    """Of a document."""
    since: Instant
    problems: tuple[Problem, ...]

    @property
    def cause(self) -> Cause:
        return leading_cause(self.problems)

    @property
    def command(self) -> str:
        """The command that usually resolves it, to be completed with a name and a reason."""
        return resolving_command(self.short_ids[0], self.cause.usual if self.kind == "document" else "retry")


_NEEDED: Final[dict[Choice, str]] = {
    "retry_with_mapping": " --mapping-version VERSION",
    "mark_posted": " --target NAME",
}


def resolving_command(item: str, choice: Choice) -> str:
    """E.g. `ml-connector review resolve bc-us/1024 retry --who NAME --why REASON`."""
    typed = f"{choice.replace('_', '-')} --who NAME --why REASON{_NEEDED.get(choice, '')}"
    return f"ml-connector review resolve {shlex.quote(item)} {typed}"


def repeating_command(item: ReviewItem, decision: Decision) -> str:
    """The command that asks for this very decision again, whatever has become of the review meanwhile."""
    given = ["--who", decision.who, "--why", decision.why]
    if decision.mapping_version is not None:
        given += ["--mapping-version", str(decision.mapping_version)]
    if decision.target_id:
        given += ["--target", decision.target_id]
    kind = decision.kind.replace("_", "-")
    typed = ["review", "resolve", item.short_ids[0], kind, *given, "--id", decision.id.partition(ATTEMPT)[0]]
    return shlex.join(["ml-connector", *typed])


async def review_items(store: Store, configuration: Configuration, tenant: str | None = None) -> tuple[ReviewItem, ...]:
    """Documents and journal groups in review, longest waiting first. For pages see `review_pages`."""
    items = [document_item(row) for row in await store.documents.review_list(tenant)]
    items += await group_items(store, configuration, tenant)
    return tuple(sorted(items, key=lambda item: item.since))


async def group_items(store: Store, configuration: Configuration, tenant: str | None = None) -> list[ReviewItem]:
    """The journal groups among them, longest waiting first."""
    groups = [one for one in await store.groups.open_groups() if one.state is GroupState.REVIEW]
    items = [_group(group, configuration) for group in groups]
    return sorted((item for item in items if tenant in (None, item.tenant)), key=lambda item: item.since)


async def find_item(store: Store, configuration: Configuration, wanted: str) -> ReviewItem:
    """By workflow id, `connection/order`, `connection/refund/id`, id or group id.

    Raises `NotInReviewError`, `DecisionError`.
    """
    items = [item for item in await group_items(store, configuration) if wanted in (item.workflow_id, *item.short_ids)]
    name = named(wanted)
    rows = await store.documents.in_review(name.document_id, name.connection)
    rows = tuple(row for row in rows if name.kind in (None, row.kind))
    orders = tuple(row for row in rows if row.kind == names.ORDER)
    items += [document_item(row) for row in (orders if name.connection and orders else rows)]
    if len(items) == 1:
        return items[0]
    if items:
        several = ", ".join(item.short_ids[0] for item in items)
        raise DecisionError(f"{wanted} is in review more than once: {several}. Name one of these.")
    raise NotInReviewError(await _why_not(store, configuration, wanted))


def require_words(who: str, why: str) -> None:
    """Raises `DecisionError` unless both say something."""
    if not who.strip() or not why.strip():
        raise DecisionError("A decision needs a name (--who) and a reason (--why); both are kept in the audit trail.")


def decision_on(
    item: ReviewItem,
    kind: Choice,
    *,
    who: str,
    why: str,
    mapping_version: int | None = None,
    target_id: str | None = None,
) -> Decision:
    """The decision, under an id that is the same whenever the same is decided about the same review.

    Raises `DecisionError` when something is missing, before anybody is asked.
    """
    require_words(who, why)
    if item.kind == "journal_group" and kind != "retry":
        raise DecisionError(f"{item.name} can only be retried; decide about its documents one by one afterwards.")
    if (kind == "retry_with_mapping") != (mapping_version is not None):
        raise DecisionError("retry-with-mapping, and only that, needs --mapping-version.")
    if (kind == "mark_posted") != bool(target_id):
        raise DecisionError(
            "mark-posted, and only that, needs --target: the journal batch or invoice number, as Fusion shows it. "
            "It is verified there."
        )
    parts = (item.workflow_id, item.since.isoformat(), kind, who, why, str(mapping_version or ""), target_id or "")
    digest = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
    return Decision(
        id=f"decision-{digest[:32]}",
        kind=kind,
        who=who,
        why=why,
        mapping_version=mapping_version,
        target_id=target_id or None,
    )


async def decide(
    client: Client,
    item: ReviewItem,
    decision: Decision,
    *,
    store: Store | None = None,
    patience: dt.timedelta = PATIENCE,
) -> Decided:
    """Carry the decision to the workflow and wait for its answer.

    The update id is the decision's: one whose answer was lost is asked again and applied once, one that was refused is
    asked anew. With the store at hand a review whose workflow is gone, terminated or past its retention, is begun anew
    for the decision. Raises `NotInReviewError`, `UnansweredError`, and `DecisionError` when the workflow refuses it.
    """
    try:
        return await _ask_until_taken(client, item, decision, store, patience)
    except WorkflowUpdateFailedError as refused:
        raise _refusal(item, refused) from refused
    except WorkflowUpdateRPCTimeoutOrCancelledError as silent:
        raise _unanswered(item, decision, patience) from silent
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise NotInReviewError(
                f"{item.name} has no running workflow {item.workflow_id}, so nothing waits for this decision. "
                "`ml-connector review list` shows what does."
            ) from error
        if error.status in OUTAGES:
            raise _unanswered(item, decision, patience) from error
        raise DecisionError(
            f"Temporal did not take the decision about {item.name} ({error.status.name.lower()}). Ask again."
        ) from error


async def _ask_until_taken(
    client: Client, item: ReviewItem, decision: Decision, store: Store | None, patience: dt.timedelta
) -> Decided:
    """Where a signal reaches the workflow at the same moment, the server sends the decision back: it is asked again."""
    gives_up_at = asyncio.get_running_loop().time() + patience.total_seconds()
    while True:
        try:
            return await _ask(client, item, decision, store, patience)
        except RPCError as error:
            if error.status is not RPCStatusCode.FAILED_PRECONDITION:
                raise
            if asyncio.get_running_loop().time() + PAUSE > gives_up_at:
                raise
        await asyncio.sleep(PAUSE)


async def _ask(
    client: Client, item: ReviewItem, decision: Decision, store: Store | None, patience: dt.timedelta
) -> Decided:
    attempt = await next_attempt(client, item.workflow_id, decision.id, patience=patience)
    decision = decision.model_copy(update={"id": attempt})
    try:
        answer: Any = await client.get_workflow_handle(item.workflow_id).execute_update(
            names.DECIDE, decision, id=decision.id, result_type=Decided, rpc_timeout=patience
        )
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND or store is None:
            raise
        anew = await decide_anew(
            client,
            store,
            item.document_kind if item.kind == "document" else None,
            item.connection,
            item.document_id,
            decision,
            patience=patience,
        )
        if anew is None:
            raise
        return anew
    if not isinstance(answer, Decided):
        raise TypeError(f"a decision is answered by `Decided`, not by {type(answer).__name__}")
    return answer


def _refusal(item: ReviewItem, refused: WorkflowUpdateFailedError) -> DecisionError:
    cause = refused.cause
    if isinstance(cause, ApplicationError):
        if cause.type == "NotInReview":
            return NotInReviewError(cause.message)
        return DecisionError(f"The decision was refused: {cause.message}")
    return DecisionError(f"{item.name} refused the decision: {cause}")


def _unanswered(item: ReviewItem, decision: Decision, patience: dt.timedelta) -> UnansweredError:
    return UnansweredError(
        f"{item.name} did not answer within {patience.total_seconds():.0f} s: do Temporal and Fusion answer, and is a "
        f"worker running? The decision may still be applied. Ask again by its id, so that it is decided once: "
        f"{repeating_command(item, decision)}"
    )


def document_item(row: DocumentRow) -> ReviewItem:
    return ReviewItem(
        workflow_id=names.document_workflow_id(row.kind, row.connection, row.id),
        kind="document",
        name=names.document_title(row.kind, row.connection, row.id),
        short_ids=short_ids(row.kind, row.connection, row.id),
        tenant=row.tenant,
        integration=row.integration,
        connection=row.connection,
        document_id=row.id,
        document_kind=row.kind,
        since=row.at,
        problems=problems_of_document(row),
    )


def _group(group: GroupRow, configuration: Configuration) -> ReviewItem:
    try:
        tenant = configuration.connection(group.fusion).tenant
    except KeyError:
        tenant = ""
    return ReviewItem(
        workflow_id=names.journal_import_id(group.fusion, group.ledger, group.group_id),
        kind="journal_group",
        name=f"Journal group {group.group_id} ({group.fusion}, {group.ledger})",
        short_ids=(str(group.group_id),),
        tenant=tenant,
        connection=group.fusion,
        document_id=str(group.group_id),
        since=group.submitted_at or group.marked_at or group.sealed_at,
        problems=(problem_of_group(group),),
    )


async def _why_not(store: Store, configuration: Configuration, wanted: str) -> str:
    """What is known of something that is not in review."""
    name = named(wanted)
    for one in configuration.connections:
        for kind in names.FLOWS:
            if name.connection not in (None, one.id) or name.kind not in (None, kind):
                continue
            row = await store.documents.get(one.id, kind, name.document_id)
            if row is not None:
                title = names.document_title(row.kind, row.connection, row.id)
                return f"{title} is not in review; it is {row.state.value.replace('_', ' ')}: {row.reason}."
    return f"Nothing in review is called {wanted}. `ml-connector review list` shows what waits."
