"""The real Temporal UI in a real browser: decoded for who has signed in, sealed for everybody else.

`SCREENSHOTS=DIRECTORY` keeps pictures of what was seen.
"""

import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect
from support.browser import PATIENCE
from support.consoles import open_console, token
from support.proof import ordinary, sell
from support.stack import Stack, eventually, open_stack

from contracts import names
from runtime.temporal.devserver import DevServer
from store import KeyRing

SEALED = "mlc-nonce"
"""In what the UI shows of a payload that nobody has decoded."""


@dataclass
class Place:
    """A posted order, the UI that shows its history, and a console."""

    stack: Stack
    ui: str
    console: str
    order: int
    run_id: str

    @property
    def history(self) -> str:
        """Path of the page that shows the order's history."""
        namespace = self.stack.temporal.namespace
        workflow_id = names.order_to_journal_id("bc-us", str(self.order))
        return f"/namespaces/{namespace}/workflows/{workflow_id}/{self.run_id}/history"


@pytest.fixture(scope="module")
async def place(ui_server: DevServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    async with open_stack(ui_server, tmp_path_factory.mktemp("ui")) as stack:
        async with stack.worker():
            [order] = await sell(stack, ordinary())
            await stack.result(order)
        handle = stack.temporal.get_workflow_handle(names.order_to_journal_id("bc-us", str(order)))
        run_id = str((await handle.describe()).run_id)
        ui = str(ui_server.ui_url)
        async with open_console(stack.configuration, stack.keys, ui_url=ui) as console:
            yield Place(stack, ui, console, order, run_id)


@pytest.fixture
async def person(browser: Browser) -> AsyncIterator[BrowserContext]:
    """Somebody with a browser that has seen nothing of us yet."""
    context = await browser.new_context(viewport={"width": 1280, "height": 1000})
    context.set_default_timeout(PATIENCE)
    yield context
    await context.close()


async def sign_in(page: Page, place: Place) -> None:
    await page.goto(place.console)
    await page.get_by_label("Token").fill(token(place.stack.keys))
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="Signed in as dana")).to_be_visible()


async def name_codec(page: Page, console: str) -> None:
    """What the start page tells people to set, in the UI's own form."""
    await page.locator("[data-testid^=data-encoder-status]").click()
    choice = page.get_by_test_id("override-accordion")
    await choice.get_by_role("button").first.click()
    await choice.get_by_text("Use my browser setting and ignore Cluster-level setting.").last.click()
    await choice.get_by_role("button").first.click()
    await page.locator("#data-encoder-endpoint-input").fill(console)
    await page.get_by_text("Include cross-origin credentials").click()
    await page.get_by_test_id("confirm-data-encoder-button").click()


async def look_at(page: Page, address: str) -> None:
    """Opens the history and waits until the UI shows it, in whatever form."""
    await page.goto(address)
    await expect(page.get_by_test_id("input-and-result")).to_contain_text('"', timeout=PATIENCE)
    await expect(page.get_by_test_id("event-summary-table")).to_contain_text("fetch_order", timeout=PATIENCE)


async def keep_picture(page: Page, name: str) -> None:
    if directory := os.environ.get("SCREENSHOTS"):
        await page.screenshot(path=Path(directory) / f"{name}.png")


async def expect_sealed(page: Page) -> None:
    await expect(page.get_by_test_id("input-and-result")).to_contain_text(SEALED, timeout=PATIENCE)
    await expect(page.get_by_test_id("input-and-result")).not_to_contain_text('"order_id"')
    await expect(page.get_by_test_id("event-summary-table")).not_to_contain_text("fetch order")


async def test_who_has_signed_in_reads_the_history_in_the_temporal_ui(place: Place, person: BrowserContext) -> None:
    page = await person.new_page()
    await look_at(page, place.ui + place.history)
    await expect_sealed(page)
    await sign_in(page, place)
    await keep_picture(page, "signed-in")
    await look_at(page, place.ui + place.history)
    await name_codec(page, place.console)
    await look_at(page, place.ui + place.history)
    shown = page.get_by_test_id("input-and-result")
    await expect(shown).to_contain_text(f'"order_id": "{place.order}"', timeout=PATIENCE)
    await expect(shown).to_contain_text('"state": "posted"')
    await expect(shown).not_to_contain_text(SEALED)
    table = page.get_by_test_id("event-summary-table")
    await expect(table).to_contain_text(f"fetch order {place.order}", timeout=PATIENCE)
    await expect(table).to_contain_text(f"Order {place.order} of bc-us to the general ledger")
    await expect(page.get_by_test_id("data-encoder-status-success")).to_be_visible()
    await keep_picture(page, "decoded")


async def test_without_signing_in_the_history_stays_sealed(place: Place, person: BrowserContext) -> None:
    page = await person.new_page()
    await look_at(page, place.ui + place.history)
    await name_codec(page, place.console)
    await look_at(page, place.ui + place.history)
    await expect(page.get_by_test_id("data-encoder-status-error")).to_be_visible(timeout=PATIENCE)
    await expect_sealed(page)
    await keep_picture(page, "not-signed-in")


async def test_after_signing_out_the_history_is_sealed_again(place: Place, person: BrowserContext) -> None:
    page = await person.new_page()
    await sign_in(page, place)
    await look_at(page, place.ui + place.history)
    await name_codec(page, place.console)
    await look_at(page, place.ui + place.history)
    await expect(page.get_by_test_id("input-and-result")).to_contain_text('"order_id"', timeout=PATIENCE)
    await page.goto(place.console)
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await look_at(page, place.ui + place.history)
    await expect_sealed(page)


async def test_under_another_address_the_same_ui_gets_nothing_even_for_who_has_signed_in(
    place: Place, person: BrowserContext
) -> None:
    """`localhost` is another origin than `127.0.0.1`, and another site."""
    page = await person.new_page()
    await sign_in(page, place)
    elsewhere = place.ui.replace("127.0.0.1", "localhost")
    await look_at(page, elsewhere + place.history)
    await name_codec(page, place.console)
    await look_at(page, elsewhere + place.history)
    await expect(page.get_by_test_id("data-encoder-status-error")).to_be_visible(timeout=PATIENCE)
    await expect_sealed(page)


async def test_a_page_of_another_port_gets_nothing_though_the_browser_sends_it_the_cookie(
    place: Place, person: BrowserContext
) -> None:
    page = await person.new_page()
    await sign_in(page, place)
    answers: list[int] = []
    page.on("response", lambda response: answers.append(response.status) if "/decode" in response.url else None)
    # An answer of the API: the pages for people do not let a script ask anybody else.
    await page.goto(f"{place.stack.fusion_listener.url}/fscmRestApi")
    outcome = await page.evaluate(
        """async (console) => {
            const ask = async (options) => {
                try {
                    const all = {method: "POST", credentials: "include", ...options};
                    const answer = await fetch(`${console}/decode`, all);
                    return `${answer.type} ${answer.status} ${await answer.text()}`;
                } catch (error) { return error.name; }
            };
            return [
                await ask({headers: {"content-type": "application/json"}, body: '{"payloads": []}'}),
                await ask({headers: {"content-type": "text/plain"}, body: '{"payloads": []}'}),
                await ask({mode: "no-cors", headers: {"content-type": "text/plain"}, body: '{"payloads": []}'}),
            ];
        }""",
        place.console,
    )
    assert outcome == ["TypeError", "TypeError", "opaque 0 "]
    await eventually(lambda: 403 in answers, "the browser tells what was answered")
    assert 200 not in answers


async def test_a_lost_key_is_named_where_the_value_would_stand(place: Place, person: BrowserContext) -> None:
    other = KeyRing.generate("k9")
    async with open_console(place.stack.configuration, other, ui_url=place.ui) as console:
        page = await person.new_page()
        await page.goto(console)
        await page.get_by_label("Token").fill(token(other))
        await page.get_by_role("button", name="Sign in").click()
        await look_at(page, place.ui + place.history)
        await name_codec(page, console)
        await look_at(page, place.ui + place.history)
        told = re.compile(r"Not decoded. Key .*k1.* is not in the key ring. Put it back into ML_CONNECTOR_KEYS")
        await expect(page.get_by_test_id("input-and-result")).to_contain_text(told, timeout=PATIENCE)
        await keep_picture(page, "lost-key")
