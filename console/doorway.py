"""Who is asking: by bearer token or by the session cookie of a browser that has signed in."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from starlette.requests import Request
from starlette.responses import Response

from console.passes import Pass, Passes
from store import KeyRing

BEARER: Final = "bearer "


@dataclass(frozen=True)
class Visitor:
    """Somebody who has proved who they are."""

    who: str
    by: Literal["token", "session"]


class Doorway:
    """Recognizes visitors and keeps browsers signed in."""

    def __init__(
        self,
        keys: KeyRing,
        *,
        session: dt.timedelta,
        encrypted: bool,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        """`encrypted`: people reach us over https, so the cookie never travels otherwise."""
        self._tokens = Passes(keys, "token", now=now)
        self._sessions = Passes(keys, "session", now=now)
        self._lifetime = session
        self._encrypted = encrypted
        self._now = now
        # The prefix makes browsers refuse a cookie of this name that another host of the domain, or plain http, sets.
        self.cookie = "__Host-mlc-console" if encrypted else "mlc-console"

    def bearer(self, request: Request) -> Visitor | None:
        """By the `Authorization` header."""
        given = request.headers.get("authorization", "")
        if given[: len(BEARER)].lower() != BEARER:
            return None
        found = self._tokens.read(given[len(BEARER) :].strip())
        return Visitor(found.who, "token") if found else None

    def session(self, request: Request) -> Pass | None:
        """By the cookie. Whoever acts on it must have checked where the request comes from."""
        return self._sessions.read(request.cookies.get(self.cookie, ""))

    def sign_in(self, token: str, response: Response) -> Pass | None:
        """Sets the cookie on `response` when the token is genuine; the session never outlives the token."""
        proved = self._tokens.read(token.strip())
        if proved is None:
            return None
        text, opened = self._sessions.issue(proved.who, self._lifetime, at_most=proved.until)
        age = max(1, int((opened.until - self._now()).total_seconds()))
        response.set_cookie(
            self.cookie, text, max_age=age, path="/", httponly=True, samesite="lax", secure=self._encrypted
        )
        return opened

    def sign_out(self, response: Response) -> None:
        response.delete_cookie(self.cookie, path="/", httponly=True, samesite="lax", secure=self._encrypted)
