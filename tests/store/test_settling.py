"""Documents are told in the transaction that records what became of their journals."""

import asyncio
import datetime as dt
from typing import Any

import asyncpg
import pytest
from sqlalchemy.engine import make_url
from support.stack import eventually

import store.outbox.groups
from contracts.flow import State
from contracts.journal import FateKind
from store import Store, StoreUnavailable
from store.rows import DocumentRow, PostingState
from tests.store.conftest import Desk

NOW = dt.datetime(2026, 3, 2, 15, 0, tzinfo=dt.UTC)
AFTER = NOW + dt.timedelta(seconds=1)
PATIENTLY = 12
"""How often two groups are told at the same moment."""


async def _stands(
    desk: Desk, order: str, state: State = State.WAITING_IMPORT, *, fingerprint: str = "total 10.00"
) -> None:
    row = DocumentRow(
        tenant="acme",
        integration="us",
        connection=desk.shop,
        kind="order",
        id=order,
        modified_at=NOW,
        fingerprint=fingerprint,
        state=state,
        reason="as before",
        job="poll 1",
        at=NOW,
    )
    await desk.store.documents.settle(row)


async def _told(
    desk: Desk, group_id: int, kind: FateKind, *orders: str, purpose: str = "sale", by: Store | None = None
) -> None:
    """The journals of these orders have this fate; one that is posted is so as `J` and what it is for."""
    update = {"period": "Mar-26", "journal_name": f"J {purpose}"} if kind is FateKind.POSTED else {"sentence": "why"}
    fates = [desk.fate(order, kind, group_id, purpose=purpose).model_copy(update=update) for order in orders]
    await (by or desk.store).groups.record_fates(group_id, fates, AFTER)


async def _row(desk: Desk, order: str) -> tuple[State, str, dt.datetime]:
    row = await desk.store.documents.get(desk.shop, "order", order)
    assert row is not None
    return row.state, row.reason, row.at


POSTED = (State.POSTED, "posted in Mar-26 as J sale", AFTER)
WAITS = (State.WAITING_IMPORT, "as before", NOW)


async def test_only_documents_that_still_wait_are_told(desk: Desk) -> None:
    group = await desk.sealed("2", "1")
    await _stands(desk, "1")
    await _stands(desk, "2", State.NEEDS_REVIEW)
    await _told(desk, group, FateKind.POSTED, "2", "1")
    assert await _row(desk, "1") == POSTED
    assert await _row(desk, "2") == (State.NEEDS_REVIEW, "as before", NOW)


async def test_a_refused_journal_takes_its_document_to_review_and_its_neighbour_goes_on_waiting(desk: Desk) -> None:
    group = await desk.sealed("1", "2")
    for order in ("1", "2"):
        await _stands(desk, order)
    await _told(desk, group, FateKind.REFUSED, "1")
    await _told(desk, group, FateKind.RETRY, "2")
    assert await _row(desk, "1") == (State.NEEDS_REVIEW, "refused by Fusion:  why", AFTER)
    assert await _row(desk, "2") == WAITS


async def test_a_fate_that_is_not_new_tells_nobody(desk: Desk) -> None:
    group = await desk.sealed("1")
    await _told(desk, group, FateKind.POSTED, "1")
    await _stands(desk, "1")
    await _told(desk, group, FateKind.POSTED, "1")
    assert await _row(desk, "1") == WAITS


async def _changed(desk: Desk, purpose: str, orders: tuple[str, ...] = ("1",)) -> tuple[int, int]:
    """Sales that are imported and not posted yet, and what changes them after that: the two groups."""
    group = await desk.sealed(*orders)
    await desk.tell(group, FateKind.IMPORTED, *orders)
    for order in orders:
        await desk.stage(order, "12.00", purpose=purpose)
        await _stands(desk, order)
    following = await desk.seal()
    assert following is not None
    return group, following


async def test_a_document_that_waits_for_another_journal_goes_on_waiting(desk: Desk) -> None:
    group, following = await _changed(desk, "delta")
    await _told(desk, group, FateKind.POSTED, "1")
    assert await _row(desk, "1") == WAITS
    await _told(desk, following, FateKind.IMPORTED, "1", purpose="delta")
    assert await _row(desk, "1") == WAITS
    await _told(desk, following, FateKind.POSTED, "1", purpose="delta")
    assert await _row(desk, "1") == (State.POSTED, "posted in Mar-26 as J delta", AFTER)


@pytest.mark.parametrize(
    ("version", "state"), [("total 12.00", State.NEEDS_REVIEW), ("total 10.00", State.POSTED), ("", State.POSTED)]
)
async def test_what_an_older_journal_shows_does_not_hide_that_the_document_s_own_was_refused(
    desk: Desk, version: str, state: State
) -> None:
    group, following = await _changed(desk, "delta")
    await _stands(desk, "1", fingerprint=version)
    await _told(desk, following, FateKind.REFUSED, "1", purpose="delta")
    assert await _row(desk, "1") == WAITS
    await _told(desk, group, FateKind.POSTED, "1")
    assert (await _row(desk, "1"))[0] is state


async def test_of_a_cancelled_order_the_reversal_says_how_it_stands_whichever_is_heard_of_last(desk: Desk) -> None:
    group, following = await _changed(desk, "reversal")
    await _told(desk, following, FateKind.POSTED, "1", purpose="reversal")
    assert await _row(desk, "1") == WAITS
    await _told(desk, group, FateKind.POSTED, "1")
    assert await _row(desk, "1") == (State.REVERSED, "posted in Mar-26 as J reversal", AFTER)


async def test_two_groups_that_are_told_at_the_same_moment_leave_no_document_waiting(desk: Desk, other: Store) -> None:
    for number in range(PATIENTLY):
        orders = tuple(f"{number}-{one}" for one in range(5))
        group, following = await _changed(desk, "reversal", orders)
        await asyncio.gather(
            _told(desk, group, FateKind.POSTED, *orders),
            _told(desk, following, FateKind.POSTED, *orders, purpose="reversal", by=other),
        )
        assert {(await _row(desk, order))[0] for order in orders} == {State.REVERSED}


async def test_a_document_that_begins_to_wait_when_all_is_over_catches_up(desk: Desk) -> None:
    group = await desk.sealed("1", "2")
    await _told(desk, group, FateKind.POSTED, "1")
    await _told(desk, group, FateKind.IMPORTED, "2")
    for order in ("1", "2"):
        await _stands(desk, order)
        await desk.store.journals.catch_up((desk.shop, "order", order), AFTER)
    assert await _row(desk, "1") == POSTED
    assert await _row(desk, "2") == WAITS


async def test_a_document_that_begins_to_wait_while_its_journal_is_posted_never_waits_for_ever(
    desk: Desk, url: str
) -> None:
    if url.startswith("sqlite"):
        pytest.skip("SQLite has one writer at a time")
    group = await desk.sealed("1")
    await _told(desk, group, FateKind.IMPORTED, "1")
    # Whoever records the posting has seen no document that waits, and has not committed yet.
    recording = await asyncpg.connect(make_url(url).set(drivername="postgresql").render_as_string(hide_password=False))
    try:
        transaction = recording.transaction()
        await transaction.start()
        posted = "UPDATE postings SET state = 'posted', period = 'Mar-26', journal_name = 'J sale' WHERE reference = $1"
        await recording.execute(posted, desk.reference("1"))
        await _stands(desk, "1")
        waiting = asyncio.create_task(desk.store.journals.catch_up((desk.shop, "order", "1"), AFTER))
        blocked = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        await eventually(lambda: _is_one(recording, blocked), "the document waits for the fate to be written")
        assert not waiting.done()
        await transaction.commit()
        try:
            await waiting
        except StoreUnavailable:
            # This process stood still for longer than the database is waited for: the step is begun anew.
            await desk.store.journals.catch_up((desk.shop, "order", "1"), AFTER)
    finally:
        await recording.close()
    assert await _row(desk, "1") == POSTED


async def _is_one(connection: Any, question: str) -> bool:
    return bool(await connection.fetchval(question) == 1)


async def test_the_fate_and_the_document_are_written_together_or_not_at_all(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = await desk.sealed("1")
    await _stands(desk, "1")

    def dies(*_: Any) -> None:
        raise RuntimeError("the worker dies")

    with monkeypatch.context() as patched:
        patched.setattr(store.outbox.groups, "settle_documents", dies)
        with pytest.raises(RuntimeError, match="dies"):
            await _told(desk, group, FateKind.POSTED, "1")
    (member,) = await desk.store.groups.members(group)
    assert member.state is PostingState.GROUPED
    await _told(desk, group, FateKind.POSTED, "1")
    assert await _row(desk, "1") == POSTED
