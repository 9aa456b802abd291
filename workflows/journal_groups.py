"""Staged journals of one ledger and journal source are sealed into groups and imported one group at a time.

Started by the first journal that is staged; ends when nothing waits any more. A group is sealed when its oldest
journal is `flush_after` seconds old or `flush_count` journals wait.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

from contracts import names
from contracts.flow import JournalGroupsInput, JournalImportInput, Released
from contracts.steps.groups import GroupStep, SealedGroup, SealGroup
from workflows.journal_import import JournalImport
from workflows.patience import LOCAL_STEP

with workflow.unsafe.imports_passed_through():
    from activities.journals.sealing import SealingActivities

LOOK_AGAIN = timedelta(minutes=30)
"""While an import is under way: how long until we look whether it still is."""
LOOK_SOON = timedelta(seconds=10)
"""The same at first, when somebody else started it: one that has told already, before the store was restored, tells
nobody again. Also how long an import that has let go by the store is heard out."""

HEARD_OUT = "import-heard-out"
"""Runs without this change take the store's word alone."""


@workflow.defn(name=names.JOURNAL_GROUPS)
class JournalGroups:
    @workflow.init
    def __init__(self, groups: JournalGroupsInput) -> None:
        self.staged = 0
        self.full = False
        self.released: dict[int, Released] = {}
        self.doing = "waiting for journals"
        self.epoch = groups.epoch

    @workflow.run
    async def run(self, groups: JournalGroupsInput) -> None:
        limit = groups.limit or groups.flush_count
        while True:
            seen = self.staged
            sealed = await self._seal(groups, limit)
            if sealed.behind:
                self.doing = sealed.behind
                await workflow.sleep(sealed.due_in or 1, summary="until the store is recovered")
            elif sealed.group_id is not None:
                released = await self._import(groups, sealed)
                limit = max(1, released.unexplained // 2) if released.unexplained else groups.flush_count
            elif sealed.due_in is not None:
                await self._wait_until_due(sealed.due_in)
            elif self.staged == seen:
                return
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(groups.model_copy(update={"limit": limit, "epoch": self.epoch}))

    async def _seal(self, groups: JournalGroupsInput, limit: int) -> SealedGroup:
        self.full = False
        sealed = await workflow.execute_local_activity_method(
            SealingActivities.seal_group,
            SealGroup(
                fusion=groups.fusion,
                ledger=groups.ledger,
                source=groups.source,
                flush_after=groups.flush_after,
                flush_count=groups.flush_count,
                limit=limit,
                workflow_id=workflow.info().workflow_id,
                epoch=self.epoch,
            ),
            summary="seal a journal group if one is due",
            **LOCAL_STEP,
        )
        self.epoch = max(self.epoch, sealed.epoch)
        return sealed

    async def _wait_until_due(self, seconds: float) -> None:
        self.doing = "waiting for the group to fill or fall due"
        try:
            await workflow.wait_condition(lambda: self.full, timeout=timedelta(seconds=seconds))
        except TimeoutError:
            return

    async def _import(self, groups: JournalGroupsInput, sealed: SealedGroup) -> Released:
        """Never two imports at once per ledger and source: go on only when this one has let go of it."""
        group_id = sealed.group_id or 0
        self.doing = f"importing group {group_id}, {sealed.journals} journals"
        pause = LOOK_SOON
        while True:
            if await self._start_import(groups, group_id, sealed.journals):
                pause = LOOK_AGAIN
            await self._wait_for_release(group_id, pause)
            pause = min(pause * 2, LOOK_AGAIN)
            if group_id in self.released:
                return self.released.pop(group_id)
            # Signals are not lost, but their sender may have been terminated: then it is started again.
            if not await self._keeps_its_slot(groups, group_id):
                return await self._hear_out(group_id)

    async def _start_import(self, groups: JournalGroupsInput, group_id: int, journals: int) -> bool:
        """Whether it was not under way already."""
        try:
            await workflow.start_child_workflow(
                JournalImport.run,
                JournalImportInput(
                    fusion=groups.fusion,
                    ledger=groups.ledger,
                    source=groups.source,
                    group_id=group_id,
                    groups_workflow=workflow.info().workflow_id,
                    epoch=self.epoch,
                ),
                id=names.journal_import_id(groups.fusion, groups.ledger, group_id),
                # It follows its journals until they are posted, long after this workflow has gone on.
                parent_close_policy=ParentClosePolicy.ABANDON,
                static_summary=f"import {journals} journals as group {group_id}",
            )
        except WorkflowAlreadyStartedError:
            # Started by an earlier run of ours; its signal goes to our id, whichever run that is.
            workflow.logger.info("group %s is under way already", group_id)
            return False
        return True

    async def _wait_for_release(self, group_id: int, pause: timedelta) -> None:
        try:
            await workflow.wait_condition(lambda: group_id in self.released, timeout=pause)
        except TimeoutError:
            return

    async def _hear_out(self, group_id: int) -> Released:
        """The store knows sooner than we do that an import lets go. What it found out comes a moment later: a refusal
        that names nobody would otherwise be sent once more as large as it was."""
        if group_id not in self.released and workflow.patched(HEARD_OUT):
            await self._wait_for_release(group_id, LOOK_SOON)
        return self.released.pop(group_id, Released(group_id=group_id))

    async def _keeps_its_slot(self, groups: JournalGroupsInput, group_id: int) -> bool:
        return await workflow.execute_local_activity_method(
            SealingActivities.keeps_its_slot,
            GroupStep(fusion=groups.fusion, ledger=groups.ledger, source=groups.source, group_id=group_id),
            summary="look whether the group still occupies its ledger",
            **LOCAL_STEP,
        )

    @workflow.signal(name=names.STAGED)
    def learn_staged(self, full: bool) -> None:
        """Journals wait in the outbox; `full` when a whole group does."""
        self.staged += 1
        self.full = self.full or full

    @workflow.signal(name=names.RELEASED)
    def release(self, released: Released) -> None:
        self.released[released.group_id] = released

    @workflow.query(name=names.STATE)
    def state(self) -> str:
        return self.doing
