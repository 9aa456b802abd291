"""Fixtures of the cluster tests: a PostgreSQL, a production server and an installation that a test may kill."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cluster.installation import Installation, open_installation
from support.cluster import ProductionServer
from support.postgres import MortalPostgres
from support.processes import Nursery
from support.server_tools import ServerTools


@pytest.fixture(scope="session")
async def production_server(
    server_tools: ServerTools, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ProductionServer]:
    """On a PostgreSQL of its own, so that both may be killed."""
    directory = tmp_path_factory.mktemp("production")
    async with MortalPostgres() as postgres, ProductionServer(server_tools, postgres, directory) as server:
        yield server


@pytest.fixture(scope="module")
async def installation(
    production_server: ProductionServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """Two workers and two gateways."""
    directory = tmp_path_factory.mktemp("installation")
    async with (
        Nursery(Path(__file__).parents[1] / "crash" / "mortal.py", directory / "nursery.log") as nursery,
        open_installation(production_server, nursery, directory) as opened,
    ):
        yield opened
