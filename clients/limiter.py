"""Rate limits from the client's side: our own ceiling, tightened by what the vendor's headers report.

Several processes may call one account. Each then has a part of the ceiling (`Share`), and all parts together are never
more than the whole, also while processes come and go.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, Protocol

SPREAD: Final = 1.08
"""What is let through within so many windows may arrive within one: networks and busy machines delay unevenly."""
_BURST: Final = 10
"""The burst is the ceiling divided by this."""
_SLICE: Final = 1.0
"""Seconds after which whoever waits looks anew at what is allowed."""
_ENOUGH: Final = 1 - 1e-9
"""Of a call: sums of fractions miss the whole by a little."""


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


@dataclass(frozen=True)
class Part:
    """Which part of an account's ceiling a process has. Moments are those of the limiter's clock."""

    rank: int = 0
    of: int = 1
    joined: float = -math.inf
    """When the process began to count: before that it had nothing, so it starts with nothing saved up."""
    since: float = -math.inf
    """From when this very part is the process's."""

    def calls(self, ceiling: int) -> int:
        """Of `ceiling` calls. All parts of one size add up to the ceiling; some may be nothing."""
        return max(0, (ceiling - self.rank + self.of - 1) // self.of)


class Share(Protocol):
    """Says which part of an account's ceiling this process has."""

    def current(self) -> Part | None:
        """The part at this moment; None while it is not settled."""
        ...

    async def settled(self, patience: float) -> None:
        """Returns once there is a part; waits up to `patience` seconds, then raises `Throttled`."""
        ...


class Alone:
    """For callers that share an account with nobody: a test."""

    def current(self) -> Part | None:
        return WHOLE

    async def settled(self, patience: float) -> None:
        return


WHOLE: Final = Part()
ALONE: Final = Alone()


class Limiter:
    """At most this process's part of `calls` in any `window` seconds, in order of asking.

    Calls are evenly spread after a small burst, a tenth of the part. What is saved up and what is added within one
    window are together never more than the part; so, whatever parts change hands meanwhile, all processes together
    stay within `calls`, in whatever window the vendor counts.
    """

    def __init__(
        self,
        *,
        calls: int,
        window: float,
        patience: float = 10.0,
        share: Share = ALONE,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._calls = calls
        self._window = window * SPREAD
        self._patience = patience
        self._share = share
        self._clock = clock
        self._sleep = sleep
        self._part = WHOLE
        self._rate, self._burst = _pace(calls, self._window)
        self._saved = self._burst if share is ALONE else 0.0
        """Calls that may be made at once. Below zero after a call that could not be held back."""
        self._at = clock()
        """Up to when `saved` was counted."""
        self._blocked_until = -math.inf
        self._slow_rate = 0.0
        self._slow_until = -math.inf
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def acquire(self) -> None:
        """Wait for the next slot. Raises `Throttled` at once when that is further away than `patience`."""
        now = self._clock()
        gives_up = now + self._patience
        if self._count(now) and (wait := self._wait(now, ahead=self._waiting)) > self._patience:
            raise Throttled(wait)
        self._waiting += 1
        try:
            async with self._turn:
                await self._admit(gives_up)
        finally:
            self._waiting -= 1

    def charge(self) -> None:
        """A call was made that nobody waited for, as the second try of one whose token was refused."""
        self._count(self._clock())
        self._saved -= 1

    def pause(self, seconds: float) -> None:
        """No call before `seconds` have passed: the vendor asked for it."""
        self._blocked_until = max(self._blocked_until, self._clock() + seconds)

    def observe(self, allowance: Allowance) -> None:
        """Spread our part of what is left over the rest of the window; stop until its end when nothing is left."""
        if allowance.reset <= 0:
            return
        if allowance.left <= 0:
            self.pause(allowance.reset)
            return
        now = self._clock()
        self._count(now)
        left = allowance.left / self._part.of
        self._saved = min(self._saved, left)
        self._slow_rate = left / allowance.reset
        self._slow_until = now + allowance.reset

    async def _admit(self, gives_up: float) -> None:
        while True:
            await self._share.settled(max(0.0, gives_up - self._clock()))
            now = self._clock()
            if not self._count(now):
                continue
            wait = self._wait(now)
            if wait <= 0:
                self._saved -= 1
                return
            if now + wait > gives_up:
                raise Throttled(wait)
            await self._sleep(min(wait, _SLICE))

    def _count(self, now: float) -> bool:
        """Adds what has become free since it was counted last; whether this process has a part at all now.

        While it has none, and between two parts, nothing is added: others may have had it.
        """
        part = self._share.current()
        if part is None:
            self._at = now
            return False
        if part is not self._part:
            if part.joined > self._part.joined:
                self._saved = min(self._saved, 0.0)
            self._at = max(self._at, part.since)
            self._part = part
            self._rate, self._burst = _pace(part.calls(self._calls), self._window)
        if now > self._at:
            slow = max(0.0, min(now, self._slow_until) - self._at)
            self._saved += slow * min(self._rate, self._slow_rate) + (now - self._at - slow) * self._rate
            self._at = now
        self._saved = min(self._saved, self._burst)
        return True

    def _wait(self, now: float, ahead: int = 0) -> float:
        """Seconds until a slot is free behind `ahead` others; a window where this process has no part at all."""
        blocked = self._blocked_until - now
        if self._saved >= ahead + _ENOUGH:
            return blocked
        missing = ahead + 1 - self._saved
        if self._rate <= 0:
            return max(self._window, blocked)
        slow, slow_rate = max(0.0, self._slow_until - now), min(self._rate, self._slow_rate)
        if missing <= slow * slow_rate:
            return max(missing / slow_rate, blocked)
        return max(slow + (missing - slow * slow_rate) / self._rate, blocked)


def _pace(calls: int, window: float) -> tuple[float, float]:
    """Calls a second and burst that stay within `calls` a window."""
    if calls <= 0:
        return 0.0, 0.0
    burst = max(1, calls // _BURST)
    return max(1, calls - burst) / window, float(burst)


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
