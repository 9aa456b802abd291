"""Questions across documents, on both databases."""

import datetime as dt
from decimal import Decimal

from contracts.flow import State
from contracts.journal import FateKind, Journal, JournalFate, JournalLine, Purpose
from store import Store
from store.rows import DocumentRow

NOW = dt.datetime(2026, 3, 10, 12, 0, tzinfo=dt.UTC)


def journal(reference: str, *, suspense: bool) -> Journal:
    sides = [(Decimal("10.50"), Decimal(0)), (Decimal(0), Decimal("10.50"))]
    return Journal(
        reference=reference,
        description=reference,
        ledger="US",
        journal_source="Shop",
        journal_category="Sales",
        accounting_date=NOW.date(),
        date_reason="placed",
        currency="USD",
        lines=tuple(
            JournalLine(purpose=Purpose.REVENUE, segments=("101",), debit=debit, credit=credit, description="one")
            for debit, credit in sides
        ),
        mapping_set="retail",
        mapping_version=1,
        suspense=suspense,
    )


async def test_documents_are_counted_with_the_age_of_the_oldest_and_found_by_id(store: Store, fresh: str) -> None:
    for number in (1, 2):
        await store.documents.settle(
            DocumentRow(
                tenant="acme",
                integration=fresh,
                connection=fresh,
                kind="order",
                id=str(number),
                modified_at=NOW,
                state=State.NEEDS_REVIEW,
                at=NOW + dt.timedelta(hours=number),
            )
        )
    (count,) = [one for one in await store.overview.document_counts() if one.integration == fresh]
    assert (count.state, count.count, count.oldest) == (State.NEEDS_REVIEW, 2, NOW + dt.timedelta(hours=1))
    assert set(await store.overview.documents(fresh, "order", ["1", "2", "3"])) == {"1", "2"}


async def test_a_journal_on_suspense_that_nobody_posted_is_listed_with_its_groups(store: Store, fresh: str) -> None:
    for suspense in (True, False):
        reference = f"{fresh}/{suspense}"
        await store.journals.stage(
            journal(reference, suspense=suspense),
            tenant="acme",
            integration=fresh,
            connection=fresh,
            fusion=fresh,
            kind="order",
            document_id=str(suspense),
            purpose="sale",
            ordinal=1,
            fingerprint="f",
            now=NOW,
        )
    group = await store.groups.seal(fresh, "US", "Shop", limit=10, now=NOW)
    assert group is not None
    fates = [
        JournalFate(reference=f"{fresh}/{suspense}", kind=FateKind.IMPORTED, group_id=group, at=NOW)
        for suspense in (True, False)
    ]
    await store.groups.record_fates(group, fates, NOW)

    unposted = [one.reference for one in await store.overview.unposted() if one.key.fusion == fresh]
    assert sorted(unposted) == [f"{fresh}/False", f"{fresh}/True"]
    noteworthy = [one for one in await store.overview.noteworthy(NOW) if one.key.fusion == fresh]
    assert [(one.reference, one.total) for one in noteworthy] == [(f"{fresh}/True", Decimal("10.50"))]
    assert not [one for one in await store.overview.noteworthy(NOW + dt.timedelta(days=1)) if one.key.fusion == fresh]
    (member,) = await store.overview.memberships(f"{fresh}/True")
    assert (member.group.group_id, member.group.count, member.fate) == (group, 2, "imported")
    assert set(await store.overview.postings([f"{fresh}/True", "unheard-of"])) == {f"{fresh}/True"}


async def test_the_inbox_tells_its_depth_and_its_oldest(store: Store, fresh: str) -> None:
    before = dt.datetime.now(dt.UTC)
    await store.deliveries.inbox_put("acme", fresh, f"flow:{fresh}:1", "{}")
    waiting = await store.overview.inbox()
    assert waiting.count == 1
    assert waiting.oldest is not None
    assert waiting.oldest >= before
