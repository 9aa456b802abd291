"""A shop order becomes one general ledger journal in Oracle Fusion.

`fetch` -> `lookup` -> `map` -> `stage`, then wait until the group that carries the journal is imported and posted.
A `changed` signal makes the run fetch again before it ends; a person's decision is taken when the order is in review.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from contracts import names
from contracts.flow import Decided, Decision, FlowResult, FlowState, OrderToJournalInput, Parked, State
from contracts.journal import FateKind, JournalFate, Problem
from contracts.steps import (
    FetchedOrder,
    FetchOrder,
    LookupFor,
    Lookups,
    MapOrder,
    Pace,
    ReadFate,
    Settled,
    SettleDocument,
    Staged,
    StageJournal,
    VerifyJournal,
)
from workflows import attributes
from workflows.patience import LOCAL_STEP, STORE_STEP, VENDOR_READ, problem_of

with workflow.unsafe.imports_passed_through():
    from activities.fetch import FetchActivities
    from activities.lookup import LookupActivities
    from activities.mapping import MappingActivities
    from activities.staging import StagingActivities
    from activities.verify import VerifyActivities

RENEWAL = timedelta(days=30)
"""A parked document starts a new run this often, so that old code can go (design rule 13)."""

ORDINAL = 1
"""A sale is posted once; later versions of an order are documents of their own."""

PERIOD_CLOSED = frozenset({"EP01", "EP02"})
"""Journal import errors that a newer look at the calendar may heal."""


class NeedsReviewError(Exception):
    """Control flow of this file: the document cannot go on without a person."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems


def _final(fate: JournalFate | None) -> JournalFate | None:
    """Created is not done (design rule 14): an imported journal is waited for until it is posted."""
    return fate if fate and fate.kind in (FateKind.POSTED, FateKind.REFUSED) else None


@workflow.defn(name=names.ORDER_TO_JOURNAL)
class OrderToJournal:
    @workflow.init
    def __init__(self, order: OrderToJournalInput) -> None:
        self.order = order
        self.document = f"Order {order.order_id} ({order.connection})"
        self.changes = 0
        self.version = ""
        self.fate: JournalFate | None = None
        self.decision: Decision | None = None
        parked = order.parked
        self.standing = FlowState(
            state=State.NEEDS_REVIEW if parked else State.RUNNING, problems=parked.problems if parked else ()
        )

    @workflow.run
    async def run(self, order: OrderToJournalInput) -> FlowResult:
        try:
            if order.parked:
                ended = await self._wait_for_person(order, order.parked)
                if ended:
                    return ended
                order = self._released(order)
            while True:
                # Counted before fetching: an edit that arrives later is not in what we read.
                seen = self.changes
                result = await self._post(order, seen)
                if result and self.changes == seen:
                    return result
                if workflow.info().is_continue_as_new_suggested():
                    workflow.continue_as_new(order)
        except NeedsReviewError as review:
            await self._park(order, review.problems)
        raise AssertionError("a parked document continues as new")

    async def _post(self, order: OrderToJournalInput, seen: int) -> FlowResult | None:
        """One pass over the newest version of the order. None: it changed meanwhile, look again."""
        fetched = await self._fetch(order)
        self.version = fetched.version
        if fetched.settled:
            return self._ended(State(fetched.settled.state), fetched.settled.sentence, fetched.settled.reference)

        fresh = False
        while True:
            staged = await self._stage(order, fetched, fresh)
            if isinstance(staged, FlowResult):
                return staged
            if staged.outcome == "edited_after_posting":
                raise NeedsReviewError(self._edited(staged.reference))

            fate = _final(staged.fate) or await self._wait_for_import(staged, fetched.pace, seen)
            if fate is None:
                return None
            if fate.kind is FateKind.POSTED:
                # An earlier version was under way while the order changed: compare what is now in the ledger.
                return None if staged.outcome == "in_group" else self._posted(fate)
            if fate.code not in PERIOD_CLOSED or fresh:
                raise NeedsReviewError(self._refused(fate))
            fresh = True

    async def _fetch(self, order: OrderToJournalInput) -> FetchedOrder:
        try:
            return await workflow.execute_activity_method(
                FetchActivities.fetch_order,
                FetchOrder(
                    integration=order.integration,
                    connection=order.connection,
                    order_id=order.order_id,
                    job=order.job,
                    mapping_version=order.mapping_version,
                ),
                task_queue=names.vendor_queue(order.connection),
                summary=f"fetch order {order.order_id}",
                **VENDOR_READ,
            )
        except ActivityError as error:
            raise NeedsReviewError(problem_of(error, self.document)) from error

    async def _stage(self, order: OrderToJournalInput, fetched: FetchedOrder, fresh: bool) -> Staged | FlowResult:
        """Lookup, map and stage. A result ends the run: nothing to post."""
        snapshot = fetched.snapshot
        if snapshot is None:
            raise AssertionError("an unsettled order comes with its snapshot")
        deadline = workflow.now() + timedelta(hours=fetched.pace.rate_wait)
        while True:
            lookups = await self._lookup(order, fetched, fresh)
            mapped = await workflow.execute_local_activity_method(
                MappingActivities.map_order,
                MapOrder(
                    integration=order.integration,
                    snapshot=snapshot,
                    lookups=lookups,
                    ordinal=ORDINAL,
                    mapping_version=order.mapping_version,
                ),
                summary="map to journal",
                **LOCAL_STEP,
            )
            if mapped.waiting is None:
                break
            if workflow.now() >= deadline:
                raise NeedsReviewError(mapped.waiting)
            self.standing = FlowState(state=State.RUNNING, sentence=mapped.waiting.sentence)
            seen = self.changes
            await self._sleep_until_change(seen, min(timedelta(minutes=10), deadline - workflow.now()))
            fresh = True
        if mapped.problems:
            raise NeedsReviewError(*mapped.problems)
        if mapped.journal is None:
            return await self._skip(order, fetched, mapped.skipped)
        return await workflow.execute_local_activity_method(
            StagingActivities.stage_journal,
            StageJournal(
                integration=order.integration,
                connection=order.connection,
                order_id=order.order_id,
                journal=mapped.journal,
                fingerprint=fetched.fingerprint,
                modified_at=snapshot.modified_at,
                ordinal=ORDINAL,
                job=order.job,
            ),
            summary="stage for the next journal group",
            **LOCAL_STEP,
        )

    async def _skip(self, order: OrderToJournalInput, fetched: FetchedOrder, reason: str) -> Staged | FlowResult:
        """Nothing to post. A journal that is already on its way, or there, is not undone by a status."""
        settled = await self._settle(
            SettleDocument(
                integration=order.integration,
                connection=order.connection,
                order_id=order.order_id,
                state="skipped",
                sentence=reason,
                modified_at=fetched.snapshot.modified_at if fetched.snapshot else None,
                fingerprint=fetched.fingerprint,
                job=order.job,
            )
        )
        return settled.standing or self._ended(State.SKIPPED, reason)

    async def _lookup(self, order: OrderToJournalInput, fetched: FetchedOrder, fresh: bool) -> Lookups:
        if fetched.snapshot is None:
            raise AssertionError("an unsettled order comes with its snapshot")
        wanted = LookupFor(integration=order.integration, snapshot=fetched.snapshot, fresh=fresh)
        cached = await workflow.execute_local_activity_method(
            LookupActivities.lookup_cached, wanted, summary="lookup (cached)", **LOCAL_STEP
        )
        if cached.problems:
            raise NeedsReviewError(*cached.problems)
        if cached.lookups:
            return cached.lookups
        try:
            return await workflow.execute_activity_method(
                LookupActivities.lookup,
                wanted,
                task_queue=names.vendor_queue(cached.fusion),
                summary="lookup ledger, periods and rate",
                **VENDOR_READ,
            )
        except ActivityError as error:
            raise NeedsReviewError(problem_of(error, self.document)) from error

    async def _wait_for_import(self, staged: Staged, pace: Pace, seen: int) -> JournalFate | None:
        """Wait for the fate of our journal. None: the order changed; fetch it again after a quiet moment."""
        reference = staged.reference
        self._show(State.WAITING_IMPORT, "staged; waiting for its journal group to be imported and posted", reference)
        while True:
            await self._sleep_until_change(seen, timedelta(seconds=pace.reread_after), waiting_for=staged)
            fate = self._fate_of(staged)
            if fate:
                return fate
            if self.changes != seen:
                await workflow.sleep(timedelta(seconds=pace.quiet_period), summary="quiet period after a change")
                return None
            # Signals are not lost, but a run that was reset may have had its signal before the reset point.
            known = await workflow.execute_local_activity_method(
                StagingActivities.read_fate, ReadFate(reference=reference), summary="read fate", **LOCAL_STEP
            )
            if _final(known.fate):
                return known.fate

    async def _sleep_until_change(self, seen: int, at_most: timedelta, waiting_for: Staged | None = None) -> None:
        try:
            await workflow.wait_condition(
                lambda: self.changes != seen or self._fate_of(waiting_for) is not None, timeout=at_most
            )
        except TimeoutError:
            return

    def _fate_of(self, staged: Staged | None) -> JournalFate | None:
        """The signalled fate, if it is of this journal as staged now: an older refusal is not."""
        fate = _final(self.fate)
        if fate is None or staged is None or fate.reference != staged.reference or fate.at < staged.staged_at:
            return None
        return fate

    async def _park(self, order: OrderToJournalInput, problems: tuple[Problem, ...]) -> None:
        """Record why, then go on as a short run that only waits for a person or a change."""
        await self._settle(
            SettleDocument(
                integration=order.integration,
                connection=order.connection,
                order_id=order.order_id,
                state="needs_review",
                sentence=problems[0].sentence,
                problems=problems,
                job=order.job,
            )
        )
        # Only the next run is in review and takes decisions: one that this run took would be lost with it.
        attributes.upsert(State.NEEDS_REVIEW)
        await workflow.wait_condition(workflow.all_handlers_finished)
        parked = Parked(problems=problems, since=workflow.now(), version=self.version)
        workflow.continue_as_new(order.model_copy(update={"parked": parked}))

    async def _wait_for_person(self, order: OrderToJournalInput, parked: Parked) -> FlowResult | None:
        """None: post again, by a person's decision or because the shop shows another order than the one parked."""
        workflow.set_current_details("\n\n".join(f"**{one.sentence}**\n\n{one.remedy}" for one in parked.problems))
        looked_at = 0
        while not self._decided():
            await self._sleep_until_decision(looked_at)
            await workflow.wait_condition(workflow.all_handlers_finished)
            if self._decided():
                break
            if self.changes == looked_at:
                renewed = parked.model_copy(update={"renewals": parked.renewals + 1})
                workflow.continue_as_new(order.model_copy(update={"parked": renewed}))
            looked_at = self.changes
            fetched = await self._fetch(order)
            if fetched.settled or fetched.version != parked.version:
                break
        await workflow.wait_condition(workflow.all_handlers_finished)
        decision = self.decision
        if decision is None or decision.kind in ("retry", "retry_with_mapping"):
            self._show(State.RUNNING, f"retried by {decision.who}" if decision else "changed while in review")
            return None
        if decision.kind == "mark_posted":
            sentence = f"marked as posted by {decision.who}: {decision.why}"
            return self._ended(State.POSTED, sentence, decision.target_id or "")
        sentence = f"skipped by {decision.who}: {decision.why}"
        await self._settle(
            SettleDocument(
                integration=order.integration,
                connection=order.connection,
                order_id=order.order_id,
                state="skipped",
                sentence=sentence,
                job=order.job,
                who=decision.who,
                why=decision.why,
            )
        )
        return self._ended(State.SKIPPED, sentence)

    async def _sleep_until_decision(self, looked_at: int) -> None:
        try:
            await workflow.wait_condition(lambda: self._decided() or self.changes != looked_at, timeout=RENEWAL)
        except TimeoutError:
            return

    def _decided(self) -> bool:
        return self.decision is not None

    def _released(self, order: OrderToJournalInput) -> OrderToJournalInput:
        version = self.decision.mapping_version if self.decision else None
        return order.model_copy(update={"parked": None, "mapping_version": version or order.mapping_version})

    async def _settle(self, document: SettleDocument) -> Settled:
        return await workflow.execute_local_activity_method(
            StagingActivities.settle_document, document, summary=f"settle as {document.state}", **LOCAL_STEP
        )

    def _show(self, state: State, sentence: str, reference: str = "") -> None:
        if state is not self.standing.state:
            attributes.upsert(state, reference)
        self.standing = FlowState(
            state=state, sentence=sentence, reference=reference or self.standing.reference, problems=()
        )

    def _ended(self, state: State, sentence: str, reference: str = "", journal_name: str = "") -> FlowResult:
        self._show(state, sentence, reference)
        return FlowResult(state=state, sentence=sentence, reference=reference, journal_name=journal_name)

    def _posted(self, fate: JournalFate) -> FlowResult:
        return self._ended(
            State.POSTED, f"posted in {fate.period} as {fate.journal_name}", fate.reference, fate.journal_name
        )

    def _refused(self, fate: JournalFate) -> Problem:
        return Problem(
            code="refused_by_fusion",
            sentence=f"{self.document}: Fusion refused journal {fate.reference}: {fate.code} {fate.sentence}".strip(),
            remedy="Correct the account or period in Fusion, or the mapping rule, then retry.",
        )

    def _edited(self, reference: str) -> Problem:
        return Problem(
            code="edited_after_posting",
            sentence=f"{self.document} was edited after journal {reference} had been posted.",
            remedy="Post the difference by hand in Fusion and skip with a reason, or restore the order.",
        )

    @workflow.signal(name=names.CHANGED)
    def changed(self) -> None:
        """The source may have changed: a webhook or a poll saw it."""
        self.changes += 1

    @workflow.signal(name=names.FATE)
    def learn_fate(self, fate: JournalFate) -> None:
        """Sent by the group's import after the fate was written to the store."""
        self.fate = fate

    @workflow.query(name=names.STATE)
    def state(self) -> FlowState:
        return self.standing

    @workflow.update(name=names.DECIDE)
    async def decide(self, decision: Decision) -> Decided:
        """Retry, retry with another mapping version, mark as posted (verified in Fusion), or skip."""
        if decision.kind == "mark_posted":
            await self._verify(decision)
        self.decision = decision
        return Decided(id=decision.id, sentence=f"{self.document}: {decision.kind} by {decision.who}")

    @decide.validator
    def check_decision(self, decision: Decision) -> None:
        if self.standing.state is not State.NEEDS_REVIEW or self.decision:
            raise ApplicationError(
                f"{self.document} is not in review; it is {self.standing.state}.", type="NotInReview"
            )
        if decision.kind == "retry_with_mapping" and decision.mapping_version is None:
            raise ApplicationError("A retry with another mapping needs its version.", type="BadDecision")
        if decision.kind == "mark_posted" and not decision.target_id:
            raise ApplicationError("Name the journal batch in Fusion that carries the document.", type="BadDecision")

    async def _verify(self, decision: Decision) -> None:
        """A journal that a person names must exist in Fusion before we believe it."""
        try:
            await workflow.execute_activity_method(
                VerifyActivities.verify_journal,
                VerifyJournal(
                    integration=self.order.integration,
                    connection=self.order.connection,
                    order_id=self.order.order_id,
                    batch_name=decision.target_id or "",
                    who=decision.who,
                    why=decision.why,
                ),
                summary="verify the journal in Fusion",
                **STORE_STEP,
            )
        except ActivityError as error:
            problem = problem_of(error, self.document)
            raise ApplicationError(problem.sentence, type=problem.code) from error
