"""A stack whose store can be backed up while it works, and put back."""

import dataclasses
import sqlite3
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from replay.stage import with_fusion
from sqlalchemy.engine import URL, make_url
from support.postgres import new_database, plain, postgres_server
from support.stack import FAST, Stack, open_stack
from support.topology import TemporalServer

from contracts.configuration import Configuration
from runtime.parts import open_parts
from store import Store, Vault
from store.schema import metadata


@dataclass
class Vintage:
    """A stack and the backup of its store."""

    stack: Stack
    directory: Path
    server: URL | None
    backup: Path | None = None

    async def back_up(self) -> None:
        """As an operator would: online, with the database's own means."""
        url = make_url(self.stack.environment["MLC_STORE_URL"])
        self.backup = self.directory / f"backup-{uuid.uuid4().hex[:6]}"
        if self.server is None:
            with sqlite3.connect(str(url.database)) as live, sqlite3.connect(self.backup) as copy:
                live.backup(copy)
        else:
            self.backup.mkdir()
            await snapshot(url, self.backup)

    @asynccontextmanager
    async def restored(self) -> AsyncIterator[Stack]:
        """The stack on the store of the backup; everything since is forgotten there, and only there."""
        assert self.backup is not None
        async with AsyncExitStack() as stack:
            if self.server is None:
                url = f"sqlite+aiosqlite:///{self.backup}"
            else:
                database = await stack.enter_async_context(new_database(self.server))
                url = database.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)
                async with Store.open(url, Vault(self.stack.keys)) as empty:
                    await empty.migrate()
                await put_back(database, self.backup)
            configuration = self.stack.configuration
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
    """All tables as of one moment, while others write."""
    connection = await asyncpg.connect(plain(url))
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            for table in metadata.sorted_tables:
                await connection.copy_from_table(table.name, output=directory / table.name, format="binary")
    finally:
        await connection.close()


async def put_back(url: URL, directory: Path) -> None:
    """Into a database that has the tables and nothing of anybody in them."""
    connection = await asyncpg.connect(plain(url))
    try:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute("DELETE FROM epochs")
        for table in metadata.sorted_tables:
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


def _patient(configuration: Configuration) -> Configuration:
    return with_fusion(configuration, import_timeout=3.0, settle=0.5, journal_import={"status_interval": 0.1})


@pytest.fixture(params=["sqlite", "postgresql"])
async def vintage(
    request: pytest.FixtureRequest, temporal_server: TemporalServer, database_server: URL, tmp_path: Path
) -> AsyncIterator[Vintage]:
    async with AsyncExitStack() as stack:
        server, url = None, f"sqlite+aiosqlite:///{tmp_path / 'store.db'}"
        if request.param == "postgresql":
            server = database_server
            database = await stack.enter_async_context(new_database(server))
            url = database.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)
        opened = await stack.enter_async_context(
            open_stack(temporal_server, tmp_path, store_url=url, imports=FAST, adjust=_patient)
        )
        yield Vintage(stack=opened, directory=tmp_path, server=server)
