"""A store that was restored from a backup has forgotten what was sent: by the books of the till, never by our own."""

import datetime as dt

import pytest
from sqlalchemy import Connection, Delete, Update, delete, update

from activities.posting.subject import DIFFERS, TAKEN, UNKNOWN
from contracts.steps.documents import Created
from store.creating.creation import CreationState
from store.schema import creations
from tests.activities.conftest import LIMIT, SETTLE, Desk

SOON = dt.timedelta(minutes=30)


def code(created: Created) -> str:
    assert created.outcome == "review"
    assert created.problem is not None
    return created.problem.code


async def changed(desk: Desk, statement: Update | Delete) -> None:
    """Past the store's own ways: what a backup does."""
    mine = statement.where(creations.c.reference == desk.reference)

    def unit(connection: Connection) -> None:
        connection.execute(mine)

    await desk.store._database.write(unit)


async def restored(desk: Desk) -> None:
    """The store of before the intent, and the recovery that ends its standstill."""
    await changed(desk, delete(creations))
    await desk.store.epochs.recovered(0, now=desk.clock())


async def read_back(desk: Desk) -> None:
    """What the recovery writes of a document that the till shows."""
    (row,) = desk.till.rows
    blank = {"state": CreationState.POSTED, "fingerprint": "", "content": None, "digest": ""}
    target = {"target_id": row.id, "target_number": f"N{row.id}", "recovered_at": desk.clock()}
    await changed(desk, update(creations).values(**blank, **target))


async def test_what_a_restored_store_forgot_is_not_sent_again(lenient: Desk) -> None:
    lenient.till.faults, lenient.till.late_by = ["late"], dt.timedelta(minutes=40)
    begun = lenient.clock()
    assert (await lenient.post()).outcome == "in_doubt"
    lenient.clock.advance(SOON)
    await restored(lenient)
    assert (await lenient.post(open_since=begun)).outcome == "in_doubt"
    assert (await lenient.ended(open_since=begun)).outcome == "posted"
    assert (len(lenient.till.rows), lenient.till.sends) == (1, 1)


async def test_what_never_comes_is_asked_about_and_sent_when_a_person_says_so(lenient: Desk) -> None:
    lenient.till.faults = ["cut"]
    begun = lenient.clock()
    await lenient.post()
    lenient.clock.advance(SOON)
    await restored(lenient)
    recovered = lenient.clock()
    assert code(await lenient.ended(open_since=begun)) == UNKNOWN
    assert lenient.clock() - recovered >= LIMIT - SOON - SETTLE
    assert lenient.till.sends == 1
    assert (await lenient.ended(open_since=begun, declared="d-1")).outcome == "posted"
    assert (len(lenient.till.rows), lenient.till.sends) == (1, 2)


async def test_a_till_that_refuses_duplicates_is_sent_it_again(strict: Desk) -> None:
    strict.till.faults = ["lost"]
    begun = strict.clock()
    await strict.post()
    await restored(strict)
    assert (await strict.ended(open_since=begun)).outcome == "posted"
    assert len(strict.till.rows) == 1


async def test_what_began_after_the_recovery_is_sent_at_once(desk: Desk) -> None:
    await desk.store.epochs.recovered(0, now=desk.clock())
    desk.clock.advance(SOON)
    assert (await desk.post(open_since=desk.clock())).outcome == "posted"
    assert desk.till.sends == 1


async def test_a_document_that_was_read_back_is_believed_when_it_is_the_same_sale(desk: Desk) -> None:
    await desk.post()
    await read_back(desk)
    assert (await desk.post()).outcome == "posted"
    row = await desk.store.creations.creation(desk.reference)
    assert row is not None
    assert row.fingerprint == "total 10.00"
    assert (desk.till.sends, len(desk.till.rows)) == (1, 1)


@pytest.mark.parametrize(("total", "account"), [("12.00", "4000"), ("10.00", "4711")])
async def test_a_document_that_was_read_back_and_is_another_sale_was_edited(
    desk: Desk, total: str, account: str
) -> None:
    await desk.post()
    await read_back(desk)
    assert (await desk.post(total, account)).outcome == "edited_after_posting"
    assert desk.till.sends == 1


async def test_an_edit_that_keeps_the_amount_is_seen_also_when_the_store_knows_nothing(desk: Desk) -> None:
    desk.till.proves = True
    await desk.post()
    await restored(desk)
    assert (await desk.post("10.00", "4711")).outcome == "edited_after_posting"
    assert desk.till.sends == 1


async def test_another_amount_under_our_reference_is_a_difference(desk: Desk) -> None:
    desk.till.proves = True
    await desk.post()
    await restored(desk)
    assert code(await desk.post("12.00")) == DIFFERS
    assert desk.till.sends == 1


async def test_a_number_alone_proves_nothing(desk: Desk) -> None:
    await desk.post()
    await restored(desk)
    assert code(await desk.post("12.00")) == TAKEN
    assert desk.till.sends == 1


async def test_what_a_person_gave_up_and_is_wanted_again_can_be_decided(lenient: Desk) -> None:
    lenient.till.faults = ["cut"]
    assert code(await lenient.ended()) == UNKNOWN
    assert await lenient.store.creations.withdraw(lenient.reference, skipped=True, by_person=True)
    assert code(await lenient.posting().resolve()) == UNKNOWN
    assert (await lenient.posting(declared="d-1").resolve()).outcome == "absent"


async def test_a_request_that_never_left_is_on_record_as_not_sent(desk: Desk) -> None:
    def away() -> None:
        raise ConnectionError("Temporal does not answer")

    desk.parts.epochs.during = away
    with pytest.raises(ConnectionError):
        await desk.post()
    assert await desk.trail() == ["intended", "sent", "not_sent"]
