"""Reconciliation: what a shop sold against what Fusion holds of it, order by order.

Both sides are read anew: the shop's orders through the same projection that posting uses, the journals and invoices
back from Fusion. The store only explains why an order is not there (in review, still open, skipped). Reading and
judging are here, printing is in `runtime.commands.reconcile`.
"""

import asyncio
import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from pydantic import computed_field
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.collaborators import Collaborators
from activities.orders.polling import WATERMARK
from activities.receivables.invoices import invoice_reference
from contracts import names
from contracts.configuration import Integration
from contracts.flow import State
from contracts.model import Amount, Frozen, Instant
from runtime.operations.booked_sales import BookedSale, BookedSide, booked_side
from runtime.operations.deciding import ReviewItem, review_items
from runtime.operations.ledger_journals import KIND, reference_of
from runtime.operations.source_sales import SoldOrder, sold_orders, sold_since
from store import Store
from store.creating.creation import CreationRow
from store.rows import DocumentRow, PostingRow, PostingState, Reconciliation

ZERO: Final = Decimal(0)
AT_ONCE: Final = 16
LISTED: Final = 1000
"""Orders of one verdict that are kept with a stored reconciliation."""


class Verdict(StrEnum):
    """What reconciliation says of one order. The first two are right, the next three explained, the rest wrong."""

    POSTED = "posted"
    """In the ledger once, with the shop's amount."""
    UNPOSTED = "unposted"
    """Imported once with the shop's amount, not posted yet."""
    IN_REVIEW = "in_review"
    OPEN = "open"
    """Under way, or the next poll reads it."""
    SKIPPED = "skipped"
    """Not posted by a person's decision, or marked as posted by a journal of another journal source."""
    LOST = "lost"
    """To be posted, and nowhere: not in the ledger, not in review, not under way."""
    DUPLICATE = "duplicate"
    DIFFERS = "differs"
    """In the ledger with another amount or currency."""
    UNEXPECTED = "unexpected"
    """In the ledger, though the shop has no such order to post."""


EXPLAINED: Final = frozenset({Verdict.IN_REVIEW, Verdict.OPEN, Verdict.SKIPPED})
WRONG: Final = frozenset({Verdict.LOST, Verdict.DUPLICATE, Verdict.DIFFERS, Verdict.UNEXPECTED})


class ReconciledOrder(Frozen):
    """One order on both sides."""

    order_id: str
    connection: str
    currency: str
    source_amount: Amount
    """0 when the shop has nothing to post."""
    ledger_amount: Amount
    """Comparable with the source: all that is booked of it, in terms of what the shopper owes."""
    explained: Amount = ZERO
    """The part of `source - ledger` that its verdict explains."""
    journals: tuple[str, ...] = ()
    """Journal names and invoice numbers as Fusion shows them."""
    verdict: Verdict
    reason: str = ""
    command: str = ""
    """What resolves it, for orders in review."""


class CurrencyTotals(Frozen):
    """One currency of one shop. `source - in_review - open - skipped - ledger == difference`."""

    currency: str
    source_count: int
    source_total: Amount
    ledger_count: int
    ledger_total: Amount
    in_review: Amount
    open: Amount
    skipped: Amount

    @computed_field  # type: ignore[prop-decorator]
    @property
    def difference(self) -> Decimal:
        """What nothing explains; 0 when the books agree."""
        return self.source_total - self.in_review - self.open - self.skipped - self.ledger_total


class ReconciledStore(Frozen):
    """One integration: its shop against its ledgers."""

    tenant: str
    integration: str
    connection: str
    since: Instant
    until: Instant
    totals: tuple[CurrencyTotals, ...]
    orders: tuple[ReconciledOrder, ...]
    """Every order that is to be posted or has a journal, by order id."""

    def of(self, *verdicts: Verdict) -> tuple[ReconciledOrder, ...]:
        return tuple(order for order in self.orders if order.verdict in verdicts)

    @property
    def duplicates(self) -> tuple[ReconciledOrder, ...]:
        return tuple(order for order in self.orders if len(order.journals) > 1)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def agrees(self) -> bool:
        """Difference 0, nothing lost, nothing twice. Orders in review or open do not count against it."""
        return not self.of(*WRONG) and not self.duplicates and all(not one.difference for one in self.totals)


async def reconcile(
    parts: Collaborators, integrations: Sequence[Integration], since: dt.datetime | None = None
) -> tuple[ReconciledStore, ...]:
    """Reconciles these integrations, records each result in the store, and gives them.

    `since`: orders placed from then on; else everything from the cut-over. Raises `VendorError`.
    """
    results = []
    for integration in integrations:
        result = await reconcile_store(parts, integration, since)
        await record(parts.store, result, parts.clock())
        results.append(result)
    return tuple(results)


async def reconcile_store(
    parts: Collaborators, integration: Integration, since: dt.datetime | None = None
) -> ReconciledStore:
    """Reads both sides and judges every order. Writes nothing. Raises `VendorError`."""
    shop = parts.shops[integration.source]
    # The cut-over day begins at most 14 hours before its UTC midnight, in the easternmost zone.
    cut_over = dt.datetime.combine(integration.cut_over, dt.time(), dt.UTC) - dt.timedelta(hours=14)
    begin = max(since, cut_over) if since else cut_over
    source = await sold_since(shop, integration, begin)
    booked = await booked_side(parts.fusions[integration.fusion], parts.store, integration, source, begin)
    # Posted while we read, placed before the span, or gone from the shop: ask for each by its id.
    others = await sold_orders(shop, integration, booked.order_ids() - source.keys())
    earlier = {order_id for order_id, order in others.items() if order.placed_at < begin}
    source |= {order_id: order for order_id, order in others.items() if order_id not in earlier}
    wanted = sorted((source.keys() | booked.order_ids()) - earlier, key=_by_number)
    evidence = await _Evidence.read(parts, integration, wanted)
    room = asyncio.Semaphore(AT_ONCE)

    async def judge(order_id: str) -> ReconciledOrder | None:
        async with room:
            return await _judge(order_id, source.get(order_id), booked, evidence)

    judged = await asyncio.gather(*(judge(order_id) for order_id in wanted))
    orders = tuple(order for order in judged if order is not None)
    return ReconciledStore(
        tenant=integration.tenant,
        integration=integration.id,
        connection=integration.source,
        since=begin,
        until=parts.clock(),
        totals=_totals(orders),
        orders=orders,
    )


async def record(store: Store, result: ReconciledStore, now: dt.datetime) -> None:
    """One row per currency, with the orders that need attention."""
    for totals in result.totals:
        mine = [order for order in result.orders if order.currency == totals.currency]
        listed: dict[str, Any] = {
            verdict.value: [order.order_id for order in mine if order.verdict is verdict][:LISTED]
            for verdict in Verdict
            if verdict is not Verdict.POSTED
        }
        await store.reconciliations.put(
            Reconciliation(
                tenant=result.tenant,
                integration=result.integration,
                connection=result.connection,
                currency=totals.currency,
                since=result.since,
                until=result.until,
                source_total=totals.source_total,
                ledger_total=totals.ledger_total,
                source_count=totals.source_count,
                ledger_count=totals.ledger_count,
                duplicates=sum(len(order.journals) > 1 for order in mine),
                missing=sum(order.verdict is Verdict.LOST for order in mine),
                in_review=sum(order.verdict is Verdict.IN_REVIEW for order in mine),
                details={
                    "job": names.command_job("reconcile", now),
                    "difference": str(totals.difference),
                    "explained": {
                        "in_review": str(totals.in_review),
                        "open": str(totals.open),
                        "skipped": str(totals.skipped),
                    },
                    "orders": listed,
                },
                at=now,
            )
        )


class _Evidence:
    """What the store and Temporal know of the orders: why one may rightly not be in the ledger."""

    def __init__(
        self,
        parts: Collaborators,
        integration: Integration,
        documents: dict[str, DocumentRow],
        postings: dict[str, PostingRow],
        creations: dict[str, CreationRow],
        reviews: dict[str, ReviewItem],
        watermark: dt.datetime | None,
    ) -> None:
        self._parts, self.integration = parts, integration
        self._documents, self._postings, self._creations = documents, postings, creations
        self._reviews, self._watermark = reviews, watermark

    @classmethod
    async def read(cls, parts: Collaborators, integration: Integration, order_ids: Sequence[str]) -> "_Evidence":
        overview = parts.store.overview
        reviews = await review_items(parts.store, parts.configuration)
        return cls(
            parts,
            integration,
            await overview.documents(integration.source, KIND, order_ids),
            await overview.postings(reference_of(integration, order_id) for order_id in order_ids),
            await parts.store.creations.creations(invoice_reference(integration, order_id) for order_id in order_ids),
            {item.workflow_id: item for item in reviews},
            await parts.store.watermarks.get(integration.source, WATERMARK),
        )

    def posting(self, order_id: str) -> PostingRow | None:
        return self._postings.get(reference_of(self.integration, order_id))

    def creation(self, order_id: str) -> CreationRow | None:
        return self._creations.get(invoice_reference(self.integration, order_id))

    def review(self, order_id: str) -> ReviewItem | None:
        """The order's own review, or that of the journal group it is in."""
        own = self._reviews.get(names.order_to_journal_id(self.integration.source, order_id))
        posting = self.posting(order_id)
        if own or posting is None or posting.state is not PostingState.GROUPED or posting.group_id is None:
            return own
        return self._reviews.get(names.journal_import_id(self.integration.fusion, posting.ledger, posting.group_id))

    async def skipped(self, order: SoldOrder) -> str:
        """Why the version that the shop has now was rightly not posted; empty when nothing says so."""
        document = self._documents.get(order.order_id)
        if document is None or document.state not in (State.SKIPPED, State.POSTED):
            return ""
        trail = await self._parts.store.audit.of(self.integration.source, KIND, order.order_id)
        if document.state is State.POSTED:
            marked = next((one for one in reversed(trail) if one.action == "marked_posted"), None)
            if marked is None:
                return ""
            named = marked.details.get("journal_name") or marked.details.get("invoice", "")
            return f"{marked.sentence} ({named}, not of our sources)"
        decided = any(one.action == "skipped" and one.details.get("who") for one in trail)
        return document.reason if decided or document.modified_at >= order.modified_at else ""

    async def open(self, order: SoldOrder) -> str:
        """Where it is under way; empty when it is not."""
        document = self._documents.get(order.order_id)
        if await _runs(self._parts.temporal, names.order_to_journal_id(self.integration.source, order.order_id)):
            waits = document is not None and document.state in (State.WAITING_IMPORT, State.IN_DOUBT)
            return document.reason if document and waits else "its workflow runs"
        if self._watermark is None or order.modified_at >= self._watermark:
            return "changed since the last poll; the next one reads it"
        return ""


async def _judge(
    order_id: str, order: SoldOrder | None, booked: BookedSide, evidence: _Evidence
) -> ReconciledOrder | None:
    """None: nothing to post and nothing posted."""
    journals = booked.of(order_id, evidence.posting(order_id), evidence.creation(order_id))
    review = evidence.review(order_id)
    if order is None or (order.unpostable and not (order.moved_on and journals)):
        if not journals:
            return None
        why = order.unpostable if order else "the shop has no such order"
        return _entry(order_id, evidence, order, journals, Verdict.UNEXPECTED, f"posted, but {why}", review=review)
    if review is not None:
        reason = review.problems[0].sentence if review.problems else ""
        return _entry(order_id, evidence, order, journals, Verdict.IN_REVIEW, reason, review=review)
    if len(journals) > 1:
        return _entry(order_id, evidence, order, journals, Verdict.DUPLICATE, _counted(journals))
    if journals and _amount(order, journals) == order.total and journals[0].currency == order.currency:
        reason = order.unpostable if order.moved_on else ""
        verdict = Verdict.POSTED if journals[0].posted else Verdict.UNPOSTED
        return _entry(order_id, evidence, order, journals, verdict, reason or journals[0].status)
    if not journals and (reason := await evidence.skipped(order)):
        return _entry(order_id, evidence, order, journals, Verdict.SKIPPED, reason)
    if reason := await evidence.open(order):
        return _entry(order_id, evidence, order, journals, Verdict.OPEN, reason)
    if journals:
        reason = f"Fusion has {journals[0].amount} {journals[0].currency}"
        return _entry(order_id, evidence, order, journals, Verdict.DIFFERS, reason)
    return _entry(order_id, evidence, order, journals, Verdict.LOST, "not in Fusion, in review or under way")


def _entry(
    order_id: str,
    evidence: _Evidence,
    order: SoldOrder | None,
    journals: Sequence[BookedSale],
    verdict: Verdict,
    reason: str,
    *,
    review: ReviewItem | None = None,
) -> ReconciledOrder:
    currency = order.currency if order else journals[0].currency
    unexpected = verdict is Verdict.UNEXPECTED
    source_amount = ZERO if order is None or unexpected else order.total
    # A review explains why one journal is missing or old, never a second one.
    explained = source_amount - _amount(order, journals[:1]) if verdict in EXPLAINED else ZERO
    return ReconciledOrder(
        order_id=order_id,
        connection=evidence.integration.source,
        currency=currency,
        source_amount=source_amount,
        ledger_amount=_amount(order, journals),
        explained=explained,
        journals=tuple(journal.name for journal in journals),
        verdict=verdict,
        reason=reason,
        command=review.command if review else "",
    )


def _amount(order: SoldOrder | None, journals: Iterable[BookedSale]) -> Decimal:
    """What is booked in the order's own currency and terms; in another currency it counts as nothing."""
    mine = (one for one in journals if order is None or one.currency == order.currency)
    return sum((one.comparable(order) for one in mine), start=ZERO)


def _counted(journals: Sequence[BookedSale]) -> str:
    """ "2 journals", "1 journal, 1 invoice"."""
    counts = Counter(one.kind for one in journals)
    return ", ".join(f"{number} {kind}{'s' if number > 1 else ''}" for kind, number in counts.items())


def _totals(orders: Iterable[ReconciledOrder]) -> tuple[CurrencyTotals, ...]:
    by_currency: defaultdict[str, list[ReconciledOrder]] = defaultdict(list)
    for order in orders:
        by_currency[order.currency].append(order)

    def explained(mine: Iterable[ReconciledOrder], verdict: Verdict) -> Decimal:
        return sum((order.explained for order in mine if order.verdict is verdict), start=ZERO)

    return tuple(
        CurrencyTotals(
            currency=currency,
            source_count=sum(order.verdict is not Verdict.UNEXPECTED for order in mine),
            source_total=sum((order.source_amount for order in mine), start=ZERO),
            ledger_count=sum(len(order.journals) for order in mine),
            ledger_total=sum((order.ledger_amount for order in mine), start=ZERO),
            in_review=explained(mine, Verdict.IN_REVIEW),
            open=explained(mine, Verdict.OPEN),
            skipped=explained(mine, Verdict.SKIPPED),
        )
        for currency, mine in sorted(by_currency.items())
    )


async def _runs(client: Client, workflow_id: str) -> bool:
    try:
        description = await client.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return description.status is WorkflowExecutionStatus.RUNNING


def _by_number(order_id: str) -> tuple[int, str]:
    return (int(order_id) if order_id.isdecimal() else 0, order_id)
