"""Draining the inbox: starts that Temporal did not confirm in time are made from here, oldest first.

Every gateway drains, also what another one stored before it died: entries are claimed for a while and deleted once
Temporal has stored their start. The drain is also the breaker's probe.
"""

import asyncio
import contextlib
import datetime as dt
import random
from collections.abc import Callable
from typing import Final

import structlog
from pydantic import ValidationError

from contracts.starting import Starter, StartRequest
from store import Store
from store.rows import InboxEntry
from webhook_gateway import counters
from webhook_gateway.breaker import CircuitBreaker
from webhook_gateway.faults import reason

CLAIM: Final = 20.0
"""Seconds an entry belongs to the gateway that claimed it."""
START_DEADLINE: Final = 5.0
"""Seconds for one start. No sender waits for it."""
LIMIT: Final = 200
TOGETHER: Final = 8
"""Starts at a time; they are of different documents."""
FIRST_PAUSE: Final = 0.25
LONGEST_PAUSE: Final = 4.0
"""Seconds between two probes while Temporal is down; shorter than what lets a request probe."""

_log = structlog.stdlib.get_logger(__name__)


class InboxDrain:
    """`run` until cancelled. `fill` wakes it; without that it looks once in `interval` seconds."""

    def __init__(
        self,
        store: Store,
        starter: Starter,
        breaker: CircuitBreaker,
        *,
        owner: str,
        interval: float = 2.0,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._store = store
        self._starter = starter
        self._breaker = breaker
        self._owner = owner
        self._interval = interval
        self._now = now
        self._filled = asyncio.Event()

    def fill(self) -> None:
        """Something was put into the inbox."""
        self._filled.set()

    async def run(self) -> None:
        pause = FIRST_PAUSE
        while True:
            self._filled.clear()
            try:
                found = await self.drain_once()
            except Exception as error:
                _log.warning("inbox not drained", error=reason(error))
                found = False
            if self._breaker.open:
                # However fast deliveries come in, probes stay apart.
                await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 -- jitter
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                pause = FIRST_PAUSE
                if not found:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(self._interval):
                            await self._filled.wait()

    async def drain_once(self) -> bool:
        """Claims entries and makes their starts. False when there was nothing to claim."""
        # While Temporal is down, one entry is enough to find out when it is back, and the others stay free.
        limit = 1 if self._breaker.open else LIMIT
        deliveries = self._store.deliveries
        entries = await deliveries.inbox_claim(limit, self._owner, now=self._now(), lease_seconds=CLAIM)
        if entries:
            # Several entries of one document are one start.
            waiting: dict[str, list[InboxEntry]] = {}
            for entry in entries:
                waiting.setdefault(entry.workflow_id, []).append(entry)
            await self._make_starts(waiting)
            if self._breaker.open:
                await deliveries.inbox_release([entry.id for left in waiting.values() for entry in left])
            # What is left while Temporal works is at fault itself: it comes up again when its claim has run out.
        counters.INBOX_DEPTH.set(await deliveries.inbox_depth())
        counters.BREAKER_OPEN.set(self._breaker.open)
        return bool(entries)

    async def _make_starts(self, waiting: dict[str, list[InboxEntry]]) -> None:
        """Oldest first; what was started leaves `waiting` and the inbox. Stops when the breaker opens."""
        keys = list(waiting)
        for first in range(0, len(keys), TOGETHER):
            together = keys[first : first + TOGETHER]
            started = await asyncio.gather(*(self._start(waiting[key][-1]) for key in together))
            done = [key for key, stored in zip(together, started, strict=True) if stored]
            entries = [entry for key in done for entry in waiting.pop(key)]
            if entries:
                await self._store.deliveries.inbox_done([entry.id for entry in entries])
                numbers: dict[str, int] = {}
                for entry in entries:
                    if entry.number:
                        numbers[entry.workflow_id] = max(entry.number, numbers.get(entry.workflow_id, 0))
                await self._store.wakeups.confirm_many(numbers)
            if self._breaker.open:
                return

    async def _start(self, entry: InboxEntry) -> bool:
        try:
            request = StartRequest.model_validate_json(entry.request)
        except ValidationError:
            _log.error("inbox entry not readable", workflow_id=entry.workflow_id, entry=entry.id)
            return False
        try:
            async with asyncio.timeout(START_DEADLINE):
                await self._starter.start(request)
        except Exception as error:
            self._breaker.failed()
            _log.warning("start not confirmed by Temporal", workflow_id=entry.workflow_id, error=reason(error))
            return False
        self._breaker.succeeded()
        return True
