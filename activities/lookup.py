"""Lookup: the ledger, its periods and the conversion rate that a sale needs."""

from collections.abc import Hashable
from datetime import date
from typing import Final

from temporalio import activity

from activities.collaborators import Collaborators
from activities.facts import ABSENT_RATE_LIFE, LEDGER_LIFE, PERIODS_LIFE, RATE_LIFE
from activities.failures import review, vendor_failures
from contracts.configuration import Books, Integration
from contracts.journal import LedgerFacts, Period, Problem
from contracts.sale import OrderSnapshot
from contracts.steps import CachedLookups, LookupFor, Lookups
from mapping.books import books_of, needs_conversion
from mapping.dates import Recognised, recognition

SAME_CURRENCY: Final = True


class LookupActivities:
    def __init__(self, parts: Collaborators) -> None:
        self._parts = parts

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
        return CachedLookups(fusion=integration.fusion, lookups=self._warm(integration, books, wanted.snapshot))

    @activity.defn(name="lookup")
    async def lookup(self, wanted: LookupFor) -> Lookups:
        """Ask Fusion for what is cold. Runs on the Fusion connection's queue."""
        integration = self._parts.configuration.integration(wanted.integration)
        snapshot = wanted.snapshot
        books = books_of(snapshot.sale, integration)
        if isinstance(books, Problem):
            raise review(books)
        with vendor_failures(f"Order {snapshot.sale.order_id} ({snapshot.sale.connection})"):
            ledger = await self._ledger(integration.fusion, books.ledger)
            periods = await self._periods(integration.fusion, ledger, fresh=wanted.fresh)
            available = await self._rate(integration, books, ledger, snapshot, fresh=wanted.fresh)
        return Lookups(ledger=ledger, periods=periods, rate_available=available, looked_up_at=self._parts.clock())

    def _warm(self, integration: Integration, books: Books, snapshot: OrderSnapshot) -> Lookups | None:
        facts = self._parts.facts
        ledger: LedgerFacts | None = facts.get((integration.fusion, "ledger", books.ledger))
        if ledger is None:
            return None
        periods: tuple[Period, ...] | None = facts.get((integration.fusion, "periods", ledger.ledger_id))
        key = _rate_key(integration, books, ledger, snapshot)
        available = SAME_CURRENCY if key is None else facts.get(key)
        if periods is None or available is None:
            return None
        return Lookups(ledger=ledger, periods=periods, rate_available=available, looked_up_at=self._parts.clock())

    async def _ledger(self, fusion: str, name: str) -> LedgerFacts:
        key = (fusion, "ledger", name)
        known: LedgerFacts | None = self._parts.facts.get(key)
        if known is None:
            known = await self._parts.fusions[fusion].ledger(name)
            self._parts.facts.put(key, known, LEDGER_LIFE)
        return known

    async def _periods(self, fusion: str, ledger: LedgerFacts, *, fresh: bool) -> tuple[Period, ...]:
        key = (fusion, "periods", ledger.ledger_id)
        known: tuple[Period, ...] | None = None if fresh else self._parts.facts.get(key)
        if known is None:
            known = await self._parts.fusions[fusion].periods(ledger.ledger_id)
            self._parts.facts.put(key, known, PERIODS_LIFE)
        return known

    async def _rate(
        self, integration: Integration, books: Books, ledger: LedgerFacts, snapshot: OrderSnapshot, *, fresh: bool
    ) -> bool:
        key = _rate_key(integration, books, ledger, snapshot)
        if key is None:
            return SAME_CURRENCY
        known: bool | None = None if fresh else self._parts.facts.get(key)
        if known is None:
            rate = await self._parts.fusions[integration.fusion].conversion_rate(
                books.currency,
                ledger.currency,
                books.conversion_type or "",
                _recognised(integration, snapshot),
            )
            known = rate is not None
            self._parts.facts.put(key, known, RATE_LIFE if known else ABSENT_RATE_LIFE)
        return known


def _recognised(integration: Integration, snapshot: OrderSnapshot) -> date:
    """The store-local day of the recognition event; while that is still to come, no rate is needed and any day does."""
    found = recognition(snapshot.sale, integration.posting)
    return found.on if isinstance(found, Recognised) else snapshot.sale.placed_at.date()


def _rate_key(integration: Integration, books: Books, ledger: LedgerFacts, snapshot: OrderSnapshot) -> Hashable | None:
    if not needs_conversion(snapshot.sale, ledger) or not books.conversion_type:
        return None
    return (
        integration.fusion,
        "rate",
        books.currency,
        ledger.currency,
        books.conversion_type,
        _recognised(integration, snapshot),
    )
