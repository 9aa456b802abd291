"""Lookup: the ledger, its periods and the conversion rate that a sale needs."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from datetime import date
from functools import partial
from typing import Any, Final

from temporalio import activity

from activities.access.passage import pass_gate
from activities.collaborators import Collaborators
from activities.failures import review
from activities.heartbeat import staying_alive
from activities.orders.facts import ABSENT_RATE_LIFE, LEDGER_LIFE, PERIODS_LIFE, RATE_LIFE, ReferenceFacts, periods_key
from clients.oracle_fusion.reference_data import GENERAL_LEDGER, RECEIVABLES
from contracts.configuration import Books, Integration
from contracts.journal import LedgerFacts, Period, Problem
from contracts.sale import Sale
from contracts.steps.documents import CachedLookups, LookupFor, Lookups, Target
from mapping.books import billed_in_receivables, books_of, needs_conversion
from mapping.dates import Recognised, recognition

SAME_CURRENCY: Final = True


class LookupActivities:
    def __init__(self, parts: Collaborators) -> None:
        self._parts = parts
        self._asking: dict[Hashable, asyncio.Lock] = {}
        self._answered_at: dict[Hashable, float] = {}
        """When the question was sent whose answer we have, by the monotonic clock."""

    @activity.defn(name="lookup_cached")
    async def lookup_cached(self, wanted: LookupFor) -> CachedLookups:
        """Only what this worker has warm. Calls nobody, so it may run as a local activity."""
        integration = self._parts.configuration.integration(wanted.integration)
        sale = wanted.snapshot.sale
        books = books_of(sale, integration)
        if isinstance(books, Problem):
            return CachedLookups(problems=(books,))
        if wanted.fresh:
            return CachedLookups(fusion=integration.fusion)
        return CachedLookups(fusion=integration.fusion, lookups=self._warm(wanted, integration, books))

    @activity.defn(name="lookup")
    @staying_alive()
    async def lookup(self, wanted: LookupFor) -> Lookups:
        """Ask Fusion for what is cold. Runs on the Fusion connection's queue."""
        integration = self._parts.configuration.integration(wanted.integration)
        sale = wanted.snapshot.sale
        books = books_of(sale, integration)
        if isinstance(books, Problem):
            raise review(books)
        return await pass_gate(
            self._parts,
            integration.fusion,
            f"Order {sale.order_id} ({sale.connection})",
            partial(self._look_up, wanted, integration, books),
        )

    async def _look_up(self, wanted: LookupFor, integration: Integration, books: Books) -> Lookups:
        ledger = await self._ledger(integration.fusion, books.ledger)
        application = closing_application(integration, wanted.snapshot.sale, wanted.target)
        periods = await self._periods(integration.fusion, ledger, application, fresh=wanted.fresh)
        available = await self._rate(wanted, integration, books, ledger)
        return Lookups(ledger=ledger, periods=periods, rate_available=available, looked_up_at=self._parts.clock())

    def _warm(self, wanted: LookupFor, integration: Integration, books: Books) -> Lookups | None:
        facts = self._parts.facts
        ledger: LedgerFacts | None = facts.get((integration.fusion, "ledger", books.ledger))
        if ledger is None:
            return None
        periods: tuple[Period, ...] | None = facts.get(
            periods_key(
                integration.fusion,
                ledger.ledger_id,
                closing_application(integration, wanted.snapshot.sale, wanted.target),
            )
        )
        key = _rate_key(wanted, integration, books, ledger)
        available = SAME_CURRENCY if key is None else facts.get(key)
        if periods is None or available is None:
            return None
        return Lookups(ledger=ledger, periods=periods, rate_available=available, looked_up_at=self._parts.clock())

    async def _ledger(self, fusion: str, name: str) -> LedgerFacts:
        ledger: LedgerFacts = await self._known(
            (fusion, "ledger", name), lambda: self._parts.fusions[fusion].ledger(name), LEDGER_LIFE
        )
        return ledger

    async def _periods(self, fusion: str, ledger: LedgerFacts, application: int, *, fresh: bool) -> tuple[Period, ...]:
        periods: tuple[Period, ...] = await self._known(
            periods_key(fusion, ledger.ledger_id, application),
            lambda: self._parts.fusions[fusion].periods(ledger.ledger_id, application),
            PERIODS_LIFE,
            fresh=fresh,
        )
        return periods

    async def _rate(self, wanted: LookupFor, integration: Integration, books: Books, ledger: LedgerFacts) -> bool:
        key = _rate_key(wanted, integration, books, ledger)
        if key is None:
            return SAME_CURRENCY

        async def exists() -> bool:
            rate = await self._parts.fusions[integration.fusion].conversion_rate(
                books.currency, ledger.currency, books.conversion_type or "", _rate_day(wanted, integration)
            )
            return rate is not None

        available: bool = await self._known(key, exists, RATE_LIFE, absent_life=ABSENT_RATE_LIFE, fresh=wanted.fresh)
        return available

    async def _known(
        self,
        key: Hashable,
        ask: Callable[[], Awaitable[Any]],
        life: float,
        *,
        absent_life: float | None = None,
        fresh: bool = False,
    ) -> Any:
        """The fact, asked for by one at a time: a hundred orders that arrive together are one question.

        `fresh`: an answer from before this call does not count; one that another order got meanwhile does.
        """
        called_at = time.monotonic()
        async with self._asking.setdefault(key, asyncio.Lock()):
            known = self._parts.facts.get(key)
            if known is None or (fresh and self._answered_at.get(key, 0.0) < called_at):
                asked_at = time.monotonic()
                known = await ask()
                self._parts.facts.put(key, known, life if known or absent_life is None else absent_life)
                self._answered_at[key] = asked_at
            return known


def closing_application(integration: Integration, sale: Sale, target: Target = "") -> int:
    """The application whose periods decide on which day the sale can be booked."""
    return RECEIVABLES if billed_in_receivables(sale.channel, integration, target) else GENERAL_LEDGER


def learn_lookups(
    facts: ReferenceFacts, integration: Integration, sale: Sale, lookups: Lookups, target: Target = ""
) -> None:
    """Another worker may have asked Fusion: what it learned is warm here from now on."""
    ledger = lookups.ledger
    facts.learn((integration.fusion, "ledger", ledger.ledger), ledger, LEDGER_LIFE)
    periods = periods_key(integration.fusion, ledger.ledger_id, closing_application(integration, sale, target))
    facts.learn(periods, lookups.periods, PERIODS_LIFE)


def _rate_day(wanted: LookupFor, integration: Integration) -> date:
    """The store-local day of the recognition event, where no other day is wanted; while that is still to come, no rate
    is needed and any day does."""
    if wanted.rate_day is not None:
        return wanted.rate_day
    found = recognition(wanted.snapshot.sale, integration.posting)
    return found.on if isinstance(found, Recognised) else wanted.snapshot.sale.placed_at.date()


def _rate_key(wanted: LookupFor, integration: Integration, books: Books, ledger: LedgerFacts) -> Hashable | None:
    if not needs_conversion(wanted.snapshot.sale, ledger) or not books.conversion_type:
        return None
    return (
        integration.fusion,
        "rate",
        books.currency,
        ledger.currency,
        books.conversion_type,
        _rate_day(wanted, integration),
    )
