"""What the SDK and Hypothesis take for a mistake on a machine that does much else."""

import functools
from typing import Any, Final

from hypothesis import HealthCheck, settings
from temporalio.worker import _workflow

LONGEST_ACTIVATION: Final = 120
"""Seconds. The SDK allows two."""


def let_flows_stand_still() -> None:
    """For the life of this process: a flow is deadlocked after two minutes, and not after two seconds.

    The SDK interrupts the thread of a flow that seems deadlocked wherever it is, as in the midst of collecting what
    others have left behind. Where parts of the tests run side by side, a thread may wait for seconds for its turn. One
    that never yields still ends its test.
    """
    make = _workflow._WorkflowWorker.__init__

    @functools.wraps(make)
    def patiently(self: Any, *given: Any, **named: Any) -> None:
        make(self, *given, **named)
        if self._deadlock_timeout_seconds != 2:
            raise AssertionError("the SDK has another limit by now: look whether this is still needed")
        self._deadlock_timeout_seconds = LONGEST_ACTIVATION

    setattr(_workflow._WorkflowWorker, "__init__", patiently)  # noqa: B010 -- a method of the SDK's


def let_examples_take_their_time() -> None:
    """For the life of this process: how long it takes to make an example, or to try it, says nothing of the example."""
    settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("patient")
