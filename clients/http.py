"""One HTTP core for every vendor: httpx's API over aiohttp's transport, one `VendorHttp` per connection and process.

It applies the error table of `clients.errors`, the rate limit of `clients.limiter` and an absolute deadline to every
call, retries a read once when the connection could not be made, and never repeats a write.
"""

import asyncio
import contextlib
import functools
import json
import random
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final, Protocol
from urllib.request import getproxies

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from clients.errors import (
    UNREACHED,
    BadAnswer,
    Held,
    InDoubt,
    NotSent,
    RateLimited,
    Unavailable,
    Unreachable,
    VendorError,
    error_class,
    failure_class,
)
from clients.limiter import Allowance, Limiter, Throttled, retry_after
from clients.redaction import plain

KEEP_ALIVE: Final = 4.0
"""Seconds an idle connection is kept: below the 5 s after which common servers close theirs."""
CONNECTIONS: Final = 50

_DEPARTED: Final = "ml_connector.departed"
_WENT_OUT: Final = "ml_connector.went_out"
_leaving: ContextVar[httpx.Request | None] = ContextVar("leaving", default=None)
"""The request that is being handed over."""


@dataclass(frozen=True)
class Explanation:
    """What an error body says, in whatever shape it came."""

    messages: tuple[str, ...] = ()
    code: str = ""
    kind: type[VendorError] | None = None
    """What the answer is an error of, where its body says more than its status."""


ErrorReader = Callable[[httpx.Response], Explanation]
AllowanceReader = Callable[[Mapping[str, str]], Allowance | None]


class Watch(Protocol):
    """Sees every call of a connection, and may hold it back."""

    def begin(self) -> int:
        """A call is about to be made; `ended` gets the number that this returns. Raises `Held`."""
        ...

    def ended(self, began: int, error: VendorError | None) -> None:
        """How the call ended: with an answer that is a success, or with this error."""
        ...


class Unwatched:
    """For callers that stand alone: a command, a test."""

    def begin(self) -> int:
        return 0

    def ended(self, began: int, error: VendorError | None) -> None:
        pass


UNWATCHED: Final = Unwatched()


def explain(response: httpx.Response) -> Explanation:
    """The default error reader: text, HTML, or JSON with the usual names for a message. Never raises."""
    body = parsed(response)
    if isinstance(body, Mapping):
        names = ("title", "detail", "message", "error_description", "error")
        messages = [plain(str(body[name])) for name in names if isinstance(body.get(name), str)]
        return Explanation(tuple(dict.fromkeys(filter(None, messages))), str(body.get("code") or ""))
    text = plain(response.text) if body is None else ""
    return Explanation((text,) if text else ())


def parsed(response: httpx.Response) -> Any:
    """The JSON body with `Decimal` for every fraction, or `None` when the body is not JSON."""
    try:
        return json.loads(response.content, parse_float=Decimal)
    except ValueError:
        return None


def open_transport(*, keep_alive: bool = True) -> httpx.AsyncBaseTransport:
    """The aiohttp transport with the environment's proxies and certificate settings.

    Writes use connections of their own (`keep_alive=False`): a pooled connection that the server closes at the
    moment of sending would put a write in doubt for nothing.
    """
    context = _certificates()
    # Looking for a proxy on every request costs more than the request; look for any once.
    proxied = bool(getproxies())

    def session() -> aiohttp.ClientSession:
        connector = (
            aiohttp.TCPConnector(ssl=context, limit=CONNECTIONS, keepalive_timeout=KEEP_ALIVE)
            if keep_alive
            else aiohttp.TCPConnector(ssl=context, limit=CONNECTIONS, force_close=True)
        )
        return aiohttp.ClientSession(
            connector=connector,
            trust_env=proxied,
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=[_departures()],
        )

    return AiohttpTransport(verify=context, client=session)


@functools.cache
def _certificates() -> ssl.SSLContext:
    """One for all connections of a process: reading the certificates takes tens of milliseconds and a megabyte."""
    return httpx.create_ssl_context()


def _departures() -> aiohttp.TraceConfig:
    """Notes on a request that it still waits for its connection: no byte of it has gone out.

    Only while this is known for certain; whoever has had a connection once, or tells nothing, counts as gone out.
    """

    async def waits(*_: object) -> None:
        request = _leaving.get()
        if request is not None and not request.extensions.get(_DEPARTED):
            request.extensions[_WENT_OUT] = False

    async def departs(*_: object) -> None:
        request = _leaving.get()
        if request is not None:
            request.extensions[_DEPARTED] = request.extensions[_WENT_OUT] = True

    config = aiohttp.TraceConfig()
    config.on_connection_queued_start.append(waits)
    config.on_connection_create_start.append(waits)
    config.on_connection_create_end.append(departs)
    config.on_connection_reuseconn.append(departs)
    return config


class _Marking(httpx.AsyncBaseTransport):
    """Notes on the request that it was handed to the network, for the distinction between NotSent and InDoubt.

    What goes out a second time, with a new token after the old one was refused, is a call that counts.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, limiter: Limiter) -> None:
        self._inner = inner
        self._limiter = limiter

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.extensions.get(_WENT_OUT):
            self._limiter.charge()
        request.extensions[_WENT_OUT] = True
        _leaving.set(request)
        try:
            return await self._inner.handle_async_request(request)
        finally:
            _leaving.set(None)

    async def aclose(self) -> None:
        await self._inner.aclose()


def _is_page(response: httpx.Response) -> bool:
    kind: str = response.headers.get("content-type", "")
    return kind.lower().startswith(("text/html", "application/xhtml"))


def _no_cookies() -> CookieJar:
    return CookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))


class VendorHttp:
    """Calls one account at one vendor.

    `vendor` is the name people know ("Oracle Fusion"), `connection` its id. `watch` sees how each call ends.
    `transport` replaces the network in tests.
    """

    def __init__(
        self,
        *,
        vendor: str,
        connection: str,
        base_url: str,
        timeout: float,
        limiter: Limiter,
        auth: httpx.Auth | None = None,
        headers: Mapping[str, str] | None = None,
        error_reader: ErrorReader = explain,
        allowance_reader: AllowanceReader | None = None,
        watch: Watch = UNWATCHED,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.vendor = vendor
        self.connection = connection
        self.skew: float | None = None
        """Our clock minus the vendor's, seconds, by the last `Date` header (which has whole seconds)."""
        self._timeout = timeout
        self._limiter = limiter
        self._auth = auth
        self._error_reader = error_reader
        self._allowance_reader = allowance_reader
        self._watch = watch

        def client(keep_alive: bool) -> httpx.AsyncClient:
            return httpx.AsyncClient(
                base_url=base_url.rstrip("/") + "/",
                headers={"User-Agent": "ml-connector", **(headers or {})},
                timeout=httpx.Timeout(timeout),
                transport=_Marking(transport or open_transport(keep_alive=keep_alive), limiter),
                cookies=_no_cookies(),
                follow_redirects=False,
            )

        self._reads = client(True)
        self._writes = client(False)

    async def aclose(self) -> None:
        await self._reads.aclose()
        await self._writes.aclose()

    async def send(
        self,
        method: str,
        path: str,
        *,
        subject: str,
        params: Mapping[str, str | int | bool] | None = None,
        body: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        write: bool = False,
        deadline: float | None = None,
        ends: float | None = None,
    ) -> httpx.Response:
        """Send one request and return its answer when that is a 2xx.

        `path` is relative to the base address. `subject` names in error sentences what was asked for ("order 1024").
        `body` is sent as JSON, `content` as it is. `write` marks a call that must not happen twice: it is never
        repeated, and a lost answer raises `InDoubt`. `deadline` is the number of seconds from now after which the call
        is over, rate limit and sign-in included; the connection's timeout when not given. `ends` says the same as a
        moment of the event loop's clock: a process that stood still meanwhile finds it over. Raises a `VendorError`.
        """
        began = self._watch.begin()
        try:
            response = await self._send(
                method,
                path,
                subject=subject,
                params=params,
                body=body,
                content=content,
                headers=headers,
                write=write,
                deadline=deadline,
                ends=ends,
            )
        except VendorError as error:
            self._watch.ended(began, error)
            raise
        self._watch.ended(began, None)
        return response

    @contextlib.contextmanager
    def preparing(self) -> Iterator[None]:
        """For what belongs to a call but is not one, as signing in: held back and seen when it fails."""
        began = self._watch.begin()
        try:
            yield
        except VendorError as error:
            self._watch.ended(began, error)
            raise

    async def _send(
        self,
        method: str,
        path: str,
        *,
        subject: str,
        params: Mapping[str, str | int | bool] | None,
        body: Any,
        content: bytes | None,
        headers: Mapping[str, str] | None,
        write: bool,
        deadline: float | None,
        ends: float | None,
    ) -> httpx.Response:
        loop = asyncio.get_running_loop()
        if ends is None:
            ends = loop.time() + (self._timeout if deadline is None else deadline)
        tries = 1 if write else 2
        while True:
            tries -= 1
            client = self._writes if write else self._reads
            request = client.build_request(
                method, path.lstrip("/"), params=params, json=body, content=content, headers=dict(headers or {})
            )
            admitted = False
            try:
                async with asyncio.timeout_at(ends):
                    await self._limiter.acquire()
                    admitted = True
                    if write and loop.time() >= ends:
                        raise self._too_late(subject)
                    response = await client.send(request, auth=self._auth or httpx.USE_CLIENT_DEFAULT)
            except VendorError:
                raise
            except Throttled as throttled:
                raise RateLimited(
                    self.connection,
                    f"{self._who()} may be called again in {throttled.seconds:.0f} s; {subject} waits.",
                    retry_after=throttled.seconds,
                ) from None
            except (httpx.RequestError, aiohttp.ClientError, OSError) as failure:
                if not admitted:
                    raise self._too_late(subject) from None
                error = self._lost(failure, request, subject, write=write)
                if tries and isinstance(error, NotSent) and loop.time() + 0.5 < ends:
                    await asyncio.sleep(random.uniform(0.1, 0.4))  # noqa: S311 -- jitter
                    continue
                raise error from None
            self._learn(response)
            if response.is_success:
                if _is_page(response):
                    raise self._no_answer(response, subject, write=write)
                return response
            raise self.refusal(response, subject, write=write)

    async def read(
        self,
        path: str,
        *,
        subject: str,
        params: Mapping[str, str | int | bool] | None = None,
        headers: Mapping[str, str] | None = None,
        deadline: float | None = None,
    ) -> Any:
        """GET a JSON document; `None` for 204. Fractions are `Decimal`. Raises `BadAnswer` when it is not JSON."""
        response = await self.send("GET", path, subject=subject, params=params, headers=headers, deadline=deadline)
        return self.document(response, subject)

    def document(self, response: httpx.Response, subject: str) -> Any:
        """The JSON of a successful answer; `None` for 204 or an empty body."""
        if response.status_code == httpx.codes.NO_CONTENT or not response.content.strip():
            return None
        try:
            return json.loads(response.content, parse_float=Decimal)
        except ValueError:
            raise self.bad_answer(subject, "its answer is not JSON", status=response.status_code) from None

    def bad_answer(self, subject: str, what: str, *, status: int | None = None) -> BadAnswer:
        """The error for a success that is not what the vendor documents."""
        return BadAnswer(self.connection, f"{self._who()} answered for {subject}, but {what}.", status=status)

    def refusal(self, response: httpx.Response, subject: str, *, write: bool = False) -> VendorError:
        """The error for an answer that is not a success, by the status table."""
        wait = retry_after(response.headers)
        told = self._error_reader(response)
        kind = told.kind or error_class(response.status_code, write=write, retry_after=wait)
        said = f": {' / '.join(told.messages)}" if told.messages else ""
        return kind(
            self.connection,
            plain(f"{self._who()} answered HTTP {response.status_code} for {subject}{said}", 600),
            status=response.status_code,
            code=told.code,
            retry_after=wait,
            messages=told.messages,
        )

    def _too_late(self, subject: str) -> Held:
        return Held(self.connection, f"It was too late to send {subject}; nothing was sent.")

    def _no_answer(self, response: httpx.Response, subject: str, *, write: bool) -> VendorError:
        """A proxy or a maintenance page spoke in the vendor's place."""
        said = f"{self._who()} answered with a web page (HTTP {response.status_code}) instead of {subject}"
        if write:
            return InDoubt(self.connection, f"{said}; its outcome is unknown.", status=response.status_code)
        return Unavailable(self.connection, f"{said}.", status=response.status_code)

    def _lost(self, failure: BaseException, request: httpx.Request, subject: str, *, write: bool) -> VendorError:
        went_out = bool(request.extensions.get(_WENT_OUT, False))
        kind = failure_class(failure, went_out=went_out, write=write)
        cause = failure.__cause__ or failure
        # Our own deadline is a `TimeoutError` whose cause is a cancellation.
        timed_out = any(isinstance(one, TimeoutError | httpx.TimeoutException) for one in (failure, cause))
        what = "did not answer in time" if timed_out else "was cut off"
        if kind is NotSent:
            if isinstance(cause, UNREACHED):
                kind = Unreachable
            elif timed_out:
                # Nobody knows whose fault it is: it may be our own connections that are all in use.
                said = f"No connection to {self._who()} for {subject} in time; nothing was sent."
                return NotSent(self.connection, said)
            return kind(self.connection, f"{self._who()} could not be reached for {subject}; nothing was sent.")
        if kind is InDoubt:
            return kind(self.connection, f"{self._who()} {what} after {subject} was sent; its outcome is unknown.")
        return kind(self.connection, f"{self._who()} {what} for {subject}.")

    def _learn(self, response: httpx.Response) -> None:
        moment = response.headers.get("date")
        if moment:
            with contextlib.suppress(ValueError):
                self.skew = time.time() - parsedate_to_datetime(moment).timestamp()
        if response.status_code in (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE):
            wait = retry_after(response.headers)
            if wait is not None:
                self._limiter.pause(wait)
        if self._allowance_reader is not None:
            allowance = self._allowance_reader(response.headers)
            if allowance is not None:
                self._limiter.observe(allowance)

    def _who(self) -> str:
        return f"{self.vendor} ({self.connection})"
