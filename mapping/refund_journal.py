"""From a refund to its journal: what it takes back of its sale, on the accounts of the sale, in its own period."""

import datetime as dt
from collections.abc import Sequence
from typing import Final

from contracts.configuration import Books, Integration, MappingSet, PostingPolicy
from contracts.journal import JournalLine, Problem
from contracts.refund import Refund, RefundSale
from contracts.sale import OrderSnapshot, Sale
from contracts.steps.documents import Lookups, Mapped
from mapping.dates import Event, local_day, recognition_day
from mapping.entries import entries
from mapping.journal import compose, journal_line
from mapping.origins import Origins, standing
from mapping.readiness import accounts, ready, timing
from mapping.refunds import take_back, without_parts
from mapping.standing_tenders import paid_back_otherwise

REFUND: Final = "refund"
"""Kind of the document, and purpose of its journal."""
REVERSED: Final = "its order was cancelled and reversed: nothing of it stands in the ledger"
_REFUNDED_STATUS: Final = "4"


def to_refund_journal(
    refund: Refund,
    sale: Sale,
    *,
    tenant: str,
    integration: Integration,
    books: Books,
    mapping_set: MappingSet,
    lookups: Lookups,
    earlier: Sequence[RefundSale] = (),
    later: Sequence[RefundSale] = (),
    original: Sequence[JournalLine] = (),
    given: Sequence[JournalLine] = (),
    order_reference: str = "",
    reversed_: bool = False,
    rate_day: dt.date | None = None,
    ordinal: int = 1,
) -> Mapped:
    """The journal of a refund, or exactly one of `skipped`, `problems` (all of it) and `waiting`, as `to_journal`.

    `sale` is its order as it stands, `earlier` what the order's refunds before this one took back, `later` what those
    after it did that were booked before it (`mapping.refunds.take_back`). `original` are the lines of all journals of
    the order, without refunds: their accounts are used. Without `original` the order is not in the ledger (placed
    before the cut-over), the rules of today are used, and the description says so. `order_reference` is the order's own
    journal, for the description. `rate_day` is the conversion date of that journal.
    `given` are the lines of its refunds so far: where they and `original` leave nothing, or the order's last journal is
    its reversal (`reversed_`), what was reversed is not taken back once more.
    A payment that was declined is waited for: the shop tells when it is repeated. Never raises for what a shop or a
    customer's rules can contain.
    """
    if refund.declined:
        return Mapped(waiting=declined(refund))
    taken = take_back(refund, sale, earlier, later)
    if not isinstance(taken, RefundSale):
        if not reversed_:
            return Mapped(problems=taken)
        # Whatever it gave back of the order: nobody shall book that by hand.
        taken = without_parts(refund, sale)
    if reversed_ or (original and not standing((*original, *given))):
        return of_reversed(taken, sale, (*earlier, *later))
    policy = integration.posting
    booking = entries(taken)
    if not booking:
        return Mapped(skipped="zero total: the refund has nothing to book")
    event = Event(word="refunded", at=refund.created_at)
    when = timing(taken, booking, policy=policy, lookups=lookups, event=event)
    if isinstance(when, Mapped):
        return when
    booked, problems = accounts(
        taken,
        booking,
        when,
        policy=policy,
        books=books,
        mapping_set=mapping_set,
        lookups=lookups,
        origins=Origins(original, given) if original else Origins(),
    )
    converted_on = refund_rate_day(refund, sale, policy, rate_day)
    dated = ready(taken, when, problems, books=books, lookups=lookups, rate_day=converted_on)
    if isinstance(dated, Mapped):
        return dated
    about = "its order is not in the ledger: booked by the rules of today"
    if order_reference:
        about = f"takes back {order_reference}"
        if not original:
            about += ", whose lines are not known here: booked by the rules of today"
    return Mapped(
        taken=taken,
        journal=compose(
            tuple(journal_line(one, taken, mapping_set) for one in booked),
            taken,
            dated,
            key=(tenant, refund.connection, REFUND, refund.refund_id, REFUND, ordinal),
            books=books,
            mapping_set=mapping_set,
            lookups=lookups,
            rate_day=converted_on,
            about=about,
        ),
    )


def of_reversed(taken: RefundSale, sale: Sale, others: Sequence[RefundSale]) -> Mapped:
    """Of a refund whose order was reversed: nothing is left to take back, but it may have gone another way."""
    otherwise = paid_back_otherwise(taken, sale, others)
    return Mapped(problems=(_of_reversed(taken, otherwise),)) if otherwise else Mapped(skipped=REVERSED)


def _of_reversed(taken: RefundSale, otherwise: str) -> Problem:
    return Problem(
        code="refund_of_reversed_order",
        sentence=(
            f"{taken.title}: its order was cancelled and reversed as it had been paid, and of the {-taken.total:f}"
            f" {taken.currency} that it gave back more went to {otherwise} than came from there."
        ),
        remedy=(
            f"Book by hand in Fusion what went to {otherwise}, against what the order was paid with, then skip the"
            " refund with a reason."
        ),
    )


def refund_rate_day(
    refund: Refund, sale: Sale, policy: PostingPolicy, original: dt.date | None = None
) -> dt.date | None:
    """The day whose conversion rate a refund in a foreign currency needs, by `refund_rate`.

    `original` is the conversion date of the order's journal; without it, the recognition day of the sale, else the
    refund's own. None where the store's time zone is unknown.
    """
    own = local_day(refund.created_at, sale.store_timezone)
    if policy.refund_rate == "refund_date":
        return own
    return original or recognition_day(sale, policy) or own


def says_refunded(snapshot: OrderSnapshot) -> bool:
    """Whether the order's status says that all of it was given back."""
    return snapshot.status_id == _REFUNDED_STATUS


def status_without_refund(snapshot: OrderSnapshot, refunds: int) -> str:
    """What is to be said of an order whose status a person set to Refunded; empty when there is nothing to say.

    `refunds`: how many the shop has of it.

    BigCommerce: the status can be set by hand, and no money moves. Only a refund is evidence of a refund.
    """
    if not says_refunded(snapshot) or refunds:
        return ""
    return (
        f"{snapshot.sale.title}: its status {snapshot.status or 'Refunded'} was set by hand. The shop has no refund of"
        " it, so no money went back and nothing is reversed."
    )


def providers_that_declined(refund: Refund) -> str:
    """For sentences."""
    return ", ".join(sorted({one.method or one.provider or one.kind for one in refund.declined}))


def declined(refund: Refund) -> Problem:
    amount = sum((one.amount for one in refund.declined), start=refund.total - refund.total)
    return Problem(
        code="refund_declined",
        sentence=(
            f"Refund {refund.refund_id} of order {refund.order_id} ({refund.connection}):"
            f" {providers_that_declined(refund)} declined to pay"
            f" back {amount:f} {refund.currency}, so no money has moved."
        ),
        remedy=(
            "Repeat the payment in the shop; the refund is then posted. If the money went back another way, book it by"
            " hand in Fusion and skip the refund with a reason."
        ),
    )
