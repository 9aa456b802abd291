"""Rotation of the vault's keys on both databases: nothing becomes unreadable, and nobody drops a key too early."""

import datetime as dt
import uuid
from pathlib import Path

import pytest
from sqlalchemy import text

from store import FollowedKeyRing, KeyMissing, KeyRing, Store, Unsealable, Vault


async def seal_everywhere(store: Store, name: str) -> None:
    """A secret, a delivery in the inbox."""
    await store.secrets.put("acme", name, "token", f"value of {name}")
    await store.deliveries.inbox_put("acme", name, f"order-to-journal:{name}:1", "{}")


async def test_old_values_open_after_a_rotation_and_new_ones_are_under_the_new_key(url: str, store: Store) -> None:
    first, later = uuid.uuid4().hex[:8], uuid.uuid4().hex[:8]
    ring: KeyRing = store._vault.ring
    await seal_everywhere(store, first)
    rotated = ring.rotate("rotated")
    async with Store.open(url, Vault(rotated)) as worker:
        await seal_everywhere(worker, later)
        assert await worker.secrets.get("acme", first, "token") == [f"value of {first}"]
        assert await worker.secrets.get("acme", later, "token") == [f"value of {later}"]
        assert {entry.connection for entry in await worker.deliveries.inbox_claim(50, "test")} >= {first, later}
        used = await worker.sealed_by_key()
        assert used["rotated"] == {"secrets": 1, "inbox": 1}
        assert used["k1"]["secrets"] >= 1
        assert used["k1"]["inbox"] >= 1
        await worker.rewrap()
        used = await worker.sealed_by_key()
        assert set(used) == {"rotated"}
    async with Store.open(url, Vault(rotated.without("k1"))) as worker:
        assert await worker.secrets.get("acme", first, "token") == [f"value of {first}"]
    # The other tests of this module go on with the ring they began with.
    async with Store.open(url, Vault(rotated.use("k1"))) as worker:
        await worker.rewrap()


async def test_values_under_a_key_that_is_gone_are_counted_and_named(url: str, store: Store) -> None:
    name = uuid.uuid4().hex[:8]
    lost = KeyRing.generate("lost")
    async with Store.open(url, Vault(lost)) as other:
        await other.secrets.put("acme", name, "token", "value")
    assert (await store.sealed_by_key())["lost"] == {"secrets": 1}
    with pytest.raises(KeyMissing, match='"lost"'):
        await store.secrets.get("acme", name, "token")
    with pytest.raises(KeyMissing, match='"lost"'):
        await store.rewrap()
    async with Store.open(url, Vault(lost)) as other:
        assert await other.secrets.get("acme", name, "token") == ["value"]
        await other.secrets.remove_old("acme", name, "token", keep=0)


async def test_a_delivery_whose_key_is_gone_waits_and_stops_no_other(url: str, store: Store) -> None:
    lost, name, other_name = KeyRing.generate("lost"), uuid.uuid4().hex[:8], uuid.uuid4().hex[:8]
    async with Store.open(url, Vault(lost)) as other:
        await other.deliveries.inbox_put("acme", name, f"order-to-journal:{name}:1", "{}")
    await store.deliveries.inbox_put("acme", other_name, f"order-to-journal:{other_name}:1", "{}")
    now = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    claimed = {entry.connection for entry in await store.deliveries.inbox_claim(50, "test", now=now)}
    assert other_name in claimed
    assert name not in claimed
    later = now + dt.timedelta(minutes=5)
    put_back = KeyRing.from_text(f"{store._vault.ring.to_text()},{lost.to_text()}")
    async with Store.open(url, Vault(put_back)) as healed:
        entries = await healed.deliveries.inbox_claim(50, "test", now=later)
        assert name in {entry.connection for entry in entries}
        await healed.deliveries.inbox_done([entry.id for entry in entries])


async def test_a_damaged_value_is_an_error_with_a_remedy_and_not_a_loop(url: str, store: Store) -> None:
    name = uuid.uuid4().hex[:8]
    await store.secrets.put("acme", name, "token", "value")
    sql = text("UPDATE secrets SET sealed = :sealed WHERE connection = :name")
    await store._database.write(lambda at: at.execute(sql, {"sealed": b"\x01\x20abc", "name": name}) and None)
    with pytest.raises(Unsealable, match="Restore that row from a backup"):
        await store.sealed_by_key()
    await store.secrets.remove_old("acme", name, "token", keep=0)


async def test_a_worker_that_follows_its_file_rotates_in_the_middle_of_its_work(url: str, tmp_path: Path) -> None:
    first, name = KeyRing.generate("f1"), uuid.uuid4().hex[:8]
    path = tmp_path / "keys.json"
    first.write(path)
    async with Store.open(url, Vault(FollowedKeyRing(path, clock=iter(range(0, 10**6, 5)).__next__))) as worker:
        await worker.secrets.put("acme", name, "token", "before")
        first.rotate("f2").write(path)
        await worker.secrets.put("acme", name, "token", "after")
        assert await worker.secrets.get("acme", name, "token") == ["after", "before"]
        used = await worker.sealed_by_key()
        assert (used["f1"], used["f2"]) == ({"secrets": 1}, {"secrets": 1})
        await worker.secrets.remove_old("acme", name, "token", keep=0)
