"""Wakes the workflow that seals and imports the journals of one ledger and journal source."""

from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes, WorkflowIDConflictPolicy

from activities.collaborators import Collaborators
from activities.waking import wake
from contracts import names
from contracts.configuration import Integration
from contracts.flow import JournalGroupsInput, State


async def wake_groups(parts: Collaborators, integration: Integration, ledger: str, source: str) -> None:
    """Tell `journal-groups` that journals wait; start it when it is not running.

    A full group does not wait for its age: the journal that fills one says so, even when a wake-up is on its way.
    """
    groups = JournalGroupsInput(
        fusion=integration.fusion,
        ledger=ledger,
        source=source,
        flush_after=integration.imports.flush_after,
        flush_count=integration.imports.flush_count,
    )
    key = names.journal_groups_id(groups.fusion, ledger, source)
    pending = await parts.store.journals.pending(groups.fusion, ledger, source)
    full = pending.count > 0 and pending.count % groups.flush_count == 0

    async def send() -> None:
        await parts.temporal.start_workflow(
            names.JOURNAL_GROUPS,
            groups,
            id=key,
            task_queue=names.WORKFLOW_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal=names.STAGED,
            start_signal_args=[full],
            search_attributes=TypedSearchAttributes(
                [
                    SearchAttributePair(SearchAttributeKey.for_keyword(names.SA_FLOW), names.JOURNAL_GROUPS),
                    SearchAttributePair(SearchAttributeKey.for_keyword(names.SA_INTEGRATION), integration.id),
                    SearchAttributePair(SearchAttributeKey.for_keyword(names.SA_STATE), State.RUNNING.value),
                ]
            ),
            static_summary=f"journal groups of {ledger}, source {source}",
        )

    if full:
        await send()
    else:
        await wake(parts.store.wakeups, key, send)
