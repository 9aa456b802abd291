"""Steps that call a vendor show that they are alive, and forget nothing over it."""

import asyncio
import dataclasses
import datetime as dt
from collections.abc import Awaitable, Callable, Generator, Iterator
from types import SimpleNamespace
from typing import Any, Self

import pytest
from temporalio.testing import ActivityEnvironment

import activities.converging.polling
import activities.orders.lookup
from activities import heartbeat
from activities.alignment.comparing import AlignmentActivities
from activities.converging.polling import RecordPollingActivities
from activities.converging.steps import ConvergingActivities
from activities.heartbeat import staying_alive
from activities.hooks.health import HooksActivities
from activities.journals.importing import ImportingActivities
from activities.journals.outcome import OutcomeActivities
from activities.orders.fetch import FetchActivities
from activities.orders.lookup import LookupActivities
from activities.refunds.fetch import RefundFetchActivities


class Stuck:
    """Anything, and whoever waits for it waits for ever."""

    def __getattr__(self, name: str) -> Self:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *given: Any, **named: Any) -> Self:
        return self

    def __getitem__(self, key: Any) -> Self:
        return self

    def __iter__(self) -> Iterator[Self]:
        return iter((self, self))

    def __bool__(self) -> bool:
        return False

    def __await__(self) -> Generator[Any, None, Any]:
        return asyncio.Event().wait().__await__()


STUCK: Any = Stuck()
WATCHED: list[Callable[[Any], Awaitable[Any]]] = [
    FetchActivities(STUCK).fetch_order,
    RefundFetchActivities(STUCK).fetch_refund,
    LookupActivities(STUCK).lookup,
    ConvergingActivities(STUCK).read_record,
    HooksActivities(STUCK).ensure_hooks,
    AlignmentActivities(STUCK).compare_shop,
    AlignmentActivities(STUCK).compare_pod,
    ImportingActivities(STUCK).submit_group,
    ImportingActivities(STUCK).follow_job,
    OutcomeActivities(STUCK).read_outcome,
    RecordPollingActivities(STUCK).poll_records,
]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> ActivityEnvironment:
    """A step with a heartbeat, which beats at once."""
    monkeypatch.setattr(heartbeat, "FIRST", 0.0)
    made = ActivityEnvironment()
    made.info = dataclasses.replace(made.info, heartbeat_timeout=dt.timedelta(seconds=30), heartbeat_details=[3])
    return made


@pytest.mark.parametrize("step", WATCHED, ids=lambda step: step.__name__)
async def test_a_step_that_waits_for_a_vendor_beats(
    step: Callable[[Any], Awaitable[Any]], environment: ActivityEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise it would count as lost while it works."""
    monkeypatch.setattr(activities.orders.lookup, "books_of", STUCK)
    monkeypatch.setattr(activities.converging.polling, "policy_of", lambda *_: SimpleNamespace(enabled=True))
    for asked in ("_desk", "_name"):
        monkeypatch.setattr(ConvergingActivities, asked, STUCK)
    beaten = asyncio.Event()
    environment.on_heartbeat = lambda *details: beaten.set()
    working = asyncio.ensure_future(environment.run(step, STUCK))
    heard = asyncio.ensure_future(beaten.wait())
    try:
        await asyncio.wait({working, heard}, timeout=60, return_when=asyncio.FIRST_COMPLETED)
        assert beaten.is_set(), working
    finally:
        working.cancel()
        heard.cancel()
        await asyncio.gather(working, heard, return_exceptions=True)


async def test_what_earlier_attempts_remembered_outlives_the_beats_of_a_step(environment: ActivityEnvironment) -> None:
    beats: list[tuple[object, ...]] = []
    beaten = asyncio.Event()

    def beat(*details: object) -> None:
        beats.append(details)
        beaten.set()

    environment.on_heartbeat = beat

    async def step() -> None:
        async with staying_alive():
            await asyncio.wait_for(beaten.wait(), 60)

    await environment.run(step)
    assert beats == [(3,)]
