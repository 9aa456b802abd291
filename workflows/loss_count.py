"""A schedule counts the orders that a shop lists as to be posted against what is known of them here.

What nobody announced and no poll has found is started at once, so that a loss heals itself, and is told of.
"""

from datetime import timedelta

from temporalio import workflow

from contracts import names
from contracts.loss import CountLoss, LossCounted, LossCountInput
from workflows.patience import VENDOR_RETRY

with workflow.unsafe.imports_passed_through():
    from activities.orders.counting import CountingActivities


@workflow.defn(name=names.LOSS_COUNT)
class LossCountFlow:
    @workflow.run
    async def run(self, count: LossCountInput) -> LossCounted:
        return await workflow.execute_activity_method(
            CountingActivities.count_loss,
            CountLoss(integration=count.integration, connection=count.connection, job=workflow.info().workflow_id),
            task_queue=names.vendor_queue(count.connection),
            summary=f"count the orders of {count.connection} against what was posted",
            start_to_close_timeout=timedelta(hours=2),
            heartbeat_timeout=timedelta(minutes=2),
            retry_policy=VENDOR_RETRY,
        )
