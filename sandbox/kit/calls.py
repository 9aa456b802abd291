"""A record of the requests a twin got: how tests and benchmarks count what a client did."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Call:
    """One finished request. `status` is None when the connection was cut; `fault` names what struck it."""

    id: int
    at: datetime
    method: str
    path: str
    query: str
    status: int | None
    seconds: float
    fault: str = ""

    def facts(self) -> dict[str, Any]:
        """The call as JSON for the control routes."""
        return asdict(self) | {"at": self.at.isoformat()}


class Calls:
    """The newest calls, oldest first; `total` also counts those no longer kept."""

    def __init__(self, keep: int = 100_000) -> None:
        self._calls: deque[Call] = deque(maxlen=keep)
        self.total = 0

    def add(self, call: Call) -> None:
        """Record a finished call."""
        self.total += 1
        self._calls.append(call)

    def __iter__(self) -> Iterator[Call]:
        return iter(list(self._calls))

    def matching(self, method: str = ".*", path: str = ".*") -> list[Call]:
        """Calls whose method matches whole and in whose path the expression is found."""
        return [
            call for call in self if re.fullmatch(method, call.method, re.IGNORECASE) and re.search(path, call.path)
        ]

    def count(self, method: str = ".*", path: str = ".*") -> int:
        """How many kept calls match."""
        return len(self.matching(method, path))

    def clear(self) -> None:
        """Forget all calls and start counting anew."""
        self._calls.clear()
        self.total = 0
