"""The webhooks of a shop are looked after: what is missing or switched off is healed, and what it missed is read.

A schedule starts this, and the shop itself when it says that deliveries fail. A shop does not repeat what a webhook
that is off has missed, so orders are read from before it was last known to be sound; those that are settled cost
nothing. It takes up to a minute until a webhook that was switched on delivers, so they are read after that.
"""

from datetime import datetime, timedelta

from temporalio import workflow

from contracts import names
from contracts.flow import PollInput
from contracts.hooks import CloseGap, EnsureHooks, HooksChecked, HooksEnsured, HooksHealthInput
from contracts.steps.orders import Polled
from workflows.patience import STORE_STEP, VENDOR_STEP
from workflows.poll_orders import read_changes

with workflow.unsafe.imports_passed_through():
    from activities.hooks.health import HooksActivities


@workflow.defn(name=names.HOOKS_HEALTH)
class HooksHealth:
    def __init__(self) -> None:
        self._told = False

    @workflow.signal(name=names.CHANGED)
    def changed(self) -> None:
        """The shop says once more that deliveries fail."""
        self._told = True

    @workflow.run
    async def run(self, health: HooksHealthInput) -> HooksChecked:
        while True:
            self._told = False
            checked = await self._check(health.connection)
            if not self._told:
                return checked

    async def _check(self, connection: str) -> HooksChecked:
        ensured = await self._ensure(connection)
        if ensured.gap_from is None:
            return HooksChecked(down=ensured.down)
        if ensured.rest:
            await workflow.sleep(timedelta(seconds=ensured.rest), summary=f"until webhooks of {connection} deliver")
        polled = await read_changes(PollInput(connection=connection, since=ensured.gap_from))
        until = polled.watermark or ensured.gap_from
        await self._close(connection, ensured.gap_from, until, polled)
        return HooksChecked(down=ensured.down, swept_from=ensured.gap_from, swept_until=until, started=polled.started)

    async def _ensure(self, connection: str) -> HooksEnsured:
        return await workflow.execute_activity_method(
            HooksActivities.ensure_hooks,
            EnsureHooks(connection=connection, job=workflow.info().workflow_id),
            task_queue=names.vendor_queue(connection),
            summary=f"look after the webhooks of {connection}",
            **VENDOR_STEP,
        )

    async def _close(self, connection: str, since: datetime, until: datetime, polled: Polled) -> None:
        await workflow.execute_activity_method(
            HooksActivities.close_gap,
            CloseGap(
                connection=connection,
                job=workflow.info().workflow_id,
                since=since,
                until=until,
                seen=polled.seen,
                started=polled.started,
                refunds_seen=polled.refunds_seen,
                refunds_started=polled.refunds_started,
            ),
            summary=f"the gap of {connection} is swept",
            **STORE_STEP,
        )
