"""Fixtures of tests with several workers: a store on each database, and processes of the product itself."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import crash.settings
import pytest
from sqlalchemy.engine import URL
from support.postgres import new_database, postgres_server
from support.processes import Nursery


@pytest.fixture(scope="session")
def database_server() -> Iterator[URL]:
    """A server on which databases may be created."""
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
async def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """A fresh, empty database."""
    async with AsyncExitStack() as stack:
        if request.param == "sqlite":
            yield f"sqlite+aiosqlite:///{tmp_path / 'store.db'}"
            return
        database = await stack.enter_async_context(new_database(request.getfixturevalue("database_server")))
        yield database.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)


@pytest.fixture(scope="session")
async def nursery(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nursery]:
    directory = tmp_path_factory.mktemp("nursery")
    async with Nursery(Path(crash.settings.__file__).with_name("mortal.py"), directory / "nursery.log") as opened:
        yield opened
