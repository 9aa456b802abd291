"""One browser a session, and a Temporal server with its web UI."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser
from support.browser import open_browser

from runtime.temporal.devserver import DevServer


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Tests open contexts of their own in it: `await browser.new_context()` is a person with an empty profile."""
    async with open_browser() as opened:
        yield opened


@pytest.fixture(scope="session")
async def ui_server(temporal_cli: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DevServer]:
    """The dev server of the other tests runs without the UI."""
    async with DevServer(temporal_cli, log=tmp_path_factory.mktemp("temporal-ui") / "server.log") as server:
        yield server
