"""What a refund's flow does of its own: fetch it with its order, wait for that order, look up and map what it takes
back."""

from datetime import date, timedelta
from typing import Final, Literal

from temporalio import workflow
from temporalio.exceptions import ActivityError

from contracts import names
from contracts.flow import RefundToJournalInput, State
from contracts.journal import Problem
from contracts.steps.documents import LookupFor, Lookups, Target
from contracts.steps.receivables import MappedCredit
from contracts.steps.refunds import (
    AwaitOrder,
    FetchedRefund,
    FetchRefund,
    MapRefund,
    OrderStanding,
    RecordWaiting,
    RefundSnapshot,
)
from workflows.document_steps import DocumentSteps
from workflows.patience import LOCAL_FAILURES, LOCAL_STEP, VENDOR_STEP, problem_of
from workflows.review import NeedsReviewError

with workflow.unsafe.imports_passed_through():
    from activities.refunds.fetch import RefundFetchActivities
    from activities.refunds.mapping import RefundMappingActivities
    from activities.refunds.waiting import RefundWaitingActivities

DECLINED: Final = "refund_declined"
"""The wait that only another look at the shop can end."""


class RefundSteps(DocumentSteps[RefundToJournalInput, FetchedRefund]):
    """The steps of a refund until it is mapped."""

    def __init__(self, given: RefundToJournalInput) -> None:
        super().__init__(given)
        self.rate_day: date | None = None
        """The day whose conversion rate it needs."""
        self.target: Target = ""
        """What its order became."""

    async def fetch(self, given: RefundToJournalInput) -> FetchedRefund:
        try:
            fetched = await workflow.execute_activity_method(
                RefundFetchActivities.fetch_refund,
                FetchRefund(
                    integration=given.integration,
                    connection=given.connection,
                    refund_id=given.refund_id,
                    order_id=given.order_id,
                    job=given.job,
                ),
                task_queue=names.vendor_queue(given.connection),
                summary=f"fetch refund {given.refund_id} and its order",
                **VENDOR_STEP,
            )
        except ActivityError as error:
            raise NeedsReviewError(problem_of(error, self.document)) from error
        self.epoch = max(self.epoch, fetched.epoch)
        return fetched

    async def wait_for_order(
        self, given: RefundToJournalInput, fetched: FetchedRefund, seen: int
    ) -> OrderStanding | None:
        """Until the order stands so that the refund can be booked. None: look at the refund again.

        The order's flow is started where nobody has heard of it, and tells when it has settled; a timer looks as well.
        After a wait the order is another one than the refund was read with. What is known since the refund was read
        is not asked again.
        """
        waited = False
        while True:
            standing = fetched.standing or await self._order_standing(given, fetched)
            if standing.outcome == "superseded":
                await self.wait_for_turn()
                return None
            if standing.outcome != "waiting":
                if waited:
                    return None
                self.rate_day, self.target = standing.rate_day, standing.target
                return standing
            self.show(State.WAITING_PARENT, standing.sentence)
            await self.sleep_until_change(seen, timedelta(seconds=fetched.pace.reread_after))
            waited = True
            if self.changes != seen or workflow.info().is_continue_as_new_suggested():
                return None

    async def _order_standing(self, given: RefundToJournalInput, fetched: FetchedRefund) -> OrderStanding:
        try:
            return await workflow.execute_local_activity_method(
                RefundWaitingActivities.await_order,
                AwaitOrder(
                    integration=given.integration,
                    connection=given.connection,
                    snapshot=snapshot_of(fetched),
                    fingerprint=fetched.fingerprint,
                    job=given.job,
                    decided_at=workflow.now(),
                ),
                summary="how its order stands",
                **LOCAL_STEP,
            )
        except LOCAL_FAILURES as error:
            raise NeedsReviewError(problem_of(error, self.document)) from error

    def lookup_for(self, given: RefundToJournalInput, fetched: FetchedRefund, *, fresh: bool) -> LookupFor:
        return LookupFor(
            integration=given.integration,
            snapshot=snapshot_of(fetched).order,
            rate_day=self.rate_day,
            fresh=fresh,
            target=self.target,
        )

    async def map(self, given: RefundToJournalInput, fetched: FetchedRefund, lookups: Lookups) -> MappedCredit:
        try:
            return await workflow.execute_local_activity_method(
                RefundMappingActivities.map_refund,
                MapRefund(
                    integration=given.integration,
                    snapshot=snapshot_of(fetched),
                    lookups=lookups,
                    rate_day=self.rate_day,
                    mapping_version=given.mapping_version,
                    target=self.target,
                ),
                summary="map to what it takes back",
                **LOCAL_STEP,
            )
        except LOCAL_FAILURES as error:
            raise NeedsReviewError(problem_of(error, self.document)) from error

    async def wait_for(self, missing: Problem, given: RefundToJournalInput, fetched: FetchedRefund, seen: int) -> bool:
        """A payment that was declined is repeated in the shop, and only the shop shows that."""
        if missing.code != DECLINED:
            return await super().wait_for(missing, given, fetched, seen)
        self.show(State.RUNNING, missing.sentence)
        await self._record_waiting("running", missing.sentence, given, fetched)
        await self.sleep_until_change(seen, timedelta(seconds=fetched.pace.reread_after))
        return False

    async def _record_waiting(
        self, state: Literal["running"], sentence: str, given: RefundToJournalInput, fetched: FetchedRefund
    ) -> None:
        refund = snapshot_of(fetched).refund
        await workflow.execute_local_activity_method(
            RefundWaitingActivities.record_waiting,
            RecordWaiting(
                integration=given.integration,
                connection=given.connection,
                order_id=given.refund_id,
                kind=names.REFUND,
                parent_id=refund.order_id,
                state=state,
                sentence=sentence,
                modified_at=refund.created_at,
                fingerprint=fetched.fingerprint,
                job=given.job,
                decided_at=workflow.now(),
            ),
            summary="record what is waited for",
            **LOCAL_STEP,
        )


def snapshot_of(fetched: FetchedRefund) -> RefundSnapshot:
    if fetched.snapshot is None:
        raise AssertionError("an unsettled refund comes with its snapshot")
    return fetched.snapshot
