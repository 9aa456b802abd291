# ruff: noqa: N818 -- the names say what happened; that they are errors is said by where they stand
"""Everything that can go wrong between us and a vendor, and what is to be done about it.

VendorError
├── NotSent        nothing of the request went out (no connection or no token in time)           -> RETRY
│   ├── Unreachable    no connection could be made: DNS, refused connect, TLS                    -> RETRY
│   └── Held           kept back on our side; says nothing of the vendor                         -> RETRY
├── InDoubt        the body of a write may have arrived: timeout, cut connection, 5xx            -> IN_DOUBT
├── Unavailable    5xx, cut or timeout of a read on its way, a web page instead of an answer; 429 without a
│                  waiting time                                                                  -> RETRY
├── RateLimited    429, or 503 on a read, that says how long to wait; or our own ceiling         -> WAIT
├── NotFound       404                                                                           -> REVIEW
├── Rejected       every other 4xx                                                               -> REVIEW
├── Unauthorized   401 after one refresh, a redirect to a sign-in page                           -> CONFIG
│   └── SignInRefused  the token endpoint refused who we are, or there is no secret to sign in with  -> CONFIG
├── Forbidden      403                                                                           -> CONFIG
└── BadAnswer      a 2xx that is not what the vendor documents                                   -> REVIEW

`str(error)` is one sentence for people: no body, no token, no URL with a query.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

import aiohttp
import httpx


class Resolution(StrEnum):
    """What the caller does about an error."""

    RETRY = "retry"
    """Again with back-off; the document is not at fault."""
    WAIT = "wait"
    """Again after `retry_after` seconds."""
    IN_DOUBT = "in_doubt"
    """Look before anything else is sent (design rule 2)."""
    REVIEW = "review"
    """A person decides; another try gives the same answer."""
    CONFIG = "config"
    """The connection is at fault: credentials, roles or addresses."""


class VendorError(Exception):
    """Base of all errors of `clients`.

    `connection` is the connection's id, `status` the HTTP status if there was one, `code` the vendor's own code,
    `retry_after` seconds.
    """

    resolution: ClassVar[Resolution] = Resolution.REVIEW
    advice: ClassVar[str] = "Read the vendor's message, correct the document or the settings, then retry."

    def __init__(
        self,
        connection: str,
        sentence: str,
        *,
        remedy: str = "",
        status: int | None = None,
        code: str = "",
        retry_after: float | None = None,
        messages: Sequence[str] = (),
    ) -> None:
        super().__init__(sentence)
        self.connection = connection
        self.sentence = sentence
        self.remedy = remedy or self.advice
        self.status = status
        self.code = code
        self.retry_after = retry_after
        self.messages = tuple(messages)
        """The vendor's own sentences, cleaned (`clients.redaction`)."""

    def __str__(self) -> str:
        return self.sentence


class NotSent(VendorError):
    """Nothing of the request left this machine; sending it again is safe."""

    resolution = Resolution.RETRY
    advice = "Nothing to do: it is tried again. If it lasts, check the network, DNS, proxy and the base address."


class Unreachable(NotSent):
    """No connection could be made."""


class Held(NotSent):
    """Kept back on our side: its connection is paused, its secret is changing, or it was too late to send."""


class InDoubt(VendorError):
    """A write may or may not have taken effect. Never sent again without looking first."""

    resolution = Resolution.IN_DOUBT
    advice = "Nothing to do: the outcome is looked up before anything is sent again."


class Unavailable(VendorError):
    """The vendor cannot answer now."""

    resolution = Resolution.RETRY
    advice = "Nothing to do: it is tried again. If it lasts, check the vendor's status page."


class RateLimited(VendorError):
    """Too many calls; `retry_after` says how long to wait."""

    resolution = Resolution.WAIT
    advice = "Nothing to do: it waits. If it happens often, lower the connection's request ceiling."


class NotFound(VendorError):
    """The vendor has no such document."""

    advice = "Check that the document still exists and that the integration user may see it."


class Rejected(VendorError):
    """The vendor understood and refused; `messages` say why."""


class Unauthorized(VendorError):
    """The credentials are not accepted."""

    resolution = Resolution.CONFIG
    advice = "Set the connection's secret again and check client id, scope and base address."


class SignInRefused(Unauthorized):
    """Who we say we are was refused. Another try with the same secret gives the same answer, or locks the account."""


class Forbidden(VendorError):
    """Signed in, but a role, privilege or scope is missing."""

    resolution = Resolution.CONFIG
    advice = "Give the integration user the missing role or scope, then run `ml-connector connections test`."


class BadAnswer(VendorError):
    """Success by status, but not what the vendor documents. Nothing is guessed from it."""

    advice = "Report the vendor's answer to the maintainers; its format is not the documented one."


@dataclass(frozen=True)
class StatusRow:
    """One row of the status table; the first row that contains the status counts."""

    first: int
    last: int
    read: type[VendorError]
    write: type[VendorError]
    read_waits: bool = False
    """With a waiting time from the vendor a read is `RateLimited` instead."""
    write_waits: bool = False
    """So is a write: with this status the vendor declined before it began. A 503 does not prove that."""


STATUS_TABLE: tuple[StatusRow, ...] = (
    StatusRow(300, 399, Unauthorized, Unauthorized),
    StatusRow(401, 401, Unauthorized, Unauthorized),
    StatusRow(403, 403, Forbidden, Forbidden),
    StatusRow(404, 404, NotFound, NotFound),
    StatusRow(408, 408, Unavailable, InDoubt),
    StatusRow(429, 429, Unavailable, Unavailable, read_waits=True, write_waits=True),
    StatusRow(400, 499, Rejected, Rejected),
    StatusRow(503, 503, Unavailable, InDoubt, read_waits=True),
    StatusRow(500, 599, Unavailable, InDoubt),
)


def error_class(status: int, *, write: bool, retry_after: float | None) -> type[VendorError]:
    """The error for an HTTP status; `BadAnswer` for a status no vendor documents."""
    for row in STATUS_TABLE:
        if row.first <= status <= row.last:
            if retry_after is not None and (row.write_waits if write else row.read_waits):
                return RateLimited
            return row.write if write else row.read
    return BadAnswer


NEVER_SENT: tuple[type[BaseException], ...] = (
    aiohttp.ClientConnectorError,  # DNS, refused, unreachable, TLS, proxy connect
    aiohttp.ConnectionTimeoutError,  # pool or connect timeout
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
)
"""Failures after which the vendor cannot have seen the request."""

UNREACHED: tuple[type[BaseException], ...] = (aiohttp.ClientConnectorError, httpx.ConnectError)
"""Failures that prove that nobody listens there, or not as whom we expect."""


def failure_class(failure: BaseException, *, went_out: bool, write: bool) -> type[VendorError]:
    """The error for a request without an answer.

    The transport reports a refused connect and a connection cut after the body alike as `httpx.ConnectTimeout`,
    so the decision is made on the cause.
    """
    cause = failure.__cause__ if isinstance(failure.__cause__, aiohttp.ClientError) else failure
    if not went_out or isinstance(cause, NEVER_SENT):
        return NotSent
    if cause is failure and isinstance(
        failure, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.UnsupportedProtocol
    ):
        return NotSent
    return InDoubt if write else Unavailable
