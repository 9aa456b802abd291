"""The steps of `hooks-health`: the webhooks of a shop are as they should, and what they missed was read."""

import functools

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.access.passage import pass_gate
from activities.collaborators import Collaborators
from activities.failures import CONFIG_PAUSE
from activities.heartbeat import staying_alive
from activities.hooks import counters
from activities.hooks.keeping import Kept, keep_hooks
from activities.hooks.plan import HeaderMissingError, HookPlan, overlap_of, plan_hooks
from contracts import names
from contracts.audit import CONNECTION_KIND
from contracts.configuration import BigCommerceConnection
from contracts.hooks import CloseGap, EnsureHooks, HooksEnsured
from store.rows import AuditEvent


class HooksActivities:
    def __init__(self, parts: Collaborators) -> None:
        self._parts = parts

    @activity.defn(name="ensure_hooks")
    @staying_alive()
    async def ensure_hooks(self, wanted: EnsureHooks) -> HooksEnsured:
        """Runs on the shop's queue. Calls nobody where nobody has said where the gateway is."""
        # Whatever was told until now is covered by the look that follows.
        await self._parts.store.wakeups.take(names.hooks_exception_id(wanted.connection))
        plan = await self._plan(wanted.connection)
        if plan is None:
            return HooksEnsured()
        kept: Kept = await pass_gate(
            self._parts,
            wanted.connection,
            f"Webhooks ({wanted.connection})",
            functools.partial(self._keep, plan, wanted.job),
        )
        return HooksEnsured(down=kept.down, gap_from=kept.gap_from, rest=kept.rest)

    @activity.defn(name="close_gap")
    async def close_gap(self, swept: CloseGap) -> None:
        connection = self._parts.configuration.connection(swept.connection)
        event = AuditEvent(
            tenant=connection.tenant,
            connection=swept.connection,
            kind=CONNECTION_KIND,
            document_id=swept.connection,
            at=self._parts.clock(),
            action="webhook_gap_swept",
            sentence=(
                f"orders that changed from {swept.since:%Y-%m-%d %H:%M:%S} to {swept.until:%Y-%m-%d %H:%M:%S} UTC were "
                f"read: {swept.seen} seen, {swept.started} not settled yet; of refunds {swept.refunds_seen} seen, "
                f"{swept.refunds_started} not settled yet"
            ),
            details=swept.model_dump(include={"seen", "started", "refunds_seen", "refunds_started"}),
            job=swept.job,
        )
        resume = swept.until - overlap_of(self._parts.configuration, swept.connection)
        if await self._parts.store.hooks.close_gap(
            swept.connection, swept.since, swept.until, resume=resume, event=event
        ):
            counters.SWEPT.labels(swept.connection).inc(swept.started + swept.refunds_started)

    async def _plan(self, connection_id: str) -> HookPlan | None:
        connection = self._parts.configuration.connection(connection_id)
        if not isinstance(connection, BigCommerceConnection):
            return None
        try:
            return await plan_hooks(self._parts.store, self._parts.configuration, connection)
        except HeaderMissingError as error:
            raise ApplicationError(str(error), type="Configuration", next_retry_delay=CONFIG_PAUSE) from error

    async def _keep(self, plan: HookPlan, job: str) -> Kept:
        desk = self._parts.shops[plan.connection].hooks
        return await keep_hooks(self._parts.store, desk, plan, job=job, clock=self._parts.clock)
