"""Webhooks are looked after: over HTTP, against the shops' twin, with a clock that is moved."""

import dataclasses
import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.stack import DEMO_CONFIGURATION
from support.still_clock import StillClock
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.collaborators import Collaborators
from activities.hooks import counters
from activities.hooks.health import HooksActivities
from activities.hooks.keeping import RETRIED
from activities.hooks.plan import scopes_of
from contracts.audit import CONNECTION_KIND
from contracts.configuration import BigCommerceConnection, Configuration
from contracts.hooks import (
    EXCEPTION_SCOPE,
    ORDER_SCOPES,
    PRODUCT_SCOPES,
    STOCK_SCOPES,
    CloseGap,
    EnsureHooks,
    HooksEnsured,
)
from contracts.ownership import ItemPolicy
from contracts.secret_names import ACCESS_TOKEN, WEBHOOK_HEADER
from runtime.configuring.configuration import load
from runtime.parts import open_parts
from runtime.temporal.connect import connect
from sandbox.bigcommerce import EU_SHOP, US_SHOP, BigCommerceTwin, Store, StoreSettings
from sandbox.bigcommerce.subscriptions import Subscription
from sandbox.kit import serve
from store import KeyRing
from store.rows import HookRow, HookState

GATEWAY = "https://hooks.example.com"
DESTINATION = f"{GATEWAY}/webhooks/acme/bc-us"
UPDATED = "store/order/updated"
OVERLAP = dt.timedelta(seconds=300)
SECRET = "canary-4711"


@dataclass
class Desk:
    """The steps of the flow for the US shop, one at a time."""

    twin: BigCommerceTwin
    parts: Collaborators

    @property
    def shop(self) -> Store:
        return self.twin.stores["us1abc"]

    @property
    def hooks(self) -> dict[str, Subscription]:
        """What the shop has at our address, by scope."""
        return {one.scope: one for one in self.shop.subscriptions.every() if one.destination.startswith(DESTINATION)}

    def configured(self, **hooks: Any) -> "Desk":
        """The same with other settings."""
        return dataclasses.replace(self, parts=dataclasses.replace(self.parts, configuration=_with(self.parts, hooks)))

    async def ensure(self) -> HooksEnsured:
        environment = ActivityEnvironment()
        five_minutes = {"start_to_close_timeout": dt.timedelta(minutes=5), "started_time": dt.datetime.now(dt.UTC)}
        environment.info = dataclasses.replace(environment.info, **five_minutes)
        step = HooksActivities(self.parts).ensure_hooks
        return await environment.run(step, EnsureHooks(connection="bc-us", job="test"))

    async def close(self, since: dt.datetime, until: dt.datetime | None = None) -> None:
        swept = CloseGap(
            connection="bc-us",
            job="test",
            since=since,
            until=until or self.shop.shop.now(),
            seen=2,
            started=1,
            refunds_seen=4,
            refunds_started=3,
        )
        await ActivityEnvironment().run(HooksActivities(self.parts).close_gap, swept)

    async def row(self, scope: str = UPDATED) -> HookRow:
        return next(row for row in await self.parts.store.hooks.of("bc-us") if row.scope == scope)

    async def told(self) -> list[str]:
        """Actions of the events on the connection."""
        return [one.action for one in await self.parts.store.audit.of("bc-us", CONNECTION_KIND, "bc-us")]

    async def sound(self) -> None:
        """Registered, swept, and seen as it should be."""
        ensured = await self.ensure()
        assert ensured.gap_from
        await self.close(ensured.gap_from)
        assert await self.ensure() == HooksEnsured()


def _with(parts: Collaborators, hooks: dict[str, Any], **more: Any) -> Configuration:
    def changed(connection: Any) -> Any:
        if connection.id != "bc-us":
            return connection
        return connection.model_copy(update={"hooks": connection.hooks.model_copy(update=hooks), **more})

    connections = tuple(map(changed, parts.configuration.connections))
    return parts.configuration.model_copy(update={"connections": connections})


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    shops = [StoreSettings(US_SHOP, activation_delay=60), StoreSettings(EU_SHOP)]
    twin = BigCommerceTwin(shops, clock=StillClock())
    async with serve(twin) as market:
        environment = {
            "MLC_STORE_URL": f"sqlite+aiosqlite:///{tmp_path}/store.db",
            "MLC_TEMPORAL": "127.0.0.1:1",
            "MLC_FUSION_URL": "http://127.0.0.1:1",
            "MLC_SHOP_URL": market.url,
        }
        configuration, keys = load(DEMO_CONFIGURATION, environment), KeyRing.generate()
        temporal = await connect(configuration.temporal, keys, lazy=True)
        async with open_parts(configuration, keys, temporal=temporal, migrate=True) as parts:
            await parts.store.secrets.put("acme", "bc-us", ACCESS_TOKEN, "access-token")
            yield Desk(twin, parts).configured(destination=GATEWAY)


async def test_nobody_is_asked_where_nobody_said_where_the_gateway_is(desk: Desk) -> None:
    assert await desk.configured(destination=None).ensure() == HooksEnsured()
    assert not desk.twin.calls.count()
    assert not desk.hooks


async def test_what_is_wanted_is_registered_once_and_read_from_before_it_was(desk: Desk) -> None:
    before = desk.shop.shop.now()
    ensured = await desk.ensure()
    assert {one.scope: one.destination for one in desk.hooks.values()} == {
        **dict.fromkeys(ORDER_SCOPES, DESTINATION),
        EXCEPTION_SCOPE: f"{DESTINATION}/exceptions",
    }
    assert ensured.down == ()
    assert ensured.gap_from is not None
    assert before - OVERLAP <= ensured.gap_from <= desk.shop.shop.now() - OVERLAP
    assert 55 < ensured.rest <= 60, "it takes up to a minute until a new one delivers"
    ids = {one.id for one in desk.hooks.values()}
    await desk.close(ensured.gap_from)
    assert await desk.ensure() == HooksEnsured()
    assert {one.id for one in desk.hooks.values()} == ids
    assert await desk.told() == ["webhook_registered"] * 6 + ["webhook_gap_swept"]


async def test_a_sweep_tells_of_the_refunds_that_it_found(desk: Desk) -> None:
    swept = counters.SWEPT.labels("bc-us")
    before = swept._value.get()
    await desk.sound()
    assert swept._value.get() == before + 4
    (event,) = [
        one
        for one in await desk.parts.store.audit.of("bc-us", CONNECTION_KIND, "bc-us")
        if one.action == "webhook_gap_swept"
    ]
    assert event.details == {"seen": 2, "started": 1, "refunds_seen": 4, "refunds_started": 3}
    assert event.sentence.endswith("2 seen, 1 not settled yet; of refunds 4 seen, 3 not settled yet")


async def test_where_they_were_registered_is_remembered(desk: Desk) -> None:
    await desk.sound()
    desk.shop.subscriptions.deactivate(UPDATED)
    assert (await desk.configured(destination=None).ensure()).gap_from
    assert desk.hooks[UPDATED].is_active


@pytest.mark.parametrize("how", ["deactivate", "remove"])
async def test_one_that_is_off_or_gone_is_healed_and_read_from_what_was_still_being_repeated(
    desk: Desk, how: str
) -> None:
    await desk.sound()
    sound_at = (await desk.row()).active_at
    assert sound_at
    swept_until = (await desk.row()).swept_until
    assert swept_until
    desk.twin.clock.advance(7 * 86400)
    assert await desk.ensure() == HooksEnsured()
    sound_at = (await desk.row()).active_at
    assert sound_at
    state = "switched_off" if how == "deactivate" else "missing"
    lost, checks = counters.LOST.labels("bc-us", state), counters.CHECKS.labels("bc-us", "healed")
    before = lost._value.get(), checks._value.get()
    getattr(desk.shop.subscriptions, how)(UPDATED)
    desk.twin.clock.advance(900)
    ensured = await desk.ensure()
    assert desk.hooks[UPDATED].is_active
    assert ensured.gap_from == sound_at - RETRIED - OVERLAP
    assert 55 < ensured.rest <= 60
    assert (await desk.told())[-2:] == ["webhook_lost", "webhook_healed"]
    assert (lost._value.get(), checks._value.get()) == (before[0] + 1, before[1] + 1)

    # Somebody else looks meanwhile: nothing is told twice, and the gap is as it was.
    desk.twin.clock.advance(30)
    again = await desk.ensure()
    assert again.gap_from == ensured.gap_from
    assert again.rest < ensured.rest
    desk.twin.clock.advance(31)
    await desk.close(ensured.gap_from)
    assert await desk.ensure() == HooksEnsured()
    row = await desk.row()
    assert (row.gap_from, row.swept_from) == (None, ensured.gap_from)
    assert (await desk.told()).count("webhook_lost") == 1


async def test_what_a_sweep_has_read_is_not_read_again(desk: Desk) -> None:
    await desk.sound()
    swept_until = (await desk.row()).swept_until
    assert swept_until
    desk.shop.subscriptions.deactivate(UPDATED)
    assert (await desk.ensure()).gap_from == swept_until - OVERLAP


async def test_a_sweep_over_a_block_does_not_stand_for_what_was_being_repeated(desk: Desk) -> None:
    await desk.sound()
    desk.twin.clock.advance(7 * 86400)
    await desk.ensure()
    desk.shop.deliveries.block("hooks.example.com")
    blocked = await desk.ensure()
    assert blocked.gap_from
    desk.twin.clock.advance(181)
    await desk.ensure()
    await desk.close(blocked.gap_from)
    await desk.ensure()
    sound_at = (await desk.row()).active_at
    assert sound_at
    desk.shop.subscriptions.deactivate(UPDATED)
    ensured = await desk.ensure()
    assert ensured.gap_from == sound_at - RETRIED - OVERLAP
    # Nobody has to read that again: it was, from before the webhook was switched off.
    await desk.close(ensured.gap_from)
    swept_until = (await desk.row()).swept_until
    assert swept_until
    desk.shop.subscriptions.deactivate(UPDATED)
    assert (await desk.ensure()).gap_from == swept_until - OVERLAP


async def test_ninety_idle_days_switch_it_off_and_it_is_switched_on_again(desk: Desk) -> None:
    await desk.sound()
    desk.twin.clock.advance(91 * 86400)
    assert not any(one.is_active for one in desk.hooks.values())
    assert (await desk.ensure()).gap_from
    assert all(one.is_active for one in desk.hooks.values())


async def test_a_gap_outlives_the_worker_that_found_it(desk: Desk) -> None:
    await desk.sound()
    desk.twin.clock.advance(3600)
    desk.shop.subscriptions.deactivate(UPDATED)
    desk.twin.faults.set("error", method="PUT", path="/v3/hooks", status=503, count=1)
    with pytest.raises(ApplicationError):
        await desk.ensure()
    row = await desk.row()
    assert (row.state, row.healed_at) == (HookState.OFF, None)
    # Its request had arrived, or a person was faster: the webhook is sound by now.
    desk.shop.subscriptions.change(desk.shop.accounts[0], desk.hooks[UPDATED].id, {"is_active": True})
    ensured = await desk.ensure()
    assert ensured.gap_from == row.gap_from
    assert ensured.rest > 55
    assert (await desk.told())[-2:] == ["webhook_lost", "webhook_healed"]


async def test_other_peoples_hooks_are_left_alone(desk: Desk) -> None:
    account = desk.shop.accounts[0]
    elsewhere = desk.shop.subscriptions.create(
        account, {"scope": UPDATED, "destination": "https://other.example.com/x", "is_active": False}
    )
    theirs = desk.shop.subscriptions.create(
        account, {"scope": EXCEPTION_SCOPE, "destination": "https://other.example.com/alarm"}
    )
    await desk.sound()
    assert not elsewhere.is_active
    assert theirs.destination == "https://other.example.com/alarm"
    assert set(desk.hooks) == set(ORDER_SCOPES), "an account has one hook for delivery exceptions"
    desk.shop.subscriptions.deactivate()
    await desk.ensure()
    assert not elsewhere.is_active
    assert not theirs.is_active


async def test_webhooks_move_with_the_gateway_and_none_stays_at_the_old_address(desk: Desk) -> None:
    await desk.sound()
    ids = {one.scope: one.id for one in desk.shop.subscriptions.every()}
    sound_at = (await desk.row()).active_at
    assert sound_at
    desk.twin.clock.advance(3600)
    moved = desk.configured(destination="https://new.example.com")
    ensured = await moved.ensure()
    assert ensured.down == ()
    assert {one.scope: one.id for one in desk.shop.subscriptions.every()} == ids
    address = "https://new.example.com/webhooks/acme/bc-us"
    assert {one.destination for one in desk.shop.subscriptions.every()} == {address, f"{address}/exceptions"}
    rows = await desk.parts.store.hooks.of("bc-us")
    assert {(row.scope, row.hook_id, row.destination.startswith(address)) for row in rows} == {
        (scope, number, True) for scope, number in ids.items()
    }
    assert ensured.gap_from
    assert ensured.gap_from <= sound_at, "what the old address did not take is read by poll"
    assert (await desk.told()).count("webhook_lost") == 6
    await moved.close(ensured.gap_from)
    assert await moved.ensure() == HooksEnsured()


async def test_an_app_that_was_installed_anew_registers_its_own_and_cannot_see_the_orphans(desk: Desk) -> None:
    """BigCommerce: they belong to the API account that made them, and stay behind with it."""
    await desk.sound()
    orphans = [one.id for one in desk.shop.subscriptions.every()]
    installed = dataclasses.replace(desk.shop.accounts[0], client_id="another-client")
    desk.shop.accounts[0] = installed
    ensured = await desk.ensure()
    assert ensured.gap_from, "read over, as with hooks that are gone"
    own = desk.shop.subscriptions.of(installed)
    assert {one.scope for one in own} == {*ORDER_SCOPES, EXCEPTION_SCOPE}
    assert not set(orphans) & {one.id for one in own}
    await desk.close(ensured.gap_from)
    assert await desk.ensure() == HooksEnsured()


async def test_a_wildcard_that_covers_a_scope_is_enough(desk: Desk) -> None:
    desk.shop.subscriptions.create(desk.shop.accounts[0], {"scope": "store/order/*", "destination": DESTINATION})
    assert (await desk.ensure()).gap_from is None
    assert set(desk.hooks) == {"store/order/*", EXCEPTION_SCOPE}
    assert (await desk.row()).hook_id == desk.hooks["store/order/*"].id


async def test_a_new_value_of_the_secret_header_is_put_on_all_of_them_and_shown_nowhere(desk: Desk) -> None:
    settings = desk.parts.configuration.connection("bc-us").webhooks.model_copy(  # type: ignore[union-attr]
        update={"method": "both", "header": "X-Acme"}
    )
    by_header = dataclasses.replace(
        desk, parts=dataclasses.replace(desk.parts, configuration=_with(desk.parts, {}, webhooks=settings))
    )
    with pytest.raises(ApplicationError, match="ml-connector secrets set bc-us webhook_header"):
        await by_header.ensure()
    for value in (SECRET, f"{SECRET}-2"):
        await desk.parts.store.secrets.put("acme", "bc-us", WEBHOOK_HEADER, value)
        ensured = await by_header.ensure()
        assert ensured.gap_from
        assert {one.headers["X-Acme"] for one in desk.hooks.values()} == {value}
        assert SECRET not in ensured.model_dump_json()
    assert (await by_header.told()).count("webhook_lost") == 6
    events = await desk.parts.store.audit.of("bc-us", CONNECTION_KIND, "bc-us")
    assert SECRET not in repr(events)
    assert SECRET not in repr(await desk.parts.store.hooks.of())


async def test_a_blocked_domain_is_said_waited_for_and_read_over(desk: Desk) -> None:
    await desk.sound()
    desk.twin.clock.advance(3600)
    await desk.ensure()
    sound_at = (await desk.row()).active_at
    assert sound_at
    desk.shop.deliveries.block("hooks.example.com")
    ensured = await desk.ensure()
    assert set(ensured.down) == {*ORDER_SCOPES, EXCEPTION_SCOPE}
    assert ensured.gap_from == sound_at - OVERLAP, "what is blocked is repeated later"
    assert 170 < ensured.rest <= 180
    assert "delivers nothing to hooks.example.com" in (await desk.row()).sentence
    desk.twin.clock.advance(60)
    await desk.close(ensured.gap_from)
    desk.twin.clock.advance(181)
    after = await desk.ensure()
    assert after.down == ()
    assert after.gap_from, "what came after the first sweep"
    assert after.gap_from > ensured.gap_from
    await desk.close(after.gap_from)
    assert await desk.ensure() == HooksEnsured()


@pytest.mark.parametrize("status", [422, 403])
async def test_one_that_the_shop_refuses_keeps_no_other_from_being_healed(desk: Desk, status: int) -> None:
    await desk.sound()
    desk.twin.clock.advance(3600)
    desk.shop.subscriptions.remove(UPDATED)
    desk.shop.subscriptions.deactivate("store/order/created")
    desk.twin.faults.set("error", method="POST", path="/v3/hooks", status=status)
    ensured = await desk.ensure()
    assert ensured.down == (UPDATED,)
    assert str(status) in (await desk.row()).sentence
    assert desk.hooks["store/order/created"].is_active
    assert ensured.gap_from
    # Read meanwhile: what changes from now on is still to be read.
    desk.twin.clock.advance(900)
    until = desk.shop.shop.now()
    await desk.close(ensured.gap_from, until)
    assert (await desk.row("store/order/created")).gap_from is None
    assert (await desk.row()).gap_from == until - OVERLAP
    again = await desk.ensure()
    assert (again.down, again.gap_from) == ((UPDATED,), until - OVERLAP)
    assert (await desk.told()).count("webhook_lost") == 2
    desk.twin.faults.clear()
    assert (await desk.ensure()).down == ()


@pytest.mark.parametrize("status", [422, 403])
async def test_a_shop_that_never_let_us_register_one_is_an_alarm_and_its_orders_are_read(
    desk: Desk, status: int
) -> None:
    desk.twin.faults.set("error", method="POST", path="/v3/hooks", status=status)
    ensured = await desk.ensure()
    assert set(ensured.down) == {*ORDER_SCOPES, EXCEPTION_SCOPE}
    assert ensured.gap_from
    refused = await desk.row()
    assert refused.found_at
    assert await desk.told() == ["webhook_lost"] * 6
    await desk.ensure()
    assert (await desk.row()).found_at == refused.found_at, "since then"
    desk.twin.faults.clear()
    assert (await desk.ensure()).down == ()
    assert await desk.told() == ["webhook_lost"] * 6 + ["webhook_healed"] * 6


async def test_a_shop_that_tells_nothing_of_blocked_domains_is_looked_after_all_the_same(desk: Desk) -> None:
    desk.twin.faults.set("error", path="/v3/hooks/admin", status=403)
    await desk.sound()


async def test_an_outage_of_the_shop_is_no_news_of_its_webhooks(desk: Desk) -> None:
    await desk.sound()
    desk.twin.faults.set("outage", count=1)
    with pytest.raises(ApplicationError):
        await desk.ensure()
    assert await desk.ensure() == HooksEnsured()
    assert "webhook_lost" not in await desk.told()


async def test_a_scope_that_is_not_wanted_any_more_is_forgotten(desk: Desk) -> None:
    await desk.sound()
    await desk.configured(scopes=(UPDATED,), exceptions=False).ensure()
    assert [row.scope for row in await desk.parts.store.hooks.of("bc-us")] == [UPDATED]


async def test_products_are_announced_where_they_are_kept_equal_and_stock_only_where_that_is(desk: Desk) -> None:
    configuration = desk.parts.configuration
    shop = configuration.connection("bc-us")
    assert isinstance(shop, BigCommerceConnection)
    assert scopes_of(configuration, shop) == ORDER_SCOPES

    def keeping(**policy: Any) -> Configuration:
        kept = ItemPolicy.model_validate({"enabled": True, **policy})
        integrations = tuple(one.model_copy(update={"items": kept}) for one in configuration.integrations)
        return configuration.model_copy(update={"integrations": integrations})

    assert scopes_of(keeping(), shop) == (*ORDER_SCOPES, *PRODUCT_SCOPES)
    stocked = keeping(stock=True, attributes={"stock": "OnHand"})
    assert scopes_of(stocked, shop) == (*ORDER_SCOPES, *PRODUCT_SCOPES, *STOCK_SCOPES)
    registered = dataclasses.replace(desk, parts=dataclasses.replace(desk.parts, configuration=keeping()))
    await registered.ensure()
    assert registered.hooks.keys() >= {*ORDER_SCOPES, *PRODUCT_SCOPES}
