"""Fetch: read the newest version of an order from its shop, and say whether anything is left to do."""

from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

from temporalio import activity

from activities.access.passage import pass_gate
from activities.collaborators import Collaborators
from activities.failures import explained, wait
from activities.heartbeat import sightings
from activities.trail import KIND, record
from clients.errors import NotFound
from contracts import names
from contracts.configuration import Integration
from contracts.flow import State
from contracts.sale import OrderSnapshot
from contracts.steps import FetchedOrder, FetchOrder, Pace, PostedVersion, SettledDocument
from mapping.edits import sale_fingerprint
from store.creating.creation import CreationState
from store.outbox.postings import FINAL as IN_THE_LEDGER
from store.rows import DocumentRow, PostingRow, PostingState

VISIBLE_AFTER: Final = 6
"""Looks before a missing order is believed: a webhook may be faster than the shop's own read replica."""


@dataclass(frozen=True, slots=True)
class _Standing:
    """One version of the order that is in the ERP."""

    what: Literal["journal", "invoice"]
    reference: str
    fingerprint: str
    posted: bool
    sentence: str


def document_of(wanted: FetchOrder) -> str:
    """How sentences name the order."""
    return f"Order {wanted.order_id} ({wanted.connection})"


class FetchActivities:
    """Runs on the shop's queue."""

    def __init__(self, parts: Collaborators) -> None:
        self._parts = parts

    @activity.defn(name="fetch_order")
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
        known = await self._parts.store.documents.get(wanted.connection, KIND, wanted.order_id)
        standing = await self._standing(wanted) if known else ()
        settled = await self._settled(integration, snapshot, fingerprint, known)
        if settled is None and known is not None:
            settled = await self._taken_back(known, standing, snapshot, fingerprint)
        if settled is None:
            await record(
                self._parts,
                integration,
                wanted.order_id,
                action="fetched",
                sentence=f"status {snapshot.status}, modified {snapshot.modified_at:%Y-%m-%d %H:%M:%S} UTC",
                details={"fingerprint": fingerprint, "warnings": list(snapshot.warnings)},
                job=wanted.job,
                payload=original,
            )
        return FetchedOrder(
            snapshot=None if settled else snapshot,
            fingerprint=fingerprint,
            version=f"{fingerprint}:{snapshot.status_id}:{snapshot.deleted}:{snapshot.test}",
            settled=settled,
            edited_after=None if settled else _other_version(standing, fingerprint),
            epoch=await self._parts.epochs.current(),
            pace=Pace(
                quiet_period=integration.imports.quiet_period,
                reread_after=integration.imports.reread_after,
                rate_wait=integration.posting.rate_wait,
            ),
        )

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
        self, integration: Integration, snapshot: OrderSnapshot, fingerprint: str, known: DocumentRow | None
    ) -> SettledDocument | None:
        """A status change after posting, or after a person's decision, posts nothing and asks nobody.

        Only the accounting projection counts. What was skipped by its status is looked at anew each time.
        """
        if known is None or known.fingerprint != fingerprint:
            return None
        if known.state is not State.POSTED and not (known.state is State.SKIPPED and known.decided_by):
            return None
        if known.modified_at < snapshot.modified_at:
            await self._parts.store.documents.settle(
                known.model_copy(update={"modified_at": snapshot.modified_at, "at": self._parts.clock()})
            )
        if known.state is State.SKIPPED:
            return SettledDocument(state="skipped", sentence=known.reason)
        invoice = await self._parts.store.creations.standing_of(known.connection, KIND, known.id)
        reference = names.journal_reference(integration.tenant, known.connection, KIND, known.id, "sale", 1)
        return SettledDocument(
            state="posted", sentence=known.reason, reference=invoice.reference if invoice else reference
        )

    async def _standing(self, wanted: FetchOrder) -> tuple[_Standing, ...]:
        """What of the order is in the ERP. Of what was read back after a restore, staging finds out the version."""
        place = (wanted.connection, KIND, wanted.order_id)
        postings = await self._parts.store.journals.postings_of(*place)
        creations = await self._parts.store.creations.creations_of(*place)
        return (
            *(
                _Standing("journal", one.reference, one.fingerprint, one.state is PostingState.POSTED, _told(one))
                for one in postings
                if one.state in IN_THE_LEDGER and one.fingerprint
            ),
            *(
                _Standing("invoice", one.reference, one.fingerprint, one.state is CreationState.POSTED, one.sentence)
                for one in creations
                if one.final and one.fingerprint
            ),
        )

    async def _taken_back(
        self, known: DocumentRow, standing: tuple[_Standing, ...], snapshot: OrderSnapshot, fingerprint: str
    ) -> SettledDocument | None:
        """An edit after posting that was undone in the shop: nobody has to map, or to decide, what is there already."""
        there = next((one for one in standing if one.posted and one.fingerprint == fingerprint), None)
        if there is None:
            return None
        await self._parts.store.documents.settle(
            known.model_copy(
                update={
                    "state": State.POSTED,
                    "reason": there.sentence,
                    "fingerprint": fingerprint,
                    "problems": (),
                    "modified_at": snapshot.modified_at,
                    "decided_by": "",
                    "at": self._parts.clock(),
                }
            )
        )
        return SettledDocument(state="posted", sentence=there.sentence, reference=there.reference)


def _told(posting: PostingRow) -> str:
    fate = posting.fate
    if fate is None:
        return posting.state.value
    return f"posted in {fate.period} as {fate.journal_name}" if fate.period else fate.sentence


def _other_version(standing: tuple[_Standing, ...], fingerprint: str) -> PostedVersion | None:
    return next(
        (PostedVersion(what=one.what, reference=one.reference) for one in standing if one.fingerprint != fingerprint),
        None,
    )
