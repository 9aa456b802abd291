"""Who may call, and how often: API accounts and the quota of a store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

ALL_SCOPES = frozenset(
    {
        "store_v2_orders",
        "store_v2_transactions",
        "store_v2_products",
        "store_v2_customers",
        "store_v2_information",
        "store_channel_settings",
    }
)


@dataclass(frozen=True, slots=True)
class Account:
    """An API account of one store. The client secret signs its webhooks, the access token opens the API."""

    store_hash: str
    client_id: str
    client_secret: str = field(repr=False)
    access_token: str = field(repr=False)
    scopes: frozenset[str] = ALL_SCOPES
    """OAuth scopes, each also with the ending `_read_only`."""

    def may_read(self, scope: str) -> bool:
        return scope in self.scopes or f"{scope}_read_only" in self.scopes

    def may_write(self, scope: str) -> bool:
        return scope in self.scopes


class Quota:
    """Requests per window of one store, shared by all its accounts (Standard plan: 150 per 30 s).

    Other apps of the store use `others_per_second` of it, whether or not anybody here asks for anything.
    """

    def __init__(self, now: Callable[[], datetime], requests: int = 150, window_seconds: float = 30.0) -> None:
        self.requests = requests
        self.window_seconds = window_seconds
        self.others_per_second = 0.0
        self.refused = 0
        self.used_up = 0
        """Windows whose last request was given."""
        self._now = now
        self._opened = now()
        self._used = 0

    def take(self) -> bool:
        """Count one request; False when the window's quota is used up."""
        if self._left_seconds() <= 0:
            self._opened = self._begin()
            self._used = 0
        if self._left() <= 0:
            self.refused += 1
            return False
        self._used += 1
        self.used_up += self._left() <= 0
        return True

    def _begin(self) -> datetime:
        """When the window that is open now was opened: by this request, or by one of the other apps."""
        if not self.others_per_second or not self.window_seconds:
            return self._now()
        over = (self._now() - self._opened).total_seconds() // self.window_seconds
        return self._opened + timedelta(seconds=over * self.window_seconds)

    def _left(self) -> int:
        elapsed = min((self._now() - self._opened).total_seconds(), self.window_seconds)
        return max(0, self.requests - self._used - int(elapsed * self.others_per_second))

    def headers(self) -> dict[str, str]:
        """The rate-limit headers, in lower case as they are on the wire."""
        return {
            "x-rate-limit-time-window-ms": str(int(self.window_seconds * 1000)),
            "x-rate-limit-time-reset-ms": str(max(0, int(self._left_seconds() * 1000))),
            "x-rate-limit-requests-quota": str(self.requests),
            "x-rate-limit-requests-left": str(self._left()),
        }

    def retry_after(self) -> int:
        """Whole seconds until the window ends, at least one."""
        return max(1, -int(-self._left_seconds() // 1))

    def _left_seconds(self) -> float:
        return self.window_seconds - (self._now() - self._opened).total_seconds()
