"""How long each kind of step may take, and how its failures reach a person."""

from datetime import timedelta
from typing import Final

from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

from contracts.journal import Problem

OUTAGE: Final = timedelta(hours=72)
"""An outage is not a bad document: transport errors are retried this long (design rule 4)."""

VENDOR_RETRY: Final = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2, maximum_interval=timedelta(minutes=2)
)

VENDOR_READ: Final = {
    "start_to_close_timeout": timedelta(minutes=5),
    "schedule_to_close_timeout": OUTAGE,
    "retry_policy": VENDOR_RETRY,
}

STORE_RETRY: Final = RetryPolicy(
    initial_interval=timedelta(milliseconds=200), backoff_coefficient=2, maximum_interval=timedelta(seconds=30)
)

LOCAL_STEP: Final = {"start_to_close_timeout": timedelta(seconds=20), "retry_policy": STORE_RETRY}
"""Short, idempotent steps on our own store or on nothing at all; they run as local activities."""

STORE_STEP: Final = {"start_to_close_timeout": timedelta(minutes=1), "retry_policy": STORE_RETRY}

NEEDS_REVIEW: Final = "NeedsReview"
"""`ApplicationError.type` of a failure that only a person can resolve; its first detail is a `Problem`."""


def problem_of(error: ActivityError, document: str) -> Problem:
    """What a person reads when a step could not be done.

    A step that failed for good carries its `Problem`; one that ran out of time is an outage longer than `OUTAGE`.
    """
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.type == NEEDS_REVIEW and cause.details:
        return Problem.model_validate(cause.details[0])
    return Problem(
        code="step_failed",
        sentence=f"{document}: step {error.activity_type} did not succeed: {cause or error}",
        remedy="Repair the cause, then retry.",
    )
