from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.limiter import Allowance, Limiter, Throttled, retry_after


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def limiter(clock: Clock, *, calls: int, window: float, patience: float = 10_000.0) -> Limiter:
    return Limiter(calls=calls, window=window, patience=patience, clock=clock, sleep=clock.sleep)


@pytest.mark.parametrize("calls", [1, 2, 7, 10, 60, 150, 450])
async def test_no_window_ever_holds_more_calls_than_the_ceiling(calls: int) -> None:
    clock = Clock()
    gate = limiter(clock, calls=calls, window=30.0)
    moments = []
    for _ in range(calls * 3):
        await gate.acquire()
        moments.append(clock.now)
    for first in moments:
        assert sum(first <= moment < first + 30.0 - 1e-6 for moment in moments) <= calls


async def test_a_burst_needs_no_waiting() -> None:
    clock = Clock()
    gate = limiter(clock, calls=600, window=60.0)
    for _ in range(60):
        await gate.acquire()
    assert clock.now == 1000.0


async def test_when_the_vendor_says_wait_nobody_calls_before() -> None:
    clock = Clock()
    gate = limiter(clock, calls=600, window=60.0)
    gate.pause(12.0)
    await gate.acquire()
    assert clock.now >= 1012.0


async def test_long_waits_are_given_back_to_the_caller() -> None:
    clock = Clock()
    gate = limiter(clock, calls=600, window=60.0, patience=5.0)
    gate.pause(30.0)
    with pytest.raises(Throttled) as told:
        await gate.acquire()
    assert told.value.seconds == pytest.approx(30.0)
    assert clock.now == 1000.0


async def test_a_quota_shared_with_other_apps_slows_us_down_before_it_is_gone() -> None:
    clock = Clock()
    gate = limiter(clock, calls=600, window=60.0)
    for _ in range(60):
        await gate.acquire()
    gate.observe(Allowance(left=2, reset=10.0))
    started = clock.now
    for _ in range(3):
        await gate.acquire()
    assert clock.now - started >= 9.0


async def test_an_exhausted_quota_stops_calls_until_the_window_ends() -> None:
    clock = Clock()
    gate = limiter(clock, calls=600, window=60.0)
    gate.observe(Allowance(left=0, reset=8.0))
    await gate.acquire()
    assert clock.now >= 1008.0


NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "15"}, 15.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"x-retry-after": "20"}, 20.0),
        ({"retry-after": "5", "x-retry-after": "20"}, 20.0),
        ({"retry-after": "Sun, 01 Mar 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Sun, 01 Mar 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, None),
        ({}, None),
    ],
)
def test_waiting_times_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds


@given(st.text())
def test_no_header_breaks_the_client(text: str) -> None:
    wait = retry_after({"retry-after": text}, NOW)
    assert wait is None or wait >= 0
