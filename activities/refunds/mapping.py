"""Mapping: from a refund to the journal or credit memo of what it takes back, on its order's own accounts."""

from temporalio import activity

from activities.collaborators import Collaborators
from activities.failures import explained
from activities.orders.lookup import learn_lookups
from activities.orders.mapping import mapping_set_of
from activities.refunds.crediting import as_credit, map_application, map_credit
from activities.refunds.siblings import booked_refunds, journals_of_refunds, others
from contracts import names
from contracts.journal import Problem
from contracts.refund import Refund
from contracts.steps.receivables import MapApplication, MappedApplication, MappedCredit
from contracts.steps.refunds import MapRefund
from mapping.books import billed_in_receivables, books_of
from mapping.refund_journal import to_refund_journal
from mapping.refunds import earlier_refunds, later_refunds
from store.outbox.booked import FOLLOWING, REVERSAL


class RefundMappingActivities:
    def __init__(self, parts: Collaborators) -> None:
        self._parts = parts

    @activity.defn(name="map_refund")
    async def map_refund(self, wanted: MapRefund) -> MappedCredit:
        """Pure but for reading the mapping set and what is booked. Runs as a local activity."""
        refund = wanted.snapshot.refund
        with explained(names.document_title(names.REFUND, refund.connection, refund.refund_id)):
            return await self._map(wanted)

    @activity.defn(name="map_application")
    async def map_application(self, wanted: MapApplication) -> MappedApplication:
        """Pure but for reading what is in Fusion. Runs as a local activity."""
        with explained(names.document_title(names.REFUND, wanted.connection, wanted.refund_id)):
            return await map_application(self._parts, wanted, self._parts.configuration.integration(wanted.integration))

    async def _map(self, wanted: MapRefund) -> MappedCredit:
        integration = self._parts.configuration.integration(wanted.integration)
        refund, sale = wanted.snapshot.refund, wanted.snapshot.order.sale
        learn_lookups(self._parts.facts, integration, sale, wanted.lookups, wanted.target)
        if billed_in_receivables(sale.channel, integration, wanted.target):
            return await map_credit(self._parts, wanted, integration)
        books = books_of(sale, integration)
        if isinstance(books, Problem):
            return MappedCredit(problems=(books,))
        mapping_set = await mapping_set_of(self._parts, integration.mapping_set, wanted.mapping_version)
        if isinstance(mapping_set, Problem):
            return MappedCredit(problems=(mapping_set,))
        booked = await self._parts.store.journals.booked(refund.connection, names.ORDER, refund.order_id)
        reversed_ = bool(booked) and booked[-1].purpose == REVERSAL
        siblings = others(refund, wanted.snapshot.known)
        journals = await journals_of_refunds(self._parts.store, refund.connection, siblings)
        given = [one for one in journals if one.in_ledger]
        unknown = next((one.reference for one in (*booked, *given) if one.journal is None), "")
        if unknown and not reversed_ and any(one.purpose in FOLLOWING for one in booked):
            # What stands of the order, and where, follows from all of them.
            return MappedCredit(problems=(_lines_unknown(refund, unknown),))
        taken = await booked_refunds(self._parts.store, integration, siblings)
        mapped = to_refund_journal(
            refund,
            sale,
            tenant=integration.tenant,
            integration=integration,
            books=books,
            mapping_set=mapping_set,
            lookups=wanted.lookups,
            earlier=earlier_refunds(refund, wanted.snapshot.known, sale, taken),
            later=later_refunds(refund, taken),
            original=tuple(line for one in booked for line in one.lines),
            given=tuple(line for one in given for line in one.lines),
            order_reference=booked[0].reference if booked else "",
            reversed_=reversed_,
            rate_day=wanted.rate_day,
        )
        return as_credit(mapped)


def _lines_unknown(refund: Refund, reference: str) -> Problem:
    return Problem(
        code="refund_of_unknown_lines",
        sentence=(
            f"Refund {refund.refund_id} of order {refund.order_id} ({refund.connection}): the order was edited, and"
            f" journal {reference} was named by a person or read back after a restore: its lines are not known here."
        ),
        remedy="Book the refund by hand in Fusion and skip it with a reason.",
    )
