"""Telling: refunds that wait for their order, or were left out because of it, look again when it has settled, and those
whose payment was declined whenever it changes in the shop; an order that waits for a refund looks again when that is
booked, or will not be."""

import functools
from collections.abc import Iterable

import structlog
from temporalio.service import RPCError, RPCStatusCode

from activities.collaborators import Collaborators
from activities.waking import wake_all
from contracts import names
from contracts.flow import State
from contracts.starting import StartError, StartRequest
from store.rows import DocumentRow, PostingKey

_log = structlog.stdlib.get_logger(__name__)


async def wake_refunds(parts: Collaborators, connection: str, order_ids: Iterable[str], job: str) -> None:
    """After the orders were recorded as settled. Raises `contracts.starting.StartError`: the step that settled them is
    then repeated, for a refund that was left out has no run that would look by itself."""
    await _wake(parts, await parts.store.documents.refunds_waiting_for(connection, order_ids), job)


async def wake_unpaid(parts: Collaborators, connection: str, order_id: str, job: str) -> None:
    """After an order was read of which nothing need be new for the ledger, so that it settles nothing.

    A declined payment that is repeated in the shop changes the order, if only its status, and nothing is announced of
    the refund itself. Such a refund looks by itself, too, after a while.
    """
    rows = await parts.store.documents.refunds_waiting_for(connection, [order_id])
    # What is being credited runs as well, and has nothing to learn from its order.
    unpaid = [row for row in rows if row.state is State.RUNNING and not await _credited(parts, connection, row.id)]
    try:
        await _wake(parts, unpaid, job)
    except StartError as error:
        _log.warning("refunds not told yet", connection=connection, why=error.sentence)


async def _credited(parts: Collaborators, connection: str, refund_id: str) -> bool:
    """A memo of it is in Receivables, or on its way there."""
    found = await parts.store.creations.creations_of(connection, names.REFUND, refund_id)
    return any(one.final or one.open for one in found)


async def _wake(parts: Collaborators, rows: Iterable[DocumentRow], job: str) -> None:
    requests = [
        StartRequest(
            flow=names.REFUND_TO_JOURNAL,
            connection=row.connection,
            integration=row.integration,
            document_id=row.id,
            job=job,
            received_at=parts.clock(),
        )
        for row in rows
    ]
    if requests:
        sends = {one.workflow_id: functools.partial(parts.starter.start, one) for one in requests}
        await wake_all(parts.store.wakeups, sends)


async def tell_order(parts: Collaborators, connection: str, order_id: str) -> None:
    """After what a refund of it becomes was recorded. An order that waits looks by itself, too, after minutes."""
    workflow_id = names.document_workflow_id(names.ORDER, connection, order_id)
    try:
        await parts.temporal.get_workflow_handle(workflow_id).signal(names.CHANGED)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            _log.warning("order of a refund not told", workflow_id=workflow_id, why=str(error))


async def tell_related(parts: Collaborators, journals: Iterable[PostingKey], job: str) -> None:
    """After these journals were recorded as posted, while their group is not done, which tells all of them again."""
    orders: dict[str, set[str]] = {}
    for key in journals:
        if key.parent_id:
            await tell_order(parts, key.connection, key.parent_id)
        elif key.kind == names.ORDER:
            orders.setdefault(key.connection, set()).add(key.document_id)
    for connection, order_ids in orders.items():
        try:
            await wake_refunds(parts, connection, order_ids, job)
        except StartError as error:
            _log.warning("refunds not told yet", connection=connection, why=error.sentence)
