"""Saved histories: payloads decoded, failures readable, nothing of the machine they were recorded on."""

import json
from pathlib import Path
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.client import WorkflowHistory
from temporalio.converter import PayloadCodec

HISTORIES: Final = Path(__file__).parent / "histories"
_MACHINE: Final = frozenset({"identity", "binary_checksum", "worker_version", "build_id", "deployment"})
"""Fields that say who did something, not what was done; replay does not read them."""


async def save(name: str, history: WorkflowHistory, codec: PayloadCodec, directory: Path = HISTORIES) -> Path:
    """Writes one run's history as JSON, decoded by `codec`."""
    for event in history.events:
        await _open(event, codec)
    document = json.loads(history.to_json()) | {"workflowId": history.workflow_id}
    path = directory / f"{name}.json"
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
    return path


def load(path: Path) -> WorkflowHistory:
    """The inverse of `save`."""
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    workflow_id: str = document.pop("workflowId")
    return WorkflowHistory.from_json(workflow_id, document)


def workflow_type(history: WorkflowHistory) -> str:
    return history.events[0].workflow_execution_started_event_attributes.workflow_type.name


async def _open(message: Message, codec: PayloadCodec) -> None:
    """Decodes every payload below `message` in place and clears what names a machine."""
    for name in _MACHINE & {field.name for field, _ in message.ListFields()}:
        message.ClearField(name)  # type: ignore[arg-type]
    if isinstance(message, Payload):
        (plain,) = await codec.decode([message])
        message.CopyFrom(plain)
        return
    for field, value in message.ListFields():
        if field.type != FieldDescriptor.TYPE_MESSAGE:
            continue
        for child in _children(field, value):
            await _open(child, codec)
    if isinstance(message, Failure):
        _read(message)


def _children(field: FieldDescriptor, value: Any) -> list[Message]:
    if not field.is_repeated:
        return [value]
    values = list(value.values()) if hasattr(value, "values") else list(value)
    return [one for one in values if isinstance(one, Message)]


def _read(failure: Failure) -> None:
    """Puts the decoded sentence where a plain converter looks for it. Stack traces name files of a machine."""
    if failure.HasField("encoded_attributes"):
        failure.message = json.loads(failure.encoded_attributes.data)["message"]
        failure.ClearField("encoded_attributes")
    failure.stack_trace = ""
