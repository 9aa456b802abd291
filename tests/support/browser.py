"""A headless browser for tests of web pages.

`CHROMIUM_PATH`, else Chromium or Chrome on the PATH, else the one that Playwright has installed for itself.
"""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Browser, Error, async_playwright

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS: Final = (
    "--no-sandbox",  # tests may run as root, and open no foreign page
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
REMEDY: Final = (
    "`make setup-browser` installs one; or name yours with CHROMIUM_PATH, or run `playwright install chromium`."
)


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """Fails the test, with what to do, where there is none."""
    async with async_playwright() as playwright:
        found = _installed(playwright.chromium.executable_path)
        try:
            browser = await playwright.chromium.launch(executable_path=found, args=FLAGS)
        except Error as error:
            pytest.fail(f"{found} does not start. {REMEDY}\n{error.message[:2000]}")
        try:
            yield browser
        finally:
            await browser.close()


def _installed(own: str) -> str:
    """`own`: where Playwright would have its browser."""
    named = os.environ.get("CHROMIUM_PATH")
    if named and not Path(named).is_file():
        pytest.fail(f"CHROMIUM_PATH names {named}, which does not exist. {REMEDY}")
    found = named or next(filter(None, map(shutil.which, NAMES)), None) or own
    if not Path(found).is_file():
        pytest.fail(f"A browser is needed: no Chromium or Chrome is on the PATH. {REMEDY}")
    return found
