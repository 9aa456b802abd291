"""What a recovery writes: what the ERP shows is there, whatever the backup had of it, and nothing else is touched."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from contracts.flow import State
from contracts.journal import FateKind, JournalFate, Problem
from contracts.names import journal_reference
from store import Store
from store.creating.creation import CreationState, Intent
from store.creating.elsewhere import PostedElsewhere
from store.recovered_creations import ANCIENT, NUMBERS, ForgottenReview, RecoveredCreation
from store.recoveries import RecoveredJournal
from store.rows import DocumentRow, GroupState, PostingKey, PostingState

NOW = dt.datetime(2026, 3, 2, 15, 0, tzinfo=dt.UTC)
LEASE = dt.timedelta(seconds=60)
Desk = Any
TWICE = Problem(code="duplicate_in_erp", sentence="There are two.", remedy="Choose one.")


class Books:
    def __init__(self, store: Store, shop: str) -> None:
        self.store = store
        self.shop = shop

    def key(self, order: str, purpose: str = "invoice") -> PostingKey:
        return PostingKey(
            tenant="acme",
            integration="us",
            connection=self.shop,
            fusion=f"fusion-{self.shop}",
            kind="order",
            document_id=order,
            purpose=purpose,
            ordinal=1,
        )

    def reference(self, order: str, purpose: str = "invoice") -> str:
        return journal_reference("acme", self.shop, "order", order, purpose, 1)

    def intent(self, order: str) -> Intent:
        return Intent(
            reference=self.reference(order),
            key=self.key(order),
            resource="receivablesInvoices",
            home="transaction_number",
            number=f"M{self.shop}{order}",
            currency="USD",
            total=Decimal("10.00"),
            fingerprint="of the backup",
            job="poll 1",
            content="{}",
        )

    async def sent(self, order: str) -> None:
        creations = self.store.creations
        await creations.intend(self.intent(order), now=NOW)
        await creations.lease(self.reference(order), "a", now=NOW, until=NOW + LEASE)
        assert await creations.mark_sent(self.intent(order), "a", now=NOW) is not None

    def found(self, order: str, **more: Any) -> RecoveredCreation:
        fields = {
            "key": self.key(order),
            "reference": self.reference(order),
            "resource": "receivablesInvoices",
            "home": "cross_reference",
            "number": self.reference(order),
            "currency": "USD",
            "total": Decimal("12.00"),
            "target_id": f"id-{order}",
            "target_number": f"number-{order}",
            "sentence": "invoice read back",
            "seen_at": NOW,
        }
        return RecoveredCreation.model_validate(fields | more)

    async def bring_back(self, *found: RecoveredCreation) -> list[str]:
        brought = await self.store.recoveries.bring_back_creations(found, "recover:1")
        return [one.key.document_id for one in brought]

    def review(self, order: str, fingerprint: str = "seen by a person") -> ForgottenReview:
        return ForgottenReview(
            tenant="acme",
            integration="us",
            connection=self.shop,
            kind="order",
            id=order,
            fingerprint=fingerprint,
            problems=(Problem(code="unmapped_account", sentence="No account.", remedy="Add a rule."),),
            job="recover:1",
            at=NOW,
        )

    async def posting(self, reference: str) -> PostingState:
        row = await self.store.journals.posting(reference)
        assert row is not None
        return row.state


@pytest.fixture
def books(store: Store, fresh: str) -> Books:
    return Books(store, fresh)


async def test_whatever_the_backup_had_of_an_invoice_it_is_there(books: Books) -> None:
    creations = books.store.creations
    await creations.intend(books.intent("intended"), now=NOW)
    await books.sent("sending")
    await books.sent("review")
    await creations.in_review(books.reference("review"), code="posting_unknown", sentence="Unknown.", asks_absence=True)
    await creations.intend(books.intent("withdrawn"), now=NOW)
    assert await creations.withdraw(books.reference("withdrawn"))
    orders = ["forgotten", "intended", "review", "sending", "withdrawn"]
    assert sorted(await books.bring_back(*map(books.found, orders))) == orders
    for order in orders:
        row = await creations.creation(books.reference(order))
        assert row is not None
        assert (row.state, row.target_id, row.total) == (CreationState.POSTED, f"id-{order}", Decimal("12.00"))
        assert (row.fingerprint, row.sends, row.lease_until, row.recovered_at) == ("", (), None, NOW)
        assert await creations.content(row.reference) is None
        document = await books.store.documents.get(books.shop, "order", order)
        assert document is not None
        assert (document.state, document.fingerprint, document.modified_at) == (State.POSTED, "", ANCIENT)
    assert await books.bring_back(*map(books.found, orders)) == [], "a second time there is nothing new"


async def test_what_the_store_knows_to_be_there_stays_as_it_is(books: Books) -> None:
    await books.sent("1")
    await books.store.creations.found(
        books.reference("1"), target_id="7", target_number="N7", fingerprint="of the backup", sentence="there", now=NOW
    )
    assert await books.bring_back(books.found("1")) == []
    row = await books.store.creations.creation(books.reference("1"))
    assert row is not None
    assert (row.target_id, row.fingerprint, row.recovered_at) == ("7", "of the backup", None)


async def test_of_several_a_person_chooses_one(books: Books) -> None:
    await books.bring_back(books.found("1", numbers=("A", "B"), problems=(TWICE,)))
    row = await books.store.creations.creation(books.reference("1"))
    assert row is not None
    assert (row.state, row.evidence[NUMBERS]) == (CreationState.DIFFERS, ["A", "B"])
    document = await books.store.documents.get(books.shop, "order", "1")
    assert document is not None
    assert (document.state, document.problems) == (State.NEEDS_REVIEW, (TWICE,))


async def test_no_journal_waits_beside_an_invoice_that_is_there(books: Books, desk: Desk) -> None:
    """The channel was switched after the backup, in which the sale's journal waited, or was in an import."""
    books.shop = desk.shop
    await desk.stage("1")
    group_id = await desk.seal()
    await desk.stage("2")
    for order, was in (("1", PostingState.GROUPED), ("2", PostingState.STAGED)):
        assert await books.posting(desk.reference(order)) is was
        await books.bring_back(books.found(order))
        assert await books.posting(desk.reference(order)) is PostingState.WITHDRAWN
        with pytest.raises(PostedElsewhere):
            await desk.stage(order)
    assert (await books.store.groups.group(group_id)).state is GroupState.CLOSED


async def test_a_decision_finds_its_document_as_the_person_saw_it(books: Books) -> None:
    await books.sent("1")
    await books.store.recoveries.reopen(books.review("1"))
    row = await books.store.creations.creation(books.reference("1"))
    assert row is not None
    assert (row.state, row.currency, row.lease_until) == (CreationState.REVIEW, "", None)
    assert await books.store.creations.withdraw(books.reference("1"), skipped=True, by_person=True)
    document = await books.store.documents.get(books.shop, "order", "1")
    assert document is not None
    assert (document.state, document.modified_at) == (State.NEEDS_REVIEW, ANCIENT)


async def test_reopening_keeps_what_the_store_knows_and_parking_does_not(books: Books) -> None:
    known = DocumentRow(
        tenant="acme",
        integration="us",
        connection=books.shop,
        kind="order",
        id="1",
        modified_at=NOW,
        fingerprint="f",
        state=State.SKIPPED,
        reason="status Incomplete",
        problems=(),
        job="poll 1",
        at=NOW,
    )
    await books.store.documents.settle(known)
    await books.store.recoveries.reopen(books.review("1"))
    assert await books.store.documents.get(books.shop, "order", "1") == known
    await books.store.recoveries.park(books.review("1"))
    parked = await books.store.documents.get(books.shop, "order", "1")
    assert parked is not None
    assert (parked.state, parked.reason, parked.modified_at) == (State.NEEDS_REVIEW, "No account.", NOW)


async def test_numbers_that_the_store_knows_tell_whose_they_are(books: Books) -> None:
    await books.store.creations.intend(books.intent("1"), now=NOW)
    number = books.intent("1").number
    found = await books.store.recoveries.references_of_numbers(f"fusion-{books.shop}", [number, "unheard of"])
    assert found == {number: books.reference("1")}
    assert await books.store.recoveries.references_of_numbers("another", [number]) == {}


async def test_what_is_imported_and_not_posted_yet_gets_its_group_back(store: Store, fresh: str) -> None:
    books = Books(store, fresh)
    group_id = 176_380_000_000_000 + abs(hash(fresh)) % 10**9
    unposted = []
    for order in ("1", "2"):
        reference = books.reference(order, "sale")
        fate = JournalFate(reference=reference, kind=FateKind.IMPORTED, group_id=group_id, at=NOW, journal_name="J")
        unposted.append(
            RecoveredJournal(
                key=books.key(order, "sale"),
                fate=fate,
                ledger="Ledger",
                source="Shop",
                currency="USD",
                total=Decimal("10.00"),
                seen_at=NOW,
            )
        )
    assert len(await store.recoveries.bring_back(unposted, "recover")) == 2
    for _ in range(2):
        assert await store.recoveries.adopt(unposted, NOW) == {group_id}
    group = await store.groups.group(group_id)
    assert (group.state, group.count) == (GroupState.CLOSED, 2)
    members = await store.groups.members(group_id)
    assert [one.fate for one in members] == [FateKind.IMPORTED, FateKind.IMPORTED]
    fates = [one.fate.model_copy(update={"kind": FateKind.POSTED, "period": "Mar-26"}) for one in unposted]
    assert len((await store.groups.record_fates(group_id, fates, NOW)).applied) == 2
    assert await store.recoveries.adopt([], NOW) == frozenset()
