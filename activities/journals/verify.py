"""Verification: a journal or invoice that a person names is believed once Fusion shows it."""

from collections.abc import Iterable
from functools import partial
from typing import Final

from temporalio import activity

from activities.access.passage import pass_gate
from activities.collaborators import Collaborators
from activities.decisions import record_decision
from activities.failures import explained, review
from activities.receivables.named_invoices import NamedInvoices
from activities.trail import KIND, event_of, job_of, settle
from clients.oracle_fusion.models import FoundInvoice, FusionJournal
from contracts import names
from contracts.configuration import Integration
from contracts.flow import State
from contracts.journal import Journal, Problem
from contracts.steps import VerifyJournal
from store.creating.creation import CreationState
from store.rows import PostingKey, PostingState

ORDINAL: Final = 1
"""A sale is posted once; later versions of an order are documents of their own."""


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
        with explained(document):
            billed = await self._is_billed(integration, wanted)
            named = NamedInvoices(self._parts, integration)
            invoices: tuple[FoundInvoice, ...] = ()
            if billed is not False:
                find = partial(named.find, wanted)
                invoices = await pass_gate(self._parts, integration.fusion, document, find)
            if invoices or billed:
                await named.mark(
                    wanted, invoices, job_of(names.decision_job(wanted.decision) if wanted.decision else "")
                )
            else:
                await self._verify_journal(integration, document, wanted)
        await record_decision(
            self._parts,
            integration,
            wanted.order_id,
            kind="mark_posted",
            who=wanted.who,
            why=wanted.why,
            job=names.decision_job(wanted.decision) if wanted.decision else "",
            details={"target": wanted.batch_name},
        )

    async def _is_billed(self, integration: Integration, wanted: VerifyJournal) -> bool | None:
        """None: nothing of the order says so, and its channel may be of either kind."""
        place = (wanted.connection, KIND, wanted.order_id)
        creations = await self._parts.store.creations.creations_of(*place)
        if any(one.state is not CreationState.WITHDRAWN for one in creations):
            return True
        journals = await self._parts.store.journals.postings_of(*place)
        if any(one.state is not PostingState.WITHDRAWN for one in journals):
            return False
        targets = {channel.target for channel in integration.channels}
        return None if len(targets) > 1 else targets == {"receivable"}

    async def _verify_journal(self, integration: Integration, document: str, wanted: VerifyJournal) -> None:
        reference = names.journal_reference(
            integration.tenant, wanted.connection, KIND, wanted.order_id, "sale", ORDINAL
        )
        intended = await self._parts.store.journals.content(reference)
        journals = await pass_gate(
            self._parts,
            integration.fusion,
            document,
            partial(self._parts.fusions[integration.fusion].journals, wanted.batch_name),
        )
        journal = _ours(journals, intended)
        if journal is None:
            amount = f" of {intended.total} {intended.currency}" if intended else ""
            raise review(
                Problem(
                    code="journal_not_found",
                    sentence=f'{document}: Fusion has no journal{amount} in a batch named "{wanted.batch_name}".',
                    remedy="Give the batch name as Fusion shows it.",
                )
            )
        owner = await self._parts.store.journals.posting(journal.reference)
        if owner is not None and owner.reference != reference:
            raise review(
                Problem(
                    code="journal_of_another",
                    sentence=f"{document}: journal {journal.name} is that of {owner.reference}.",
                    remedy="Name the batch that carries this document, or skip it with a reason.",
                )
            )
        known = await self._parts.store.documents.get(wanted.connection, KIND, wanted.order_id)
        job = job_of(names.decision_job(wanted.decision) if wanted.decision else "")
        fate = await self._parts.store.journals.mark_posted(
            reference,
            target=journal.name,
            who=wanted.who,
            why=wanted.why,
            now=self._parts.clock(),
            journal_header_id=journal.header_id,
            key=PostingKey(
                tenant=integration.tenant,
                integration=integration.id,
                connection=wanted.connection,
                fusion=integration.fusion,
                kind=KIND,
                document_id=wanted.order_id,
                purpose="sale",
                ordinal=ORDINAL,
            ),
            fingerprint=wanted.fingerprint,
            job=job,
        )
        await settle(
            self._parts,
            integration,
            wanted.order_id,
            state=State.POSTED,
            reason=fate.sentence,
            modified_at=known.modified_at if known else self._parts.clock(),
            fingerprint=wanted.fingerprint,
            job=job,
            decided_by=wanted.who,
            event=event_of(
                self._parts,
                integration,
                wanted.order_id,
                action="marked_posted",
                sentence=fate.sentence,
                details={"journal_name": journal.name, "who": wanted.who, "why": wanted.why},
                job=job,
            ),
        )


def _ours(journals: Iterable[FusionJournal], intended: Journal | None) -> FusionJournal | None:
    """The journal with the amount we meant to post; any, when the document never got as far as a journal."""
    for journal in journals:
        if intended is None or (journal.currency, journal.debit) == (intended.currency, intended.total):
            return journal
    return None
