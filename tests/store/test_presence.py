"""Who is present is seen the same by everybody, on both databases."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection, delete, update

from store import Store
from store.presence import Roll
from store.schema import workers

LONG = dt.timedelta(minutes=30)
"""So long that no machine is as slow."""
HALF, MORE, FOR_EVER = LONG / 2, LONG * 1.5, dt.timedelta(hours=2)


@pytest.fixture(autouse=True)
async def nobody(store: Store) -> AsyncIterator[None]:
    def empty(connection: Connection) -> None:
        connection.execute(delete(workers))

    yield
    await store._database.write(empty)


async def age(store: Store, worker: str, by: dt.timedelta) -> None:
    """The worker was seen so much earlier than it was."""
    roll = await store.presence.roll()
    seen = next(row.seen_at for row in roll.rows if row.id == worker) - by

    def unit(connection: Connection) -> None:
        connection.execute(update(workers).where(workers.c.id == worker).values(seen_at=seen))

    await store._database.write(unit)


def ids(roll: Roll, group: str = "default") -> list[str]:
    return [row.id for row in roll.live(LONG) if row.scope == group]


async def test_newcomers_stand_behind_those_who_are_there(store: Store, other: Store) -> None:
    await store.presence.announce("b", "host-1", ["default"])
    await other.presence.announce("a", "host-2", ["default", "big"])
    roll = await store.presence.roll()
    assert ids(roll) == ["b", "a"]
    assert ids(roll, "big") == ["a"]


async def test_all_see_one_order_however_many_come_at_once(store: Store, other: Store) -> None:
    rolls = await asyncio.gather(
        *((store, other)[number % 2].presence.announce(f"w{number}", "host", ["default"]) for number in range(8))
    )
    # Each sees whoever came before, and nobody is overlooked by two.
    assert sorted(len(ids(roll)) for roll in rolls) == list(range(1, 9))
    assert ids(await store.presence.roll()) == [ids(roll)[-1] for roll in sorted(rolls, key=lambda one: len(one.rows))]


async def test_who_was_not_seen_for_long_is_not_counted_and_not_renewed(store: Store, other: Store) -> None:
    await store.presence.announce("late", "host", ["default"])
    await other.presence.announce("here", "host", ["default"])
    await age(store, "late", MORE)
    roll = await store.presence.renew("late", ["default"], within=LONG)
    assert ids(roll) == ["here"]
    assert ids(await other.presence.roll()) == ["here"]
    await store.presence.announce("late", "host", ["default"])
    assert ids(await other.presence.roll()) == ["here", "late"]


async def test_a_renewal_that_expects_others_than_are_there_changes_nothing(store: Store, other: Store) -> None:
    await store.presence.announce("old", "host", ["default"])
    await age(store, "old", HALF)
    before = (await store.presence.roll()).rows[0].seen_at
    await other.presence.announce("new", "host", ["default"])
    roll = await store.presence.renew("old", ["default"], within=LONG, known={("old", "default")})
    assert ids(roll) == ["old", "new"]
    assert (await store.presence.roll()).rows[0].seen_at == before
    both = {("old", "default"), ("new", "default")}
    await store.presence.renew("old", ["default"], within=LONG, known=both)
    assert (await store.presence.roll()).rows[0].seen_at > before


async def test_other_groups_are_nobodys_business(store: Store) -> None:
    await store.presence.announce("one", "host", ["default"])
    await store.presence.announce("two", "host", ["big"])
    await age(store, "one", HALF)
    roll = await store.presence.renew("one", ["default"], within=LONG, known={("one", "default")})
    assert (await store.presence.roll()).rows[0].seen_at == roll.at


async def test_leaving_one_group_is_not_leaving_all(store: Store) -> None:
    await store.presence.announce("one", "host", ["default", "big"])
    await store.presence.leave("one", ["big"])
    assert ids(await store.presence.roll(), "big") == []
    assert ids(await store.presence.roll()) == ["one"]
    await store.presence.leave("one")
    assert (await store.presence.roll()).rows == ()


async def test_rows_of_the_long_gone_are_removed(store: Store) -> None:
    await store.presence.announce("gone", "host", ["default"])
    await age(store, "gone", FOR_EVER)
    await store.presence.announce("here", "host", ["default"])
    assert [row.id for row in (await store.presence.roll()).rows] == ["here"]
