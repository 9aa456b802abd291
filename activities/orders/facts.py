"""Reference data of Fusion, kept warm per process: six vendor calls a document become none."""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Final

LEDGER_LIFE: Final = 3600.0
PERIODS_LIFE: Final = 300.0
"""Seconds. A period that closes in between is refused by the import, which makes us read anew."""
RATE_LIFE: Final = 3600.0
ABSENT_RATE_LIFE: Final = 60.0


def periods_key(fusion: str, ledger_id: int, application: int) -> Hashable:
    """Where the periods of a ledger are kept: each application closes its own."""
    return (fusion, "periods", ledger_id, application)


@dataclass
class ReferenceFacts:
    """A small cache with a life per entry. Keys are tuples that begin with the connection id."""

    clock: Callable[[], float] = time.monotonic
    _entries: dict[Hashable, tuple[float, Any]] = field(default_factory=dict)

    def get(self, key: Hashable) -> Any | None:
        entry = self._entries.get(key)
        if entry is None or entry[0] <= self.clock():
            self._entries.pop(key, None)
            return None
        return entry[1]

    def put(self, key: Hashable, value: Any, life: float) -> None:
        """`life` in seconds."""
        self._entries[key] = (self.clock() + life, value)

    def learn(self, key: Hashable, value: Any, life: float) -> None:
        """What another process read: kept only where nothing is known, so that it never outlives its own life."""
        if self.get(key) is None:
            self.put(key, value, life)
