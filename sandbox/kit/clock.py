"""The time inside a twin."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """The wall clock, shifted: tests move a twin's time without waiting, or give it a skew."""

    def __init__(self, offset: timedelta = timedelta(0)) -> None:
        self.offset = offset

    def now(self) -> datetime:
        """The twin's present, aware, in UTC."""
        return datetime.now(UTC) + self.offset

    def advance(self, seconds: float) -> datetime:
        """Move the twin's time forward (or back, with a negative number) and return the new present."""
        self.offset += timedelta(seconds=seconds)
        return self.now()
