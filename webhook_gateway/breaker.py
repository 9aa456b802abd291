"""A circuit breaker around durable starts, so that an outage of Temporal costs a sender nothing."""

import time
from collections.abc import Callable


class CircuitBreaker:
    """Opens after `threshold` failures in a row and closes with the first success.

    While it is open, the inbox drain does the probing, off the path of requests, with a deadline of its own. Only when
    nothing has probed for `probe_after` seconds (another gateway emptied the inbox) is one request let through to try:
    half open. Not shared between processes: each gateway judges its own way to Temporal.
    """

    def __init__(
        self, *, threshold: int = 3, probe_after: float = 5.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._threshold = threshold
        self._probe_after = probe_after
        self._clock = clock
        self._failures = 0
        self._tried_at = clock()

    @property
    def open(self) -> bool:
        return self._failures >= self._threshold

    def admit(self) -> bool:
        """Whether a request may try a start now. Counts as the probe when the breaker is open."""
        if not self.open:
            return True
        now = self._clock()
        if now - self._tried_at < self._probe_after:
            return False
        self._tried_at = now
        return True

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1
        self._tried_at = self._clock()
