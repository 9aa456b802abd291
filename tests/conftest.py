"""Fixtures of the whole test suite: one Temporal dev server per session, a fresh stack per test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.stack import Stack, open_stack

from runtime.temporal.devserver import DevServer
from runtime.temporal.temporal_cli import find_or_obtain


@pytest.fixture(scope="session")
async def temporal_cli() -> Path:
    """Found or obtained; a machine where it cannot be had fails the suite and says what to do."""
    return await find_or_obtain(print)


@pytest.fixture(scope="session")
async def temporal_server(temporal_cli: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DevServer]:
    directory = tmp_path_factory.mktemp("temporal")
    async with DevServer(temporal_cli, ui_port=None, log=directory / "server.log") as server:
        yield server


@pytest.fixture
async def stack(temporal_server: DevServer, tmp_path: Path) -> AsyncIterator[Stack]:
    async with open_stack(temporal_server, tmp_path) as opened:
        yield opened
