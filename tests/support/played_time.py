"""Time that passes only when everybody sleeps."""

import asyncio
import heapq
import itertools


class Time:
    """A clock that goes on to the next waker when nobody has anything to do."""

    def __init__(self) -> None:
        self.now = 5000.0
        self._wakers: list[tuple[float, int, asyncio.Event]] = []
        self._numbers = itertools.count()

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        waker = asyncio.Event()
        heapq.heappush(self._wakers, (self.now + seconds, next(self._numbers), waker))
        await waker.wait()

    async def run(self, seconds: float) -> None:
        ends = self.now + seconds
        while True:
            for _ in range(6):  # everybody who can go on does, as far as the next sleep
                await asyncio.sleep(0)
            if not self._wakers or self._wakers[0][0] > ends:
                self.now = ends
                return
            self.now, _, waker = heapq.heappop(self._wakers)
            waker.set()
