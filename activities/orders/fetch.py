"""Fetch: read the newest version of an order from its shop, and say whether anything is left to do."""

from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Final, Literal

from temporalio import activity

from activities.access.passage import pass_gate
from activities.collaborators import Collaborators
from activities.failures import explained, wait
from activities.heartbeat import sightings, staying_alive
from activities.orders.by_hand import say_refunded_by_hand
from activities.orders.unproved import unproved
from activities.receivables.billed import Reversal, invoice_of, reversal_among
from activities.receivables.invoices import PURPOSE as INVOICE
from activities.refunds.telling import wake_refunds, wake_unpaid
from activities.trail import KIND, job_of, record, turn_of
from clients.errors import NotFound
from contracts import names
from contracts.configuration import Integration, PostingPolicy
from contracts.flow import State
from contracts.journal import Problem
from contracts.sale import OrderSnapshot
from contracts.steps.documents import VERSION_UNKNOWN, Pace, PostedVersion, SettledDocument
from contracts.steps.orders import FetchedOrder, FetchOrder
from mapping.bigcommerce import is_reversed, shows_reversed, version_of
from mapping.deltas import REVERSAL
from mapping.edits import sale_fingerprint
from store.creating.creation import CreationRow, CreationState
from store.outbox.booked import FOLLOWING, conversion_date, in_turn
from store.outbox.postings import FINAL as IN_THE_LEDGER
from store.rows import DocumentRow, PostingRow, PostingState
from store.turns import Superseded

SETTLED: Final = (State.POSTED, State.REVERSED)
ON_THEIR_WAY: Final = (PostingState.STAGED, PostingState.GROUPED)
VISIBLE_AFTER: Final = 6
"""Looks before a missing order is believed: a webhook may be faster than the shop's own read replica."""


@dataclass(frozen=True, slots=True)
class _Standing:
    """The version of the order that is in the ERP."""

    what: Literal["journal", "invoice"]
    reference: str
    fingerprint: str
    posted: bool
    reversed: bool
    sentence: str
    follows: bool = False
    """It changes what an earlier journal posted."""
    alone: bool = True
    """Nothing else of the order waits for an import, or is in one."""

    taken_back: bool = False
    """By a credit memo that is in Receivables, or on its way there."""

    @property
    def unread(self) -> bool:
        """It changed what was posted before, and was read back after a restore: nobody knows which version it made."""
        return self.follows and not self.fingerprint


def document_of(wanted: FetchOrder) -> str:
    """How sentences name the order."""
    return f"Order {wanted.order_id} ({wanted.connection})"


class FetchActivities:
    """Runs on the shop's queue."""

    def __init__(self, parts: Collaborators) -> None:
        self._parts = parts

    @activity.defn(name="fetch_order")
    @staying_alive()
    async def fetch_order(self, wanted: FetchOrder) -> FetchedOrder:
        """Reads the order with all its sub-resources.

        Every wake-up announced so far is taken before the first byte is read, so a later one starts another look.
        """
        with explained(document_of(wanted)):
            integration = self._parts.configuration.integration(wanted.integration)
            snapshot, original = await pass_gate(
                self._parts, wanted.connection, document_of(wanted), partial(self._read, wanted)
            )
            fingerprint = sale_fingerprint(snapshot.sale, integration.posting)
        # Before the store is read: what is recovered meanwhile makes this look an old one.
        epoch = await self._parts.epochs.current()
        known = await self._parts.store.documents.get(wanted.connection, KIND, wanted.order_id)
        cancelled = is_reversed(snapshot, integration.posting)
        standing = await self._standing(integration, wanted, cancelled=cancelled)
        settled, left = None, False
        asks = None if standing else await unproved(self._parts, integration, known, snapshot)
        if asks is None:
            settled = await self._settled(integration, snapshot, fingerprint, known, standing, cancelled=cancelled)
            asks = None if settled else _asks(known, standing, snapshot, integration.posting)
        if settled is None and asks is None:
            settled = await self._taken_back(
                known or self._unknown(integration, wanted), standing, snapshot, fingerprint, cancelled=cancelled
            )
            left = settled is not None
        # Also where an attempt before this one has settled it, and died before anybody was told.
        if left or (settled and activity.info().attempt > 1):
            await wake_refunds(self._parts, wanted.connection, [wanted.order_id], wanted.job)
        edited_after = None if settled else _other_version(standing, fingerprint, cancelled=cancelled)
        if edited_after:
            edited_after = edited_after.model_copy(update={"rate_day": await self._rate_day(wanted, edited_after)})
        if settled is None:
            await record(
                self._parts,
                integration,
                wanted.order_id,
                action="fetched",
                sentence=f"status {snapshot.status}, modified {snapshot.modified_at:%Y-%m-%d %H:%M:%S} UTC",
                details={"fingerprint": fingerprint, "cancelled": cancelled, "warnings": list(snapshot.warnings)},
                job=wanted.job,
                payload=original,
            )
        await say_refunded_by_hand(self._parts, integration, snapshot, job=wanted.job)
        if known is not None:
            await wake_unpaid(self._parts, wanted.connection, wanted.order_id, wanted.job)
        return FetchedOrder(
            snapshot=None if settled else snapshot,
            fingerprint=fingerprint,
            version=version_of(fingerprint, snapshot),
            settled=settled,
            edited_after=edited_after,
            asks=asks,
            epoch=epoch,
            noted=integration.order_metafield.enabled,
            pace=Pace(
                quiet_period=integration.imports.quiet_period,
                reread_after=integration.imports.reread_after,
                rate_wait=integration.posting.rate_wait,
            ),
        )

    async def _rate_day(self, wanted: FetchOrder, booked: PostedVersion) -> date | None:
        if booked.what == "journal":
            return conversion_date(await self._parts.store.journals.booked(wanted.connection, KIND, wanted.order_id))
        billed = await invoice_of(self._parts, wanted.connection, wanted.order_id)
        return billed.document.conversion_date if billed and billed.document else None

    async def _read(self, wanted: FetchOrder) -> tuple[OrderSnapshot, str]:
        await self._parts.store.wakeups.take(names.order_to_journal_id(wanted.connection, wanted.order_id))
        try:
            return await self._parts.shops[wanted.connection].order(wanted.order_id)
        except NotFound as missing:
            if sightings() < VISIBLE_AFTER:
                sentence = f"{document_of(wanted)} is not visible in the shop yet."
                raise wait(sentence, 5, kind="NotVisibleYet") from missing
            raise

    async def _settled(
        self,
        integration: Integration,
        snapshot: OrderSnapshot,
        fingerprint: str,
        known: DocumentRow | None,
        standing: tuple[_Standing, ...],
        *,
        cancelled: bool,
    ) -> SettledDocument | None:
        """A status change after posting, or after a person's decision, posts nothing and asks nobody; except one that
        takes back what was posted, or takes that back.

        Only the accounting projection counts. What was skipped by its status is looked at anew each time.
        """
        if known is None or known.fingerprint != fingerprint:
            return None
        by_person = bool(known.decided_by)
        if not by_person and any(one.unread for one in standing):
            # What was read back after a restore is newer than what the store knows of the document.
            return None
        if known.state not in SETTLED and not (known.state is State.SKIPPED and by_person):
            return None
        stands = known.state is not State.REVERSED and any(not one.reversed for one in standing)
        decided_as_cancelled = by_person and shows_reversed(known.decided_version, integration.posting)
        if cancelled and stands and not decided_as_cancelled:
            return None
        if not cancelled and (decided_as_cancelled or known.state is State.REVERSED):
            return None
        if known.modified_at < snapshot.modified_at:
            await self._settle(known.model_copy(update={"modified_at": snapshot.modified_at}))
        if known.state is State.SKIPPED:
            return SettledDocument(state="skipped", sentence=known.reason)
        creations = await self._parts.store.creations.creations_of(known.connection, KIND, known.id)
        invoice = next((one for one in creations if one.key.purpose == INVOICE and (one.final or one.open)), None)
        reference = names.journal_reference(integration.tenant, known.connection, KIND, known.id, "sale", 1)
        if standing and standing[0].reversed:
            reference = standing[0].reference
        elif invoice or standing:
            reference = invoice.reference if invoice else standing[0].reference
        return SettledDocument(
            state="reversed" if known.state is State.REVERSED else "posted", sentence=known.reason, reference=reference
        )

    async def _settle(self, row: DocumentRow) -> bool:
        """False, and nothing is written, where a later step has: this one's worker stood still."""
        turn = turn_of(row.connection, row.id, activity.info().scheduled_time)
        try:
            await self._parts.store.documents.settle(row.model_copy(update={"at": self._parts.clock()}), turn=turn)
        except Superseded:
            return False
        return True

    async def _standing(
        self, integration: Integration, wanted: FetchOrder, *, cancelled: bool
    ) -> tuple[_Standing, ...]:
        """What the ERP shows of the order: the version that its journals add up to, and its invoice, with the credit
        memo that took back the rest of it.

        Of a sale that was read back after a restore, staging finds out the version. Of what followed it nobody can, but
        it is not the sale that stands.
        """
        place = (wanted.connection, KIND, wanted.order_id)
        postings = await self._parts.store.journals.postings_of(*place)
        creations = await self._parts.store.creations.creations_of(*place)
        reversal = reversal_among(creations, integration, wanted.order_id)
        if reversal and not reversal.begun and not cancelled:
            # It came back before anything of it was sent.
            await self._parts.store.creations.withdraw(reversal.memo.reference, skipped=True)
        there = [one for one in postings if one.state in IN_THE_LEDGER]
        alone = not any(one.state in ON_THEIR_WAY for one in postings)
        newest = max(there, key=lambda one: in_turn(one.key), default=None)
        return (
            *(
                _Standing(
                    "journal",
                    one.reference,
                    one.fingerprint,
                    posted=one.state is PostingState.POSTED,
                    reversed=one.key.purpose == REVERSAL,
                    sentence=_told(one),
                    follows=one.key.purpose in FOLLOWING,
                    alone=alone,
                )
                for one in (newest,)
                if one is not None and (one.fingerprint or one.key.purpose in FOLLOWING)
            ),
            *(
                _invoiced(one, reversal if reversal and reversal.begun else None)
                for one in creations
                if one.key.purpose == INVOICE and one.final and (one.fingerprint or (reversal and reversal.done))
            ),
        )

    def _unknown(self, integration: Integration, wanted: FetchOrder) -> DocumentRow:
        """The row of an order that the store has never heard of, of which something may have been read back."""
        return DocumentRow(
            tenant=integration.tenant,
            integration=integration.id,
            connection=wanted.connection,
            kind=KIND,
            id=wanted.order_id,
            modified_at=self._parts.clock(),
            state=State.RUNNING,
            job=job_of(wanted.job),
            at=self._parts.clock(),
        )

    async def _taken_back(
        self,
        known: DocumentRow,
        standing: tuple[_Standing, ...],
        snapshot: OrderSnapshot,
        fingerprint: str,
        *,
        cancelled: bool,
    ) -> SettledDocument | None:
        """An edit after posting that was undone in the shop: nobody has to map, or to decide, what is there already."""
        there = next(
            (one for one in standing if one.posted and one.alone and _shows(one, fingerprint, cancelled=cancelled)),
            None,
        )
        if there is None:
            return None
        state = State.REVERSED if there.reversed else State.POSTED
        settled = known.model_copy(
            update={
                "state": state,
                "reason": there.sentence,
                "fingerprint": fingerprint,
                "problems": (),
                "modified_at": snapshot.modified_at,
                "decided_by": "",
                "decided_version": "",
            }
        )
        if not await self._settle(settled):
            return None
        return SettledDocument(
            state="reversed" if there.reversed else "posted", sentence=there.sentence, reference=there.reference
        )


def _asks(
    known: DocumentRow | None, standing: tuple[_Standing, ...], snapshot: OrderSnapshot, policy: PostingPolicy
) -> Problem | None:
    """What was done by hand about a cancelled order is not known here, so nothing follows it by itself. Nor is an
    invoice made once more."""
    title = snapshot.sale.title
    cancelled = is_reversed(snapshot, policy)
    credited = next((one for one in standing if one.taken_back), None)
    if credited and not cancelled:
        told = f": {credited.sentence.rstrip('.')}" if credited.sentence else ""
        return Problem(
            code="credited_order_came_back",
            sentence=f"{title} came back after it had been cancelled and its invoice been credited{told}.",
            remedy=(
                "Bill it by hand in Fusion if it is owed again, then skip it with a reason. If it is cancelled again in"
                " the shop, that is found by itself."
            ),
        )
    if known is None:
        return None
    invoice = next((one for one in standing if one.what == "invoice" and not one.taken_back), None)
    if invoice and cancelled and known.decided_version and not shows_reversed(known.decided_version, policy):
        return Problem(
            code="edited_after_posting",
            sentence=(
                f"{title} was cancelled after invoice {invoice.reference} had been posted, and a person had decided"
                " about an earlier version of it. What was billed or credited by hand then is not known here."
            ),
            remedy="Credit by hand in Fusion what is left of it there, then skip it with a reason.",
        )
    if shows_reversed(known.decided_version, policy):
        what = "changed" if cancelled else "came back"
        return Problem(
            code="settled_by_hand",
            sentence=(
                f"{title} {what} after it had been cancelled and a person had decided what becomes of it. What was"
                " posted by hand then is not known here."
            ),
            remedy="Post in Fusion by hand what the order lacks there, if anything, then skip it with a reason.",
        )
    stands = any(not one.reversed for one in standing)
    if known.decided_version == VERSION_UNKNOWN and cancelled and stands:
        return Problem(
            code="settled_by_hand",
            sentence=(
                f"{title} is cancelled, and a person decided what becomes of it. Whether it was cancelled by then is"
                " not known any more."
            ),
            remedy="Look whether it is reversed in Fusion, reverse it by hand if it is not, then skip with a reason.",
        )
    return None


def _invoiced(invoice: CreationRow, reversal: Reversal | None) -> _Standing:
    """What stands of an invoice. Half taken back, it is no version of the order."""
    reversed_ = reversal is not None and reversal.done
    newest = reversal.memo if reversal else invoice
    sentence = newest.sentence
    if reversal and reversal.application:
        sentence = f"{sentence}, {reversal.application.sentence}"
    return _Standing(
        "invoice",
        newest.reference if reversed_ else invoice.reference,
        invoice.fingerprint,
        posted=invoice.state is CreationState.POSTED,
        reversed=reversed_,
        sentence=sentence,
        follows=reversed_,
        alone=reversal is None or reversed_,
        taken_back=reversal is not None,
    )


def _told(posting: PostingRow) -> str:
    fate = posting.fate
    if fate is None:
        return posting.state.value
    return f"posted in {fate.period} as {fate.journal_name}" if fate.period else fate.sentence


def _shows(standing: _Standing, fingerprint: str, *, cancelled: bool) -> bool:
    """Whether it is this version of the order."""
    if standing.reversed or cancelled:
        return standing.reversed and cancelled
    return standing.fingerprint == fingerprint


def _other_version(standing: tuple[_Standing, ...], fingerprint: str, *, cancelled: bool) -> PostedVersion | None:
    return next(
        (
            PostedVersion(what=one.what, reference=one.reference, cancelled=cancelled)
            for one in standing
            if not _shows(one, fingerprint, cancelled=cancelled) or not one.alone or (one.follows and not one.posted)
        ),
        None,
    )
