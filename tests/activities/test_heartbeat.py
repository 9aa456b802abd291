"""Steps that send something show that they are alive, and forget nothing over it."""

import asyncio
import dataclasses
import datetime as dt

import pytest
from temporalio.testing import ActivityEnvironment

from activities import heartbeat
from activities.heartbeat import staying_alive


async def test_what_earlier_attempts_remembered_outlives_the_beats_of_a_step_that_sends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(heartbeat, "FIRST", 0.0)
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(
        environment.info, heartbeat_timeout=dt.timedelta(seconds=30), heartbeat_details=[3]
    )
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
