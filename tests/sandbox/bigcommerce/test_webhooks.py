"""Webhooks: who gets them, how they are signed, and everything that goes wrong on the way."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime

import pytest
from support.stack import eventually

from sandbox.bigcommerce import US_SHOP, Rule, Shape, draft
from sandbox.bigcommerce.webhooks import LADDER, signature

SECRET = "0123456789abcdefclientsecret"
BODY = (
    b'{"scope":"store/order/updated","store_id":"1025646","data":{"type":"order","id":250},'
    b'"hash":"dd70c0976e06b67aaf671e73f49dcb79230ebf9d","created_at":1561479335,"producer":"stores/abc123"}'
)


def order(us, **more):
    return us.shop.place(draft(Shape.ORDINARY, US_SHOP), **more)


def bodies(us) -> list[dict]:
    return [json.loads(received.body) for received in us.receiver.got]


def test_the_signature_is_an_hmac_with_the_raw_client_secret() -> None:
    headers = signature(SECRET, "msg_test_1", datetime.fromtimestamp(1561479336, UTC), BODY)
    assert headers["webhook-signature"] == "v1,4UmQcH2qjKzYM7gijMM3F/gh9Yx1trMht4JxBy4JGXw="


async def test_a_delivery_is_thin_signed_and_carries_the_custom_headers(us) -> None:
    await us.hook("store/order/created", headers={"X-Connector-Secret": "door"})
    placed = order(us)
    await us.settled()
    (received,) = us.receiver.got
    body = json.loads(received.body)
    assert body["scope"] == "store/order/created"
    assert body["data"] == {"type": "order", "id": placed.id}
    assert body["store_id"] == "1025646"
    assert body["producer"] == "stores/us1abc"
    assert len(body["hash"]) == 40
    assert list(body) == ["scope", "store_id", "data", "hash", "created_at", "producer"]
    assert received.headers["x-connector-secret"] == "door"
    signed = f"{received.headers['webhook-id']}.{received.headers['webhook-timestamp']}.".encode() + received.body
    digest = hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()
    assert received.headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()


async def test_a_wildcard_hook_gets_everything_below_it_and_an_exact_one_only_its_own(us) -> None:
    await us.hook("store/order/*")
    placed = order(us)
    us.shop.ship(placed.id)
    await us.settled()
    scopes = {body["scope"] for body in bodies(us)}
    assert scopes == {
        "store/order/created",
        "store/order/transaction/created",
        "store/order/statusUpdated",
        "store/order/updated",
    }


async def test_a_transactions_webhook_names_its_order_as_text(us) -> None:
    await us.hook("store/order/transaction/created")
    placed = order(us)
    await us.settled()
    assert bodies(us)[0]["data"]["order_id"] == str(placed.id)


async def test_a_duplicate_has_the_same_id_and_hash(us) -> None:
    await us.hook("store/order/created")
    us.store.deliveries.rules.append(Rule("duplicate", times=1))
    order(us)
    await us.settled()
    first, second = us.receiver.got
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


async def test_a_dropped_webhook_is_never_sent(us) -> None:
    await us.hook("store/order/created")
    us.store.deliveries.rules.append(Rule("drop", times=1))
    lost, kept = order(us), order(us)
    await us.settled()
    assert [body["data"]["id"] for body in bodies(us)] == [kept.id]
    assert {delivery.order_id: delivery.state for delivery in us.store.deliveries.log}[lost.id] == "dropped"


async def test_held_webhooks_arrive_in_reverse(us) -> None:
    await us.hook("store/order/created")
    us.store.deliveries.rules.append(Rule("hold", times=3))
    ids = [order(us).id for _ in range(3)]
    await us.settled()
    assert us.receiver.got == []
    assert us.store.deliveries.release(order="reversed") == 3
    await us.settled()
    assert [body["data"]["id"] for body in bodies(us)] == ids[::-1]


async def test_a_late_webhook_comes_after_a_later_one(us) -> None:
    await us.hook("store/order/created")
    us.store.deliveries.rules.append(Rule("delay", times=1, seconds=0.1))
    late, prompt = order(us), order(us)
    await us.settled()
    assert [body["data"]["id"] for body in bodies(us)] == [prompt.id, late.id]


async def test_a_refused_delivery_is_repeated_with_the_same_id(us) -> None:
    await us.hook("store/order/created")
    us.receiver.refusals = [500, 404]
    order(us)
    await us.settled()
    assert len({received.headers["webhook-id"] for received in us.receiver.got}) == 1
    (delivery,) = us.store.deliveries.log
    assert [attempt.status for attempt in delivery.attempts] == [500, 404, 200]
    assert delivery.state == "delivered"


async def test_after_eleven_retries_the_hook_is_deactivated_until_it_is_switched_on_again(us) -> None:
    hook = await us.hook("store/order/created")
    us.receiver.status = 500
    missed = order(us)
    await us.settled()
    assert len(us.receiver.got) == 1 + len(LADDER) == 12
    assert (await us.http.get(f"/v3/hooks/{hook['id']}")).json()["data"]["is_active"] is False
    assert len(us.store.deliveries.mails) == 1
    us.receiver.status = 200
    order(us)
    await us.settled()
    assert len(us.receiver.got) == 12
    await us.http.put(f"/v3/hooks/{hook['id']}", json={"is_active": True})
    heard = order(us)
    await us.settled()
    assert bodies(us)[-1]["data"]["id"] == heard.id
    assert missed.id not in [body["data"]["id"] for body in bodies(us)[12:]]


async def test_the_exception_hook_hears_of_retries_and_of_the_end(us) -> None:
    await us.hook("store/order/created")
    await us.hook("store/hook/deliveryException", destination="https://connector.example.com/alarm")
    us.receiver.closed = "/webhooks/"
    order(us)
    await us.settled()
    codes = [body["data"]["error_code"] for body in bodies(us) if body["scope"].startswith("store/hook")]
    assert {90001, 90002} <= set(codes)


async def test_a_domain_that_mostly_fails_is_blocked_for_a_while(us) -> None:
    us.store.deliveries.time_scale = 1.0
    await us.hook("store/order/created")
    us.receiver.closed = "/webhooks/"
    for _ in range(110):
        order(us)
    await eventually(lambda: us.store.deliveries.blocked("connector.example.com"), "the domain is blocked")
    assert 100 <= len(us.receiver.got) < 140


async def test_hooks_want_https_and_are_seen_only_by_their_account(us) -> None:
    plain = await us.http.post("/v3/hooks", json={"scope": "store/order/*", "destination": "http://x.example.com/a"})
    assert plain.status_code == 422
    missing = await us.http.post("/v3/hooks", json={"scope": "store/order/*"})
    assert missing.json()["errors"] == {"destination": "error.path.missing."}
    unknown = await us.http.post("/v3/hooks", json={"scope": "store/boat/*", "destination": "https://x.example.com"})
    assert unknown.status_code == 400
    hook = await us.hook()
    again = await us.http.post("/v3/hooks", json={"scope": hook["scope"], "destination": hook["destination"]})
    assert again.status_code == 422
    assert [known["id"] for known in (await us.http.get("/v3/hooks")).json()["data"]] == [hook["id"]]
    deleted = await us.http.delete(f"/v3/hooks/{hook['id']}")
    assert (deleted.status_code, deleted.json()["data"]["id"]) == (200, hook["id"])
    gone = await us.http.get(f"/v3/hooks/{hook['id']}")
    assert gone.json()["title"] == f"Webhook with id [{hook['id']}] not found"


async def test_a_new_hook_stays_silent_until_it_is_active(us) -> None:
    us.store.subscriptions.activation_delay = 60
    await us.hook("store/order/created")
    order(us)
    us.twin.clock.advance(61)
    heard = order(us)
    await us.settled()
    assert [body["data"]["id"] for body in bodies(us)] == [heard.id]


async def test_a_recorded_delivery_can_be_sent_once_more(us) -> None:
    await us.hook("store/order/created")
    order(us)
    await us.settled()
    us.store.deliveries.repeat(us.store.deliveries.log[0].webhook_id)
    await us.settled()
    assert us.receiver.got[0].body == us.receiver.got[1].body
    with pytest.raises(LookupError):
        us.store.deliveries.repeat("msg_none")


async def test_bad_luck_can_be_ordered_over_http(us) -> None:
    await us.hook("store/order/created")
    luck = "/_twin/stores/us1abc/luck"
    assert (await us.control.post(luck, json={"action": "drop", "times": 1})).status_code == 200
    assert (await us.control.post(luck, json={"mood": "bad"})).status_code == 400
    order(us)
    await us.settled()
    told = (await us.control.get("/_twin/stores/us1abc/deliveries", params={"state": "dropped"})).json()
    assert told["count"] == 1


async def test_a_store_is_set_up_over_http(us) -> None:
    settings = "/_twin/stores/us1abc/settings"
    wanted = {"reachable": {"https://a.example.com": "http://127.0.0.1:1"}, "time_scale": 0.5, "requests_per_window": 9}
    wanted["others_per_second"] = 2.5
    answer = (await us.control.post(settings, json=wanted)).json()
    assert answer.items() >= wanted.items()
    assert (us.store.quota.requests, us.store.quota.others_per_second) == (9, 2.5)
    assert (await us.control.post(settings, json={"color": "red"})).status_code == 400


async def test_deliveries_go_to_any_of_several_gateways_behind_one_address(us) -> None:
    await us.hook("store/order/created")
    settings, real = "/_twin/stores/us1abc/settings", us.store.deliveries.reachable["https://connector.example.com"]
    several = {"https://connector.example.com": [f"{real}/one", f"{real}/two"]}
    answer = await us.control.post(settings, json={"reachable": several})
    assert answer.json()["reachable"] == several
    for _ in range(20):
        order(us)
    await us.settled()
    paths = [received.path.removesuffix("/webhooks/acme/bc-us") for received in us.receiver.got]
    assert set(paths) == {"/one", "/two"}


@pytest.mark.parametrize("resign", [True, False])
async def test_a_retry_is_signed_anew_or_carries_the_first_signature(us, resign: bool) -> None:
    await us.hook("store/order/created")
    us.store.deliveries.resign = resign
    us.receiver.refusals = [500]
    us.receiver.upon_arrival = lambda: us.twin.clock.advance(600)
    order(us)
    await us.settled()
    first, second = us.receiver.got
    assert (first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]) is resign
    assert (first.headers["webhook-signature"] != second.headers["webhook-signature"]) is resign


async def test_no_secret_is_shown(us) -> None:
    assert SECRET not in repr(us.store.settings)
    assert SECRET not in repr(us.store.accounts)
    assert "us-token" not in repr(us.store.accounts)


async def test_a_hook_without_events_is_deactivated_after_ninety_days(us) -> None:
    quiet, busy = await us.hook("store/order/archived"), await us.hook("store/order/created")
    us.twin.clock.advance(60 * 86400)
    order(us)
    us.twin.clock.advance(31 * 86400)
    listed = {one["id"]: one for one in (await us.http.get("/v3/hooks")).json()["data"]}
    assert listed[busy["id"]]["is_active"]
    off = listed[quiet["id"]]
    assert not off["is_active"]
    assert off["updated_at"] == quiet["created_at"] + 90 * 86400
    admin = (await us.http.get("/v3/hooks/admin", params={"is_active": "false"})).json()["data"]
    assert [(one["id"], one["status"]) for one in admin["hooks_list"]] == [(quiet["id"], "deactivated")]
    assert (await us.http.put(f"/v3/hooks/{quiet['id']}", json={"is_active": True})).json()["data"]["is_active"]
    us.twin.clock.advance(89 * 86400)
    assert (await us.http.get(f"/v3/hooks/{quiet['id']}")).json()["data"]["is_active"]


async def test_a_hook_that_is_switched_on_again_needs_a_while_as_well(us) -> None:
    hook = await us.hook("store/order/created")
    us.store.subscriptions.activation_delay = 60
    await us.http.put(f"/v3/hooks/{hook['id']}", json={"is_active": False})
    await us.http.put(f"/v3/hooks/{hook['id']}", json={"is_active": True})
    order(us)
    us.twin.clock.advance(61)
    heard = order(us)
    await us.settled()
    assert [body["data"]["id"] for body in bodies(us)] == [heard.id]


async def test_a_blocked_domain_is_shown_and_released_after_three_minutes(us) -> None:
    us.store.deliveries.time_scale = 0.001
    await us.hook("store/order/created")
    us.store.deliveries.block("connector.example.com")
    order(us)
    (blocked,) = (await us.http.get("/v3/hooks/admin")).json()["data"]["blocked_domains"]
    assert blocked["destination"] == "https://connector.example.com"
    assert blocked["time_left"] == 180
    assert us.receiver.got == []
    us.twin.clock.advance(181)
    assert (await us.http.get("/v3/hooks/admin")).json()["data"]["blocked_domains"] == []
    await us.settled()
    assert len(us.receiver.got) == 1, "what was blocked is repeated"


async def test_whom_to_tell_is_kept(us) -> None:
    assert (await us.http.put("/v3/hooks/admin", json={"emails": ["ops@example.com"]})).status_code == 204
    assert (await us.http.put("/v3/hooks/admin", json={"emails": "ops"})).status_code == 422
    assert (await us.http.get("/v3/hooks/admin")).json()["data"]["emails"] == ["ops@example.com"]


async def test_hooks_are_spoiled_over_http(us) -> None:
    for scope in ("store/order/created", "store/order/updated", "store/order/archived"):
        await us.hook(scope, headers={"X-Connector-Secret": "door"})
    hooks = "/_twin/stores/us1abc/hooks"
    await us.control.post(f"{hooks}/deactivate", json={"scope": "store/order/created"})
    await us.control.post(f"{hooks}/delete", json={"scope": "store/order/archived"})
    await us.control.post(f"{hooks}/block", json={"domain": "connector.example.com", "seconds": 30})
    told = (await us.control.get(hooks)).json()
    assert {one["scope"]: one["is_active"] for one in told["hooks"]} == {
        "store/order/created": False,
        "store/order/updated": True,
    }
    assert told["blocked_domains"] == {"connector.example.com": 30}
    assert "door" not in str(told)
    assert (await us.control.post(f"{hooks}/bend")).status_code == 400
    assert (await us.control.post(f"{hooks}/block")).status_code == 400
    settings = "/_twin/stores/us1abc/settings"
    assert (await us.control.post(settings, json={"activation_delay": 60})).json()["activation_delay"] == 60
