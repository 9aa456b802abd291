"""Fetch: read a refund with its order and that order's other refunds, and say whether anything is left to do."""

import hashlib
from collections.abc import Sequence
from functools import partial
from typing import Final

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.access.passage import pass_gate
from activities.collaborators import Collaborators
from activities.failures import explained, wait
from activities.heartbeat import sightings, staying_alive
from activities.orders.fetch import VISIBLE_AFTER
from activities.refunds.standing import link_to_order, order_standing
from activities.trail import record
from clients.errors import NotFound
from contracts import names
from contracts.configuration import Integration
from contracts.flow import State
from contracts.journal import Problem
from contracts.refund import Refund
from contracts.sale import OrderSnapshot
from contracts.steps.documents import Pace, SettledDocument
from contracts.steps.refunds import FetchedRefund, FetchRefund, OrderStanding, RefundSnapshot
from mapping.bigcommerce import version_of
from mapping.credit_memo import CREDIT
from mapping.edits import sale_fingerprint
from mapping.refund_journal import providers_that_declined
from store.creating.creation import CreationRow
from store.outbox.booked import REVERSAL
from store.outbox.postings import FINAL as IN_THE_LEDGER
from store.rows import DocumentRow, PostingRow

CHANGED: Final = "refund_changed"


class RefundFetchActivities:
    """Runs on the shop's queue."""

    def __init__(self, parts: Collaborators) -> None:
        self._parts = parts

    @activity.defn(name="fetch_refund")
    @staying_alive()
    async def fetch_refund(self, wanted: FetchRefund) -> FetchedRefund:
        """Every wake-up announced so far is taken before the first byte is read, so a later one starts another look."""
        document = names.document_title(names.REFUND, wanted.connection, wanted.refund_id)
        with explained(document):
            integration = self._parts.configuration.integration(wanted.integration)
            snapshot, original = await pass_gate(
                self._parts, wanted.connection, document, partial(self._read, wanted, document)
            )
            order = snapshot.order
            sold = sale_fingerprint(order.sale, integration.posting)
        fingerprint = snapshot.refund.fingerprint()
        # Before the store is read: what is recovered meanwhile makes this look an old one.
        epoch = await self._parts.epochs.current()
        known = await self._parts.store.documents.get(wanted.connection, names.REFUND, wanted.refund_id)
        postings = await self._parts.store.journals.postings_of(wanted.connection, names.REFUND, wanted.refund_id)
        memos = await self._memos(wanted)
        asks = None
        settled = _settled(known, snapshot.refund, fingerprint, _reference(postings, memos))
        if settled is None and (_said_posted(known) or memos or any(one.state in IN_THE_LEDGER for one in postings)):
            asks = _asks(snapshot.refund)
        if settled is None:
            await record(
                self._parts,
                integration,
                wanted.refund_id,
                kind=names.REFUND,
                action="fetched",
                sentence=f"of order {order.sale.order_id}, made {snapshot.refund.created_at:%Y-%m-%d %H:%M:%S} UTC",
                details={"fingerprint": fingerprint, "order": snapshot.refund.order_id},
                job=wanted.job,
                payload=original,
            )
        return FetchedRefund(
            snapshot=None if settled else snapshot,
            fingerprint=fingerprint,
            version=version_of(_digest(fingerprint, sold, await self._stands(order)), order),
            settled=settled,
            asks=asks,
            standing=None if settled or asks else await self._standing(integration, snapshot, document),
            epoch=epoch,
            noted=integration.order_metafield.enabled,
            pace=Pace(
                quiet_period=integration.imports.quiet_period,
                reread_after=integration.imports.reread_after,
                rate_wait=integration.posting.rate_wait,
            ),
        )

    async def _read(self, wanted: FetchRefund, document: str) -> tuple[RefundSnapshot, str]:
        key = names.document_workflow_id(names.REFUND, wanted.connection, wanted.refund_id)
        await self._parts.store.wakeups.take(key)
        try:
            # What its order's list did not show at first is hardly there yet: one call asks for that, not five.
            said = wanted.order_id if activity.info().attempt == 1 else ""
            return await self._parts.shops[wanted.connection].refund(wanted.refund_id, said)
        except NotFound as missing:
            if sightings() < VISIBLE_AFTER:
                # BigCommerce: refunds are made asynchronously, and announced before they can be read.
                raise wait(f"{document} is not visible in the shop yet.", 5, kind="NotVisibleYet") from missing
            raise

    async def _standing(
        self, integration: Integration, snapshot: RefundSnapshot, document: str
    ) -> OrderStanding | None:
        """None: its order has to be waited for, a person asked, or the refund left out, and the step that does so finds
        out by itself: what is left out because of its order is settled in the moment in which that is known."""
        try:
            with explained(document):
                standing = await order_standing(self._parts, integration, snapshot)
        except ApplicationError:
            return None
        if isinstance(standing, Problem) or standing.outcome != "ready":
            return None
        await link_to_order(self._parts, integration, snapshot.refund)
        return standing

    async def _memos(self, wanted: FetchRefund) -> tuple[CreationRow, ...]:
        """Its credit memo, where it is there."""
        found = await self._parts.store.creations.creations_of(wanted.connection, names.REFUND, wanted.refund_id)
        return tuple(one for one in found if one.key.purpose == CREDIT and one.final)

    async def _stands(self, order: OrderSnapshot) -> str:
        """Whether the ledger shows the order as taken back: a person who was asked because of that, and the shop that
        shows the order as open already, need not be asked any more once it is back."""
        booked = await self._parts.store.journals.booked(order.sale.connection, names.ORDER, order.sale.order_id)
        return "reversed" if booked and booked[-1].purpose == REVERSAL else "stands"


def _reference(postings: Sequence[PostingRow], memos: Sequence[CreationRow]) -> str:
    if postings:
        return postings[-1].reference
    return memos[0].reference if memos else ""


def _settled(known: DocumentRow | None, refund: Refund, fingerprint: str, reference: str) -> SettledDocument | None:
    """A refund that was paid back is never edited, so what is posted stays posted, unless a payment of it was declined
    afterwards: refunds are paid back by and by. What a person decided stands until the refund itself is another. What
    was left out because of its order is looked at anew each time, and so is what was read back after a restore, of
    which nobody knows more than its reference."""
    if known is None:
        return None
    same = known.fingerprint == fingerprint
    if known.state is State.POSTED and known.fingerprint and (same or not refund.declined):
        return SettledDocument(state="posted", sentence=known.reason, reference=reference)
    if known.state is State.SKIPPED and known.decided_by and same:
        return SettledDocument(state="skipped", sentence=known.reason)
    return None


def _said_posted(known: DocumentRow | None) -> bool:
    """Also one that was, and is in review since its payment was declined."""
    return known is not None and (
        known.state is State.POSTED
        or (known.state is State.NEEDS_REVIEW and any(one.code == CHANGED for one in known.problems))
    )


def _asks(refund: Refund) -> Problem | None:
    """Of a refund that is in the ledger."""
    if not refund.declined:
        return None
    return Problem(
        code=CHANGED,
        sentence=(
            f"Refund {refund.refund_id} of order {refund.order_id} ({refund.connection}) is in the ledger, and"
            f" {providers_that_declined(refund)} declined to pay it back since: the money has not moved."
        ),
        remedy=(
            "Repeat the payment in the shop, then retry. If it is not to be paid back, reverse the refund by hand in"
            " Fusion, then skip it with a reason."
        ),
    )


def _digest(*facts: str) -> str:
    """One for the refund and what there is of its order, so that the version is no longer than an order's: the store
    keeps it."""
    return hashlib.sha256(":".join(facts).encode()).hexdigest()
