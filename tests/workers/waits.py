"""How long tasks waited for a worker, read from histories; and how long they wait where nothing else is done."""

import asyncio
import math
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio import activity, workflow
from temporalio.api.enums.v1 import EventType, PendingActivityState, TimeoutType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse
from temporalio.client import Client
from temporalio.worker import Worker

QUEUE = "calibration"


@dataclass
class Waits:
    """Seconds from scheduled to started, each task once; only of those that were scheduled since a moment."""

    since: float = 0.0
    """Seconds of the epoch."""
    workflow_tasks: list[float] = field(default_factory=list)
    activities: list[float] = field(default_factory=list)
    repeated: int = 0
    """Activities that were tried more than once: a history keeps only when the last try began."""

    @property
    def all(self) -> list[float]:
        return [*self.workflow_tasks, *self.activities]

    def read(self, events: Iterable[HistoryEvent]) -> None:
        """Adds the tasks of a history."""
        scheduled: dict[int, float] = {}
        for event in events:
            at = _seconds(event.event_time)
            scheduled[event.event_id] = at
            match event.event_type:
                case EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED:
                    begun = scheduled[event.workflow_task_started_event_attributes.scheduled_event_id]
                    self._add(self.workflow_tasks, begun, at)
                case EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT:
                    lapsed = event.workflow_task_timed_out_event_attributes
                    # Nobody took it from a worker's own queue: it waited as long, and is offered to all anew.
                    if lapsed.timeout_type == TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_START:
                        self._add(self.workflow_tasks, scheduled[lapsed.scheduled_event_id], at)
                case EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
                    started = event.activity_task_started_event_attributes
                    begun = scheduled[started.scheduled_event_id]
                    if started.attempt == 1:
                        self._add(self.activities, begun, at)
                    else:
                        self.repeated += begun >= self.since

    def read_pending(self, run: DescribeWorkflowExecutionResponse) -> None:
        """Adds the activities of a run that goes on: its history does not tell yet when they began."""
        for pending in run.pending_activities:
            scheduled = _seconds(pending.scheduled_time)
            if pending.attempt > 1:
                self.repeated += scheduled >= self.since
            elif pending.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED:
                self._add(self.activities, scheduled, time.time())
            else:
                self._add(self.activities, scheduled, _seconds(pending.last_started_time))

    def _add(self, to: list[float], scheduled: float, started: float) -> None:
        if scheduled >= self.since:
            to.append(started - scheduled)


def _seconds(moment: Timestamp) -> float:
    return moment.seconds + moment.nanos / 1e9


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest rank; `share` between 0 and 1."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@activity.defn(name="nothing")
async def do_nothing() -> None:
    return


@workflow.defn(name="trivial", sandboxed=False)
class Trivial:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(do_nothing, start_to_close_timeout=timedelta(seconds=30))


async def calibrate(address: str, *, runs: int, a_second: float) -> Waits:
    """Waits of workflows that do nothing, in a namespace where nothing else is done: what server and machine cost."""
    client = await Client.connect(address)
    waits, queue = Waits(), f"{QUEUE}-{uuid.uuid4().hex[:8]}"

    async def run() -> None:
        handle = await client.start_workflow(Trivial.run, id=f"trivial-{uuid.uuid4().hex}", task_queue=queue)
        await handle.result()
        waits.read((await handle.fetch_history()).events)

    async with Worker(client, task_queue=queue, workflows=[Trivial], activities=[do_nothing]):
        await run()
        waits = Waits()
        async with asyncio.TaskGroup() as group:
            for _ in range(runs):
                group.create_task(run())
                await asyncio.sleep(1 / a_second)
    return waits
