"""A journal that a person names as a document's own is believed once Fusion shows it."""

from collections.abc import Iterable

from activities.collaborators import Collaborators
from activities.failures import review
from activities.journals.staging import posted_state
from activities.posting.subject import posted_elsewhere
from activities.trail import settle_as_marked
from clients.oracle_fusion.models import FusionJournal
from contracts import names
from contracts.configuration import Integration
from contracts.journal import Journal, Problem
from contracts.steps.journals import VerifyJournal
from mapping.bigcommerce import shows_reversed
from mapping.deltas import DELTA, REVERSAL
from store.creating.elsewhere import PostedElsewhere
from store.outbox.booked import FOLLOWING, in_turn
from store.outbox.postings import FINAL
from store.rows import PostingKey


class NamedJournals:
    """What a person names is a journal batch."""

    def __init__(self, parts: Collaborators, integration: Integration) -> None:
        self._parts = parts
        self._integration = integration

    async def find(self, wanted: VerifyJournal) -> tuple[FusionJournal, ...]:
        """The journals of the batch. Raises `VendorError`."""
        return tuple(await self._parts.fusions[self._integration.fusion].journals(wanted.batch_name))

    async def mark(
        self, wanted: VerifyJournal, found: Iterable[FusionJournal], job: str, *, any_amount: bool = False
    ) -> None:
        """The document is posted by one of these. A final failure when it is none of them, or another document's.

        `any_amount`: they were verified when the person decided; what the store says it meant may be older.
        """
        document = names.document_title(wanted.kind, wanted.connection, wanted.order_id)
        journals = self._parts.store.journals
        known = await self._parts.store.documents.get(wanted.connection, wanted.kind, wanted.order_id)
        key = await self._meant(wanted, known.parent_id if known else "")
        reference = names.journal_reference(
            key.tenant, key.connection, key.kind, key.document_id, key.purpose, key.ordinal
        )
        intended = None if any_amount else await journals.content(reference)
        journal = _ours(found, intended)
        if journal is None:
            amount = f" of {intended.total} {intended.currency}" if intended else ""
            raise review(
                Problem(
                    code="journal_not_found",
                    sentence=f'{document}: Fusion has no journal{amount} in a batch named "{wanted.batch_name}".',
                    remedy="Give the batch name as Fusion shows it.",
                )
            )
        owner = await journals.posting(journal.reference)
        if owner is not None and owner.reference != reference:
            raise review(
                Problem(
                    code="journal_of_another",
                    sentence=f"{document}: journal {journal.name} is that of {owner.reference}.",
                    remedy="Name the batch that carries this document, or skip it with a reason.",
                )
            )
        try:
            fate = await journals.mark_posted(
                reference,
                target=journal.name,
                who=wanted.who,
                why=wanted.why,
                now=self._parts.clock(),
                journal_header_id=journal.header_id,
                key=key,
                fingerprint=wanted.fingerprint,
                job=job,
            )
        except PostedElsewhere as elsewhere:
            raise review(posted_elsewhere(document, "journal", elsewhere)) from elsewhere
        await settle_as_marked(
            self._parts,
            self._integration,
            wanted,
            sentence=fate.sentence,
            named={"journal_name": journal.name},
            job=job,
            state=posted_state(key.purpose),
        )

    async def _meant(self, wanted: VerifyJournal, parent_id: str) -> PostingKey:
        """Which journal of the document a person means: the one that did not come about; else the next there is to
        be."""
        postings = await self._parts.store.journals.postings_of(wanted.connection, wanted.kind, wanted.order_id)
        booked = [one for one in postings if one.state in FINAL]
        followed = sum(one.key.purpose in FOLLOWING for one in booked)
        missing = [one.key for one in postings if one.state not in FINAL and one.key.ordinal > followed]
        if missing:
            return max(missing, key=in_turn)
        return PostingKey(
            tenant=self._integration.tenant,
            integration=self._integration.id,
            connection=wanted.connection,
            fusion=self._integration.fusion,
            kind=wanted.kind,
            document_id=wanted.order_id,
            purpose=self._following(wanted) if booked else names.PURPOSES[wanted.kind],
            ordinal=followed + 1,
            parent_id=parent_id,
        )

    def _following(self, wanted: VerifyJournal) -> str:
        """Of a journal that was posted by hand after others: what the person looked at was cancelled, or edited."""
        cancelled = wanted.kind == names.ORDER and shows_reversed(wanted.version, self._integration.posting)
        return REVERSAL if cancelled else DELTA


def _ours(journals: Iterable[FusionJournal], intended: Journal | None) -> FusionJournal | None:
    """The journal with the amount we meant to post; any, when the document never got as far as a journal."""
    for journal in journals:
        if intended is None or (journal.currency, journal.debit) == (intended.currency, intended.total):
            return journal
    return None
