"""A stack whose store can be backed up while it works, and put back.

On the dev server with a store on each database; on the production topology with the store beside Temporal's databases.
"""

import dataclasses
import sqlite3
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from replay.stage import with_fusion
from sqlalchemy.engine import URL, make_url
from support.postgres import new_database, plain, postgres_server
from support.stack import FAST, Stack, open_stack
from support.topology import DEV, KeepsStores, TemporalServer

import activities.epochs
from contracts.configuration import Configuration
from runtime.parts import open_parts
from store import Store, Vault
from store.schema import metadata, workers

LASTING = [table for table in metadata.sorted_tables if table is not workers]


@dataclass
class Vintage:
    """A stack and the backup of its store."""

    stack: Stack
    directory: Path
    new_store: Callable[[], AbstractAsyncContextManager[URL]] | None
    """A fresh database; None for a store on SQLite."""
    backup: Path | None = None

    async def back_up(self) -> None:
        """As an operator would: online, with the database's own means.

        It is yesterday's: who was present when it was made has not been seen for too long to be counted.
        """
        url = make_url(self.stack.environment["MLC_STORE_URL"])
        self.backup = self.directory / f"backup-{uuid.uuid4().hex[:6]}"
        if self.new_store is None:
            with sqlite3.connect(str(url.database)) as live, sqlite3.connect(self.backup) as copy:
                live.backup(copy)
                copy.execute(f"DELETE FROM {workers.name}")  # noqa: S608 -- a table's own name
        else:
            self.backup.mkdir()
            await snapshot(url, self.backup)

    @asynccontextmanager
    async def restored(
        self, adjust: Callable[[Configuration], Configuration] = lambda configuration: configuration
    ) -> AsyncIterator[Stack]:
        """The stack on the store of the backup; everything since is forgotten there, and only there.

        `adjust`: what was configured otherwise since.
        """
        assert self.backup is not None
        async with AsyncExitStack() as stack:
            if self.new_store is None:
                url = f"sqlite+aiosqlite:///{self.backup}"
            else:
                database = await stack.enter_async_context(self.new_store())
                url = database.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)
                async with Store.open(url, Vault(self.stack.keys)) as empty:
                    await empty.migrate()
                await put_back(database, self.backup)
            configuration = adjust(self.stack.configuration)
            configuration = configuration.model_copy(
                update={"store": configuration.store.model_copy(update={"url": url})}
            )
            parts = await stack.enter_async_context(
                open_parts(configuration, self.stack.keys, temporal=self.stack.temporal)
            )
            yield dataclasses.replace(
                self.stack,
                parts=parts,
                configuration=configuration,
                environment={**self.stack.environment, "MLC_STORE_URL": url},
            )


async def snapshot(url: URL, directory: Path) -> None:
    """All that lasts as of one moment, while others write."""
    connection = await asyncpg.connect(plain(url))
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            for table in LASTING:
                await connection.copy_from_table(table.name, output=directory / table.name, format="binary")
    finally:
        await connection.close()


async def put_back(url: URL, directory: Path) -> None:
    """Into a database that has the tables and nothing of anybody in them."""
    connection = await asyncpg.connect(plain(url))
    try:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute("DELETE FROM epochs")
        for table in LASTING:
            await connection.copy_to_table(table.name, source=directory / table.name, format="binary")
            for column in table.primary_key.columns:
                if column.autoincrement is True:
                    await connection.execute(
                        f"SELECT setval(pg_get_serial_sequence('{table.name}', '{column.name}'), "  # noqa: S608 -- names
                        f"COALESCE((SELECT max({column.name}) FROM {table.name}), 1))"
                    )
    finally:
        await connection.close()


@pytest.fixture(scope="module")
def database_server() -> Iterator[URL]:
    with postgres_server() as server:
        yield server


def patient(configuration: Configuration) -> Configuration:
    return with_fusion(configuration, import_timeout=3.0, settle=0.5, journal_import={"status_interval": 0.1})


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "vintage" in metafunc.fixturenames:
        dev = metafunc.config.getoption("topology") == DEV
        metafunc.parametrize("vintage", ["sqlite", "postgresql"] if dev else ["beside Temporal"], indirect=True)


@pytest.fixture
def adjust() -> Callable[[Configuration], Configuration]:
    """How a module's stacks are configured."""
    return patient


@pytest.fixture(autouse=True)
def _short_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """A document looks more often whether the store is recovered than it would in production."""
    monkeypatch.setattr(activities.epochs, "REST", timedelta(seconds=1))


@pytest.fixture
async def vintage(
    request: pytest.FixtureRequest,
    temporal_server: TemporalServer,
    tmp_path: Path,
    adjust: Callable[[Configuration], Configuration],
) -> AsyncIterator[Vintage]:
    new_store: Callable[[], AbstractAsyncContextManager[URL]] | None = None
    if isinstance(temporal_server, KeepsStores):
        new_store = temporal_server.new_store
    elif request.param == "postgresql":
        new_store = partial(new_database, request.getfixturevalue("database_server"))
    async with AsyncExitStack() as stack:
        url = f"sqlite+aiosqlite:///{tmp_path / 'store.db'}"
        if new_store is not None:
            database = await stack.enter_async_context(new_store())
            url = database.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)
        opened = await stack.enter_async_context(
            open_stack(temporal_server, tmp_path, store_url=url, imports=FAST, adjust=adjust)
        )
        yield Vintage(stack=opened, directory=tmp_path, new_store=new_store)
