"""A refused credential stops the connection and loses no document; the right one, of the same account, goes on."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from replay.stage import patched, with_fusion
from support.proof import no_journal_twice, nothing_in_review, ordinary, posted, sell
from support.stack import DEMO_CONFIGURATION, FAST, Stack, eventually, open_stack
from support.typed import Typed, typed_beside

import activities.failures
from contracts.configuration import Configuration
from contracts.secret_names import ACCESS_TOKEN, CLIENT_SECRET
from runtime.temporal.devserver import DevServer
from sandbox.fusion.world import Credentials
from store.rows import ConnectionHealth, ConnectionState

QUIET = 8.0
"""Seconds without a sign-in: a gate looks into the store twice meanwhile."""
ORDERS = 20
FUSION = ("secrets", "set", "fusion", CLIENT_SECRET, "--from-env", "VALUE")
SHOP = ("secrets", "set", "bc-us", ACCESS_TOKEN, "--from-env", "VALUE")


@pytest.fixture
async def stack(temporal_server: DevServer, tmp_path: Path) -> AsyncIterator[Stack]:
    def adjust(configuration: Configuration) -> Configuration:
        return with_fusion(configuration, import_timeout=10.0, settle=0.5, journal_import={"status_interval": 0.3})

    async with open_stack(temporal_server, tmp_path, imports=FAST, adjust=adjust) as opened:
        yield opened
        no_journal_twice(opened)
        await nothing_in_review(opened)


@pytest.fixture
def typed(stack: Stack) -> Typed:
    return typed_beside(stack)


def baskets(first: int, count: int = ORDERS) -> list[object]:
    return [ordinary(first + number) for number in range(count)]


async def refused(stack: Stack, connection: str) -> ConnectionState:
    """Waits until the connection is marked as one that a person has to put in order."""

    async def marked() -> ConnectionState | None:
        state = await stack.parts.store.connections.state(connection)
        return state if state is not None and state.state is ConnectionHealth.MISCONFIGURED else None

    found: ConnectionState = await eventually(marked, f"{connection} is marked as refused")
    return found


async def works(stack: Stack, connection: str) -> None:
    async def marked() -> bool:
        state = await stack.parts.store.connections.state(connection)
        return state is not None and state.state is ConnectionHealth.WORKING

    await eventually(marked, f"{connection} works")


async def values(stack: Stack, connection: str, name: str) -> int:
    return len(await stack.parts.store.secrets.get("acme", connection, name))


async def test_a_refused_client_secret_stops_the_sign_ins_and_the_right_one_resumes_all(
    stack: Stack, typed: Typed
) -> None:
    async with stack.worker():
        await posted(stack, await sell(stack, *baskets(0, 2)))
        stack.fusion.world.credentials.client_secret = "rotated"
        stack.fusion.identity.revoke()
        orders = await sell(stack, *baskets(10))
        marked = await refused(stack, "fusion")
        assert "ml-connector secrets set fusion client_secret" in marked.sentence
        asked = stack.fusion.identity.asked
        await asyncio.sleep(QUIET)
        assert stack.fusion.identity.asked == asked
        await nothing_in_review(stack)

        told = await typed("status")
        assert told.exit_code == 1
        assert "Workers are refused" in told.stdout
        assert "ml-connector secrets set fusion client_secret" in told.stdout
        # The shop works, so the orders have come as far as Fusion.
        assert "Connection bc-us: working" in told.stdout

        wrong = await typed(*FUSION, VALUE="neither-this")
        assert wrong.exit_code == 1
        assert "Nothing was stored" in wrong.output
        assert "neither-this" not in wrong.output
        assert await values(stack, "fusion", CLIENT_SECRET) == 1

        right = await typed(*FUSION, VALUE="rotated")
        assert right.exit_code == 0, right.output
        assert "It signs in: pod 127.0.0.1" in right.stdout
        await posted(stack, orders)
        await works(stack, "fusion")
        assert (await typed("status")).exit_code == 0


async def test_a_refused_token_of_the_shop_is_tried_no_more_than_a_few_times(stack: Stack, typed: Typed) -> None:
    store = stack.shops.stores["us1abc"]
    async with stack.worker():
        await posted(stack, await sell(stack, *baskets(0, 2)))
        store.rotate_token("another-token")
        orders = await sell(stack, *baskets(10))
        marked = await refused(stack, "bc-us")
        assert "ml-connector secrets set bc-us access_token" in marked.sentence
        calls = stack.shops.calls.count(path="/us1abc/")
        await asyncio.sleep(QUIET)
        # Not a sign-in: one more look whether it was a mistake, then one every five minutes.
        assert stack.shops.calls.count(path="/us1abc/") - calls <= 2
        right = await typed(*SHOP, VALUE="another-token")
        assert right.exit_code == 0, right.output
        await posted(stack, orders)


async def test_a_secret_that_was_never_set_is_waited_for(stack: Stack, typed: Typed) -> None:
    await stack.parts.store.secrets.remove_old("acme", "fusion", CLIENT_SECRET, keep=0)
    async with stack.worker():
        orders = await sell(stack, *baskets(0))
        marked = await refused(stack, "fusion")
        assert "has no client_secret" in marked.sentence
        assert marked.sentence.count("ml-connector secrets set fusion client_secret") == 1
        assert stack.fusion.identity.asked == 0
        told = await typed(*FUSION, VALUE="twin-secret")
        assert told.exit_code == 0, told.output
        await posted(stack, orders)


async def test_a_secret_of_another_account_is_kept_only_when_that_is_meant(stack: Stack, typed: Typed) -> None:
    stack.fusion.world.other_credentials.append(Credentials(client_secret="of-another", user="SOMEBODY_ELSE"))
    async with stack.worker():
        await posted(stack, await sell(stack, *baskets(0, 2)))
        told = await typed(*FUSION, VALUE="of-another")
        assert told.exit_code == 1
        assert "signs in to another account" in told.output
        assert "--another-account" in told.output
        assert "SOMEBODY_ELSE" not in told.output
        assert await values(stack, "fusion", CLIENT_SECRET) == 1

        meant = await typed(*FUSION, "--another-account", "--who", "Ann", VALUE="of-another")
        assert meant.exit_code == 0, meant.output
        (event,) = await stack.parts.store.audit.of("fusion", "connection", "fusion")
        assert event.action == "account_changed"
        assert event.details["who"] == "Ann"
        shown = await typed("connections", "show", "fusion")
        assert "Ann accepted pod 127.0.0.1" in shown.stdout
        stack.fusion.world.credentials.client_secret = "gone"
        stack.fusion.identity.revoke()
        await posted(stack, await sell(stack, *baskets(10)))


async def test_a_worker_posts_nothing_to_another_account_that_nobody_has_accepted(stack: Stack, typed: Typed) -> None:
    """The value was kept without signing in; who it belongs to is found out before anything is called."""
    stack.fusion.world.other_credentials.append(Credentials(client_secret="of-another", user="SOMEBODY_ELSE"))
    async with stack.worker():
        await posted(stack, await sell(stack, *baskets(0, 2)))
        assert (await typed(*FUSION, "--offline", VALUE="of-another")).exit_code == 0
        stack.fusion.identity.revoke()
        calls = stack.fusion.calls.count(path="/fscmRestApi|/ess")
        orders = await sell(stack, *baskets(10))
        marked = await refused(stack, "fusion")
        assert "another account than before" in marked.sentence
        refusals = stack.fusion.calls.matching(path="/fscmRestApi|/ess")[calls:]
        assert all(call.status == 401 for call in refusals), "only the token that had ended was used"
        told = await typed(*FUSION, VALUE="twin-secret")
        assert told.exit_code == 0, told.output
        await posted(stack, orders)


async def test_the_token_of_another_store_is_refused(stack: Stack, typed: Typed, tmp_path: Path) -> None:
    async with stack.worker():
        await posted(stack, await sell(stack, *baskets(0, 1)))
    text = DEMO_CONFIGURATION.read_text(encoding="utf-8")
    for here, there in (("us1abc", "elsewhere"), ("eu2def", "us1abc"), ("elsewhere", "eu2def")):
        text = text.replace(f'store_hash = "{here}"', f'store_hash = "{there}"')
    moved = tmp_path / "connector.toml"
    moved.write_text(text, encoding="utf-8")
    told = await typed(*SHOP, "--config", str(moved), VALUE="access-token")
    assert told.exit_code == 1, told.output
    assert "store eu2def (eu2def.example.com) instead of store us1abc" in told.output


async def test_a_system_that_is_down_proves_nothing_and_the_value_is_kept(stack: Stack, typed: Typed) -> None:
    stack.fusion_listener.refuse()
    told = await typed(*FUSION, VALUE="twin-secret")
    assert told.exit_code == 0, told.output
    assert "It is not proved" in told.stdout
    assert await values(stack, "fusion", CLIENT_SECRET) == 2
    await stack.fusion_listener.accept()


async def test_what_connections_test_proves_frees_workers_that_wait(stack: Stack, typed: Typed) -> None:
    """The client was switched off and on again in the identity domain: no secret has changed."""
    async with stack.worker():
        await posted(stack, await sell(stack, *baskets(0, 2)))
        stack.fusion.world.credentials.client_id = "switched-off"
        stack.fusion.identity.revoke()
        orders = await sell(stack, *baskets(10))
        await refused(stack, "fusion")
        checked = await typed("check", "--strict")
        assert checked.exit_code == 1
        stack.fusion.world.credentials.client_id = "connector"
        tested = await typed("connections", "test", "fusion")
        assert "signs in as ever" in tested.stdout
        await posted(stack, orders)


async def test_a_missing_role_stops_what_needs_it_and_nothing_else(stack: Stack, typed: Typed) -> None:
    with patched(activities.failures, CONFIG_PAUSE=timedelta(seconds=2)):
        async with stack.worker():
            await posted(stack, await sell(stack, *baskets(0, 2)))
            stack.fusion.faults.set("error", status=403, method="GET", path="/journalBatches")
            orders = await sell(stack, *baskets(10, 3))
            marked = await refused(stack, "fusion")
            assert "HTTP 403" in marked.sentence
            assert stack.parts.gates.of("fusion").is_open
            told = json.loads((await typed("status", "--json")).stdout)
            (fusion,) = [one for one in told["connections"] if one["connection"] == "fusion"]
            assert fusion["state"] == "misconfigured"
            assert fusion["waiting"] >= 1
            stack.fusion.faults.clear()
            await posted(stack, orders)
            await works(stack, "fusion")
