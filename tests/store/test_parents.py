"""Refunds belong to an order: which of them wait for it, and what of them is in the ledger."""

import asyncio
import datetime as dt
from typing import Any

import pytest
from sqlalchemy import Connection, update

from contracts.flow import State
from store import Store
from store.rows import DocumentRow
from store.schema import postings

NOW = dt.datetime(2026, 3, 2, 15, 0, tzinfo=dt.UTC)


def refund(connection: str, refund_id: str, state: State, order_id: str = "1024", decided_by: str = "") -> DocumentRow:
    return DocumentRow(
        tenant="acme",
        integration=f"of-{connection}",
        connection=connection,
        kind="refund",
        id=refund_id,
        parent_id=order_id,
        modified_at=NOW,
        state=state,
        reason="because",
        decided_by=decided_by,
        at=NOW,
    )


async def waiting(store: Store, connection: str, *order_ids: str) -> list[str]:
    return [row.id for row in await store.documents.refunds_waiting_for(connection, order_ids)]


async def test_whatever_is_not_booked_and_not_decided_waits_for_its_order(store: Store, fresh: str) -> None:
    for refund_id, state in enumerate(State):
        await store.documents.settle(refund(fresh, str(refund_id), state))
    await store.documents.settle(refund(fresh, "decided", State.SKIPPED, decided_by="dana"))
    await store.documents.settle(refund(fresh, "another", State.WAITING_PARENT, order_id="1025"))
    found = await store.documents.refunds_waiting_for(fresh, ["1024"])
    assert {row.state for row in found} == {State.RUNNING, State.WAITING_PARENT, State.NEEDS_REVIEW, State.SKIPPED}
    assert "decided" not in {row.id for row in found}
    assert await waiting(store, fresh, "1025") == ["another"]
    assert len(await waiting(store, fresh, "1024", "1025")) == 5
    assert await waiting(store, f"{fresh}-eu", "1024", "1025") == []
    assert await waiting(store, fresh) == []


async def test_many_orders_are_asked_after_at_once(store: Store, fresh: str) -> None:
    await store.documents.settle(refund(fresh, "7", State.WAITING_PARENT, order_id="1199"))
    assert await waiting(store, fresh, *map(str, range(1200))) == ["7"]


async def test_an_order_is_no_refund_of_another(store: Store, fresh: str) -> None:
    order = refund(fresh, "1024", State.RUNNING, order_id="").model_copy(update={"kind": "order"})
    await store.documents.settle(order)
    assert await waiting(store, fresh, "", "1024") == []


async def test_a_step_that_does_not_know_the_order_leaves_it_as_it_is(store: Store, fresh: str) -> None:
    await store.documents.settle(refund(fresh, "7", State.WAITING_PARENT))
    await store.documents.settle(refund(fresh, "7", State.NEEDS_REVIEW, order_id=""))
    known = await store.documents.get(fresh, "refund", "7")
    assert known is not None
    assert (known.state, known.parent_id) == (State.NEEDS_REVIEW, "1024")


async def test_a_sweep_asks_after_refunds_that_have_waited_long(store: Store, fresh: str) -> None:
    await store.documents.settle(refund(fresh, "7", State.WAITING_PARENT))
    seen = [("7", NOW)]
    assert await store.documents.settled(fresh, "refund", seen) == {"7"}
    assert await store.documents.settled(fresh, "refund", seen, waiting_since=NOW) == frozenset()


async def stage(desk: Any, refund_id: str, parent_id: str) -> str:
    journal = desk.journal(f"refund-{refund_id}")
    await desk.store.journals.stage(
        journal,
        tenant="acme",
        integration="us",
        connection=desk.shop,
        fusion="fusion-us",
        kind="refund",
        document_id=refund_id,
        parent_id=parent_id,
        purpose="refund",
        ordinal=1,
        fingerprint="f1",
        now=NOW,
    )
    reference: str = journal.reference
    return reference


async def test_journals_are_found_by_the_order_they_belong_to(desk: Any) -> None:
    for refund_id, parent_id in (("7", "1024"), ("8", "1024"), ("9", "1025")):
        await stage(desk, refund_id, parent_id)
    await desk.stage("1024")
    journals = desk.store.journals
    found = await journals.postings_below(desk.shop, "1024")
    assert [(one.key.kind, one.key.document_id, one.key.parent_id) for one in found] == [
        ("refund", "7", "1024"),
        ("refund", "8", "1024"),
    ]


async def test_a_journal_that_was_read_back_learns_its_order_when_its_refund_is_looked_at(desk: Any) -> None:
    reference = await stage(desk, "7", "1024")
    forgotten = update(postings).where(postings.c.reference == reference).values(parent_id="")

    def unit(connection: Connection) -> None:
        connection.execute(forgotten)

    await desk.store._database.write(unit)
    await stage(desk, "7", "1024")
    posting = await desk.store.journals.posting(reference)
    assert posting.key.parent_id == "1024"


async def follow(desk: Any, order: str, purpose: str) -> str:
    """What changes an order that is in the ledger."""
    journal = desk.journal(f"{order}-{purpose}")
    staged = await desk.store.journals.stage(
        journal,
        tenant="acme",
        integration="us",
        connection=desk.shop,
        fusion="fusion-us",
        kind="order",
        document_id=order,
        purpose=purpose,
        ordinal=1,
        fingerprint="f2",
        now=NOW,
    )
    outcome: str = staged.outcome
    return outcome


async def staged_refund(desk: Any, order: str) -> str:
    journal = desk.journal(f"{order}-refund")
    staged = await desk.store.journals.stage(
        journal,
        tenant="acme",
        integration="us",
        connection=desk.shop,
        fusion="fusion-us",
        kind="refund",
        document_id=f"of-{order}",
        parent_id=order,
        purpose="refund",
        ordinal=1,
        fingerprint="f1",
        now=NOW,
    )
    outcome: str = staged.outcome
    return outcome


async def posted_order(desk: Any, order: str) -> None:
    await desk.stage(order)
    await desk.store.journals.mark_posted(
        desk.reference(order), target="J-1", who="dana", why="entered by hand", now=NOW
    )


@pytest.mark.parametrize("purpose", ["reversal", "delta"])
async def test_what_changes_an_order_is_not_staged_while_a_refund_is_on_its_way(desk: Any, purpose: str) -> None:
    await posted_order(desk, "1024")
    assert await staged_refund(desk, "1024") == "staged"
    assert await follow(desk, "1024", purpose) == "superseded"


async def test_a_refund_is_not_staged_while_its_order_changes_in_the_ledger(desk: Any) -> None:
    await posted_order(desk, "1024")
    assert await follow(desk, "1024", "reversal") == "staged"
    assert await staged_refund(desk, "1024") == "superseded"


async def test_of_a_refund_and_a_reversal_that_race_one_is_staged(desk: Any) -> None:
    for number in range(10):
        order = str(2000 + number)
        await posted_order(desk, order)
        outcomes = await asyncio.gather(staged_refund(desk, order), follow(desk, order, "reversal"))
        assert sorted(outcomes) == ["staged", "superseded"]
