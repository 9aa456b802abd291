"""Durable starts on Temporal: the one `contracts.starting.Starter` of the product."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Final

from pydantic import BaseModel
from temporalio.client import Client
from temporalio.common import (
    Priority,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from contracts import names
from contracts.converging import LookAtRecordsInput
from contracts.flow import State, document_input
from contracts.hooks import HooksHealthInput
from contracts.starting import StartError, StartRequest


def _document(request: StartRequest) -> BaseModel:
    return document_input(
        names.KINDS[request.flow],
        request.document_id,
        parent_id=request.parent_id or "",
        integration=request.integration,
        connection=request.connection,
        job=request.job,
    )


def _look(kind: str, request: StartRequest) -> LookAtRecordsInput:
    return LookAtRecordsInput(
        integration=request.integration,
        connection=request.connection,
        kind=kind,
        parent=request.document_id,
        job=request.job,
    )


def _hooks_health(request: StartRequest) -> HooksHealthInput:
    return HooksHealthInput(connection=request.connection)


INPUTS: Final[Mapping[str, Callable[[StartRequest], BaseModel]]] = {
    names.ORDER_TO_JOURNAL: _document,
    names.REFUND_TO_JOURNAL: _document,
    names.CONVERGE_ITEM: _document,
    names.CONVERGE_CUSTOMER: _document,
    names.LOOK_AT_PRODUCT: partial(_look, names.ITEM),
    names.LOOK_AT_CUSTOMER: partial(_look, names.CUSTOMER),
    names.HOOKS_HEALTH: _hooks_health,
}
"""The workflow input of every flow that documents start. A new flow adds its row here."""

SUMMARIES: Final[Mapping[str, str]] = {
    names.ORDER_TO_JOURNAL: "Order {document_id} of {connection} to the general ledger",
    names.CONVERGE_ITEM: "Item {document_id} of {connection} and of Fusion",
    names.CONVERGE_CUSTOMER: "Customer {document_id} of {connection} and its account in Fusion",
    names.LOOK_AT_CUSTOMER: "Customer {document_id} of {connection}, which a webhook tells of",
    names.LOOK_AT_PRODUCT: "Product {document_id} of {connection}, which a webhook tells of",
    names.HOOKS_HEALTH: "Webhooks of {connection}, which says that deliveries fail",
    names.REFUND_TO_JOURNAL: "Refund {document_id} of {connection} to the general ledger",
}
"""One line for the Temporal UI. Business ids only: summaries are kept in the history."""

CAN_WAIT: Final = frozenset(
    {names.CONVERGE_ITEM, names.CONVERGE_CUSTOMER, names.LOOK_AT_CUSTOMER, names.LOOK_AT_PRODUCT}
)
"""Records: a first load starts thousands at once, and orders share their queues."""
LATER: Final = 4
"""Temporal: 1 first, 5 last, 3 by default; steps inherit it from their run. A server before 1.31 heeds it with
`matching.useNewMatcher`, and takes everything in turn otherwise."""

OUTAGES: Final = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.ABORTED,
        RPCStatusCode.INTERNAL,
        RPCStatusCode.UNKNOWN,
    }
)
"""Answers that say nothing about the one request that got them. All others are refusals of that request."""


def search_attributes(request: StartRequest) -> TypedSearchAttributes:
    """What a new run can be searched by. A run that already exists keeps its own."""
    values = {
        names.SA_INTEGRATION: request.integration,
        names.SA_FLOW: request.flow,
        names.SA_DOCUMENT: request.document_id,
        names.SA_STATE: State.RUNNING.value,
    }
    if request.job:
        values[names.SA_JOB] = request.job
    return TypedSearchAttributes(
        [SearchAttributePair(SearchAttributeKey.for_keyword(name), value) for name, value in values.items()]
    )


LONGEST_QUIET: Final = 60.0
"""Seconds; far below what a wake-up's promise lasts."""


class TemporalStarter:
    """Starts a document's workflow, or sends a `changed` signal to the run that exists.

    The signal goes out in one request with a start, so there is no moment in which a change can fall between a run
    that ends and one that begins. `rpc_timeout` bounds one attempt, not the client's retries: callers with a deadline
    set their own around `start`.
    """

    def __init__(
        self,
        client: Client,
        *,
        task_queue: str = names.WORKFLOW_QUEUE,
        rpc_timeout: timedelta | None = None,
    ) -> None:
        self._client = client
        self._task_queue = task_queue
        self._rpc_timeout = rpc_timeout

    async def start(self, request: StartRequest) -> None:
        """Raises `StartError` when the flow is unknown or Temporal refuses or cannot be reached."""
        make_input = INPUTS.get(request.flow)
        if make_input is None:
            raise StartError(f"Flow {request.flow} cannot be started by a document.")
        try:
            # A new run reads the newest state by itself; only one that is there already needs to be told.
            if not (request.fresh and await self._started_anew(request, make_input)):
                await self._start(request, make_input, WorkflowIDConflictPolicy.USE_EXISTING, names.CHANGED)
        except WorkflowAlreadyStartedError:
            return  # another start won the race: the run exists, which is all that was asked for
        except RPCError as error:
            raise StartError(
                f"Temporal did not start {request.workflow_id}: {error.status.name.lower().replace('_', ' ')}.",
                outage=error.status in OUTAGES,
            ) from error
        except RuntimeError as error:
            # A lazy client makes its first connection here; the SDK reports a failed one as a plain RuntimeError.
            raise StartError(
                f"Temporal did not start {request.workflow_id}: it cannot be reached.", outage=True
            ) from error

    async def _started_anew(self, request: StartRequest, make_input: Callable[[StartRequest], BaseModel]) -> bool:
        """False: a run is there already."""
        try:
            await self._start(request, make_input, WorkflowIDConflictPolicy.FAIL, None)
        except WorkflowAlreadyStartedError:
            return False
        return True

    async def _start(
        self,
        request: StartRequest,
        make_input: Callable[[StartRequest], BaseModel],
        conflict: WorkflowIDConflictPolicy,
        signal: str | None,
    ) -> None:
        await self._client.start_workflow(
            request.flow,
            make_input(request),
            id=request.workflow_id,
            task_queue=self._task_queue,
            id_conflict_policy=conflict,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            start_signal=signal,
            # The server waits, which is not billed. A further signal with start would end the wait; a promised one is
            # not sent.
            start_delay=timedelta(seconds=min(request.quiet, LONGEST_QUIET)) if request.quiet else None,
            search_attributes=search_attributes(request),
            priority=Priority(priority_key=LATER) if request.flow in CAN_WAIT else Priority.default,
            static_summary=SUMMARIES[request.flow].format(
                document_id=request.document_id, connection=request.connection
            ),
            rpc_timeout=self._rpc_timeout,
        )
