"""Mapping: from the fetched order to its journal or invoice, by the rules in force."""

from temporalio import activity

from activities.collaborators import Collaborators
from activities.failures import explained
from activities.orders.facts import LEDGER_LIFE, PERIODS_LIFE, periods_key
from activities.orders.lookup import closing_application
from contracts.configuration import MappingSet
from contracts.journal import Problem
from contracts.steps import MapOrder, Mapped
from mapping.bigcommerce import postability
from mapping.books import billed_in_receivables, books_of
from mapping.journal import to_journal
from mapping.receivable import to_invoice
from store.mapping_sets import MappingSetUnknown


class MappingActivities:
    def __init__(self, parts: Collaborators) -> None:
        self._parts = parts

    @activity.defn(name="map_order")
    async def map_order(self, order: MapOrder) -> Mapped:
        """Pure but for reading the mapping set. Runs as a local activity."""
        with explained(f"Order {order.snapshot.sale.order_id} ({order.snapshot.sale.connection})"):
            return await self._map(order)

    async def _map(self, order: MapOrder) -> Mapped:
        integration = self._parts.configuration.integration(order.integration)
        sale, ledger = order.snapshot.sale, order.lookups.ledger
        # Another worker may have asked Fusion: what it learned is warm here from now on.
        self._parts.facts.learn((integration.fusion, "ledger", ledger.ledger), ledger, LEDGER_LIFE)
        periods = periods_key(integration.fusion, ledger.ledger_id, closing_application(integration, sale))
        self._parts.facts.learn(periods, order.lookups.periods, PERIODS_LIFE)

        reason = postability(order.snapshot, integration.posting, integration.cut_over)
        if reason:
            return Mapped(skipped=reason)
        books = books_of(sale, integration)
        if isinstance(books, Problem):
            return Mapped(problems=(books,))
        mapping_set = await self._mapping_set(integration.mapping_set, order.mapping_version)
        if isinstance(mapping_set, Problem):
            return Mapped(problems=(mapping_set,))
        to_document = to_invoice if billed_in_receivables(sale.channel, integration) else to_journal
        mapped = to_document(
            order.snapshot,
            tenant=integration.tenant,
            integration=integration,
            books=books,
            mapping_set=mapping_set,
            lookups=order.lookups,
            ordinal=order.ordinal,
        )
        return mapped.model_copy(update={"fusion": integration.fusion}) if mapped.invoice else mapped

    async def _mapping_set(self, wanted: str, version: int | None) -> MappingSet | Problem:
        configured = self._parts.configuration.mapping_set(wanted)
        if version is None or version == configured.version:
            return configured
        try:
            return await self._parts.store.mapping_sets.get(wanted, version)
        except MappingSetUnknown as unknown:
            return Problem(
                code="unknown_mapping_version",
                sentence=str(unknown),
                remedy=f"Retry with the configured version {configured.version} or one that was configured before.",
            )
