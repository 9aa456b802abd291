"""Who has had how much decoded, for the log: at once, then in sums, because one page of the UI asks a hundred times."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

import structlog

from console.doorway import Visitor

WINDOW: Final = 10.0
"""Seconds whose readings become one line."""

_log = structlog.stdlib.get_logger(__name__)


@dataclass
class _Sum:
    requests: int = 0
    payloads: int = 0
    bytes: int = 0
    unreadable: set[str] = field(default_factory=set)


class Readings:
    """Counts and reasons; never content."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._open: dict[tuple[str, Visitor], _Sum] = {}

    def add(self, what: str, visitor: Visitor, *, payloads: int, size: int, unreadable: list[str]) -> None:
        """`what`: "decoded" or "encoded". `size`: bytes. `unreadable`: why payloads did not open."""
        place = (what, visitor)
        first = place not in self._open
        total = self._open.setdefault(place, _Sum())
        total.requests += 1
        total.payloads += payloads
        total.bytes += size
        total.unreadable.update(unreadable)
        if first:
            self._tell(place)
            asyncio.get_running_loop().call_later(WINDOW, self._close, place)

    def _close(self, place: tuple[str, Visitor]) -> None:
        if self._open[place].requests:
            self._tell(place)
        del self._open[place]

    def _tell(self, place: tuple[str, Visitor]) -> None:
        total, self._open[place] = self._open[place], _Sum()
        what, visitor = place
        fields = {"who": visitor.who, "by": visitor.by, "namespace": self._namespace}
        _log.info(f"payloads {what}", **fields, requests=total.requests, payloads=total.payloads, bytes=total.bytes)
        for reason in sorted(total.unreadable):
            _log.warning("payloads not readable", **fields, reason=reason)
