"""Releasing: documents in review that a newer mapping set may heal are told that it is in effect."""

import asyncio
from collections.abc import Sequence
from typing import Final

from temporalio import activity
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError, RPCStatusCode

from activities.collaborators import Collaborators
from activities.parked import parked_document
from activities.trail import job_of
from contracts import names
from contracts.causes import mapping_heals
from contracts.flow import Remapped
from contracts.steps.documents import ReleaseReviews
from store.reviews import DocumentKey
from store.rows import AuditEvent, DocumentRow

AT_ONCE: Final = 20
"""Signals under way at the same time."""
PAGE: Final = 200
"""Documents between two heartbeats: what an attempt that takes over may tell a second time, which is harmless."""


class ReleasingActivities:
    def __init__(self, parts: Collaborators) -> None:
        self._parts = parts

    @activity.defn(name="release_reviews")
    async def release_reviews(self, wanted: ReleaseReviews) -> int:
        """How many were told. An attempt goes on where the one before it was last heard of."""
        after, told = _heard_of()
        while True:
            page = await self._parts.store.documents.review_after(
                wanted.integrations, after, limit=PAGE, since=wanted.since
            )
            told += await self._tell([row for row in page if mapping_heals(row.problems)], wanted)
            if len(page) < PAGE:
                return told
            after = (page[-1].connection, page[-1].kind, page[-1].id)
            activity.heartbeat(list(after), told)

    async def _tell(self, rows: Sequence[DocumentRow], wanted: ReleaseReviews) -> int:
        """Signals first and records then: nothing is recorded that was not told."""
        remapped = Remapped(mapping_set=wanted.mapping_set, version=wanted.version)
        room = asyncio.Semaphore(AT_ONCE)

        async def tell(row: DocumentRow) -> bool:
            async with room:
                return await self._signal(row, remapped)

        async with asyncio.TaskGroup() as tasks:
            asked = [(row, tasks.create_task(tell(row))) for row in rows]
        released = [row for row, task in asked if task.result()]
        await self._parts.store.audit.append_once([self._event(row, wanted) for row in released])
        return len(released)

    async def _signal(self, row: DocumentRow, remapped: Remapped) -> bool:
        """False: it is not in review any more."""
        workflow_id = names.document_workflow_id(row.kind, row.connection, row.id)
        try:
            await self._parts.temporal.get_workflow_handle(workflow_id).signal(names.REMAPPED, remapped)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return await self._begin_anew(row, remapped)
        return True

    async def _begin_anew(self, row: DocumentRow, remapped: Remapped) -> bool:
        """Its workflow is gone, e.g. with Temporal's database: the review begins anew, and is told at once."""
        run = await parked_document(self._parts.store, row.connection, row.kind, row.id)
        if run is None:
            return False
        await self._parts.temporal.start_workflow(
            run.flow,
            run.given,
            id=run.id,
            task_queue=names.WORKFLOW_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            start_signal=names.REMAPPED,
            start_signal_args=[remapped],
            search_attributes=run.search_attributes,
            static_summary=run.summary,
        )
        return True

    def _event(self, row: DocumentRow, wanted: ReleaseReviews) -> AuditEvent:
        return AuditEvent(
            tenant=row.tenant,
            connection=row.connection,
            kind=row.kind,
            document_id=row.id,
            at=self._parts.clock(),
            action="released",
            sentence=f"released from review by mapping set {wanted.mapping_set} version {wanted.version}",
            details={
                "mapping_set": wanted.mapping_set,
                "mapping_version": wanted.version,
                "problems": [one.code for one in row.problems],
            },
            job=job_of(wanted.job),
        )


def _heard_of() -> tuple[DocumentKey | None, int]:
    """Key of the last document of the last page that was told completely, and how many were told by then."""
    details = activity.info().heartbeat_details
    if len(details) < 2:
        return None, 0
    connection, kind, document_id = details[0]
    return (connection, kind, document_id), int(details[1])
