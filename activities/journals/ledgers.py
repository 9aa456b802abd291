"""Between a group and the ledger it goes to: the ids Fusion wants instead of names, and what it shows of a journal."""

from dataclasses import dataclass

from activities.collaborators import Collaborators
from activities.orders.facts import LEDGER_LIFE
from clients.oracle_fusion.models import FusionJournal
from contracts.journal import FateKind, JournalFate, LedgerFacts
from contracts.model import Instant
from contracts.steps.groups import GroupStep


@dataclass(frozen=True)
class GroupLedger:
    facts: LedgerFacts
    data_access_set_id: int
    source_id: int | str


async def ledger_of(parts: Collaborators, step: GroupStep) -> GroupLedger:
    """Warm after the first group. Raises `clients.errors.VendorError`, `KeyError` when no books name the ledger."""
    key = (step.fusion, "group ledger", step.ledger, step.source)
    known: GroupLedger | None = parts.facts.get(key)
    if known is None:
        fusion = parts.fusions[step.fusion]
        books = parts.books_for_import(step.fusion, step.ledger, step.source)
        known = GroupLedger(
            facts=parts.facts.get((step.fusion, "ledger", step.ledger)) or await fusion.ledger(step.ledger),
            data_access_set_id=await fusion.data_access_set_id(books.data_access_set),
            source_id=await fusion.journal_source_id(step.source),
        )
        parts.facts.put(key, known, LEDGER_LIFE)
    return known


def fate_of(step: GroupStep, journal: FusionJournal, kind: FateKind, at: Instant) -> JournalFate:
    """The fate of a journal that is in the ledger, as Fusion shows it."""
    return JournalFate(
        reference=journal.reference,
        kind=kind,
        group_id=step.group_id,
        at=at,
        journal_header_id=journal.header_id,
        journal_batch_id=journal.batch_id,
        journal_name=journal.name,
        period=journal.period,
    )
