"""Who may call, and how often: API accounts and the quota of a store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

ALL_SCOPES = frozenset(
    {
        "store_v2_orders",
        "store_v2_transactions",
        "store_v2_products",
        "store_v2_customers",
        "store_v2_information",
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
    """Requests per window of one store, shared by all its accounts (Standard plan: 150 per 30 s)."""

    def __init__(self, now: Callable[[], datetime], requests: int = 150, window_seconds: float = 30.0) -> None:
        self.requests = requests
        self.window_seconds = window_seconds
        self.refused = 0
        self.used_up = 0
        """Windows whose last request was given."""
        self._now = now
        self._opened = now()
        self._used = 0

    def take(self) -> bool:
        """Count one request; False when the window's quota is used up."""
        if self._left_seconds() <= 0:
            self._opened = self._now()
            self._used = 0
        if self._used >= self.requests:
            self.refused += 1
            return False
        self._used += 1
        self.used_up += self._used == self.requests
        return True

    def headers(self) -> dict[str, str]:
        """The rate-limit headers, in lower case as they are on the wire."""
        return {
            "x-rate-limit-time-window-ms": str(int(self.window_seconds * 1000)),
            "x-rate-limit-time-reset-ms": str(max(0, int(self._left_seconds() * 1000))),
            "x-rate-limit-requests-quota": str(self.requests),
            "x-rate-limit-requests-left": str(max(0, self.requests - self._used)),
        }

    def retry_after(self) -> int:
        """Whole seconds until the window ends, at least one."""
        return max(1, -int(-self._left_seconds() // 1))

    def _left_seconds(self) -> float:
        return self.window_seconds - (self._now() - self._opened).total_seconds()
