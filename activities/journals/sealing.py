"""Sealing: staged journals become a group when the oldest is old enough or enough of them wait."""

from typing import Final

from temporalio import activity

from activities import epochs
from activities.collaborators import Collaborators
from contracts.steps.groups import GroupStep, SealedGroup, SealGroup
from store.rows import GroupState

ASKED_AGAIN: Final = 5.0
"""Seconds: a seal cannot be told from one before a restore, so the keeper's word must be fresh."""


class SealingActivities:
    def __init__(self, parts: Collaborators) -> None:
        self._parts = parts

    @activity.defn(name="seal_group")
    async def seal_group(self, wanted: SealGroup) -> SealedGroup:
        """Seals at most one group. A group that is still under way comes back first: never two at once."""
        journals, groups = self._parts.store.journals, self._parts.store.groups
        await self._parts.store.wakeups.take(wanted.workflow_id)
        if behind := await self._parts.epochs.behind(wanted.epoch, at_most=ASKED_AGAIN):
            return SealedGroup(behind=behind, due_in=epochs.REST.total_seconds())
        for group in await groups.open_groups(wanted.fusion, wanted.ledger, wanted.source):
            if group.state is not GroupState.REVIEW:
                return SealedGroup(group_id=group.group_id, journals=group.count, epoch=group.epoch)
        pending = await journals.pending(wanted.fusion, wanted.ledger, wanted.source)
        if pending.oldest is None:
            return SealedGroup()
        now = self._parts.clock()
        due_in = wanted.flush_after - (now - pending.oldest).total_seconds()
        if due_in > 0 and pending.count < min(wanted.limit, wanted.flush_count):
            return SealedGroup(due_in=due_in)
        group_id = await groups.seal(wanted.fusion, wanted.ledger, wanted.source, limit=wanted.limit, now=now)
        if group_id is None:
            return SealedGroup()
        sealed = await groups.group(group_id)
        return SealedGroup(group_id=group_id, journals=sealed.count, epoch=sealed.epoch)

    @activity.defn(name="keeps_its_slot")
    async def keeps_its_slot(self, step: GroupStep) -> bool:
        """Whether this group still keeps others of its ledger and journal source from being imported."""
        group = await self._parts.store.groups.group(step.group_id)
        return group.state not in (GroupState.REVIEW, GroupState.CLOSED)
