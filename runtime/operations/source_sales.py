"""What a shop sold: every order of a span of time, reduced to what reconciliation compares."""

import asyncio
import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from activities.orders.shops import ChangedOrder, Shop
from clients.errors import NotFound, VendorError
from contracts.configuration import Integration, PostingPolicy
from contracts.journal import Purpose
from contracts.model import Amount, Frozen, Instant
from contracts.sale import OrderSnapshot, Sale
from mapping.bigcommerce import is_reversed, postability
from mapping.dates import NotRecognised, recognition
from mapping.entries import entries
from runtime.grouped_errors import ungrouped

AT_ONCE: Final = 8
"""Orders read at the same time. The client's own limiter keeps the shop's quota."""


class Sold(Frozen):
    """One document as the shop has it now."""

    currency: str
    total: Amount
    """What the shopper owes or gets back, tax included."""
    contra: Amount
    """Debits of its journal beyond `total`: negative charges and roundings book on the other side."""
    settled: Amount = Decimal(0)
    """What store credit and certificates are of `total`: its invoice or credit memo is over the rest."""
    modified_at: Instant
    unpostable: str = ""
    """Why it is not to be posted; empty when it is."""


class SoldOrder(Sold):
    """An order."""

    order_id: str
    placed_at: Instant
    reversed: bool = False
    """It was cancelled: what was posted of it must have been taken back."""
    moved_on: bool = False
    """Only its status says so, or that it is archived: an order that was posted before stays a sale."""


async def sold_since(shop: Shop, integration: Integration, since: dt.datetime) -> dict[str, SoldOrder]:
    """Orders placed at or after `since`, by id. An order that vanishes while we read is left out.

    Raises `VendorError`.
    """
    found: dict[str, SoldOrder] = {}
    # An order is modified when it is placed, or later: nothing placed in the span is missed.
    async for page in shop.changed_orders(since):
        for order in await _read(shop, integration, page):
            if order.placed_at >= since:
                found[order.order_id] = order
    return found


async def sold_orders(shop: Shop, integration: Integration, ids: Iterable[str]) -> dict[str, SoldOrder]:
    """These orders, by id; those the shop does not know are left out. Raises `VendorError`."""
    now = dt.datetime.now(dt.UTC)
    rows = tuple(ChangedOrder(order_id=order_id, modified_at=now) for order_id in sorted(set(ids)))
    return {order.order_id: order for order in await _read(shop, integration, rows)}


async def _read(shop: Shop, integration: Integration, rows: tuple[ChangedOrder, ...]) -> list[SoldOrder]:
    room = asyncio.Semaphore(AT_ONCE)
    read: list[SoldOrder] = []

    async def read_one(order_id: str) -> None:
        async with room:
            try:
                snapshot, _ = await shop.order(order_id)
            except NotFound:
                return
        read.append(_sold(snapshot, integration))

    with ungrouped(VendorError):
        async with asyncio.TaskGroup() as tasks:
            for order_id in {row.order_id for row in rows}:
                tasks.create_task(read_one(order_id))
    return read


def _sold(snapshot: OrderSnapshot, integration: Integration) -> SoldOrder:
    sale = snapshot.sale
    debits = sum((entry.balance for entry in entries(sale) if entry.balance > 0), start=Decimal(0))
    policy, cut_over = integration.posting, integration.cut_over
    refused = postability(snapshot, policy, cut_over)
    any_status = policy.model_copy(update={"postable_statuses": (int(snapshot.status_id),)})
    stays = postability(snapshot, any_status, cut_over, posted=True) is None
    return SoldOrder(
        order_id=sale.order_id,
        currency=sale.currency,
        total=sale.total,
        contra=debits - sale.total,
        settled=sale.total - invoiced_total(sale),
        placed_at=sale.placed_at,
        modified_at=snapshot.modified_at,
        unpostable=refused or _nothing_to_book(snapshot, policy) or "",
        reversed=is_cancelled(snapshot, integration),
        moved_on=bool(refused) and stays,
    )


def invoiced_total(sale: Sale) -> Decimal:
    """What an invoice of the sale is over: everything that a journal books, except the payments."""
    billed = (entry.balance for entry in entries(sale) if entry.purpose is not Purpose.CLEARING)
    return -sum(billed, start=Decimal(0))


def is_cancelled(snapshot: OrderSnapshot, integration: Integration) -> bool:
    """Whether what was posted of the order is to be taken back."""
    return is_reversed(snapshot, integration.posting)


def _nothing_to_book(snapshot: OrderSnapshot, policy: PostingPolicy) -> str | None:
    recognised = recognition(snapshot.sale, policy)
    if isinstance(recognised, NotRecognised):
        return recognised.reason
    return None if entries(snapshot.sale) else "zero total: the order has nothing to book"
