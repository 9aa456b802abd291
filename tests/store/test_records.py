import asyncio
import datetime as dt
from decimal import Decimal

import pytest
from sqlalchemy import text

from contracts.configuration import MappingSet, Rule
from contracts.journal import Purpose
from store import Store
from store.engine.database import StoreFault
from store.epochs import RECOVERED_APART, StoreBehind, recovered_within
from store.mapping_sets import MappingSetUnknown, MappingVersionConflict
from store.rows import AuditEvent, ConnectionHealth, CrossReference, InboxEntry, Receipt, Reconciliation

NOW = dt.datetime(2026, 3, 2, 15, 0, tzinfo=dt.UTC)
BEFORE, AFTER = NOW - dt.timedelta(minutes=1), NOW + dt.timedelta(minutes=1)


def _event(connection: str, action: str, payload: str | None = None) -> AuditEvent:
    return AuditEvent(
        tenant="acme",
        connection=connection,
        kind="order",
        document_id="1",
        at=NOW,
        action=action,
        sentence=f"Order 1 was {action}.",
        details={"group_id": 177},
        job="poll 1",
        payload=payload,
    )


async def test_the_audit_trail_tells_the_life_of_a_document_in_order(store: Store, fresh: str) -> None:
    await store.audit.append([_event(fresh, "fetched"), _event(fresh, "refused", payload='{"name": "Ada"}')])
    await store.audit.append([_event(fresh, "posted")])
    await store.audit.append([])
    closed = await store.audit.of(fresh, "order", "1")
    assert [one.payload for one in closed] == [None, None, None]
    life = await store.audit.of(fresh, "order", "1", payloads=True)
    assert [one.action for one in life] == ["fetched", "refused", "posted"]
    assert [one.payload for one in life] == [None, '{"name": "Ada"}', None]
    assert life[0].details == {"group_id": 177}
    assert life[0].at == NOW
    assert "Ada" not in repr(life[1])


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET sentence = 'nothing happened'",
        "UPDATE audit_events SET payload = NULL",
        "DELETE FROM audit_events",
    ],
)
async def test_the_database_refuses_to_rewrite_the_audit_trail(store: Store, fresh: str, statement: str) -> None:
    await store.audit.append([_event(fresh, "posted", payload="original")])
    with pytest.raises(StoreFault):
        await store._database.write(lambda at: at.execute(text(statement)) and None)
    assert [one.sentence for one in await store.audit.of(fresh, "order", "1")] == ["Order 1 was posted."]


async def test_a_mapping_version_never_changes_its_rules(store: Store, fresh: str) -> None:
    rules = (Rule(id="shirts", purpose=Purpose.REVENUE, account="101-41000"),)
    mapping = MappingSet(id=fresh, version=3, segments=("company", "account"), balancing_segment="company", rules=rules)
    assert await store.mapping_sets.register(mapping, now=NOW)
    assert not await store.mapping_sets.register(mapping)
    with pytest.raises(MappingVersionConflict, match="version 4"):
        await store.mapping_sets.register(mapping.model_copy(update={"rules": ()}))
    assert await store.mapping_sets.register(mapping.model_copy(update={"rules": (), "version": 4}))
    assert not await store.mapping_sets.register(mapping)
    assert await store.mapping_sets.get(fresh, 3) == mapping
    assert await store.mapping_sets.versions(fresh) == (4, 3)
    with pytest.raises(MappingSetUnknown):
        await store.mapping_sets.get(fresh, 5)


async def test_a_watermark_never_goes_back(store: Store, fresh: str) -> None:
    assert await store.watermarks.get(fresh, "orders") is None
    assert await store.watermarks.advance(fresh, "orders", NOW) == NOW
    assert await store.watermarks.advance(fresh, "orders", BEFORE) == NOW
    assert await store.watermarks.advance(fresh, "orders", AFTER) == AFTER
    assert await store.watermarks.get(fresh, "orders") == AFTER
    assert await store.watermarks.get(fresh, "refunds") is None


async def test_a_moment_in_any_zone_comes_back_as_utc(store: Store, fresh: str) -> None:
    chicago = dt.timezone(dt.timedelta(hours=-6))
    await store.watermarks.advance(fresh, "orders", NOW.astimezone(chicago))
    stored = await store.watermarks.get(fresh, "orders")
    assert stored is not None
    assert (stored, stored.tzinfo) == (NOW, dt.UTC)


async def test_every_delivery_leaves_a_receipt(store: Store, fresh: str) -> None:
    receipts = [
        Receipt(
            tenant="acme",
            connection=fresh,
            delivery_id="msg_1" * 100,
            verdict=verdict,
            status=status,
            workflow_id=f"order-to-journal:{fresh}:1" if status == 202 else "",
            received_at=at,
        )
        for verdict, status, at in (("started", 202, BEFORE), ("bad_signature", 401, NOW))
    ]
    await store.deliveries.receive(receipts)
    await store.deliveries.receive([])
    assert await store.deliveries.receipts(fresh) == tuple(receipts[::-1])
    assert await store.deliveries.receipts(fresh, workflow_id=f"order-to-journal:{fresh}:1") == (receipts[0],)
    assert await store.deliveries.forget_before(NOW) >= 1
    assert await store.deliveries.receipts(fresh) == (receipts[1],)


async def _claim(store: Store, limit: int, owner: str, now: dt.datetime = NOW) -> tuple[InboxEntry, ...]:
    return await store.deliveries.inbox_claim(limit, owner, now=now, lease_seconds=30)


async def test_the_inbox_is_drained_in_order_and_each_entry_by_one(store: Store, other: Store, fresh: str) -> None:
    for number in range(1, 6):
        await store.deliveries.inbox_put(
            "acme", fresh, f"w{number}", f'{{"order": {number}}}', number=number, received_at=NOW
        )
    assert await store.deliveries.inbox_depth() == 5
    first = await _claim(store, 2, "a")
    assert [(one.workflow_id, one.number, one.request) for one in first] == [
        ("w1", 1, '{"order": 1}'),
        ("w2", 2, '{"order": 2}'),
    ]
    together = await asyncio.gather(_claim(store, 2, "a"), _claim(other, 2, "b"))
    assert sorted(one.workflow_id for claim in together for one in claim) == ["w3", "w4", "w5"]
    assert await _claim(other, 9, "b") == ()
    # Its worker died: after the claim ends others take over, in the old order.
    assert [one.workflow_id for one in await _claim(other, 1, "b", AFTER)] == ["w1"]
    await other.deliveries.inbox_release([first[0].id])
    assert [one.workflow_id for one in await _claim(store, 1, "a", AFTER)] == ["w1"]
    remaining = await _claim(store, 9, "a", AFTER + dt.timedelta(hours=1))
    await store.deliveries.inbox_done([one.id for one in remaining])
    await store.deliveries.inbox_done([])
    assert await store.deliveries.inbox_depth() == 0


async def test_a_connections_state_tells_since_when(store: Store, fresh: str) -> None:
    assert await store.connections.state(fresh) is None
    await store.connections.mark(fresh, ConnectionHealth.UNAVAILABLE, "503", now=BEFORE)
    await store.connections.mark(fresh, ConnectionHealth.UNAVAILABLE, "still 503", now=NOW)
    state = await store.connections.state(fresh)
    assert state is not None
    assert (state.since, state.marked_at, state.sentence) == (BEFORE, NOW, "still 503")
    await store.connections.mark(fresh, ConnectionHealth.WORKING, now=AFTER)
    assert [one.since for one in await store.connections.states() if one.connection == fresh] == [AFTER]


async def test_a_restored_store_is_behind(store: Store) -> None:
    current = await store.epochs.current()
    assert await store.epochs.require(current) == current
    with pytest.raises(StoreBehind, match="recover"):
        await store.epochs.require(current + 5)


async def test_a_recovery_leaves_every_epoch_behind_that_anyone_may_have_seen(store: Store) -> None:
    current = await store.epochs.current()
    first = await store.epochs.recovered(current + 5, now=BEFORE)
    assert (first % RECOVERED_APART, await store.epochs.recovered_at()) == (0, BEFORE)
    assert current + 5 < first <= current + 5 + RECOVERED_APART
    assert await store.epochs.require(current + 7) == first
    second = await store.epochs.recovered(3, now=NOW)
    assert second == first + RECOVERED_APART
    assert await store._database.read(recovered_within) == NOW


async def test_reconciliations_keep_exact_amounts(store: Store, fresh: str) -> None:
    results = [
        Reconciliation(
            tenant="acme",
            integration=fresh,
            connection="bc-us",
            currency=currency,
            since=BEFORE,
            until=AFTER,
            source_total=Decimal(total),
            ledger_total=Decimal(total),
            source_count=3,
            ledger_count=3,
            details={"orders": ["1"]},
            at=at,
        )
        for currency, total, at in (("USD", "12345678901234.10", BEFORE), ("JPY", "-7", NOW))
    ]
    for result in results:
        await store.reconciliations.put(result)
    assert await store.reconciliations.list(fresh) == tuple(results[::-1])
    assert await store.reconciliations.list(fresh, since=NOW) == (results[1],)
    assert str((await store.reconciliations.list(fresh))[1].source_total) == "12345678901234.10"


async def test_cross_references_are_found_from_both_ends(store: Store, fresh: str) -> None:
    link = CrossReference(
        tenant="acme",
        connection=fresh,
        kind="refund",
        id="7",
        target_connection="fusion-us",
        target_kind="journal",
        target_id=f"{fresh}-1",
        at=NOW,
    )
    await store.cross_references.put(link)
    newer = link.model_copy(update={"target_id": f"{fresh}-2"})
    await store.cross_references.put(newer)
    assert await store.cross_references.target(fresh, "refund", "7", "fusion-us", "journal") == f"{fresh}-2"
    assert await store.cross_references.sources("fusion-us", "journal", f"{fresh}-2") == (newer,)
    assert await store.cross_references.sources("fusion-us", "journal", f"{fresh}-1") == ()
