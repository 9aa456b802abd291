"""Which mapping each integration uses, and each time that it is another one."""

import asyncio
import datetime as dt

from contracts.flow import State
from store import Store
from store.rows import DocumentRow

NOW = dt.datetime(2026, 3, 2, 15, 0, tzinfo=dt.UTC)


def in_review(fresh: str) -> DocumentRow:
    return DocumentRow(
        tenant="acme",
        integration=fresh,
        connection=fresh,
        kind="order",
        id="1",
        modified_at=NOW,
        fingerprint="f",
        state=State.NEEDS_REVIEW,
        reason="There is no account for antiques.",
        job="test",
        at=NOW,
    )


async def test_each_time_that_a_mapping_comes_into_effect_is_told_apart(store: Store, fresh: str) -> None:
    """Also when an older one comes back, and for integrations that are given another set."""
    later = NOW + dt.timedelta(hours=1)

    async def take(first: tuple[str, int], second: tuple[str, int], now: dt.datetime = NOW) -> tuple[int, int]:
        taken = await store.mapping_sets.take_effect({f"{fresh}-1": first, f"{fresh}-2": second}, now=now)
        assert [(one.mapping_set, one.version) for one in taken] == [first, second]
        return taken[0].generation, taken[1].generation

    # Nothing was there before, and nothing waits.
    assert await take(("retail", 1), ("retail", 1)) == (0, 0)
    forward, together = await take(("retail", 2), ("retail", 2), later)
    assert forward == together > 0
    assert await take(("retail", 2), ("retail", 2)) == (forward, forward)
    back, unchanged = await take(("retail", 1), ("retail", 2))
    assert (back > forward, unchanged) == (True, forward)
    assert (await take(("retail", 2), ("retail", 2)))[0] > back
    assert (await take(("retail", 2), ("wholesale", 1)))[1] > back


async def test_what_waits_when_effects_are_first_recorded_is_told(store: Store, fresh: str) -> None:
    await store.documents.settle(in_review(fresh))
    (taken,) = await store.mapping_sets.take_effect({fresh: ("retail", 3)}, now=NOW)
    assert taken.generation > 0


async def test_of_workers_that_start_together_one_changes_what_is_in_effect(
    store: Store, other: Store, fresh: str
) -> None:
    await store.mapping_sets.take_effect({fresh: ("retail", 1)}, now=NOW)
    taken = await asyncio.gather(
        *(one.mapping_sets.take_effect({fresh: ("retail", 2)}, now=NOW) for one in (store, other) * 4)
    )
    assert len({one.generation for (one,) in taken}) == 1
