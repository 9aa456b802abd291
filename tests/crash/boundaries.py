"""Where a process of the crash tests can be told to die, and the hurry in which its successor notices.

A test arms a point by a file; the first process that reaches the point takes the file and does to itself what it says.
Points: `activity/NAME/before|after` (after: the work is done, nobody knows), `store/STEP/before|after` and
`gateway/STEP/before|after`. Every activity that a process begins is noted: the way of a document is what was passed.
"""

import contextlib
import functools
import os
import signal
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal

from sqlalchemy.engine import make_url
from temporalio import activity, workflow
from temporalio.plugin import SimplePlugin
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
    PollerBehaviorSimpleMaximum,
    StartActivityInput,
    WorkerConfig,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

Fate = Literal["SIGKILL", "SIGSTOP", "NOTE"]
"""`NOTE`: it only says that it was here."""

LONGEST_STEP: Final = timedelta(seconds=5)
"""An attempt of a step whose worker died is given up after this long; minutes in production."""
LONGEST_SILENCE: Final = timedelta(seconds=2)
BEATS: Final = timedelta(seconds=0.5)
"""Heartbeats are sent as often. The SDK would keep them back for four fifths of that silence, and a worker that is late
by the last one would be taken for dead."""
STICKY: Final = timedelta(seconds=1)
HURRIED: Final = {
    ("workflows.journal_groups", "LOOK_AGAIN"): timedelta(seconds=4),
    ("workflows.release_review", "AFTERWARDS"): timedelta(seconds=2),
}
"""Pauses of workflows that last minutes in production."""


class Points:
    """The armed points of one directory, shared by all processes of a test."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory

    def arm(self, point: str, fate: Fate = "SIGKILL") -> None:
        armed = self._file(point, "armed")
        armed.with_suffix(".new").write_text(fate)
        armed.with_suffix(".new").rename(armed)

    def disarm(self) -> None:
        """Forgets every point that nobody reached, what was reached, and what was passed."""
        for file in self._directory.glob("*"):
            file.unlink(missing_ok=True)

    def reached_by(self, point: str) -> int | None:
        """The process that reached the point, by its id."""
        stem = f"{self._stem(point)}.reached."
        return next((int(file.name.removeprefix(stem)) for file in self._directory.glob(f"{stem}*")), None)

    def passed(self) -> frozenset[str]:
        """Names of the activities that any process began since all was forgotten."""
        return frozenset(file.name.removeprefix("passed.") for file in self._directory.glob("passed.*"))

    # In the process under test

    def reach(self, point: str) -> None:
        """Meets the fate that is armed here, if one is."""
        armed = self._file(point, "armed")
        try:
            fate = armed.read_text()
            # One rename takes it and says who: a process that is killed in between leaves no doubt.
            armed.rename(self._file(point, f"reached.{os.getpid()}"))
        except FileNotFoundError:
            return
        if fate == "SIGSTOP":
            # All that other threads have begun is done; nothing new begins while this one is busy here.
            writable(os.environ.get("MLC_STORE_URL", ""), patience=20.0)
        if fate != "NOTE":
            os.kill(os.getpid(), signal.Signals[fate])

    def note(self, name: str) -> None:
        """This activity begins."""
        (self._directory / f"passed.{name}").touch()

    def _file(self, point: str, suffix: str) -> Path:
        return self._directory / f"{self._stem(point)}.{suffix}"

    def _stem(self, point: str) -> str:
        return point.replace("/", ".")


def writable(store_url: str, patience: float) -> bool:
    """Whether a store of one file can be written to within `patience` seconds; other stores always can.

    A process that stands still in the middle of a write keeps all others from writing to such a store, and there is
    nothing to be proved but that.
    """
    path = make_url(store_url).database if store_url.startswith("sqlite") else None
    if path is None:
        return True
    with contextlib.closing(sqlite3.connect(path, timeout=patience, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return False
    return True


def surround(points: Points, owner: type, method: str, point: str) -> None:
    """Make a method pass `point/before` and `point/after`."""
    original: Callable[..., Awaitable[Any]] = getattr(owner, method)

    @functools.wraps(original)
    async def surrounded(*args: Any, **named: Any) -> Any:
        points.reach(f"{point}/before")
        result = await original(*args, **named)
        points.reach(f"{point}/after")
        return result

    setattr(owner, method, surrounded)


class MortalPlugin(SimplePlugin):
    """For the client of a worker under test: activity boundaries, and short waits for a dead worker's work."""

    def __init__(self, points: Points, *, few_pollers: bool = False) -> None:
        """`few_pollers`: every poll of a worker that stands still swallows a task, which then waits for its timeout."""
        super().__init__("crash-tests", interceptors=[_Boundaries(points)])
        self._few_pollers = few_pollers

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        config = super().configure_worker(config)
        config["sticky_queue_schedule_to_start_timeout"] = STICKY
        config["max_heartbeat_throttle_interval"] = BEATS
        if self._few_pollers:
            config["workflow_task_poller_behavior"] = PollerBehaviorSimpleMaximum(2)
            config["activity_task_poller_behavior"] = PollerBehaviorSimpleMaximum(1)
        return config


class _Boundaries(Interceptor):
    def __init__(self, points: Points) -> None:
        self._points = points

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Boundary(next, self._points)

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        return _Hurry


class _Boundary(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, points: Points) -> None:
        super().__init__(next)
        self._points = points

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        name = activity.info().activity_type
        self._points.note(name)
        self._points.reach(f"activity/{name}/before")
        result = await super().execute_activity(input)
        self._points.reach(f"activity/{name}/after")
        return result


class _Hurry(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_HurriedSteps(outbound))
        for (module, name), pause in HURRIED.items():
            # The sandbox imports some workflows anew for each run: this is the copy that runs here, where it is one.
            if module in sys.modules:
                setattr(sys.modules[module], name, pause)


class _HurriedSteps(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:
        if input.heartbeat_timeout is not None:
            input.heartbeat_timeout = LONGEST_SILENCE
        elif input.activity != "poll_orders":
            input.start_to_close_timeout = LONGEST_STEP
        return super().start_activity(input)
