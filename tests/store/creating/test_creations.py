"""Creations: of any number of attempts one may send, and a send is forgotten by proof only."""

import asyncio
import datetime as dt
from collections.abc import Awaitable
from decimal import Decimal
from typing import Any

import pytest

from store import KeyRing, Store, Vault
from store.creating.creation import CreationState, Ended, Granted, Occupied, Unresolved
from store.creating.creation_changes import CreationUnknown
from store.epochs import StoreBehind
from store.turns import Superseded
from tests.store.creating.conftest import LATER, LEASE, MUCH_LATER, NOW, SOON, Till


async def test_an_intent_is_written_once_and_its_content_is_sealed(till: Till) -> None:
    assert (await till.intend("1")).outcome == "intended"
    assert (await till.intend("1")).outcome == "intended"
    row = await till.row("1")
    assert (row.state, row.total, row.number, row.created_at) == (CreationState.INTENDED, Decimal(10), "M1", NOW)
    assert await till.creations.content(till.reference("1")) == till.intent("1").content
    assert await till.trail("1") == ["intended"]


async def test_a_newer_version_replaces_what_was_never_sent(till: Till) -> None:
    await till.intend("1")
    assert (await till.intend("1", "12.50")).outcome == "intended"
    row = await till.row("1")
    assert (row.total, row.fingerprint) == (Decimal("12.50"), "total 12.50")
    assert "12.50" in (await till.creations.content(till.reference("1")) or "")
    assert await till.trail("1") == ["intended", "intended"]


async def test_the_same_version_by_another_mapping_replaces_what_was_never_sent(till: Till) -> None:
    await till.intend("1")
    await till.intend("1", content='{"mapping": 8}')
    assert await till.creations.content(till.reference("1")) == '{"mapping": 8}'


async def test_a_lease_belongs_to_one_attempt_until_it_ends(till: Till) -> None:
    await till.intend("1")
    assert await till.lease("1", "a") == Granted(LATER)
    assert await till.lease("1", "a") == Granted(LATER)
    assert await till.lease("1", "b") == Occupied(LATER)
    assert await till.mark("1", "b") is None
    assert await till.lease("1", "b", LATER) == Granted(LATER + LEASE)
    assert await till.mark("1", "a") is None


async def test_of_many_attempts_at_once_one_may_send(till: Till, other: Store) -> None:
    intent = till.intent("1")

    async def attempt(number: int) -> int | None:
        creations = (other if number % 2 else till.store).creations
        await creations.intend(intent, now=NOW)
        lease = await creations.lease(intent.reference, str(number), now=NOW, until=LATER)
        return await creations.mark_sent(intent, str(number), now=NOW) if isinstance(lease, Granted) else None

    marks = await asyncio.gather(*(attempt(number) for number in range(24)))
    assert len([mark for mark in marks if mark is not None]) == 1
    assert len((await till.row("1")).sends) == 1


async def test_a_worker_that_was_paused_past_its_lease_may_not_send(till: Till) -> None:
    await till.intend("1")
    await till.lease("1", "a")
    assert await till.mark("1", "a", LATER) is None
    assert await till.state("1") is CreationState.INTENDED


async def test_a_worker_whose_version_was_replaced_since_it_looked_may_not_send(till: Till) -> None:
    await till.intend("1")
    await till.lease("1", "a")
    await till.intend("1", "12.50")
    assert await till.mark("1", "a") is None


async def test_a_worker_whose_document_was_withdrawn_since_it_looked_may_not_send(till: Till) -> None:
    await till.intend("1")
    await till.lease("1", "a")
    assert await till.creations.withdraw(till.reference("1"))
    assert await till.mark("1", "a") is None
    assert isinstance(await till.lease("1", "b", LATER), Ended)


async def test_sends_raise_the_epoch_but_not_each_of_them(till: Till) -> None:
    at = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    before = await till.store.epochs.current()
    epochs = []
    for order in "123":
        await till.intend(order, now=at)
        await till.lease(order, "a", at)
        epochs.append(await till.mark(order, "a", at))
    assert epochs == [before + 1] * 3 == [await till.store.epochs.current()] * 3


async def test_what_was_sent_is_only_looked_for(till: Till) -> None:
    await till.sent("1")
    assert await till.mark("1", "a") is None
    assert await till.lease("1", "b") == Occupied(LATER)
    for at in (LATER, MUCH_LATER):
        unresolved = await till.lease("1", "b", at)
        assert isinstance(unresolved, Unresolved)
        assert (unresolved.until, unresolved.row.sent_at) == (LATER, NOW)
    assert (await till.intend("1", "12.50")).outcome == "open"
    assert (await till.row("1")).total == Decimal(10)
    assert not await till.creations.withdraw(till.reference("1"), skipped=True)


async def test_proof_that_nothing_came_of_it_frees_it(till: Till) -> None:
    await till.sent("1")
    await till.creations.release(till.reference("1"), "b")
    assert (await till.intend("1")).outcome == "open"
    await till.creations.release(till.reference("1"), "a")
    row = await till.row("1")
    assert (row.state, row.sent_at, row.sends) == (CreationState.INTENDED, None, ())
    assert await till.lease("1", "b") == Granted(LATER)


async def test_where_duplicates_are_refused_it_is_sent_again_and_the_earlier_send_is_not_forgotten(till: Till) -> None:
    await till.sent("1")
    assert await till.lease("1", "b", LATER, again=True) == Granted(LATER + LEASE)
    assert await till.mark("1", "b", LATER, "12.50")
    row = await till.row("1")
    assert [(one.token, one.fingerprint) for one in row.sends] == [("a", "total 10.00"), ("b", "total 12.50")]
    assert row.total == Decimal("12.50")
    await till.creations.release(till.reference("1"), "b")
    row = await till.row("1")
    assert (row.state, row.sent_at) == (CreationState.SENDING, NOW)
    assert isinstance(await till.lease("1", "c", MUCH_LATER), Unresolved)


async def test_what_the_vendor_says_is_there_is_never_sent_again(till: Till) -> None:
    await till.sent("1")
    await till.creations.confirmed(till.reference("1"), "a", target_id="300100", target_number="1007")
    assert isinstance(await till.lease("1", "b", LATER, again=True), Unresolved)
    assert (await till.row("1")).target_id == "300100"


async def test_absence_is_proved_once_the_lease_has_ended(till: Till) -> None:
    await till.sent("1")
    row = await till.row("1")
    assert not await till.creations.absent(row, now=NOW)
    assert await till.creations.absent(row, now=LATER, event=till.event("1", "absent"))
    assert not await till.creations.absent(row, now=LATER)
    assert await till.state("1") is CreationState.INTENDED
    assert (await till.trail("1"))[-1] == "absent"


async def test_a_doubt_is_told_once_and_keeps_what_the_vendor_answered(till: Till) -> None:
    await till.sent("1")
    for _ in range(2):
        await till.creations.doubted(
            till.reference("1"), "a", sentence="500", answered_at=SOON, event=till.event("1", "in_doubt")
        )
    await till.creations.doubted(till.reference("1"), "z", sentence="-", event=till.event("1", "in_doubt"))
    row = await till.row("1")
    assert (row.answered_at, row.sends[0].answered_at, row.sentence) == (SOON, SOON, "500")
    assert await till.trail("1") == ["intended", "sent", "in_doubt"]


async def test_what_is_found_stays_found(till: Till) -> None:
    await till.sent("1")
    assert await till.found("1")
    assert await till.found("1")
    assert not await till.found("1", "300200")
    row = await till.row("1")
    assert (row.state, row.target_id, row.target_number) == (CreationState.POSTED, "300100", "1007")
    assert not row.open
    assert (await till.intend("1")).outcome == "posted"
    assert (await till.intend("1", "12.50")).outcome == "other_version"
    await till.creations.release(till.reference("1"), "a")
    await till.ask("1")
    assert await till.state("1") is CreationState.POSTED
    assert not await till.creations.withdraw(till.reference("1"), skipped=True, by_person=True)
    assert await till.trail("1") == ["intended", "sent", "posted"]


async def test_what_differs_is_never_sent_again_and_may_turn_out_right(till: Till) -> None:
    await till.sent("1")
    assert await till.found("1", differs=True)
    assert await till.state("1") is CreationState.DIFFERS
    assert (await till.intend("1")).outcome == "differs"
    assert isinstance(await till.lease("1", "b", LATER, again=True), Ended)
    assert await till.found("1")
    assert await till.state("1") is CreationState.POSTED


async def test_an_older_step_changes_nothing(till: Till) -> None:
    await till.intend("1", turn=till.turn("1", LATER))
    with pytest.raises(Superseded):
        await till.intend("1", "12.50", turn=till.turn("1", NOW))
    with pytest.raises(Superseded):
        await till.creations.withdraw(till.reference("1"), turn=till.turn("1", NOW))
    assert (await till.row("1")).total == Decimal(10)


async def test_a_store_that_is_behind_intends_nothing(till: Till) -> None:
    current = await till.store.epochs.current()
    with pytest.raises(StoreBehind):
        await till.intend("1", seen=current + 1)
    assert await till.creations.creation(till.reference("1")) is None
    assert (await till.intend("1", seen=current)).epoch == current


async def test_counts_are_by_resource_and_state_with_the_oldest(till: Till) -> None:
    await till.intend("1")
    await till.intend("2", now=SOON)
    await till.sent("3")
    mine = [one for one in await till.creations.counts() if one.fusion == f"fusion-{till.shop}"]
    assert [(one.state, one.count, one.oldest) for one in mine] == [
        (CreationState.INTENDED, 2, NOW),
        (CreationState.SENDING, 1, NOW),
    ]


async def test_what_accountants_want_to_know_is_listed_and_goes_with_its_version(till: Till) -> None:
    since = dt.datetime.now(dt.UTC) + dt.timedelta(days=30)

    async def intend(order: str, amount: str = "10.00", **facts: bool) -> None:
        intent = till.intent(order, amount).model_copy(update=facts)
        await till.creations.intend(intent, now=since)

    await intend("1", date_moved=True)
    await intend("2", suspense=True)
    await intend("3")
    await intend("4", suspense=True)
    await intend("4", "12.50")
    listed = [row for row in await till.creations.noteworthy(since) if row.key.connection == till.shop]
    assert [(row.key.document_id, row.date_moved, row.suspense) for row in listed] == [
        ("1", True, False),
        ("2", False, True),
    ]


async def test_creations_are_found_by_their_document_and_reference(till: Till) -> None:
    await till.intend("1")
    await till.sent("2")
    assert await till.creations.standing_of(till.shop, "order", "1") is None
    standing = await till.creations.standing_of(till.shop, "order", "2")
    assert standing is not None
    assert standing.reference == till.reference("2")
    assert set(await till.creations.creations([till.reference("1"), "unheard"])) == {till.reference("1")}


async def test_an_unheard_of_reference_is_named(store: Store) -> None:
    calls: list[Awaitable[Any]] = [
        store.creations.lease("unheard", "a", now=NOW, until=LATER),
        store.creations.release("unheard", "a"),
        store.creations.confirmed("unheard", "a", target_id="", target_number=""),
    ]
    for call in calls:
        with pytest.raises(CreationUnknown, match="unheard"):
            await call
    assert await store.creations.creation("unheard") is None
    assert await store.creations.content("unheard") is None
    assert await store.creations.withdraw("unheard")


async def test_the_content_is_rewrapped_when_keys_rotate(url: str, till: Till, ring: KeyRing) -> None:
    await till.intend("1")
    rotated = ring.rotate("for-creations")
    async with Store.open(url, Vault(rotated)) as worker:
        await worker.rewrap()
    async with Store.open(url, Vault(rotated.without("k1"))) as worker:
        assert await worker.creations.content(till.reference("1")) == till.intent("1").content
