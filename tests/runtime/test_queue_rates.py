"""How many steps the server hands out, and how many a worker takes, by what an account allows."""

import asyncio
from typing import Any

import pytest
from support.played_time import Time

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


@pytest.mark.parametrize("calls", [150, 300, 450, 3000])
async def test_fetches_of_a_backlog_have_their_turns_in_time_at_the_limit_of_the_shop(calls: int) -> None:
    """As many fetches at once as a worker takes, each of a header and three parts; none is given up, none idles."""
    time = Time()
    half = Limiter(calls=calls // 2, window=30.0, clock=time, sleep=time.sleep)
    began = ended = time.now
    done = 0

    async def fetch() -> None:
        nonlocal done, ended
        while time.now < began + 300.0:
            await half.acquire()
            await asyncio.gather(*(half.acquire() for _ in range(3)))
            done, ended = done + 4, time.now

    await asyncio.gather(time.run(600.0), *(fetch() for _ in range(steps_at_once(shop(calls), 2))))
    assert done / (ended - began) * 30 > 0.8 * (calls // 2)
