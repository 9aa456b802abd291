"""Delivery records, written in batches after the answer: evidence costs the sender nothing."""

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from store.rows import Receipt
from webhook_gateway import counters
from webhook_gateway.faults import reason

INTERVAL: Final = 0.2
"""Seconds between two batches."""
BATCH: Final = 500
CAPACITY: Final = 20_000
"""Records kept in memory while the store does not answer; beyond, the oldest are lost, counted and logged."""
REFUSED_PER_BATCH: Final = 50
"""Records of refused deliveries per batch. The rest of a flood becomes one record per route and verdict with a count:
strangers must not be able to fill the store."""

WriteReceipts = Callable[[Sequence[Receipt]], Awaitable[None]]

_log = structlog.stdlib.get_logger(__name__)


class Receipts:
    """Collects records and writes them in the background. `run` until cancelled, then `flush`."""

    def __init__(self, write: WriteReceipts, *, interval: float = INTERVAL) -> None:
        self._write = write
        self._interval = interval
        self._waiting: deque[Receipt] = deque()
        self._arrived = asyncio.Event()

    def add(self, receipt: Receipt) -> None:
        if len(self._waiting) >= CAPACITY:
            self._waiting.popleft()
            counters.RECEIPTS_LOST.inc()
        self._waiting.append(receipt)
        self._arrived.set()

    async def run(self) -> None:
        """Writes a batch per interval for ever; waits longer while the store does not answer."""
        pause = self._interval
        while True:
            await self._arrived.wait()
            await asyncio.sleep(pause)
            pause = self._interval if await self._write_waiting() else min(pause * 2, 10.0)

    async def flush(self, *, patience: float = 5.0) -> None:
        """Writes what is left, before the process ends. Gives up after `patience` seconds and says how much is lost."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while self._waiting:
                    if not await self._write_waiting():
                        await asyncio.sleep(0.2)
        if self._waiting:
            counters.RECEIPTS_LOST.inc(len(self._waiting))
            _log.error("delivery records lost", count=len(self._waiting), reason="the store did not answer")

    async def _write_waiting(self) -> bool:
        self._arrived.clear()
        while self._waiting:
            count = min(len(self._waiting), BATCH)
            batch = [self._waiting.popleft() for _ in range(count)]
            try:
                await self._write(thinned(batch))
            except Exception as error:
                # Whatever the store's trouble is, the gateway goes on answering; the records wait.
                self._waiting.extendleft(reversed(batch))
                self._arrived.set()
                _log.warning("delivery records wait for the store", count=len(self._waiting), error=reason(error))
                return False
            except asyncio.CancelledError:
                # Perhaps written, perhaps not: a record twice is better than none.
                self._waiting.extendleft(reversed(batch))
                raise
        return True


def thinned(batch: Sequence[Receipt]) -> list[Receipt]:
    """The batch with at most `REFUSED_PER_BATCH` refusals one by one and the others counted together."""
    kept: list[Receipt] = []
    surplus: Counter[tuple[str, str, str]] = Counter()
    last: dict[tuple[str, str, str], Receipt] = {}
    refused = 0
    for receipt in batch:
        if receipt.status < 400 or refused < REFUSED_PER_BATCH:
            refused += receipt.status >= 400
            kept.append(receipt)
        else:
            # Names of unknown routes are a stranger's choice, so they are not kept apart.
            route = ("", "") if receipt.status == 404 else (receipt.tenant, receipt.connection)
            key = (*route, receipt.verdict)
            surplus[key] += 1
            last[key] = receipt
    for (tenant, connection, verdict), count in surplus.items():
        kept.append(
            Receipt(
                tenant=tenant,
                connection=connection,
                delivery_id="",
                verdict=verdict,
                status=last[tenant, connection, verdict].status,
                received_at=last[tenant, connection, verdict].received_at,
                sentence=f"{count} further deliveries with this verdict within one batch are counted here together.",
            )
        )
    return kept
