"""How requests prove who we are, as `httpx.Auth`. Secrets come from a callable, so that rotation needs no restart.

Nothing here keeps a secret longer than one request needs it; access tokens stay in process memory.
"""

import asyncio
import json
import math
import time
from base64 import b64encode, urlsafe_b64decode
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Literal
from urllib.parse import quote_plus

import aiohttp
import httpx

from clients.errors import UNREACHED, NotSent, SignInRefused, Unauthorized, Unreachable, VendorError
from clients.http import explain, open_transport, parsed
from clients.limiter import retry_after

Secret = Callable[[], Awaitable[str]]
"""Gives the newest valid secret of a connection."""


class HeaderToken(httpx.Auth):
    """A static token in a header; read again once when it is refused, because it may just have been rotated."""

    def __init__(self, header: str, secret: Secret) -> None:
        self._header = header
        self._secret = secret
        self._token: str | None = None

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        used = self._token
        if used is None:
            used = self._token = await self._secret()
        request.headers[self._header] = used
        response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED:
            newest = await self._secret()
            if newest != used:
                self._token = newest
                request.headers[self._header] = newest
                yield request


class ClientCredentials(httpx.Auth):
    """OAuth 2.0 client credentials: a bearer token, renewed before it expires and once when it is refused.

    `scope` is opaque. `client_auth` is how the client proves itself at the token endpoint: `basic` or `form`.
    One task renews at a time; the others go on with the old token while it is valid.
    """

    def __init__(
        self,
        *,
        connection: str,
        token_url: str,
        client_id: str,
        scope: str,
        secret: Secret,
        client_auth: Literal["basic", "form"] = "basic",
        timeout: float = 30.0,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._token_url = token_url
        self._client_id = client_id
        self._scope = scope
        self._secret = secret
        self._client_auth = client_auth
        self._clock = clock
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(timeout), transport=transport or open_transport(), follow_redirects=False
        )
        self._token = ""
        self._renew_at = -math.inf
        self._expires_at = -math.inf
        self._turn = asyncio.Lock()
        self._failures = 0
        self._failure: VendorError | None = None

    async def aclose(self) -> None:
        await self._client.aclose()

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        token = await self._valid_token()
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED:
            request.headers["Authorization"] = f"Bearer {await self._token_after(token)}"
            yield request

    async def claims(self) -> dict[str, Any]:
        """Sign in with the newest secret, and what the new access token says of who that is; empty for no JWT.

        The signature is not checked: the token came from the endpoint itself. Raises a `VendorError`.
        """
        failures = self._failures
        async with self._turn:
            self._share_failure(failures)
            await self._renew()
            parts = self._token.split(".")
        if len(parts) != 3:
            return {}
        try:
            claims = json.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        except ValueError:
            return {}
        return claims if isinstance(claims, dict) else {}

    async def _valid_token(self) -> str:
        now = self._clock()
        if now < self._renew_at:
            return self._token
        if now < self._expires_at and self._turn.locked():
            return self._token
        failures = self._failures
        async with self._turn:
            now = self._clock()
            if now < self._renew_at:
                return self._token
            self._share_failure(failures)
            try:
                await self._renew()
            except NotSent:
                # The old token outlives a short outage of the token endpoint; the next try comes a little later.
                now = self._clock()
                if now >= self._expires_at:
                    raise
                self._renew_at = min(now + 15.0, self._expires_at)
            return self._token

    async def _token_after(self, refused: str) -> str:
        """A token newer than the one the vendor just refused."""
        failures = self._failures
        async with self._turn:
            if self._token == refused:
                self._share_failure(failures)
                await self._renew()
            return self._token

    def _share_failure(self, seen: int) -> None:
        """Who queued behind a sign-in that failed fails with it: a crowd asks once, not one after the other."""
        if self._failure is not None and self._failures != seen:
            raise self._failure.with_traceback(None)

    async def _renew(self) -> None:
        try:
            await self._sign_in()
        except VendorError as error:
            self._failures += 1
            self._failure = error
            raise

    async def _sign_in(self) -> None:
        secret = await self._secret()
        form = {"grant_type": "client_credentials", "scope": self._scope}
        headers = {"Accept": "application/json"}
        if self._client_auth == "basic":
            # RFC 6749 2.3.1: id and secret are form-encoded before they are joined.
            pair = f"{quote_plus(self._client_id)}:{quote_plus(secret)}".encode()
            headers["Authorization"] = f"Basic {b64encode(pair).decode()}"
        else:
            form |= {"client_id": self._client_id, "client_secret": secret}
        asked_at = self._clock()
        try:
            response = await self._client.post(self._token_url, data=form, headers=headers)
        except (httpx.RequestError, aiohttp.ClientError, OSError) as failure:
            silence = Unreachable if isinstance(failure.__cause__ or failure, UNREACHED) else NotSent
            raise silence(
                self._connection, f"The token endpoint of {self._connection} did not answer; nothing was sent."
            ) from None
        if response.is_server_error or response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise NotSent(
                self._connection,
                f"The token endpoint of {self._connection} answered HTTP {response.status_code}; nothing was sent.",
                status=response.status_code,
                retry_after=retry_after(response.headers),
            )
        body = parsed(response)
        token = body.get("access_token") if isinstance(body, dict) else None
        if not response.is_success or not isinstance(token, str) or not token:
            told = explain(response) if not response.is_success else None
            said = f": {' / '.join(told.messages)}" if told and told.messages else ""
            code = body.get("error") or "" if isinstance(body, dict) else ""
            # RFC 6749 5.2 has an error code in every refusal; without one something else spoke: a proxy, a web page.
            refusal = SignInRefused if code else Unauthorized
            raise refusal(
                self._connection,
                f"The token endpoint of {self._connection} gave no token (HTTP {response.status_code}){said}",
                status=response.status_code,
                code=str(code),
                remedy="Check token_url, client_id and scope, and set the client secret again.",
                messages=told.messages if told else (),
            )
        lifetime = _seconds(body.get("expires_in"))
        self._token = token
        self._expires_at = asked_at + lifetime
        self._renew_at = asked_at + lifetime - min(120.0, lifetime * 0.2)


def _seconds(value: object) -> float:
    """Lifetime of a token; an hour when the endpoint does not say (the identity domain's default)."""
    try:
        return max(1.0, float(str(value)))
    except ValueError:
        return 3600.0
