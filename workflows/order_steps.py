"""Steps that every outcome of an order shares: fetch, look up, map, settle, and what a decision needs done first."""

import contextlib
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, RetryState
from temporalio.exceptions import TimeoutError as StepTimeoutError

from contracts import names
from contracts.flow import Decision, FlowResult, OrderToJournalInput, State
from contracts.journal import JournalFate, Problem
from contracts.sale import OrderSnapshot
from contracts.steps import (
    FetchedOrder,
    FetchOrder,
    LookupFor,
    Lookups,
    MapOrder,
    Mapped,
    RecordDecision,
    Settled,
    SettleDocument,
    VerifyJournal,
)
from workflows.patience import LOCAL_FAILURES, LOCAL_STEP, VENDOR_READ, VERIFICATION, problem_of
from workflows.review import NeedsReviewError, Reviewed

with workflow.unsafe.imports_passed_through():
    from activities.decisions import DecisionActivities
    from activities.journals.staging import StagingActivities
    from activities.journals.verify import VerifyActivities
    from activities.orders.fetch import FetchActivities
    from activities.orders.lookup import LookupActivities
    from activities.orders.mapping import MappingActivities

ORDINAL = 1
"""A sale is posted once; later versions of an order are documents of their own."""

DECISIONS = frozenset({"retry", "retry_with_mapping", "mark_posted", "skip"})
LOOK_UP_AGAIN = timedelta(minutes=10)
LONGEST_GAP = timedelta(minutes=15)
"""Between two answers that say a rate is missing, also after one that was a little late; more is an outage."""
NO_RATE = "no_conversion_rate"
"""The one wait that ends by the integration's patience; the others end when mapping says so."""

TURN_PAUSE = timedelta(seconds=1)


class OrderSteps(Reviewed):
    """What is known of one order, and the steps it goes through."""

    def __init__(self, order: OrderToJournalInput) -> None:
        super().__init__(f"Order {order.order_id} ({order.connection})", order.parked, takes=DECISIONS)
        self.order = order
        self.changes = 0
        self.epoch = order.epoch
        """The highest epoch of the store that was seen: one that is behind it posts nothing (design rule 3)."""
        self.open_since: datetime | None = order.open_since
        """Since when an invoice of it may be on its way; a store that was restored does not know."""
        self.fetched: FetchedOrder | None = None
        self.fate: JournalFate | None = None
        self.group_id = order.parked.group_id if order.parked else 0
        """The last group that refused our journal; fates of it and of older ones are history."""
        self.missing_at: datetime | None = None
        """When Fusion last answered that a rate or an open period is missing."""
        self.missing_for = timedelta(0)
        """How long it has answered so. A webhook meanwhile does not lengthen the patience, an outage does not use it
        up."""

    async def fetch(self, order: OrderToJournalInput) -> FetchedOrder:
        try:
            fetched = await workflow.execute_activity_method(
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
        self.epoch = max(self.epoch, fetched.epoch)
        return fetched

    async def map_when_possible(
        self, order: OrderToJournalInput, fetched: FetchedOrder, seen: int, *, fresh: bool
    ) -> Mapped | None:
        """Lookup and map; what is missing for now is waited for. None: the order changed while it waited."""
        while True:
            # What was missing before is asked for anew, and not of what a worker remembers.
            lookups = await self._lookup(order, fetched, fresh or self.missing_at is not None)
            mapped = await self._map(order, fetched, lookups)
            if mapped.waiting is None:
                break
            now = workflow.now()
            self.missing_for += min(now - (self.missing_at or now), LONGEST_GAP)
            self.missing_at = now
            left = LOOK_UP_AGAIN
            if mapped.waiting.code == NO_RATE:
                left = timedelta(hours=fetched.pace.rate_wait) - self.missing_for
                if left <= timedelta(0):
                    raise NeedsReviewError(mapped.waiting)
            self.show(State.RUNNING, mapped.waiting.sentence)
            await self.sleep_until_change(seen, min(left, LOOK_UP_AGAIN))
            if self.changes != seen:
                return None
        self.missing_at, self.missing_for = None, timedelta(0)
        if mapped.problems:
            raise NeedsReviewError(*mapped.problems)
        return mapped

    async def _map(self, order: OrderToJournalInput, fetched: FetchedOrder, lookups: Lookups) -> Mapped:
        try:
            return await workflow.execute_local_activity_method(
                MappingActivities.map_order,
                MapOrder(
                    integration=order.integration,
                    snapshot=snapshot_of(fetched),
                    lookups=lookups,
                    ordinal=ORDINAL,
                    mapping_version=order.mapping_version,
                ),
                summary="map to journal or invoice",
                **LOCAL_STEP,
            )
        except LOCAL_FAILURES as error:
            raise NeedsReviewError(problem_of(error, self.document)) from error

    async def _lookup(self, order: OrderToJournalInput, fetched: FetchedOrder, fresh: bool) -> Lookups:
        wanted = LookupFor(integration=order.integration, snapshot=snapshot_of(fetched), fresh=fresh)
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

    async def sleep_until_change(self, seen: int, at_most: timedelta) -> None:
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(lambda: self.changes != seen, timeout=at_most)

    async def settle(self, document: SettleDocument) -> Settled:
        while True:
            settled = await workflow.execute_local_activity_method(
                StagingActivities.settle_document,
                document.model_copy(update={"decided_at": workflow.now()}),
                summary=f"settle as {document.state}",
                **LOCAL_STEP,
            )
            if not settled.superseded:
                return settled
            await self.wait_for_turn()

    async def wait_for_turn(self) -> None:
        """Only when the server's clock went back: a step of ours that came later is on record."""
        await workflow.sleep(TURN_PAUSE, summary="until this step is the latest")

    def ended(self, state: State, sentence: str, reference: str = "", target: str = "") -> FlowResult:
        """`target`: what people see in Fusion, the journal's name or the invoice's number."""
        self.show(state, sentence, reference)
        return FlowResult(state=state, sentence=sentence, reference=reference, journal_name=target)

    def edited(self, reference: str, what: str = "journal") -> Problem:
        return Problem(
            code="edited_after_posting",
            sentence=f"{self.document} was edited after {what} {reference} had been posted.",
            remedy="Post the difference by hand in Fusion and skip with a reason, or restore the order.",
        )

    async def prepare(self, decision: Decision) -> None:
        if decision.kind == "mark_posted":
            await self._verify(decision)
        elif decision.kind == "skip":
            await self._skip_by(decision)
        else:
            await self._record(decision)

    async def _record(self, decision: Decision) -> None:
        """A retry leads to something later, or to the same review again; that it was decided is on record at once."""
        await workflow.execute_local_activity_method(
            DecisionActivities.record_decision,
            RecordDecision(
                integration=self.order.integration,
                connection=self.order.connection,
                order_id=self.order.order_id,
                decision=decision,
            ),
            summary=f"record the {decision.kind}",
            **LOCAL_STEP,
        )

    async def _verify(self, decision: Decision) -> None:
        """A journal or invoice that a person names must exist in Fusion before we believe it."""
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
                    decision=decision.id,
                ),
                summary="verify the journal or invoice in Fusion",
                **VERIFICATION,
            )
        except ActivityError as error:
            if isinstance(error.cause, StepTimeoutError) or error.retry_state is RetryState.TIMEOUT:
                raise ApplicationError(
                    f"{self.document}: Fusion cannot be asked for {decision.target_id}. Decide again when it answers.",
                    type="NotVerified",
                ) from error
            problem = problem_of(error, self.document)
            raise ApplicationError(f"{problem.sentence} {problem.remedy}", type=problem.code) from error

    async def _skip_by(self, decision: Decision) -> None:
        """The decision stands until the order itself changes. What is in an import cannot be called back."""
        settled = await self.settle(
            SettleDocument(
                integration=self.order.integration,
                connection=self.order.connection,
                order_id=self.order.order_id,
                state="skipped",
                sentence=f"skipped by {decision.who}: {decision.why}",
                fingerprint=self.order.parked.fingerprint if self.order.parked else "",
                job=f"decision:{decision.id}",
                who=decision.who,
                why=decision.why,
            )
        )
        if settled.standing:
            raise ApplicationError(
                f"{self.document}: {settled.standing.reference} is on its way into Fusion. Decide when it is done.",
                type="InImport",
            )


def snapshot_of(fetched: FetchedOrder) -> OrderSnapshot:
    if fetched.snapshot is None:
        raise AssertionError("an unsettled order comes with its snapshot")
    return fetched.snapshot
