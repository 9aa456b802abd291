"""Documents are told in the transaction that records what became of their journals."""

import datetime as dt
from typing import Any

import pytest

from contracts.flow import State
from contracts.journal import FateKind
from store.arrivals import Arrival
from store.rows import DocumentRow, PostingState
from tests.store.conftest import Desk

NOW = dt.datetime(2026, 3, 2, 15, 0, tzinfo=dt.UTC)
AFTER = NOW + dt.timedelta(seconds=1)


async def _stands(desk: Desk, order: str, state: State) -> None:
    row = DocumentRow(
        tenant="acme",
        integration="us",
        connection=desk.shop,
        kind="order",
        id=order,
        modified_at=NOW,
        fingerprint="f1",
        state=state,
        reason="as before",
        job="poll 1",
        at=NOW,
    )
    await desk.store.documents.settle(row)


async def _told(desk: Desk, group_id: int, kind: FateKind, *orders: str, ordinal: int = 1) -> None:
    """The journals of these orders have this fate, and their documents stand accordingly."""
    state = State.NEEDS_REVIEW if kind is FateKind.REFUSED else State.POSTED
    fates = [
        desk.fate(order, kind, group_id).model_copy(update={"reference": desk.reference(order, ordinal=ordinal)})
        for order in orders
    ]
    arrivals = {
        desk.reference(order, ordinal=ordinal): Arrival(
            connection=desk.shop, kind="order", document_id=order, state=state, sentence=f"{kind} {order}"
        )
        for order in orders
    }
    await desk.store.groups.record_fates(group_id, fates, AFTER, arrivals=arrivals)


async def _row(desk: Desk, order: str) -> tuple[State, str, dt.datetime]:
    row = await desk.store.documents.get(desk.shop, "order", order)
    assert row is not None
    return row.state, row.reason, row.at


async def test_only_documents_that_still_wait_are_told(desk: Desk) -> None:
    group = await desk.sealed("2", "1")
    await _stands(desk, "1", State.WAITING_IMPORT)
    await _stands(desk, "2", State.NEEDS_REVIEW)
    await _told(desk, group, FateKind.POSTED, "2", "1")
    assert await _row(desk, "1") == (State.POSTED, "posted 1", AFTER)
    assert await _row(desk, "2") == (State.NEEDS_REVIEW, "as before", NOW)


async def test_a_refused_journal_takes_its_document_to_review_and_its_neighbour_goes_on_waiting(desk: Desk) -> None:
    group = await desk.sealed("1", "2")
    for order in ("1", "2"):
        await _stands(desk, order, State.WAITING_IMPORT)
    await _told(desk, group, FateKind.REFUSED, "1")
    await _told(desk, group, FateKind.RETRY, "2")
    assert await _row(desk, "1") == (State.NEEDS_REVIEW, "refused 1", AFTER)
    assert await _row(desk, "2") == (State.WAITING_IMPORT, "as before", NOW)


async def test_a_fate_that_is_not_new_tells_nobody(desk: Desk) -> None:
    group = await desk.sealed("1")
    await _told(desk, group, FateKind.POSTED, "1")
    await _stands(desk, "1", State.WAITING_IMPORT)
    await _told(desk, group, FateKind.POSTED, "1")
    assert await _row(desk, "1") == (State.WAITING_IMPORT, "as before", NOW)


async def test_a_document_that_waits_for_another_journal_goes_on_waiting(desk: Desk) -> None:
    group = await desk.sealed("1")
    await desk.tell(group, FateKind.IMPORTED, "1")
    # The sale is in the ledger and not posted yet; an edit was fetched, and its difference staged.
    await desk.stage("1", "12.00", ordinal=2)
    await _stands(desk, "1", State.WAITING_IMPORT)
    await _told(desk, group, FateKind.POSTED, "1")
    assert await _row(desk, "1") == (State.WAITING_IMPORT, "as before", NOW)
    following = await desk.seal()
    assert following is not None
    await _told(desk, following, FateKind.POSTED, "1", ordinal=2)
    assert await _row(desk, "1") == (State.POSTED, "posted 1", AFTER)


async def test_the_fate_and_the_document_are_written_together_or_not_at_all(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = await desk.sealed("1")
    await _stands(desk, "1", State.WAITING_IMPORT)

    def dies(*_: Any) -> None:
        raise RuntimeError("the worker dies")

    with monkeypatch.context() as patched:
        patched.setattr(type(desk.store.audit), "within", lambda *_: dies)
        with pytest.raises(RuntimeError, match="dies"):
            await _told(desk, group, FateKind.POSTED, "1")
    assert await _row(desk, "1") == (State.WAITING_IMPORT, "as before", NOW)
    (member,) = await desk.store.groups.members(group)
    assert member.state is PostingState.GROUPED
    await _told(desk, group, FateKind.POSTED, "1")
    assert await _row(desk, "1") == (State.POSTED, "posted 1", AFTER)
