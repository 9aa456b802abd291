import asyncio
import socket
from decimal import Decimal
from typing import Any

import aiohttp
import httpx
import pytest

from clients.errors import (
    BadAnswer,
    Held,
    InDoubt,
    NotFound,
    NotSent,
    RateLimited,
    Rejected,
    Unavailable,
    Unreachable,
    VendorError,
)
from clients.http import VendorHttp
from clients.limiter import Allowance, Limiter


def connect(base_url: str = "https://vendor.example", **changes: Any) -> VendorHttp:
    settings: dict[str, Any] = {
        "vendor": "Vendor",
        "connection": "shop-1",
        "base_url": base_url,
        "timeout": 600.0,
        "limiter": Limiter(calls=1000, window=1.0),
        **changes,
    }
    return VendorHttp(**settings)


def standing_still() -> Limiter:
    """Of a moment that does not pass."""
    return Limiter(calls=1000, window=1.0, clock=lambda: 5000.0)


def answering(response: httpx.Response) -> VendorHttp:
    return connect(transport=httpx.MockTransport(lambda _: response))


async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{")
    await writer.drain()


PATIENCE = 2.0
"""Seconds for an answer that never comes: time enough to connect and to send on a busy machine."""


@pytest.mark.parametrize(
    ("behaviour", "timeout"), [(cut, 600.0), (silent, PATIENCE), (half, 600.0)], ids=["cut", "silent", "half an answer"]
)
async def test_a_lost_answer_leaves_a_write_in_doubt_and_a_read_unavailable(
    misbehaving: Any, behaviour: Any, timeout: float
) -> None:
    async with misbehaving(behaviour) as address:
        http = connect(address, timeout=timeout)
        with pytest.raises(Unavailable):
            await http.send("GET", "orders/1", subject="order 1")
        with pytest.raises(InDoubt, match="outcome is unknown"):
            await http.send("POST", "orders", subject="order 1", body={"a": 1}, write=True)
        await http.aclose()


async def test_a_lost_write_is_sent_exactly_once(misbehaving: Any) -> None:
    requests = []

    async def count_and_cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(1)

    async with misbehaving(count_and_cut) as address:
        http = connect(address)
        with pytest.raises(InDoubt):
            await http.send("POST", "x", subject="x", body={}, write=True)
        await http.aclose()
    assert len(requests) == 1


async def test_a_refused_connection_means_nothing_was_sent() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        http = connect(f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(NotSent):
            await http.send("POST", "x", subject="x", body={}, write=True)
        with pytest.raises(NotSent):
            await http.read("x", subject="x")
        await http.aclose()


async def test_a_write_whose_time_is_over_before_it_has_a_connection_was_not_sent(
    misbehaving: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that swallows the first packet, or a machine that stood still: nobody has to look for it."""
    made = aiohttp.TCPConnector._create_connection

    async def late(*given: Any) -> Any:
        connection = await made(*given)
        await asyncio.sleep(600)
        return connection

    async with misbehaving(silent) as address:
        http = connect(address)
        with pytest.raises(InDoubt):
            await http.send("POST", "journals", subject="journal group 177", write=True, deadline=PATIENCE)
        monkeypatch.setattr(aiohttp.TCPConnector, "_create_connection", late)
        with pytest.raises(NotSent, match=r"^No connection .* for journal group 177 in time; nothing") as told:
            await http.send("POST", "journals", subject="journal group 177", write=True, deadline=PATIENCE)
        assert not isinstance(told.value, Held), "it was on its way"
        await http.aclose()


async def test_a_read_is_tried_once_more_when_the_connection_was_not_made() -> None:
    tries = []

    def refuse_once(request: httpx.Request) -> httpx.Response:
        tries.append(request.method)
        if len(tries) == 1:
            raise httpx.ConnectError("refused")
        return httpx.Response(200, json={"ok": True})

    http = connect(transport=httpx.MockTransport(refuse_once))
    assert await http.read("x", subject="x") == {"ok": True}
    assert len(tries) == 2


async def test_the_deadline_is_absolute_even_when_bytes_keep_trickling(misbehaving: Any) -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.1)

    async with misbehaving(trickle) as address:
        http = connect(address)
        with pytest.raises(InDoubt):
            await http.send("POST", "x", subject="x", body={}, write=True, deadline=PATIENCE)
        await http.aclose()


async def test_a_deadline_that_passes_while_waiting_for_the_rate_limit_sends_nothing() -> None:
    limiter = Limiter(calls=1000, window=1.0, patience=6000.0)
    limiter.pause(3600.0)
    http = connect(limiter=limiter, transport=httpx.MockTransport(lambda _: httpx.Response(200)))
    with pytest.raises(NotSent):
        await http.send("POST", "x", subject="x", body={}, write=True, deadline=0.05)


async def test_money_is_read_exactly() -> None:
    http = answering(httpx.Response(200, content=b'{"total": 0.1, "id": 300100170996427}'))
    assert await http.read("x", subject="x") == {"total": Decimal("0.1"), "id": 300100170996427}


async def test_no_content_is_nothing_and_junk_is_a_bad_answer() -> None:
    assert await answering(httpx.Response(204)).read("x", subject="x") is None
    with pytest.raises(BadAnswer, match="not JSON"):
        await answering(httpx.Response(200, text="<html>sign in</html>")).read("x", subject="x")


async def test_too_many_requests_are_waited_for_and_others_wait_too() -> None:
    refusal = httpx.Response(429, headers={"Retry-After": "40"}, text="slow down")
    http = connect(limiter=standing_still(), transport=httpx.MockTransport(lambda _: refusal))
    with pytest.raises(RateLimited) as told:
        await http.read("x", subject="x")
    assert told.value.retry_after == 40.0
    with pytest.raises(RateLimited) as again:
        await http.read("y", subject="y")
    assert again.value.retry_after == 40.0


async def test_the_vendors_quota_is_fed_to_the_limiter() -> None:
    http = connect(
        limiter=standing_still(),
        transport=httpx.MockTransport(lambda _: httpx.Response(200, headers={"X-Left": "0"}, json={})),
        allowance_reader=lambda headers: Allowance(left=int(headers["x-left"]), reset=30.0),
    )
    await http.read("x", subject="x")
    with pytest.raises(RateLimited):
        await http.read("x", subject="x")


async def test_a_refusal_names_the_vendor_the_document_and_the_reason() -> None:
    http = answering(httpx.Response(422, json={"title": "Invalid", "detail": "The field is wrong."}))
    with pytest.raises(Rejected) as told:
        await http.send("PUT", "x?token=abc", subject="order 1024", body={}, write=True)
    assert str(told.value) == "Vendor (shop-1) answered HTTP 422 for order 1024: Invalid / The field is wrong."
    assert told.value.messages == ("Invalid", "The field is wrong.")


async def test_the_clock_difference_is_known_after_a_call() -> None:
    http = answering(httpx.Response(200, headers={"Date": "Sun, 01 Mar 2020 12:00:00 GMT"}, json={}))
    await http.read("x", subject="x")
    assert http.skew is not None
    assert http.skew > 86_400


async def test_no_cookie_is_kept() -> None:
    seen = []

    def shop(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("cookie"))
        return httpx.Response(200, headers={"Set-Cookie": "session=1; Path=/"}, json={})

    http = connect(transport=httpx.MockTransport(shop))
    await http.read("x", subject="x")
    await http.read("x", subject="x")
    assert seen == [None, None]


class Watcher:
    """Notes every call of a connection."""

    def __init__(self) -> None:
        self.began = 0
        self.held = False
        self.ends: list[tuple[int, type[VendorError] | None]] = []

    def begin(self) -> int:
        if self.held:
            raise Held("shop-1", "It is paused.")
        self.began += 1
        return self.began

    def ended(self, began: int, error: VendorError | None) -> None:
        self.ends.append((began, type(error) if error else None))


async def test_a_watch_sees_how_each_call_ended_and_may_hold_it_back() -> None:
    watch = Watcher()
    answers = iter((httpx.Response(200, json={}), httpx.Response(503), httpx.Response(404)))
    http = connect(watch=watch, transport=httpx.MockTransport(lambda _: next(answers)))
    await http.read("x", subject="x")
    for _ in range(2):
        with pytest.raises(VendorError):
            await http.read("x", subject="x")
    assert watch.ends == [(1, None), (2, Unavailable), (3, NotFound)]
    watch.held = True
    with pytest.raises(Held):
        await http.send("POST", "x", subject="x", body={}, write=True)
    assert watch.began == 3


async def test_a_web_page_in_the_vendors_place_is_no_answer() -> None:
    """A maintenance page, or a proxy: nothing is wrong with the document that was asked for."""
    http = answering(httpx.Response(200, html="<html>We will be back soon.</html>"))
    with pytest.raises(Unavailable, match="answered with a web page"):
        await http.read("x", subject="order 1")
    with pytest.raises(InDoubt, match="outcome is unknown"):
        await http.send("POST", "x", subject="order 1", body={}, write=True)


async def test_what_was_too_late_on_our_side_says_nothing_of_the_vendor() -> None:
    limiter = Limiter(calls=1000, window=1.0, patience=6000.0)
    limiter.pause(3600.0)
    http = connect(limiter=limiter, transport=httpx.MockTransport(lambda _: httpx.Response(200)))
    with pytest.raises(Held, match="too late"):
        await http.read("x", subject="x", deadline=0.05)


async def test_a_vendor_that_is_not_there_is_told_from_one_that_does_not_answer(misbehaving: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        absent = connect(f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(Unreachable):
            await absent.read("x", subject="x")
        await absent.aclose()
    async with misbehaving(silent) as address:
        slow = connect(address, timeout=PATIENCE)
        with pytest.raises(Unavailable, match="did not answer in time"):
            await slow.read("x", subject="x")
        await slow.aclose()
