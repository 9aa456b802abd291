"""What the ledger holds of a shop: journals read back from Fusion, by the order they book."""

import datetime as dt
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from clients.oracle_fusion.models import FusionJournal
from contracts import names
from contracts.configuration import Integration
from store import Store

KIND: Final = "order"
PURPOSE: Final = "sale"
ORDINAL: Final = 1
CLOCKS_APART: Final = dt.timedelta(days=1)
"""Journals are read from this much before the span: Fusion dates batches by its own clock."""


class LedgerSource(Protocol):
    """The part of the Fusion client that is read here."""

    def journals_of_source(
        self, source: str, *, since: dt.datetime, lines: bool = False
    ) -> AsyncIterator[FusionJournal]:
        """Raises `VendorError`."""
        ...


@dataclass
class LedgerSide:
    """Journals of an integration's journal sources."""

    by_order: Mapping[str, list[FusionJournal]]
    """Sales journals by order id; more than one for an order is a duplicate."""
    by_header: Mapping[int, FusionJournal] = field(default_factory=dict)
    """All journals of the sources, also those made by other hands."""


def reference_of(integration: Integration, order_id: str) -> str:
    """The reference that the order's sales journal carries."""
    return names.journal_reference(integration.tenant, integration.source, KIND, order_id, PURPOSE, ORDINAL)


async def ledger_side(
    fusion: LedgerSource, store: Store, integration: Integration, order_ids: Iterable[str], since: dt.datetime
) -> LedgerSide:
    """Reads every journal source of the integration's books. Raises `VendorError`.

    A journal is an order's by its reference alone. References that were too long to be readable are resolved by the
    orders of the shop and, for others, by the store.
    """
    known = {reference_of(integration, order_id): order_id for order_id in order_ids}
    readable = re.compile(
        rf"{re.escape(integration.tenant)}/{re.escape(integration.source)}/{KIND}/([^/]+)/{PURPOSE}/\d+"
    )
    by_order: defaultdict[str, list[FusionJournal]] = defaultdict(list)
    by_header: dict[int, FusionJournal] = {}
    hashed: list[FusionJournal] = []
    seen: set[tuple[int, str]] = set()
    for source in sorted({books.journal_source for books in integration.books}):
        async for journal in fusion.journals_of_source(source, since=since - CLOCKS_APART):
            # A page that is read twice while batches arrive must not look like a duplicate.
            if (place := (journal.batch_id, journal.header_key)) in seen:
                continue
            seen.add(place)
            if journal.header_id is not None:
                by_header[journal.header_id] = journal
            if order_id := known.get(journal.reference):
                by_order[order_id].append(journal)
            elif matched := readable.fullmatch(journal.reference):
                by_order[matched[1]].append(journal)
            elif journal.reference.startswith("mlc-"):
                hashed.append(journal)
    postings = await store.overview.postings(journal.reference for journal in hashed)
    for journal in hashed:
        posting = postings.get(journal.reference)
        if posting is not None and posting.key.integration == integration.id:
            by_order[posting.key.document_id].append(journal)
    return LedgerSide(by_order=by_order, by_header=by_header)
