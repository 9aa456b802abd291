"""Carries job and document ids to every log line written on behalf of a workflow or an activity.

A workflow reads them from its search attributes (its input where those are missing), sets them for its own log lines
and sends them in a header with each activity. Ids only: headers are not encrypted.
Workflows run in the sandbox: this module imports the standard library and temporalio, nothing else.
"""

import json
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final

from temporalio import activity, workflow
from temporalio.api.common.v1 import Payload
from temporalio.common import SearchAttributeKey
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    ExecuteWorkflowInput,
    HandleSignalInput,
    HandleUpdateInput,
    Interceptor,
    StartActivityInput,
    StartLocalActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

HEADER: Final = "mlc-log"

LOG_FIELDS: Final[ContextVar[Mapping[str, str | int]]] = ContextVar("ml_connector_log_fields")
"""What the log adds to every line: job, document, workflow_id and, in activities, activity and attempt."""

_KEYS: Final = (
    ("job", SearchAttributeKey.for_keyword("MlcJob"), "job"),
    ("document", SearchAttributeKey.for_keyword("MlcDocument"), "order_id"),
)
"""Log field, search attribute, and the input field that says the same."""


class LogContextInterceptor(Interceptor):
    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _ActivityLogContext(next)

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        return _WorkflowLogContext


class _ActivityLogContext(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        fields: dict[str, str | int] = dict(_received(input.headers))
        fields.update(workflow_id=info.workflow_id or "", activity=info.activity_type, attempt=info.attempt)
        token = LOG_FIELDS.set(fields)
        try:
            return await super().execute_activity(input)
        finally:
            LOG_FIELDS.reset(token)


class _WorkflowLogContext(WorkflowInboundInterceptor):
    def __init__(self, next: WorkflowInboundInterceptor) -> None:
        super().__init__(next)
        self._ids: dict[str, str] = {}

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_Outbound(outbound, self._ids))

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        self._ids.update(_ids_of(input.args))
        LOG_FIELDS.set(self._fields())
        return await super().execute_workflow(input)

    async def handle_signal(self, input: HandleSignalInput) -> None:
        LOG_FIELDS.set(self._fields())
        await super().handle_signal(input)

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:
        LOG_FIELDS.set(self._fields())
        return await super().handle_update_handler(input)

    def _fields(self) -> dict[str, str]:
        return {**self._ids, "workflow_id": workflow.info().workflow_id}


class _Outbound(WorkflowOutboundInterceptor):
    def __init__(self, next: WorkflowOutboundInterceptor, ids: Mapping[str, str]) -> None:
        super().__init__(next)
        self._ids = ids

    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:
        input.headers = _with_ids(input.headers, self._ids)
        return super().start_activity(input)

    def start_local_activity(self, input: StartLocalActivityInput) -> workflow.ActivityHandle[Any]:
        input.headers = _with_ids(input.headers, self._ids)
        return super().start_local_activity(input)


def _ids_of(args: Any) -> dict[str, str]:
    attributes = workflow.info().typed_search_attributes
    found: dict[str, str] = {}
    for field, key, input_field in _KEYS:
        value = attributes.get(key) or (getattr(args[0], input_field, "") if args else "")
        if isinstance(value, str) and value:
            found[field] = value
    return found


def _with_ids(headers: Mapping[str, Payload], ids: Mapping[str, str]) -> Mapping[str, Payload]:
    if not ids:
        return headers
    sent = Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(dict(ids)).encode())
    return {**headers, HEADER: sent}


def _received(headers: Mapping[str, Payload]) -> dict[str, str]:
    payload = headers.get(HEADER)
    if payload is None:
        return {}
    try:
        ids = json.loads(payload.data)
    except ValueError:
        return {}  # another program's header of the same name is no reason to fail an activity
    return {str(name): str(value) for name, value in ids.items()} if isinstance(ids, dict) else {}
