"""A refund becomes what its order became: a journal, or a credit memo in Receivables, on the order's own accounts.

`fetch` -> wait for the order -> `lookup` -> `map`, then either `stage` and wait until the group that carries the
journal is imported and posted, or create the memo and apply it to the order's invoice. What follows is as with orders:
a `changed` signal makes the run fetch again before it ends, and a person's decision is taken when the refund is in
review.
"""

from temporalio import workflow

from contracts import names
from contracts.credit_memo import CreditMemo
from contracts.flow import FlowResult, RefundToJournalInput, State
from contracts.journal import JournalFate
from contracts.steps.documents import Mapped
from contracts.steps.journals import Staged
from contracts.steps.receivables import MappedCredit
from contracts.steps.refunds import FetchedRefund
from workflows.document_credit import CreditSteps
from workflows.document_flow import DocumentFlow
from workflows.document_journal import JournalSteps
from workflows.refund_steps import RefundSteps
from workflows.review import NeedsReviewError

with workflow.unsafe.imports_passed_through():
    from activities.posting.subject import REFUSED


@workflow.defn(name=names.REFUND_TO_JOURNAL)
class RefundToJournal(
    DocumentFlow[RefundToJournalInput, FetchedRefund],
    JournalSteps[RefundToJournalInput, FetchedRefund],
    CreditSteps[RefundToJournalInput, FetchedRefund],
    RefundSteps,
):
    @workflow.init
    def __init__(self, refund: RefundToJournalInput) -> None:
        super().__init__(refund)

    @workflow.run
    async def run(self, refund: RefundToJournalInput) -> FlowResult:
        return await self.live(refund)

    async def post(self, given: RefundToJournalInput, seen: int) -> FlowResult | None:
        self.remapped = None
        fetched = await self.fetch(given)
        self.fetched = fetched
        if fetched.settled:
            return self.ended(State(fetched.settled.state), fetched.settled.sentence, fetched.settled.reference)
        if fetched.asks:
            raise NeedsReviewError(fetched.asks)
        order = await self.wait_for_order(given, fetched, seen)
        if order is None:
            return None
        fresh = False
        refused: tuple[CreditMemo, NeedsReviewError] | None = None
        while True:
            mapped: Mapped | None = Mapped(skipped=order.sentence)
            if order.outcome == "ready":
                mapped = await self.map_when_possible(given, fetched, seen, fresh=fresh)
            if mapped is None:
                return None
            if isinstance(mapped, MappedCredit) and mapped.credit_memo:
                if refused and refused[0].accounting_date == mapped.credit_memo.accounting_date:
                    raise refused[1]
                try:
                    return await self.credit(given, fetched, mapped, mapped.credit_memo, seen)
                except NeedsReviewError as refusal:
                    if fresh or refusal.problems[0].code != REFUSED:
                        raise
                    # Its period may have closed since the lookup.
                    refused, fresh = (mapped.credit_memo, refusal), True
                    continue
            if isinstance(mapped, MappedCredit) and mapped.standing:
                return await self._settle_as_credited(given, fetched, mapped)
            if mapped.journal:
                staged = await self.stage(given, fetched, mapped, mapped.journal, seen)
            else:
                skipped = await self._skip(given, fetched, mapped.skipped, seen)
                if not isinstance(skipped, Staged):
                    return skipped
                staged = skipped
            if staged is None:
                return None
            followed = await self.follow(staged, mapped, fetched, seen, fresh=fresh)
            if not isinstance(followed, JournalFate):
                return followed
            fresh = True

    async def _settle_as_credited(
        self, given: RefundToJournalInput, fetched: FetchedRefund, mapped: MappedCredit
    ) -> FlowResult:
        """Receivables show it, and a restored store knows no more of it than that: nothing is posted."""
        await self.settle_as("posted", mapped.skipped, given, fetched)
        return self.ended(State.POSTED, mapped.skipped, mapped.reference)

    async def _skip(
        self, given: RefundToJournalInput, fetched: FetchedRefund, reason: str, seen: int
    ) -> Staged | FlowResult | None:
        """Nothing to post. What is on its way is waited for; what is there is not undone by a status of the order.

        None: what was on its way is known now, look at the refund again.
        """
        settled = await self.settle_as("skipped", reason, given, fetched)
        if settled.creating:
            await self.resolve_credit(given, fetched, names.vendor_queue(settled.creating), seen)
            return None
        return settled.standing or self.ended(State.SKIPPED, reason)
