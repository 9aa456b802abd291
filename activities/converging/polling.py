"""Polling: find records that one side shows otherwise than was agreed, and start them."""

import functools

from temporalio import activity

from activities.access.passage import pass_gate
from activities.collaborators import Collaborators
from activities.converging.desks import Page
from activities.converging.policies import connection_of, desk_of, policy_of
from activities.heartbeat import beating, staying_alive
from activities.waking import wake_all
from contracts import names
from contracts.configuration import Integration
from contracts.converging import PolledRecords, PollRecords, SeenRecord
from contracts.model import Instant
from contracts.ownership import OTHER
from contracts.record_ids import record_id, text_of
from contracts.starting import StartRequest
from mapping.ownership import digests_of
from store.agreements import noted
from store.rows import Agreement


def watermark_name(integration: str, kind: str, side: str) -> str:
    """Of how far a side was read: integrations of one pod read it each for themselves."""
    return f"{kind}:{side}:{integration}"[:80]


class RecordPollingActivities:
    def __init__(self, parts: Collaborators) -> None:
        self._parts = parts

    @activity.defn(name="poll_records")
    @staying_alive()
    async def poll_records(self, poll: PollRecords) -> PolledRecords:
        """Runs on the queue of the side that is read. Its watermark advances, by that side's clock, after every start
        is confirmed."""
        integration = self._parts.configuration.integration(poll.integration)
        if not policy_of(integration, poll.kind).enabled:
            # Switched off while this waited.
            return PolledRecords(seen=0, started=0)
        connection = connection_of(integration, poll.side)
        title = f"Poll of {poll.kind}s ({connection})"
        return await pass_gate(self._parts, connection, title, functools.partial(self._poll, poll, integration))

    async def _poll(self, poll: PollRecords, integration: Integration) -> PolledRecords:
        desk = desk_of(self._parts, integration, poll.kind, poll.side)
        if poll.parent:
            # Taken before the first byte is read, so a later announcement starts another look.
            await self._parts.store.wakeups.take(names.flow_id(names.LOOKS[poll.kind], integration.source, poll.parent))
            found = await desk.parts_of(poll.parent)
            return await self._look_at_parts(poll, integration, found)
        connection = connection_of(integration, poll.side)
        mark = watermark_name(poll.integration, poll.kind, poll.side)
        watermarks = self._parts.store.watermarks
        since = None if poll.whole else await watermarks.get(connection, mark)
        seen = started = 0
        there: set[str] = set()
        reached: Instant | None = None
        async with beating():
            async for page in desk.changed(since, whole=poll.whole):
                seen += len(page.records) + len(page.unread)
                if poll.whole:
                    there.update(record_id(one.name) for one in page.records if one.name)
                started += await self._start_changed(poll, integration, page)
                if page.reached is not None:
                    reached = page.reached
                    if not poll.whole:
                        reached = await watermarks.advance(connection, mark, page.reached)
            if poll.whole and poll.side == "shop":
                started += await self._start_gone(poll, integration, there)
        return PolledRecords(seen=seen, started=started, watermark=reached)

    async def _start_gone(self, poll: PollRecords, integration: Integration, there: set[str]) -> int:
        """What the shop had and a whole reading did not bring: no window of changes shows what was deleted."""
        gone: list[str] = []
        async for one in self._parts.store.agreements.every(integration.source, poll.kind):
            if one.digests.shop and one.id not in there:
                gone.append(one.id)
        return await self._start(poll, integration, gone)

    async def _look_at_parts(
        self, poll: PollRecords, integration: Integration, found: tuple[SeenRecord, ...]
    ) -> PolledRecords:
        """What the shop's record has now, and what it had: that is gone, or known by another name."""
        started = await self._start_changed(poll, integration, Page(found))
        there = {record_id(one.name) for one in found}
        before = await self._parts.store.agreements.parts_of(integration.source, poll.kind, poll.parent)
        gone = [one for one in before if one.id not in there and one.digests.shop]
        started += await self._start(poll, integration, [one.id for one in gone])
        return PolledRecords(seen=len(found), started=started)

    async def _start_changed(self, poll: PollRecords, integration: Integration, page: Page) -> int:
        shown = {record_id(one.name): one for one in page.records if one.name}
        known = await self._parts.store.agreements.of(integration.source, poll.kind, shown)
        changed = {
            one: seen for one, seen in shown.items() if self._is_news(poll, integration, one, seen, known.get(one))
        }
        # Back to what both sides had agreed on is no news of the record, and settles what a person was asked about it.
        asked = await self._parts.store.documents.in_review_among(
            integration.source, poll.kind, known.keys() - changed.keys()
        )
        changed |= {one: shown[one] for one in asked}
        started = {one: seen.name for one, seen in changed.items()} | {record_id(name): name for name in page.unread}
        # An id that is a hash says no name: it is kept before anybody asks for it.
        hashed = {one: name for one, name in started.items() if text_of(one) is None and one not in known}
        await self._parts.store.agreements.note(
            noted(integration.tenant, integration.id, integration.source, poll.kind, hashed)
        )
        return await self._start(poll, integration, list(started))

    def _is_news(
        self, poll: PollRecords, integration: Integration, one: str, seen: SeenRecord, known: Agreement | None
    ) -> bool:
        if known is not None:
            salt = f"{integration.tenant}/{integration.source}/{poll.kind}/{one}"
            return known.digests.of(poll.side) != digests_of(salt, seen)
        # Of what Fusion alone has a shop can have thousands; where the shop has one, its own poll finds it.
        if poll.side == "shop":
            return not seen.unfit
        return policy_of(integration, poll.kind).makes(OTHER[poll.side]) and not seen.unfit

    async def _start(self, poll: PollRecords, integration: Integration, ids: list[str]) -> int:
        requests = [
            StartRequest(
                fresh=True,
                flow=names.FLOWS[poll.kind],
                connection=integration.source,
                integration=integration.id,
                document_id=one,
                job=poll.job,
                received_at=self._parts.clock(),
                quiet=integration.imports.quiet_period,
            )
            for one in ids
        ]
        starter = self._parts.starter
        await wake_all(
            self._parts.store.wakeups,
            {request.workflow_id: functools.partial(starter.start, request) for request in requests},
        )
        return len(requests)
