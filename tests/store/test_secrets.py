import datetime as dt
from typing import Any

import pytest
from sqlalchemy import select, text, update

from store import KeyMissing, KeyRing, Store, Unsealable, Vault
from store.keys.rewrapping import Rewrapped
from store.rows import AuditEvent, Token
from store.schema import inbox, secrets

NOW = dt.datetime(2026, 3, 2, 15, 0, tzinfo=dt.UTC)
Desk = Any


async def test_during_a_rotation_both_secrets_are_valid_newest_first(store: Store, fresh: str) -> None:
    await store.secrets.put("acme", fresh, "webhook", "old", now=NOW)
    await store.secrets.put("acme", fresh, "webhook", "new", now=NOW + dt.timedelta(days=1))
    assert await store.secrets.get("acme", fresh, "webhook") == ["new", "old"]
    (name,) = [one for one in await store.secrets.names("acme") if one.connection == fresh]
    assert (name.name, name.values, name.oldest) == ("webhook", 2, NOW)
    assert await store.secrets.remove_old("acme", fresh, "webhook") == 1
    assert await store.secrets.get("acme", fresh, "webhook") == ["new"]
    assert await store.secrets.remove_old("acme", fresh, "webhook") == 0


async def test_a_secret_belongs_to_its_tenant_and_connection(store: Store, fresh: str) -> None:
    await store.secrets.put("acme", fresh, "token", "value")
    assert await store.secrets.get("rival", fresh, "token") == []
    assert await store.secrets.get("acme", f"{fresh}-eu", "token") == []


async def test_a_secret_copied_to_another_connection_does_not_open(store: Store, fresh: str) -> None:
    await store.secrets.put("acme", fresh, "token", "value")
    stolen = update(secrets).where(secrets.c.connection == fresh).values(connection=f"{fresh}-x")
    await store._database.write(lambda at: at.execute(stolen) and None)
    with pytest.raises(Unsealable):
        await store.secrets.get("acme", f"{fresh}-x", "token")
    await store.secrets.remove_old("acme", f"{fresh}-x", "token", keep=0)


async def test_secrets_lie_encrypted(store: Store, fresh: str) -> None:
    await store.secrets.put("acme", fresh, "token", "canary-4711")
    rows = await store._database.read(lambda at: at.execute(select(secrets)).all())
    assert "canary-4711" not in repr(rows)


async def test_a_shared_token_is_refreshed_by_one_at_a_time(store: Store, fresh: str) -> None:
    tokens, soon = store.tokens, NOW + dt.timedelta(seconds=30)
    assert await tokens.get(fresh) is None
    assert await tokens.lease(fresh, "a", now=NOW, until=soon)
    assert await tokens.lease(fresh, "a", now=NOW, until=soon)
    assert not await tokens.lease(fresh, "b", now=NOW, until=soon)
    assert await tokens.lease(fresh, "b", now=soon, until=soon + dt.timedelta(seconds=30))
    assert not await tokens.put(fresh, "a", Token("late", None))
    assert await tokens.put(fresh, "b", Token("refresh-2", soon))
    assert await tokens.get(fresh) == Token("refresh-2", soon)
    assert "refresh-2" not in repr(await tokens.get(fresh))
    assert await tokens.lease(fresh, "c", now=NOW, until=soon)
    assert await tokens.get(fresh) == Token("refresh-2", soon)


async def test_after_rewrapping_the_old_key_may_go(url: str, desk: Desk, ring: KeyRing, fresh: str) -> None:
    store = desk.store
    await store.secrets.put("acme", fresh, "token", "value")
    await store.tokens.lease(fresh, "a", now=NOW, until=NOW)
    await store.tokens.put(fresh, "a", Token("refresh", None))
    await desk.stage("1")
    await store.deliveries.inbox_put("acme", fresh, f"order-to-journal:{fresh}:1", "{}")
    event = AuditEvent(
        tenant="acme",
        connection=fresh,
        kind="order",
        document_id="1",
        at=NOW,
        action="refused",
        sentence="-",
        job="delivery:1",
        payload="original",
    )
    await store.audit.append([event])
    rotated = ring.rotate("rewrapped")
    async with Store.open(url, Vault(rotated)) as worker:
        done = await worker.rewrap()
        assert done.changed >= 5
        assert not done.unreadable
        assert await worker.rewrap() == Rewrapped(changed=0)
    async with Store.open(url, Vault(rotated.without("k1"))) as worker:
        assert await worker.secrets.get("acme", fresh, "token") == ["value"]
        assert await worker.tokens.get(fresh) == Token("refresh", None)
        assert await worker.journals.content(desk.reference("1")) == desk.journal("1")
        assert [one.payload for one in await worker.audit.of(fresh, "order", "1", payloads=True)] == ["original"]
        (entry,) = await worker.deliveries.inbox_claim(1, "worker")
        assert entry.request == "{}"
        await worker.deliveries.inbox_done([entry.id])
    with pytest.raises(KeyMissing, match="rewrapped"):
        await store.secrets.get("acme", fresh, "token")
    await store._database.write(lambda at: at.execute(text("DELETE FROM secrets")) and None)
    assert not await store._database.read(lambda at: at.execute(select(inbox)).all())
