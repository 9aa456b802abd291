"""The accounting date of a sale: the store-local day of the recognition event, moved only when its period is closed.

Oracle: journal import accepts dates in open and in future-enterable periods (else EP01); a journal in a
future-enterable period is imported and stays unposted until the period is opened. Adjustment periods are never chosen.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Final, Literal
from zoneinfo import ZoneInfo

from contracts.configuration import PostingPolicy
from contracts.journal import Period, Problem
from contracts.model import Frozen, Instant
from contracts.sale import Sale

Application = Literal["the general ledger", "Receivables"]
"""Whose periods decide; each application closes its own."""

GENERAL_LEDGER: Final = "the general ledger"
RECEIVABLES: Final = "Receivables"

_ENTERABLE: Final = ("open", "future")
_WAS_OPEN: Final = ("open", "closed", "permanently_closed")
_NOT_YET: Final = {
    "paid": "not paid yet: revenue is recognized when the order is paid",
    "shipped": "not shipped yet: revenue is recognized when the order is shipped",
}


class Event(Frozen):
    """What dates a document that is not the sale itself: a refund, an edit, a cancellation."""

    word: str
    """Of the reason: "refunded", "edited", "cancelled"."""
    at: Instant


class Recognised(Frozen):
    """When and why a sale counts as revenue, before any look at periods."""

    on: dt.date
    """Store-local day of the event."""
    reason: str
    """E.g. "placed 2026-03-01 in America/Chicago"."""


class NotRecognised(Frozen):
    """The recognition event has not happened. The document is skipped until the shop reports a change."""

    reason: str


class Dated(Frozen):
    """The accounting date and how it was found."""

    on: dt.date
    recognised_on: dt.date
    reason: str
    """E.g. "placed 2026-02-27 in America/Chicago, moved: Feb-26 is closed"."""
    moved: bool = False
    period: str
    """Name of the period the date lies in."""


class Waiting(Frozen):
    """No accounting date yet, for a reason that heals by itself."""

    problem: Problem


def recognition(sale: Sale, policy: PostingPolicy, event: Event | None = None) -> Recognised | NotRecognised | Problem:
    """The store-local day of `event`; without one of what the customer recognizes revenue on: placed, paid, shipped."""
    word = event.word if event else policy.recognise_on
    moments = {"placed": sale.placed_at, "paid": sale.paid_at, "shipped": sale.shipped_at}
    moment = event.at if event else moments[policy.recognise_on]
    if moment is None:
        return NotRecognised(reason=_NOT_YET[policy.recognise_on])
    day = local_day(moment, sale.store_timezone)
    if day is None:
        return Problem(
            code="unknown_timezone",
            sentence=f'{sale.title}: the store\'s timezone "{sale.store_timezone}" is not an IANA name.',
            remedy="Correct the timezone in the store's settings, then retry.",
        )
    return Recognised(on=day, reason=f"{word} {day} in {sale.store_timezone}")


def recognition_day(sale: Sale, policy: PostingPolicy) -> dt.date | None:
    """The store-local day of the recognition event; None while it has not happened or the timezone is unknown."""
    recognised = recognition(sale, policy)
    return recognised.on if isinstance(recognised, Recognised) else None


def accounting_date(
    sale: Sale,
    policy: PostingPolicy,
    periods: Sequence[Period],
    today: dt.date,
    application: Application = GENERAL_LEDGER,
    event: Event | None = None,
) -> Dated | NotRecognised | Waiting | Problem:
    """The date a sale is booked on; with `event`, the date of what happened to it later.

    `periods` are those of the ledger for `application`; `today` is the store-local day of posting.
    A recognition day in a closed period moves to the first day of the next open (or future-enterable) period when that
    lies at most `policy.late_days` later; beyond that it is the problem `period_closed`. A day in a period that was
    never opened, after all that were, is waited for until `late_days` after it, then it is `period_not_opened`.
    """
    recognised = recognition(sale, policy, event)
    if not isinstance(recognised, Recognised):
        return recognised
    day = recognised.on
    calendar = sorted((one for one in periods if not one.adjustment), key=lambda one: one.starts)
    period = next((one for one in calendar if one.starts <= day <= one.ends), None)
    if period is None:
        return Problem(
            code="no_period",
            sentence=f"{sale.title}: the ledger's calendar has no period for {day} ({recognised.reason}).",
            remedy="Extend the accounting calendar in Fusion and open the period, then retry.",
        )
    if period.status in _ENTERABLE:
        return Dated(on=day, recognised_on=day, reason=recognised.reason, period=period.name)
    later = [one for one in calendar if one.starts > day]
    if period.status == "never_opened" and not any(one.status in _WAS_OPEN for one in later):
        return _unopened(sale, recognised, period, policy, today, application)
    target = next((one for one in later if one.status in _ENTERABLE), None)
    state = "was never opened" if period.status == "never_opened" else "is closed"
    if target is not None and (target.starts - day).days <= policy.late_days:
        reason = f"{recognised.reason}, moved: {period.name} {state}"
        return Dated(on=target.starts, recognised_on=day, reason=reason, moved=True, period=target.name)
    return _closed(sale, recognised, f"{period.name} {state}", target, policy)


def local_day(moment: dt.datetime, timezone: str) -> dt.date | None:
    """The calendar day of an aware moment in an IANA zone; None when the zone is unknown."""
    try:
        zone = ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        # ZoneInfo reports a bad key, a path and a directory with three different classes.
        return None
    return moment.astimezone(zone).date()


def _unopened(
    sale: Sale,
    recognised: Recognised,
    period: Period,
    policy: PostingPolicy,
    today: dt.date,
    application: Application,
) -> Waiting | Problem:
    problem = Problem(
        code="period_not_opened",
        sentence=f"{sale.title}: {recognised.reason}, but period {period.name} has not been opened.",
        remedy=f"Open {period.name} for {application} in Fusion; the order is then posted, or retry it.",
    )
    overdue = (today - recognised.on).days > policy.late_days
    return problem if overdue else Waiting(problem=problem)


def _closed(sale: Sale, recognised: Recognised, state: str, target: Period | None, policy: PostingPolicy) -> Problem:
    if target is None:
        following = "no later period is open"
    else:
        distance = (target.starts - recognised.on).days
        following = (
            f"the next open period, {target.name}, starts {distance} days later"
            f" and late posting is limited to {policy.late_days} days"
        )
    return Problem(
        code="period_closed",
        sentence=f"{sale.title}: {recognised.reason}, but {state} and {following}.",
        remedy="Open a period in Fusion or raise late_days in the posting policy and retry, or skip with a reason.",
    )
