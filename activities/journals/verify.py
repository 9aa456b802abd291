"""Verification: a journal or invoice that a person names is believed once Fusion shows it."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from temporalio import activity

from activities.access.passage import pass_gate
from activities.collaborators import Collaborators
from activities.decisions import record_decision
from activities.failures import explained
from activities.journals.named_journals import NamedJournals
from activities.receivables.named_invoices import NamedInvoices
from activities.trail import KIND, job_of
from clients.oracle_fusion.models import FoundInvoice
from contracts import names
from contracts.configuration import Integration
from contracts.steps import VerifyJournal
from store.creating.creation import CreationState
from store.rows import PostingState

T = TypeVar("T")


class Reach(Protocol):
    """How Fusion is reached."""

    async def __call__(self, call: Callable[[], Awaitable[T]], /) -> T: ...


class VerifyActivities:
    def __init__(self, parts: Collaborators) -> None:
        self._parts = parts

    @activity.defn(name="verify_journal")
    async def verify_journal(self, wanted: VerifyJournal) -> None:
        """Marks the document as posted by what a person names; a final failure when Fusion does not have it.

        An invoice where the order was billed, or is to be; else a journal.
        """
        integration = self._parts.configuration.integration(wanted.integration)
        document = f"Order {wanted.order_id} ({wanted.connection})"

        async def through_gate(call: Callable[[], Awaitable[T]], /) -> T:
            return await pass_gate(self._parts, integration.fusion, document, call)

        with explained(document):
            await mark_posted(self._parts, integration, wanted, through_gate)


async def mark_posted(
    parts: Collaborators,
    integration: Integration,
    wanted: VerifyJournal,
    reach: Reach,
    *,
    verified_before: bool = False,
) -> None:
    """The decision of `wanted`, done and put on record.

    `verified_before`: it is recorded once more after a restore, and amounts were compared when the person decided.
    Raises as `reach` does, and a final `ApplicationError` with the problem when Fusion does not have what was named.
    """
    job = names.decision_job(wanted.decision) if wanted.decision else ""
    billed = await _is_billed(parts, integration, wanted, switched=verified_before)
    invoices: tuple[FoundInvoice, ...] = ()
    named = NamedInvoices(parts, integration)
    if billed is not False:
        invoices = await reach(lambda: named.find(wanted))
    if invoices or billed:
        await named.mark(wanted, invoices, job_of(job))
    else:
        journals = NamedJournals(parts, integration)
        found = await reach(lambda: journals.find(wanted))
        await journals.mark(wanted, found, job_of(job), any_amount=verified_before)
    await record_decision(
        parts,
        integration,
        wanted.order_id,
        kind="mark_posted",
        who=wanted.who,
        why=wanted.why,
        job=job,
        details={"target": wanted.batch_name},
    )


async def _is_billed(
    parts: Collaborators, integration: Integration, wanted: VerifyJournal, *, switched: bool
) -> bool | None:
    """None: nothing of the order says so, and its channel may be of either kind, or (`switched`) may have been."""
    place = (wanted.connection, KIND, wanted.order_id)
    creations = await parts.store.creations.creations_of(*place)
    if any(one.state is not CreationState.WITHDRAWN for one in creations):
        return True
    journals = await parts.store.journals.postings_of(*place)
    if any(one.state is not PostingState.WITHDRAWN for one in journals):
        return False
    if switched and any(books.receivable for books in integration.books):
        return None
    targets = {channel.target for channel in integration.channels}
    return None if len(targets) > 1 else targets == {"receivable"}
