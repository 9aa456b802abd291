"""What a refund's order is to it: booked, on its way, left out, or a matter for a person."""

from collections.abc import Iterable
from typing import Final

from activities.collaborators import Collaborators
from activities.receivables.billed import invoice_of, reversal_among
from contracts import names
from contracts.configuration import Integration
from contracts.flow import State
from contracts.journal import Problem
from contracts.refund import Refund
from contracts.steps.documents import VERSION_UNKNOWN, Target
from contracts.steps.refunds import OrderStanding, RefundSnapshot
from mapping.bigcommerce import is_reversed, shows_reversed
from mapping.dates import local_day
from mapping.refund_journal import refund_rate_day
from mapping.refund_orders import LeftOut, left_out
from store.creating.creation import CreationState
from store.outbox.booked import REVERSAL, conversion_date, in_turn
from store.rows import CrossReference, PostingRow, PostingState

_INVOICED: Final[Target] = "receivable"
_BOOKED: Final[Target] = "journal"


async def order_standing(
    parts: Collaborators, integration: Integration, snapshot: RefundSnapshot
) -> OrderStanding | Problem:
    """As our own store knows it; reads, and changes nothing. A problem is one that only a person can resolve."""
    refund, order = snapshot.refund, snapshot.order
    journals, creations = parts.store.journals, parts.store.creations
    day, own = local_day(refund.created_at, order.sale.store_timezone), (names.REFUND, refund.refund_id)
    if day and day < integration.cut_over and not await creations.standing_of(refund.connection, *own):
        return OrderStanding(outcome="skipped", sentence=f"refunded {day}, before the cut-over {integration.cut_over}")
    place = (refund.connection, names.ORDER, refund.order_id)
    postings = await journals.postings_of(*place)
    invoices = await creations.creations_of(*place)
    title = names.document_title(names.ORDER, refund.connection, refund.order_id)
    # Also what follows the sale: a reversal on its way leaves nothing to take back.
    on_its_way = (PostingState.STAGED, PostingState.GROUPED, PostingState.IMPORTED)
    if any(one.state in on_its_way for one in postings) or any(one.open for one in invoices):
        return OrderStanding(outcome="waiting", sentence=f"{title} is on its way into Fusion")
    reversal = reversal_among(invoices, integration, refund.order_id)
    if reversal and reversal.under_way:
        return OrderStanding(outcome="waiting", sentence=f"{title} was cancelled, and its invoice is to be credited")
    there = any(one.state is PostingState.POSTED for one in postings)
    if there or any(one.state is CreationState.POSTED for one in invoices):
        by_hand = await _by_hand(parts, integration, snapshot, postings, reversed_=reversal is not None)
        return by_hand or await _ready(parts, integration, snapshot)
    absent = left_out(order, integration.posting, integration.cut_over)
    if absent and absent.refund is LeftOut.BOOKED_ALONE:
        return await _ready(parts, integration, snapshot)
    known = await parts.store.documents.get(*place)
    if known is None:
        return OrderStanding(outcome="waiting", sentence=f"{title} has not been looked at yet")
    if known.state is State.POSTED or (known.state is State.SKIPPED and known.decided_by):
        return await _ready(parts, integration, snapshot)
    if known.state is State.SKIPPED and absent:
        return OrderStanding(outcome="skipped", sentence=f"its order is not posted: {absent.reason}")
    return OrderStanding(outcome="waiting", sentence=f"{title} is not posted: {known.reason or known.state.value}")


async def _by_hand(
    parts: Collaborators,
    integration: Integration,
    snapshot: RefundSnapshot,
    postings: Iterable[PostingRow],
    *,
    reversed_: bool,
) -> OrderStanding | Problem | None:
    """Of a cancelled order that is not reversed by us: whoever reverses it by hand, reverses what it is refunded.

    None: nobody has, or is to. A refund that is half done is completed. A problem: a person did.
    """
    refund, order = snapshot.refund, snapshot.order
    store, policy = parts.store, integration.posting
    there = [one.key for one in postings if one.state is PostingState.POSTED]
    if there and max(there, key=in_turn).purpose == REVERSAL:
        return None
    if await store.creations.standing_of(refund.connection, names.REFUND, refund.refund_id):
        return None
    known = await store.documents.get(refund.connection, names.ORDER, refund.order_id)
    if known is None:
        return None
    cancelled, decided = is_reversed(order, policy), shows_reversed(known.decided_version, policy)
    # A shop may show a cancelled order as refunded by now.
    refused = any(one.key.purpose == REVERSAL and one.state is PostingState.REFUSED for one in postings)
    title = names.document_title(names.ORDER, refund.connection, refund.order_id)
    if known.state is State.NEEDS_REVIEW and (cancelled or decided or refused or reversed_):
        return OrderStanding(
            outcome="waiting", sentence=f"{title} was cancelled, and a person is to decide what becomes of it"
        )
    if decided or (cancelled and known.decided_version == VERSION_UNKNOWN):
        return _settled_by_hand(refund, title)
    return None


async def _ready(parts: Collaborators, integration: Integration, snapshot: RefundSnapshot) -> OrderStanding:
    refund, sale = snapshot.refund, snapshot.order.sale
    invoice = await invoice_of(parts, refund.connection, refund.order_id)
    if invoice is not None:
        original, target = invoice.document.conversion_date if invoice.document else None, _INVOICED
    else:
        booked = await parts.store.journals.booked(refund.connection, names.ORDER, refund.order_id)
        original = conversion_date(booked)
        target = _BOOKED if booked else ""
    rate_day = refund_rate_day(refund, sale, integration.posting, original)
    return OrderStanding(outcome="ready", rate_day=rate_day, target=target)


async def link_to_order(parts: Collaborators, integration: Integration, refund: Refund) -> None:
    """The store says which order it is of, however often it is told."""
    await parts.store.cross_references.put(
        CrossReference(
            tenant=integration.tenant,
            connection=refund.connection,
            kind=names.REFUND,
            id=refund.refund_id,
            target_connection=refund.connection,
            target_kind=names.ORDER,
            target_id=refund.order_id,
            at=parts.clock(),
        )
    )


def _settled_by_hand(refund: Refund, order: str) -> Problem:
    return Problem(
        code="refund_of_settled_order",
        sentence=(
            f"Refund {refund.refund_id} of order {refund.order_id} ({refund.connection}): {order} was cancelled, and a"
            " person decided what becomes of it. Whether the refund was reversed with it is not known here."
        ),
        remedy=(
            "Look whether the order is reversed in Fusion. If it is, skip the refund with a reason; if not, book it by"
            " hand first."
        ),
    )
