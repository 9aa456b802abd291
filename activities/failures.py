"""How a vendor's error reaches Temporal: one table from resolution to retry, wait or review.

| resolution | while the connection's gate is open | once it is shut (`activities.access.gates`) |
| --- | --- | --- |
| RETRY | a benign failure, retried with the step's back-off | the step waits at the gate |
| WAIT | a benign failure, retried after the vendor's own delay | the step waits at the gate |
| IN_DOUBT | as RETRY: only steps that create know what to do with doubt, and they handle it themselves | as RETRY |
| CONFIG | 403, a missing role: retried every five minutes, others go on | 401: the step waits at the gate |
| REVIEW | a final failure that carries the `Problem` a person reads | the same |

An outage or a refused sign-in never leads to review, however long it lasts.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final, NoReturn

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from clients.errors import Resolution, VendorError
from contracts.journal import Problem
from store import KeyMissing, StoreError, StoreUnavailable
from store.creating.decided_creations import CreationInFlight
from store.outbox.journals import PostingInFlight

NEEDS_REVIEW: Final = "NeedsReview"
ON_ITS_WAY: Final = "on_its_way"
"""Nobody says what became of something that may be under way at this moment: the decision is refused."""
MINUTE: Final = timedelta(minutes=1)
CONFIG_PAUSE: Final = timedelta(minutes=5)
"""Until a step whose account lacks a role is tried again: giving it the role heals everything that waits."""
LONGEST_SENTENCE: Final = 2000
"""Characters: an error text travels in a payload."""


def review(problem: Problem) -> ApplicationError:
    """A final failure that only a person can resolve."""
    return ApplicationError(
        problem.sentence[:LONGEST_SENTENCE], problem.model_dump(), type=NEEDS_REVIEW, non_retryable=True
    )


def wait(sentence: str, seconds: float, *, kind: str = "Waiting") -> ApplicationError:
    """An expected failure: nothing is wrong, it is too early."""
    return ApplicationError(
        sentence,
        type=kind,
        next_retry_delay=timedelta(seconds=max(seconds, 1.0)),
        category=ApplicationErrorCategory.BENIGN,
    )


def raise_for_temporal(error: VendorError, document: str) -> NoReturn:
    """Raise what the table above says."""
    sentence = f"{document}: {error.sentence}"[:LONGEST_SENTENCE]
    match error.resolution:
        case Resolution.REVIEW:
            code = f"vendor_{error.code or error.status or type(error).__name__}".lower()
            raise review(Problem(code=code, sentence=sentence, remedy=error.remedy)) from error
        case Resolution.CONFIG:
            raise ApplicationError(
                f"{sentence} {error.remedy}", type="Configuration", next_retry_delay=CONFIG_PAUSE
            ) from error
        case Resolution.WAIT if error.retry_after is not None:
            raise wait(sentence, error.retry_after, kind="RateLimited") from error
        case _:
            raise ApplicationError(
                sentence, type=type(error).__name__, category=ApplicationErrorCategory.BENIGN
            ) from error


@contextmanager
def explained(document: str) -> Iterator[None]:
    """Turn what another try cannot change (a missing setting, a value that fits nowhere) into a problem for a person.

    What heals by itself, a database that does not answer or a key ring that is incomplete, goes on to Temporal.
    """
    try:
        yield
    except (StoreUnavailable, KeyMissing, ApplicationError):
        raise
    except CreationInFlight as sending:
        raise review(
            Problem(
                code=ON_ITS_WAY,
                sentence=f"{document}: {sending.reference} may be on its way until {sending.until:%H:%M:%S} UTC.",
                remedy=f"Decide after {sending.until + MINUTE:%H:%M} UTC.",
            )
        ) from sending
    except PostingInFlight as importing:
        raise review(
            Problem(
                code=ON_ITS_WAY,
                sentence=f"{document}: {importing.reference} is being imported in group {importing.group_id}.",
                remedy="Decide when that import has ended.",
            )
        ) from importing
    except (LookupError, ValueError, ArithmeticError, StoreError) as error:
        raise review(
            Problem(
                code="cannot_be_processed",
                sentence=f"{document}: {type(error).__name__}: {error}",
                remedy="Correct the configuration or the order that the sentence names, then retry.",
            )
        ) from error
