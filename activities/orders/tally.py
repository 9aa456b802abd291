"""Where each of the orders that a shop lists stands, as far as the store knows it. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

from contracts.flow import State
from contracts.loss import CountProgress, OrderTally
from contracts.sale import ListedOrder
from store.rows import KnownOrder


class Verdict(StrEnum):
    """Values are the fields of `OrderTally`."""

    POSTED = "posted"
    SKIPPED = "skipped"
    WAITING = "waiting"
    REVIEW = "review"
    RECENT = "recent"
    MISSING = "missing"


VERDICTS: Final = {
    State.POSTED: Verdict.POSTED,
    State.REVERSED: Verdict.SKIPPED,
    State.SKIPPED: Verdict.SKIPPED,
    State.WAITING_PARENT: Verdict.WAITING,
    State.WAITING_IMPORT: Verdict.WAITING,
    State.IN_DOUBT: Verdict.WAITING,
    State.NEEDS_REVIEW: Verdict.REVIEW,
}
"""Of a document that was looked at. One that is merely `running` may have nobody who looks at it any more."""


def known_verdict(order: ListedOrder, known: KnownOrder | None, waiting_since: datetime) -> Verdict | None:
    """None: the store does not account for this order.

    What is said to be posted is accounted for by its journal or invoice, or by the person who said so. What was
    skipped, or taken back, by its status is accounted for in that version only; what a person skipped, until it was
    edited. The run of what has waited since before `waiting_since` may be gone.
    """
    if known is None:
        return None
    verdict = VERDICTS.get(known.state)
    if is_unproved(known):
        return None
    if verdict is Verdict.SKIPPED and not known.decided and is_newer(order, known):
        return None
    if verdict is Verdict.WAITING and known.at < waiting_since:
        return None
    return verdict


def is_unproved(known: KnownOrder) -> bool:
    """It is said to be posted, and neither a journal nor an invoice of it is on record, nor the word of a person."""
    return VERDICTS.get(known.state) is Verdict.POSTED and not known.booked and not known.decided


def is_passed_over(known: KnownOrder | None) -> bool:
    """It was looked at, and is not to be in the ledger."""
    return known is not None and VERDICTS.get(known.state) is Verdict.SKIPPED


def is_newer(order: ListedOrder, known: KnownOrder) -> bool:
    """The shop has a version that nobody has looked at."""
    return order.modified_at > known.modified_at


def is_edited(order: ListedOrder, known: KnownOrder | None, judged_until: datetime) -> bool:
    """Its posting, or a person's decision, is about a version before the newest. A poll would have looked at it.

    A document in review, or on its way, has a run that polls tell of changes; its row keeps the version it is about.
    """
    if known is None or not is_newer(order, known) or order.modified_at > judged_until:
        return False
    verdict = VERDICTS.get(known.state)
    return (verdict is Verdict.POSTED and not is_unproved(known)) or (verdict is Verdict.SKIPPED and known.decided)


def tallied(
    progress: CountProgress, orders: Iterable[ListedOrder], verdicts: Mapping[str, Verdict], edited: frozenset[str]
) -> CountProgress:
    """`progress` with a page of orders in it. `verdicts` by order id."""
    stores: dict[str, OrderTally] = {}
    missing: dict[str, tuple[str, ...]] = {}
    next_id = progress.next_id
    for order in orders:
        next_id = max(next_id, int(order.order_id) + 1)
        verdict = verdicts.get(order.order_id)
        if verdict is None:
            continue
        one = OrderTally.model_validate({"postable": 1, verdict.value: 1, "edited": int(order.order_id in edited)})
        stores[order.channel] = stores.get(order.channel, OrderTally()).plus(one)
        if verdict is Verdict.MISSING:
            missing[order.channel] = (*missing.get(order.channel, ()), order.order_id)
    return progress.after(progress.model_copy(update={"next_id": next_id, "stores": stores, "missing": missing}))


def in_words(tally: OrderTally) -> str:
    """`120 to be posted: 118 posted, 1 waiting, 1 in review, 0 missing`; what is rarer, only where there is any."""
    parts = [f"{tally.posted:,} posted"]
    parts += [f"{tally.skipped:,} skipped"] if tally.skipped else []
    parts += [f"{tally.waiting:,} waiting", f"{tally.review:,} in review"]
    parts += [f"{tally.recent:,} too recent to tell"] if tally.recent else []
    parts += [f"{tally.missing:,} missing"]
    parts += [f"{tally.edited:,} edited unseen"] if tally.edited else []
    return f"{tally.postable:,} to be posted: {', '.join(parts)}"
