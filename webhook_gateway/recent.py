"""Which documents this gateway has heard of lately."""

import time
from collections import OrderedDict
from collections.abc import Callable


class RecentKeys:
    """Keys noted within the last `lasts` seconds, at most `capacity` of them; the least recent go first."""

    def __init__(self, *, capacity: int, lasts: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._capacity = capacity
        self._lasts = lasts
        self._clock = clock
        self._noted: OrderedDict[str, float] = OrderedDict()

    def note(self, key: str) -> bool:
        """Notes the key. Whether it had been noted before."""
        now = self._clock()
        before = self._noted.pop(key, None)
        self._noted[key] = now
        if len(self._noted) > self._capacity:
            self._noted.popitem(last=False)
        return before is not None and now - before <= self._lasts
