"""Whether a sale can be booked: on which day, to which accounts, and everything that stands in the way of it.

Shared by all that a sale can become: a journal and an invoice of one sale agree on dates, accounts and refusals.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from contracts.configuration import Books, MappingSet, PostingPolicy
from contracts.journal import Problem
from contracts.sale import Sale
from contracts.steps.documents import Lookups, Mapped
from mapping.accounts import Booked, book
from mapping.books import books_problems, needs_conversion
from mapping.dates import (
    GENERAL_LEDGER,
    Application,
    Dated,
    Event,
    NotRecognised,
    Recognised,
    Waiting,
    accounting_date,
    local_day,
    recognition,
)
from mapping.entries import Entry, entries
from mapping.money import is_exact
from mapping.origins import Origins
from mapping.rules import MappingSetError


@dataclass(frozen=True, slots=True)
class Timing:
    """The day a sale is recognized on, and the day it can be booked on, if there is one already."""

    recognised: Recognised
    dated: Dated | Waiting | Problem

    @property
    def rules_on(self) -> dt.date:
        """Rules are chosen by the accounting date; while there is none, by the recognition day, so that unmapped
        accounts are listed along with what is wrong with the date."""
        return self.dated.on if isinstance(self.dated, Dated) else self.recognised.on


def timing(
    sale: Sale,
    booking: Sequence[object],
    *,
    policy: PostingPolicy,
    lookups: Lookups,
    application: Application = GENERAL_LEDGER,
    event: Event | None = None,
) -> Timing | Mapped:
    """When the sale is booked, or what happened to it later (`event`); `Mapped` when there is nothing to book, or not
    yet.

    `booking` is what the document would hold; the periods in `lookups` are those of `application`.
    """
    recognised = recognition(sale, policy, event)
    if isinstance(recognised, NotRecognised):
        return Mapped(skipped=recognised.reason)
    if not booking:
        return Mapped(skipped="zero total: the order has nothing to book")
    if isinstance(recognised, Problem):
        return Mapped(problems=(recognised,))
    today = local_day(lookups.looked_up_at, sale.store_timezone) or recognised.on
    dated = accounting_date(sale, policy, lookups.periods, today, application, event)
    if isinstance(dated, NotRecognised):
        return Mapped(skipped=dated.reason)
    return Timing(recognised=recognised, dated=dated)


def accounts(
    sale: Sale,
    booking: Sequence[Entry],
    when: Timing,
    *,
    policy: PostingPolicy,
    books: Books,
    mapping_set: MappingSet,
    lookups: Lookups,
    origins: Origins | None = None,
) -> tuple[tuple[Booked, ...], list[Problem]]:
    """Every entry of `booking` with its account, and all that is wrong with the sale, its books or its accounts.

    `origins`: what the document was booked to before; that keeps its account.
    """
    try:
        booked, unmapped = book(booking, sale, books=books, mapping_set=mapping_set, on=when.rules_on, origins=origins)
    except MappingSetError as invalid:
        booked, unmapped = (), _invalid_set(sale, mapping_set, invalid)
    return booked, [
        *([when.dated] if isinstance(when.dated, Problem) else []),
        *books_problems(sale, books, lookups.ledger),
        *_chart_problems(sale, mapping_set, lookups),
        *_amount_problems(sale, policy.rounding_limit),
        *unmapped,
    ]


def ready(
    sale: Sale,
    when: Timing,
    problems: Sequence[Problem],
    *,
    books: Books,
    lookups: Lookups,
    rate_day: dt.date | None = None,
) -> Dated | Mapped:
    """The accounting date when nothing stands in the way any more; else what does.

    `rate_day` is the day whose conversion rate is needed, by default the recognition day.
    """
    if problems:
        return Mapped(problems=tuple(problems))
    if needs_conversion(sale, lookups.ledger) and not lookups.rate_available:
        return Mapped(waiting=_no_rate(sale, books, lookups, rate_day or when.recognised.on))
    if isinstance(when.dated, Waiting):
        return Mapped(waiting=when.dated.problem)
    if not isinstance(when.dated, Dated):
        raise TypeError(f"no accounting date and no reason for it: {when.dated!r}")
    return when.dated


def _amount_problems(sale: Sale, rounding_limit: Decimal) -> list[Problem]:
    order = sale.title
    booking = entries(sale)
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
                f"{sale.title}: mapping set {mapping_set.id} version {mapping_set.version}"
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
                f"{sale.title}: mapping set {mapping_set.id} version {mapping_set.version} cannot be used. {mistake}"
            ),
            remedy="Correct it in a new version, prove it with `ml-connector check`, then retry with that version.",
        )
        for mistake in invalid.mistakes
    )


def _no_rate(sale: Sale, books: Books, lookups: Lookups, on: dt.date) -> Problem:
    return Problem(
        code="no_conversion_rate",
        sentence=(
            f"{sale.title}: Fusion has no {books.conversion_type} rate"
            f" from {sale.currency} to {lookups.ledger.currency} for {on}."
        ),
        remedy=f"Load the {books.conversion_type} rate for {on} in Fusion; the order is then posted, or retry it.",
    )
