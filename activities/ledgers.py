"""Ids that Fusion wants instead of names, for the ledger and journal source of a group."""

from dataclasses import dataclass

from activities.collaborators import Collaborators
from activities.facts import LEDGER_LIFE
from contracts.journal import LedgerFacts
from contracts.steps import GroupStep


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
