"""An order that is cancelled after it was billed in Receivables: a credit memo takes back what is left of its invoice.

The same two postings as of a refund: the memo, on account, then its application to the invoice.
"""

from temporalio import workflow

from contracts.credit_memo import CreditMemo
from contracts.flow import FlowResult, OrderToJournalInput, State
from contracts.journal import Problem
from contracts.steps.documents import Lookups, Mapped
from contracts.steps.orders import FetchedOrder
from contracts.steps.receivables import MappedCredit, MapReversal
from workflows.document_credit import CreditSteps
from workflows.order_invoice import InvoiceSteps
from workflows.order_steps import snapshot_of
from workflows.patience import LOCAL_FAILURES, LOCAL_STEP, problem_of
from workflows.review import NeedsReviewError

with workflow.unsafe.imports_passed_through():
    from activities.posting.subject import REFUSED
    from activities.receivables.reversing import ReversalActivities

REVERSES_INVOICES = "cancelled-invoices-are-credited"
"""Runs without this change went to review with them."""


def billed(fetched: FetchedOrder) -> bool:
    """Whether another version of the order, or one that is taken back, is an invoice in Receivables."""
    return fetched.edited_after is not None and fetched.edited_after.what == "invoice"


class ReversalSteps(InvoiceSteps, CreditSteps[OrderToJournalInput, FetchedOrder]):
    """From a cancelled order to its invoice, taken back."""

    async def find_out(self, given: OrderToJournalInput, fetched: FetchedOrder, fusion_queue: str, seen: int) -> None:
        if billed(fetched):
            await CreditSteps.find_out(self, given, fetched, fusion_queue, seen)
        else:
            await InvoiceSteps.find_out(self, given, fetched, fusion_queue, seen)

    async def map(self, given: OrderToJournalInput, fetched: FetchedOrder, lookups: Lookups) -> Mapped:
        if not billed(fetched):
            return await super().map(given, fetched, lookups)
        try:
            return await workflow.execute_local_activity_method(
                ReversalActivities.map_reversal,
                MapReversal(
                    integration=given.integration,
                    snapshot=snapshot_of(fetched),
                    lookups=lookups,
                    mapping_version=given.mapping_version,
                ),
                summary="map to what is left of the invoice",
                **LOCAL_STEP,
            )
        except LOCAL_FAILURES as error:
            raise NeedsReviewError(problem_of(error, self.document)) from error

    async def reverse_invoice(self, order: OrderToJournalInput, fetched: FetchedOrder, seen: int) -> FlowResult | None:
        """None: look at the order again, it changed while an outcome was open."""
        refused: tuple[CreditMemo, NeedsReviewError] | None = None
        while True:
            mapped = await self.map_when_possible(order, fetched, seen, fresh=refused is not None)
            if mapped is None:
                return None
            if not isinstance(mapped, MappedCredit) or mapped.credit_memo is None:
                return await self._nothing_left(order, fetched, mapped.skipped)
            memo = mapped.credit_memo
            if refused and refused[0].accounting_date == memo.accounting_date:
                raise refused[1]
            try:
                return await self.credit(order, fetched, mapped, memo, seen, ends=State.REVERSED)
            except NeedsReviewError as refusal:
                if refused or refusal.problems[0].code != REFUSED:
                    raise
                # Its period may have closed since the lookup.
                refused = (memo, refusal)

    def edited_invoice(self, fetched: FetchedOrder) -> Problem:
        """An invoice is never changed: what else the order has become is for a person."""
        booked = fetched.edited_after
        how = "cancelled" if booked and booked.cancelled else "edited"
        return self.edited(booked.reference if booked else "", "invoice", how=how)

    async def _nothing_left(self, order: OrderToJournalInput, fetched: FetchedOrder, reason: str) -> FlowResult:
        """Its refunds took back all of it: nothing is posted."""
        booked = fetched.edited_after
        sentence = f"{booked.reference if booked else ''}: {reason}"
        await self.settle_as("reversed", sentence, order, fetched)
        return self.ended(State.REVERSED, sentence, booked.reference if booked else "")
