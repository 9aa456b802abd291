"""The page every twin has: it shows what is wrong with the twin, and sets it, whatever is wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Route
from support.html_pages import Page

from sandbox.kit import Twin, serve
from sandbox.kit.paging import newest_first

EVIL = "<img src=x onerror=alert(1)>"


class Kiosk(Twin):
    name = "kiosk"

    def routes(self) -> list[BaseRoute]:
        return [Route("/papers/{name}", self.paper, methods=["GET", "POST"])]

    async def paper(self, request: Request) -> PlainTextResponse:
        return PlainTextResponse("news")


Served = tuple[Kiosk, httpx.AsyncClient]


@pytest.fixture
async def kiosk() -> AsyncIterator[Served]:
    twin = Kiosk()
    async with serve(twin) as listener, httpx.AsyncClient(base_url=listener.url, timeout=60) as client:
        yield twin, client


async def press(client: httpx.AsyncClient, path: str = "/", /, **fields: str) -> Page:
    """Send a button's form and follow to the page it leads back to."""
    answer = await client.post(path, data=fields, headers={"Origin": str(client.base_url).rstrip("/")})
    assert answer.status_code == 303, answer.text
    return Page((await client.get(answer.headers["location"])).text)


@pytest.mark.parametrize("path", ["/", "/_twin/pages/faults", "/_twin/pages/calls"])
async def test_every_page_can_be_used_by_everybody_and_loads_nothing_from_elsewhere(kiosk: Served, path: str) -> None:
    twin, client = kiosk
    twin.faults.set("error", count=1, skip=1, chance=0.5, status=502, retry_after=3, options={"text": EVIL})
    await client.get(f"/papers/{EVIL}", params={"q": EVIL})
    answer = await client.get(path)
    assert answer.status_code == 200
    page = Page(answer.text)
    assert page.faults() == []
    assert page.every("img") == []
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    for each in [*page.every("script"), *page.every("link")]:
        address = each.attributes.get("src") or each.attributes["href"]
        assert (await client.get(address)).status_code == 200, address


async def test_a_button_sets_a_fault_and_another_takes_it_back(kiosk: Served) -> None:
    twin, client = kiosk
    page = await press(client, act="knob", knob="outage", lasts="3000")
    [fault] = twin.faults
    assert (fault.kind, fault.lasts) == ("outage", 3000)
    assert "Outage: every call" in page.by_id("said").text
    assert "Down" in page.by_id("in-force").text
    assert (await client.get("/papers/daily")).status_code == 503
    assert (await client.get("/")).status_code == 200, "a fault never strikes the page"
    page = await press(client, act="clear", fault=str(fault.id))
    assert "None. Every call" in page.by_id("in-force").text
    assert (await client.get("/papers/daily")).status_code == 200


async def test_any_fault_can_be_set_by_its_form(kiosk: Served) -> None:
    twin, client = kiosk
    fields = {
        "kind": "error",
        "method": "POST",
        "path": "papers",
        "count": "2",
        "status": "502",
        "chance": "",
        "lasts": "",
    }
    await press(client, "/_twin/pages/faults", act="fault", **fields)
    [fault] = twin.faults
    assert (fault.method, fault.path, fault.count, fault.status, fault.chance) == ("POST", "papers", 2, 502, 1.0)
    assert (await client.post("/papers/daily")).status_code == 502
    await press(client, "/_twin/pages/faults", act="clear", fault="all")
    assert list(twin.faults) == []


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"act": "knob", "knob": "outage", "lasts": "soon"}, "Lasts is a number from"),
        ({"act": "knob", "knob": "outage", "lasts": "nan"}, "Lasts is a number from"),
        ({"act": "knob", "knob": "flood"}, "There is no button 'flood'."),
        ({"act": "fault", "kind": "error", "path": "("}, "not a regular expression"),
        ({"act": "fault", "kind": EVIL}, "There is no fault"),
        ({"act": "clear", "fault": "99"}, "Fault 99 is over already."),
        ({"act": "clear", "fault": "1.5"}, "Fault is a whole number"),
        ({"act": "advance", "seconds": ""}, "Seconds is a number from"),
        ({"act": EVIL}, "There is no button for"),
        ({}, "There is no button for"),
        ({"act": "x" * 20_000}, "A form has at most"),
    ],
)
async def test_what_cannot_be_done_is_said_and_changes_nothing(
    kiosk: Served, fields: dict[str, str], sentence: str
) -> None:
    twin, client = kiosk
    answer = await client.post("/_twin/pages/faults", data=fields)
    assert answer.status_code == 400
    page = Page(answer.text)
    assert sentence in page.by_id("said").text
    assert page.every("img") == []
    assert list(twin.faults) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_pages_of_other_sites_can_press_no_button(kiosk: Served, headers: dict[str, str]) -> None:
    twin, client = kiosk
    for path, sent in (("/", b"act=knob&knob=slow"), ("/_twin/faults", b'{"kind": "error"}')):
        refused = await client.post(path, content=sent, headers=headers)
        assert refused.status_code == 403
    assert (await client.delete("/_twin/calls", headers=headers)).status_code == 403
    assert list(twin.faults) == []
    assert (await client.get("/", headers=headers)).status_code == 200, "a link may lead here"


async def test_looking_at_the_pages_is_not_counted_as_a_call(kiosk: Served) -> None:
    twin, client = kiosk
    await client.get("/papers/daily")
    for path in ("/", "/_twin/pages/calls", "/_twin/static/twin.css"):
        await client.get(path)
    assert twin.calls.total == 1


async def test_calls_are_listed_newest_first_a_page_at_a_time_and_can_be_searched(kiosk: Served) -> None:
    twin, client = kiosk
    twin.faults.set("error", path="/papers/7$")
    for number in range(60):
        await client.get(f"/papers/{number}")

    async def paths(query: str) -> list[str]:
        page = Page((await client.get(f"/_twin/pages/calls{query}")).text)
        return [each.text.split()[1] for each in page.by_id("all-calls").every("code")]

    assert await paths("") == [f"/papers/{number}" for number in range(59, 9, -1)]
    assert await paths("?page=2") == [f"/papers/{number}" for number in range(9, -1, -1)]
    assert await paths("?page=99") == await paths("?page=2")
    assert await paths("?page=x") == await paths("")
    assert await paths("?struck=yes") == ["/papers/7"]
    assert await paths("?sought=500") == ["/papers/7"]
    assert await paths("?sought=PAPERS/11") == ["/papers/11"]


async def test_the_clock_can_be_moved(kiosk: Served) -> None:
    twin, client = kiosk
    page = await press(client, "/_twin/pages/faults", act="advance", seconds="7200")
    assert twin.clock.offset.total_seconds() == 7200
    assert "moved by 2 h" in page.by_id("done").text


@pytest.mark.parametrize(
    ("wanted", "shown", "number"),
    [(None, [9, 8, 7, 6], 1), ("2", [5, 4, 3, 2], 2), ("3", [1, 0], 3), ("4", [1, 0], 3), ("-1", [9, 8, 7, 6], 1),
     ("9" * 40, [9, 8, 7, 6], 1), ("٣", [9, 8, 7, 6], 1)],
)  # fmt: skip
def test_a_page_of_a_list(wanted: str | None, shown: list[int], number: int) -> None:
    leaf = newest_first(range(10), wanted, 4)
    assert (leaf.rows, leaf.number, leaf.last, leaf.total) == (shown, number, 3, 10)
    assert leaf.last_row - leaf.first_row + 1 == len(shown)


def test_an_empty_list_is_one_empty_page() -> None:
    leaf = newest_first([], "3")
    assert (leaf.rows, leaf.number, leaf.last, leaf.first_row, leaf.last_row) == ([], 1, 1, 0, 0)
