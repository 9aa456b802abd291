"""How many steps the server hands out, and how many a worker takes, by what an account allows."""

from typing import Any

import pytest

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


@pytest.mark.parametrize(("calls", "workers", "steps"), [(150, 2, 12), (150, 5, 5), (30, 2, 4), (3000, 2, 20)])
def test_a_worker_takes_no_more_of_a_shop_than_gets_a_turn_in_time(calls: int, workers: int, steps: int) -> None:
    assert steps_at_once(shop(calls), workers) == steps


def test_steps_at_a_pod_mostly_wait_for_its_jobs() -> None:
    assert steps_at_once(pod(60), 5) == steps_at_once(pod(6000), 1) == 20
