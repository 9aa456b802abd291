"""What Receivables holds of a shop's refunds: credit memos read back from Fusion, by the refund they credit, or by the
order that was cancelled."""

import datetime as dt
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from activities.receivables.credited import Credited
from clients.oracle_fusion.credit_memo_document import SEPARATOR
from clients.oracle_fusion.models import FoundCreditMemo
from contracts import names
from contracts.configuration import Integration
from contracts.credit_memo import CreditMemo
from contracts.receivable import NUMBER_LENGTH
from mapping.credit_memo import CREDIT
from mapping.deltas import REVERSAL
from mapping.invoice_reversal import sold_total
from runtime.operations.ledger_journals import CLOCKS_APART
from store import Store


class CreditMemos(Protocol):
    """The part of the client of credit memos that is read here."""

    def credit_memos_of_source(
        self, source: str, business_unit: str, since: dt.datetime
    ) -> AsyncIterator[FoundCreditMemo]:
        """Raises `VendorError`."""
        ...


class CreditSource(Protocol):
    """The part of the Fusion client that is read here."""

    @property
    def credit_memos(self) -> CreditMemos: ...


@dataclass
class CreditSide:
    """Credit memos of an integration's transaction sources."""

    by_refund: Mapping[str, list[FoundCreditMemo]] = field(default_factory=dict)
    """By refund id; more than one for a refund is a duplicate."""
    by_order: Mapping[str, list[FoundCreditMemo]] = field(default_factory=dict)
    """Those that took back what was left of an order's invoice, by order id; more than one is a duplicate."""
    taken: Mapping[str, Decimal] = field(default_factory=dict)
    """By order id what such a memo takes back of the sale, however that was paid, where the store knows its lines."""
    by_id: Mapping[str, FoundCreditMemo] = field(default_factory=dict)
    """All memos of the sources, also those made by other hands."""


async def credit_side(
    fusion: CreditSource,
    store: Store,
    integration: Integration,
    refund_ids: Iterable[str],
    since: dt.datetime,
    order_ids: Iterable[str] = (),
) -> CreditSide:
    """Reads every source of credit memos of the integration's books; none where nothing is billed.

    A memo is a refund's, or an order's, by its reference: in its comments, the cross-reference, the line flexfield, or
    shortened as its number. References that were too long to be readable are resolved as those of invoices.

    Raises `VendorError`.
    """
    wanted = [Credited(integration, "", one) for one in refund_ids]
    wanted += [Credited(integration, one) for one in order_ids]
    known: dict[str, tuple[str, str]] = {}
    for credited in wanted:
        reference = credited.memo_reference
        mine = (credited.kind, credited.document_id)
        known[reference] = known[names.short_reference(reference, NUMBER_LENGTH)] = mine
    place = f"{re.escape(integration.tenant)}/{re.escape(integration.source)}"
    readable = re.compile(rf"{place}/(?:({names.REFUND})/([^/]+)/{CREDIT}|({names.ORDER})/([^/]+)/{REVERSAL})/\d+")
    found: dict[str, defaultdict[str, list[FoundCreditMemo]]] = {
        names.REFUND: defaultdict(list),
        names.ORDER: defaultdict(list),
    }
    by_id: dict[str, FoundCreditMemo] = {}
    hashed: list[tuple[str, FoundCreditMemo]] = []
    for source, unit in _sources(integration):
        async for memo in fusion.credit_memos.credit_memos_of_source(source, unit, since - CLOCKS_APART):
            # A page that is read twice while memos arrive must not look like a duplicate.
            if (key := str(memo.customer_transaction_id)) in by_id:
                continue
            by_id[key] = memo
            in_comments = memo.comments.rpartition(SEPARATOR)[2]
            carried = [one for one in (in_comments, memo.cross_reference, memo.line_reference) if one]
            named = [known[one] for one in (*carried, memo.transaction_number) if one in known]
            matches = [matched for one in carried if (matched := readable.fullmatch(one))]
            named += [(one[1] or one[3], one[2] or one[4]) for one in matches]
            if named:
                found[named[0][0]][named[0][1]].append(memo)
            else:
                hashed += [(one, memo) for one in dict.fromkeys(carried) if one.startswith("mlc-")]
    creations = await store.creations.creations(reference for reference, _ in hashed)
    for reference, memo in hashed:
        creation = creations.get(reference)
        if creation is not None and creation.key.integration == integration.id:
            found[creation.key.kind][creation.key.document_id].append(memo)
    taken = {order_id: await _taken(store, Credited(integration, order_id)) for order_id in found[names.ORDER]}
    return CreditSide(
        by_refund=found[names.REFUND],
        by_id=by_id,
        by_order=found[names.ORDER],
        taken={order_id: amount for order_id, amount in taken.items() if amount is not None},
    )


async def _taken(store: Store, credited: Credited) -> Decimal | None:
    """Less what was paid in store credit or with certificates: that is no part of what was sold."""
    text = await store.creations.content(credited.memo_reference)
    return sold_total(CreditMemo.model_validate_json(text)) if text else None


def _sources(integration: Integration) -> list[tuple[str, str]]:
    """Transaction sources and business units, each once."""
    return sorted(
        {
            (books.receivable.credit_memo_source or books.receivable.transaction_source, books.business_unit)
            for books in integration.books
            if books.receivable is not None
        }
    )
