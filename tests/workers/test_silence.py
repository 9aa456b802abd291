"""A step that calls a vendor and whose worker died goes on after half a minute, and one that lives is left alone."""

import asyncio
import dataclasses
import time
import uuid
from datetime import timedelta
from typing import Any

import pytest
from support.topology import TemporalServer
from temporalio import activity, workflow
from temporalio.api.enums.v1 import EventType, TimeoutType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import PollActivityTaskQueueRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.testing import ActivityEnvironment
from temporalio.worker import Worker

from activities import heartbeat
from activities.heartbeat import staying_alive
from runtime.worker import BEATS_HELD_BACK
from workflows.patience import SILENCE, VENDOR_CREATE, VENDOR_STEP

LONG = 45.0
"""Seconds, longer than a silence."""
WHOLE_POLL = timedelta(seconds=180)
"""Longer than a server waits for a task before it answers that there is none."""


@activity.defn(name="send")
async def send(seconds: float) -> int:
    async with staying_alive():
        await asyncio.sleep(seconds)
    return activity.info().attempt


@workflow.defn(name="sending", sandboxed=False)
class Sending:
    @workflow.run
    async def run(self, seconds: float, queue: str) -> int:
        return await workflow.execute_activity(send, seconds, task_queue=queue, **VENDOR_CREATE)


async def test_a_dead_workers_step_goes_on_after_half_a_minute_and_a_long_one_is_left_alone(
    temporal_server: TemporalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Often: a machine that is busy is late with a beat.
    monkeypatch.setattr(heartbeat, "FIRST", 5.0)
    monkeypatch.setattr(heartbeat, "EVERY", 5.0)
    client = await Client.connect(temporal_server.address)
    queue = f"silence-{uuid.uuid4().hex[:8]}"
    steps = f"{queue}-steps"
    async with Worker(client, task_queue=queue, workflows=[Sending]):
        dead = await client.start_workflow(Sending.run, args=[0.1, steps], id=f"{queue}-dead", task_queue=queue)
        began = time.monotonic()
        # A worker that takes the step and is never heard of again.
        poll = PollActivityTaskQueueRequest(
            namespace=client.namespace, task_queue=TaskQueue(name=steps), identity="a worker that dies"
        )
        take = client.workflow_service.poll_activity_task_queue
        while not (taken := await take(poll, timeout=WHOLE_POLL)).task_token:
            pass  # the server answers after a minute in any case
        assert taken.attempt == 1
        often = timedelta(seconds=1)
        async with Worker(client, task_queue=steps, activities=[send], max_heartbeat_throttle_interval=often):
            living = await client.start_workflow(Sending.run, args=[LONG, steps], id=f"{queue}-long", task_queue=queue)
            assert await dead.result() == 2
            assert time.monotonic() - began > SILENCE.total_seconds() - 1
            assert await why_again(dead) == TimeoutType.TIMEOUT_TYPE_HEARTBEAT, "and not after its ten minutes"
            assert await living.result() == 1


async def why_again(run: WorkflowHandle[Any, Any]) -> int:
    """The kind of time that was up when the step of a run was begun again."""
    started = [
        event.activity_task_started_event_attributes
        for event in (await run.fetch_history()).events
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED
    ]
    return started[-1].last_failure.timeout_failure_info.timeout_type


@pytest.mark.parametrize("options", [VENDOR_CREATE, VENDOR_STEP])
def test_steps_that_send_something_are_watched(options: Any) -> None:
    assert options["heartbeat_timeout"] == SILENCE < options["start_to_close_timeout"]
    assert SILENCE.total_seconds() >= heartbeat.FIRST + heartbeat.EVERY
    assert SILENCE.total_seconds() >= heartbeat.EVERY + BEATS_HELD_BACK.total_seconds(), "a beat is sent in time"


@pytest.mark.parametrize(("seconds", "watched", "beats"), [(0.05, True, 0), (0.4, True, 3), (0.4, False, 0)])
async def test_a_step_that_is_soon_over_costs_no_heartbeat(
    seconds: float, watched: bool, beats: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "FIRST", 0.15)
    monkeypatch.setattr(heartbeat, "EVERY", 0.1)
    made = ActivityEnvironment()
    made.info = dataclasses.replace(made.info, heartbeat_timeout=SILENCE if watched else None)
    heard: list[tuple[Any, ...]] = []
    made.on_heartbeat = lambda *details: heard.append(details)
    await made.run(send, seconds)
    assert len(heard) in range(min(beats, 1), beats + 1)
    assert all(details == () for details in heard)
