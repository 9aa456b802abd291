"""A twin's time that only the test moves."""

from datetime import UTC, datetime, timedelta
from types import ModuleType

import pytest

from sandbox.kit import Clock


class StillClock(Clock):
    """Stands still but for `advance`: what a twin says of the time does not depend on how long a test takes."""

    def __init__(self, start: datetime | None = None, *, tick: timedelta = timedelta(0)) -> None:
        """`start` is aware; the present when omitted. `tick` passes with each look."""
        super().__init__()
        self._start = start or datetime.now(UTC)
        self._tick = tick

    def now(self) -> datetime:
        self._start += self._tick
        return self._start + self.offset


class StillTime:
    """Takes the place of `time` in a module that says `time.monotonic`: what is hidden for a while is so until the
    test moves on."""

    def __init__(self) -> None:
        self.now = 5000.0

    def monotonic(self) -> float:
        return self.now


def still_time(monkeypatch: pytest.MonkeyPatch, *modules: ModuleType) -> StillTime:
    """For the rest of the test, one for all these modules."""
    still = StillTime()
    for module in modules:
        monkeypatch.setattr(module, "time", still)
    return still
