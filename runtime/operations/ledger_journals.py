"""What the ledger holds of a shop: journals read back from Fusion, by the order they book."""

import datetime as dt
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Protocol

from clients.oracle_fusion.models import FusionJournal, FusionLine
from contracts import names
from contracts.configuration import Integration
from contracts.names import SALE
from mapping.deltas import DELTA, REVERSAL
from store import Store
from store.rows import PostingRow

KIND: Final = "order"
ORDINAL: Final = 1
PURPOSES: Final = (SALE, DELTA, REVERSAL)
REFUND: Final = names.REFUND
CLOCKS_APART: Final = dt.timedelta(days=1)
"""Journals are read from this much before the span: Fusion dates batches by its own clock."""


class LedgerSource(Protocol):
    """The part of the Fusion client that is read here."""

    def journals_of_source(
        self, source: str, *, since: dt.datetime, lines: bool = False
    ) -> AsyncIterator[FusionJournal]:
        """Raises `VendorError`."""
        ...

    async def journals(self, batch_prefix: str, *, lines: bool = False) -> tuple[FusionJournal, ...]:
        """Raises `VendorError`."""
        ...


@dataclass
class LedgerSide:
    """Journals of an integration's journal sources."""

    by_order: Mapping[str, list[FusionJournal]]
    """Journals by order id: of the sale, of its edits, and of its reversal."""
    owed: Mapping[str, Decimal] = field(default_factory=dict)
    """What the shopper owes by all journals of an order together, where several book it: from the lines that the store
    posted, of journals that Fusion shows with the same totals."""
    standing: Mapping[str, Decimal] = field(default_factory=dict)
    """What several journals of an order together leave on the debit side, where the store knows of each and does not
    know all their lines: they were read back after a restore. Without an order here or in `owed` its journals are not
    explained."""
    by_header: Mapping[int, FusionJournal] = field(default_factory=dict)
    """All journals of the sources, also those made by other hands."""
    by_refund: Mapping[str, list[FusionJournal]] = field(default_factory=dict)
    """Journals of refunds, by refund id; more than one is a duplicate."""
    returned: Mapping[str, Decimal] = field(default_factory=dict)
    """By refund id what its journal gives back, where the store posted its lines, as `owed`."""


def reference_of(integration: Integration, document_id: str, kind: str = KIND) -> str:
    """The reference that the document's first journal carries."""
    purpose = names.PURPOSES[kind]
    return names.journal_reference(integration.tenant, integration.source, kind, document_id, purpose, ORDINAL)


async def ledger_side(
    fusion: LedgerSource,
    store: Store,
    integration: Integration,
    order_ids: Iterable[str],
    since: dt.datetime,
    refund_ids: Iterable[str] = (),
) -> LedgerSide:
    """Reads every journal source of the integration's books. Raises `VendorError`.

    A journal is an order's or a refund's by its reference alone. References that were too long to be readable are
    resolved by what the shop has and, for others, by the store.
    """
    known = {reference_of(integration, one): (KIND, one) for one in order_ids}
    known |= {reference_of(integration, one, REFUND): (REFUND, one) for one in refund_ids}
    place = f"{re.escape(integration.tenant)}/{re.escape(integration.source)}"
    readable = re.compile(
        rf"{place}/(?:({KIND})/([^/]+)/(?:{'|'.join(PURPOSES)})|({REFUND})/([^/]+)/{names.PURPOSES[REFUND]})/\d+"
    )
    found: dict[str, defaultdict[str, list[FusionJournal]]] = {KIND: defaultdict(list), REFUND: defaultdict(list)}
    by_header: dict[int, FusionJournal] = {}
    hashed: list[FusionJournal] = []
    seen: set[tuple[int, str]] = set()
    for source in sorted({books.journal_source for books in integration.books}):
        async for journal in fusion.journals_of_source(source, since=since - CLOCKS_APART):
            # A page that is read twice while batches arrive must not look like a duplicate.
            if (key := (journal.batch_id, journal.header_key)) in seen:
                continue
            seen.add(key)
            if journal.header_id is not None:
                by_header[journal.header_id] = journal
            if document := known.get(journal.reference):
                found[document[0]][document[1]].append(journal)
            elif matched := readable.fullmatch(journal.reference):
                found[matched[1] or matched[3]][matched[2] or matched[4]].append(journal)
            elif journal.reference.startswith("mlc-"):
                hashed.append(journal)
    postings = await store.overview.postings(journal.reference for journal in hashed)
    for journal in hashed:
        posting = postings.get(journal.reference)
        if posting is not None and posting.key.integration == integration.id and posting.key.kind in found:
            found[posting.key.kind][posting.key.document_id].append(journal)
    several = {order_id: journals for order_id, journals in found[KIND].items() if len(journals) > 1}
    paid_back = await _paid(store, found[REFUND])
    owed = await _paid(store, several)
    unread = {order_id: journals for order_id, journals in several.items() if order_id not in owed}
    return LedgerSide(
        by_order=found[KIND],
        by_header=by_header,
        owed=owed,
        standing=await _standing(fusion, store, unread),
        by_refund=found[REFUND],
        returned={refund_id: -amount for refund_id, amount in paid_back.items()},
    )


async def _paid(store: Store, by_document: Mapping[str, list[FusionJournal]]) -> dict[str, Decimal]:
    """By document what its journals together book as paid, where all of them are shown as they were posted."""
    references = [one.reference for journals in by_document.values() for one in journals]
    postings, paid = await store.overview.postings(references), await store.overview.paid(references)

    return {
        document_id: sum((paid[one.reference] for one in journals), start=Decimal(0))
        for document_id, journals in by_document.items()
        if _each_once(journals, postings) and all(one.reference in paid for one in journals)
    }


async def _standing(
    fusion: LedgerSource, store: Store, by_document: Mapping[str, list[FusionJournal]]
) -> dict[str, Decimal]:
    """By document what its journals together leave on the debit side, account by account, as Fusion shows their lines.

    Raises `VendorError`.
    """
    postings = await store.overview.postings(one.reference for journals in by_document.values() for one in journals)
    known = {
        document_id: journals
        for document_id, journals in by_document.items()
        if _each_once(journals, postings) and len({one.currency for one in journals}) == 1
    }
    lines: dict[tuple[int, str], tuple[FusionLine, ...]] = {}
    for name in sorted({one.batch_name for journals in known.values() for one in journals}):
        for journal in await fusion.journals(name, lines=True):
            lines[journal.batch_id, journal.header_key] = journal.lines
    found: dict[str, Decimal] = {}
    for document_id, journals in known.items():
        balances: defaultdict[str, Decimal] = defaultdict(Decimal)
        for journal in journals:
            for line in lines.get((journal.batch_id, journal.header_key), ()):
                balances[line.account] += line.debit - line.credit
        found[document_id] = sum((one for one in balances.values() if one > 0), start=Decimal(0))
    return found


def _each_once(journals: Iterable[FusionJournal], postings: Mapping[str, PostingRow]) -> bool:
    """Whether each is another journal of the store's, and as large as the store has it."""
    seen: set[str] = set()
    for journal in journals:
        posting = postings.get(journal.reference)
        shown = (journal.currency, journal.debit)
        if journal.reference in seen or posting is None or (posting.currency, posting.total) != shown:
            return False
        seen.add(journal.reference)
    return True
