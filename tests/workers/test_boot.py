"""Workers that start while the server is busy."""

from typing import Any

import pytest
from support.stack import Stack
from temporalio.service import RPCError, RPCStatusCode

from runtime.temporal.schedules import schedules, sync_schedules


@pytest.mark.parametrize("status", [RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.NOT_FOUND])
async def test_a_late_answer_about_one_schedule_does_not_end_a_start(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, status: RPCStatusCode
) -> None:
    create, late = stack.temporal.create_schedule, set[str]()

    async def create_late(schedule_id: str, *more: Any, **named: Any) -> Any:
        if schedule_id not in late:
            late.add(schedule_id)
            raise RPCError("busy", status, b"")
        return await create(schedule_id, *more, **named)

    monkeypatch.setattr(stack.temporal, "create_schedule", create_late)
    await sync_schedules(stack.temporal, stack.configuration)
    for schedule_id, _ in schedules(stack.configuration):
        assert (await stack.temporal.get_schedule_handle(schedule_id).describe()).id == schedule_id


async def test_a_refusal_ends_a_start(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(*_: Any, **__: Any) -> Any:
        raise RPCError("not yours", RPCStatusCode.PERMISSION_DENIED, b"")

    monkeypatch.setattr(stack.temporal, "create_schedule", refused)
    with pytest.raises(RPCError, match="not yours"):
        await sync_schedules(stack.temporal, stack.configuration)
