"""Creations that a person decides about, or that a journal of the same sale stands against."""

import datetime as dt
from typing import Any

import pytest

from store.creating.creation import CreationState, Declaration, Granted, Intended
from store.creating.decided_creations import CreationInFlight
from store.creating.elsewhere import PostedElsewhere
from store.rows import PostingState
from tests.store.creating.conftest import LATER, LEASE, MUCH_LATER, NOW, SOON, Till


async def test_an_unsent_document_in_review_is_tried_again(till: Till) -> None:
    await till.intend("1")
    for _ in range(2):
        await till.creations.in_review(
            till.reference("1"), code="refused", sentence="no", event=till.event("1", "review")
        )
    assert await till.state("1") is CreationState.REVIEW
    assert await till.creations.withdraw(till.reference("1"))
    assert await till.state("1") is CreationState.REVIEW
    assert (await till.intend("1")).outcome == "intended"
    assert await till.lease("1", "b") == Granted(LATER)
    assert await till.trail("1") == ["intended", "review"]


async def test_a_person_declares_absent_what_they_were_asked_about_and_once(till: Till) -> None:
    declaration = Declaration(decision="d-1", who="dana", why="looked in Fusion")

    async def declare() -> Intended:
        return await till.intend("1", now=LATER, declaration=declaration, declared=till.event("1", "declared_absent"))

    await till.sent("1")
    assert (await declare()).outcome == "open"  # nobody was asked
    await till.ask("1")
    assert (await till.intend("1", now=NOW, declaration=declaration)).outcome == "open"  # it may be going out
    await till.ask("1")
    assert (await declare()).outcome == "intended"
    assert await till.lease("1", "b", LATER) == Granted(LATER + LEASE)
    assert await till.mark("1", "b", LATER)
    await till.ask("1")
    assert (await till.intend("1", now=MUCH_LATER, declaration=declaration)).outcome == "open"  # used up
    assert (await till.trail("1")).count("declared_absent") == 1


async def test_a_person_declares_absent_what_is_not_wanted_any_more(till: Till) -> None:
    declaration = Declaration(decision="d-1", who="dana", why="looked in Fusion")
    reference, event = till.reference("1"), till.event("1", "declared_absent")

    async def open_after(now: dt.datetime = LATER) -> bool:
        row = await till.creations.declared_absent(reference, declaration, now=now, event=event)
        return row is not None and row.open

    assert not await open_after()
    await till.sent("1")
    assert await open_after()  # nobody was asked
    await till.ask("1")
    assert await open_after(NOW)  # it may be going out
    assert not await open_after()
    assert await till.state("1") is CreationState.INTENDED
    assert await till.creations.withdraw(reference, skipped=True)
    assert (await till.trail("1")).count("declared_absent") == 1


async def test_a_person_may_give_up_what_is_unknown_and_it_is_looked_for_should_it_ever_be_wanted(till: Till) -> None:
    await till.sent("1")
    assert not await till.creations.withdraw(till.reference("1"), skipped=True, by_person=True)
    await till.ask("1")
    assert not await till.creations.withdraw(till.reference("1"), skipped=True)
    assert await till.creations.withdraw(till.reference("1"), skipped=True, by_person=True)
    assert await till.state("1") is CreationState.WITHDRAWN
    assert (await till.intend("1", "12.50")).outcome == "open"


async def test_what_a_person_names_is_posted_also_when_it_was_never_intended(till: Till) -> None:
    async def mark(order: str, at: dt.datetime = LATER) -> CreationState:
        row = await till.creations.mark_posted(
            till.reference(order),
            target_id="300100",
            target_number="1007",
            sentence="marked by dana",
            now=at,
            key=till.key(order),
        )
        return CreationState(row.state)

    assert await mark("1") is CreationState.POSTED
    assert await mark("1") is CreationState.POSTED
    assert (await till.intend("1")).outcome == "posted"
    assert (await till.intend("1", "12.50")).outcome == "other_version"
    await till.sent("2")
    with pytest.raises(CreationInFlight):
        await mark("2", SOON)
    assert await mark("2") is CreationState.POSTED


async def test_a_journal_on_its_way_keeps_the_same_sale_from_being_created(till: Till, desk: Any) -> None:
    till.shop = desk.shop
    await desk.stage("1")
    assert (await till.intend("1")).outcome == "intended"  # it only waited, and was withdrawn
    posting = await desk.store.journals.posting(desk.reference("1"))
    assert posting is not None
    assert posting.state is PostingState.WITHDRAWN
    await desk.sealed("2")
    with pytest.raises(PostedElsewhere, match="is in an import"):
        await till.intend("2")
    assert await till.creations.creation(till.reference("2")) is None


async def test_a_creation_on_its_way_keeps_the_same_sale_from_being_staged(till: Till, desk: Any) -> None:
    till.shop = desk.shop
    await till.intend("1")
    assert (await desk.stage("1")).outcome == "staged"
    assert await till.state("1") is CreationState.WITHDRAWN
    await till.sent("2")
    with pytest.raises(PostedElsewhere, match="may be on its way"):
        await desk.stage("2")
    assert await till.found("2")
    with pytest.raises(PostedElsewhere, match="1007 is there"):
        await desk.stage("2")
    assert await desk.waiting() == 1
