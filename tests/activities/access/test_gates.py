"""What a gate lets through, by a clock that only moves when told to."""

import asyncio
import itertools

import pytest

from activities.access.gates import Paused
from clients.errors import InDoubt, NotFound, RateLimited, Unavailable, VendorError
from store.rows import ConnectionHealth
from tests.activities.access.conftest import (
    HOUR,
    Board,
    System,
    Time,
    all_done,
    orders,
    refused_connect,
    settled,
    unavailable,
)


async def test_a_refused_connect_shuts_the_gate_at_once(system: System, time: Time) -> None:
    system.down(refused_connect())
    system.begin(*orders(1))
    await settled()
    assert not system.gate.is_open
    assert len(system.calls) == 1


async def test_one_error_among_successes_stops_nobody(system: System) -> None:
    for number in range(20):
        system.down(unavailable(500) if number % 2 else None)
        await system.step(f"order {number}")
        assert system.gate.is_open


async def test_two_failures_in_a_row_of_different_documents_are_an_outage(system: System) -> None:
    system.down(unavailable(500))
    assert "HTTP 500" in await system.step("order 1")
    assert "HTTP 500" in await system.step("order 1")
    assert system.gate.is_open
    system.begin("order 2")
    await settled()
    assert not system.gate.is_open


async def test_one_document_alone_needs_three_failures(system: System) -> None:
    system.down(unavailable())
    for _ in range(2):
        await system.step("order 1")
    assert system.gate.is_open
    system.begin("order 1")
    await settled()
    assert not system.gate.is_open


@pytest.mark.parametrize(
    "error",
    [
        refused_connect(),
        unavailable(),
        InDoubt("pod", "The pod did not answer in time."),
        Unavailable("pod", "The pod was cut off."),
        RateLimited("pod", "The pod answered HTTP 503.", status=503, retry_after=1.0),
    ],
    ids=["refused", "503", "write timed out", "cut off", "503 with a waiting time"],
)
async def test_an_outage_costs_one_call_a_pause_however_many_wait_and_all_go_on_after_it(
    system: System, time: Time, error: VendorError
) -> None:
    system.down(error)
    steps = system.begin(*orders(60))
    await time.go(5)
    burst = len(system.calls)
    assert burst <= 60
    started = time.now
    await time.go(HOUR)
    # Pauses of 30 to 60 seconds once they have grown: never one a document.
    assert HOUR / 60 <= system.since(started) <= HOUR / 30 + 10
    system.down(None)
    await time.go(61)
    assert all_done(steps)
    # The very first failure of all may have been an accident: that step comes back by itself.
    assert [step.result() for step in steps[1:]] == orders(60)[1:]


async def test_the_pause_doubles_up_to_a_minute_and_starts_anew_with_the_next_outage(
    system: System, time: Time
) -> None:
    system.down(refused_connect())
    system.begin(*orders(3))
    await time.go(300)
    moments = [at for at, _ in system.calls]
    pauses = [later - earlier for earlier, later in itertools.pairwise(moments)]
    for number, pause in enumerate(pauses[3:], start=3):
        assert 0.5 * min(2.0**number, 60) <= pause <= min(2.0**number, 60)
    system.down(None)
    await time.go(61)
    system.down(refused_connect())
    system.begin("another")
    began = time.now
    await time.go(2)
    assert 2 <= system.since(began) <= 4


async def test_a_waiting_time_that_the_vendor_names_is_kept(system: System, time: Time) -> None:
    system.down(RateLimited("pod", "The pod answered HTTP 503.", status=503, retry_after=90.0))
    system.begin(*orders(5))
    await settled()
    burst = len(system.calls)
    await time.go(89)
    assert len(system.calls) == burst
    await time.go(2)
    assert len(system.calls) == burst + 1


async def test_a_path_that_is_broken_holds_up_the_others_for_a_few_pauses_only(system: System, time: Time) -> None:
    """Rows of one kind fail whenever they are asked for; another kind of step works."""
    system.failing = lambda kind: unavailable(500) if kind == "journals" else None
    system.begin(*(f"group {number}" for number in range(50)), kind="journals")
    await time.go(200)
    assert not system.gate.is_open
    working = system.begin("order 1", kind="lookup")
    await time.go(61)
    assert all_done(working)


async def test_who_failed_as_the_one_that_tries_gives_way_to_the_others(system: System, time: Time) -> None:
    """A document that can never be read must not be the one by which an outage is judged."""
    system.failing = lambda kind: refused_connect() if kind == "poison" else None
    system.begin("order 666", kind="poison")
    await time.go(100)
    good = system.begin("order 1", kind="fetch")
    await time.go(61)
    assert all_done(good)


async def test_an_answer_that_comes_late_opens_and_a_failure_that_comes_late_shuts_nothing(
    system: System, time: Time
) -> None:
    system.takes = 30.0
    system.down(unavailable())
    slow = system.begin("slow 1", "slow 2", "slow 3")
    await time.go(10)
    system.takes = 0.0
    system.down(refused_connect())
    waiting = system.begin("order 1")
    await settled()
    assert not system.gate.is_open
    system.down(None)
    await time.go(2)
    assert system.gate.is_open
    assert all_done(waiting)
    await time.go(30)
    assert system.gate.is_open, "what began before the outage says nothing of the time after it"
    assert all_done(slow)


async def test_a_gate_is_not_waited_at_for_longer_than_a_step_can(system: System, time: Time) -> None:
    system.down(refused_connect())
    system.begin("order 1")
    await settled()
    step = asyncio.create_task(system.step("order 2", patience=100.0))
    await time.go(99)
    assert not step.done()
    await time.go(2)
    with pytest.raises(Paused, match="could not be reached"):
        await step


async def test_when_the_one_that_tries_is_stopped_another_takes_its_place(system: System, time: Time) -> None:
    system.down(refused_connect())
    first = system.begin("order 1")
    await settled()
    system.down(None)
    system.takes = 1000.0
    await time.go(1.5)
    system.begin("order 2")
    await time.go(1)
    first[0].cancel()
    system.takes = 0.0
    await time.go(5)
    assert system.gate.is_open


async def test_a_mark_is_written_on_change_and_renewed_once_a_minute(system: System, time: Time, board: Board) -> None:
    for _ in range(50):
        await system.step("order 1")
    assert (board.written, board.confirmed) == ([ConnectionHealth.WORKING], 0)
    await time.go(61)
    for _ in range(50):
        await system.step("order 1")
    assert (board.written, board.confirmed) == ([ConnectionHealth.WORKING], 1)


async def test_a_store_that_does_not_answer_costs_no_step_and_is_told_later(
    system: System, time: Time, board: Board
) -> None:
    board.down = True
    assert await system.step("order 1") == "order 1"
    board.down = False
    await time.go(6)
    await system.step("order 2")
    assert board.written == [ConnectionHealth.WORKING]


async def test_a_document_that_is_refused_says_nothing_against_its_connection(system: System) -> None:
    system.down(NotFound("pod", "There is no such order.", status=404))
    for order in orders(10):
        await system.step(order)
    assert system.gate.is_open


async def test_a_quota_that_is_used_up_is_no_outage(system: System) -> None:
    system.down(RateLimited("pod", "Too many calls.", status=429, retry_after=30.0))
    for order in orders(10):
        await system.step(order)
    system.down(RateLimited("pod", "Our own ceiling.", retry_after=30.0))
    for order in orders(10):
        await system.step(order)
    assert system.gate.is_open
