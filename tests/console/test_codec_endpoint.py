"""Who may have payloads decoded, what is refused, and what a person reads when a key is missing."""

import json
import logging
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

import pytest

from runtime.temporal.codec import EncryptionCodec
from store import KeyRing

Serve = Callable[..., Any]


async def test_the_ui_of_somebody_signed_in_gets_decoded_payloads(desk: Any, kit: Any) -> None:
    await desk.sign_in()
    answer = await desk.decode(await desk.sealed("order 1024", "line 1"))
    assert kit.texts(answer) == ["order 1024", "line 1"]
    assert answer.headers["access-control-allow-origin"] == kit.UI
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["cache-control"] == "no-store"


async def test_the_cli_gets_decoded_payloads_with_a_token_and_needs_no_origin(desk: Any, kit: Any) -> None:
    body = await desk.sealed("order 1024")
    assert kit.texts(await desk.decode(body, token=desk.token(), origin=None, namespace=None)) == ["order 1024"]


@pytest.mark.parametrize("path", ["/decode", "/production/decode", "/decode?preserveStorageRefs=true"])
async def test_the_paths_that_ui_and_cli_use(desk: Any, kit: Any, path: str) -> None:
    answer = await desk.decode(await desk.sealed("order 1024"), path=path, token=desk.token())
    assert kit.texts(answer) == ["order 1024"]


async def test_what_is_encoded_opens_only_with_the_key_and_comes_back(desk: Any, kit: Any) -> None:
    plain = {"metadata": {"encoding": b64encode(b"json/plain").decode()}, "data": b64encode(b'"why"').decode()}
    sealed = await desk.decode({"payloads": [plain]}, path="/encode", token=desk.token())
    assert sealed.status_code == 200
    assert b"why" not in b64decode(sealed.json()["payloads"][0]["data"])
    assert kit.texts(await desk.decode(sealed.json(), token=desk.token())) == ["why"]
    again = await desk.decode(sealed.json(), path="/encode", token=desk.token())
    assert again.json() == sealed.json()


async def test_nobody_is_let_in_without_signing_in(desk: Any) -> None:
    body = await desk.sealed("order 1024")
    for token in (None, "guess", desk.token()[:-2], desk.token() + "x", "x" * 10_000):
        answer = await desk.decode(body, token=token)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "ml-connector console token" in answer.text
        assert "order" not in answer.text


async def test_a_token_ends_with_its_time(desk: Any) -> None:
    token = desk.token(hours=1)
    body = await desk.sealed("order 1024")
    assert (await desk.decode(body, token=token)).status_code == 200
    desk.clock.now = desk.clock.now.replace(hour=10)
    assert (await desk.decode(body, token=token)).status_code == 401


async def test_a_token_of_another_installation_is_refused(desk: Any, serve: Serve) -> None:
    async with serve() as other:
        assert (await desk.decode(await desk.sealed("x"), token=other.token())).status_code == 401


async def test_a_session_is_no_bearer_token(desk: Any) -> None:
    await desk.sign_in()
    [session] = desk.http.cookies.jar
    desk.http.cookies.clear()
    assert (await desk.decode(await desk.sealed("x"), token=session.value)).status_code == 401


@pytest.mark.parametrize(
    "origin",
    ["http://localhost:8233", "https://127.0.0.1:8233", "http://127.0.0.1:8234", "null", "http://evil.example.com"],
)
async def test_pages_of_another_origin_are_refused_even_when_signed_in(desk: Any, kit: Any, origin: str) -> None:
    await desk.sign_in()
    body = await desk.sealed("order 1024")
    for token in (None, desk.token()):
        answer = await desk.decode(body, origin=origin, token=token)
        assert answer.status_code == 403
        assert kit.UI in answer.text
        assert "ui_origins" in answer.text
        assert "access-control-allow-origin" not in answer.headers


async def test_a_cookie_alone_proves_nothing_without_the_page_it_came_from(desk: Any) -> None:
    await desk.sign_in()
    assert (await desk.decode(await desk.sealed("x"), origin=None)).status_code == 401


async def test_without_a_configured_ui_no_page_is_served_and_the_cli_still_is(serve: Serve, kit: Any) -> None:
    async with serve(ui_origins=["https://temporal.example.com"]) as desk:
        await desk.sign_in()
        body = await desk.sealed("order")
        assert (await desk.decode(body)).status_code == 403
        assert kit.texts(await desk.decode(body, origin="https://temporal.example.com")) == ["order"]
        assert kit.texts(await desk.decode(body, origin=None, token=desk.token())) == ["order"]


async def test_a_preflight_is_answered_to_the_ui_alone(desk: Any, kit: Any) -> None:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "content-type,x-namespace"}
    for path in ("/decode", "/encode", "/production/decode"):
        answer = await desk.http.options(path, headers={"origin": kit.UI, **asked})
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == kit.UI
        assert answer.headers["access-control-allow-credentials"] == "true"
        stranger = await desk.http.options(path, headers={"origin": "http://evil.example.com", **asked})
        assert stranger.status_code == 400
        assert "access-control-allow-origin" not in stranger.headers
    assert (await desk.http.options("/decode")).status_code == 405
    assert (await desk.http.get("/decode")).status_code == 405


async def test_another_namespace_is_refused(desk: Any) -> None:
    body = await desk.sealed("x")
    assert (await desk.decode(body, token=desk.token(), namespace="staging")).status_code == 403
    assert (await desk.decode(body, token=desk.token(), path="/staging/decode")).status_code == 403


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b'{"payloads": []}', "text/plain", 415),
        (b'{"payloads": []}', "application/x-www-form-urlencoded", 415),
        (b"secret canary", "application/json", 400),
        (b'{"payloads": [{"data": {"canary": 1}}]}', "application/json", 400),
        (b'{"payloads": 7}', "application/json", 400),
        (b'["canary"]', "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"payloads": [' + b"{}," * 10_000 + b"{}]}", "application/json", 400),
    ],
)
async def test_what_is_not_payloads_is_refused_without_being_repeated(
    desk: Any, content: bytes, content_type: str, status: int
) -> None:
    headers = {"authorization": f"Bearer {desk.token()}", "content-type": content_type}
    answer = await desk.http.post("/decode", content=content, headers=headers)
    assert answer.status_code == status
    assert "canary" not in answer.text


async def test_a_body_over_the_limit_is_refused(serve: Serve) -> None:
    async with serve(max_body=2000) as desk:
        assert (await desk.decode(await desk.sealed("x" * 100), token=desk.token())).status_code == 200
        assert (await desk.decode(await desk.sealed("x" * 3000), token=desk.token())).status_code == 413


async def test_an_empty_list_and_what_others_encoded_come_back_as_they_are(desk: Any, kit: Any) -> None:
    assert (await desk.decode({"payloads": None}, token=desk.token())).json() == {}
    plain = {
        "payloads": [{"metadata": {"encoding": b64encode(b"json/plain").decode()}, "data": b64encode(b"1").decode()}]
    }
    assert kit.texts(await desk.decode(plain, token=desk.token())) == [1]


async def test_large_payloads_are_decoded_too(desk: Any, kit: Any) -> None:
    text = "order line, " * 100_000
    assert kit.texts(await desk.decode(await desk.sealed(text), token=desk.token())) == [text]


async def test_a_missing_key_is_named_in_place_of_the_value_and_spoils_no_other(desk: Any, kit: Any) -> None:
    body = await desk.sealed("order 1024")
    lost = await desk.sealed("order 1023", keys=KeyRing.generate("lost-7"))
    body["payloads"] += lost["payloads"]
    first, second = kit.texts(await desk.decode(body, token=desk.token()))
    assert first == "order 1024"
    assert second == (
        'Not decoded. Key "lost-7" is not in the key ring. Put it back into ML_CONNECTOR_KEYS or the key file.'
    )


async def test_another_key_under_the_same_id_is_told_apart_from_a_missing_one(desk: Any, kit: Any) -> None:
    body = await desk.sealed("order 1023", keys=KeyRing.generate("k1"))
    [told] = kit.texts(await desk.decode(body, token=desk.token()))
    assert 'sealed with key "k1" does not open' in told


async def test_what_could_not_be_read_cannot_be_written_back_over_the_value(desk: Any) -> None:
    lost = await desk.sealed("arguments of a schedule", keys=KeyRing.generate("lost-7"))
    told = (await desk.decode(lost, token=desk.token())).json()
    answer = await desk.decode(told, path="/encode", token=desk.token())
    assert answer.status_code == 400
    assert "cannot be written back" in answer.text


async def test_a_key_put_back_heals_without_a_restart(serve: Serve, kit: Any, tmp_path: Any) -> None:
    from store import FollowedKeyRing

    both = KeyRing.generate("k1").rotate("k2")
    path = tmp_path / "keys.json"
    both.without("k1").write(path)
    async with serve(keys=FollowedKeyRing(path)) as desk:
        body = await desk.sealed("order 1023", keys=both.use("k1"))
        [told] = kit.texts(await desk.decode(body, token=desk.token()))
        assert 'Key "k1" is not in the key ring' in told
        both.write(path)
        assert kit.texts(await desk.decode(body, token=desk.token())) == ["order 1023"]


async def test_after_a_rotation_old_and_new_histories_are_read_and_nobody_is_signed_out(serve: Serve, kit: Any) -> None:
    ring = KeyRing.generate("k1")
    async with serve(keys=ring) as before:
        old, token = await before.sealed("order 1023"), before.token()
    async with serve(keys=ring.rotate("k2")) as after:
        new = await after.sealed("order 1024")
        assert b64decode(new["payloads"][0]["metadata"]["mlc-key"]) == b"k2"
        for body, text in ((old, "order 1023"), (new, "order 1024")):
            assert kit.texts(await after.decode(body, token=token)) == [text]
    async with serve(keys=ring.rotate("k2").without("k1")) as later:
        assert (await later.decode(new, token=token)).status_code == 401


async def test_a_codec_that_fails_is_reported_by_its_kind_alone(
    desk: Any, kit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*arguments: Any) -> None:
        raise RuntimeError("canary")

    monkeypatch.setattr(EncryptionCodec, "decode", fail)
    assert kit.texts(await desk.decode(await desk.sealed("x"), token=desk.token())) == [
        "Not decoded. The codec failed: RuntimeError."
    ]


async def test_the_log_says_who_read_how_much_and_never_what(
    desk: Any, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO, "console")
    token = desk.token("dana")
    await desk.decode(await desk.sealed("canary-4711"), token=token)
    await desk.decode(await desk.sealed("canary-4711"), token="guess-4712")
    written = json.dumps([record.getMessage() for record in caplog.records]) + "".join(capsys.readouterr())
    assert "dana" in written
    assert "payloads decoded" in written
    assert "codec request refused" in written
    for secret in ("canary-4711", token, "guess-4712"):
        assert secret not in written
