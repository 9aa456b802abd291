"""Verification: a journal, invoice or credit memo that a person names is believed once Fusion shows it."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from temporalio import activity

from activities.access.passage import pass_gate
from activities.collaborators import Collaborators
from activities.decisions import record_decision
from activities.failures import explained
from activities.journals.named_journals import NamedJournals
from activities.receivables.billed import reversal_of
from activities.receivables.named_credit_memos import NamedCreditMemos
from activities.receivables.named_invoices import NamedInvoices
from activities.trail import job_of
from contracts import names
from contracts.configuration import Integration
from contracts.steps.journals import VerifyJournal
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

        An invoice where the order was billed, or is to be, and then a credit memo for a refund of it; else a journal.
        """
        integration = self._parts.configuration.integration(wanted.integration)
        document = names.document_title(wanted.kind, wanted.connection, wanted.order_id)

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
    if not await _mark_billed(parts, integration, wanted, reach, job_of(job), billed=billed):
        journals = NamedJournals(parts, integration)
        found = await reach(lambda: journals.find(wanted))
        await journals.mark(wanted, found, job_of(job), any_amount=verified_before)
    await record_decision(
        parts,
        integration,
        wanted.order_id,
        of=wanted.kind,
        kind="mark_posted",
        who=wanted.who,
        why=wanted.why,
        job=job,
        details={"target": wanted.batch_name},
    )


async def _mark_billed(
    parts: Collaborators,
    integration: Integration,
    wanted: VerifyJournal,
    reach: Reach,
    job: str,
    *,
    billed: bool | None,
) -> bool:
    """By its invoice or credit memo. False: it has none, or (`billed` None) Fusion has none of that name."""
    if billed is False:
        return False
    if wanted.kind == names.REFUND:
        credits_ = NamedCreditMemos(parts, integration)
        memos = await reach(lambda: credits_.find(wanted))
        if memos or billed:
            await credits_.mark(wanted, memos, job)
        return bool(memos or billed)
    reversal = await reversal_of(parts, integration, wanted.order_id)
    if reversal and not reversal.done:
        # It is billed; what is missing is what takes that back.
        credits_ = NamedCreditMemos(parts, integration)
        await credits_.mark(wanted, await reach(lambda: credits_.find(wanted)), job)
        return True
    named = NamedInvoices(parts, integration)
    invoices = await reach(lambda: named.find(wanted))
    if invoices or billed:
        await named.mark(wanted, invoices, job)
    return bool(invoices or billed)


async def _is_billed(
    parts: Collaborators, integration: Integration, wanted: VerifyJournal, *, switched: bool
) -> bool | None:
    """None: nothing of the document says so, and its channel may be of either kind, or (`switched`) may have been."""
    places = [(wanted.connection, wanted.kind, wanted.order_id)]
    if wanted.kind == names.REFUND and (known := await parts.store.documents.get(*places[0])):
        # It becomes what its order became.
        places.append((wanted.connection, names.ORDER, known.parent_id))
    for place in places:
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
