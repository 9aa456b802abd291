"""A schedule reads what changed on one side and starts the records that are shown otherwise than was agreed.

One activity, whatever it finds; the watermark lives in the store. Run with `whole` it reads everything and finds what
no stamp shows. A shop's webhook has the same done for the records of one product, or of one customer.
"""

from datetime import timedelta

from temporalio import workflow

from contracts import names
from contracts.converging import LookAtRecordsInput, PolledRecords, PollRecords, PollRecordsInput
from workflows.patience import VENDOR_RETRY, VENDOR_STEP

with workflow.unsafe.imports_passed_through():
    from activities.converging.polling import RecordPollingActivities


@workflow.defn(name=names.POLL_RECORDS)
class PollRecordsFlow:
    @workflow.run
    async def run(self, poll: PollRecordsInput) -> PolledRecords:
        return await workflow.execute_activity_method(
            RecordPollingActivities.poll_records,
            PollRecords(
                integration=poll.integration,
                kind=poll.kind,
                side=poll.side,
                whole=poll.whole,
                job=workflow.info().workflow_id,
            ),
            task_queue=names.vendor_queue(poll.connection),
            summary=f"read changed {poll.kind}s of {poll.connection}",
            start_to_close_timeout=timedelta(hours=6),
            heartbeat_timeout=timedelta(minutes=2),
            retry_policy=VENDOR_RETRY,
        )


class LookAtRecords:
    """All records that are parts of one of the shop's own."""

    def __init__(self) -> None:
        self._told = False

    @workflow.signal(name=names.CHANGED)
    def changed(self) -> None:
        """The shop has told of it once more."""
        self._told = True

    async def look(self, look: LookAtRecordsInput, what: str) -> PolledRecords:
        while True:
            self._told = False
            looked = await workflow.execute_activity_method(
                RecordPollingActivities.poll_records,
                PollRecords(
                    integration=look.integration,
                    kind=look.kind,
                    side="shop",
                    parent=look.parent,
                    job=look.job or workflow.info().workflow_id,
                ),
                task_queue=names.vendor_queue(look.connection),
                summary=f"look at {what} {look.parent} of {look.connection}",
                **VENDOR_STEP,
            )
            if not self._told:
                return looked


@workflow.defn(name=names.LOOK_AT_PRODUCT)
class LookAtProduct(LookAtRecords):
    @workflow.run
    async def run(self, look: LookAtRecordsInput) -> PolledRecords:
        return await self.look(look, "product")


@workflow.defn(name=names.LOOK_AT_CUSTOMER)
class LookAtCustomer(LookAtRecords):
    @workflow.run
    async def run(self, look: LookAtRecordsInput) -> PolledRecords:
        return await self.look(look, "customer")
