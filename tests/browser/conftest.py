"""One browser a session, and a Temporal server with its web UI."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext
from support.browser import PATIENCE, open_browser

from runtime.temporal.devserver import DevServer
from sandbox.bigcommerce import US_SHOP, BigCommerceTwin, StoreSettings
from sandbox.kit import serve


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Tests open contexts of their own in it: `await browser.new_context()` is a person with an empty profile."""
    async with open_browser() as opened:
        yield opened


@pytest.fixture(scope="session")
async def ui_server(temporal_cli: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DevServer]:
    """The dev server of the other tests runs without the UI."""
    place = tmp_path_factory.mktemp("temporal-ui")
    async with DevServer(temporal_cli, database=place / "temporal.db", log=place / "server.log") as server:
        yield server


@pytest.fixture
async def person(browser: Browser) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(viewport={"width": 1440, "height": 1100})
    context.set_default_timeout(PATIENCE)
    yield context
    await context.close()


@pytest.fixture(autouse=True)
def lasting_news(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was last done is read, however late somebody looks."""
    monkeypatch.setattr("sandbox.kit.pages.SHOWN_FOR", 600.0)


@pytest.fixture
async def shops() -> AsyncIterator[BigCommerceTwin]:
    twin = BigCommerceTwin([StoreSettings(US_SHOP)])
    async with serve(twin):
        yield twin
