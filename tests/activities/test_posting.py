"""One document, whatever goes wrong: by the books of the till, never by our own."""

import asyncio
import datetime as dt
from typing import Any

import pytest

from activities.posting.subject import DIFFERS, DUPLICATE, REFUSED, TAKEN, UNKNOWN
from clients.errors import NotSent, RateLimited, Unauthorized, Unavailable
from contracts.steps.documents import Created
from store.creating.creation import CreationState
from tests.activities.conftest import DEADLINE, LIMIT, SETTLE, Desk, KilledError, new_desk

Store = Any


def code(created: Created) -> str:
    assert created.outcome == "review"
    assert created.problem is not None
    return created.problem.code


async def state(desk: Desk) -> CreationState:
    row = await desk.store.creations.creation(desk.reference)
    assert row is not None
    return row.state


async def test_a_document_is_created_once_however_often_it_is_asked_for(desk: Desk) -> None:
    first = await desk.post()
    assert first.outcome == "posted"
    assert first == (await desk.post()).model_copy(update={"epoch": first.epoch})
    assert [row.id for row in desk.till.rows] == [first.target_id]
    assert desk.till.sends == 1
    assert await desk.trail() == ["intended", "sent", "posted"]


async def test_of_many_workers_at_once_one_creates_it(desk: Desk) -> None:
    await asyncio.gather(*(desk.post() for _ in range(12)))
    assert (await desk.ended()).outcome == "posted"
    assert len(desk.till.rows) == desk.till.sends == 1


async def test_what_is_there_already_is_adopted(desk: Desk) -> None:
    """A store that was restored, or a worker that forgot."""
    desk.till.commit(desk.bill())
    assert (await desk.post()).outcome == "posted"
    assert desk.till.sends == 0
    assert await desk.trail() == ["intended", "adopted"]


async def test_an_answer_that_was_lost_is_found_and_nobody_looks_before_it_has_settled(desk: Desk) -> None:
    desk.till.faults = ["lost"]
    doubtful = await desk.post()
    assert (doubtful.outcome, doubtful.until) == ("in_doubt", desk.clock() + DEADLINE + SETTLE)
    looks = desk.till.looks
    desk.clock.advance(DEADLINE)
    assert await desk.post() == doubtful
    assert desk.till.looks == looks
    assert (await desk.ended()).outcome == "posted"
    assert len(desk.till.rows) == desk.till.sends == 1
    assert await desk.trail() == ["intended", "sent", "in_doubt", "adopted"]


async def test_a_worker_that_died_after_sending_leaves_it_to_be_found(desk: Desk) -> None:
    desk.till.faults = ["killed"]
    with pytest.raises(KilledError):
        await desk.post()
    assert (await desk.ended()).outcome == "posted"
    assert len(desk.till.rows) == desk.till.sends == 1
    assert await desk.trail() == ["intended", "sent", "in_doubt", "adopted"]


async def test_where_duplicates_are_refused_the_same_step_sends_again_after_settling(strict: Desk) -> None:
    strict.till.faults = ["cut", "502"]
    begun = strict.clock()
    assert (await strict.ended()).outcome == "posted"
    assert (len(strict.till.rows), strict.till.sends) == (1, 3)
    assert strict.clock() - begun >= 2 * (DEADLINE + SETTLE)


async def test_a_commit_that_comes_after_the_second_send_is_refused_by_the_vendor(strict: Desk) -> None:
    strict.till.faults, strict.till.late_by = ["late"], DEADLINE + SETTLE + dt.timedelta(minutes=2)
    assert (await strict.ended()).outcome == "posted"
    strict.clock.advance(LIMIT)
    strict.till.settle()
    assert (len(strict.till.rows), strict.till.sends) == (1, 2)


async def test_a_commit_before_the_second_send_that_is_shown_late_is_adopted(strict: Desk) -> None:
    strict.till.faults, strict.till.shown_after = ["lost"], dt.timedelta(minutes=20)
    assert (await strict.ended()).outcome == "posted"
    assert len(strict.till.rows) == 1
    assert strict.till.sends >= 2
    assert (await strict.trail())[-1] == "adopted"


@pytest.mark.parametrize("fault", ["cut", "502"])
async def test_where_duplicates_are_taken_absence_alone_never_permits_a_second_send(lenient: Desk, fault: str) -> None:
    lenient.till.faults = [fault]
    begun = lenient.clock()
    created = await lenient.ended()
    assert code(created) == UNKNOWN
    assert created.problem is not None
    assert lenient.reference in created.problem.sentence
    assert lenient.clock() - begun >= LIMIT
    assert (lenient.till.rows, lenient.till.sends) == ([], 1)
    assert 5 < lenient.till.looks < 60, "pauses grow"
    assert code(await lenient.post()) == UNKNOWN
    assert lenient.till.sends == 1


async def test_an_outage_uses_up_nobodys_patience(desk: Desk) -> None:
    desk.till.faults = ["cut"] * 2
    doubtful = await desk.post()
    desk.wait_until(doubtful)
    assert (await desk.post()).outcome == "in_doubt"
    desk.clock.advance(3 * LIMIT)
    assert (await desk.post()).outcome != "review"


async def test_a_commit_that_comes_late_is_adopted(lenient: Desk) -> None:
    lenient.till.faults, lenient.till.late_by = ["late"], dt.timedelta(minutes=40)
    assert (await lenient.ended()).outcome == "posted"
    assert len(lenient.till.rows) == lenient.till.sends == 1


async def test_a_commit_that_comes_after_the_limit_is_found_by_the_retry_that_declared_it_absent(desk: Desk) -> None:
    desk.till.faults, desk.till.late_by = ["late"] * 99, LIMIT + dt.timedelta(minutes=40)
    assert code(await desk.ended()) == UNKNOWN
    desk.till.faults = []
    desk.clock.advance(dt.timedelta(hours=2))
    sends = desk.till.sends
    assert (await desk.ended(declared="d-1")).outcome == "posted"
    assert desk.till.sends == sends
    assert len(desk.till.rows) == 1


async def test_a_person_declares_it_absent_and_it_is_sent_once_more_for_each_declaration(lenient: Desk) -> None:
    lenient.till.faults = ["cut", "cut"]
    assert code(await lenient.ended()) == UNKNOWN
    assert code(await lenient.ended(declared="d-1")) == UNKNOWN
    assert lenient.till.sends == 2
    assert code(await lenient.ended(declared="d-1")) == UNKNOWN
    assert lenient.till.sends == 2
    assert (await lenient.ended(declared="d-2")).outcome == "posted"
    assert (len(lenient.till.rows), lenient.till.sends) == (1, 3)
    (declared, _) = [
        event for event in await lenient.store.audit.of(lenient.name, "order", "1") if event.action == "declared_absent"
    ]
    assert (declared.details["who"], declared.details["why"]) == ("dana", "looked")


@pytest.mark.parametrize("fault", ["500", "503"])
async def test_what_the_vendor_itself_ended_is_sent_again_after_twice_the_settle_time(
    lenient: Desk, fault: str
) -> None:
    lenient.till.faults = [fault]
    begun = lenient.clock()
    assert (await lenient.ended()).outcome == "posted"
    assert (len(lenient.till.rows), lenient.till.sends) == (1, 2)
    assert lenient.clock() - begun >= DEADLINE + 2 * SETTLE
    assert await lenient.trail() == ["intended", "sent", "in_doubt", "absent", "sent", "posted"]


async def test_a_worker_that_was_paused_between_look_and_send_sends_nothing(desk: Desk) -> None:
    desk.till.during_look = lambda: desk.clock.advance(DEADLINE)
    assert (await desk.post()).outcome == "in_doubt"
    assert desk.till.sends == 0
    assert await state(desk) is CreationState.INTENDED
    desk.till.during_look = lambda: None
    assert (await desk.ended()).outcome == "posted"


async def test_a_machine_that_slept_after_the_mark_sends_nothing(desk: Desk) -> None:
    desk.parts.epochs.during = lambda: desk.clock.advance(DEADLINE)
    assert (await desk.post()).outcome == "in_doubt"
    assert desk.till.sends == 0
    assert await state(desk) is CreationState.INTENDED


async def test_nothing_is_sent_while_the_epoch_cannot_be_kept_outside_the_store(desk: Desk) -> None:
    def away() -> None:
        raise ConnectionError("Temporal does not answer")

    desk.parts.epochs.during = away
    with pytest.raises(ConnectionError):
        await desk.post()
    assert desk.till.sends == 0
    desk.parts.epochs.during = lambda: None
    assert (await desk.post()).outcome == "posted"


async def test_a_store_that_is_behind_posts_nothing(desk: Desk) -> None:
    desk.parts.epochs.sentence = "The store was restored."
    behind = await desk.post()
    assert (behind.outcome, behind.sentence, desk.till.looks) == ("behind", "The store was restored.", 0)


@pytest.mark.parametrize(
    "error", [NotSent("till", "down"), Unavailable("till", "429"), RateLimited("till", "429", retry_after=7)]
)
async def test_what_was_not_sent_or_was_declined_before_it_began_is_tried_again(desk: Desk, error: Exception) -> None:
    create = desk.till.create

    async def fails(*_: Any, **__: Any) -> Any:
        raise error

    desk.till.create = fails  # type: ignore[method-assign]
    with pytest.raises(type(error)):
        await desk.post()
    desk.till.create = create  # type: ignore[method-assign]
    assert (await desk.post()).outcome == "posted"


async def test_a_look_that_fails_sends_nothing(desk: Desk) -> None:
    look = desk.till.look

    async def fails(*_: Any, **__: Any) -> Any:
        raise Unauthorized("till", "sign in")

    desk.till.look = fails  # type: ignore[method-assign]
    with pytest.raises(Unauthorized):
        await desk.post()
    desk.till.look = look  # type: ignore[method-assign]
    assert desk.till.sends == 0
    assert (await desk.post()).outcome == "posted"


async def test_a_reference_that_does_not_fit_its_home_is_never_sent(desk: Desk) -> None:
    desk.till.length = len(desk.reference) - 1
    with pytest.raises(ValueError, match="does not fit"):
        await desk.post()
    assert (desk.till.looks, desk.till.sends) == (0, 0)


async def test_a_refusal_goes_to_review_with_all_the_vendor_said_and_a_retry_sends_again(desk: Desk) -> None:
    desk.till.faults = ["refused"]
    refused = await desk.post()
    assert code(refused) == REFUSED
    assert refused.problem is not None
    assert "Unknown account. / Closed period." in refused.problem.sentence
    assert await state(desk) is CreationState.REVIEW
    assert (await desk.post()).outcome == "posted"
    assert await desk.trail() == ["intended", "sent", "review", "sent", "posted"]


async def test_a_refusal_does_not_make_an_earlier_send_forgotten(strict: Desk) -> None:
    strict.till.faults, strict.till.late_by = ["late", "refused"], DEADLINE + SETTLE + dt.timedelta(minutes=1)
    assert code(await strict.ended()) == REFUSED
    strict.clock.advance(dt.timedelta(minutes=2))
    sends = strict.till.sends
    assert (await strict.ended()).outcome == "posted"
    assert (len(strict.till.rows), strict.till.sends) == (1, sends)


async def test_a_document_of_somebody_else_is_not_adopted(desk: Desk) -> None:
    row = desk.till.commit(desk.bill("99.00"), ours=False)
    assert code(await desk.post()) == TAKEN
    assert code(await desk.post()) == TAKEN
    assert desk.till.sends == 0
    row.reference = "renumbered"
    assert (await desk.post()).outcome == "posted"


async def test_what_somebody_else_numbers_between_look_and_send_is_not_taken_for_ours(strict: Desk) -> None:
    def numbered() -> None:
        if not strict.till.rows:
            strict.till.commit(strict.bill("99.00"), ours=False)

    strict.till.during_look = numbered
    assert code(await strict.post()) == TAKEN
    assert strict.till.sends == 1


async def test_an_amount_that_the_vendor_changed_is_posted_with_a_difference_and_never_sent_again(desk: Desk) -> None:
    desk.till.tax = desk.bill("0.83").total
    created = await desk.post()
    assert code(created) == DIFFERS
    assert created.target_id == desk.till.rows[0].id
    assert await state(desk) is CreationState.DIFFERS
    desk.till.tax -= desk.till.tax
    for _ in range(3):
        assert code(await desk.post()) == DIFFERS
    assert code(await desk.post(declared="d-1")) == DIFFERS
    assert len(desk.till.rows) == desk.till.sends == 1
    desk.till.rows[0].total = desk.bill().total
    assert (await desk.post()).outcome == "posted"
    assert len(desk.till.rows) == desk.till.sends == 1


async def test_what_differed_and_was_deleted_is_not_sent_again(desk: Desk) -> None:
    desk.till.tax = desk.bill("0.83").total
    assert code(await desk.post()) == DIFFERS
    desk.till.rows.clear()
    assert code(await desk.post()) == DIFFERS
    assert desk.till.sends == 1


async def test_an_amount_that_differs_is_found_also_when_the_answer_was_lost(desk: Desk) -> None:
    desk.till.tax, desk.till.faults = desk.bill("0.83").total, ["lost"]
    assert code(await desk.ended()) == DIFFERS
    assert len(desk.till.rows) == desk.till.sends == 1


async def test_two_documents_with_our_reference_are_for_a_person(desk: Desk) -> None:
    desk.till.commit(desk.bill())
    desk.till.commit(desk.bill())
    created = await desk.post()
    assert code(created) == DUPLICATE
    assert created.problem is not None
    assert all(f"N{row.id}" in created.problem.sentence for row in desk.till.rows)
    assert desk.till.sends == 0


async def test_what_was_created_and_is_shown_late_is_waited_for(desk: Desk) -> None:
    desk.till.shown_after = dt.timedelta(minutes=5)
    assert (await desk.post()).outcome == "in_doubt"
    assert (await desk.ended()).outcome == "posted"
    assert len(desk.till.rows) == desk.till.sends == 1


async def test_an_edit_after_posting_is_for_a_person(desk: Desk) -> None:
    assert (await desk.post()).outcome == "posted"
    assert (await desk.post("12.50")).outcome == "edited_after_posting"
    assert (await desk.post()).outcome == "posted"
    assert len(desk.till.rows) == 1


async def test_an_edit_before_sending_is_what_is_sent(desk: Desk) -> None:
    desk.till.faults = ["refused"]
    await desk.post()
    assert (await desk.post("12.50")).outcome == "posted"
    assert [str(row.total) for row in desk.till.rows] == ["12.50"]


async def test_an_edit_while_the_older_version_is_in_doubt_waits_for_it(desk: Desk) -> None:
    desk.till.faults = ["lost"]
    await desk.post()
    assert (await desk.ended("12.50")).outcome == "edited_after_posting"
    assert [str(row.total) for row in desk.till.rows] == ["10.00"]
    assert (await desk.post()).outcome == "posted"


async def test_an_edit_that_keeps_the_amount_is_not_said_to_be_there_when_the_older_version_is(desk: Desk) -> None:
    desk.till.faults = ["lost"]
    await desk.post("10.00")
    assert (await desk.ended("10.0")).outcome == "edited_after_posting"


async def test_where_duplicates_are_refused_the_newer_version_takes_the_place_of_what_never_came(strict: Desk) -> None:
    strict.till.faults = ["cut"]
    await strict.post()
    assert (await strict.ended("12.50")).outcome == "posted"
    assert [str(row.total) for row in strict.till.rows] == ["12.50"]


async def test_an_older_version_that_comes_before_the_newer_is_sent_is_recognised(strict: Desk) -> None:
    strict.till.faults, strict.till.late_by = ["late"], dt.timedelta(minutes=3)
    strict.till.shown_after = dt.timedelta(minutes=10)
    await strict.post()
    strict.clock.advance(dt.timedelta(minutes=4))
    assert (await strict.ended("12.50")).outcome == "edited_after_posting"
    assert [str(row.total) for row in strict.till.rows] == ["10.00"]


async def test_when_nothing_is_to_be_created_any_more_it_is_only_found_out(desk: Desk) -> None:
    assert (await desk.posting().resolve()).outcome == "absent"
    desk.till.faults = ["500", "lost"]
    doubtful = await desk.post()
    while doubtful.outcome == "in_doubt":
        desk.wait_until(doubtful)
        doubtful = await desk.posting().resolve()
    assert (doubtful.outcome, desk.till.rows) == ("absent", [])
    doubtful = await desk.post()
    while doubtful.outcome == "in_doubt":
        desk.wait_until(doubtful)
        doubtful = await desk.posting().resolve()
    assert (doubtful.outcome, len(desk.till.rows), desk.till.sends) == ("edited_after_posting", 1, 2)


async def test_what_is_not_wanted_any_more_may_be_declared_absent_by_a_person(lenient: Desk) -> None:
    lenient.till.faults = ["cut"]
    assert code(await lenient.ended()) == UNKNOWN
    assert code(await lenient.posting().resolve()) == UNKNOWN
    assert (await lenient.posting(declared="d-1").resolve()).outcome == "absent"
    assert (await lenient.trail()).count("declared_absent") == 1
    assert await lenient.store.creations.withdraw(lenient.reference, skipped=True)


async def test_what_shows_itself_after_all_is_not_declared_away(desk: Desk) -> None:
    desk.till.faults, desk.till.late_by = ["late"] * 99, LIMIT + dt.timedelta(minutes=40)
    assert code(await desk.ended()) == UNKNOWN
    desk.clock.advance(dt.timedelta(hours=2))
    assert (await desk.posting(declared="d-1").resolve()).outcome == "edited_after_posting"
    assert "declared_absent" not in await desk.trail()


class Mortal:
    """The store's creations, in a process that dies at one of its calls, before it or after it."""

    def __init__(self, creations: Any, dies_at: int) -> None:
        self._creations = creations
        self.left = dies_at

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._creations, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            self._step()
            answer = await method(*args, **kwargs)
            self._step()
            return answer

        return call

    def _step(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise KilledError


class MortalStore:
    def __init__(self, store: Store, dies_at: int) -> None:
        self.creations = Mortal(store.creations, dies_at)


@pytest.mark.parametrize("faults", [[], ["lost"], ["500"], ["late"], ["refused", "lost"]], ids=str)
@pytest.mark.parametrize("refuses", [True, False], ids=["refuses duplicates", "takes duplicates"])
async def test_a_worker_that_dies_at_any_step_never_leads_to_a_second_document(
    store: Store, refuses: bool, faults: list[str]
) -> None:
    """Killed once at every boundary of the store, then done by workers that know nothing of it."""
    for dies_at in range(1, 60):
        desk = new_desk(store, refuses=refuses)
        desk.till.faults, desk.till.late_by = list(faults), DEADLINE + SETTLE + dt.timedelta(seconds=20)
        mortal = MortalStore(store, dies_at)
        try:
            while (created := await desk.post(store=mortal)).outcome in ("in_doubt", "review"):
                if created.outcome == "review" and code(created) == UNKNOWN:
                    break
                if created.until:
                    desk.wait_until(created)
        except KilledError:
            pass
        killed = mortal.creations.left <= 0
        for number in range(5):
            created = await desk.ended(declared=f"d-{number}")
            if created.outcome != "review":
                break
        assert created.outcome == "posted"
        assert len(desk.till.rows) == 1, f"killed at {dies_at}"
        if not killed:
            return
    raise AssertionError("it never came to its end")
