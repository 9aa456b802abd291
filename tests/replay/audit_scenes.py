"""Scenes of the sealing of the audit trail."""

from replay.order_scenes import Open
from replay.stage import Stage
from support.stack import eventually
from temporalio.client import ScheduleHandle

from contracts import names
from contracts.audit import AuditSealed
from runtime.temporal.schedules import sync_schedules


async def sealings(open_stage: Open) -> None:
    """The first sealing of a tenant, and one that knows of the sealing before it."""
    async with open_stage() as stage:
        client = stage.stack.temporal
        await sync_schedules(client, stage.stack.configuration)
        schedule = client.get_schedule_handle(names.audit_sealing_id("acme"))
        await schedule.pause()
        await stage.posted()
        first = await sealed(stage, schedule, runs=1)
        await stage.save("audit-sealed-first", first)
        await stage.posted(seed=1)
        second = await sealed(stage, schedule, runs=2)
        await stage.save("audit-sealed-again", second)


async def sealed(stage: Stage, schedule: ScheduleHandle, *, runs: int) -> str:
    """Lets the schedule act once and gives the run's workflow id."""
    await schedule.trigger()

    async def started() -> str:
        recent = (await schedule.describe()).info.recent_actions
        return recent[-1].action.workflow_id if len(recent) == runs else ""  # type: ignore[union-attr]

    workflow_id: str = await eventually(started, "the schedule has started a sealing")
    handle = stage.stack.temporal.get_workflow_handle(workflow_id, result_type=AuditSealed)
    assert (await handle.result()).seals == 1
    return workflow_id
