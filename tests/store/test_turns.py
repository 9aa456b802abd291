"""A step of a document that another one followed meanwhile writes nothing."""

import datetime as dt

import pytest

from contracts.flow import State
from store.rows import DocumentRow
from store.turns import Superseded
from tests.store.conftest import NOW, Desk

LATER = NOW + dt.timedelta(seconds=1)


async def test_an_older_step_does_not_replace_what_a_later_one_staged(desk: Desk) -> None:
    await desk.stage("1", "10.00", turn=NOW)
    assert (await desk.stage("1", "12.50", turn=LATER)).outcome == "staged"
    with pytest.raises(Superseded):
        await desk.stage("1", "10.00", turn=NOW)
    content = await desk.store.journals.content(desk.reference("1"))
    assert content is not None
    assert str(content.total) == "12.50"


async def test_a_step_may_be_repeated(desk: Desk) -> None:
    await desk.stage("1", turn=NOW)
    assert (await desk.stage("1", turn=NOW)).outcome == "unchanged"


async def test_an_older_step_does_not_stage_again_what_a_later_one_withdrew(desk: Desk) -> None:
    await desk.stage("1", turn=NOW)
    assert await desk.store.journals.withdraw(desk.reference("1"), turn=desk.turn("1", LATER))
    with pytest.raises(Superseded):
        await desk.stage("1", turn=NOW)
    assert await desk.waiting() == 0


async def test_an_older_step_does_not_withdraw_what_a_later_one_staged(desk: Desk) -> None:
    await desk.stage("1", turn=LATER)
    with pytest.raises(Superseded):
        await desk.store.journals.withdraw(desk.reference("1"), turn=desk.turn("1", NOW))
    assert await desk.waiting() == 1


async def test_an_older_step_does_not_settle_a_document_anew(desk: Desk) -> None:
    def row(state: State) -> DocumentRow:
        return DocumentRow(
            tenant="acme",
            integration="us",
            connection=desk.shop,
            kind="order",
            id="1",
            modified_at=NOW,
            state=state,
            at=NOW,
        )

    await desk.store.documents.settle(row(State.POSTED), turn=desk.turn("1", LATER))
    with pytest.raises(Superseded):
        await desk.store.documents.settle(row(State.NEEDS_REVIEW), turn=desk.turn("1", NOW))
    known = await desk.store.documents.get(desk.shop, "order", "1")
    assert known is not None
    assert known.state is State.POSTED


async def test_documents_do_not_supersede_each_other(desk: Desk) -> None:
    await desk.stage("1", turn=LATER)
    assert (await desk.stage("2", turn=NOW)).outcome == "staged"
