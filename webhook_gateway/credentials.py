"""The secrets deliveries are verified with, read from the store and kept in memory for a short time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

FRESH: Final = 30.0
"""Seconds before a secret is read again: how long a removed secret is still accepted."""
RETRY: Final = 5.0
"""Seconds between two early readings caused by signatures that did not match, so strangers cannot hammer the store."""
USABLE: Final = 3600.0
"""Seconds a secret stays usable while the store does not answer."""

ReadSecrets = Callable[[str, str, str], Awaitable[list[str]]]
"""(tenant, connection, name) to all values that are valid now, newest first."""


@dataclass
class _Entry:
    values: tuple[str, ...] = field(repr=False)
    read_at: float
    failed_at: float = float("-inf")


class CredentialCache:
    """Secrets by tenant, connection and name. One reader at a time per secret."""

    def __init__(self, read: ReadSecrets, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._clock = clock
        self._entries: dict[tuple[str, str, str], _Entry] = {}
        self._locks: dict[tuple[str, str, str], asyncio.Lock] = {}

    async def secrets(self, tenant: str, connection: str, name: str, *, newer: bool = False) -> tuple[str, ...]:
        """Valid values, newest first; empty when none is set.

        `newer` asks for a reading now because nothing known matched: a rotation takes effect with the first delivery
        that is signed with the new secret. It is honoured once in `RETRY` seconds. Raises what the store raises only
        when there is nothing usable in memory.
        """
        key = (tenant, connection, name)
        limit = RETRY if newer else FRESH
        if (known := self._known(key, limit)) is not None:
            return known
        async with self._locks.setdefault(key, asyncio.Lock()):
            if (known := self._known(key, limit)) is not None:
                return known
            try:
                values = tuple(await self._read(*key))
            except Exception:
                entry = self._entries.get(key)
                if entry is None or self._clock() - entry.read_at > USABLE:
                    raise
                entry.failed_at = self._clock()
                return entry.values
            self._entries[key] = _Entry(values, self._clock())
            return values

    def _known(self, key: tuple[str, str, str], limit: float) -> tuple[str, ...] | None:
        entry, now = self._entries.get(key), self._clock()
        if entry is None or now - entry.read_at > USABLE:
            return None
        if now - entry.read_at < limit or now - entry.failed_at < RETRY:
            return entry.values
        return None
