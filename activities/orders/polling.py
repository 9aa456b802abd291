"""Polling: find what changed in a shop and is not settled yet, and start it."""

import functools
from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from temporalio import activity

from activities.access.passage import pass_gate
from activities.collaborators import Collaborators
from activities.heartbeat import beating
from activities.orders.shops import ChangedOrder
from activities.waking import wake_all
from contracts import names
from contracts.configuration import Integration
from contracts.starting import StartRequest
from contracts.steps import Polled, PollOrders

WATERMARK = "orders"


class PollingActivities:
    def __init__(self, parts: Collaborators) -> None:
        self._parts = parts

    @activity.defn(name="poll_orders")
    async def poll_orders(self, poll: PollOrders) -> Polled:
        """Runs on the shop's queue. The watermark advances, by the shop's clock, after every start is confirmed."""
        polled = await pass_gate(
            self._parts, poll.connection, f"Poll of orders ({poll.connection})", functools.partial(self._poll, poll)
        )
        if polled.watermark is not None and poll.since is None and poll.days is None:
            await self._parts.store.watermarks.advance(poll.connection, WATERMARK, polled.watermark)
        return polled

    async def _poll(self, poll: PollOrders) -> Polled:
        integration = self._parts.configuration.integrations_of(poll.connection)[0]
        shop = self._parts.shops[poll.connection]
        seen = started = 0
        read_at = await shop.now()
        since = await self._since(poll, integration, read_at)
        recent: set[ChangedOrder] = set()
        async with beating():
            async for page in shop.changed_orders(since):
                seen += len(page)
                started += await self._start_unsettled(page, integration, poll)
                if poll.days is not None:
                    recent.update(page)
            lowest = _first_placed(recent, since)
            if lowest is not None:
                # Rows that became visible late, or with a stamp that no window of changes ever showed.
                async for page in shop.orders_from(lowest):
                    late = tuple(one for one in page if one not in recent)
                    seen += len(late)
                    started += await self._start_unsettled(late, integration, poll)
        return Polled(seen=seen, started=started, watermark=read_at)

    async def _since(self, poll: PollOrders, integration: Integration, now: datetime) -> datetime:
        if poll.since is not None:
            return poll.since
        if poll.days is not None:
            return now - timedelta(days=poll.days)
        watermark = await self._parts.store.watermarks.get(poll.connection, WATERMARK)
        if watermark is None:
            # The cut-over day begins at most 14 hours before its UTC midnight, in the easternmost zone.
            return datetime.combine(integration.cut_over, datetime.min.time(), ZoneInfo("UTC")) - timedelta(hours=14)
        return watermark - timedelta(seconds=integration.poll.overlap)

    async def _start_unsettled(self, page: tuple[ChangedOrder, ...], integration: Integration, poll: PollOrders) -> int:
        settled = await self._parts.store.documents.settled(
            poll.connection,
            "order",
            [(one.order_id, one.modified_at) for one in page],
            # A sweep also asks after those that have waited for their import since yesterday.
            waiting_since=self._parts.clock() - timedelta(days=1) if poll.days is not None else None,
        )
        unsettled = [one for one in page if one.order_id not in settled]
        requests = [
            StartRequest(
                fresh=True,
                flow=names.ORDER_TO_JOURNAL,
                connection=poll.connection,
                integration=integration.id,
                document_id=one.order_id,
                job=poll.job,
                received_at=self._parts.clock(),
                quiet=integration.imports.quiet_period,
            )
            for one in unsettled
        ]
        starter = self._parts.starter
        await wake_all(
            self._parts.store.wakeups,
            {request.workflow_id: functools.partial(starter.start, request) for request in requests},
        )
        return len(unsettled)


def _first_placed(orders: Iterable[ChangedOrder], since: datetime) -> int | None:
    """The lowest id of what was placed in the window. An old order that changed must not bring all history along."""
    placed = [int(one.order_id) for one in orders if one.placed_at is not None and one.placed_at >= since]
    return min(placed, default=None)
