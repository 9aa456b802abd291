import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import make_url
from support.postgres import plain
from support.stack import eventually

from store import Store
from store.engine.postgresql_database import PostgreSQLDatabase


@asynccontextmanager
async def kept_by_a_neighbour(url: str, key: str) -> AsyncIterator[None]:
    """Somebody else's transaction has changed this wake-up, and does not end."""
    address, change = make_url(url), "UPDATE wakeups SET wanted = wanted WHERE key = "
    if address.get_backend_name() == "postgresql":
        connection = await asyncpg.connect(plain(address))
        try:
            async with connection.transaction():
                await connection.execute(f"{change}$1", key)
                yield
        finally:
            await connection.close()
        return
    with contextlib.closing(sqlite3.connect(str(address.database), timeout=600, isolation_level=None)) as file:
        file.execute("BEGIN IMMEDIATE")
        file.execute(f"{change}?", (key,))
        yield
        file.execute("COMMIT")


async def test_a_caller_that_stops_waiting_leaves_the_store_usable(url: str, store: Store, fresh: str) -> None:
    """The gateway gives the store a deadline; a slow neighbour must cost it that call and nothing else."""
    await store.wakeups.ring(fresh)
    async with kept_by_a_neighbour(url, fresh):
        for _ in range(5):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await store.wakeups.ring(fresh)
    # A call that was given up may have happened or not; what counts is that the next one is answered.
    assert (await store.wakeups.ring(fresh)).number >= 2


async def test_dead_connections_are_replaced_without_an_error(url: str, store: Store, other: Store, fresh: str) -> None:
    """PostgreSQL was restarted while nothing was going on."""

    def disconnect(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )

    async with Store.open(url, store._vault) as idle:
        connections = connections_of(idle)
        await asyncio.gather(*(idle.wakeups.ring(f"{fresh}:{number}") for number in range(5)))
        assert connections or store._database.dialect == "sqlite"
        await other._database.read(disconnect)
        await eventually(lambda: all(one.is_closed() for one in connections), "the server has closed the connections")
        for number in range(5):
            assert (await idle.wakeups.ring(f"{fresh}:{number}")).number == 2


def connections_of(store: Store) -> list[Any]:
    """Those to PostgreSQL that the store makes from now on."""
    made: list[Any] = []
    if isinstance(store._database, PostgreSQLDatabase):

        def note(connection: Any, _record: object) -> None:
            made.append(connection.driver_connection)

        event.listen(store._database._engine.sync_engine, "connect", note)
    return made


async def test_closing_finishes_what_was_asked(url: str, store: Store, fresh: str) -> None:
    async with Store.open(url, store._vault) as brief:
        rings = [asyncio.create_task(brief.wakeups.ring(fresh)) for _ in range(10)]
        await asyncio.gather(*rings)
    assert (await store.wakeups.ring(fresh)).number == 11
