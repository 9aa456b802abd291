"""Journals that were read back as imported and not posted yet are followed until they are posted.

Their groups were sealed since the backup, so the store knows none of them, and the run that followed them ended when it
found a group without members.
"""

from collections.abc import Sequence

from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes, WorkflowIDConflictPolicy

from activities.collaborators import Collaborators
from contracts import names
from contracts.flow import JournalImportInput, State
from contracts.model import Instant
from store.recoveries import RecoveredJournal


async def follow_unposted(parts: Collaborators, unposted: Sequence[RecoveredJournal], now: Instant) -> tuple[int, ...]:
    """Gives the groups that are followed. Only after every import since the backup has ended: a group that is known is
    not looked for any more. Raises `RPCError` when a run cannot be started."""
    closed = await parts.store.recoveries.adopt(unposted, now)
    groups = {
        (one.key.fusion, one.ledger, one.source, one.fate.group_id): one.key.integration
        for one in unposted
        if one.fate.group_id in closed
    }
    for (fusion, ledger, source, group_id), integration in sorted(groups.items()):
        attributes = {
            names.SA_FLOW: names.JOURNAL_IMPORT,
            names.SA_INTEGRATION: integration,
            names.SA_STATE: State.WAITING_IMPORT.value,
        }
        await parts.temporal.start_workflow(
            names.JOURNAL_IMPORT,
            JournalImportInput(
                fusion=fusion,
                ledger=ledger,
                source=source,
                group_id=group_id,
                groups_workflow=names.journal_groups_id(fusion, ledger, source),
                following=True,
            ),
            id=names.journal_import_id(fusion, ledger, group_id),
            task_queue=names.WORKFLOW_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            search_attributes=TypedSearchAttributes(
                [SearchAttributePair(SearchAttributeKey.for_keyword(name), value) for name, value in attributes.items()]
            ),
            static_summary=f"follow the journals of group {group_id} until they are posted",
        )
    return tuple(sorted({group_id for *_, group_id in groups}))
