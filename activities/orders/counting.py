"""Counting: the orders that a shop lists as to be posted, against what is known of them here. What is lost is started.

Loss is measured from the source: orders are listed by id, not by change, so neither a lost webhook, nor a poll that has
stopped, nor a watermark that is wrong, nor a change that no list of changes ever showed hides an order from the count.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import Final

import structlog
from temporalio import activity

from activities.access.passage import pass_gate
from activities.collaborators import Collaborators
from activities.heartbeat import remembering
from activities.orders import counters
from activities.orders.tally import Verdict, in_words, is_edited, is_passed_over, known_verdict, tallied
from activities.orders.under_way import poll_interval, under_way
from activities.trail import KIND
from activities.waking import wake_all
from contracts import names
from contracts.loss import COUNTED, FOUND, INTEGRATION_KIND, CountLoss, CountProgress, LossCounted, OrderTally
from contracts.sale import ListedOrder
from contracts.starting import StartRequest
from mapping.bigcommerce import listed_as_postable
from store.rows import AuditEvent, LossCount

EASTERNMOST: Final = timedelta(hours=14)
"""A day begins at most so long before its UTC midnight."""
WAITED: Final = timedelta(hours=1)
"""What has been on its way for longer is believed when its workflow runs."""

_log = structlog.stdlib.get_logger(__name__)


class CountingActivities:
    def __init__(self, parts: Collaborators) -> None:
        self._parts = parts

    @activity.defn(name="count_loss")
    async def count_loss(self, wanted: CountLoss) -> LossCounted:
        """Runs on the shop's queue. One call for every 250 orders, and one page of them in memory.

        An attempt goes on where the one before it was last heard of. What that one had started since is on record.
        """
        count = _Count(self._parts, wanted)
        if activity.info().attempt > 1:
            await count.recall()
        await pass_gate(self._parts, wanted.connection, f"Count of orders ({wanted.connection})", count.read)
        return await count.conclude()


class _Count:
    """One count, whose progress outlives an outage."""

    def __init__(self, parts: Collaborators, wanted: CountLoss) -> None:
        self._parts = parts
        self._wanted = wanted
        self._integration = parts.configuration.integration(wanted.integration)
        self._progress = _heard_of()
        self._missing: set[str] = set()
        self._edited: set[str] = set()
        """What this count has found and started, also where nobody heard how far it came: it is on its way by now."""

    async def recall(self) -> None:
        """What earlier attempts have found and started."""
        events = await self._parts.store.audit.of(self._wanted.connection, INTEGRATION_KIND, self._integration.id)
        for event in events:
            if (event.action, event.job) == (FOUND, self._wanted.job):
                self._missing.update(event.details["missing"])
                self._edited.update(event.details["edited"])

    async def read(self) -> None:
        shop = self._parts.shops[self._wanted.connection]
        async with remembering(lambda: [self._progress.model_dump(mode="json")] if self._progress else []):
            if self._progress is None:
                self._progress = await self._begin(await shop.now())
            async for page in shop.placed_orders(self._progress.since, self._progress.next_id):
                self._progress = await self._count(page, self._progress)

    async def conclude(self) -> LossCounted:
        """What was counted is on record, in the audit trail and in the metrics."""
        done = self._progress
        if done is None:
            raise RuntimeError("a count that never began has no end")
        total = OrderTally()
        for tally in done.stores.values():
            total = total.plus(tally)
        rows = await self._rows(done)
        await self._parts.store.loss_counts.put(self._integration.id, rows, self._event(rows, total, done))
        for row in rows:
            counters.MISSING.labels(row.integration, row.channel).inc(row.missing)
            counters.STILL_MISSING.labels(row.integration, row.channel).inc(row.still_missing)
            counters.EDITED.labels(row.integration, row.channel).inc(row.edited)
        counters.COUNTS.labels(self._integration.id, "missing" if total.missing else "complete").inc()
        if total.missing:
            _log.warning("orders were missing and have been started", integration=self._integration.id, **_told(total))
        return LossCounted(since=done.since, **total.model_dump())

    async def _begin(self, read_at: datetime) -> CountProgress:
        policy = self._integration.loss_count
        window = datetime.combine((read_at - timedelta(days=policy.days)).date(), time(), UTC)
        cut_over = datetime.combine(self._integration.cut_over, time(), UTC) - EASTERNMOST
        patience = await poll_interval(self._parts.temporal, self._wanted.connection) + timedelta(
            seconds=policy.patience
        )
        return CountProgress(since=max(window, cut_over), read_at=read_at, judged_until=read_at - patience)

    async def _count(self, page: Sequence[ListedOrder], progress: CountProgress) -> CountProgress:
        listed = {one.order_id: one for one in page if self._is_postable(one)}
        loss_counts = self._parts.store.loss_counts
        known = await loss_counts.known(self._wanted.connection, KIND, listed)
        waiting_since = self._parts.clock() - WAITED
        verdicts: dict[str, Verdict] = {}
        unknown: list[ListedOrder] = []
        for one in listed.values():
            verdict = known_verdict(one, known.get(one.order_id), waiting_since)
            if one.order_id in self._missing:
                verdicts[one.order_id] = Verdict.MISSING
            elif verdict is not None:
                verdicts[one.order_id] = verdict
            elif one.modified_at > progress.judged_until:
                verdicts[one.order_id] = Verdict.RECENT
            else:
                unknown.append(one)
        if unknown:
            verdicts |= await self._looked_for(unknown, waiting_since)
        edited = frozenset(
            one.order_id
            for one in listed.values()
            if one.order_id in self._edited or is_edited(one, known.get(one.order_id), progress.judged_until)
        )
        missing = frozenset(order_id for order_id, verdict in verdicts.items() if verdict is Verdict.MISSING)
        await self._record(missing - self._missing, edited - self._edited)
        await self._start(sorted(missing | edited))
        return tallied(progress, page, verdicts, edited)

    async def _record(self, missing: frozenset[str], edited: frozenset[str]) -> None:
        """Before they are started: afterwards nothing tells them from what was never missing."""
        if not missing and not edited:
            return
        event = AuditEvent(
            tenant=self._integration.tenant,
            connection=self._wanted.connection,
            kind=INTEGRATION_KIND,
            document_id=self._integration.id,
            at=self._parts.clock(),
            action=FOUND,
            sentence=f"{len(missing):,} missing and {len(edited):,} edited unseen are started",
            details={"missing": sorted(missing), "edited": sorted(edited)},
            job=self._wanted.job,
        )
        await self._parts.store.audit.append([event])
        self._missing |= missing
        self._edited |= edited

    def _is_postable(self, order: ListedOrder) -> bool:
        return listed_as_postable(order, self._integration.posting, self._integration.cut_over)

    async def _looked_for(self, orders: Sequence[ListedOrder], waiting_since: datetime) -> dict[str, Verdict]:
        """Of orders that their documents do not account for."""
        ids = [one.order_id for one in orders]
        running = await under_way(self._parts.temporal, self._integration.id, self._wanted.connection, ids)
        verdicts = dict.fromkeys(running, Verdict.WAITING)
        idle = [one for one in orders if one.order_id not in running]
        place = (self._wanted.connection, KIND, [one.order_id for one in idle])
        # A run that has ended since the store was asked left its document behind.
        known = await self._parts.store.loss_counts.known(*place)
        booked = await self._parts.store.loss_counts.in_the_ledger(*place)
        for one in idle:
            verdict = known_verdict(one, known.get(one.order_id), waiting_since)
            if verdict is None:
                # What is in the ledger of one that was skipped or taken back is not the version that the shop has now.
                passed_over = is_passed_over(known.get(one.order_id))
                verdict = Verdict.POSTED if one.order_id in booked and not passed_over else Verdict.MISSING
            verdicts[one.order_id] = verdict
        return verdicts

    async def _start(self, ids: Sequence[str]) -> None:
        requests = [
            StartRequest(
                fresh=True,
                flow=names.ORDER_TO_JOURNAL,
                connection=self._wanted.connection,
                integration=self._integration.id,
                document_id=order_id,
                job=self._wanted.job,
                received_at=self._parts.clock(),
            )
            for order_id in ids
        ]
        starter = self._parts.starter
        await wake_all(self._parts.store.wakeups, {one.workflow_id: partial(starter.start, one) for one in requests})

    async def _rows(self, done: CountProgress) -> list[LossCount]:
        """Every store of the integration, also one without orders, and those that only the shop knows of."""
        before = {row.channel: row for row in await self._parts.store.loss_counts.newest(self._integration.id)}
        at = self._parts.clock()
        channels = dict.fromkeys([*(one.id for one in self._integration.channels), *sorted(done.stores)])
        rows = []
        for channel in channels:
            missing = done.missing.get(channel, ())
            earlier = before.get(channel)
            rows.append(
                LossCount(
                    tenant=self._integration.tenant,
                    integration=self._integration.id,
                    connection=self._wanted.connection,
                    channel=channel,
                    since=done.since,
                    at=at,
                    job=self._wanted.job,
                    missing_ids=missing,
                    still_missing=_still(missing, earlier, self._wanted.job),
                    **done.stores.get(channel, OrderTally()).model_dump(),
                )
            )
        return rows

    def _event(self, rows: Sequence[LossCount], total: OrderTally, done: CountProgress) -> AuditEvent:
        stores = {row.channel: {**_told(row), "missing_ids": list(row.missing_ids)} for row in rows}
        return AuditEvent(
            tenant=self._integration.tenant,
            connection=self._wanted.connection,
            kind=INTEGRATION_KIND,
            document_id=self._integration.id,
            at=self._parts.clock(),
            action=COUNTED,
            sentence=f"orders placed since {done.since:%Y-%m-%d %H:%M} UTC: {in_words(total)}",
            details={"since": done.since.isoformat(), "read_at": done.read_at.isoformat(), "stores": stores},
            job=self._wanted.job,
        )


def _told(tally: OrderTally) -> dict[str, int]:
    return {name: getattr(tally, name) for name in OrderTally.model_fields}


def _still(missing: Sequence[str], earlier: LossCount | None, job: str) -> int:
    if earlier is None or earlier.job == job:
        return 0 if earlier is None else earlier.still_missing
    return len(set(missing) & set(earlier.missing_ids))


def _heard_of() -> CountProgress | None:
    details = activity.info().heartbeat_details
    return CountProgress.model_validate(details[0]) if details else None
