"""Webhooks as the store knows them: a gap that was written down stays until it is read."""

import datetime as dt
import uuid
from typing import Any

import pytest

from store import Store
from store.rows import AuditEvent, HookRow, HookState, Receipt

NOON = dt.datetime(2026, 3, 2, 12, 0, tzinfo=dt.UTC)
OVERLAP = dt.timedelta(minutes=5)


@pytest.fixture
def shop() -> str:
    """The store is shared."""
    return f"bc-{uuid.uuid4().hex[:8]}"


def minutes(number: float) -> dt.datetime:
    return NOON + dt.timedelta(minutes=number)


def hook(shop: str, scope: str = "store/order/updated", **facts: Any) -> HookRow:
    given: dict[str, Any] = {"state": HookState.ACTIVE, "hook_id": 18_048_287, "checked_at": NOON, "active_at": NOON}
    return HookRow.model_validate(
        {"connection": shop, "scope": scope, "destination": "https://hooks.example.com/a", **given, **facts}
    )


def lost(shop: str, since: dt.datetime, **facts: Any) -> HookRow:
    return hook(shop, state=HookState.OFF, found_at=minutes(15), gap_from=since, **facts)


def event(shop: str, action: str) -> AuditEvent:
    return AuditEvent(
        tenant="acme", connection=shop, kind="connection", document_id=shop, at=NOON, action=action,
        sentence="", job="test",
    )  # fmt: skip


async def only(store: Store, shop: str) -> HookRow:
    (row,) = await store.hooks.of(shop)
    return row


async def test_a_row_is_given_back_as_it_was_put(store: Store, shop: str) -> None:
    row = hook(shop, found_at=minutes(1), gap_from=minutes(2), healed_at=minutes(3), sentence="Because.")
    await store.hooks.put([row], events=[event(shop, "webhook_lost")])
    assert await store.hooks.of(shop) == (row,)
    assert [one.action for one in await store.audit.of(shop, "connection", shop)] == ["webhook_lost"]


async def test_who_looked_before_the_gap_was_found_does_not_close_it(store: Store, shop: str) -> None:
    await store.hooks.put([lost(shop, minutes(-10))])
    await store.hooks.put([hook(shop)])
    row = await only(store, shop)
    assert (row.gap_from, row.healed_at, row.found_at) == (minutes(-10), None, minutes(15))


async def test_the_wider_of_two_gaps_counts(store: Store, shop: str) -> None:
    for since in (-10, -30, -20):
        await store.hooks.put([lost(shop, minutes(since))])
    assert (await only(store, shop)).gap_from == minutes(-30)


async def test_a_gap_that_was_read_is_closed_once_what_made_it_is_healed(store: Store, shop: str) -> None:
    await store.hooks.put([lost(shop, minutes(-10))])
    swept = await store.hooks.close_gap(
        shop, minutes(-10), minutes(20), resume=minutes(15), event=event(shop, "webhook_gap_swept")
    )
    row = await only(store, shop)
    assert (swept, row.gap_from, row.swept_until) == (1, minutes(15), minutes(20))

    await store.hooks.put([row.model_copy(update={"state": HookState.ACTIVE, "healed_at": minutes(30)})])
    assert await store.hooks.close_gap(shop, minutes(15), minutes(29), resume=minutes(24)) == 1
    assert (await only(store, shop)).gap_from == minutes(24), "it was healed after that was read"

    assert await store.hooks.close_gap(shop, minutes(25), minutes(40), resume=minutes(35)) == 0
    assert (await only(store, shop)).gap_from == minutes(24), "it began earlier than what was read"
    assert await store.hooks.close_gap(shop, minutes(24), minutes(40), resume=minutes(35)) == 1
    row = await only(store, shop)
    assert (row.gap_from, row.swept_from, row.swept_until) == (None, minutes(-10), minutes(40)), "read without a hole"
    assert await store.hooks.close_gap(shop, minutes(0), minutes(50), resume=minutes(45), event=event(shop, "x")) == 0
    assert [one.action for one in await store.audit.of(shop, "connection", shop)] == ["webhook_gap_swept"]


async def test_what_is_not_wanted_any_more_goes(store: Store, shop: str) -> None:
    other = hook(shop, "store/order/created")
    await store.hooks.put([hook(shop), other])
    await store.hooks.put([hook(shop, checked_at=minutes(1))], gone=[other])
    assert await store.hooks.of(shop) == (hook(shop, checked_at=minutes(1)),)
    assert await store.hooks.of("bc-eu") == ()


async def test_the_last_delivery_that_was_taken_is_known_by_scope(store: Store, shop: str) -> None:
    def receipt(scope: str, at: float, status: int = 202, connection: str = shop) -> Receipt:
        return Receipt(
            tenant="acme", connection=connection, delivery_id="msg_1", verdict="started", status=status,
            received_at=minutes(at), scope=scope,
        )  # fmt: skip

    await store.deliveries.receive(
        [receipt("a", 1), receipt("a", 3), receipt("a", 2), receipt("a", 9, 401), receipt("b", 5, connection="bc-eu")]
    )
    assert await store.deliveries.last_taken(shop, ["a", "b"]) == {"a": minutes(3)}
    await store.deliveries.receive([receipt("store/order/created", 4), receipt("store/product/created", 6)])
    assert await store.deliveries.last_taken(shop, ["store/order/*"]) == {"store/order/*": minutes(4)}
