import asyncio
import datetime as dt
from typing import Any

import pytest

from contracts.journal import FateKind
from store import Store
from store.outbox.fates import GroupInFlight, GroupUnknown
from store.outbox.groups import SLOT_WAIT, GroupNotSettled
from store.rows import Busy, Closed, GroupState, Leased, Marked, PostingState, Sent

NOW = dt.datetime(2026, 3, 2, 15, 0, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(seconds=120)
MUCH_LATER = NOW + dt.timedelta(hours=1)
Desk = Any


async def test_sealing_takes_the_oldest_up_to_the_limit(desk: Desk) -> None:
    for number in range(5):
        await desk.stage(str(number), at=NOW + dt.timedelta(seconds=number))
    group_id = await desk.seal(limit=3)
    journals = await desk.store.groups.journals_in(group_id)
    assert [one.reference for one in journals] == [desk.reference(str(number)) for number in range(3)]
    assert (await desk.store.groups.group(group_id)).count == 3
    assert await desk.waiting() == 2


async def test_nothing_staged_seals_nothing(desk: Desk) -> None:
    assert await desk.seal() is None


async def test_group_ids_have_fifteen_digits_and_rise_also_within_one_millisecond(desk: Desk) -> None:
    seen = []
    for number in range(3):
        group_id = await desk.sealed(str(number))
        await desk.tell(group_id, FateKind.POSTED, str(number))
        seen.append(group_id)
    assert seen == sorted(set(seen))
    assert {len(str(one)) for one in seen} == {15}


async def test_sealing_again_after_a_lost_answer_gives_the_same_group(desk: Desk) -> None:
    group_id = await desk.sealed("1")
    assert await desk.seal() == group_id
    await desk.stage("2")
    assert await desk.seal() == group_id
    assert await desk.waiting() == 1


async def test_one_ledger_and_source_has_one_import_at_a_time(desk: Desk) -> None:
    group_id = await desk.sealed("1")
    await desk.store.groups.submitted(group_id, 900, NOW)
    await desk.stage("2")
    assert await desk.seal() is None
    await desk.tell(group_id, FateKind.POSTED, "1")
    assert await desk.seal() not in (None, group_id)


async def test_a_group_in_review_lets_others_go_and_takes_its_turn_afterwards(desk: Desk) -> None:
    groups = desk.store.groups
    first = await desk.sealed("1")
    assert await groups.set_state(first, GroupState.REVIEW, {"problem": "sign-in refused"})
    await desk.stage("2")
    second = await desk.seal()
    assert second not in (None, first)
    assert not await groups.set_state(first, GroupState.SEALED)
    assert await groups.lease(first, "a", now=NOW, until=LATER) == Busy(NOW + SLOT_WAIT)
    await desk.tell(second, FateKind.POSTED, "2")
    assert await groups.lease(first, "a", now=NOW, until=LATER) == Leased(LATER)
    assert {one.group_id for one in await groups.open_groups(*desk.outlet)} == {first}


async def test_workers_that_seal_together_never_share_a_journal(desk: Desk, other: Store) -> None:
    for number in range(20):
        await desk.stage(str(number))
    answers = await asyncio.gather(
        *(desk.seal(limit=5, store=other if number % 2 else desk.store) for number in range(8))
    )
    assert len(set(answers) - {None}) == 1
    assert await desk.waiting() == 15


async def test_each_seal_raises_the_epoch(desk: Desk) -> None:
    before = await desk.store.epochs.current()
    group_id = await desk.sealed("1")
    assert await desk.store.epochs.current() > before
    assert (await desk.store.groups.group(group_id)).epoch > before


async def test_a_lease_belongs_to_one_attempt_until_it_ends(desk: Desk) -> None:
    groups, group_id = desk.store.groups, await desk.sealed("1")
    assert await groups.lease(group_id, "a", now=NOW, until=LATER) == Leased(LATER)
    assert await groups.lease(group_id, "b", now=NOW, until=LATER) == Busy(LATER)
    assert not await groups.mark_sending(group_id, "b", NOW)
    assert await groups.lease(group_id, "b", now=LATER, until=MUCH_LATER) == Leased(MUCH_LATER)
    assert not await groups.mark_sending(group_id, "a", NOW)


async def test_only_one_of_many_attempts_gets_the_lease(desk: Desk, other: Store) -> None:
    group_id = await desk.sealed("1")
    answers = await asyncio.gather(
        *(
            (other if number % 2 else desk.store).groups.lease(group_id, f"attempt {number}", now=NOW, until=LATER)
            for number in range(12)
        )
    )
    assert sorted(type(one).__name__ for one in answers) == ["Busy"] * 11 + ["Leased"]


async def test_a_worker_paused_past_its_lease_may_not_send(desk: Desk) -> None:
    groups, group_id = desk.store.groups, await desk.sealed("1")
    await groups.lease(group_id, "a", now=NOW, until=LATER)
    assert not await groups.mark_sending(group_id, "a", LATER)


async def test_a_marked_group_is_never_leased_again(desk: Desk) -> None:
    groups, group_id = desk.store.groups, await desk.sealed("1")
    await groups.lease(group_id, "a", now=NOW, until=LATER)
    assert await groups.mark_sending(group_id, "a", NOW)
    assert not await groups.mark_sending(group_id, "a", NOW)
    assert await groups.lease(group_id, "b", now=NOW, until=LATER) == Busy(LATER)
    assert await groups.lease(group_id, "b", now=MUCH_LATER, until=MUCH_LATER) == Marked(NOW, LATER)
    await groups.release(group_id, "a", not_sent=False)
    assert await groups.lease(group_id, "b", now=MUCH_LATER, until=MUCH_LATER) == Marked(NOW, LATER)


async def test_proof_that_nothing_went_out_frees_the_group(desk: Desk) -> None:
    groups, group_id = desk.store.groups, await desk.sealed("1")
    await groups.lease(group_id, "a", now=NOW, until=LATER)
    await groups.mark_sending(group_id, "a", NOW)
    await groups.release(group_id, "b", not_sent=True)
    assert await groups.lease(group_id, "b", now=NOW, until=LATER) == Busy(LATER)
    await groups.release(group_id, "a", not_sent=True)
    assert await groups.lease(group_id, "b", now=NOW, until=LATER) == Leased(LATER)


async def test_a_submitted_group_is_only_followed(desk: Desk) -> None:
    groups, group_id = desk.store.groups, await desk.sealed("1")
    await groups.lease(group_id, "a", now=NOW, until=LATER)
    await groups.mark_sending(group_id, "a", NOW)
    assert await groups.submitted(group_id, 900, NOW)
    assert await groups.submitted(group_id, 900, LATER)
    assert not await groups.submitted(group_id, 901, LATER)
    await groups.release(group_id, "a", not_sent=True)
    assert await groups.lease(group_id, "b", now=NOW, until=LATER) == Sent(900)
    assert (await groups.group(group_id)).state is GroupState.SUBMITTED


async def test_one_bad_journal_goes_and_its_neighbours_return_to_the_outbox(desk: Desk) -> None:
    group_id = await desk.sealed("1", "2", "3")
    await desk.store.groups.submitted(group_id, 900, NOW)
    await desk.tell(group_id, FateKind.REFUSED, "2", code="EF04")
    recorded = await desk.tell(group_id, FateKind.RETRY, "1", "3")
    assert (len(recorded.applied), recorded.open, recorded.closed) == (2, 0, True)
    assert await desk.store.groups.lease(group_id, "a", now=NOW, until=LATER) == Closed()
    assert [(one.fate, one.state) for one in await desk.store.groups.members(group_id)] == [
        ("retry", PostingState.STAGED),
        ("refused", PostingState.REFUSED),
        ("retry", PostingState.STAGED),
    ]
    second = await desk.seal()
    assert [one.reference for one in await desk.store.groups.journals_in(second)] == [
        desk.reference("1"),
        desk.reference("3"),
    ]


async def test_fates_told_again_change_nothing_even_in_the_next_group(desk: Desk) -> None:
    first = await desk.sealed("1")
    await desk.tell(first, FateKind.RETRY, "1")
    second = await desk.seal()
    await desk.tell(second, FateKind.POSTED, "1")
    recorded = await desk.tell(first, FateKind.RETRY, "1")
    assert (recorded.applied, recorded.closed) == ((), True)
    fate = await desk.store.journals.fate(desk.reference("1"))
    assert fate is not None
    assert (fate.kind, fate.group_id) == (FateKind.POSTED, second)


async def test_an_imported_journal_becomes_posted_and_nothing_else(desk: Desk) -> None:
    group_id = await desk.sealed("1")
    assert (await desk.tell(group_id, FateKind.IMPORTED, "1")).closed
    for kind in (FateKind.RETRY, FateKind.REFUSED, FateKind.IMPORTED):
        assert (await desk.tell(group_id, kind, "1")).applied == ()
    assert len((await desk.tell(group_id, FateKind.POSTED, "1")).applied) == 1
    assert (await desk.tell(group_id, FateKind.IMPORTED, "1")).applied == ()
    assert await desk.waiting() == 0


async def test_nobody_declares_a_group_absent_while_its_request_may_be_going_out(desk: Desk) -> None:
    groups, group_id = desk.store.groups, await desk.sealed("1")
    await groups.lease(group_id, "a", now=NOW, until=LATER)
    await groups.mark_sending(group_id, "a", NOW)
    fates = [desk.fate("1", FateKind.RETRY, group_id)]
    with pytest.raises(GroupInFlight):
        await groups.record_fates(group_id, fates, NOW)
    assert (await groups.record_fates(group_id, fates, LATER)).closed


async def test_a_group_closes_by_fates_and_not_by_declaration(desk: Desk) -> None:
    groups, group_id = desk.store.groups, await desk.sealed("1", "2")
    await desk.tell(group_id, FateKind.POSTED, "1")
    with pytest.raises(GroupNotSettled, match="1 of its journals"):
        await groups.set_state(group_id, GroupState.CLOSED)
    await desk.tell(group_id, FateKind.POSTED, "2")
    assert await groups.set_state(group_id, GroupState.CLOSED)


async def test_evidence_is_added_to(desk: Desk) -> None:
    groups, group_id = desk.store.groups, await desk.sealed("1")
    await groups.set_state(group_id, GroupState.SEALED, {"looked": "twice"})
    await groups.set_state(group_id, GroupState.REVIEW, {"report": "none"})
    group = await groups.group(group_id)
    assert (group.state, group.evidence) == (GroupState.REVIEW, {"looked": "twice", "report": "none"})


async def test_an_unknown_group_is_named(store: Store) -> None:
    for call in (
        store.groups.group(1),
        store.groups.lease(1, "a", now=NOW, until=LATER),
        store.groups.set_state(1, GroupState.REVIEW),
        store.groups.record_fates(1, (), NOW),
    ):
        with pytest.raises(GroupUnknown, match="no journal group 1"):
            await call
