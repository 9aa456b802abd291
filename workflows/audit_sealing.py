"""A schedule seals each tenant's audit trail: what happened since the last time is chained to what was sealed before.

The result of every run names the newest seal, and the next run hands it on: so Temporal remembers outside the store
how far the chain had come, and a chain that was cut back is noticed.
"""

from datetime import timedelta

from temporalio import workflow

from contracts import names
from contracts.audit import AuditSealed, AuditSealingInput, SealAudit
from workflows.patience import STORE_RETRY

with workflow.unsafe.imports_passed_through():
    from activities.audit_sealing import AuditSealingActivities


@workflow.defn(name=names.AUDIT_SEALING)
class AuditSealing:
    @workflow.run
    async def run(self, sealing: AuditSealingInput) -> AuditSealed:
        before = workflow.get_last_completion_result(AuditSealed)
        return await workflow.execute_activity_method(
            AuditSealingActivities.seal_audit,
            SealAudit(tenant=sealing.tenant, job=workflow.info().workflow_id, known=before.head if before else None),
            summary=f"seal the audit trail of {sealing.tenant}",
            start_to_close_timeout=timedelta(minutes=10),
            schedule_to_close_timeout=timedelta(hours=1),
            heartbeat_timeout=timedelta(minutes=1),
            retry_policy=STORE_RETRY,
        )
