"""Where a process of the crash tests can be told to die, and the hurry in which its successor notices.

A test arms a point by a file; the first process that reaches the point takes the file and does to itself what it says.
Points: `activity/NAME/before|after` (after: the work is done, nobody knows), `store/STEP/before|after` and
`gateway/STEP/before|after`.
"""

import functools
import os
import signal
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal

from temporalio import activity, workflow
from temporalio.plugin import SimplePlugin
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
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
STICKY: Final = timedelta(seconds=1)


class Points:
    """The armed points of one directory, shared by all processes of a test."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def arm(self, point: str, fate: Fate = "SIGKILL") -> None:
        armed = self._file(point, "armed")
        armed.with_suffix(".new").write_text(fate)
        armed.with_suffix(".new").rename(armed)

    def disarm(self) -> None:
        """Forgets every point that nobody reached, and what was reached."""
        for file in self._directory.glob("*"):
            file.unlink()

    def reached_by(self, point: str) -> int | None:
        """The process that reached the point, by its id."""
        try:
            return int(self._file(point, "reached").read_text() or 0) or None
        except FileNotFoundError:
            return None

    def reach(self, point: str) -> None:
        """In the process under test."""
        armed, taken = self._file(point, "armed"), self._file(point, f"{os.getpid()}.taken")
        try:
            armed.rename(taken)
        except FileNotFoundError:
            return
        fate = taken.read_text()
        taken.write_text(str(os.getpid()))
        taken.rename(self._file(point, "reached"))
        if fate != "NOTE":
            os.kill(os.getpid(), signal.Signals[fate])

    def _file(self, point: str, suffix: str) -> Path:
        return self._directory / f"{point.replace('/', '.')}.{suffix}"


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

    def __init__(self, points: Points) -> None:
        super().__init__("crash-tests", interceptors=[_Boundaries(points)])

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        config = super().configure_worker(config)
        config["sticky_queue_schedule_to_start_timeout"] = STICKY
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
        self._points.reach(f"activity/{name}/before")
        result = await super().execute_activity(input)
        self._points.reach(f"activity/{name}/after")
        return result


class _Hurry(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_HurriedSteps(outbound))


class _HurriedSteps(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:
        if input.heartbeat_timeout is not None:
            input.heartbeat_timeout = LONGEST_SILENCE
        elif input.activity != "poll_orders":
            input.start_to_close_timeout = LONGEST_STEP
        return super().start_activity(input)
