import asyncio
import datetime as dt
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from contracts.journal import FateKind
from store import Store
from store.outbox.journals import PostingInFlight, PostingUnknown
from store.rows import GroupState, PostingKey, PostingState
from store.schema import journal_lines, postings

NOW = dt.datetime(2026, 3, 2, 15, 0, tzinfo=dt.UTC)
Desk = Any


async def test_a_new_journal_waits_in_the_outbox(desk: Desk) -> None:
    assert (await desk.stage("1")).outcome == "staged"
    pending = await desk.store.journals.pending(*desk.outlet)
    assert (pending.count, pending.oldest) == (1, NOW)
    assert await desk.store.journals.fate(desk.reference("1")) is None


async def test_staging_the_same_version_again_changes_nothing(desk: Desk) -> None:
    await desk.stage("1")
    assert (await desk.stage("1", at=NOW + dt.timedelta(hours=1))).outcome == "unchanged"
    assert await desk.waiting() == 1


async def test_an_edit_before_sealing_replaces_content_and_keeps_its_place_in_the_queue(desk: Desk) -> None:
    await desk.stage("1", "10.00")
    assert (await desk.stage("1", "12.50", at=NOW + dt.timedelta(minutes=3))).outcome == "staged"
    pending = await desk.store.journals.pending(*desk.outlet)
    assert (pending.count, pending.oldest) == (1, NOW)
    journal = await desk.store.journals.content(desk.reference("1"))
    assert journal is not None
    assert journal.total == Decimal("12.50")


async def test_the_same_order_under_another_mapping_version_replaces_what_waits(desk: Desk) -> None:
    await desk.stage("1", version=7)
    assert (await desk.stage("1", version=8)).outcome == "staged"
    row = await desk.store.journals.posting(desk.reference("1"))
    assert row is not None
    assert row.mapping_version == 8


async def test_every_line_keeps_account_amount_and_rule_but_no_text(desk: Desk) -> None:
    await desk.stage("1", "19.90")
    reference = desk.reference("1")
    lines = await desk.store._database.read(
        lambda at: at.execute(
            select(journal_lines).where(journal_lines.c.reference == reference).order_by(journal_lines.c.number)
        ).all()
    )
    assert [(one.purpose, one.debit, one.credit, one.rule, one.mapping_version) for one in lines] == [
        ("clearing", Decimal("19.90"), Decimal(0), "", None),
        ("revenue", Decimal(0), Decimal("19.90"), "shirts", 7),
    ]
    assert lines[1].segments == ["101", "10", "41000", "000"]
    assert "Lovelace" not in repr(lines)


async def test_journal_content_is_sealed(desk: Desk) -> None:
    await desk.stage("1")
    reference = desk.reference("1")
    row = await desk.store._database.read(
        lambda at: at.execute(select(postings).where(postings.c.reference == reference)).one()
    )
    assert b"Lovelace" not in row.content
    assert "Lovelace" not in repr(row)
    assert await desk.store.journals.content(reference) == desk.journal("1")


async def test_an_edit_while_the_import_is_open_is_told_to_wait(desk: Desk) -> None:
    await desk.sealed("1")
    assert (await desk.stage("1")).outcome == "unchanged"
    assert (await desk.stage("1", "99.00")).outcome == "in_group"


@pytest.mark.parametrize("kind", [FateKind.IMPORTED, FateKind.POSTED])
async def test_what_is_in_the_ledger_is_never_staged_again(desk: Desk, kind: FateKind) -> None:
    group_id = await desk.sealed("1")
    await desk.tell(group_id, kind, "1")
    known = await desk.stage("1")
    assert known.outcome == "fated"
    assert known.fate is not None
    assert (known.fate.kind, known.fate.journal_header_id) == (kind, 4711)
    assert (await desk.stage("1", "99.00")).outcome == "edited_after_posting"
    assert await desk.waiting() == 0


async def test_a_refused_journal_may_be_staged_again_under_the_same_reference(desk: Desk) -> None:
    group_id = await desk.sealed("1", "2")
    await desk.tell(group_id, FateKind.REFUSED, "1", code="EF04")
    fate = await desk.store.journals.fate(desk.reference("1"))
    assert fate is not None
    assert (fate.kind, fate.code, fate.group_id) == (FateKind.REFUSED, "EF04", group_id)
    assert (await desk.stage("1")).outcome == "staged"
    assert await desk.store.journals.fate(desk.reference("1")) is None
    assert await desk.waiting() == 1


async def test_a_withdrawn_journal_is_not_sealed_and_may_come_back(desk: Desk) -> None:
    await desk.stage("1")
    assert await desk.store.journals.withdraw(desk.reference("1"))
    assert await desk.seal() is None
    assert (await desk.stage("1")).outcome == "staged"
    assert await desk.seal() is not None
    assert not await desk.store.journals.withdraw(desk.reference("1"))


async def test_withdrawing_keeps_why_fusion_refused(desk: Desk) -> None:
    group_id = await desk.sealed("1")
    await desk.tell(group_id, FateKind.REFUSED, "1", code="EF04")
    assert await desk.store.journals.withdraw(desk.reference("1"))
    fate = await desk.store.journals.fate(desk.reference("1"))
    assert fate is not None
    assert fate.code == "EF04"


async def test_a_journal_that_a_person_names_is_the_posting(desk: Desk) -> None:
    key = PostingKey(
        tenant="acme",
        integration="us",
        connection=desk.shop,
        fusion="fusion-us",
        kind="order",
        document_id="1",
        purpose="sale",
        ordinal=1,
    )
    marks = {"target": "Manual 77", "who": "ada", "why": "posted by hand", "now": NOW}
    with pytest.raises(PostingUnknown):
        await desk.store.journals.mark_posted(desk.reference("1"), **marks)
    fate = await desk.store.journals.mark_posted(desk.reference("1"), key=key, **marks)
    assert (fate.kind, fate.journal_name) == (FateKind.POSTED, "Manual 77")
    assert await desk.store.journals.mark_posted(desk.reference("1"), key=key, **marks) == fate
    # The version a person looked at is done; a later edit is seen.
    assert (await desk.stage("1")).outcome == "fated"
    assert (await desk.stage("1", "99.00")).outcome == "edited_after_posting"
    assert await desk.waiting() == 0


async def test_a_person_cannot_mark_what_is_being_imported(desk: Desk) -> None:
    group_id = await desk.sealed("1")
    marks = {"target": "Manual 77", "who": "ada", "why": "seen in Fusion", "now": NOW}
    with pytest.raises(PostingInFlight, match=str(group_id)):
        await desk.store.journals.mark_posted(desk.reference("1"), **marks)
    await desk.store.groups.set_state(group_id, GroupState.REVIEW)
    await desk.store.journals.mark_posted(desk.reference("1"), **marks)
    assert (await desk.store.groups.group(group_id)).state is GroupState.CLOSED
    assert [one.fate for one in await desk.store.groups.members(group_id)] == ["posted"]


async def test_postings_of_a_document_are_listed_by_ordinal(desk: Desk) -> None:
    await desk.stage("1", ordinal=2)
    await desk.stage("1", ordinal=1)
    rows = await desk.store.journals.postings_of(desk.shop, "order", "1")
    assert [(one.key.ordinal, one.state, one.total) for one in rows] == [
        (1, PostingState.STAGED, Decimal("10.00")),
        (2, PostingState.STAGED, Decimal("10.00")),
    ]


async def test_status_counts_by_ledger_and_state(desk: Desk) -> None:
    group_id = await desk.sealed("1", "2")
    await desk.tell(group_id, FateKind.POSTED, "1")
    await desk.stage("3")
    counts = {one.state: one.count for one in await desk.store.journals.counts() if one.ledger == desk.ledger}
    assert counts == {PostingState.POSTED: 1, PostingState.GROUPED: 1, PostingState.STAGED: 1}


async def test_many_workers_that_stage_one_order_make_one_posting(desk: Desk, other: Store) -> None:
    answers = await asyncio.gather(
        *(desk.stage("1", store=other if number % 2 else desk.store) for number in range(16))
    )
    assert Counter(one.outcome for one in answers) == {"staged": 1, "unchanged": 15}
    assert await desk.waiting() == 1


async def test_edits_that_race_with_sealing_are_in_the_group_or_told_so(desk: Desk, other: Store) -> None:
    orders = [str(number) for number in range(12)]
    for order in orders:
        await desk.stage(order, "10.00")
    edits, group_id = await asyncio.gather(
        asyncio.gather(*(desk.stage(order, "20.00", store=other) for order in orders)), desk.seal()
    )
    assert group_id is not None
    outcome = {one.reference: one.outcome for one in edits}
    journals = await desk.store.groups.journals_in(group_id)
    assert {one.reference for one in journals} == set(outcome)
    for journal in journals:
        assert journal.total == (Decimal("20.00") if outcome[journal.reference] == "staged" else Decimal("10.00"))
