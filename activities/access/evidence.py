"""What the end of one vendor call says of its connection.

| how it ended | what it says |
| --- | --- |
| a success; a refusal of the document (4xx); 429 | ANSWERS: the connection works |
| no connection could be made | SILENT: an outage |
| cut, timeout, 5xx, 503 that names a waiting time, token endpoint in trouble | FAILS: with another one an outage |
| 401, a redirect to a sign-in page | REFUSES: who we are is not accepted, at this moment |
| the token endpoint refused the client; no secret | DENIES: not accepted until somebody changes something |
| held back or throttled on our side | NOTHING |
"""

from enum import Enum, auto
from typing import Final

from clients.errors import (
    Held,
    InDoubt,
    NotSent,
    RateLimited,
    SignInRefused,
    Unauthorized,
    Unavailable,
    Unreachable,
    VendorError,
)

TOO_MANY: Final = 429


class Evidence(Enum):
    ANSWERS = auto()
    FAILS = auto()
    SILENT = auto()
    REFUSES = auto()
    DENIES = auto()
    NOTHING = auto()


ROWS: Final[tuple[tuple[type[VendorError], Evidence], ...]] = (
    (Held, Evidence.NOTHING),
    (Unreachable, Evidence.SILENT),
    (NotSent, Evidence.FAILS),
    (InDoubt, Evidence.FAILS),
    (Unavailable, Evidence.FAILS),
    (RateLimited, Evidence.FAILS),
    (SignInRefused, Evidence.DENIES),
    (Unauthorized, Evidence.REFUSES),
    (VendorError, Evidence.ANSWERS),
)
"""The first row whose class fits counts."""


def evidence_of(error: VendorError | None) -> Evidence:
    """By the table above; `None` is a success."""
    if error is None:
        return Evidence.ANSWERS
    if isinstance(error, RateLimited) and error.status is None:
        # Our own limiter spoke: nobody was asked.
        return Evidence.NOTHING
    if isinstance(error, RateLimited | Unavailable) and error.status == TOO_MANY:
        return Evidence.ANSWERS
    return next(evidence for kind, evidence in ROWS if isinstance(error, kind))


def blames_connection(error: VendorError) -> bool:
    """Whether a step that failed with this is worth repeating as it is, once its connection works again."""
    return evidence_of(error) is not Evidence.ANSWERS
