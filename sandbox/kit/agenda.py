"""Things a twin will do later by itself: a job that ends, a row that becomes visible."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from datetime import datetime, timedelta

from sandbox.kit.clock import Clock

Action = Callable[[datetime], None]


class Agenda:
    """Actions due at a time of the twin's clock, run in order when somebody looks.

    There is no background task: every request (and every look at the twin's truth) first runs what is due, each action
    with the moment it was due. Seen from outside this cannot be told from a system that acts on its own, and it needs
    no waiting when a test advances the clock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[datetime, int, Action]] = []
        self._order = itertools.count()

    def __len__(self) -> int:
        return len(self._heap)

    def after(self, seconds: float, action: Action, *, start: datetime | None = None) -> datetime:
        """Run `action(moment)` `seconds` after `start` (the twin's present when omitted); returns that moment."""
        moment = (start or self._clock.now()) + timedelta(seconds=seconds)
        heapq.heappush(self._heap, (moment, next(self._order), action))
        return moment

    def run_due(self) -> int:
        """Run everything due by now, also what the actions themselves add; returns how many ran."""
        ran = 0
        while self._heap and self._heap[0][0] <= self._clock.now():
            moment, _, action = heapq.heappop(self._heap)
            action(moment)
            ran += 1
        return ran
