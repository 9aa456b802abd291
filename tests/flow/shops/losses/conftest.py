"""A stack whose American shop is counted at once, with the store on SQLite and on PostgreSQL."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import URL
from support.loss_counts import counted_at_once
from support.postgres import new_database, postgres_server
from support.stack import Stack, open_stack
from support.topology import TemporalServer
from support.typed import Typed, typed_beside


@pytest.fixture(scope="session")
def database_server() -> Iterator[URL]:
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
async def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/counted.db"
        return
    async with new_database(request.getfixturevalue("database_server")) as database:
        yield database.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)


@pytest.fixture
async def stack(temporal_server: TemporalServer, store_url: str, tmp_path: Path) -> AsyncIterator[Stack]:
    async with (
        open_stack(temporal_server, tmp_path, store_url=store_url, adjust=counted_at_once) as opened,
        opened.worker(),
    ):
        yield opened


@pytest.fixture
def typed(stack: Stack) -> Typed:
    return typed_beside(stack)
