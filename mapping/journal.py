"""From a sale to its journal: one legal entity, one ledger, one currency, one accounting date, balanced."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from contracts.configuration import Books, Integration, MappingSet
from contracts.journal import Journal, JournalLine, Problem, Purpose, RuleReference
from contracts.names import journal_reference
from contracts.sale import OrderSnapshot, Sale
from contracts.steps import Lookups, Mapped
from mapping.accounts import Booked, book
from mapping.books import books_problems, needs_conversion
from mapping.dates import Dated, NotRecognised, Waiting, accounting_date, local_day, recognition
from mapping.entries import Entry, entries
from mapping.money import is_exact, quantize
from mapping.rules import MappingSetError

DESCRIPTION_LENGTH: Final = 240
"""Characters of a journal's or line's description."""


def to_journal(
    snapshot: OrderSnapshot,
    *,
    tenant: str,
    integration: Integration,
    books: Books,
    mapping_set: MappingSet,
    lookups: Lookups,
    ordinal: int,
    kind: str = "order",
    purpose: str = "sale",
) -> Mapped:
    """The journal of a sale, or exactly one of: why there is none (`skipped`), what is wrong (`problems`, all of it),
    what to wait for (`waiting`).

    Whether the order's status may be posted at all, and the cut-over date, are decided before. Rules are chosen by the
    accounting date; while there is none because of a problem, by the recognition day, so that unmapped accounts are
    listed along with it. The conversion date is the recognition day also when the accounting date moved: the rate is
    the one of the sale. Never raises for what a shop or a customer's rules can contain.
    """
    sale, policy = snapshot.sale, integration.posting
    recognised = recognition(sale, policy)
    if isinstance(recognised, NotRecognised):
        return Mapped(skipped=recognised.reason)
    booking = entries(sale)
    if not booking:
        return Mapped(skipped="zero total: the order has nothing to book")
    if isinstance(recognised, Problem):
        return Mapped(problems=(recognised,))
    today = local_day(lookups.looked_up_at, sale.store_timezone) or recognised.on
    dated = accounting_date(sale, policy, lookups.periods, today)
    rules_on = dated.on if isinstance(dated, Dated) else recognised.on
    try:
        booked, unmapped = book(booking, sale, books=books, mapping_set=mapping_set, on=rules_on)
    except MappingSetError as invalid:
        booked, unmapped = (), _invalid_set(sale, mapping_set, invalid)
    problems = [
        *([dated] if isinstance(dated, Problem) else []),
        *books_problems(sale, books, lookups.ledger),
        *_chart_problems(sale, mapping_set, lookups),
        *_amount_problems(sale, booking, policy.rounding_limit),
        *unmapped,
    ]
    if problems:
        return Mapped(problems=tuple(problems))
    foreign = needs_conversion(sale, lookups.ledger)
    if foreign and not lookups.rate_available:
        return Mapped(waiting=_no_rate(sale, books, lookups, recognised.on))
    if isinstance(dated, Waiting):
        return Mapped(waiting=dated.problem)
    if not isinstance(dated, Dated):
        raise TypeError(f"no accounting date and no reason for it: {dated!r}")
    reference = journal_reference(tenant, sale.connection, kind, sale.order_id, purpose, ordinal)
    return Mapped(
        journal=Journal(
            reference=reference,
            description=_journal_description(
                reference, (tenant, sale.connection, kind, sale.order_id, purpose, str(ordinal)), dated.reason
            ),
            ledger=books.ledger,
            journal_source=books.journal_source,
            journal_category=books.journal_category,
            accounting_date=dated.on,
            date_reason=dated.reason,
            date_moved=dated.moved,
            currency=sale.currency,
            conversion_type=books.conversion_type if foreign else None,
            conversion_date=recognised.on if foreign else None,
            lines=tuple(_line(one, sale, mapping_set) for one in booked),
            mapping_set=mapping_set.id,
            mapping_version=mapping_set.version,
            suspense=any(one.rule is None for one in booked),
        )
    )


def _line(booked: Booked, sale: Sale, mapping_set: MappingSet) -> JournalLine:
    entry = booked.entry
    amount = quantize(abs(entry.balance), sale.minor_units)
    zero = quantize(Decimal(0), sale.minor_units)
    version = f"{mapping_set.id} v{mapping_set.version}"
    chosen = f"{version} rule {booked.rule}" if booked.rule else f"{version} suspense, no {entry.purpose.value} rule"
    rule = RuleReference(mapping_set=mapping_set.id, version=mapping_set.version, rule=booked.rule or "")
    return JournalLine(
        purpose=entry.purpose if booked.rule else Purpose.SUSPENSE,
        segments=booked.segments,
        debit=amount if entry.balance > 0 else zero,
        credit=amount if entry.balance < 0 else zero,
        description=describe(entry.text, f" | order {sale.order_id} | {chosen}"),
        source_key=entry.source_key,
        rule=rule if booked.rule else None,
    )


def describe(text: str, ending: str) -> str:
    """`text` on one line, cut so that it fits with `ending` (which is kept) into 240 characters."""
    room = max(DESCRIPTION_LENGTH - len(ending), 0)
    # Product names carry line breaks and control characters, which a journal line cannot.
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    if len(line) > room:
        line = line[: max(room - 3, 0)].rstrip() + "..."
    return (line + ending)[:DESCRIPTION_LENGTH]


def _journal_description(reference: str, key: tuple[str, ...], date_reason: str) -> str:
    full = "/".join(key)
    text = f"{key[2].capitalize()} {key[3]} ({key[1]}), {date_reason}"
    return describe(text, "" if full == reference else f" | {full}")


def _amount_problems(sale: Sale, booking: Sequence[Entry], rounding_limit: Decimal) -> list[Problem]:
    order = f"Order {sale.order_id} ({sale.connection})"
    found: list[Problem] = []
    inexact = [entry for entry in booking if not is_exact(entry.balance, sale.minor_units)]
    found.extend(
        Problem(
            code="inexact_amount",
            sentence=(
                f"{order}: {entry.source_key} is {abs(entry.balance)} {sale.currency},"
                f" which has more than {sale.minor_units} decimal places."
            ),
            remedy="Correct the currency's decimal places in the shop, then retry.",
        )
        for entry in inexact
    )
    if difference := sum((entry.balance for entry in booking), start=Decimal(0)):
        found.append(
            Problem(
                code="does_not_add_up",
                sentence=(
                    f"{order}: tenders and amounts sold differ by {difference:f} {sale.currency}"
                    f" (total {sale.total:f}, rounding {sale.rounding:f})."
                ),
                remedy="Compare the order's payments with its total in the shop, correct the order, then retry.",
            )
        )
    if abs(sale.rounding) > rounding_limit:
        found.append(
            Problem(
                code="rounding_over_limit",
                sentence=(
                    f"{order}: the amounts sold differ from the total by {sale.rounding:f} {sale.currency},"
                    f" more than the rounding limit of {rounding_limit:f}."
                ),
                remedy=(
                    "Check the order's lines, fees and taxes in the shop; correct it there"
                    " or raise rounding_limit in the posting policy, then retry."
                ),
            )
        )
    return found


def _chart_problems(sale: Sale, mapping_set: MappingSet, lookups: Lookups) -> list[Problem]:
    wanted, given = lookups.ledger.segment_count, len(mapping_set.segments)
    if wanted == given:
        return []
    return [
        Problem(
            code="wrong_chart",
            sentence=(
                f"Order {sale.order_id} ({sale.connection}): mapping set {mapping_set.id} version {mapping_set.version}"
                f" has {given} segments, the chart of ledger {lookups.ledger.ledger} has {wanted}."
            ),
            remedy="Use a mapping set written for this ledger's chart of accounts, then retry.",
        )
    ]


def _invalid_set(sale: Sale, mapping_set: MappingSet, invalid: MappingSetError) -> tuple[Problem, ...]:
    return tuple(
        Problem(
            code="invalid_mapping_set",
            sentence=(
                f"Order {sale.order_id} ({sale.connection}): mapping set {mapping_set.id} version {mapping_set.version}"
                f" cannot be used. {mistake}"
            ),
            remedy="Correct it in a new version, prove it with `ml-connector check`, then retry with that version.",
        )
        for mistake in invalid.mistakes
    )


def _no_rate(sale: Sale, books: Books, lookups: Lookups, on: dt.date) -> Problem:
    return Problem(
        code="no_conversion_rate",
        sentence=(
            f"Order {sale.order_id} ({sale.connection}): Fusion has no {books.conversion_type} rate"
            f" from {sale.currency} to {lookups.ledger.currency} for {on}."
        ),
        remedy=f"Load the {books.conversion_type} rate for {on} in Fusion; the order is then posted, or retry it.",
    )
