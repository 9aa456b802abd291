"""Somebody who owns the database changes the audit trail behind our back: each way is found, and says where."""

import dataclasses

import pytest
from sqlalchemy import select
from support.audit_trail import event, seal_all, tamper, tell

from store import KeyRing, Store, Unsealable, Vault
from store.schema import audit_events, audit_heads
from store.trail.audit_rows import Fault, Finding

DOCUMENTS = [f"10{number}" for number in range(8)]


@dataclasses.dataclass
class Trail:
    """Eight events of one tenant under three seals of three, three and two."""

    store: Store
    tenant: str
    ids: list[int]

    async def tamper(self, *statements: str, **values: object) -> list[Finding]:
        """What verification finds after these statements; `:e0` to `:e7` are the events' ids."""
        named = {f"e{number}": one for number, one in enumerate(self.ids)}
        await tamper(self.store, *statements, tenant=self.tenant, **named, **values)
        trail = await self.store.verify_audit(self.tenant)
        assert trail.faults == len(trail.findings) > 0
        assert not trail.intact
        assert all(finding.remedy for finding in trail.findings)
        return list(trail.findings)


@pytest.fixture
async def trail(store: Store, fresh: str) -> Trail:
    for document in DOCUMENTS:
        await store.audit.append(
            [event(fresh, document, connection=f"shop-{fresh}", payload=f"original of {document}")]
        )
        # Another tenant's events lie in between: ids of one tenant have gaps, and nothing is wrong with that.
        await store.audit.append([event(f"{fresh}-other", document)])
    assert await seal_all(store, fresh, limit=3) == 3
    statement = select(audit_events.c.id).where(audit_events.c.tenant == fresh).order_by(audit_events.c.id)
    ids = await store._database.read(lambda at: list(at.scalars(statement)))
    assert (await store.verify_audit(fresh)).intact
    return Trail(store, fresh, ids)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("sentence", "'Nothing happened.'"),
        ("job", "'another'"),
        ("action", "'skipped'"),
        ("document_id", "'9999'"),
        ("connection", "'bc-eu'"),
        ("kind", "'refund'"),
        ("at", "(SELECT advanced_at FROM epochs)"),
        ("details", """'{"group_id": 178}'"""),
        ("details", """'{"nested": {"rule": "shirts", "version": 7}, "group_id": 177}'"""),
        ("payload", "NULL"),
        ("payload_id", "'0'"),
    ],
)
async def test_a_changed_event_is_named_with_its_document(trail: Trail, column: str, value: str) -> None:
    (finding,) = await trail.tamper(f"UPDATE audit_events SET {column} = {value} WHERE id = :e4")  # noqa: S608
    assert (finding.fault, finding.seal, finding.event) == (Fault.EVENT_CHANGED, 2, trail.ids[4])
    assert finding.document_id == ("9999" if column == "document_id" else "104")
    assert f"order {finding.document_id}" in finding.sentence or column == "kind"
    assert "was changed after it had been sealed" in finding.sentence


async def test_another_payload_in_place_of_the_original_is_found(trail: Trail) -> None:
    (finding,) = await trail.tamper(
        "UPDATE audit_events SET payload = (SELECT payload FROM audit_events WHERE id = :e3) WHERE id = :e4"
    )
    assert (finding.fault, finding.event) == (Fault.EVENT_CHANGED, trail.ids[4])
    with pytest.raises(Unsealable):
        await trail.store.audit.of(f"shop-{trail.tenant}", "order", "104", payloads=True)


async def test_an_event_given_to_another_tenant_is_missed(trail: Trail) -> None:
    (finding,) = await trail.tamper("UPDATE audit_events SET tenant = 'nobody' WHERE id = :e4")
    assert (finding.fault, finding.event) == (Fault.EVENT_REMOVED, trail.ids[4])


@pytest.mark.parametrize("place", [0, 2, 4, 7])
async def test_a_removed_event_is_named(trail: Trail, place: int) -> None:
    (finding,) = await trail.tamper(f"DELETE FROM audit_events WHERE id = :e{place}")  # noqa: S608
    assert (finding.fault, finding.event) == (Fault.EVENT_REMOVED, trail.ids[place])
    assert finding.seal == place // 3 + 1
    assert f"Audit event {trail.ids[place]} of tenant {trail.tenant}" in finding.sentence


@pytest.mark.parametrize(("place", "seal"), [(0, 1), (3, 2), (4, 2)])
async def test_an_event_inserted_in_the_middle_or_between_two_seals_is_named(
    trail: Trail, place: int, seal: int
) -> None:
    # The other tenant's event right behind it makes room for one more.
    (finding,) = await trail.tamper(
        "UPDATE audit_events SET tenant = :tenant, document_id = 'forged' "  # noqa: S608
        f"WHERE id = (SELECT min(id) FROM audit_events WHERE id > :e{place} AND tenant <> :tenant)"
    )
    assert (finding.fault, finding.seal, finding.document_id) == (Fault.EVENT_INSERTED, seal, "forged")


async def test_an_event_inserted_before_all_others_is_named(trail: Trail) -> None:
    (finding,) = await trail.tamper(
        "INSERT INTO audit_events (id, tenant, connection, kind, document_id, at, action, sentence, details, job) "
        "SELECT -id, tenant, connection, kind, 'forged', at, action, sentence, details, job "
        "FROM audit_events WHERE id = :e0"
    )
    assert (finding.fault, finding.event) == (Fault.EVENT_INSERTED, -trail.ids[0])


async def test_events_that_changed_places_are_both_named(trail: Trail) -> None:
    findings = await trail.tamper(
        "UPDATE audit_events SET id = -1 WHERE id = :e3",
        "UPDATE audit_events SET id = :e3 WHERE id = :e5",
        "UPDATE audit_events SET id = :e5 WHERE id = -1",
    )
    assert [(one.fault, one.event) for one in findings] == [
        (Fault.EVENT_CHANGED, trail.ids[3]),
        (Fault.EVENT_CHANGED, trail.ids[5]),
    ]
    assert [one.document_id for one in findings] == ["105", "103"]


async def test_every_change_is_counted_and_the_first_ones_are_described(trail: Trail) -> None:
    findings = await trail.tamper("UPDATE audit_events SET sentence = '-' WHERE tenant = :tenant")
    assert [(one.seal, one.event) for one in findings] == [
        (number // 3 + 1, one) for number, one in enumerate(trail.ids)
    ]


async def test_seals_cut_off_at_the_end_are_missed(trail: Trail) -> None:
    (finding,) = await trail.tamper("DELETE FROM audit_seals WHERE tenant = :tenant AND number > 1")
    assert (finding.fault, finding.seal) == (Fault.SEAL_REMOVED, 2)
    assert "Audit seals 2 to 3" in finding.sentence


async def test_the_end_of_the_trail_cut_off_with_its_seal_is_missed(trail: Trail) -> None:
    (finding,) = await trail.tamper(
        "DELETE FROM audit_events WHERE tenant = :tenant AND id >= :e6",
        "DELETE FROM audit_seals WHERE tenant = :tenant AND number = 3",
    )
    assert (finding.fault, finding.seal) == (Fault.SEAL_REMOVED, 3)
    assert "Audit seal 3 " in finding.sentence


async def test_all_seals_removed_are_missed(trail: Trail) -> None:
    (finding,) = await trail.tamper("DELETE FROM audit_seals WHERE tenant = :tenant")
    assert "Audit seals 1 to 3" in finding.sentence


async def test_a_seal_removed_in_the_middle_is_missed_and_the_others_still_hold(trail: Trail) -> None:
    (finding,) = await trail.tamper("DELETE FROM audit_seals WHERE tenant = :tenant AND number = 2")
    assert (finding.fault, finding.seal) == (Fault.SEAL_REMOVED, 2)


@pytest.mark.parametrize(
    "change",
    [
        "digest = previous",
        "previous = digest",
        "first_id = first_id - 1",
        "count = count + 1",
        "sealed_at = (SELECT min(at) FROM audit_events)",
        "version = 99",
        "marks = key",
        "key = marks",
        "key = (SELECT key FROM audit_seals WHERE tenant = :tenant AND number = 1)",
    ],
)
async def test_a_changed_seal_is_named(trail: Trail, change: str) -> None:
    statement = f"UPDATE audit_seals SET {change} WHERE tenant = :tenant AND number = 2"  # noqa: S608
    findings = await trail.tamper(statement)
    assert findings[0].fault is Fault.SEAL_CHANGED
    assert findings[0].seal == 2
    assert {one.fault for one in findings} == {Fault.SEAL_CHANGED}


async def test_an_event_and_its_mark_removed_together_still_break_the_seal(trail: Trail) -> None:
    (finding,) = await trail.tamper(
        "DELETE FROM audit_events WHERE id = :e5",
        "UPDATE audit_seals SET marks = substr(marks, 1, 32) WHERE tenant = :tenant AND number = 2",
    )
    assert (finding.fault, finding.seal) == (Fault.SEAL_CHANGED, 2)


def marks_sql(store: Store, expression: str) -> str:
    on_postgresql = store._database.dialect == "postgresql"
    return expression if on_postgresql else f"CAST({expression} AS BLOB)"


@pytest.mark.parametrize(
    "also",
    [
        "",
        ", count = count - 1",
        ", count = count - 1, sealed_at = (SELECT min(at) FROM audit_events)",
        ", first_id = first_id - 1",
    ],
)
@pytest.mark.parametrize("more", ["", "substr(marks, 1, 1)", "substr(marks, 1, 15)", "substr(marks, 1, 16)"])
async def test_an_event_removed_with_its_mark_is_found_whatever_becomes_of_the_list(
    trail: Trail, also: str, more: str
) -> None:
    kept = "substr(marks, 1, 16) || substr(marks, 33, 16)" + (f" || {more}" if more else "")
    findings = await trail.tamper(
        "DELETE FROM audit_events WHERE id = :e4",
        f"UPDATE audit_seals SET marks = {marks_sql(trail.store, kept)}{also} "  # noqa: S608
        "WHERE tenant = :tenant AND number = 2",
    )
    assert (findings[0].fault, findings[0].seal) == (Fault.SEAL_CHANGED, 2)


@pytest.mark.parametrize(
    "expression",
    [
        "substr(marks, 17, 16) || substr(marks, 1, 16) || substr(marks, 33, 16)",
        "marks || substr(marks, 33, 16)",
        "substr(marks, 1, 47)",
        "marks || substr(marks, 1, 5)",
    ],
)
async def test_marks_in_another_order_or_number_are_a_changed_seal(trail: Trail, expression: str) -> None:
    changed = (
        f"UPDATE audit_seals SET marks = {marks_sql(trail.store, expression)} "  # noqa: S608
        "WHERE tenant = :tenant AND number = 2"
    )
    (finding,) = await trail.tamper(changed)
    assert (finding.fault, finding.seal) == (Fault.SEAL_CHANGED, 2)
    assert "its events are as they were sealed" in finding.sentence


async def test_a_list_of_marks_that_was_cut_is_told_beside_the_event_that_it_names(trail: Trail) -> None:
    named, cut = await trail.tamper(
        "DELETE FROM audit_events WHERE id = :e4",
        "UPDATE audit_events SET sentence = '-' WHERE id = :e5",
        f"UPDATE audit_seals SET marks = {marks_sql(trail.store, 'substr(marks, 1, 16) || substr(marks, 33, 16)')} "  # noqa: S608
        "WHERE tenant = :tenant AND number = 2",
    )
    assert (named.fault, named.event) == (Fault.EVENT_CHANGED, trail.ids[5])
    assert (cut.fault, cut.seal) == (Fault.SEAL_CHANGED, 2)
    assert "more events may be changed or removed than those named" in cut.sentence


@pytest.mark.parametrize("envelope", ["NULL", "payload", "(SELECT payload_key FROM audit_events WHERE id = :e3)"])
async def test_an_original_whose_envelope_was_removed_or_altered_is_named(trail: Trail, envelope: str) -> None:
    (finding,) = await trail.tamper(f"UPDATE audit_events SET payload_key = {envelope} WHERE id = :e4")  # noqa: S608
    assert (finding.fault, finding.seal, finding.event) == (Fault.ORIGINAL_UNREADABLE, 2, trail.ids[4])
    assert (finding.kind, finding.document_id) == ("order", "104")
    assert "The original of order 104" in finding.sentence
    assert "is not readable" in finding.sentence


async def test_an_original_that_is_not_sealed_yet_must_be_readable_too(trail: Trail) -> None:
    await tell(trail.store, trail.tenant, "108", payload="original")
    (finding,) = await trail.tamper("UPDATE audit_events SET payload_key = NULL WHERE document_id = '108'")
    assert (finding.fault, finding.seal, finding.document_id) == (Fault.ORIGINAL_UNREADABLE, None, "108")


async def test_a_seal_under_a_number_that_none_has_is_found(trail: Trail) -> None:
    (finding,) = await trail.tamper(
        "INSERT INTO audit_seals "
        "SELECT tenant, -7, -7, last_id, count, previous, digest, version, sealed_at, key, marks "
        "FROM audit_seals WHERE tenant = :tenant AND number = 1"
    )
    assert (finding.fault, finding.seal) == (Fault.SEAL_CHANGED, -7)


async def test_the_record_of_the_newest_seal_removed_or_put_back_is_found(trail: Trail) -> None:
    statement = select(audit_heads.c.sealed).where(audit_heads.c.tenant == trail.tenant)
    earlier = await trail.store._database.read(lambda at: at.scalar(statement))
    await tell(trail.store, trail.tenant, "108")
    await trail.store.seals.seal(trail.tenant)
    (finding,) = await trail.tamper("UPDATE audit_heads SET sealed = :earlier WHERE tenant = :tenant", earlier=earlier)
    assert "put back to an earlier state" in finding.sentence
    (finding,) = await trail.tamper("DELETE FROM audit_heads WHERE tenant = :tenant")
    assert "audit_heads" in finding.sentence


async def test_a_digest_kept_elsewhere_shows_a_trail_that_was_cut_back_and_sealed_anew(trail: Trail) -> None:
    """The one thing that cannot be told from the database alone: all of it put back to what it once was."""
    store = trail.store
    statement = select(audit_heads.c.sealed).where(audit_heads.c.tenant == trail.tenant)
    earlier = await store._database.read(lambda at: at.scalar(statement))
    await tell(store, trail.tenant, "108")
    kept = await store.seals.seal(trail.tenant)
    assert kept is not None
    await tamper(
        store,
        "UPDATE audit_heads SET sealed = :earlier WHERE tenant = :tenant",
        "DELETE FROM audit_seals WHERE tenant = :tenant AND number = 4",
        "DELETE FROM audit_events WHERE tenant = :tenant AND document_id = '108'",
        tenant=trail.tenant,
        earlier=earlier,
    )
    await tell(store, trail.tenant, "109")
    await store.seals.seal(trail.tenant)
    found = await store.verify_audit(trail.tenant, kept=[kept.digest])
    assert found.kept == ()


async def test_whoever_lacks_the_key_ring_cannot_seal_what_they_changed(trail: Trail, url: str) -> None:
    """Another ring under the same key id: the attacker knows everything but the keys."""
    await tamper(
        trail.store,
        "UPDATE audit_events SET sentence = 'Nothing happened.' WHERE id = :e4",
        "DELETE FROM audit_seals WHERE tenant = :tenant",
        "DELETE FROM audit_heads WHERE tenant = :tenant",
        tenant=trail.tenant,
        e4=trail.ids[4],
    )
    async with Store.open(url, Vault(KeyRing.generate("k1"))) as attacker:
        assert await seal_all(attacker, trail.tenant, limit=3) == 3
        seen = await attacker.verify_audit(trail.tenant)
        assert all("originals" in one.sentence for one in seen.findings), "of the seals, none is wrong for the attacker"
    found = await trail.store.verify_audit(trail.tenant)
    assert found.faults == 4
    assert all("somebody sealed this who does not have yours" in one.remedy for one in found.findings)
