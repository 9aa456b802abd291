"""Polling: find what changed in a shop, or was given back, and is not settled yet, and start it."""

import functools
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from temporalio import activity

from activities.access.passage import pass_gate
from activities.collaborators import Collaborators
from activities.heartbeat import beating
from activities.orders.shops import ChangedOrder
from activities.waking import wake_all
from contracts import names
from contracts.configuration import Integration
from contracts.id_set import IdSet
from contracts.starting import StartRequest
from contracts.steps.orders import Polled, PollOrders

WATERMARK = "orders"
REFUNDS = "refunds"
"""Name of the watermark of refunds: how far they were read tells nothing of orders."""


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
            for name in (WATERMARK, REFUNDS):
                await self._parts.store.watermarks.advance(poll.connection, name, polled.watermark)
        return polled

    async def _poll(self, poll: PollOrders) -> Polled:
        integration = self._parts.configuration.integrations_of(poll.connection)[0]
        shop = self._parts.shops[poll.connection]
        read_at = await shop.now()
        since = await self._since(poll, integration, WATERMARK, read_at)
        async with beating():
            if poll.days is None:
                seen = started = 0
                async for page in shop.changed_orders(since):
                    seen += len(page)
                    started += len(await self._start_unsettled(page, integration, poll))
            else:
                sweep = _Sweep(since, read_at)
                async for page in shop.changed_orders(since):
                    sweep.started(await self._start_unsettled(sweep.changed(page), integration, poll))
                if sweep.lowest is not None:
                    # Rows that became visible late, or with a stamp that no window of changes ever showed.
                    async for page in shop.orders_from(sweep.lowest):
                        sweep.started(await self._start_unsettled(sweep.late(page), integration, poll))
                seen, started = sweep.seen, sweep.starts
            # After the orders: a refund whose order was just started finds it under way.
            refunds = refunds_started = 0
            async for made in shop.refunds_since(await self._since(poll, integration, REFUNDS, read_at)):
                refunds += len(made)
                versions = [(one.refund_id, one.created_at) for one in made]
                orders = {one.refund_id: one.order_id for one in made}
                # A refund has no stamp of its changes, and one that was posted may be declined afterwards.
                declined = frozenset(one.refund_id for one in made if one.declined)
                refunds_started += len(
                    await self._start(names.REFUND, versions, integration, poll, anew=declined, parents=orders)
                )
        return Polled(
            seen=seen,
            started=started,
            refunds_seen=refunds,
            refunds_started=refunds_started,
            watermark=read_at,
        )

    async def _since(self, poll: PollOrders, integration: Integration, name: str, now: datetime) -> datetime:
        if poll.since is not None:
            return poll.since
        if poll.days is not None:
            return now - timedelta(days=poll.days)
        watermark = await self._parts.store.watermarks.get(poll.connection, name)
        if watermark is None:
            # The cut-over day begins at most 14 hours before its UTC midnight, in the easternmost zone.
            return datetime.combine(integration.cut_over, datetime.min.time(), ZoneInfo("UTC")) - timedelta(hours=14)
        return watermark - timedelta(seconds=integration.poll.overlap)

    async def _start_unsettled(
        self, page: Sequence[ChangedOrder], integration: Integration, poll: PollOrders
    ) -> list[str]:
        versions = [(one.order_id, one.modified_at) for one in page]
        return await self._start(names.ORDER, versions, integration, poll)

    async def _start(
        self,
        kind: str,
        versions: Sequence[tuple[str, datetime]],
        integration: Integration,
        poll: PollOrders,
        *,
        anew: Collection[str] = (),
        parents: Mapping[str, str] = MappingProxyType({}),
    ) -> list[str]:
        """Starts the documents (id, stamp) that are not settled, and those that are to be looked at `anew`; gives their
        ids. `parents`: by id, what a document belongs to."""
        settled = await self._parts.store.documents.settled(
            poll.connection,
            kind,
            versions,
            # A sweep also asks after those that have waited for their import since yesterday.
            waiting_since=self._parts.clock() - timedelta(days=1) if poll.days is not None else None,
        )
        unsettled = [document_id for document_id, _ in versions if document_id not in settled or document_id in anew]
        requests = [
            StartRequest(
                fresh=True,
                flow=names.FLOWS[kind],
                connection=poll.connection,
                integration=integration.id,
                document_id=document_id,
                parent_id=parents.get(document_id),
                job=poll.job,
                received_at=self._parts.clock(),
                quiet=integration.imports.quiet_period,
            )
            for document_id in unsettled
        ]
        starter = self._parts.starter
        await wake_all(
            self._parts.store.wakeups,
            {request.workflow_id: functools.partial(starter.start, request) for request in requests},
        )
        return unsettled


class _Sweep:
    """What the second pass of a sweep has to know of the first: a bit or two for each order, whatever their number.

    What is settled needs no memory, the store is asked again. What was started may still be under way: its run reads
    the shop later than the sweep began, so it is started again only for a change that came after that.
    """

    def __init__(self, since: datetime, read_at: datetime) -> None:
        self._since = since
        self._read_at = read_at
        self._known = IdSet()
        self._woken = IdSet()
        self.seen = 0
        """Orders, however often they were listed."""
        self.starts = 0
        self.lowest: int | None = None
        """The lowest id placed in the window: an old order that changed must not bring all history along."""

    def changed(self, page: Sequence[ChangedOrder]) -> Sequence[ChangedOrder]:
        """A page of the first pass: all of it."""
        for one in page:
            number = int(one.order_id)
            self._count(number)
            placed_in_window = one.placed_at is not None and one.placed_at >= self._since
            if placed_in_window and (self.lowest is None or number < self.lowest):
                self.lowest = number
        return page

    def late(self, page: Sequence[ChangedOrder]) -> Sequence[ChangedOrder]:
        """A page of the second pass, without what this sweep has started in the version that is listed now."""
        for one in page:
            self._count(int(one.order_id))
        return [one for one in page if one.modified_at > self._read_at or int(one.order_id) not in self._woken]

    def started(self, order_ids: Sequence[str]) -> None:
        self.starts += len(order_ids)
        for order_id in order_ids:
            self._woken.add(int(order_id))

    def _count(self, number: int) -> None:
        if number not in self._known:
            self._known.add(number)
            self.seen += 1
