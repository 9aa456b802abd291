import pytest

from activities.access.evidence import Evidence, blames_connection, evidence_of
from clients.errors import (
    BadAnswer,
    Forbidden,
    Held,
    InDoubt,
    NotFound,
    NotSent,
    RateLimited,
    Rejected,
    SignInRefused,
    Unauthorized,
    Unavailable,
    Unreachable,
    VendorError,
)


@pytest.mark.parametrize(
    ("kind", "status", "evidence"),
    [
        (Unreachable, None, Evidence.SILENT),
        (NotSent, None, Evidence.FAILS),
        (NotSent, 503, Evidence.FAILS),
        (Held, None, Evidence.NOTHING),
        (InDoubt, None, Evidence.FAILS),
        (InDoubt, 504, Evidence.FAILS),
        (Unavailable, None, Evidence.FAILS),
        (Unavailable, 500, Evidence.FAILS),
        (Unavailable, 429, Evidence.ANSWERS),
        (RateLimited, 429, Evidence.ANSWERS),
        (RateLimited, 503, Evidence.FAILS),
        (RateLimited, None, Evidence.NOTHING),
        (SignInRefused, 401, Evidence.DENIES),
        (Unauthorized, 401, Evidence.REFUSES),
        (Forbidden, 403, Evidence.ANSWERS),
        (NotFound, 404, Evidence.ANSWERS),
        (Rejected, 422, Evidence.ANSWERS),
        (BadAnswer, 200, Evidence.ANSWERS),
    ],
)
def test_every_error_says_one_thing_of_its_connection(
    kind: type[VendorError], status: int | None, evidence: Evidence
) -> None:
    error = kind("pod", "A sentence.", status=status)
    assert evidence_of(error) is evidence
    assert blames_connection(error) is (evidence is not Evidence.ANSWERS)


def test_a_success_is_an_answer() -> None:
    assert evidence_of(None) is Evidence.ANSWERS
