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
from playwright.async_api import Browser, BrowserContext, Error, Page, async_playwright, expect

from sandbox.kit import Twin

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
PATIENCE: Final = 120_000
"""Milliseconds for a page to show what it must, and for the browser to do what it is told."""
REMEDY: Final = (
    "`make setup-browser` installs one; or name yours with CHROMIUM_PATH, or run `playwright install chromium`."
)


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """Fails the test, with what to do, where there is none."""
    expect.set_options(timeout=PATIENCE)
    async with async_playwright() as playwright:
        found = _installed(playwright.chromium.executable_path)
        try:
            browser = await playwright.chromium.launch(executable_path=found, args=FLAGS, timeout=PATIENCE)
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


@asynccontextmanager
async def watched(person: BrowserContext, twin: Twin, path: str = "/") -> AsyncIterator[Page]:
    """A page of the twin; fails where the browser had to refuse something or a script was wrong."""
    wrong: list[str] = []
    page = await person.new_page()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if "Security" in said.text else None)
    page.on("dialog", lambda dialog: wrong.append(dialog.message))
    await page.goto(twin.url + path)
    await expect(page.locator("#live")).to_contain_text("live")
    yield page
    assert wrong == []


async def keep_picture(page: Page, name: str) -> None:
    if directory := os.environ.get("SCREENSHOTS"):
        await page.screenshot(path=Path(directory) / f"{name}.png", full_page=True)
