"""A refund's credit memo and that of its order's cancellation: neither is intended while the other may be coming."""

import asyncio
import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from contracts.names import journal_reference
from store import Store
from store.creating.creation import CreationState, Intended, Intent
from store.rows import PostingKey
from store.turns import Superseded

NOW = dt.datetime(2026, 3, 2, 15, 0, tzinfo=dt.UTC)
LEASE = dt.timedelta(seconds=60)


class Bill:
    """One order that is billed, and its refund, in one store."""

    def __init__(self, store: Store, order: str) -> None:
        self.store, self.order = store, order

    def key(self, purpose: str, *, ordinal: int = 1) -> PostingKey:
        refund = purpose == "credit"
        return PostingKey(
            tenant="acme",
            integration="us",
            connection="bc-way",
            fusion="fusion",
            kind="refund" if refund else "order",
            document_id=f"7{self.order}" if refund else self.order,
            parent_id=self.order if refund else "",
            purpose=purpose,
            ordinal=ordinal,
        )

    def reference(self, purpose: str) -> str:
        key = self.key(purpose)
        return journal_reference("acme", "bc-way", key.kind, key.document_id, purpose, 1)

    def intent(self, purpose: str, **more: Any) -> Intent:
        return Intent(
            reference=self.reference(purpose),
            key=self.key(purpose),
            resource="receivablesInvoices" if purpose == "invoice" else "receivablesCreditMemos",
            home="transaction_number",
            number=f"M{self.order}{purpose}",
            currency="USD",
            total=Decimal(10),
            fingerprint="f",
            content="{}",
            **more,
        )

    async def intend(self, purpose: str, store: Store | None = None, **more: Any) -> Intended:
        return await (store or self.store).creations.intend(self.intent(purpose, **more), now=NOW)

    async def send(self, purpose: str) -> None:
        await self.store.creations.lease(self.reference(purpose), purpose, now=NOW, until=NOW + LEASE)
        assert await self.store.creations.mark_sent(self.intent(purpose), purpose, now=NOW)

    async def find(self, purpose: str) -> None:
        assert await self.store.creations.found(
            self.reference(purpose),
            target_id=f"3{self.order}{purpose}",
            target_number=f"M{self.order}{purpose}",
            fingerprint="f",
            sentence="created",
            now=NOW,
        )

    async def post(self, purpose: str) -> None:
        await self.intend(purpose)
        await self.send(purpose)
        await self.find(purpose)

    async def states(self) -> dict[str, CreationState]:
        rows = await self.store.creations.creations([self.reference(one) for one in ("credit", "reversal")])
        return {row.key.purpose: row.state for row in rows.values()}


async def billed(store: Store, name: str) -> Bill:
    bill = Bill(store, name)
    await bill.post("invoice")
    return bill


@pytest.mark.parametrize(("first", "second"), [("credit", "reversal"), ("reversal", "credit")])
async def test_what_comes_second_gives_way_to_what_is_intended_sent_or_there(
    store: Store, first: str, second: str
) -> None:
    bill = await billed(store, f"1{first}")
    for further in (bill.intend, bill.send, bill.find):
        await further(first)
        with pytest.raises(Superseded):
            await bill.intend(second)
        assert set(await bill.states()) == {first}
    # The first one itself goes on.
    assert (await bill.intend(first)).outcome == "posted"


async def test_what_a_refund_took_back_is_reckoned_with_once_it_is_known(store: Store) -> None:
    bill = await billed(store, "2")
    await bill.post("credit")
    assert (await bill.intend("reversal", given=(bill.reference("credit"),))).outcome == "intended"
    (memo,) = await store.creations.creations_below("bc-way", "2")
    assert (memo.reference, memo.key.parent_id) == (bill.reference("credit"), "2")


async def test_a_refused_refund_comes_after_the_cancellation_and_a_withdrawn_one_never(store: Store) -> None:
    for name, withdrawn in (("3", False), ("4", True)):
        bill = await billed(store, name)
        await bill.intend("credit")
        await store.creations.in_review(bill.reference("credit"), code="refused", sentence="Refused.")
        if withdrawn:
            assert await store.creations.withdraw(bill.reference("credit"), skipped=True, by_person=True)
        assert (await bill.intend("reversal")).outcome == "intended"
        with pytest.raises(Superseded):
            await bill.intend("credit")


async def test_of_two_that_race_one_gives_way(store: Store, other: Store) -> None:
    for number in range(8):
        bill = await billed(store, f"5{number}")
        outcomes = await asyncio.gather(bill.intend("credit"), bill.intend("reversal", other), return_exceptions=True)
        assert sorted(type(one).__name__ for one in outcomes) == ["Intended", "Superseded"]
        assert len(await bill.states()) == 1
