"""The steps of `alignment`: each side is compared on its own queue, and what both found is kept."""

from collections.abc import Awaitable, Callable

import structlog
from temporalio import activity

from activities.access.passage import pass_gate
from activities.alignment import counters
from activities.alignment.keeping import kept_row, told
from activities.alignment.sides import compare_pod, compare_shop
from activities.collaborators import Collaborators
from activities.heartbeat import staying_alive
from contracts.alignment import AlignmentKept, CompareSide, KeepAlignment, SideCompared, together
from contracts.configuration import Integration

_log = structlog.stdlib.get_logger(__name__)


class AlignmentActivities:
    def __init__(self, parts: Collaborators) -> None:
        self._parts = parts

    @activity.defn(name="compare_shop")
    @staying_alive()
    async def compare_shop(self, wanted: CompareSide) -> SideCompared:
        """Runs on the shop's queue."""
        integration = self._integration(wanted)
        shop, today = self._parts.shops[integration.source], self._parts.clock().date()
        return await self._pass(
            integration.source, lambda: compare_shop(self._parts.configuration, integration, shop, today)
        )

    @activity.defn(name="compare_pod")
    @staying_alive()
    async def compare_pod(self, wanted: CompareSide) -> SideCompared:
        """Runs on the pod's queue."""
        integration = self._integration(wanted)
        pod, today = self._parts.fusions[integration.fusion], self._parts.clock().date()
        return await self._pass(
            integration.fusion, lambda: compare_pod(self._parts.configuration, integration, pod, today)
        )

    @activity.defn(name="keep_alignment")
    async def keep_alignment(self, found: KeepAlignment) -> AlignmentKept:
        """What was found is on record, in the audit trail and in the metrics; what is new is logged."""
        integration = self._parts.configuration.integration(found.integration)
        before = await self._parts.store.alignments.of(integration.id)
        row = kept_row(integration, together(found.shop, found.pod), before, job=found.job, at=self._parts.clock())
        if not await self._parts.store.alignments.put(row.row, told(row)):
            return AlignmentKept(misaligned=row.row.misaligned)
        outcome = "misaligned" if row.row.misaligned else "unread" if row.row.unread else "aligned"
        counters.COMPARISONS.labels(integration.id, outcome).inc()
        for one in row.new:
            counters.NEW.labels(integration.id, one.kind.value).inc()
            _log.warning(
                "shop, books and pod do not fit", integration=integration.id, kind=one.kind.value, sentence=one.sentence
            )
        return AlignmentKept(misaligned=row.row.misaligned, new=len(row.new))

    def _integration(self, wanted: CompareSide) -> Integration:
        return self._parts.configuration.integration(wanted.integration)

    async def _pass(self, connection: str, call: Callable[[], Awaitable[SideCompared]]) -> SideCompared:
        return await pass_gate(self._parts, connection, f"Alignment ({connection})", call)
