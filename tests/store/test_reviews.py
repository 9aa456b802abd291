"""Documents in review, counted and paged by either database; events that are told once."""

import asyncio
import datetime as dt

from contracts.flow import State
from contracts.journal import Problem
from store import Store
from store.rows import AuditEvent, DocumentRow

NOW = dt.datetime(2026, 3, 2, 15, 0, tzinfo=dt.UTC)


def _problem(code: str, sentence: str = "It waits.") -> Problem:
    return Problem(code=code, sentence=sentence, remedy="Repair it.")


def _document(fresh: str, number: int, *codes: str, state: State = State.NEEDS_REVIEW) -> DocumentRow:
    return DocumentRow(
        tenant=f"t-{fresh}",
        integration=f"of-{fresh}",
        connection=fresh,
        kind="order",
        id=f"{number:03}",
        modified_at=NOW,
        fingerprint="f",
        state=state,
        reason="it waits",
        problems=tuple(map(_problem, codes)),
        job="poll 1",
        at=NOW + dt.timedelta(minutes=number),
    )


async def _fill(store: Store, fresh: str) -> None:
    quoted = _document(fresh, 4).model_copy(
        update={"problems": (_problem("vendor_404", 'It answered {"code": "no_books"} and 100% "code": "no_books".'),)}
    )
    for row in (
        _document(fresh, 1, "unmapped_account"),
        _document(fresh, 2, "period_closed", "unmapped_account"),
        _document(fresh, 3),
        quoted,
        _document(fresh, 5, "unmapped_account", state=State.POSTED),
    ):
        await store.documents.settle(row)


async def test_reviews_are_counted_under_their_first_problem(store: Store, fresh: str) -> None:
    await _fill(store, fresh)
    counted = await store.documents.review_causes(f"t-{fresh}")
    assert {one.code: one.count for one in counted} == {
        "needs_review": 1,
        "period_closed": 1,
        "unmapped_account": 1,
        "vendor_404": 1,
    }
    assert next(one.oldest for one in counted if one.code == "period_closed") == NOW + dt.timedelta(minutes=2)


async def test_reviews_are_found_by_any_of_their_problems_and_by_nothing_that_a_sentence_quotes(
    store: Store, fresh: str
) -> None:
    await _fill(store, fresh)
    tenant = f"t-{fresh}"
    for code, ids in {
        "unmapped_account": ["001", "002"],
        "period_closed": ["002"],
        "vendor_*": ["004"],
        "vendor_404": ["004"],
        "needs_review": ["003"],
        "no_books": [],
        "vendorX404": [],
        "unmapped_accoun_": [],
    }.items():
        page = await store.documents.review_page(tenant, code, limit=10)
        assert [row.id for row in page] == ids, code
        assert await store.documents.review_count(tenant, code) == len(ids)


async def test_reviews_are_paged_longest_waiting_first_and_gone_through_by_key(store: Store, fresh: str) -> None:
    await _fill(store, fresh)
    pages = [await store.documents.review_page(f"t-{fresh}", limit=3, offset=offset) for offset in (0, 3)]
    assert [[row.id for row in page] for page in pages] == [["001", "002", "003"], ["004"]]
    first = await store.documents.review_after([f"of-{fresh}"], None, limit=3)
    rest = await store.documents.review_after([f"of-{fresh}"], (fresh, "order", first[-1].id), limit=3)
    assert [row.id for row in (*first, *rest)] == ["001", "002", "003", "004"]
    later = await store.documents.review_after([f"of-{fresh}"], None, limit=9, since=NOW + dt.timedelta(minutes=3))
    assert [row.id for row in later] == ["003", "004"]
    assert await store.documents.review_after([], None, limit=3) == ()
    assert [row.id for row in await store.documents.in_review("002", fresh)] == ["002"]
    assert await store.documents.in_review("005", fresh) == ()


async def test_a_step_that_is_repeated_by_several_at_once_is_told_once(store: Store, fresh: str) -> None:
    event = AuditEvent(
        tenant="acme",
        connection=fresh,
        kind="order",
        document_id="1",
        at=NOW,
        action="decided",
        sentence="retry decided by Ann: it is open now",
        details={},
        job="decision:1",
    )
    another = event.model_copy(update={"job": "decision:2"})
    await asyncio.gather(*(store.audit.append_once([event, another]) for _ in range(8)))
    await store.audit.append_once([])
    told = await store.audit.of(fresh, "order", "1")
    assert sorted(one.job for one in told) == ["decision:1", "decision:2"]
