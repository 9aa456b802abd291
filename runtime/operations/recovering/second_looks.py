"""Documents that look at themselves again once the store is recovered."""

import asyncio
import datetime as dt
from collections.abc import Iterable
from typing import Final, NamedTuple

import structlog
from temporalio.service import RPCError, RPCStatusCode

from activities.collaborators import Collaborators
from contracts import names
from contracts.flow import Remapped, State
from contracts.starting import StartError, StartRequest
from store.rows import PostingKey

AT_ONCE: Final = 20
"""Starts under way at the same time."""

_log = structlog.stdlib.get_logger(__name__)


class Document(NamedTuple):
    kind: str
    connection: str
    id: str
    integration: str


def document_of(posted: PostingKey) -> Document:
    return Document(posted.kind, posted.connection, posted.document_id, posted.integration)


async def ask_forgotten_reviews(parts: Collaborators) -> tuple[Document, ...]:
    """Documents whose run waits for a person while the restored store no longer says so.

    Before posting goes on, so that a recovery which ends here is begun again. They rest until it does: nobody is asked
    while the store does not know what was posted.
    """
    known = {(row.kind, row.connection, row.id) for row in await parts.store.documents.review_list()}
    asked: list[Document] = []
    flows = ", ".join(repr(flow) for flow in names.KINDS)
    query = f"WorkflowType IN ({flows}) AND ExecutionStatus='Running' AND {names.SA_STATE}='needs_review'"
    async for run in parts.temporal.list_workflows(query):
        flow, connection, document_id = run.id.split(":", 2)
        if (names.KINDS[flow], connection, document_id) in known:
            continue
        integrations = parts.configuration.integrations_of(connection)
        if not integrations:
            continue
        mapping_set = parts.configuration.mapping_set(integrations[0].mapping_set)
        signal = Remapped(mapping_set=mapping_set.id, version=mapping_set.version)
        try:
            await parts.temporal.get_workflow_handle(run.id).signal(names.REMAPPED, signal)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            continue
        asked.append(Document(names.KINDS[flow], connection, document_id, integrations[0].id))
    _log.info("reviews asked again", state=State.NEEDS_REVIEW.value, count=len(asked))
    return tuple(asked)


async def look_again(parts: Collaborators, documents: Iterable[Document], job: str, now: dt.datetime) -> None:
    """Documents of which Fusion showed something that the store had forgotten are compared with their shop, and those
    that were asked again are woken.

    One that was cancelled since may have been skipped before the store knew better. What cannot be started now, a poll
    or the sweep starts: the stamps of recovered documents are older than any version.
    """
    wanted = {one[:3]: one.integration for one in documents}
    room = asyncio.Semaphore(AT_ONCE)

    async def start(kind: str, connection: str, document_id: str, integration: str) -> None:
        request = StartRequest(
            flow=names.FLOWS[kind],
            connection=connection,
            integration=integration,
            document_id=document_id,
            job=job,
            received_at=now,
        )
        async with room:
            try:
                await parts.starter.start(request)
            except StartError as error:
                _log.warning("not compared yet", document=document_id, connection=connection, why=error.sentence)

    await asyncio.gather(*(start(*place, integration) for place, integration in wanted.items()))
