"""From a verified announcement to something durable: a workflow in Temporal, or an entry in the inbox."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from contracts.starting import Starter, StartRequest
from store import Store
from store.rows import Ring
from store.wakeups import PROMISE_LASTS
from webhook_gateway.breaker import CircuitBreaker
from webhook_gateway.faults import is_outage, reason
from webhook_gateway.recent import RecentKeys
from webhook_gateway.verdicts import Refusal, Verdict

STORE_DEADLINE: Final = 2.0
"""Seconds for one statement of the store."""
LAST_RESORT: Final = 3.0
"""Seconds for a start when the inbox cannot be used either and the sender would have to come again."""

_log = structlog.stdlib.get_logger(__name__)


class Admitted:
    """Where a start request is now durable."""

    def __init__(self, verdict: Verdict, sentence: str) -> None:
        self.verdict = verdict
        self.sentence = sentence


class Admission:
    """Rings the document's bell, starts its workflow when that is needed, and falls back to the inbox.

    The bell tells whether an earlier signal is still to be taken and covers this change, too. For a document that this
    gateway has not heard of for longer than such a promise lasts, hardly ever: it is started without asking. The first
    delivery so waits for Temporal alone.

    A stored start is promised to the store behind the sender's back. Shops send several deliveries about one document
    in the same moment, so each waits for the promise of the one before it instead of sending a signal of its own.

    A start has `start_deadline` seconds; the client's own retries do not count against it, they are cut off. A start
    that ends after its deadline is harmless: starts are idempotent and the inbox makes it again.
    """

    def __init__(
        self,
        store: Store,
        starter: Starter,
        breaker: CircuitBreaker,
        *,
        start_deadline: float,
        inbox_filled: Callable[[], None],
    ) -> None:
        self._store = store
        self._starter = starter
        self._breaker = breaker
        self._start_deadline = start_deadline
        self._inbox_filled = inbox_filled
        self._recent = RecentKeys(capacity=20_000, lasts=PROMISE_LASTS.total_seconds())
        self._under_way: dict[str, asyncio.Future[None]] = {}
        self._promises: set[asyncio.Task[None]] = set()

    async def admit(self, request: StartRequest, *, tenant: str) -> Admitted:
        """Returns once the request is durable somewhere. Raises `Refusal` (`UNAVAILABLE`) when that is nowhere."""
        number = 0
        if self._breaker.admit():
            await self._earlier(request.workflow_id)
            heard_of = self._recent.note(request.workflow_id)
            ring = await self._ring(request.workflow_id) if heard_of else None
            request = request.model_copy(update={"fresh": not heard_of})
            if ring is not None:
                number = ring.number
                if not ring.needed:
                    return Admitted(Verdict.COALESCED, "The running workflow has yet to take an earlier signal.")
            if await self._started_and_promised(request, number):
                return Admitted(Verdict.STARTED, "")
        if await self._stored(request, tenant, number):
            self._inbox_filled()
            return Admitted(Verdict.INBOX, "Temporal did not confirm the start in time; the inbox makes it.")
        if await self._started(request, LAST_RESORT):
            return Admitted(Verdict.STARTED, "The store did not answer; Temporal did.")
        raise Refusal(Verdict.UNAVAILABLE, "Neither Temporal nor the store could keep the delivery.")

    async def settled(self) -> None:
        """Returns when no promise is under way any more. Each has deadlines of its own."""
        while self._promises:
            await asyncio.wait(self._promises)

    async def _earlier(self, key: str) -> None:
        """Waits for an earlier delivery about the same document to be started and promised; not for long."""
        earlier = self._under_way.get(key)
        if earlier is not None:
            await asyncio.wait([earlier], timeout=self._start_deadline)

    async def _started_and_promised(self, request: StartRequest, number: int) -> bool:
        """The start; its promise follows by itself."""
        under_way = asyncio.get_running_loop().create_future()
        self._under_way[request.workflow_id] = under_way
        started = False
        try:
            started = await self._started(request, self._start_deadline)
        finally:
            if not started:
                self._end(request.workflow_id, under_way)
        if started:
            promise = asyncio.create_task(self._promise(request.workflow_id, number, under_way))
            self._promises.add(promise)
            promise.add_done_callback(self._promises.discard)
        return started

    async def _promise(self, key: str, number: int, under_way: asyncio.Future[None]) -> None:
        """Tells the store that the start is stored, which saves later deliveries their signal. Best effort.

        A start made without asking rings afterwards: if that is the very first ring, nobody can have read the source
        in between, and the start covers it.
        """
        try:
            if not number:
                ring = await self._ring(key)
                number = ring.number if ring is not None and ring.number == 1 else 0
            if number:
                async with asyncio.timeout(STORE_DEADLINE):
                    await self._store.wakeups.confirm(key, number)
        except Exception as error:
            _log.warning("start not confirmed to the store", workflow_id=key, error=reason(error))
        finally:
            self._end(key, under_way)

    def _end(self, key: str, under_way: asyncio.Future[None]) -> None:
        if not under_way.done():
            under_way.set_result(None)
        if self._under_way.get(key) is under_way:
            del self._under_way[key]

    async def _ring(self, key: str) -> Ring | None:
        try:
            async with asyncio.timeout(STORE_DEADLINE):
                return await self._store.wakeups.ring(key)
        except Exception as error:
            # The bell only saves signals; without it every delivery sends one.
            _log.warning("wake-up not counted", workflow_id=key, error=reason(error))
            return None

    async def _started(self, request: StartRequest, deadline: float) -> bool:
        try:
            async with asyncio.timeout(deadline):
                await self._starter.start(request)
        except Exception as error:
            if is_outage(error):
                self._breaker.failed()
            _log.warning("start not confirmed by Temporal", workflow_id=request.workflow_id, error=reason(error))
            return False
        self._breaker.succeeded()
        return True

    async def _stored(self, request: StartRequest, tenant: str, number: int) -> bool:
        try:
            async with asyncio.timeout(STORE_DEADLINE):
                await self._store.deliveries.inbox_put(
                    tenant,
                    request.connection,
                    request.workflow_id,
                    request.model_dump_json(),
                    number=number,
                    received_at=request.received_at,
                )
        except Exception as error:
            _log.error("inbox not usable", workflow_id=request.workflow_id, error=reason(error))
            return False
        return True
