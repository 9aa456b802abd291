"""Faults a twin can be told to have, each limited to some requests, a number of times or a span of time.

Every twin knows these kinds; `seconds` is a length in real time, `lasts` limits the fault itself:

    latency         wait `seconds` (plus up to `options["jitter"]`) before handling
    error           answer `status` (500) without handling; `retry_after` adds that header
    outage          like error with 503; `options={"mode": "refuse"}` closes the listening socket for `lasts` seconds
    unauthorized    answer 401 without handling
    rate_limit      answer 429 with Retry-After without handling
    cut             cut the connection without handling
    lost_answer     handle, then cut the connection: committed, and nobody was told
    error_after     handle, then answer `status` (504): committed, and the caller was told otherwise
    slow_answer     handle, then wait `seconds` before the answer starts
    delayed_commit  keep the caller waiting `seconds` and only then handle, whether or not it is still there;
                    `options={"answer": "cut"}` cuts the connection at once instead of waiting

A twin adds kinds of its own (late visibility, slow jobs, ...) and asks for them with `take` or `active`.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Fault:
    """One fault in force. `count` is how many more times it strikes (None: no limit), `skip` how many it lets pass."""

    kind: str
    method: str = ".*"
    path: str = ".*"
    count: int | None = None
    skip: int = 0
    chance: float = 1.0
    seconds: float = 0.0
    lasts: float | None = None
    status: int | None = None
    retry_after: float | None = None
    options: dict[str, Any] = field(default_factory=dict)
    id: int = 0
    struck: int = 0
    since: float = field(default_factory=time.monotonic, repr=False)

    def spent(self) -> bool:
        """True when it has struck often enough or its time is over."""
        over = self.lasts is not None and time.monotonic() - self.since >= self.lasts
        return over or (self.count is not None and self.count <= 0)

    def left(self) -> float | None:
        """Seconds until its time is over; None where it has no limit of time."""
        return None if self.lasts is None else max(0.0, self.lasts - (time.monotonic() - self.since))

    def covers(self, method: str, path: str) -> bool:
        """True when the fault is meant for this request: `method` matched whole, `path` searched for."""
        return re.fullmatch(self.method, method, re.IGNORECASE) is not None and re.search(self.path, path) is not None

    def facts(self) -> dict[str, Any]:
        """The fault as JSON for the control routes."""
        names = ("id", "kind", "method", "path", "count", "skip", "chance", "seconds", "lasts", "status")
        return {name: getattr(self, name) for name in (*names, "retry_after", "options", "struck")}


class Faults:
    """The faults of one twin. A seed makes those with a chance repeatable."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable faults, not secrets
        self._faults: list[Fault] = []
        self._last = 0

    def set(self, kind: str, **settings: Any) -> Fault:
        """Add a fault; settings are the fields of `Fault`. Raises TypeError for an unknown setting."""
        self._last += 1
        fault = Fault(kind, **{**settings, "id": self._last})
        re.compile(fault.method)
        re.compile(fault.path)
        self._faults.append(fault)
        return fault

    def clear(self, kind: str | None = None) -> None:
        """Take back all faults, or all of one kind."""
        self._faults = [fault for fault in self._faults if kind is not None and fault.kind != kind]

    def remove(self, fault_id: int) -> Fault:
        """Take back one fault and return it. LookupError when it is not in force (any more)."""
        for fault in self:
            if fault.id == fault_id:
                self._faults.remove(fault)
                return fault
        raise LookupError(f"Fault {fault_id} is over already.")

    def __iter__(self) -> Iterator[Fault]:
        self._faults = [fault for fault in self._faults if not fault.spent()]
        return iter(list(self._faults))

    def active(self, kind: str, method: str = "", path: str = "") -> Fault | None:
        """The first fault of this kind that covers the request, without using it up."""
        return next((fault for fault in self if fault.kind == kind and fault.covers(method, path)), None)

    def take(self, kind: str, method: str = "", path: str = "") -> Fault | None:
        """The first fault of this kind that strikes now; uses up its skip, chance and count."""
        for fault in self:
            if fault.kind != kind or not fault.covers(method, path):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.chance < 1.0 and self._random.random() >= fault.chance:
                continue
            if fault.count is not None:
                fault.count -= 1
            fault.struck += 1
            return fault
        return None

    def jitter(self, up_to: float) -> float:
        """A repeatable random number between 0 and `up_to`."""
        return self._random.uniform(0.0, up_to)
