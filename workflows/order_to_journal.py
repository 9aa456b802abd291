"""A shop order becomes one document in Oracle Fusion: a general ledger journal, or an invoice in Receivables.

`fetch` -> `lookup` -> `map`, then either `stage` and wait until the group that carries the journal is imported and
posted, or create the invoice. A `changed` signal makes the run fetch again before it ends; a person's decision is
taken when the order is in review.
"""

import asyncio
import contextlib
from functools import partial
from typing import NoReturn

from temporalio import workflow

from contracts import names
from contracts.flow import Decision, FlowResult, OrderToJournalInput, Parked, Remapped, State
from contracts.journal import JournalFate, Problem
from contracts.steps import FetchedOrder, SettleDocument, Staged
from workflows import attributes
from workflows.order_invoice import InvoiceSteps
from workflows.order_journal import JournalSteps
from workflows.order_steps import snapshot_of
from workflows.review import NeedsReviewError, renewed

with workflow.unsafe.imports_passed_through():
    from activities.decisions import sentence_of


@workflow.defn(name=names.ORDER_TO_JOURNAL)
class OrderToJournal(JournalSteps, InvoiceSteps):
    @workflow.init
    def __init__(self, order: OrderToJournalInput) -> None:
        super().__init__(order)
        self.remapped: Remapped | None = order.parked.remapped if order.parked else None

    @workflow.run
    async def run(self, order: OrderToJournalInput) -> FlowResult:
        if order.parked:
            ended = await self._wait_for_person(order, order.parked)
            if ended:
                return ended
            order = self._released(order)
        while True:
            # Counted before fetching: an edit that arrives later is not in what we read.
            seen = self.changes
            try:
                result = await self._post(order, seen)
            except NeedsReviewError as review:
                if self.changes == seen:
                    await self._park(order, review.problems, seen)
                result = None
            if result and self.changes == seen:
                return result
            if workflow.info().is_continue_as_new_suggested():
                self._continue(order)

    async def _post(self, order: OrderToJournalInput, seen: int) -> FlowResult | None:
        """One pass over the newest version of the order. None: look at it again."""
        self.remapped = None
        fetched = await self.fetch(order)
        self.fetched = fetched
        if fetched.settled:
            return self.ended(State(fetched.settled.state), fetched.settled.sentence, fetched.settled.reference)
        if fetched.edited_after:
            raise NeedsReviewError(self.edited(fetched.edited_after.reference, fetched.edited_after.what))
        fresh = False
        while True:
            mapped = await self.map_when_possible(order, fetched, seen, fresh=fresh)
            if mapped is None:
                return None
            if mapped.invoice:
                queue = names.vendor_queue(mapped.fusion)
                return await self.create_invoice(order, fetched, mapped.invoice, queue, seen)
            if mapped.journal:
                staged = await self.stage(order, fetched, mapped.journal, seen)
            else:
                skipped = await self._skip(order, fetched, mapped.skipped, seen)
                if not isinstance(skipped, Staged):
                    return skipped
                staged = skipped
            if staged is None:
                return None
            followed = await self.follow(staged, fetched, seen, fresh=fresh)
            if not isinstance(followed, JournalFate):
                return followed
            fresh = True

    async def _skip(
        self, order: OrderToJournalInput, fetched: FetchedOrder, reason: str, seen: int
    ) -> Staged | FlowResult | None:
        """Nothing to post. What is on its way is waited for; what is there is not undone by a status.

        None: what was on its way is known now, look at the order again.
        """
        settled = await self.settle(
            SettleDocument(
                integration=order.integration,
                connection=order.connection,
                order_id=order.order_id,
                state="skipped",
                sentence=reason,
                modified_at=snapshot_of(fetched).modified_at,
                fingerprint=fetched.fingerprint,
                job=order.job,
            )
        )
        if settled.creating:
            return await self.create_invoice(order, fetched, None, names.vendor_queue(settled.creating), seen)
        if settled.standing is None:
            return self.ended(State.SKIPPED, reason)
        if settled.standing.fate or settled.standing.outcome == "edited_after_posting":
            raise NeedsReviewError(self.edited(settled.standing.reference, "document"))
        return settled.standing

    async def _park(
        self, order: OrderToJournalInput, problems: tuple[Problem, ...], seen: int, *, looked: bool = False
    ) -> None:
        """Record why, then go on as a short run that only waits for a person or another version of the order.

        `looked`: whether what may be on its way was looked for already. Where looking is what fails, once is enough.
        """
        fetched = self.fetched
        settled = await self.settle(
            SettleDocument(
                integration=order.integration,
                connection=order.connection,
                order_id=order.order_id,
                state="needs_review",
                sentence=problems[0].sentence,
                modified_at=fetched.snapshot.modified_at if fetched and fetched.snapshot else None,
                fingerprint=fetched.fingerprint if fetched else "",
                problems=problems,
                job=order.job,
            )
        )
        if settled.creating and fetched and fetched.snapshot and not looked:
            # Nobody would look for it while the document is parked for another reason.
            try:
                await self.create_invoice(order, fetched, None, names.vendor_queue(settled.creating), seen)
            except NeedsReviewError as found:
                await self._park(order, (*found.problems, *problems), seen, looked=True)
        # Only the next run is in review and takes decisions: one that this run took would be lost with it.
        attributes.upsert(State.NEEDS_REVIEW)
        await workflow.wait_condition(workflow.all_handlers_finished)
        parked = Parked(
            problems=problems,
            since=workflow.now(),
            version=fetched.version if fetched else "",
            fingerprint=fetched.fingerprint if fetched else "",
            changed=self.changes != seen,
            group_id=self.group_id,
            remapped=self.remapped,
        )
        self._continue(order, parked)

    async def _wait_for_person(self, order: OrderToJournalInput, parked: Parked) -> FlowResult | None:
        """None: post again, by a person's decision, with a newer mapping, or because the shop shows another order than
        the one parked, or may show one: a decision is about what was parked, and what changed since is looked at."""
        self.explain(parked)
        looked_at = -1 if parked.changed else 0
        while not self.decided():
            woken = await self.sleep_in_review(partial(self._woken_since, looked_at))
            if self.decided() or self.remapped:
                break
            if not woken or workflow.info().is_continue_as_new_suggested():
                self._continue(order, renewed(parked, changed=self.changes != looked_at))
            seen = self.changes
            if await self._is_another(order, parked) is not False:
                break
            looked_at = seen
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._outcome_of(self.decision, changed=self.changes != looked_at)

    def _woken_since(self, seen: int) -> bool:
        return self.changes != seen or self.remapped is not None

    async def _is_another(self, order: OrderToJournalInput, parked: Parked) -> bool | None:
        """Whether the shop shows another version than the parked one. None: a decision did not wait for a slow shop."""
        looking = asyncio.create_task(self.fetch(order))
        await workflow.wait_condition(lambda: looking.done() or self.decided())
        if not looking.done():
            looking.cancel()
            with contextlib.suppress(NeedsReviewError, asyncio.CancelledError):
                await looking
            return None
        try:
            fetched = looking.result()
        except NeedsReviewError:
            # It cannot be read: what is in review stays there for the reason it has.
            return False
        return fetched.settled is not None or fetched.version != parked.version

    def _outcome_of(self, decision: Decision | None, *, changed: bool) -> FlowResult | None:
        """`changed`: a version that nobody has looked at yet may be in the shop."""
        if decision is None:
            mapped = self.remapped
            why = f"released by {mapped.mapping_set} version {mapped.version}" if mapped else "changed while in review"
            self.show(State.RUNNING, why)
            return None
        if decision.kind in ("retry", "retry_with_mapping"):
            self.declare(decision)
            self.show(State.RUNNING, f"retried by {decision.who}")
            return None
        if changed:
            self.show(State.RUNNING, f"{sentence_of(decision.kind, decision.who, decision.why)}; changed meanwhile")
            return None
        if decision.kind == "mark_posted":
            sentence = f"marked as posted by {decision.who}: {decision.why}"
            return self.ended(State.POSTED, sentence, target=decision.target_id or "")
        return self.ended(State.SKIPPED, f"skipped by {decision.who}: {decision.why}")

    def _released(self, order: OrderToJournalInput) -> OrderToJournalInput:
        """A newer mapping set that is in effect frees a document from a version that a person once chose."""
        version = self.decision.mapping_version if self.decision else None
        if self.decision is None and self.remapped:
            return order.model_copy(update={"parked": None, "mapping_version": None})
        return order.model_copy(update={"parked": None, "mapping_version": version or order.mapping_version})

    def _continue(self, order: OrderToJournalInput, parked: Parked | None = None) -> NoReturn:
        workflow.continue_as_new(
            order.model_copy(update={"parked": parked, "epoch": self.epoch, "open_since": self.open_since})
        )

    @workflow.signal(name=names.CHANGED)
    def changed(self) -> None:
        """The source may have changed: a webhook or a poll saw it."""
        self.changes += 1

    @workflow.signal(name=names.FATE)
    def learn_fate(self, fate: JournalFate) -> None:
        """Sent by the group's import after the fate was written to the store."""
        self.fate = fate

    @workflow.signal(name=names.REMAPPED)
    def learn_mapping(self, remapped: Remapped) -> None:
        """A newer version of the mapping set is in effect: what waited for it is posted again."""
        self.remapped = remapped
