"""A shop order becomes one document in Oracle Fusion: a general ledger journal, or an invoice in Receivables.

`fetch` -> `lookup` -> `map`, then either `stage` and wait until the group that carries the journal is imported and
posted, or create the invoice. One that is cancelled after that is taken back: by a journal, or by a credit memo that is
applied to the invoice. A `changed` signal makes the run fetch again before it ends; a person's decision is
taken when the order is in review.
"""

from temporalio import workflow

from contracts import names
from contracts.flow import FlowResult, OrderToJournalInput, State
from contracts.journal import JournalFate
from contracts.steps.documents import Mapped
from contracts.steps.journals import Staged
from contracts.steps.orders import FetchedOrder
from workflows.document_flow import DocumentFlow
from workflows.document_journal import JournalSteps
from workflows.order_reversal import REVERSES_INVOICES, ReversalSteps, billed
from workflows.review import NeedsReviewError

with workflow.unsafe.imports_passed_through():
    from activities.journals.staging import posted_state

SAYS_THAT_IT_WAITS = "says-that-it-waits"
"""Runs without this change wait for what is booked already, and leave the document's row and its other journals as they
are."""


@workflow.defn(name=names.ORDER_TO_JOURNAL)
class OrderToJournal(
    DocumentFlow[OrderToJournalInput, FetchedOrder], JournalSteps[OrderToJournalInput, FetchedOrder], ReversalSteps
):
    @workflow.init
    def __init__(self, order: OrderToJournalInput) -> None:
        super().__init__(order)
        self.arrived = ""
        """Reference of what was posted while this run was about to skip the order."""

    @workflow.run
    async def run(self, order: OrderToJournalInput) -> FlowResult:
        return await self.live(order)

    async def post(self, order: OrderToJournalInput, seen: int) -> FlowResult | None:
        """One pass over the newest version of the order. None: look at it again."""
        self.remapped = None
        fetched = await self.fetch(order)
        self.fetched = fetched
        if fetched.settled:
            return self.ended(State(fetched.settled.state), fetched.settled.sentence, fetched.settled.reference)
        if fetched.asks:
            raise NeedsReviewError(fetched.asks)
        if fetched.edited_after and billed(fetched):
            if not (fetched.edited_after.cancelled and workflow.patched(REVERSES_INVOICES)):
                raise NeedsReviewError(self.edited_invoice(fetched))
            return await self.reverse_invoice(order, fetched, seen)
        fresh = False
        while True:
            mapped = await self.map_when_possible(order, fetched, seen, fresh=fresh)
            if mapped is None:
                return None
            if mapped.invoice:
                queue = names.vendor_queue(mapped.fusion)
                return await self.create_invoice(order, fetched, mapped.invoice, queue, seen)
            if mapped.journal:
                staged = await self.stage(order, fetched, mapped, mapped.journal, seen)
            elif mapped.following:
                staged = await self._wait_for_booked(order, fetched, mapped)
            elif mapped.standing:
                booked = await self._settle_as_booked(order, fetched, mapped)
                if not isinstance(booked, Staged):
                    return booked
                staged = booked
            else:
                skipped = await self._skip(order, fetched, mapped.skipped, seen)
                if not isinstance(skipped, Staged):
                    return skipped
                staged = skipped
            if staged is None:
                return None
            followed = await self.follow(staged, mapped, fetched, seen, fresh=fresh)
            if not isinstance(followed, JournalFate):
                return followed
            fresh = True

    async def _wait_for_booked(self, order: OrderToJournalInput, fetched: FetchedOrder, mapped: Mapped) -> Staged:
        """The ledger shows this version, and it is not posted yet. A change that waits is withdrawn; one that is on its
        way comes first."""
        if workflow.patched(SAYS_THAT_IT_WAITS):
            sentence = f"{mapped.following}: {mapped.skipped}"
            settled = await self.settle_as("waiting_import", sentence, order, fetched, reference=mapped.following)
            if settled.standing:
                return settled.standing
        return Staged(outcome="unchanged", reference=mapped.following)

    async def _settle_as_booked(
        self, order: OrderToJournalInput, fetched: FetchedOrder, mapped: Mapped
    ) -> Staged | FlowResult:
        """The ledger shows this version. What waits is withdrawn; what is on its way is waited for."""
        booked = fetched.edited_after
        reference = booked.reference if booked else ""
        state = posted_state(mapped.purpose)
        sentence = f"{reference}: {mapped.skipped}"
        settled = await self.settle_as("reversed" if state is State.REVERSED else "posted", sentence, order, fetched)
        if settled.standing and not settled.standing.fate:
            return settled.standing
        return self.ended(state, sentence, reference)

    async def _skip(
        self, order: OrderToJournalInput, fetched: FetchedOrder, reason: str, seen: int
    ) -> Staged | FlowResult | None:
        """Nothing to post. What is on its way is waited for; what is there is not undone by a status.

        None: what was on its way is known now, look at the order again.
        """
        settled = await self.settle_as("skipped", reason, order, fetched)
        if settled.creating:
            return await self.create_invoice(order, fetched, None, names.vendor_queue(settled.creating), seen)
        if settled.standing is None:
            return self.ended(State.SKIPPED, reason)
        if not settled.standing.fate:
            return settled.standing
        if fetched.edited_after is None and self.arrived != settled.standing.reference:
            # It was posted after the order was fetched; what is to be done about it is known from the next look.
            self.arrived = settled.standing.reference
            return None
        raise NeedsReviewError(self.edited(settled.standing.reference, "document"))
