"""A journal that a person names as an order's own is believed once Fusion shows it."""

from collections.abc import Iterable

from activities.collaborators import Collaborators
from activities.failures import review
from activities.trail import KIND, settle_as_marked
from clients.oracle_fusion.models import FusionJournal
from contracts import names
from contracts.configuration import Integration
from contracts.journal import Journal, Problem
from contracts.steps import VerifyJournal
from store.rows import PostingKey

PURPOSE = "sale"
ORDINAL = 1
"""A sale is posted once; later versions of an order are documents of their own."""


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
        """The order is posted by one of these. A final failure when it is none of them, or another order's.

        `any_amount`: they were verified when the person decided; what the store says it meant may be older.
        """
        document = f"Order {wanted.order_id} ({wanted.connection})"
        journals = self._parts.store.journals
        reference = names.journal_reference(
            self._integration.tenant, wanted.connection, KIND, wanted.order_id, PURPOSE, ORDINAL
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
        fate = await journals.mark_posted(
            reference,
            target=journal.name,
            who=wanted.who,
            why=wanted.why,
            now=self._parts.clock(),
            journal_header_id=journal.header_id,
            key=PostingKey(
                tenant=self._integration.tenant,
                integration=self._integration.id,
                connection=wanted.connection,
                fusion=self._integration.fusion,
                kind=KIND,
                document_id=wanted.order_id,
                purpose=PURPOSE,
                ordinal=ORDINAL,
            ),
            fingerprint=wanted.fingerprint,
            job=job,
        )
        await settle_as_marked(
            self._parts,
            self._integration,
            wanted,
            sentence=fate.sentence,
            named={"journal_name": journal.name},
            job=job,
        )


def _ours(journals: Iterable[FusionJournal], intended: Journal | None) -> FusionJournal | None:
    """The journal with the amount we meant to post; any, when the document never got as far as a journal."""
    for journal in journals:
        if intended is None or (journal.currency, journal.debit) == (intended.currency, intended.total):
            return journal
    return None
