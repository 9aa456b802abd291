"""Following: an imported journal is not done until it is posted in the ledger (design rule 14)."""

import asyncio
import time
from functools import partial
from typing import Final

from temporalio import activity

from activities.access.passage import pass_gate
from activities.collaborators import Collaborators
from activities.heartbeat import beating
from activities.journals.closing import fate_events
from activities.journals.importing import document
from activities.journals.ledgers import fate_of, ledger_of
from activities.refunds.telling import tell_related
from activities.trail import job_of
from clients.oracle_fusion.gl_interface import batch_name
from contracts.journal import FateKind
from contracts.steps.groups import FollowPosting, GroupStep, PostingProgress

PATIENCE: Final = 600.0
"""Seconds that the first visit follows. The workflow then pauses and comes back for one look at a time: groups that
wait for a nightly posting must not keep the connection's steps from others."""
LONGEST_INTERVAL: Final = 60.0


class PostedActivities:
    """Runs on the Fusion connection's queue."""

    def __init__(self, parts: Collaborators) -> None:
        self._parts = parts

    @activity.defn(name="follow_posting")
    async def follow_posting(self, wanted: FollowPosting) -> PostingProgress:
        """Reads the group's journals, at the first visit until all of them are posted; records each posting once."""
        step = wanted.step
        settings = self._parts.fusion_connection(step.fusion).journal_import
        if wanted.submit and settings.posting == "job":
            await pass_gate(self._parts, step.fusion, document(step), partial(self._start_posting, step))
        interval, gives_up_at = settings.status_interval, time.monotonic() + (PATIENCE if wanted.submit else 0.0)
        # An attempt before this one may have died between recording a posting and telling of it.
        tell_all = activity.info().attempt > 1
        async with beating():
            while True:
                progress = await self._record_posted(step, tell_all=tell_all)
                tell_all = False
                if not progress.unposted or time.monotonic() + interval > gives_up_at:
                    return progress
                await asyncio.sleep(interval)
                interval = min(interval * 1.5, max(LONGEST_INTERVAL, settings.status_interval))

    async def _record_posted(self, step: GroupStep, *, tell_all: bool) -> PostingProgress:
        groups = self._parts.store.groups
        members = await groups.members(step.group_id)
        ours = [one for one in members if one.fate in (FateKind.IMPORTED, FateKind.POSTED)]
        waiting = {one.reference for one in ours if one.fate == FateKind.IMPORTED}
        if not waiting:
            return PostingProgress(total=len(ours), unposted=0)
        journals = await pass_gate(
            self._parts,
            step.fusion,
            document(step),
            partial(self._parts.fusions[step.fusion].journals, batch_name(step.group_id)),
        )
        now = self._parts.clock()
        posted = [
            fate_of(step, journal, FateKind.POSTED, now)
            for journal in journals
            if journal.posted and journal.reference in waiting
        ]
        recorded = await groups.record_fates(
            step.group_id, posted, now, events=fate_events(self._parts, members, posted)
        )
        if len(posted) < len(waiting):
            done = {fate.reference for fate in recorded.applied}
            if tell_all:
                done |= {one.reference for one in ours if one.fate == FateKind.POSTED}
            await tell_related(self._parts, (one.key for one in members if one.reference in done), job_of(""))
        return PostingProgress(total=len(ours), unposted=len(waiting) - len(posted))

    async def _start_posting(self, step: GroupStep) -> None:
        ledger = await ledger_of(self._parts, step)
        await self._parts.fusions[step.fusion].submit_posting(
            ledger=ledger.facts,
            source_id=ledger.source_id,
            data_access_set_id=ledger.data_access_set_id,
            group_id=step.group_id,
        )
