"""Billed actions and history events of everything in a namespace, read from the histories alone.

Temporal Cloud's rules: 1 each for a start, a signal (so a signal that also starts is 2), an attempt of an activity, all
local activities of one workflow task together, a timer, a write of search attributes, a continue-as-new, an update; 2
for a child's start; 3 for what a schedule starts. Heartbeats that reach the server are billed as well and leave no
event; ours are throttled to one in 96 seconds.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from temporalio.api.enums.v1 import TimeoutType
from temporalio.client import Client

from tests.support.stack import eventually

LOCAL_ACTIVITY: Final = "core_local_activity"
PER_EVENT: Final = {
    "workflow_execution_signaled_event_attributes": "signals",
    "timer_started_event_attributes": "timers",
    "upsert_workflow_search_attributes_event_attributes": "search attributes",
    "workflow_execution_update_accepted_event_attributes": "updates",
    "activity_task_scheduled_event_attributes": "activities",
}
SCHEDULED_EXTRA: Final = 2
"""A run that a schedule starts is billed as three actions."""


@dataclass
class Bill:
    """What the histories of one kind of workflow add up to."""

    runs: int = 0
    events: int = 0
    actions: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return self.actions.total()

    def add(self, events: Iterable[Any], *, scheduled: bool = False) -> None:
        """One run's history, but for what a busy machine adds to it. `scheduled`: in production a schedule starts this
        kind."""
        local_tasks: set[int] = set()
        self.runs += 1
        for event in events:
            self.events += 1
            kind = event.WhichOneof("attributes")
            if kind in PER_EVENT:
                self.actions[PER_EVENT[kind]] += 1
            elif kind == "workflow_execution_started_event_attributes":
                self.actions["starts"] += _start(event.workflow_execution_started_event_attributes, scheduled)
            elif kind == "activity_task_started_event_attributes":
                self.actions["activity retries"] += event.activity_task_started_event_attributes.attempt - 1
            elif kind == "workflow_task_timed_out_event_attributes":
                self.events -= _lost(event.workflow_task_timed_out_event_attributes)
            elif kind == "marker_recorded_event_attributes":
                marker = event.marker_recorded_event_attributes
                if marker.marker_name == LOCAL_ACTIVITY:
                    local_tasks.add(marker.workflow_task_completed_event_id)
        self.actions["local activities"] += len(local_tasks)


def _start(started: Any, scheduled: bool) -> int:
    if started.continued_execution_run_id:
        return 1
    if started.HasField("parent_workflow_execution"):
        return 2
    return 1 + (SCHEDULED_EXTRA if scheduled else 0)


def _lost(timed_out: Any) -> int:
    """Events of a workflow task that was not done in time, because the machine stood still: scheduled, begun if
    somebody had taken it, and timed out."""
    return 2 if timed_out.timeout_type == TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_START else 3


async def bills(client: Client, *, scheduled: frozenset[str] = frozenset()) -> dict[str, Bill]:
    """Workflow type -> its bill, over every run of the namespace."""
    found: dict[str, Bill] = {}
    async for run in client.list_workflows():
        history = await client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        bill = found.setdefault(run.workflow_type, Bill())
        bill.add(history.events, scheduled=run.workflow_type in scheduled)
    return found


SAMPLE: Final = 40
"""Runs of one kind whose histories are read for an average."""


@dataclass(frozen=True)
class Average:
    """Of one run."""

    events: float
    actions: float


async def sample_bill(client: Client, kinds: Iterable[str], *, since: datetime) -> Average:
    """What a completed run of these kinds costs, by a sample of those that began after `since`.

    There has to be one; visibility may show it later than it ended.
    """
    bill = Bill()
    wanted = ", ".join(f"'{kind}'" for kind in kinds)
    query = f"WorkflowType IN ({wanted}) AND ExecutionStatus = 'Completed' AND StartTime > '{since.isoformat()}'"

    async def seen() -> int:
        return (await client.count_workflows(query)).count

    await eventually(seen, f"a run of {wanted} is listed")
    async for run in client.list_workflows(query, limit=SAMPLE):
        history = await client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        bill.add(history.events)
    return Average(bill.events / bill.runs, bill.total / bill.runs)
