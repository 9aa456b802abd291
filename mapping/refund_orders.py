"""Orders that are not in the ledger and never will be, as things stand: what that means for their refunds."""

import datetime as dt
from dataclasses import dataclass
from enum import Enum

from contracts.configuration import PostingPolicy
from contracts.sale import OrderSnapshot
from mapping.bigcommerce import is_reversed, postability
from mapping.dates import local_day


class LeftOut(Enum):
    """What becomes of a refund of an order that is left out."""

    BOOKED_ALONE = "booked_alone"
    """The sale is in the books of before, so the refund lowers it there: it is booked by the rules of today."""
    LEFT_OUT = "left_out"
    """The sale is in no books: neither is what it gave back."""


@dataclass(frozen=True, slots=True)
class Absent:
    """Why an order is not posted, one clause, and what that means for its refunds."""

    reason: str
    refund: LeftOut


def left_out(order: OrderSnapshot, policy: PostingPolicy, cut_over: dt.date) -> Absent | None:
    """None: the order is posted, or may yet be."""
    reason = postability(order, policy, cut_over) or ""
    placed = local_day(order.sale.placed_at, order.sale.store_timezone)
    if order.test:
        return Absent(reason, LeftOut.LEFT_OUT)
    if order.migrated or (placed and placed < cut_over):
        return Absent(reason, LeftOut.BOOKED_ALONE)
    if reason and (order.deleted or is_reversed(order, policy)):
        return Absent(reason, LeftOut.LEFT_OUT)
    return None
