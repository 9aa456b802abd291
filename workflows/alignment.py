"""A schedule compares a shop and a pod with the books and rules between them, and keeps what does not fit."""

import asyncio

from temporalio import workflow

from contracts import names
from contracts.alignment import AlignmentInput, AlignmentKept, CompareSide, KeepAlignment
from workflows.patience import STORE_STEP, VENDOR_STEP

with workflow.unsafe.imports_passed_through():
    from activities.alignment.comparing import AlignmentActivities


@workflow.defn(name=names.ALIGNMENT)
class Alignment:
    @workflow.run
    async def run(self, wanted: AlignmentInput) -> AlignmentKept:
        side = CompareSide(integration=wanted.integration)
        shop, pod = await asyncio.gather(
            workflow.execute_activity_method(
                AlignmentActivities.compare_shop,
                side,
                task_queue=names.vendor_queue(wanted.connection),
                summary=f"channels and categories of {wanted.connection}",
                **VENDOR_STEP,
            ),
            workflow.execute_activity_method(
                AlignmentActivities.compare_pod,
                side,
                task_queue=names.vendor_queue(wanted.fusion),
                summary=f"segment values and business units of {wanted.fusion}",
                **VENDOR_STEP,
            ),
        )
        return await workflow.execute_activity_method(
            AlignmentActivities.keep_alignment,
            KeepAlignment(integration=wanted.integration, job=workflow.info().workflow_id, shop=shop, pod=pod),
            summary=f"keep what does not fit of {wanted.integration}",
            **STORE_STEP,
        )
