"""Rotation of the vault's keys on both databases: nothing becomes unreadable, and nobody drops a key too early."""

import datetime as dt
import uuid
from pathlib import Path

import pytest
from sqlalchemy import text

from store import FollowedKeyRing, KeyMissing, KeyRing, Store, Unsealable, Vault
from store.keys import rewrapping


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
    (told,) = (await store.rewrap()).unreadable
    assert (told.table, told.count) == ("secrets", 1)
    assert told.reason.startswith('Key "lost" is not in the key ring.')
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
    with pytest.raises(Unsealable, match=r"in table secrets, row .*Restore that row from a backup"):
        await store.sealed_by_key()
    await store.secrets.remove_old("acme", name, "token", keep=0)


async def test_values_that_do_not_open_stop_no_other_and_are_named(
    url: str, store: Store, ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rewrapping, "_BATCH", 2)
    monkeypatch.setattr(rewrapping, "EXAMPLES", 2)
    names = [uuid.uuid4().hex[:8] for _ in range(9)]
    lost = KeyRing.generate("lost")
    async with Store.open(url, Vault(lost)) as other:
        for name in names[:3]:
            await other.secrets.put("acme", name, "token", "value")
    for name in names[3:]:
        await seal_everywhere(store, name)
    damage = text("UPDATE secrets SET sealed = :sealed WHERE connection = :name")
    vault = Vault(ring)
    moved = vault.seal(b"elsewhere", b"value")
    await store._database.write(lambda at: at.execute(damage, {"sealed": moved, "name": names[3]}) and None)
    find = text("SELECT id FROM secrets WHERE connection = :name")
    damaged = await store._database.read(lambda at: at.scalar(find, {"name": names[3]}))

    rotated = ring.rotate(f"new-{names[0]}")
    async with Store.open(url, Vault(rotated)) as worker:
        done = await worker.rewrap()
        assert done.changed >= 2 * len(names[3:]) - 1
        by_reason = {one.reason.split(".")[0]: one for one in done.unreadable}
        gone = by_reason['Key "lost" is not in the key ring']
        assert (gone.table, gone.count, len(gone.rows)) == ("secrets", 3, 2)
        altered = by_reason["A sealed value does not open: it was altered or moved to another row"]
        assert (altered.table, altered.count, altered.rows) == ("secrets", 1, (damaged,))
        assert (await worker.rewrap()).changed == 0
        for name in names[4:]:
            assert await worker.secrets.get("acme", name, "token") == [f"value of {name}"]
        for name in names:
            await worker.secrets.remove_old("acme", name, "token", keep=0)
        await worker.deliveries.inbox_done([one.id for one in await worker.deliveries.inbox_claim(50, "test")])
    async with Store.open(url, Vault(rotated.use(ring.current))) as worker:
        await worker.rewrap()


async def test_a_text_in_place_of_bytes_stops_nothing(url: str, store: Store, ring: KeyRing) -> None:
    """SQLite keeps what it is given: here bytes that are no text, as a text, and a good value as one."""
    if store._database.dialect != "sqlite":
        pytest.skip("PostgreSQL has types")
    bad, good, other = (uuid.uuid4().hex[:8] for _ in range(3))
    for name in (bad, good, other):
        await store.secrets.put("acme", name, "token", "value")
    for name, value in ((bad, "x'01' || sealed"), (good, "CAST(sealed AS TEXT)")):
        change = text(f"UPDATE secrets SET sealed = {value} WHERE connection = :name")  # noqa: S608
        await store._database.write(lambda at, change=change, name=name: at.execute(change, {"name": name}) and None)
    with pytest.raises(Unsealable, match="in table secrets, row "):
        await store.sealed_by_key()
    rotated = ring.rotate(f"new-{bad}")
    async with Store.open(url, Vault(rotated)) as worker:
        done = await worker.rewrap()
        assert done.changed >= 2
        (told,) = done.unreadable
        assert (told.table, told.count) == ("secrets", 1)
        assert await worker.secrets.get("acme", good, "token") == ["value"]
        for name in (bad, good, other):
            await worker.secrets.remove_old("acme", name, "token", keep=0)
    async with Store.open(url, Vault(rotated.use(ring.current))) as worker:
        await worker.rewrap()


async def test_values_under_another_key_of_the_same_id_are_counted_apart(url: str, store: Store, ring: KeyRing) -> None:
    name = uuid.uuid4().hex[:8]
    async with Store.open(url, Vault(KeyRing.generate(ring.current))) as other:
        await other.secrets.put("acme", name, "token", "value")
    assert (await store.sealed_by_key())[f"{ring.current} (another key)"] == {"secrets": 1}
    (told,) = (await store.rewrap()).unreadable
    assert told.reason.startswith(f'The key ring holds another key under the id "{ring.current}"')
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
