"""How long each kind of step may take, and how its failures reach a person."""

from datetime import datetime, timedelta
from typing import Final, TypedDict

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

from contracts.journal import Problem

VENDOR_RETRY: Final = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2, maximum_interval=timedelta(minutes=2)
)


class Patience(TypedDict, total=False):
    """Options of a step, as keyword arguments of `execute_activity_method`."""

    schedule_to_close_timeout: timedelta
    start_to_close_timeout: timedelta
    heartbeat_timeout: timedelta
    retry_policy: RetryPolicy


class LocalPatience(TypedDict, total=False):
    """The same for `execute_local_activity_method`."""

    start_to_close_timeout: timedelta
    retry_policy: RetryPolicy


SILENCE: Final = timedelta(seconds=30)
"""After which the worker of a step is taken for dead, or never to have got it: a server or a worker with too much to do
loses a step now and then on the way from one to the other."""

VENDOR_STEP: Final[Patience] = {
    "start_to_close_timeout": timedelta(minutes=5),
    "heartbeat_timeout": SILENCE,
    "retry_policy": VENDOR_RETRY,
}
"""An outage is not a bad document (design rule 4): steps wait at their connection's gate and are tried again for as
long as it lasts. What another try cannot change fails for good and goes to review at once."""

VENDOR_CREATE: Final[Patience] = {
    "start_to_close_timeout": timedelta(minutes=10),
    "heartbeat_timeout": SILENCE,
    "retry_policy": VENDOR_RETRY,
}
"""A look and a create, each with a deadline of its own."""

FOLLOW: Final[Patience] = {
    "start_to_close_timeout": timedelta(minutes=30),
    "heartbeat_timeout": timedelta(minutes=2),
    "retry_policy": VENDOR_RETRY,
}
"""Steps that watch something at the vendor and heartbeat while they do."""

NOTE: Final[Patience] = {
    "schedule_to_close_timeout": timedelta(hours=1),
    "start_to_close_timeout": timedelta(seconds=45),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1),
        backoff_coefficient=2,
        maximum_interval=timedelta(seconds=15),
        maximum_attempts=5,
    ),
}
"""A word to the shop that nothing depends on: a few tries, half a minute apart from first to last. The rest of the
hour is for its turn at a shop that is busy with orders."""

STORE_RETRY: Final = RetryPolicy(
    initial_interval=timedelta(milliseconds=200), backoff_coefficient=2, maximum_interval=timedelta(seconds=30)
)

LOCAL_STEP: Final[LocalPatience] = {"start_to_close_timeout": timedelta(seconds=20), "retry_policy": STORE_RETRY}
"""Short, idempotent steps on our own store or on nothing at all; they run as local activities."""

STORE_STEP: Final[Patience] = {"start_to_close_timeout": timedelta(minutes=1), "retry_policy": STORE_RETRY}

VERIFICATION: Final[Patience] = {**STORE_STEP, "schedule_to_close_timeout": timedelta(minutes=10)}
"""A person's decision that has to ask Fusion first: nobody else can decide meanwhile, so it waits for no outage to
end."""

NEEDS_REVIEW: Final = "NeedsReview"
"""`ApplicationError.type` of a failure that only a person can resolve; its first detail is a `Problem`."""


LOCAL_FAILURES: Final = (ActivityError, ApplicationError)
"""What a local step fails with: unlike others, its own error reaches the workflow as it was raised."""


def problem_of(error: ActivityError | ApplicationError, document: str) -> Problem:
    """What a person reads when a step could not be done.

    A step that failed for good carries its `Problem`; any other end of a step is a mistake of ours.
    """
    cause = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, ApplicationError) and cause.type == NEEDS_REVIEW and cause.details:
        return Problem.model_validate(cause.details[0])
    return Problem(
        code="step_failed",
        sentence=f"{document}: a step did not succeed: {cause or error}",
        remedy="Repair the cause, then retry.",
    )


def sentence_of_failure(error: ActivityError) -> str:
    """Why a step that nothing depends on was given up."""
    return error.cause.message if isinstance(error.cause, ApplicationError) else str(error.cause or error)


def rest_until(moment: datetime | None) -> timedelta:
    """From now until `moment`, at least a second: timers are no finer."""
    return max((moment or workflow.now()) - workflow.now(), timedelta(seconds=1))
