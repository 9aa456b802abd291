"""Events of the audit trail: each names its job, is written with the change it tells of, and hides the original."""

import datetime as dt

import pytest
from pydantic import ValidationError
from sqlalchemy import Connection, text
from support.audit_trail import event, tamper, tell

from contracts.flow import State
from contracts.journal import FateKind
from store import KeyMissing, KeyRing, Store, Vault
from store.rows import AuditEvent, DocumentRow
from store.schema import metadata
from store.turns import Superseded
from tests.store.conftest import NOW, Desk

CANARY = "Ada Lovelace <ada@example.com>"


def document(fresh: str, state: State = State.SKIPPED, **given: object) -> DocumentRow:
    return DocumentRow(
        tenant="acme",
        integration="us",
        connection=fresh,
        kind="order",
        id="1",
        modified_at=NOW,
        fingerprint="f1",
        state=state,
        at=NOW,
    ).model_copy(update={"reason": "skipped by Ann: a gift", "job": "decision:1", "decided_by": "Ann"} | given)


def told(fresh: str, action: str = "skipped") -> AuditEvent:
    return event("acme", "1", action, connection=fresh)


async def actions(store: Store, fresh: str) -> list[str]:
    return [one.action for one in await store.audit.of(fresh, "order", "1")]


@pytest.mark.parametrize("job", ["", "x" * 201])
def test_an_event_without_a_job_cannot_be_made(job: str) -> None:
    with pytest.raises(ValidationError, match="job"):
        event("acme", job=job)


async def test_an_event_from_before_jobs_were_required_is_still_shown(store: Store, fresh: str) -> None:
    await store.audit.append([told(fresh)])
    await tamper(store, "UPDATE audit_events SET job = '' WHERE connection = :connection", connection=fresh)
    assert [one.job for one in await store.audit.of(fresh, "order", "1")] == [""]


async def test_the_original_is_in_no_column_in_the_clear(store: Store, fresh: str) -> None:
    await tell(store, "acme", "1", connection=fresh, payload=f'{{"customer": "{CANARY}"}}')
    await store.seals.seal("acme")

    def everything(at: Connection) -> bytes:
        found = bytearray()
        for table in metadata.sorted_tables:
            for row in at.execute(text(f'SELECT * FROM "{table.name}"')):  # noqa: S608 -- our own tables
                for value in row:
                    found += bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
        return bytes(found)

    found = await store._database.read(everything)
    for form in (CANARY, "Ada", "Lovelace", CANARY.encode().hex()):
        assert form.encode() not in found
    (opened,) = await store.audit.of(fresh, "order", "1", payloads=True)
    assert CANARY in str(opened.payload)
    assert CANARY not in repr(opened)


async def test_the_original_is_opened_only_with_the_key_and_the_error_names_it(
    store: Store, url: str, fresh: str
) -> None:
    await tell(store, "acme", "1", connection=fresh, payload=CANARY)
    async with Store.open(url, Vault(KeyRing.generate("elsewhere"))) as stranger:
        (event_alone,) = await stranger.audit.of(fresh, "order", "1")
        assert event_alone.payload is None
        with pytest.raises(KeyMissing, match='Key "k1" is not in the key ring'):
            await stranger.audit.of(fresh, "order", "1", payloads=True)


async def test_where_a_document_stands_and_the_event_that_tells_so_are_written_together(desk: Desk, fresh: str) -> None:
    store, shop = desk.store, desk.shop
    await store.documents.settle(document(shop), turn=desk.turn("1", NOW), event=told(shop))
    late = desk.turn("1", NOW - dt.timedelta(seconds=1))
    with pytest.raises(Superseded):
        await store.documents.settle(document(shop, State.POSTED), turn=late, event=told(shop, "posted"))
    assert await actions(store, shop) == ["skipped"]


async def test_a_decision_that_is_carried_out_again_is_told_once(store: Store, fresh: str) -> None:
    for _ in range(3):
        await store.documents.settle(document(fresh), event=told(fresh))
    assert await actions(store, fresh) == ["skipped"]
    # What a person decides about another version, or another person about this one, is another decision.
    await store.documents.settle(document(fresh, fingerprint="f2"), event=told(fresh))
    await store.documents.settle(document(fresh, job="decision:2"), event=told(fresh))
    assert await actions(store, fresh) == ["skipped"] * 3


async def test_a_journal_that_is_staged_again_unchanged_is_told_once(desk: Desk) -> None:
    assert (await desk.stage("1", event=told(desk.shop, "staged"))).outcome == "staged"
    assert (await desk.stage("1", event=told(desk.shop, "staged"))).outcome == "unchanged"
    assert await actions(desk.store, desk.shop) == ["staged"]
    assert (await desk.stage("1", "11.00", event=told(desk.shop, "staged"))).outcome == "staged"
    assert await actions(desk.store, desk.shop) == ["staged"] * 2


async def test_fates_are_told_once_however_often_they_are_recorded(desk: Desk) -> None:
    group_id = await desk.sealed("1", "2")
    fates = [desk.fate(order, FateKind.POSTED, group_id) for order in ("1", "2")]
    events = {desk.reference("1"): told(desk.shop, "posted")}
    for _ in range(2):
        await desk.store.groups.record_fates(group_id, fates, NOW, events=events)
    assert await actions(desk.store, desk.shop) == ["posted"]
    (member, _) = await desk.store.groups.members(group_id)
    assert member.job == "poll 1"
