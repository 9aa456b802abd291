"""What several limiters of one account let through together, while processes come, go, die and stand still.

Time passes only when everybody sleeps. The whole is played as `activities.access.sharing` hands out parts: who is new
has none before the others have less, and what somebody had is given to others only when he has stopped.
"""

import asyncio
import contextlib
import random
from bisect import bisect_left
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from support.played_time import Time

from clients.limiter import Allowance, Limiter, Part, Throttled


class Seat:
    """A share that a test sets."""

    def __init__(self, time: Time) -> None:
        self._time = time
        self._part: Part | None = None

    def give(self, rank: int, of: int, *, joined: float | None = None) -> None:
        known = self._part.joined if self._part and joined is None else joined
        self._part = Part(rank=rank, of=of, joined=known if known is not None else self._time.now, since=self._time.now)

    def take(self) -> None:
        self._part = None

    def current(self) -> Part | None:
        return self._part

    async def settled(self, patience: float) -> None:
        ends = self._time.now + patience
        while self._part is None:
            if self._time.now >= ends:
                raise Throttled(1.0)
            await self._time.sleep(0.25)


class Worker:
    """Calls as fast as it may."""

    def __init__(self, time: Time, calls: int, window: float, moments: list[float]) -> None:
        self.seat = Seat(time)
        self.limiter = Limiter(calls=calls, window=window, share=self.seat, clock=time, sleep=time.sleep)
        self._time = time
        self._moments = moments
        self.busy = asyncio.create_task(self._call())

    async def _call(self) -> None:
        while True:
            try:
                await self.limiter.acquire()
            except Throttled as throttled:
                await self._time.sleep(min(throttled.seconds, 1.0))
            else:
                self._moments.append(self._time.now)

    async def end(self) -> None:
        self.seat.take()
        self.busy.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.busy


def most(moments: list[float], window: float) -> int:
    """Most calls in any window that opens with a call."""
    return max(bisect_left(moments, first + window - 1e-6) - number for number, first in enumerate(moments))


@asynccontextmanager
async def office(calls: int, window: float) -> AsyncIterator[tuple[Time, list[Worker], list[float]]]:
    time, workers, moments = Time(), list[Worker](), list[float]()
    try:
        yield time, workers, moments
    finally:
        for worker in workers:
            await worker.end()


def seat_all(workers: list[Worker]) -> None:
    for rank, worker in enumerate(workers):
        worker.seat.give(rank, len(workers))


LIMITS = [(30, 60.0), (150, 30.0), (600, 60.0), (7, 30.0), (3, 30.0)]


@pytest.mark.parametrize(("calls", "window"), LIMITS)
@pytest.mark.parametrize("count", [1, 2, 3, 5])
async def test_processes_together_stay_within_the_ceiling(calls: int, window: float, count: int) -> None:
    async with office(calls, window) as (time, workers, moments):
        workers += [Worker(time, calls, window, moments) for _ in range(count)]
        seat_all(workers)
        await time.run(window * 5)
        assert most(moments, window) <= calls
        if calls >= 10 * count:
            assert len([one for one in moments if one >= time.now - window]) >= 0.7 * calls


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("calls", "window"), LIMITS)
async def test_no_window_holds_more_while_processes_come_and_go(calls: int, window: float, seed: int) -> None:
    chance = random.Random(seed)
    async with office(calls, window) as (time, workers, moments):
        for _ in range(25):
            if not workers or (chance.random() < 0.55 and len(workers) < 6):
                # The others have taken note of the newcomer before it begins.
                for rank, worker in enumerate(workers):
                    worker.seat.give(rank, len(workers) + 1)
                workers.append(Worker(time, calls, window, moments))
                workers[-1].seat.give(len(workers) - 1, len(workers))
            else:
                await workers.pop(chance.randrange(len(workers))).end()
                seat_all(workers)
            await time.run(chance.choice([0.2, 1.0, 5.0, window / 2, window, 2 * window]))
        assert moments
        assert most(moments, window) <= calls


async def test_who_was_left_out_for_a_while_begins_with_nothing_saved() -> None:
    async with office(600, 60.0) as (time, workers, moments):
        worker = Worker(time, 600, 60.0, moments)
        workers.append(worker)
        worker.seat.give(0, 1)
        await time.run(30)
        worker.seat.take()
        await time.run(120)
        before = len(moments)
        worker.seat.give(0, 1, joined=time.now)
        await time.run(0.05)
        assert len(moments) == before
        await time.run(1.0)
        assert len(moments) > before


async def test_a_part_is_never_more_than_its_rank_gives() -> None:
    for ceiling in range(20):
        for of in range(1, 8):
            assert sum(Part(rank, of).calls(ceiling) for rank in range(of)) == ceiling


async def test_nobody_gets_more_because_another_one_comes() -> None:
    for ceiling in range(40):
        for of in range(1, 8):
            assert all(Part(rank, of + 1).calls(ceiling) <= Part(rank, of).calls(ceiling) for rank in range(of))


async def test_who_has_no_part_of_a_small_ceiling_is_told_to_come_back() -> None:
    time = Time()
    seat = Seat(time)
    seat.give(2, 3)
    limiter = Limiter(calls=2, window=30.0, share=seat, clock=time, sleep=time.sleep)
    with pytest.raises(Throttled) as told:
        await limiter.acquire()
    assert told.value.seconds >= 30.0


async def test_what_the_vendor_says_is_left_is_left_for_all_processes() -> None:
    async with office(600, 60.0) as (time, workers, moments):
        workers += [Worker(time, 600, 60.0, moments) for _ in range(3)]
        seat_all(workers)
        await time.run(30)
        told = time.now
        for worker in workers:
            worker.limiter.observe(Allowance(left=6, reset=20.0))
        await time.run(19.9)
        assert len([one for one in moments if one > told]) <= 6


async def test_a_call_that_nobody_waited_for_is_made_up_for() -> None:
    async with office(60, 60.0) as (time, workers, moments):
        worker = Worker(time, 60, 60.0, moments)
        workers.append(worker)
        seat_all(workers)
        await time.run(60)
        charged = len(moments)
        for _ in range(10):
            worker.limiter.charge()
        await time.run(60)
        assert len(moments) - charged <= 60 - 10
