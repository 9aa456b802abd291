"""A schedule reads what changed in a shop and starts the orders that are not settled yet.

The webhook is a hint, the poll is the proof (design rule 5). The daily sweep reads further back and finds what became
visible late. Both cost one activity; the watermark lives in the store.
"""

from datetime import timedelta

from temporalio import workflow

from contracts import names
from contracts.flow import PollInput
from contracts.steps.orders import Polled, PollOrders
from workflows.patience import VENDOR_RETRY

with workflow.unsafe.imports_passed_through():
    from activities.orders.polling import PollingActivities


async def read_changes(poll: PollInput) -> Polled:
    """Start what changed and is not settled; also from another flow."""
    return await workflow.execute_activity_method(
        PollingActivities.poll_orders,
        PollOrders(connection=poll.connection, job=workflow.info().workflow_id, since=poll.since, days=poll.days),
        task_queue=names.vendor_queue(poll.connection),
        summary=f"read changed orders of {poll.connection}",
        start_to_close_timeout=timedelta(hours=2),
        heartbeat_timeout=timedelta(minutes=2),
        retry_policy=VENDOR_RETRY,
    )


@workflow.defn(name=names.POLL_ORDERS)
class PollOrdersFlow:
    @workflow.run
    async def run(self, poll: PollInput) -> Polled:
        return await read_changes(poll)


@workflow.defn(name=names.SWEEP_ORDERS)
class SweepOrdersFlow:
    @workflow.run
    async def run(self, poll: PollInput) -> Polled:
        return await read_changes(poll)
