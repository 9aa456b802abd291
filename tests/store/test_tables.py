import asyncio
import traceback

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from store import Store, StoreUnavailable, Vault
from store.engine.database import StoreFault
from store.schema import metadata
from store.store import StoreOutdated


def _differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": False}), metadata))


async def test_migrations_lead_to_the_tables_the_code_uses(store: Store) -> None:
    assert await store._database.read(_differences) == []


async def test_a_store_whose_tables_are_current_passes_the_check(store: Store) -> None:
    await store.check()


async def test_processes_that_start_together_migrate_once(store: Store, other: Store) -> None:
    await asyncio.gather(store.migrate(), other.migrate(), store.migrate())
    assert await store.epochs.current() >= 1


async def test_a_database_without_tables_is_named_as_outdated(tmp_path: object, vault: Vault) -> None:
    async with Store.open(f"sqlite+aiosqlite:///{tmp_path}/empty.db", vault) as empty:
        with pytest.raises(StoreOutdated, match="revision none"):
            await empty.check()


async def test_a_database_that_cannot_be_reached_is_unavailable(tmp_path: object, vault: Vault) -> None:
    async with Store.open(f"sqlite+aiosqlite:///{tmp_path}/missing/store.db", vault) as lost:
        with pytest.raises(StoreUnavailable):
            await lost.epochs.current()
        with pytest.raises(StoreUnavailable):
            await lost.wakeups.ring("order-to-journal:bc-us:1")
    async with Store.open("postgresql+asyncpg://nobody:hunter2@127.0.0.1:1/none", vault) as refused:
        with pytest.raises(StoreUnavailable) as caught:
            await refused.epochs.current()
        assert "hunter2" not in f"{caught.value!r} {refused!r}"


@pytest.mark.parametrize("url", ["mysql://host/database", "sqlite://", "sqlite:///:memory:"], indirect=False)
def test_other_databases_are_refused_at_once(url: str, vault: Vault) -> None:
    with pytest.raises(ValueError, match="store"):
        Store.open(url, vault)


async def test_a_failing_unit_leaves_its_neighbours_alone(store: Store) -> None:
    def broken(connection: Connection) -> None:
        connection.execute(text("UPDATE epochs SET number = number + 1000"))
        raise KeyError("not our day")

    def sound(connection: Connection) -> None:
        connection.execute(text("UPDATE epochs SET number = number + 1"))

    before = await store.epochs.current()
    results = await asyncio.gather(
        *(
            store._database.write(broken) if number % 3 == 0 else store._database.write_one(sound)
            for number in range(12)
        ),
        return_exceptions=True,
    )
    assert [isinstance(one, KeyError) for one in results] == [number % 3 == 0 for number in range(12)]
    assert await store.epochs.current() == before + 8


async def test_an_error_shows_no_values(store: Store) -> None:
    def wrong(connection: Connection) -> None:
        connection.execute(text("INSERT INTO wakeups (key, wanted) VALUES (:key, 1)"), {"key": "canary-4711"})

    with pytest.raises(StoreFault, match="INSERT INTO wakeups") as caught:
        await store._database.write(wrong)
    assert "canary-4711" not in "".join(traceback.format_exception(caught.value))
