"""What becomes of a delivery: the answer, the start, and the record."""

import asyncio
import datetime as dt
import logging
from collections.abc import Callable
from typing import Any

import pytest

Serve = Callable[..., Any]


async def test_a_genuine_delivery_starts_the_orders_workflow(serve: Serve) -> None:
    async with serve() as gateway:
        answer = await gateway.deliver()
        assert (answer.status_code, answer.text) == (202, "")
        [start] = gateway.temporal.started
        assert start.workflow_id == "order-to-journal:bc-us:1024"
        assert (start.integration, start.job) == ("us-retail", "delivery:msg_1")
        [record] = await gateway.records()
        assert (record.verdict, record.status, record.tenant) == ("started", 202, "acme")
        assert (record.delivery_id, record.workflow_id) == ("msg_1", start.workflow_id)


async def test_a_shop_that_says_that_deliveries_fail_has_its_webhooks_looked_after(serve: Serve) -> None:
    async with serve() as gateway:
        data = {"type": "webhook", "id": 18048287, "error_code": 90002, "message": "canary"}
        body = gateway.payload(scope="store/hook/deliveryException", data=data)
        for path in ("/webhooks/acme/bc-us", "/webhooks/acme/bc-us/exceptions"):
            assert (await gateway.deliver(body, path=path)).status_code == 202
        [start] = gateway.temporal.started
        assert start.workflow_id == "hooks-health:bc-us:exception"
        records = await gateway.records()
        assert [record.verdict for record in records] == ["coalesced", "started"]
        assert "webhook 18048287: every repetition of a delivery failed" in records[1].sentence
        assert "canary" not in repr(records)
        unknown = await gateway.deliver(body, path="/webhooks/acme/bc-us/other")
        assert unknown.status_code == 404


async def test_what_was_taken_last_is_known_by_scope(serve: Serve) -> None:
    async with serve() as gateway:
        await gateway.deliver()
        await gateway.deliver(gateway.payload(scope="store/order/created"), gateway.sign(b"another body"))
        assert {record.scope for record in await gateway.records()} == {"store/order/updated", ""}
        taken = await gateway.store.deliveries.last_taken("bc-us", ["store/order/updated", "store/order/created"])
        assert set(taken) == {"store/order/updated"}


async def test_changes_are_covered_by_a_signal_that_nobody_has_taken_yet(serve: Serve) -> None:
    async with serve() as gateway:
        for _ in range(6):
            assert (await gateway.deliver()).status_code == 202
        assert len(gateway.temporal.started) == 1
        assert [record.verdict for record in await gateway.records()] == ["coalesced"] * 5 + ["started"]


async def test_deliveries_of_one_moment_are_one_start(serve: Serve) -> None:
    async with serve() as gateway:
        answers = await asyncio.gather(*(gateway.deliver() for _ in range(6)))
        assert {answer.status_code for answer in answers} == {202}
        assert len(gateway.temporal.started) == 1


async def test_a_change_after_the_order_was_fetched_signals_again(serve: Serve) -> None:
    async with serve() as gateway:
        for fetched in range(1, 6):
            await gateway.deliver()
            assert len(gateway.temporal.started) == fetched
            await gateway.store.wakeups.take("order-to-journal:bc-us:1024")


async def test_a_promise_of_another_process_saves_a_signal(serve: Serve) -> None:
    async with serve() as gateway:
        await gateway.deliver()
        ring = await gateway.store.wakeups.ring("order-to-journal:bc-us:1024")
        await gateway.store.wakeups.confirm("order-to-journal:bc-us:1024", ring.number)
        await gateway.deliver()
        assert len(gateway.temporal.started) == 1


async def test_orders_do_not_cover_each_other(serve: Serve) -> None:
    async with serve() as gateway:
        await asyncio.gather(*(gateway.deliver(gateway.payload(order)) for order in range(1, 21)))
        assert sorted(map(int, gateway.temporal.orders)) == list(range(1, 21))


async def test_an_event_about_no_order_is_accepted_and_starts_nothing(serve: Serve) -> None:
    async with serve() as gateway:
        answer = await gateway.deliver(gateway.payload(scope="store/product/updated"))
        assert answer.status_code == 202
        assert gateway.temporal.attempts == 0
        [record] = await gateway.records()
        assert (record.verdict, record.sentence) == ("ignored", "Scope store/product/updated concerns no flow.")


async def test_a_shop_without_an_integration_is_answered_and_recorded(serve: Serve) -> None:
    async with serve() as gateway:
        body = gateway.payload(producer="stores/def456")
        answer = await gateway.deliver(body, path="/webhooks/other/bc-eu")
        assert answer.status_code == 202
        [record] = await gateway.records("bc-eu")
        assert (record.verdict, record.tenant) == ("ignored", "other")


@pytest.mark.parametrize(
    "path",
    [
        "/webhooks/other/bc-us",
        "/webhooks/acme/bc-eu",
        "/webhooks/acme/fusion",
        "/webhooks/acme/bc-us/more",
        "/webhooks/acme",
        "/webhooks/acme/" + "x" * 500,
        "/webhooks/acme/%00%0d%0a",
    ],
)
async def test_an_unknown_route_is_not_found_and_recorded_without_trust(serve: Serve, path: str) -> None:
    async with serve() as gateway:
        answer = await gateway.deliver(path=path)
        assert (answer.status_code, answer.text) == (404, "Not found.")
        assert gateway.temporal.attempts == 0
        parts = path.split("/")
        connection = "" if len(parts) != 4 else "???" if "%" in path else parts[3][:40]
        [record] = await gateway.records(connection)
        assert (record.verdict, record.status, record.delivery_id) == ("unknown_route", 404, "")


async def test_a_bad_signature_is_refused_and_told_nothing(serve: Serve) -> None:
    async with serve() as gateway:
        body = gateway.payload()
        for headers in ({}, gateway.sign(body, secret="guessed"), gateway.sign(body + b" ")):
            answer = await gateway.deliver(body, headers)
            assert (answer.status_code, answer.text) == (401, "Not authorized.")
        assert gateway.temporal.attempts == 0
        assert {(record.verdict, record.delivery_id) for record in await gateway.records()} == {("bad_signature", "")}


async def test_a_genuine_but_old_delivery_is_stale(serve: Serve) -> None:
    async with serve() as gateway:
        body = gateway.payload()
        answer = await gateway.deliver(body, gateway.sign(body, at=1561479336))
        assert answer.status_code == 401
        [record] = await gateway.records()
        assert record.verdict == "stale"
        assert "tolerance is 300" in record.sentence


async def test_a_wide_tolerance_accepts_retries_that_are_not_signed_anew(serve: Serve) -> None:
    async with serve(tolerance=180_000) as gateway:
        body = gateway.payload()
        two_days_ago = int(dt.datetime.now(dt.UTC).timestamp()) - 172_000
        assert (await gateway.deliver(body, gateway.sign(body, at=two_days_ago))).status_code == 202


async def test_what_is_not_json_is_refused_only_after_its_signature_held(serve: Serve) -> None:
    async with serve() as gateway:
        assert (await gateway.deliver(b"scope=store", {})).status_code == 401
        answer = await gateway.deliver(b"scope=store")
        assert (answer.status_code, answer.text) == (400, "Bad request.")
        assert [record.verdict for record in await gateway.records()] == ["not_json", "bad_signature"]


async def test_a_hook_of_another_shop_is_refused(serve: Serve) -> None:
    async with serve() as gateway:
        assert (await gateway.deliver(gateway.payload(producer="stores/def456"))).status_code == 400
        assert [record.verdict for record in await gateway.records()] == ["wrong_store"]


async def test_a_new_secret_works_beside_the_old_one_at_once_and_the_old_one_until_it_is_removed(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhook_gateway.credentials.RETRY", 0.0)
    async with serve() as gateway:
        await gateway.deliver()
        await gateway.store.secrets.put("acme", "bc-us", "client_secret", "the-new-secret")
        body = gateway.payload()
        assert (await gateway.deliver(body, gateway.sign(body, secret="the-new-secret"))).status_code == 202
        assert (await gateway.deliver(body)).status_code == 202
        await gateway.store.secrets.remove_old("acme", "bc-us", "client_secret")
        monkeypatch.setattr("webhook_gateway.credentials.FRESH", 0.0)
        assert (await gateway.deliver(body)).status_code == 401
        assert (await gateway.deliver(body, gateway.sign(body, secret="the-new-secret"))).status_code == 202


async def test_the_secret_header_is_a_method_of_its_own(serve: Serve) -> None:
    async with serve(method="custom-header") as gateway:
        await gateway.store.secrets.put("acme", "bc-us", "webhook_header", "only-the-shop-knows")
        assert (await gateway.deliver(headers={"x-connector-secret": "only-the-shop-knows"})).status_code == 202
        assert (await gateway.deliver(headers={"x-connector-secret": "guessed"})).status_code == 401
        assert (await gateway.deliver()).status_code == 401
        [*_, first] = await gateway.records()
        assert first.delivery_id == "dd70c0976e06b67aaf671e73f49dcb79230ebf9d"


async def test_both_methods_together_are_both_required(serve: Serve) -> None:
    async with serve(method="both", header="X-Shop") as gateway:
        await gateway.store.secrets.put("acme", "bc-us", "webhook_header", "only-the-shop-knows")
        body = gateway.payload()
        header = {"X-Shop": "only-the-shop-knows"}
        assert (await gateway.deliver(body, gateway.sign(body) | header)).status_code == 202
        assert (await gateway.deliver(body, gateway.sign(body))).status_code == 401
        assert (await gateway.deliver(body, header)).status_code == 401


async def test_a_shop_whose_secret_is_not_set_yet_is_asked_to_come_again(serve: Serve) -> None:
    async with serve(method="custom-header") as gateway:
        answer = await gateway.deliver(headers={"x-connector-secret": "anything"})
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "60"
        [record] = await gateway.records()
        assert record.verdict == "unavailable"
        assert "ml-connector secrets set bc-us webhook_header" in record.sentence


async def test_records_answers_and_logs_hold_no_secret(
    serve: Serve, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    async with serve() as gateway:
        body = gateway.payload()
        canary = gateway.sign(body, secret="x")["webhook-signature"]
        answers = [await gateway.deliver(body, gateway.sign(body, secret="x")), await gateway.deliver(b"not json")]
        seen = repr([(answer.text, answer.headers) for answer in answers]) + repr(await gateway.records())
    seen += caplog.text + "".join(capsys.readouterr())
    assert "0123456789abcdefclientsecret" not in seen
    assert canary not in seen


async def test_only_posts_are_taken_and_nothing_else_is_public(serve: Serve) -> None:
    async with serve() as gateway:
        assert (await gateway.http.get("/webhooks/acme/bc-us")).status_code == 405
        for path in ("/", "/metrics", "/docs", "/webhooks"):
            assert (await gateway.http.get(path)).status_code in (404, 405)
        assert (await gateway.http.get("/healthz")).text == "ok"
        assert (await gateway.http.get("/readyz")).text == "ready"
