"""A step at the gate of its connection, as Temporal runs it."""

import asyncio
import dataclasses
import datetime as dt
from types import SimpleNamespace
from typing import Any, cast

import pytest
from support.stack import eventually
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.testing import ActivityEnvironment

from activities.access import passage
from activities.access.gates import Gate, Gates, Pace
from activities.access.passage import pass_gate
from activities.collaborators import Collaborators
from clients.errors import Forbidden, NotFound, RateLimited, Unreachable, VendorError

FAST = Pace(first=0.02, longest=0.05, look=0.02, retry_refused=0.05)


def environment(**info: Any) -> ActivityEnvironment:
    made = ActivityEnvironment()
    five_minutes = {"start_to_close_timeout": dt.timedelta(minutes=5), "started_time": dt.datetime.now(dt.UTC)}
    made.info = dataclasses.replace(made.info, **five_minutes | info)
    return made


class Pod:
    """A system and its gate. `errors` are what the next calls end with; then they succeed."""

    def __init__(self) -> None:
        self.gate = Gate("pod", pace=FAST)
        gates = Gates()
        gates.add(self.gate)
        self.parts = cast(Collaborators, SimpleNamespace(gates=gates))
        self.errors: list[VendorError] = []
        self.calls = 0

    async def call(self) -> str:
        began = self.gate.begin()
        self.calls += 1
        error = self.errors.pop(0) if self.errors else None
        self.gate.ended(began, error)
        if error is not None:
            raise error
        return "read"

    async def step(self, within: ActivityEnvironment | None = None) -> str:
        return await (within or environment()).run(pass_gate, self.parts, "pod", "Order 1024 (bc-us)", self.call)

    def down(self, times: int = 1_000_000) -> None:
        self.errors = [Unreachable("pod", "The pod could not be reached.")] * times


@pytest.fixture
def pod() -> Pod:
    return Pod()


async def test_an_outage_that_ends_in_time_is_no_failure_of_the_step(pod: Pod) -> None:
    pod.down(times=4)
    assert await pod.step() == "read"
    assert pod.calls == 5
    assert pod.gate.is_open


async def test_who_has_waited_long_enough_comes_back_soon_and_says_why(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passage, "LONGEST_WAIT", 0.1)
    pod.down()
    with pytest.raises(ApplicationError, match=r"Order 1024 .* waits: The pod could not be reached") as told:
        await pod.step()
    assert told.value.type == "Paused"
    assert told.value.category is ApplicationErrorCategory.BENIGN
    assert not told.value.non_retryable
    assert told.value.next_retry_delay is not None
    assert dt.timedelta(seconds=1) <= told.value.next_retry_delay <= dt.timedelta(seconds=5)
    assert pod.gate.waiting == 0


async def test_a_step_whose_time_is_nearly_over_does_not_wait(pod: Pod) -> None:
    pod.down()
    late = environment(started_time=dt.datetime.now(dt.UTC) - dt.timedelta(minutes=4))
    with pytest.raises(ApplicationError, match="waits"):
        await asyncio.wait_for(pod.step(late), passage.LONGEST_WAIT / 2)


async def test_a_worker_that_stops_is_not_kept_by_steps_that_wait(pod: Pod) -> None:
    pod.down()
    stopping = environment()
    step = asyncio.create_task(pod.step(stopping))
    await eventually(lambda: pod.gate.waiting, "the step waits")
    stopping.worker_shutdown()
    with pytest.raises(ApplicationError, match="the worker stops"):
        await asyncio.wait_for(step, 60.0)
    assert pod.gate.waiting == 0


async def test_a_step_with_a_heartbeat_goes_on_beating_with_what_it_remembers(pod: Pod) -> None:
    beats: list[tuple[Any, ...]] = []
    watched = environment(heartbeat_timeout=dt.timedelta(minutes=2), heartbeat_details=[7])
    watched.on_heartbeat = lambda *details: beats.append(details)
    pod.down(times=3)
    assert await pod.step(watched) == "read"
    assert beats
    assert set(beats) == {(7,)}


async def test_a_step_that_is_cancelled_while_it_tries_leaves_that_to_another(pod: Pod) -> None:
    pod.down(times=1)
    reached, forever = asyncio.Event(), asyncio.Event()

    async def stuck() -> str:
        pod.gate.begin()
        if pod.gate.is_open:
            pod.errors.clear()
            error = Unreachable("pod", "The pod could not be reached.")
            pod.gate.ended(0, error)
            raise error
        reached.set()
        await forever.wait()
        return "never"

    trying = asyncio.create_task(environment().run(pass_gate, pod.parts, "pod", "Order 1 (bc-us)", stuck))
    await asyncio.wait_for(reached.wait(), 60.0)
    waiting = asyncio.create_task(pod.step())
    trying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await trying
    pod.errors.clear()
    assert await asyncio.wait_for(waiting, 60.0) == "read"


async def test_what_blames_the_document_goes_on_as_ever_also_while_others_wait(pod: Pod) -> None:
    pod.errors = [NotFound("pod", "There is no such order.", status=404)]
    with pytest.raises(ApplicationError) as told:
        await pod.step()
    assert told.value.type == "NeedsReview"
    assert told.value.non_retryable


async def test_a_missing_role_is_tried_again_every_five_minutes(pod: Pod) -> None:
    pod.errors = [Forbidden("pod", "The pod answered HTTP 403.", status=403)]
    with pytest.raises(ApplicationError, match="missing role") as told:
        await pod.step()
    assert told.value.next_retry_delay == dt.timedelta(minutes=5)
    assert pod.gate.is_open


async def test_the_vendors_own_waiting_time_is_kept(pod: Pod) -> None:
    pod.errors = [RateLimited("pod", "Too many calls.", status=429, retry_after=40.0)]
    with pytest.raises(ApplicationError) as told:
        await pod.step()
    assert told.value.next_retry_delay == dt.timedelta(seconds=40)
