"""What a shop gave back: every refund of a span of time, reduced to what reconciliation compares."""

import asyncio
import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal

from activities.orders.shops import Shop
from activities.refunds.siblings import booked_refunds
from clients.errors import NotFound, VendorError
from contracts.configuration import Integration
from contracts.refund import Refund, RefundSale
from contracts.steps.refunds import RefundSnapshot
from mapping.dates import local_day
from mapping.entries import entries
from mapping.refund_orders import LeftOut, left_out
from mapping.refunds import earlier_refunds, later_refunds, take_back
from runtime.grouped_errors import ungrouped
from runtime.operations.source_sales import AT_ONCE, Sold, invoiced_total, is_cancelled
from store import Store

ZERO = Decimal(0)


class SoldRefund(Sold):
    """One refund as the shop has it, amounts positive. `modified_at` is when it was made."""

    refund_id: str
    order_id: str
    only_booked: str = ""
    """Why it is nothing to post unless it is in Fusion: its order was cancelled, and is reversed without it."""
    only_with_order: str = ""
    """Why it is nothing to post unless its order is in Fusion: the order is posted by nobody."""


async def refunds_since(
    shop: Shop, store: Store, integration: Integration, since: dt.datetime
) -> dict[str, SoldRefund]:
    """Refunds made at or after `since`, by id. Raises `VendorError`."""
    by_order: defaultdict[str, list[str]] = defaultdict(list)
    async for page in shop.refunds_since(since):
        for row in page:
            by_order[row.order_id].append(row.refund_id)
    # An order is read once, with all of its refunds.
    found = await _read(shop, store, integration, (ids[0] for ids in by_order.values()))
    return {key: one for key, one in found.items() if one.modified_at >= since}


async def refunds_by_id(
    shop: Shop, store: Store, integration: Integration, ids: Iterable[str]
) -> dict[str, SoldRefund]:
    """These refunds and the others of their orders, by id; what the shop does not know is left out.

    Raises `VendorError`.
    """
    return await _read(shop, store, integration, sorted(set(ids)))


async def _read(shop: Shop, store: Store, integration: Integration, ids: Iterable[str]) -> dict[str, SoldRefund]:
    room = asyncio.Semaphore(AT_ONCE)
    read: dict[str, SoldRefund] = {}

    async def read_one(refund_id: str) -> None:
        async with room:
            try:
                snapshot, _ = await shop.refund(refund_id)
            except NotFound:
                return
            # With one refund alone there is nothing that another could have been booked before.
            several = len(snapshot.known) > 1
            booked = await booked_refunds(store, integration, snapshot.known) if several else {}
        for refund in (snapshot.refund, *snapshot.known):
            read[refund.refund_id] = _given(refund, snapshot, integration, booked)

    with ungrouped(VendorError):
        async with asyncio.TaskGroup() as tasks:
            for refund_id in ids:
                tasks.create_task(read_one(refund_id))
    return read


def _given(
    refund: Refund, snapshot: RefundSnapshot, integration: Integration, booked: Mapping[str, RefundSale]
) -> SoldRefund:
    order, sale = snapshot.order, snapshot.order.sale
    contra = settled = ZERO
    unpostable = _not_counted(refund, sale.store_timezone, integration)
    if not refund.declined:
        earlier = earlier_refunds(refund, snapshot.known, sale, booked)
        taken = take_back(refund, sale, earlier, later_refunds(refund, booked))
        if isinstance(taken, RefundSale):
            booking = entries(taken)
            contra = sum((one.balance for one in booking if one.balance > 0), start=ZERO) - refund.total
            settled = refund.total + invoiced_total(taken)
            if not booking:
                unpostable = unpostable or "zero total: the refund has nothing to book"
    absent = left_out(order, integration.posting, integration.cut_over)
    return SoldRefund(
        refund_id=refund.refund_id,
        order_id=refund.order_id,
        currency=refund.currency,
        total=refund.total,
        contra=contra,
        settled=settled,
        modified_at=refund.created_at,
        unpostable=unpostable,
        only_booked="its order was cancelled" if is_cancelled(order, integration) else "",
        only_with_order=absent.reason if absent and absent.refund is LeftOut.LEFT_OUT else "",
    )


def _not_counted(refund: Refund, zone: str, integration: Integration) -> str:
    if refund.declined:
        return "its payment was declined: no money has moved"
    day = local_day(refund.created_at, zone)
    if day and day < integration.cut_over:
        return f"refunded {day}, before the cut-over {integration.cut_over}"
    return ""
