"""Seals over the audit trail: every event under exactly one, whoever writes and seals at the same time."""

import asyncio
import datetime as dt
import os
import sys
import tracemalloc
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import Connection, func, select, text
from sqlalchemy.engine import make_url
from support.audit_trail import NOW, event, seal_all, tamper, tell

from store import KeyDiffers, KeyMissing, KeyRing, Store, Vault
from store.engine.database import StoreFault
from store.schema import audit_events, audit_seals
from store.trail import seals
from store.trail.audit_rows import SEALS_LOST, Fault
from store.trail.seals import HeadLost, StillWritten

ROOT = Path(__file__).parents[2]
WRITERS, EVENTS = 4, 150


async def test_the_tail_is_sealed_in_batches_and_the_chain_verifies(store: Store, fresh: str) -> None:
    await tell(store, fresh, *"abcdefg")
    first = await store.seals.seal(fresh, limit=3, now=NOW)
    assert first is not None
    assert (first.number, first.count, first.previous) == (1, 3, "0" * 64)
    second = await store.seals.seal(fresh, limit=3)
    assert second is not None
    assert (second.number, second.count, second.previous) == (2, 3, first.digest)

    trail = await store.verify_audit(fresh)
    assert trail.intact
    assert (trail.seals, trail.events, trail.first, trail.last) == (2, 6, NOW, NOW)
    assert trail.newest == second
    assert (trail.tail.count, trail.tail.oldest) == (1, NOW)

    assert await seal_all(store, fresh) == 1
    assert await store.seals.seal(fresh) is None
    trail = await store.verify_audit(fresh)
    assert (trail.seals, trail.events, trail.tail.count) == (3, 7, 0)


async def test_tenants_have_chains_of_their_own(store: Store, fresh: str) -> None:
    for document in "abc":
        await store.audit.append([event(f"{fresh}-x", document), event(f"{fresh}-y", document)])
    assert await seal_all(store, f"{fresh}-x", limit=2) == 2
    assert {f"{fresh}-x", f"{fresh}-y"} <= set(await store.seals.tenants())
    assert (await store.verify_audit(f"{fresh}-x")).events == 3
    other = await store.verify_audit(f"{fresh}-y")
    assert other.intact
    assert (other.seals, other.newest, other.tail.count) == (0, None, 3)


async def test_nothing_to_verify_is_nothing_wrong(store: Store, fresh: str) -> None:
    assert await store.seals.seal(fresh) is None
    assert (await store.verify_audit(fresh)).intact


async def test_four_processes_write_while_two_seal_and_every_event_is_sealed_once(
    store: Store, other: Store, url: str, ring: KeyRing, fresh: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seals, "WRITERS_PATIENCE", 600.0)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "ML_CONNECTOR_KEYS": ring.to_text()}
    writers = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "support.audit_trail", url, fresh, f"w{number}", str(EVENTS), env=environment
        )
        for number in range(WRITERS)
    ]
    writing = asyncio.gather(*(one.wait() for one in writers))

    async def keep_sealing(by: Store) -> int:
        made = 0
        while not writing.done():
            made += await seal_all(by, fresh, limit=17)
            await asyncio.sleep(0.01)
        return made + await seal_all(by, fresh, limit=17)

    made = await asyncio.gather(keep_sealing(store), keep_sealing(other))
    assert writing.result() == [0] * WRITERS

    trail = await store.verify_audit(fresh)
    assert trail.intact, trail.findings
    assert (trail.seals, trail.events, trail.tail.count) == (sum(made), WRITERS * EVENTS, 0)

    def covered(at: Connection) -> list[int]:
        ids = at.scalars(select(audit_events.c.id).where(audit_events.c.tenant == fresh)).all()
        chain = at.execute(select(audit_seals).where(audit_seals.c.tenant == fresh)).all()
        return [sum(seal.first_id <= one <= seal.last_id for seal in chain) for one in ids]

    assert await store._database.read(covered) == [1] * (WRITERS * EVENTS)


async def test_sealers_that_start_together_never_fork_the_chain(store: Store, other: Store, fresh: str) -> None:
    await tell(store, fresh, *(str(number) for number in range(40)))
    made = await asyncio.gather(*(seal_all(by, fresh, limit=3) for by in (store, other) * 4))
    assert sum(made) == 14
    trail = await store.verify_audit(fresh)
    assert trail.intact
    assert (trail.seals, trail.events) == (14, 40)


async def test_an_event_that_commits_late_is_waited_for(
    store: Store, url: str, fresh: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if store._database.dialect == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    monkeypatch.setattr(seals, "WRITERS_PATIENCE", 600.0)
    slow = await asyncpg.connect(make_url(url).set(drivername="postgresql").render_as_string(hide_password=False))
    try:
        transaction = slow.transaction()
        await transaction.start()
        await slow.execute(
            "INSERT INTO audit_events (tenant, connection, kind, document_id, at, action, sentence, details, job) "
            "VALUES ($1, 'bc-us', 'order', 'slow', now(), 'staged', '-', '{}', 'poll')",
            fresh,
        )
        await tell(store, fresh, "quick")
        sealing = asyncio.create_task(store.seals.seal(fresh))
        # Others are not kept from writing by a sealer that waits.
        await tell(store, fresh, "meanwhile", "as well")
        assert not sealing.done()
        await transaction.commit()
    finally:
        await slow.close()
    sealed = await sealing
    assert sealed is not None
    # The slow one has the lowest id. Of those written meanwhile, as many are sealed as were there when it was looked.
    assert sealed.count >= 2
    lowest = select(func.min(audit_events.c.id)).where(audit_events.c.tenant == fresh)
    assert sealed.first_id == await store._database.read(lambda at: at.scalar(lowest))
    trail = await store.verify_audit(fresh)
    assert trail.intact
    assert trail.events + trail.tail.count == 4


async def test_a_writer_that_never_ends_keeps_the_tail_open_and_is_named(
    store: Store, url: str, fresh: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if store._database.dialect == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    monkeypatch.setattr(seals, "WRITERS_PATIENCE", 0.05)
    await tell(store, fresh, "1")
    stuck = await asyncpg.connect(make_url(url).set(drivername="postgresql").render_as_string(hide_password=False))
    try:
        async with stuck.transaction():
            await stuck.execute("INSERT INTO audit_events SELECT * FROM audit_events WHERE false")
            with pytest.raises(StillWritten, match="pg_stat_activity"):
                await store.seals.seal(fresh)
    finally:
        await stuck.close()
    assert await store.seals.seal(fresh) is not None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_seals SET digest = 'nothing'",
        "UPDATE audit_seals SET marks = key",
        "DELETE FROM audit_seals",
        "UPDATE audit_events SET sentence = 'Nothing happened.'",
        "UPDATE audit_events SET id = id + 1000",
        "UPDATE audit_events SET payload_key = NULL",
        "UPDATE audit_events SET payload_key = (SELECT payload FROM audit_events WHERE payload IS NOT NULL LIMIT 1) "
        "WHERE payload_key IS NULL",
    ],
)
async def test_the_database_refuses_to_rewrite_what_is_sealed(store: Store, fresh: str, statement: str) -> None:
    await tell(store, fresh, "1", payload="original")
    await tell(store, fresh, "2")
    await store.seals.seal(fresh)
    with pytest.raises(StoreFault):
        await store._database.write(lambda at: at.execute(text(statement)) and None)
    assert (await store.verify_audit(fresh)).intact


EVENT = "tenant, connection, kind, document_id, at, action, sentence, details, job"


@pytest.mark.parametrize(
    "statement",
    [
        f"INSERT OR REPLACE INTO audit_events (id, {EVENT}) SELECT id, {EVENT} FROM audit_events",  # noqa: S608
        f"REPLACE INTO audit_events (rowid, {EVENT}) SELECT id, {EVENT} FROM audit_events",  # noqa: S608
        "UPDATE audit_events SET rowid = id + 1000",
        "UPDATE OR REPLACE audit_events SET id = id + 1",
        "INSERT OR REPLACE INTO audit_seals SELECT * FROM audit_seals",
        "INSERT OR REPLACE INTO audit_seals "
        "SELECT tenant, number + 100, first_id, last_id, count, previous, digest, version, sealed_at, key, marks "
        "FROM audit_seals",
        "UPDATE audit_seals SET rowid = rowid + 1, count = 7",
        "UPDATE audit_seals SET key = key || x'00'",
        "UPDATE audit_events SET payload_key = x'0101' || payload_key WHERE payload_key IS NOT NULL",
    ],
)
async def test_sqlite_refuses_what_goes_past_triggers_elsewhere(store: Store, fresh: str, statement: str) -> None:
    if store._database.dialect != "sqlite":
        pytest.skip("SQL of SQLite")
    await tell(store, fresh, "1", "2", payload="original")
    await store.seals.seal(fresh)
    with pytest.raises(StoreFault):
        await store._database.write(lambda at: at.execute(text(statement)) and None)
    assert (await store.verify_audit(fresh)).intact


async def test_a_forged_row_does_not_keep_sqlite_from_adding_events(store: Store, fresh: str) -> None:
    """SQLite's triggers see -1 as the id of a row that gets its id only then."""
    await tell(store, fresh, "1")
    await tamper(
        store,
        f"INSERT INTO audit_events (id, {EVENT}) SELECT -1, {EVENT} FROM audit_events WHERE tenant = :tenant",  # noqa: S608
        tenant=fresh,
    )
    await tell(store, fresh, "2")
    await tamper(store, "DELETE FROM audit_events WHERE id = -1")


async def test_rotation_and_rewrapping_leave_every_seal_as_it_is(
    store: Store, url: str, ring: KeyRing, fresh: str
) -> None:
    await tell(store, fresh, "1", "2", payload="original")
    before = await store.seals.seal(fresh)
    rotated = ring.rotate(f"new-{fresh}")
    async with Store.open(url, Vault(rotated)) as worker:
        await worker.rewrap()
        await tell(worker, fresh, "3")
        await worker.seals.seal(fresh)
    # Everything, the keys of old seals included, is under the new key: the old one may go.
    async with Store.open(url, Vault(rotated.without(ring.current))) as worker:
        trail = await worker.verify_audit(fresh, kept=[before.digest] if before else [])
        assert trail.intact
        assert (trail.seals, trail.events, trail.kept) == (2, 3, (before,))
        assert await worker.seals.seal(fresh) is None
    # Back under the module's key for the tests that follow.
    back = KeyRing.from_text(",".join(reversed(rotated.to_text().split(","))))
    async with Store.open(url, Vault(back)) as worker:
        await worker.rewrap()
    assert (await store.verify_audit(fresh)).intact


async def test_without_its_key_a_seal_is_told_as_not_verifiable(store: Store, url: str, fresh: str) -> None:
    await tell(store, fresh, "1", "2")
    await store.seals.seal(fresh)
    async with Store.open(url, Vault(KeyRing.generate("elsewhere"))) as stranger:
        trail = await stranger.verify_audit(fresh)
        assert {finding.fault for finding in trail.findings} == {Fault.KEY_MISSING}
        assert all('Key "k1" is not in the key ring' in finding.sentence for finding in trail.findings)
        assert trail.events == 2
        with pytest.raises(KeyMissing, match="k1"):
            await stranger.seals.seal(fresh)


async def test_another_key_under_the_same_id_is_a_missing_key_and_not_tampering(
    store: Store, url: str, ring: KeyRing, fresh: str
) -> None:
    await tell(store, fresh, "1", "2", payload="original")
    await store.seals.seal(fresh)
    async with Store.open(url, Vault(KeyRing.generate(ring.current))) as stranger:
        trail = await stranger.verify_audit(fresh)
        assert {finding.fault for finding in trail.findings} == {Fault.KEY_MISSING}
        told = 'another key under the id "k1" than the one that this was sealed with'
        assert all(told in finding.sentence for finding in trail.findings)
        assert [finding.sentence.split(":")[0] for finding in trail.findings] == [
            "Record of the newest audit seal",
            f"Audit seal 1 of tenant {fresh} cannot be verified",
            f"2 originals under audit seal 1 of tenant {fresh} cannot be read",
        ]
        with pytest.raises(KeyDiffers, match="k1"):
            await stranger.seals.seal(fresh)


async def test_a_digest_that_was_kept_elsewhere_proves_what_came_before(store: Store, fresh: str) -> None:
    await tell(store, fresh, "1")
    kept = await store.seals.seal(fresh)
    assert kept is not None
    await tell(store, fresh, "2")
    await store.seals.seal(fresh)
    assert (await store.verify_audit(fresh, kept=[kept.digest])).kept == (kept,)
    assert await store.seals.has(fresh, 1, kept.digest)
    assert not await store.seals.has(fresh, 2, kept.digest)
    assert (await store.verify_audit(fresh, kept=["0" * 64])).kept == ()


async def test_what_the_trail_tells_of_lost_seals_is_repeated(store: Store, fresh: str) -> None:
    await tell(store, fresh, fresh, action=SEALS_LOST, sentence="Seal 9 was lost.")
    await store.seals.seal(fresh)
    trail = await store.verify_audit(fresh)
    assert trail.intact
    assert trail.notes == ("Seal 9 was lost.",)


async def test_without_the_record_of_the_newest_seal_nothing_more_is_sealed(store: Store, fresh: str) -> None:
    await tell(store, fresh, "1")
    await store.seals.seal(fresh)
    await tell(store, fresh, "2")
    await tamper(store, "DELETE FROM audit_heads WHERE tenant = :tenant", tenant=fresh)
    with pytest.raises(HeadLost, match="audit verify"):
        await store.seals.seal(fresh)


async def test_sealing_goes_on_behind_seals_that_were_cut_off_and_the_gap_stays(store: Store, fresh: str) -> None:
    for document in "abc":
        await tell(store, fresh, document)
        await store.seals.seal(fresh)
    await tamper(store, "DELETE FROM audit_seals WHERE tenant = :tenant AND number > 1", tenant=fresh)
    await tell(store, fresh, "d")
    sealed = await store.seals.seal(fresh)
    assert sealed is not None
    assert (sealed.number, sealed.count) == (4, 1)
    (finding,) = (await store.verify_audit(fresh)).findings
    assert finding.sentence.startswith(f"Audit seals 2 to 3 of tenant {fresh} were made and are not there any more")


async def test_verification_holds_little_however_long_the_trail_is(tmp_path: Path, vault: Vault) -> None:
    async with Store.open(f"sqlite+aiosqlite:///{tmp_path}/long.db", vault) as store:
        await store.migrate()
        for start in range(0, 2000, 100):
            page = [event("acme", str(start + one), payload=os.urandom(10_000).hex()) for one in range(100)]
            await store.audit.append(page)
        tracemalloc.start()
        try:
            began = dt.datetime.now(dt.UTC)
            assert await seal_all(store, "acme", limit=500) == 4
            trail = await store.verify_audit("acme")
            assert trail.newest is not None
            assert trail.newest.sealed_at >= began
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert (trail.intact, trail.events) == (True, 2000)
    assert most < 10_000_000, f"{most / 1e6:.0f} MB for 25 MB of events"
