"""Draining the inbox: starts that Temporal did not confirm in time are made from here, oldest first.

Every gateway drains, also what another one stored before it died: entries are claimed for a while and deleted once
Temporal has stored their start. The drain is also the breaker's probe.
"""

import asyncio
import contextlib
import datetime as dt
import random
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Final

import structlog
from pydantic import ValidationError

from contracts.starting import Starter, StartRequest
from store import Store
from store.rows import InboxEntry
from webhook_gateway import counters
from webhook_gateway.breaker import CircuitBreaker
from webhook_gateway.faults import is_outage, reason

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


class Round(Enum):
    """How one round of draining ended."""

    EMPTY = auto()
    DRAINED = auto()
    OUTAGE = auto()


class _End(Enum):
    STARTED = auto()
    REFUSED = auto()
    OUTAGE = auto()


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
                round_ = await self.drain_once()
            except Exception as error:
                _log.warning("inbox not drained", error=reason(error))
                round_ = Round.OUTAGE
            if round_ is Round.OUTAGE:
                # However fast deliveries come in, probes stay apart.
                await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 -- jitter
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            pause = FIRST_PAUSE
            if round_ is Round.EMPTY:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._interval):
                        await self._filled.wait()

    async def drain_once(self) -> Round:
        """Claims entries and makes their starts, oldest first; several entries of one document are one start.

        Entries that an outage kept from starting are given back at once. One that Temporal refused for itself stays
        claimed, so that it neither blocks its neighbours nor is forgotten: it comes up again when the claim runs out.
        """
        # While Temporal is down, one entry is enough to find out when it is back, and the others stay free.
        limit = 1 if self._breaker.open else LIMIT
        deliveries = self._store.deliveries
        entries = await deliveries.inbox_claim(limit, self._owner, now=self._now(), lease_seconds=CLAIM)
        round_ = Round.DRAINED if entries else Round.EMPTY
        waiting: dict[str, list[InboxEntry]] = {}
        for entry in entries:
            waiting.setdefault(entry.workflow_id, []).append(entry)
        keys = list(waiting)
        for first in range(0, len(keys), TOGETHER):
            together = keys[first : first + TOGETHER]
            endings = await asyncio.gather(*(self._start(waiting[key][-1]) for key in together))
            ended = dict(zip(together, endings, strict=True))
            await self._finish([entry for key in together if ended[key] is _End.STARTED for entry in waiting[key]])
            if _End.OUTAGE in endings:
                round_ = Round.OUTAGE
                given_back = [key for key in together if ended[key] is _End.OUTAGE] + keys[first + TOGETHER :]
                await deliveries.inbox_release([entry.id for key in given_back for entry in waiting[key]])
                break
        counters.INBOX_DEPTH.set(await deliveries.inbox_depth())
        counters.BREAKER_OPEN.set(self._breaker.open)
        return round_

    async def _finish(self, entries: Sequence[InboxEntry]) -> None:
        """Their starts are stored by Temporal."""
        if not entries:
            return
        await self._store.deliveries.inbox_done([entry.id for entry in entries])
        numbers: dict[str, int] = {}
        for entry in entries:
            if entry.number:
                numbers[entry.workflow_id] = max(entry.number, numbers.get(entry.workflow_id, 0))
        await self._store.wakeups.confirm_many(numbers)

    async def _start(self, entry: InboxEntry) -> _End:
        try:
            request = StartRequest.model_validate_json(entry.request)
        except ValidationError:
            _log.error("inbox entry not readable", workflow_id=entry.workflow_id, entry=entry.id)
            return _End.REFUSED
        try:
            async with asyncio.timeout(START_DEADLINE):
                await self._starter.start(request)
        except Exception as error:
            _log.warning("start not confirmed by Temporal", workflow_id=entry.workflow_id, error=reason(error))
            if is_outage(error):
                self._breaker.failed()
                return _End.OUTAGE
            return _End.REFUSED
        self._breaker.succeeded()
        return _End.STARTED
