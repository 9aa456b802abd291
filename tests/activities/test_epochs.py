"""The guard against a store that was restored: what it has heard once, it never forgets."""

import asyncio
from typing import Any

import pytest

import activities.epochs
from activities.epochs import EpochGuard
from contracts.flow import StoreEpoch
from store.epochs import StoreBehind

SEEN, RESTORED = 7, 3


class Epochs:
    """A restored store, which answers a question when it is let."""

    def __init__(self) -> None:
        self.number = RESTORED
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()

    async def current(self) -> int:
        number = self.number
        self.asked.set()
        await self.answers.wait()
        return number

    async def require(self, seen: int) -> int:
        current = await self.current()
        if current < seen:
            raise StoreBehind(seen, current)
        return current


@pytest.fixture
def epochs() -> Epochs:
    return Epochs()


@pytest.fixture
def guard(epochs: Epochs, monkeypatch: pytest.MonkeyPatch) -> EpochGuard:
    """One whose keeper has seen `SEEN`."""
    given: Any = epochs

    async def kept(_: EpochGuard) -> int:
        return SEEN

    async def told(*_: Any, **__: Any) -> StoreEpoch:
        return StoreEpoch(number=SEEN)

    monkeypatch.setattr(EpochGuard, "kept", kept)
    monkeypatch.setattr(activities.epochs, "update_with_start", told)
    temporal: Any = None
    return EpochGuard(given, temporal)


async def test_what_the_keeper_says_outlives_what_the_store_answers_later(guard: EpochGuard, epochs: Epochs) -> None:
    """A worker that starts on a restored store reads documents while it asks the keeper."""
    epochs.answers.clear()
    reading = asyncio.create_task(guard.current())
    await epochs.asked.wait()
    asking = asyncio.create_task(guard.behind())
    await asyncio.sleep(0)
    epochs.answers.set()
    assert await reading == SEEN
    assert "restored from a backup" in await asking
    assert "restored from a backup" in await guard.behind(), "and the keeper is not asked again for half a minute"


async def test_what_is_heard_while_the_store_answers_counts_at_once(guard: EpochGuard, epochs: Epochs) -> None:
    guard._asked_at = guard._clock()
    epochs.answers.clear()
    asking = asyncio.create_task(guard.behind(RESTORED))
    await epochs.asked.wait()
    other = asyncio.create_task(guard.behind(SEEN))
    await asyncio.sleep(0)
    epochs.answers.set()
    assert "restored from a backup" in await asking
    assert "restored from a backup" in await other


async def test_whoever_tells_the_keeper_hears_that_it_has_seen_more(guard: EpochGuard, epochs: Epochs) -> None:
    assert "restored from a backup" in await guard.tell(RESTORED + 1)
    epochs.number = SEEN + 1
    assert await guard.behind() == ""
    assert await guard.tell(SEEN + 1) == ""
    assert await guard.tell(RESTORED) == "", "told already"
    assert guard.recovered_since(SEEN) is False


async def test_a_store_that_is_ahead_is_not_behind(guard: EpochGuard, epochs: Epochs) -> None:
    epochs.number = SEEN + 2
    assert await guard.behind() == ""
    assert await guard.current() == SEEN + 2
    epochs.number = RESTORED
    assert await guard.behind(), "this process has seen more than the keeper"
