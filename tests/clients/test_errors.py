import aiohttp
import httpx
import pytest

from clients.errors import (
    STATUS_TABLE,
    BadAnswer,
    Forbidden,
    InDoubt,
    NotFound,
    NotSent,
    RateLimited,
    Rejected,
    Resolution,
    Unauthorized,
    Unavailable,
    VendorError,
    error_class,
    failure_class,
)


@pytest.mark.parametrize(
    ("status", "read", "write"),
    [
        (302, Unauthorized, Unauthorized),
        (400, Rejected, Rejected),
        (401, Unauthorized, Unauthorized),
        (403, Forbidden, Forbidden),
        (404, NotFound, NotFound),
        (408, Unavailable, InDoubt),
        (409, Rejected, Rejected),
        (412, Rejected, Rejected),
        (413, Rejected, Rejected),
        (422, Rejected, Rejected),
        (423, Rejected, Rejected),
        (429, Unavailable, Unavailable),
        (499, Rejected, Rejected),
        (500, Unavailable, InDoubt),
        (502, Unavailable, InDoubt),
        (503, Unavailable, InDoubt),
        (504, Unavailable, InDoubt),
        (507, Unavailable, InDoubt),
        (101, BadAnswer, BadAnswer),
    ],
)
def test_every_status_has_one_meaning_for_reads_and_one_for_writes(
    status: int, read: type[VendorError], write: type[VendorError]
) -> None:
    assert error_class(status, write=False, retry_after=None) is read
    assert error_class(status, write=True, retry_after=None) is write


@pytest.mark.parametrize(
    ("status", "write", "kind"),
    [
        (429, False, RateLimited),
        (429, True, RateLimited),
        (503, False, RateLimited),
        (503, True, InDoubt),
        (500, False, Unavailable),
    ],
)
def test_a_waiting_time_never_turns_a_write_that_may_have_happened_into_a_wait(
    status: int, write: bool, kind: type[VendorError]
) -> None:
    assert error_class(status, write=write, retry_after=7.0) is kind


def test_the_table_covers_every_error_status() -> None:
    covered = {status for row in STATUS_TABLE for status in range(row.first, row.last + 1)}
    assert covered == set(range(300, 600))


@pytest.mark.parametrize(
    ("kind", "resolution"),
    [
        (NotSent, Resolution.RETRY),
        (InDoubt, Resolution.IN_DOUBT),
        (Unavailable, Resolution.RETRY),
        (RateLimited, Resolution.WAIT),
        (NotFound, Resolution.REVIEW),
        (Rejected, Resolution.REVIEW),
        (Unauthorized, Resolution.CONFIG),
        (Forbidden, Resolution.CONFIG),
        (BadAnswer, Resolution.REVIEW),
    ],
)
def test_every_error_says_what_is_to_be_done(kind: type[VendorError], resolution: Resolution) -> None:
    error = kind("fusion-test", "Something happened.")
    assert error.resolution is resolution
    assert error.remedy
    assert str(error) == "Something happened."


def caused(outer: httpx.TransportError, inner: aiohttp.ClientError) -> httpx.TransportError:
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    ("failure", "went_out", "read", "write"),
    [
        (httpx.ConnectError("refused"), True, NotSent, NotSent),
        (httpx.PoolTimeout("pool"), True, NotSent, NotSent),
        (httpx.ReadTimeout("slow"), True, Unavailable, InDoubt),
        (httpx.ReadError("cut"), True, Unavailable, InDoubt),
        (httpx.WriteError("cut"), True, Unavailable, InDoubt),
        (httpx.RemoteProtocolError("junk"), True, Unavailable, InDoubt),
        (TimeoutError(), True, Unavailable, InDoubt),
        (TimeoutError(), False, NotSent, NotSent),
        (caused(httpx.ConnectTimeout("x"), aiohttp.ServerDisconnectedError()), True, Unavailable, InDoubt),
        (caused(httpx.ConnectTimeout("x"), aiohttp.ClientOSError(104, "reset")), True, Unavailable, InDoubt),
        (caused(httpx.TimeoutException("x"), aiohttp.ConnectionTimeoutError()), True, NotSent, NotSent),
        (caused(httpx.ReadTimeout("x"), aiohttp.SocketTimeoutError()), True, Unavailable, InDoubt),
    ],
)
def test_a_cut_connection_is_never_mistaken_for_one_that_was_not_made(
    failure: BaseException, went_out: bool, read: type[VendorError], write: type[VendorError]
) -> None:
    assert failure_class(failure, went_out=went_out, write=False) is read
    assert failure_class(failure, went_out=went_out, write=True) is write
