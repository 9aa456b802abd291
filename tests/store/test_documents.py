import datetime as dt

from contracts.flow import State
from contracts.journal import Problem
from store import Store
from store.rows import DocumentRow

NOW = dt.datetime(2026, 3, 2, 15, 0, tzinfo=dt.UTC)
BEFORE, AFTER = NOW - dt.timedelta(seconds=1), NOW + dt.timedelta(seconds=1)


def _document(
    connection: str, document_id: str, state: State = State.POSTED, modified_at: dt.datetime = NOW, tenant: str = "acme"
) -> DocumentRow:
    return DocumentRow(
        tenant=tenant,
        integration=f"of-{connection}",
        connection=connection,
        kind="order",
        id=document_id,
        modified_at=modified_at,
        fingerprint="f1",
        state=state,
        reason="posted as J-1",
        problems=(Problem(code="unmapped_account", sentence="Gift Cards", remedy="Add a rule."),),
        job="poll 1",
        at=NOW,
    )


async def test_a_document_reads_back_as_it_was_settled(store: Store, fresh: str) -> None:
    assert await store.documents.get(fresh, "order", "1") is None
    await store.documents.settle(_document(fresh, "1"))
    assert await store.documents.get(fresh, "order", "1") == _document(fresh, "1")


async def test_an_older_stamp_does_not_undo_a_newer_one(store: Store, fresh: str) -> None:
    await store.documents.settle(_document(fresh, "1", State.WAITING_IMPORT, AFTER))
    await store.documents.settle(_document(fresh, "1", State.POSTED, NOW))
    known = await store.documents.get(fresh, "order", "1")
    assert known is not None
    assert (known.state, known.modified_at) == (State.POSTED, AFTER)


async def test_a_poll_starts_only_what_changed_since_it_was_fetched(store: Store, fresh: str) -> None:
    for document_id, state in (("posted", State.POSTED), ("review", State.NEEDS_REVIEW), ("open", State.RUNNING)):
        await store.documents.settle(_document(fresh, document_id, state))
    seen = [("posted", NOW), ("review", BEFORE), ("open", NOW), ("unknown", NOW)]
    assert await store.documents.settled(fresh, "order", seen) == {"posted", "review"}
    assert await store.documents.settled(fresh, "order", [("posted", AFTER)]) == frozenset()
    assert await store.documents.settled(fresh, "order", []) == frozenset()
    assert await store.documents.settled(f"{fresh}-eu", "order", seen) == frozenset()


async def test_a_large_page_is_compared_at_once(store: Store, fresh: str) -> None:
    await store.documents.settle(_document(fresh, "1199"))
    page = [(str(number), NOW) for number in range(1200)]
    assert await store.documents.settled(fresh, "order", page) == {"1199"}


async def test_review_lists_what_waits_for_a_person(store: Store, fresh: str) -> None:
    await store.documents.settle(_document(fresh, "1", State.NEEDS_REVIEW, tenant=f"t-{fresh}"))
    await store.documents.settle(_document(fresh, "2", State.POSTED, tenant=f"t-{fresh}"))
    assert [one.id for one in await store.documents.review_list(f"t-{fresh}")] == ["1"]
    assert "1" in [one.id for one in await store.documents.review_list() if one.connection == fresh]
    assert await store.documents.counts_by_state(f"of-{fresh}") == {State.NEEDS_REVIEW: 1, State.POSTED: 1}
    assert (await store.documents.counts_by_state())[State.NEEDS_REVIEW] >= 1


async def test_what_a_person_decided_about_is_known_through_a_review_and_no_longer(store: Store, fresh: str) -> None:
    decided = _document(fresh, "1", State.SKIPPED).model_copy(
        update={"decided_by": "dana", "decided_version": "f1:5:False:False"}
    )
    kept = []
    await store.documents.settle(decided)
    for state in (State.NEEDS_REVIEW, State.POSTED):
        await store.documents.settle(_document(fresh, "1", state))
        known = await store.documents.get(fresh, "order", "1")
        assert known is not None
        kept.append(known.decided_version)
    assert kept == ["f1:5:False:False", ""]
