"""The story is told once on each database; every test looks at another trace of it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy.engine import URL
from support.leaks.story import Story, tell
from support.postgres import new_database, postgres_server

from runtime.temporal.devserver import DevServer


@pytest.fixture(scope="session")
def story_postgres() -> Iterator[URL]:
    with postgres_server() as server:
        yield server


@pytest_asyncio.fixture(scope="module", params=["sqlite", "postgresql"])
async def story(
    request: pytest.FixtureRequest,
    temporal_server: DevServer,
    story_postgres: URL,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Story]:
    directory: Path = tmp_path_factory.mktemp("story")
    if request.param == "sqlite":
        yield await tell(temporal_server, directory, None)
        return
    async with new_database(story_postgres) as database:
        yield await tell(temporal_server, directory, database)
