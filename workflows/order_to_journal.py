"""A shop order becomes one general ledger journal in Oracle Fusion.

`fetch` -> `lookup` -> `map` -> `stage`, then wait until the group that carries the journal is imported and posted.
A `changed` signal makes the run fetch again before it ends; a person's decision is taken when the order is in review.
"""

import asyncio
import contextlib
from datetime import datetime, timedelta
from functools import partial

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from contracts import names
from contracts.flow import Decision, FlowResult, OrderToJournalInput, Parked, State
from contracts.journal import FateKind, JournalFate, Problem
from contracts.sale import OrderSnapshot
from contracts.steps import (
    FetchedOrder,
    FetchOrder,
    LookupFor,
    Lookups,
    MapOrder,
    Mapped,
    Pace,
    ReadFate,
    Settled,
    SettleDocument,
    Staged,
    StageJournal,
    VerifyJournal,
)
from workflows import attributes
from workflows.patience import LOCAL_FAILURES, LOCAL_STEP, STORE_STEP, VENDOR_READ, problem_of
from workflows.review import NeedsReviewError, Reviewed, renewed

with workflow.unsafe.imports_passed_through():
    from activities.fetch import FetchActivities
    from activities.lookup import LookupActivities
    from activities.mapping import MappingActivities
    from activities.staging import StagingActivities
    from activities.verify import VerifyActivities

ORDINAL = 1
"""A sale is posted once; later versions of an order are documents of their own."""

DECISIONS = frozenset({"retry", "retry_with_mapping", "mark_posted", "skip"})
LOOK_UP_AGAIN = timedelta(minutes=10)
NO_RATE = "no_conversion_rate"
"""The one wait that ends by the integration's patience; the others end when mapping says so."""

TURN_PAUSE = timedelta(seconds=1)

PERIOD_CLOSED = frozenset({"EP01", "EP02"})
"""Journal import errors that a newer look at the calendar may heal."""


def _snapshot(fetched: FetchedOrder) -> OrderSnapshot:
    if fetched.snapshot is None:
        raise AssertionError("an unsettled order comes with its snapshot")
    return fetched.snapshot


def _final(fate: JournalFate | None) -> JournalFate | None:
    """Created is not done (design rule 14): an imported journal is waited for until it is posted."""
    return fate if fate and fate.kind in (FateKind.POSTED, FateKind.REFUSED) else None


@workflow.defn(name=names.ORDER_TO_JOURNAL)
class OrderToJournal(Reviewed):
    @workflow.init
    def __init__(self, order: OrderToJournalInput) -> None:
        super().__init__(f"Order {order.order_id} ({order.connection})", order.parked, takes=DECISIONS)
        self.order = order
        self.changes = 0
        self.fetched: FetchedOrder | None = None
        self.fate: JournalFate | None = None
        self.group_id = order.parked.group_id if order.parked else 0
        """The last group that refused our journal; fates of it and of older ones are history."""
        self.waits_since: datetime | None = None
        """Since when a rate or an open period is missing: a webhook meanwhile does not lengthen the patience."""

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
                workflow.continue_as_new(order)

    async def _post(self, order: OrderToJournalInput, seen: int) -> FlowResult | None:
        """One pass over the newest version of the order. None: look at it again."""
        fetched = await self._fetch(order)
        self.fetched = fetched
        if fetched.settled:
            return self._ended(State(fetched.settled.state), fetched.settled.sentence, fetched.settled.reference)

        fresh = False
        while True:
            staged = await self._stage(order, fetched, seen, fresh)
            if staged is None or isinstance(staged, FlowResult):
                return staged
            if staged.outcome == "superseded":
                await self._wait_for_turn()
                return None
            if staged.outcome == "edited_after_posting":
                raise NeedsReviewError(self._edited(staged.reference))

            fate = _final(staged.fate) or await self._wait_for_import(staged.reference, fetched.pace, seen)
            if fate is None or staged.outcome == "in_group":
                # It changed, or an older version was under way: compare the newest with what became of that.
                return None
            if fate.kind is FateKind.POSTED:
                return self._posted(fate)
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

    async def _stage(
        self, order: OrderToJournalInput, fetched: FetchedOrder, seen: int, fresh: bool
    ) -> Staged | FlowResult | None:
        """Lookup, map and stage. A result ends the run: nothing to post. None: the order changed while it waited."""
        snapshot = _snapshot(fetched)
        while True:
            # What was missing before is asked for anew, and not of what a worker remembers.
            lookups = await self._lookup(order, fetched, fresh or self.waits_since is not None)
            mapped = await self._map(order, fetched, lookups)
            if mapped.waiting is None:
                break
            self.waits_since = self.waits_since or workflow.now()
            left = LOOK_UP_AGAIN
            if mapped.waiting.code == NO_RATE:
                left = self.waits_since + timedelta(hours=fetched.pace.rate_wait) - workflow.now()
                if left <= timedelta(0):
                    raise NeedsReviewError(mapped.waiting)
            self.show(State.RUNNING, mapped.waiting.sentence)
            await self._sleep_until_change(seen, min(left, LOOK_UP_AGAIN))
            if self.changes != seen:
                return None
        self.waits_since = None
        if mapped.problems:
            raise NeedsReviewError(*mapped.problems)
        if mapped.journal is None:
            return await self._skip(order, fetched, mapped.skipped)
        try:
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
                    decided_at=workflow.now(),
                ),
                summary="stage for the next journal group",
                **LOCAL_STEP,
            )
        except LOCAL_FAILURES as error:
            raise NeedsReviewError(problem_of(error, self.document)) from error

    async def _map(self, order: OrderToJournalInput, fetched: FetchedOrder, lookups: Lookups) -> Mapped:
        try:
            return await workflow.execute_local_activity_method(
                MappingActivities.map_order,
                MapOrder(
                    integration=order.integration,
                    snapshot=_snapshot(fetched),
                    lookups=lookups,
                    ordinal=ORDINAL,
                    mapping_version=order.mapping_version,
                ),
                summary="map to journal",
                **LOCAL_STEP,
            )
        except LOCAL_FAILURES as error:
            raise NeedsReviewError(problem_of(error, self.document)) from error

    async def _skip(self, order: OrderToJournalInput, fetched: FetchedOrder, reason: str) -> Staged | FlowResult | None:
        """Nothing to post. A journal that is on its way is waited for; one that is there is not undone by a status."""
        settled = await self._settle(
            SettleDocument(
                integration=order.integration,
                connection=order.connection,
                order_id=order.order_id,
                state="skipped",
                sentence=reason,
                modified_at=_snapshot(fetched).modified_at,
                fingerprint=fetched.fingerprint,
                job=order.job,
            )
        )
        if settled.standing is None:
            return self._ended(State.SKIPPED, reason)
        if settled.standing.fate:
            raise NeedsReviewError(self._edited(settled.standing.reference))
        return settled.standing

    async def _lookup(self, order: OrderToJournalInput, fetched: FetchedOrder, fresh: bool) -> Lookups:
        wanted = LookupFor(integration=order.integration, snapshot=_snapshot(fetched), fresh=fresh)
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

    async def _wait_for_import(self, reference: str, pace: Pace, seen: int) -> JournalFate | None:
        """Wait for the fate of our journal. None: the order changed; fetch it again after a quiet moment."""
        self.show(State.WAITING_IMPORT, "staged; waiting for its journal group to be imported and posted", reference)
        while True:
            await self._sleep_until_change(seen, timedelta(seconds=pace.reread_after), reference)
            fate = self._fate_of(reference) or await self._unsignalled_fate(reference, seen)
            if fate:
                self.group_id = fate.group_id
                return fate
            if self.changes != seen:
                await workflow.sleep(timedelta(seconds=pace.quiet_period), summary="quiet period after a change")
                return None

    async def _unsignalled_fate(self, reference: str, seen: int) -> JournalFate | None:
        """Signals are not lost, but a run that was reset may have had its signal before the reset point."""
        if self.changes != seen:
            return None
        known = await workflow.execute_local_activity_method(
            StagingActivities.read_fate, ReadFate(reference=reference), summary="read fate", **LOCAL_STEP
        )
        return _final(known.fate)

    async def _sleep_until_change(self, seen: int, at_most: timedelta, reference: str = "") -> None:
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self.changes != seen or self._fate_of(reference) is not None, timeout=at_most
            )

    def _fate_of(self, reference: str) -> JournalFate | None:
        """The signalled fate, if it is our journal's and newer than the refusal we know: group ids only rise."""
        fate = _final(self.fate)
        return fate if fate and fate.reference == reference and fate.group_id > self.group_id else None

    async def _park(self, order: OrderToJournalInput, problems: tuple[Problem, ...], seen: int) -> None:
        """Record why, then go on as a short run that only waits for a person or another version of the order."""
        fetched = self.fetched
        await self._settle(
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
        )
        workflow.continue_as_new(order.model_copy(update={"parked": parked}))

    async def _wait_for_person(self, order: OrderToJournalInput, parked: Parked) -> FlowResult | None:
        """None: post again, by a person's decision or because the shop shows another order than the one parked."""
        self.explain(parked)
        looked_at = -1 if parked.changed else 0
        while not self.decided():
            woken = await self.sleep_in_review(partial(self._changed_since, looked_at))
            if self.decided():
                break
            if not woken or workflow.info().is_continue_as_new_suggested():
                again = renewed(parked, changed=self.changes != looked_at)
                workflow.continue_as_new(order.model_copy(update={"parked": again}))
            looked_at = self.changes
            if await self._is_another(order, parked):
                break
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._outcome_of(self.decision)

    def _changed_since(self, seen: int) -> bool:
        return self.changes != seen

    async def _is_another(self, order: OrderToJournalInput, parked: Parked) -> bool:
        """Whether the shop shows another version than the parked one. A decision does not wait for a slow shop."""
        looking = asyncio.create_task(self._fetch(order))
        await workflow.wait_condition(lambda: looking.done() or self.decided())
        if not looking.done():
            looking.cancel()
            with contextlib.suppress(NeedsReviewError, asyncio.CancelledError):
                await looking
            return False
        try:
            fetched = looking.result()
        except NeedsReviewError:
            # It cannot be read: what is in review stays there for the reason it has.
            return False
        return fetched.settled is not None or fetched.version != parked.version

    def _outcome_of(self, decision: Decision | None) -> FlowResult | None:
        if decision is None:
            self.show(State.RUNNING, "changed while in review")
            return None
        if decision.kind in ("retry", "retry_with_mapping"):
            self.show(State.RUNNING, f"retried by {decision.who}")
            return None
        if decision.kind == "mark_posted":
            sentence = f"marked as posted by {decision.who}: {decision.why}"
            return self._ended(State.POSTED, sentence, journal_name=decision.target_id or "")
        return self._ended(State.SKIPPED, f"skipped by {decision.who}: {decision.why}")

    def _released(self, order: OrderToJournalInput) -> OrderToJournalInput:
        version = self.decision.mapping_version if self.decision else None
        return order.model_copy(update={"parked": None, "mapping_version": version or order.mapping_version})

    async def _settle(self, document: SettleDocument) -> Settled:
        while True:
            settled = await workflow.execute_local_activity_method(
                StagingActivities.settle_document,
                document.model_copy(update={"decided_at": workflow.now()}),
                summary=f"settle as {document.state}",
                **LOCAL_STEP,
            )
            if not settled.superseded:
                return settled
            await self._wait_for_turn()

    async def _wait_for_turn(self) -> None:
        """Only when the server's clock went back: a step of ours that came later is on record."""
        await workflow.sleep(TURN_PAUSE, summary="until this step is the latest")

    def _ended(self, state: State, sentence: str, reference: str = "", journal_name: str = "") -> FlowResult:
        self.show(state, sentence, reference)
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

    async def prepare(self, decision: Decision) -> None:
        if decision.kind == "mark_posted":
            await self._verify(decision)
        elif decision.kind == "skip":
            await self._skip_by(decision)

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
                    fingerprint=self.order.parked.fingerprint if self.order.parked else "",
                    who=decision.who,
                    why=decision.why,
                ),
                summary="verify the journal in Fusion",
                **STORE_STEP,
            )
        except ActivityError as error:
            problem = problem_of(error, self.document)
            raise ApplicationError(problem.sentence, type=problem.code) from error

    async def _skip_by(self, decision: Decision) -> None:
        """The decision stands until the order itself changes. What is in an import cannot be called back."""
        settled = await self._settle(
            SettleDocument(
                integration=self.order.integration,
                connection=self.order.connection,
                order_id=self.order.order_id,
                state="skipped",
                sentence=f"skipped by {decision.who}: {decision.why}",
                fingerprint=self.order.parked.fingerprint if self.order.parked else "",
                job=self.order.job,
                who=decision.who,
                why=decision.why,
            )
        )
        if settled.standing:
            raise ApplicationError(
                f"{self.document}: journal {settled.standing.reference} is being imported. Decide when it is done.",
                type="InImport",
            )
