"""How many steps the server hands out, and how many a worker takes, by what an account allows."""

import asyncio
import heapq
from typing import Any

import pytest

from clients.limiter import Limiter
from contracts.configuration import BigCommerceConnection, FusionConnection
from runtime.worker import activities_per_second, steps_at_once


def shop(calls: int) -> BigCommerceConnection:
    return BigCommerceConnection(
        system="bigcommerce", id="shop", tenant="t", environment="test", store_hash="abc", requests_per_window=calls
    )


def pod(calls: int) -> FusionConnection:
    oauth: Any = {"token_url": "https://idp.test/token", "client_id": "c", "scope": "s"}
    url: Any = "https://pod.test"
    return FusionConnection(
        system="oracle_fusion", id="pod", tenant="t", environment="test", base_url=url, oauth=oauth,
        requests_per_minute=calls,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("connection", "rate"),
    [(shop(150), 16.0), (shop(30), 16.0), (shop(6000), 40.0), (pod(600), 16.0), (pod(6000), 26.67)],
)
def test_a_queue_is_never_so_slow_that_a_lone_step_waits(
    connection: BigCommerceConnection | FusionConnection, rate: float
) -> None:
    assert activities_per_second(connection) == pytest.approx(rate, abs=0.01)


@pytest.mark.parametrize(
    ("connection", "workers", "steps"),
    [
        (shop(150), 2, 4),
        (shop(450), 2, 12),
        (shop(3000), 2, 20),
        (shop(30), 2, 4),
        (pod(600), 2, 20),
        (pod(300), 2, 12),
        (pod(60), 5, 8),
    ],
)
def test_a_worker_takes_no_more_steps_than_get_a_turn_in_time(
    connection: BigCommerceConnection | FusionConnection, workers: int, steps: int
) -> None:
    assert steps_at_once(connection, workers) == steps


class Clock:
    """Time that passes only while somebody waits for it."""

    def __init__(self) -> None:
        self.now = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Event]] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        heapq.heappush(self._sleepers, (self.now + seconds, len(self._sleepers), woken))
        await woken.wait()

    async def run(self) -> None:
        while True:
            for _ in range(50):
                await asyncio.sleep(0)
            if self._sleepers:
                self.now, _, woken = heapq.heappop(self._sleepers)
                woken.set()


@pytest.mark.parametrize("calls", [150, 300, 450, 3000])
async def test_fetches_of_a_backlog_have_their_turns_in_time_at_the_limit_of_the_shop(calls: int) -> None:
    """As many fetches at once as a worker takes, each of a header and three parts; none is given up, none idles."""
    clock = Clock()
    half = Limiter(calls=calls // 2, window=30.0, clock=clock, sleep=clock.sleep)
    done = 0

    async def fetch() -> None:
        nonlocal done
        while clock.now < 300.0:
            await half.acquire()
            await asyncio.gather(*(half.acquire() for _ in range(3)))
            done += 4

    passing = asyncio.create_task(clock.run())
    try:
        await asyncio.gather(*(fetch() for _ in range(steps_at_once(shop(calls), 2))))
    finally:
        passing.cancel()
    assert done / clock.now * 30 > 0.8 * (calls // 2)
