"""Mapping: from the fetched order to its journal or invoice, by the rules in force."""

from collections.abc import Collection, Sequence
from datetime import date
from typing import TypedDict

from temporalio import activity

from activities.collaborators import Collaborators
from activities.failures import explained
from activities.orders.lookup import learn_lookups
from activities.trail import KIND
from contracts.configuration import Books, Integration, MappingSet
from contracts.flow import State
from contracts.journal import JournalLine, Problem
from contracts.sale import Sale
from contracts.steps.documents import Lookups, Mapped
from contracts.steps.orders import MapOrder
from mapping.bigcommerce import is_reversed, postability
from mapping.books import billed_in_receivables, books_of
from mapping.deltas import DELTA, NO_DIFFERENCE, REVERSAL, to_delta, to_reversal
from mapping.journal import to_journal
from mapping.receivable import to_invoice
from store.mapping_sets import MappingSetUnknown
from store.outbox.booked import FOLLOWING, Booked, conversion_date
from store.outbox.postings import FINAL as IN_THE_LEDGER
from store.rows import PostingRow, PostingState


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
        sale = order.snapshot.sale
        learn_lookups(self._parts.facts, integration, sale, order.lookups)
        # Only what was archived before it was posted is left out; after a restore the ledger alone says which it was.
        posted = order.snapshot.deleted and await self._is_posted(sale)
        reason = postability(order.snapshot, integration.posting, integration.cut_over, posted=posted)
        if reason and not (order.follows and is_reversed(order.snapshot, integration.posting)):
            return Mapped(skipped=reason)
        books = books_of(sale, integration)
        if isinstance(books, Problem):
            return Mapped(problems=(books,))
        mapping_set = await mapping_set_of(self._parts, integration.mapping_set, order.mapping_version)
        if isinstance(mapping_set, Problem):
            return Mapped(problems=(mapping_set,))
        if order.follows:
            journals = self._parts.store.journals
            booked = await journals.booked(sale.connection, KIND, sale.order_id)
            if waiting := await self._refund_on_its_way(sale):
                return Mapped(waiting=waiting)
            given = await journals.booked_below(sale.connection, sale.order_id)
            if is_reversed(order.snapshot, integration.posting) and booked[-1].purpose != REVERSAL:
                by_hand = await refund_by_hand(self._parts, sale, {one.document_id for one in given})
                if by_hand:
                    return Mapped(problems=(by_hand,))
            return _follow_up(order, booked, given, integration=integration, books=books, mapping_set=mapping_set)
        to_document = to_invoice if billed_in_receivables(sale.channel, integration) else to_journal
        mapped = to_document(
            order.snapshot,
            tenant=integration.tenant,
            integration=integration,
            books=books,
            mapping_set=mapping_set,
            lookups=order.lookups,
            ordinal=1,
        )
        return mapped.model_copy(update={"fusion": integration.fusion}) if mapped.invoice else mapped

    async def _is_posted(self, sale: Sale) -> bool:
        known = await self._parts.store.loss_counts.in_the_ledger(sale.connection, KIND, [sale.order_id])
        return sale.order_id in known

    async def _refund_on_its_way(self, sale: Sale) -> Problem | None:
        """What an order that was edited or cancelled waits for: what is booked depends on what its refunds took."""
        for one in await self._parts.store.journals.postings_below(sale.connection, sale.order_id):
            if one.state in IN_THE_LEDGER and not one.fingerprint and await self._is_being_compared(one):
                return Problem(
                    code="refund_on_its_way",
                    sentence=(
                        f"{sale.title}: refund {one.reference} was read back from the ledger after a restore and is not"
                        " compared with the shop yet, and what it takes back is not to be taken back once more."
                    ),
                    remedy="Wait until it is; the order's change is then posted by itself.",
                )
            if one.state in (PostingState.STAGED, PostingState.GROUPED):
                return Problem(
                    code="refund_on_its_way",
                    sentence=(
                        f"{sale.title}: refund {one.reference} is on its way into the ledger, and what it takes back is"
                        " not to be taken back once more."
                    ),
                    remedy="Wait until it is posted; the order's change is then posted by itself.",
                )
        return None

    async def _is_being_compared(self, refund: PostingRow) -> bool:
        """Whether the refund's own flow, which knows its lines, has still to come to an end."""
        known = await self._parts.store.documents.get(refund.key.connection, refund.key.kind, refund.key.document_id)
        if known is None or known.fingerprint or known.decided_by:
            return False
        return known.state not in (State.NEEDS_REVIEW, State.SKIPPED)


def _follow_up(
    order: MapOrder,
    booked: Sequence[Booked],
    given: Sequence[Booked],
    *,
    integration: Integration,
    books: Books,
    mapping_set: MappingSet,
) -> Mapped:
    """What is still to be posted of an order that is in the ledger: the difference, or all of it taken back.

    `given`: the journals of its refunds, which a cancellation does not take back once more, and which move along with
    what an edit moves to another account.
    """
    newest = booked[-1]
    cancelled = is_reversed(order.snapshot, integration.posting)
    if cancelled and newest.purpose == REVERSAL and newest.journal is None:
        # Whatever the lines are: it took back what stood, and refunds since then took nothing.
        return _booked_already(newest, NO_DIFFERENCE, REVERSAL)
    unknown = next((one.reference for one in (*booked, *given) if one.journal is None), None)
    if unknown is not None:
        return Mapped(problems=(_lines_unknown(order.snapshot.sale, unknown),))
    ordinal = 1 + sum(one.purpose in FOLLOWING for one in booked)
    told: _FollowUp = {
        "posted": [line for one in booked for line in one.lines],
        "given": [line for one in given for line in one.lines],
        "tenant": integration.tenant,
        "integration": integration,
        "books": books,
        "mapping_set": mapping_set,
        "lookups": order.lookups,
        "ordinal": ordinal,
        "order_reference": booked[0].reference,
        "rate_day": conversion_date(booked),
    }
    if cancelled:
        mapped, purpose = to_reversal(order.snapshot, **told), REVERSAL
    else:
        before = None if newest.purpose == REVERSAL else newest.sale
        mapped, purpose = to_delta(order.snapshot, before=before, **told), DELTA
    if mapped.skipped == NO_DIFFERENCE:
        return _booked_already(newest, mapped.skipped, purpose)
    return mapped.model_copy(update={"purpose": purpose, "ordinal": ordinal})


def _booked_already(newest: Booked, why: str, purpose: str) -> Mapped:
    following = newest.reference if newest.state is PostingState.IMPORTED else ""
    return Mapped(skipped=why, standing=True, purpose=purpose, following=following)


class _FollowUp(TypedDict):
    """What `to_delta` and `to_reversal` are both told."""

    posted: Sequence[JournalLine]
    given: Sequence[JournalLine]
    tenant: str
    integration: Integration
    books: Books
    mapping_set: MappingSet
    lookups: Lookups
    ordinal: int
    order_reference: str
    rate_day: date | None


def _lines_unknown(sale: Sale, reference: str) -> Problem:
    return Problem(
        code="edited_after_posting",
        sentence=(
            f"Order {sale.order_id} ({sale.connection}) is to be compared with what is posted of it, and journal"
            f" {reference} was named by a person or read back after a restore: its lines are not known here."
        ),
        remedy=(
            "Compare the order with its journals in Fusion, post the difference by hand, if there is one, and skip with"
            " a reason."
        ),
    )


async def refund_by_hand(parts: Collaborators, sale: Sale, booked: Collection[str]) -> Problem | None:
    """A refund of which only a person knows what is in the ledger: reversed with it, it would be taken back twice.

    `booked`: ids of those whose journals, or credit memos, are known.
    """
    for one in await parts.store.documents.refunds_of(sale.connection, sale.order_id):
        if one.state is State.SKIPPED and one.decided_by and one.id not in booked:
            return Problem(
                code="refund_by_hand",
                sentence=(
                    f"{sale.title} was cancelled, and {one.decided_by} skipped its refund {one.id}: what was booked"
                    " of that by hand is not to be taken back once more, and is not known here."
                ),
                remedy=(
                    "Reverse by hand in Fusion what is left of the order, its refunds included, then skip it with a"
                    " reason."
                ),
            )
    return None


async def mapping_set_of(parts: Collaborators, wanted: str, version: int | None) -> MappingSet | Problem:
    """The configured version unless a person chose another one that was configured before."""
    configured = parts.configuration.mapping_set(wanted)
    if version is None or version == configured.version:
        return configured
    try:
        return await parts.store.mapping_sets.get(wanted, version)
    except MappingSetUnknown as unknown:
        return Problem(
            code="unknown_mapping_version",
            sentence=str(unknown),
            remedy=f"Retry with the configured version {configured.version} or one that was configured before.",
        )
