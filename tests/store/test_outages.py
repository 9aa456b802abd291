import asyncio
import time

import pytest
from sqlalchemy import Connection, text

from store import Store


async def test_a_caller_that_stops_waiting_leaves_the_store_usable(store: Store, other: Store, fresh: str) -> None:
    """The gateway gives the store a deadline; a slow neighbour must cost it that call and nothing else."""
    await store.wakeups.ring(fresh)

    def slow(connection: Connection) -> None:
        connection.execute(text("UPDATE wakeups SET wanted = wanted WHERE key = :key"), {"key": fresh})
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_sleep(0.4)"))
        else:
            time.sleep(0.4)

    neighbour = asyncio.create_task(other._database.write(slow))
    await asyncio.sleep(0.1)
    for _ in range(5):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await store.wakeups.ring(fresh)
    await neighbour
    # A call that was given up may have happened or not; what counts is that the next one is answered.
    assert (await store.wakeups.ring(fresh)).number >= 2


async def test_dead_connections_are_replaced_without_an_error(store: Store, other: Store, fresh: str) -> None:
    """PostgreSQL was restarted while nothing was going on."""
    await asyncio.gather(*(store.wakeups.ring(f"{fresh}:{number}") for number in range(5)))

    def disconnect(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )

    await other._database.read(disconnect)
    await asyncio.sleep(0.1)
    for number in range(5):
        assert (await store.wakeups.ring(f"{fresh}:{number}")).number == 2


async def test_closing_finishes_what_was_asked(url: str, store: Store, fresh: str) -> None:
    async with Store.open(url, store._vault) as brief:
        rings = [asyncio.create_task(brief.wakeups.ring(fresh)) for _ in range(10)]
        await asyncio.gather(*rings)
    assert (await store.wakeups.ring(fresh)).number == 11
