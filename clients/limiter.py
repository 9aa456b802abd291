"""Rate limits from the client's side: our own ceiling, tightened by what the vendor's headers report."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


class Throttled(Exception):  # noqa: N818 -- a state, turned into RateLimited by the core
    """The next free slot is further away than the caller's patience; `seconds` says how far."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The next call is allowed in {seconds:.1f} s.")
        self.seconds = seconds


@dataclass(frozen=True)
class Allowance:
    """What the vendor said about its quota in one answer."""

    left: int
    """Calls left in the current window, shared with all other apps of the account."""
    reset: float
    """Seconds until the window ends."""


class Limiter:
    """At most `calls` in any `window` seconds, evenly spread after a small burst, first come first served.

    The burst is a tenth of `calls`, and burst plus refill within one window never exceed `calls`, whatever fixed
    window the vendor counts in.
    """

    def __init__(
        self,
        *,
        calls: int,
        window: float,
        patience: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        burst = max(1, calls // 10)
        self._interval = window / max(1, calls - burst + 1)
        self._tolerance = (burst - 1) * self._interval
        self._patience = patience
        self._clock = clock
        self._sleep = sleep
        self._next = -math.inf
        """When the next call would be due if calls came evenly."""
        self._blocked_until = -math.inf
        self._slow_interval = 0.0
        self._slow_until = -math.inf

    async def acquire(self) -> None:
        """Wait for the next slot. Raises `Throttled` at once when that is further away than `patience`."""
        now = self._clock()
        due = max(self._next, now)
        wait = max(due - self._tolerance, self._blocked_until) - now
        if wait > self._patience:
            raise Throttled(wait)
        self._next = due + (max(self._interval, self._slow_interval) if now < self._slow_until else self._interval)
        while wait > 0:
            await self._sleep(wait)
            wait = self._blocked_until - self._clock()
            if wait > self._patience:
                raise Throttled(wait)

    def pause(self, seconds: float) -> None:
        """No call before `seconds` have passed: the vendor asked for it."""
        self._blocked_until = max(self._blocked_until, self._clock() + seconds)

    def observe(self, allowance: Allowance) -> None:
        """Spread what is left over the rest of the window; stop until its end when nothing is left."""
        if allowance.reset <= 0:
            return
        if allowance.left <= 0:
            self.pause(allowance.reset)
            return
        self._slow_interval = allowance.reset / allowance.left
        self._slow_until = self._clock() + allowance.reset


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds to wait by `Retry-After` (seconds or an HTTP date) or `X-Retry-After`; the longer of both.

    `None` when neither is there or readable. Header names are looked up in lower case.
    """
    waits = [
        wait
        for name in ("retry-after", "x-retry-after")
        if (wait := _seconds(headers.get(name, ""), now or datetime.now(UTC))) is not None
    ]
    return max(waits, default=None)


def _seconds(text: str, now: datetime) -> float | None:
    text = text.strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None
