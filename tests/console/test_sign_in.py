"""Signing in and out, and what the pages keep from other sites."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from console.passes import Passes
from store import KeyRing

Serve = Callable[..., Any]


async def test_a_token_signs_a_browser_in_and_the_page_says_what_to_set_in_the_ui(desk: Any, kit: Any) -> None:
    assert (await desk.http.get("/")).headers["location"] == "/sign-in"
    assert "ml-connector console token" in (await desk.http.get("/sign-in")).text
    answer = await desk.http.post("/sign-in", data={"token": f" {desk.token('dana')}\n"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    page = (await desk.http.get("/")).text
    assert "Signed in as dana" in page
    assert kit.UI in page
    assert "http://127.0.0.1:8081" in page


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(desk: Any, serve: Serve) -> None:
    answer = await desk.http.post("/sign-in", data={"token": desk.token()})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/" in cookie
    assert "domain" not in cookie
    assert "secure" not in cookie
    async with serve(url="https://console.example.com") as encrypted:
        answer = await encrypted.http.post("/sign-in", data={"token": encrypted.token()})
        assert answer.headers["set-cookie"].startswith("__Host-mlc-console=")
        assert "secure" in answer.headers["set-cookie"].lower()


async def test_a_wrong_token_signs_nobody_in(desk: Any) -> None:
    for token in ("", "guess", desk.token() + "x", desk.token(hours=-1), "é" * 10):
        answer = await desk.http.post("/sign-in", data={"token": token})
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        assert "not a token of this installation" in answer.text


async def test_a_session_ends_after_its_hours_and_never_after_its_token(serve: Serve) -> None:
    async with serve(session_hours=2) as desk:
        await desk.sign_in()
        desk.clock.now += dt.timedelta(hours=1, minutes=59)
        assert (await desk.http.get("/")).status_code == 200
        desk.clock.now += dt.timedelta(minutes=2)
        assert (await desk.http.get("/")).status_code == 303
        await desk.http.post("/sign-in", data={"token": desk.token(hours=1)})
        desk.clock.now += dt.timedelta(minutes=61)
        assert (await desk.http.get("/")).status_code == 303


async def test_signing_out_ends_the_session_in_this_browser(desk: Any) -> None:
    await desk.sign_in()
    answer = await desk.http.post("/sign-out", headers={"origin": "http://127.0.0.1:8081"})
    assert answer.status_code == 303
    assert (await desk.http.get("/")).status_code == 303


async def test_forms_of_other_sites_are_refused(desk: Any) -> None:
    for origin in ("http://evil.example.com", "null", "http://127.0.0.1:8233"):
        for path in ("/sign-in", "/sign-out"):
            answer = await desk.http.post(path, data={"token": desk.token()}, headers={"origin": origin})
            assert answer.status_code == 403
            assert "set-cookie" not in answer.headers


async def test_pages_are_neither_framed_nor_scripted_nor_kept(desk: Any) -> None:
    for path in ("/sign-in", "/"):
        headers = (await desk.http.get(path)).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
    assert (await desk.http.get("/static/console.css")).status_code == 200
    assert (await desk.http.get("/static/../app.py")).status_code == 404


async def test_a_name_is_shown_as_text(desk: Any) -> None:
    await desk.sign_in("<b>dana</b>")
    page = (await desk.http.get("/")).text
    assert "<b>dana</b>" not in page
    assert "&lt;b&gt;dana&lt;/b&gt;" in page


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, "da\nna"])
def test_a_pass_names_somebody(name: str) -> None:
    with pytest.raises(ValueError, match="printable"):
        Passes(KeyRing.generate(), "token").issue(name, dt.timedelta(hours=1))


async def test_a_form_is_small(desk: Any) -> None:
    assert (await desk.http.post("/sign-in", data={"token": "x" * 20_000})).status_code == 413


async def test_it_says_that_it_runs(desk: Any) -> None:
    assert (await desk.http.get("/healthz")).text == "ok"
