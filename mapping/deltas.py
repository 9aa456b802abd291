"""What happened to a sale after it was posted: the journal of exactly the difference, and the reversal.

The ledger holds the lines of the sale's journals. An edit posts the difference between them and the sale as it is now,
by account and purpose; a cancellation posts the difference between them and nothing.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from contracts.configuration import Books, Integration, MappingSet
from contracts.journal import JournalLine, Problem, Purpose
from contracts.sale import OrderSnapshot, Sale
from contracts.steps.documents import Lookups, Mapped
from mapping.dates import Dated, Event, local_day, recognition_day
from mapping.descriptions import DESCRIPTION_LENGTH
from mapping.entries import Entry, entries
from mapping.journal import compose, journal_line
from mapping.money import quantize
from mapping.origins import Origins
from mapping.readiness import Timing, accounts, ready, timing
from mapping.rules import Facts, MappingSetError, compiled
from mapping.standing_tenders import left_standing

DELTA: Final = "delta"
REVERSAL: Final = "reversal"
"""Purposes of both journals."""
NO_DIFFERENCE: Final = "the ledger already shows it: there is no difference to post"
OF_AMOUNTS: Final = ("does_not_add_up", "inexact_amount", "rounding_over_limit")
"""Problems of the order as it stands, which what takes back a document does not have."""


def to_delta(
    snapshot: OrderSnapshot,
    *,
    before: Sale | None,
    posted: Sequence[JournalLine],
    given: Sequence[JournalLine] = (),
    tenant: str,
    integration: Integration,
    books: Books,
    mapping_set: MappingSet,
    lookups: Lookups,
    ordinal: int,
    order_reference: str = "",
    rate_day: dt.date | None = None,
    kind: str = "order",
    purpose: str = DELTA,
) -> Mapped:
    """The journal that turns what is posted into what the sale is now; `skipped` when there is no difference.

    `posted` are the lines of all journals of the order, `given` those of its refunds; `before` is the version that the
    former add up to. An amount keeps the account it was posted to unless the edit itself leads to another one: where
    the rules tell the two versions apart (another country of destination, another category), the amount moves, and
    what refunds took of it moves along. Without `before` every amount goes where the rules want it. The date is the
    sale's own while its period is open, else the day of the edit; `rate_day` is the conversion date of the sale's own
    journal, by default its recognition day as things stand. Problems are those of `to_journal`.
    """
    sale = snapshot.sale
    booking = entries(sale)
    when = _timing(snapshot, (*booking, *posted), integration, lookups)
    if isinstance(when, Mapped):
        return when
    booked, problems = accounts(
        sale,
        booking,
        when,
        policy=integration.posting,
        books=books,
        mapping_set=mapping_set,
        lookups=lookups,
        origins=_kept(before, sale, posted, given, mapping_set),
    )
    wanted = [journal_line(one, sale, mapping_set) for one in booked]
    there, elsewhere = _moved_along(given, wanted)
    lines = difference((*wanted, *there), (*posted, *elsewhere), sale, "Edited")
    if not lines and len(booked) == len(booking):
        return Mapped(skipped=NO_DIFFERENCE)
    converted_on = rate_day or recognition_day(sale, integration.posting)
    dated = ready(sale, when, problems, books=books, lookups=lookups, rate_day=converted_on)
    if isinstance(dated, Mapped):
        return dated
    return Mapped(
        journal=compose(
            lines,
            sale,
            dated,
            key=(tenant, sale.connection, kind, sale.order_id, purpose, ordinal),
            books=books,
            mapping_set=mapping_set,
            lookups=lookups,
            rate_day=converted_on,
            about=f"changes {order_reference}" if order_reference else "",
        )
    )


def to_reversal(
    snapshot: OrderSnapshot,
    *,
    posted: Sequence[JournalLine],
    given: Sequence[JournalLine] = (),
    tenant: str,
    integration: Integration,
    books: Books,
    mapping_set: MappingSet,
    lookups: Lookups,
    ordinal: int,
    order_reference: str = "",
    rate_day: dt.date | None = None,
    kind: str = "order",
    purpose: str = REVERSAL,
) -> Mapped:
    """The journal that leaves nothing of the sale in the ledger: of an order that was cancelled or declined.

    `posted` are the lines of all journals of the order, `given` those of its refunds: what they took back already is
    not taken back twice, and what they gave back another way than it was paid stays with the shopper
    (`mapping.standing_tenders`). The date is the day on which the shop changed the order; `rate_day` as in `to_delta`:
    a cancellation may void the payment that the sale was recognized by.
    """
    sale = snapshot.sale
    stays = left_standing(posted, given)
    if stays is None:
        return Mapped(problems=(paid_in_several_ways(sale),))
    lines = difference(stays, (*posted, *given), sale, snapshot.status or "Cancelled")
    if not lines:
        return Mapped(skipped=NO_DIFFERENCE)
    word = (snapshot.status or "cancelled").lower()
    event = Event(word=word, at=snapshot.modified_at)
    when = timing(sale, lines, policy=integration.posting, lookups=lookups, event=event)
    if isinstance(when, Mapped):
        return when
    _, problems = accounts(
        sale, (), when, policy=integration.posting, books=books, mapping_set=mapping_set, lookups=lookups
    )
    # Only what the ledger holds counts, not whether the order as it stands adds up.
    problems = [one for one in problems if one.code not in OF_AMOUNTS]
    converted_on = rate_day or recognition_day(sale, integration.posting)
    dated = ready(sale, when, problems, books=books, lookups=lookups, rate_day=converted_on)
    if isinstance(dated, Mapped):
        return dated
    return Mapped(
        journal=compose(
            lines,
            sale,
            dated,
            key=(tenant, sale.connection, kind, sale.order_id, purpose, ordinal),
            books=books,
            mapping_set=mapping_set,
            lookups=lookups,
            rate_day=converted_on,
            about=f"reverses {order_reference}" if order_reference else "",
        )
    )


def difference(
    wanted: Iterable[JournalLine], posted: Iterable[JournalLine], sale: Sale, word: str
) -> tuple[JournalLine, ...]:
    """Lines that turn `posted` into `wanted`; they balance when both do. Nothing where account and purpose agree.

    One line for what changed of each line, charge, tax and tender; where only the parts of an account moved and its sum
    did not, none. `word` begins each line's description.
    """
    balances: dict[tuple[Purpose, tuple[str, ...]], dict[str, tuple[Decimal, JournalLine]]] = {}
    for sign, lines in ((1, wanted), (-1, posted)):
        for line in lines:
            parts = balances.setdefault((line.purpose, line.segments), {})
            balance, first = parts.get(line.source_key, (Decimal(0), line))
            parts[line.source_key] = (balance + sign * (line.debit - line.credit), first)
    zero = quantize(Decimal(0), sale.minor_units)
    found = []
    for parts in balances.values():
        if not sum((balance for balance, _ in parts.values()), start=Decimal(0)):
            continue
        for balance, line in parts.values():
            if balance:
                amount = quantize(abs(balance), sale.minor_units)
                sides = {"debit": amount, "credit": zero} if balance > 0 else {"debit": zero, "credit": amount}
                found.append(line.model_copy(update=sides | {"description": reworded(word, line.description)}))
    return tuple(found)


def paid_in_several_ways(sale: Sale) -> Problem:
    return Problem(
        code="refunded_otherwise",
        sentence=(
            f"{sale.title} was cancelled. Its refunds gave back more in one way, such as store credit, than was paid in"
            " that way, and it was paid in several others: which of them keeps it cannot be told."
        ),
        remedy="Reverse what is left of it by hand in Fusion, then skip it with a reason.",
    )


def reworded(word: str, text: str) -> str:
    """`Edited: 2 x Shirt | order 1024 | retail v7 rule shirts`, its end never cut off."""
    begins, bar, ending = text.removeprefix(f"{word}: ").partition(" | order ")
    room = DESCRIPTION_LENGTH - len(bar) - len(ending)
    return f"{word}: {begins}"[:room] + bar + ending


def _moved_along(
    given: Iterable[JournalLine], wanted: Iterable[JournalLine]
) -> tuple[list[JournalLine], list[JournalLine]]:
    """What refunds took of an amount that is on another account now: as it is to stand there, and as it stands."""
    accounts: dict[str, list[JournalLine]] = {}
    for line in wanted:
        accounts.setdefault(line.source_key, []).append(line)
    there, elsewhere = [], []
    for line in given:
        now = accounts.get(line.source_key, ())
        if now and (line.purpose, line.segments) not in {(one.purpose, one.segments) for one in now}:
            there.append(line.model_copy(update={"purpose": now[0].purpose, "segments": now[0].segments}))
            elsewhere.append(line)
    return there, elsewhere


def _kept(
    before: Sale | None,
    sale: Sale,
    posted: Sequence[JournalLine],
    given: Sequence[JournalLine],
    mapping_set: MappingSet,
) -> Origins:
    """The posted accounts of what no rule tells apart in both versions."""
    if before is None:
        return Origins()
    try:
        rules = compiled(mapping_set)
    except MappingSetError:
        return Origins(posted, given)  # which is reported where the accounts are chosen
    on = local_day(sale.placed_at, sale.store_timezone) or sale.placed_at.date()
    known = {entry.source_key: entry for entry in reversed(entries(before))}

    def same(entry: Entry) -> bool:
        was = known.get(entry.source_key)
        if was is None or was.purpose is not entry.purpose:
            return False
        if _sold(was.facts) == _sold(entry.facts):
            return True
        return rules.match(was.purpose, was.facts, on) is rules.match(entry.purpose, entry.facts, on)

    keys = {entry.source_key for entry in entries(sale) if same(entry)}
    return Origins(*((line for line in lines if line.source_key in keys) for lines in (posted, given)))


def _sold(facts: Facts) -> dict[str, frozenset[str]]:
    """What the order says: not what catalog and customer record say meanwhile, which is no edit."""
    return {name: texts for name, texts in facts.values.items() if name not in ("category", "customer_group")}


def _timing(
    snapshot: OrderSnapshot, booking: Sequence[object], integration: Integration, lookups: Lookups
) -> Timing | Mapped:
    """The sale's own date while its period takes entries, else the day on which the shop changed the order."""
    own = timing(snapshot.sale, booking, policy=integration.posting, lookups=lookups)
    if isinstance(own, Mapped) or (isinstance(own.dated, Dated) and not own.dated.moved):
        return own
    event = Event(word="edited", at=snapshot.modified_at)
    return timing(snapshot.sale, booking, policy=integration.posting, lookups=lookups, event=event)
