"""Reconciliation: what a shop sold and gave back against what Fusion holds of it, document by document.

Both sides are read anew: the shop's orders and refunds through the same projections that posting uses; journals,
invoices and credit memos back from Fusion. The store only explains why something is not there (in review, still open,
skipped). Reading is here, judging in `judging`, printing in `runtime.commands.reconcile`.
"""

import asyncio
import datetime as dt
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, Final, TypeVar

from activities.collaborators import Collaborators
from contracts import names
from contracts.configuration import Integration
from runtime.operations.booked_sales import BookedSide, booked_side
from runtime.operations.deciding import ReviewItem, review_items
from runtime.operations.judging import judge_order, judge_refund
from runtime.operations.reconciled import (
    ZERO,
    CurrencyTotals,
    Reconciled,
    ReconciledOrder,
    ReconciledRefund,
    ReconciledStore,
    Verdict,
)
from runtime.operations.sale_evidence import Evidence
from runtime.operations.source_refunds import SoldRefund, refunds_by_id, refunds_since
from runtime.operations.source_sales import SoldOrder, sold_orders, sold_since
from store import Store
from store.rows import Reconciliation

AT_ONCE: Final = 16
LISTED: Final = 1000
"""Documents of one verdict that are kept with a stored reconciliation."""

Judged = TypeVar("Judged", bound=Reconciled)


async def reconcile(
    parts: Collaborators, integrations: Sequence[Integration], since: dt.datetime | None = None
) -> tuple[ReconciledStore, ...]:
    """Reconciles these integrations, records each result in the store, and gives them.

    `since`: orders placed and refunds made from then on; else everything from the cut-over. Raises `VendorError`.
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
    """Reads both sides and judges every order and refund. Writes nothing. Raises `VendorError`."""
    # The cut-over day begins at most 14 hours before its UTC midnight, in the easternmost zone.
    cut_over = dt.datetime.combine(integration.cut_over, dt.time(), dt.UTC) - dt.timedelta(hours=14)
    begin = max(since, cut_over) if since else cut_over
    shop = parts.shops[integration.source]
    orders = await sold_since(shop, integration, begin)
    refunds = await refunds_since(shop, parts.store, integration, begin)
    booked = await booked_side(parts.fusions[integration.fusion], parts.store, integration, orders, begin, refunds)
    # Posted while we read, placed before the span, or gone from the shop: ask for each by its id.
    others = await sold_orders(shop, integration, booked.order_ids() - orders.keys())
    earlier = {order_id for order_id, order in others.items() if order.placed_at < begin}
    orders |= {order_id: order for order_id, order in others.items() if order_id not in earlier}
    back = await refunds_by_id(shop, parts.store, integration, booked.refund_ids() - refunds.keys())
    given_before = {refund_id for refund_id, refund in back.items() if refund.modified_at < begin}
    refunds |= {refund_id: refund for refund_id, refund in back.items() if refund_id not in given_before}
    reviews = {item.workflow_id: item for item in await review_items(parts.store, parts.configuration)}
    judged_refunds = await _refunds(
        parts,
        integration,
        refunds,
        sorted((refunds.keys() | booked.refund_ids()) - given_before, key=_by_number),
        booked,
        reviews,
    )
    judged_orders = await _orders(
        parts,
        integration,
        orders,
        sorted((orders.keys() | booked.order_ids()) - earlier, key=_by_number),
        booked,
        reviews,
        judged_refunds,
    )
    return ReconciledStore(
        tenant=integration.tenant,
        integration=integration.id,
        connection=integration.source,
        since=begin,
        until=parts.clock(),
        totals=_totals(judged_orders, judged_refunds),
        orders=judged_orders,
        refunds=judged_refunds,
    )


async def _refunds(
    parts: Collaborators,
    integration: Integration,
    refunds: dict[str, SoldRefund],
    wanted: Sequence[str],
    booked: BookedSide,
    reviews: dict[str, ReviewItem],
) -> tuple[ReconciledRefund, ...]:
    evidence = await Evidence.read(parts, integration, names.REFUND, wanted, reviews)
    of_orders = sorted({refund.order_id for refund in refunds.values()})
    sold = await Evidence.read(parts, integration, names.ORDER, of_orders, reviews)

    async def judge(refund_id: str) -> ReconciledRefund | None:
        refund = refunds.get(refund_id)
        order_id = refund.order_id if refund else ""
        there = bool(booked.of(order_id, sold.posting(order_id), sold.creation(order_id))) or sold.posted(order_id)
        return await judge_refund(refund_id, refund, booked, evidence, there)

    return await _each(wanted, judge)


async def _orders(
    parts: Collaborators,
    integration: Integration,
    orders: dict[str, SoldOrder],
    wanted: Sequence[str],
    booked: BookedSide,
    reviews: dict[str, ReviewItem],
    refunds: Iterable[ReconciledRefund],
) -> tuple[ReconciledOrder, ...]:
    evidence = await Evidence.read(parts, integration, names.ORDER, wanted, reviews)
    given_back: defaultdict[str, Decimal] = defaultdict(Decimal)
    for refund in refunds:
        given_back[refund.order_id] += refund.ledger_amount

    async def judge(order_id: str) -> ReconciledOrder | None:
        return await judge_order(order_id, orders.get(order_id), booked, evidence, given_back.get(order_id, ZERO))

    return await _each(wanted, judge)


async def _each(wanted: Sequence[str], judge: Callable[[str], Awaitable[Judged | None]]) -> tuple[Judged, ...]:
    room = asyncio.Semaphore(AT_ONCE)

    async def judged(document_id: str) -> Judged | None:
        async with room:
            return await judge(document_id)

    every = await asyncio.gather(*(judged(document_id) for document_id in wanted))
    return tuple(one for one in every if one is not None)


async def record(store: Store, result: ReconciledStore, now: dt.datetime) -> None:
    """One row per currency, orders less refunds, with what needs attention."""
    for totals in result.totals:
        orders = [one for one in result.orders if one.currency == totals.currency]
        refunds = [one for one in result.refunds if one.currency == totals.currency]
        every: list[ReconciledOrder | ReconciledRefund] = [*orders, *refunds]
        await store.reconciliations.put(
            Reconciliation(
                tenant=result.tenant,
                integration=result.integration,
                connection=result.connection,
                currency=totals.currency,
                since=result.since,
                until=result.until,
                source_total=totals.source_net,
                ledger_total=totals.ledger_net,
                source_count=totals.source_count,
                ledger_count=totals.ledger_count,
                duplicates=sum(len(one.journals) > 1 for one in every),
                missing=sum(one.verdict is Verdict.LOST for one in every),
                in_review=sum(one.verdict is Verdict.IN_REVIEW for one in every),
                details={
                    "job": names.command_job("reconcile", now),
                    "difference": str(totals.difference),
                    "explained": {
                        "in_review": str(totals.in_review),
                        "open": str(totals.open),
                        "skipped": str(totals.skipped),
                    },
                    "refunded": {
                        "source_total": str(totals.source_refunded),
                        "source_count": totals.source_refunds,
                        "ledger_total": str(totals.ledger_refunded),
                        "ledger_count": totals.ledger_refunds,
                    },
                    "orders": _listed((one.verdict, one.order_id) for one in orders),
                    "refunds": _listed((one.verdict, one.refund_id) for one in refunds),
                },
                at=now,
            )
        )


def _listed(judged: Iterable[tuple[Verdict, str]]) -> dict[str, Any]:
    ids: dict[str, list[str]] = {verdict.value: [] for verdict in Verdict if verdict is not Verdict.POSTED}
    for verdict, document_id in judged:
        if verdict is not Verdict.POSTED:
            ids[verdict.value].append(document_id)
    return {verdict: every[:LISTED] for verdict, every in ids.items()}


def _totals(orders: Iterable[ReconciledOrder], refunds: Iterable[ReconciledRefund]) -> tuple[CurrencyTotals, ...]:
    sold: defaultdict[str, list[ReconciledOrder]] = defaultdict(list)
    given: defaultdict[str, list[ReconciledRefund]] = defaultdict(list)
    for order in orders:
        sold[order.currency].append(order)
    for refund in refunds:
        given[refund.currency].append(refund)
    return tuple(_sum(currency, sold[currency], given[currency]) for currency in sorted({*sold, *given}))


def _sum(currency: str, orders: Sequence[Reconciled], refunds: Sequence[Reconciled]) -> CurrencyTotals:
    def explained(verdict: Verdict) -> Decimal:
        added = sum((one.explained for one in orders if one.verdict is verdict), start=ZERO)
        return added - sum((one.explained for one in refunds if one.verdict is verdict), start=ZERO)

    return CurrencyTotals(
        currency=currency,
        source_count=sum(one.verdict is not Verdict.UNEXPECTED for one in orders),
        source_total=sum((one.source_amount for one in orders), start=ZERO),
        ledger_count=sum(len(one.journals) for one in orders),
        ledger_total=sum((one.ledger_amount for one in orders), start=ZERO),
        source_refunds=sum(one.verdict is not Verdict.UNEXPECTED for one in refunds),
        source_refunded=sum((one.source_amount for one in refunds), start=ZERO),
        ledger_refunds=sum(len(one.journals) for one in refunds),
        ledger_refunded=sum((one.ledger_amount for one in refunds), start=ZERO),
        in_review=explained(Verdict.IN_REVIEW),
        open=explained(Verdict.OPEN),
        skipped=explained(Verdict.SKIPPED),
    )


def _by_number(document_id: str) -> tuple[int, str]:
    return (int(document_id) if document_id.isdecimal() else 0, document_id)
