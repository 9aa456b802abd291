"""Resets, as the button in Temporal's UI does them."""

import uuid
from typing import Any

from crash.lane import SETTLED
from crash.scene import Scene
from support.stack import eventually
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, ResetReapplyExcludeType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle

Handle = WorkflowHandle[Any, Any]


async def runs_of(scene: Scene, workflow_type: str) -> list[Handle]:
    """Every run of a type that began with the scene or later, newest first."""
    temporal = scene.lane.stack.temporal
    found = temporal.list_workflows(f"WorkflowType='{workflow_type}' AND StartTime >= '{scene.began.isoformat()}'")
    return [temporal.get_workflow_handle(one.id, run_id=one.run_id) async for one in found]


async def newest_run(scene: Scene, workflow_id: str) -> Handle:
    temporal = scene.lane.stack.temporal
    described = await temporal.get_workflow_handle(workflow_id).describe()
    return temporal.get_workflow_handle(workflow_id, run_id=described.run_id)


async def tasks(run: Handle) -> list[int]:
    """Where it can be reset to: its completed workflow tasks, by event id."""
    done = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    return [event.event_id async for event in run.fetch_history_events() if event.event_type == done]


async def reset(scene: Scene, run: Handle, task: int, *, signals: bool = True) -> None:
    """`signals`: those that came later than the task are applied again."""
    dropped = () if signals else (ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL,)
    temporal = scene.lane.stack.temporal
    await temporal.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=temporal.namespace,
            workflow_execution=WorkflowExecution(workflow_id=run.id, run_id=run.run_id or ""),
            reason="crash test",
            workflow_task_finish_event_id=task,
            request_id=str(uuid.uuid4()),
            reset_reapply_exclude_types=dropped,
        )
    )
    scene.lane.hit("reset")


async def ended(scene: Scene, workflow_id: str) -> None:
    """Waits until its newest run has ended by itself."""

    async def closed() -> bool:
        described = await scene.lane.stack.temporal.get_workflow_handle(workflow_id).describe()
        return described.status == WorkflowExecutionStatus.COMPLETED

    await eventually(closed, f"{workflow_id} has ended", patience=SETTLED)
