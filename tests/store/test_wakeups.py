import asyncio
import datetime as dt

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store import Store
from store.rows import Ring

NOW = dt.datetime(2026, 3, 2, 15, 0, tzinfo=dt.UTC)


async def test_the_first_change_needs_a_start(store: Store, fresh: str) -> None:
    assert await store.wakeups.ring(fresh, now=NOW) == Ring(1, True)


async def test_until_a_start_is_confirmed_every_change_asks_for_one(store: Store, fresh: str) -> None:
    await store.wakeups.ring(fresh, now=NOW)
    assert await store.wakeups.ring(fresh, now=NOW) == Ring(2, True)


async def test_a_confirmed_start_that_is_not_taken_yet_covers_later_changes(store: Store, fresh: str) -> None:
    await store.wakeups.ring(fresh, now=NOW)
    await store.wakeups.confirm(fresh, 1, now=NOW)
    assert await store.wakeups.ring(fresh, now=NOW) == Ring(2, False)
    assert await store.wakeups.take(fresh) == 2
    assert await store.wakeups.ring(fresh, now=NOW) == Ring(3, True)


async def test_a_start_confirmed_after_it_was_taken_covers_nothing(store: Store, fresh: str) -> None:
    await store.wakeups.ring(fresh, now=NOW)
    await store.wakeups.take(fresh)
    await store.wakeups.confirm(fresh, 1, now=NOW)
    assert (await store.wakeups.ring(fresh, now=NOW)).needed


async def test_an_old_promise_counts_for_nothing(store: Store, fresh: str) -> None:
    await store.wakeups.ring(fresh, now=NOW)
    await store.wakeups.confirm(fresh, 1, now=NOW)
    assert not (await store.wakeups.ring(fresh, now=NOW + dt.timedelta(seconds=120))).needed
    assert (await store.wakeups.ring(fresh, now=NOW + dt.timedelta(seconds=601))).needed


async def test_a_first_ring_after_a_taking_is_not_the_first(store: Store, fresh: str) -> None:
    """Number 1 proves that nobody has read the source since: a start sent before the ring may be promised by it."""
    assert await store.wakeups.take(fresh) == 1
    assert await store.wakeups.ring(fresh, now=NOW) == Ring(2, True)


async def test_a_page_of_documents_rings_at_once(store: Store, fresh: str) -> None:
    keys = [f"{fresh}:{number}" for number in range(450)]
    await store.wakeups.ring(keys[0], now=NOW)
    rung = await store.wakeups.ring_many([*keys, keys[0]], now=NOW)
    assert len(rung) == 450
    assert rung[keys[0]] == Ring(2, True)
    assert rung[keys[449]] == Ring(1, True)
    await store.wakeups.confirm_many({key: ring.number for key, ring in rung.items()}, now=NOW)
    again = await store.wakeups.ring_many(keys, now=NOW)
    assert not any(one.needed for one in again.values())
    assert await store.wakeups.ring_many([]) == {}
    await store.wakeups.confirm_many({})


async def test_rings_from_many_processes_are_all_counted(store: Store, other: Store, fresh: str) -> None:
    rung = await asyncio.gather(
        *((other if number % 2 else store).wakeups.ring(fresh, now=NOW) for number in range(30))
    )
    assert sorted(one.number for one in rung) == list(range(1, 31))


async def test_pages_that_overlap_do_not_block_each_other(store: Store, other: Store, fresh: str) -> None:
    keys = [f"{fresh}:{number}" for number in range(60)]
    await asyncio.gather(
        *(
            (other if number % 2 else store).wakeups.ring_many(keys if number % 3 else keys[::-1], now=NOW)
            for number in range(8)
        )
    )
    assert {one.number for one in (await store.wakeups.ring_many(keys, now=NOW)).values()} == {9}


@pytest.mark.parametrize("steps", [12])
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(choices=st.lists(st.sampled_from(["change", "confirm", "consume"]), max_size=14))
async def test_no_change_is_ever_missed(store: Store, steps: int, choices: list[str]) -> None:
    """However changes, confirmations and readings interleave: after the last signal is consumed, all is read."""
    key = f"interleaved {id(choices)} {steps} {dt.datetime.now(dt.UTC).timestamp()}"
    changes = read = 0
    signals = 0
    unconfirmed: list[int] = []
    for choice in [*choices, *["consume"] * steps]:
        if choice == "change":
            changes += 1
            ring = await store.wakeups.ring(key, now=NOW)
            if ring.needed:
                signals += 1
                unconfirmed.append(ring.number)
        elif choice == "confirm" and unconfirmed:
            await store.wakeups.confirm(key, unconfirmed.pop(0), now=NOW)
        elif choice == "consume" and signals:
            signals -= 1
            await store.wakeups.take(key)
            read = changes
    assert read == changes
