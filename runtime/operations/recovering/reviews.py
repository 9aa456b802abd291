"""Documents whose run waits for a person while the restored store no longer says so."""

import structlog
from temporalio.service import RPCError, RPCStatusCode

from activities.collaborators import Collaborators
from contracts import names
from contracts.flow import Remapped, State

_log = structlog.stdlib.get_logger(__name__)


async def ask_forgotten_reviews(parts: Collaborators) -> int:
    """Each looks at itself again; gives how many."""
    known = {(row.connection, row.id) for row in await parts.store.documents.review_list()}
    asked = 0
    query = f"WorkflowType='{names.ORDER_TO_JOURNAL}' AND ExecutionStatus='Running' AND {names.SA_STATE}='needs_review'"
    async for run in parts.temporal.list_workflows(query):
        _, connection, document_id = run.id.split(":", 2)
        if (connection, document_id) in known:
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
        asked += 1
    _log.info("reviews asked again", state=State.NEEDS_REVIEW.value, count=asked)
    return asked
