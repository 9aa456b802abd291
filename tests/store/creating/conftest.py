"""A till that creates invoices in the store's record of them."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from contracts.names import journal_reference
from store import Store
from store.creating.creation import CreationState, Granted, Intended, Intent
from store.rows import AuditEvent, PostingKey
from store.turns import Turn

NOW = dt.datetime(2026, 3, 2, 15, 0, tzinfo=dt.UTC)
LEASE = dt.timedelta(seconds=60)
SOON, LATER, MUCH_LATER = NOW + dt.timedelta(seconds=1), NOW + LEASE, NOW + dt.timedelta(hours=1)


class Till:
    """Creates invoices of orders that no other test uses; an order's amount is its fingerprint."""

    def __init__(self, store: Store, name: str) -> None:
        self.store = store
        self.creations = store.creations
        self.shop = f"bc-{name}"
        self.purpose = "invoice"

    def key(self, order: str) -> PostingKey:
        return PostingKey(
            tenant="acme",
            integration="us",
            connection=self.shop,
            fusion=f"fusion-{self.shop}",
            kind="order",
            document_id=order,
            purpose=self.purpose,
            ordinal=1,
        )

    def reference(self, order: str) -> str:
        return journal_reference("acme", self.shop, "order", order, self.purpose, 1)

    def intent(self, order: str, amount: str = "10.00", *, content: str = "") -> Intent:
        return Intent(
            reference=self.reference(order),
            key=self.key(order),
            resource="receivablesInvoices",
            home="transaction_number",
            number=f"M{order}",
            currency="USD",
            total=Decimal(amount),
            accounting_date=NOW.date(),
            fingerprint=f"total {amount}",
            job="poll 1",
            content=content or f'{{"order": "{order}", "total": "{amount}", "for": "Ada Lovelace"}}',
        )

    async def intend(self, order: str, amount: str = "10.00", *, content: str = "", **more: Any) -> Intended:
        return await self.creations.intend(
            self.intent(order, amount, content=content), **{"now": NOW, "event": self.event(order, "intended"), **more}
        )

    def event(self, order: str, action: str) -> AuditEvent:
        return AuditEvent(
            tenant="acme",
            connection=self.shop,
            kind="order",
            document_id=order,
            at=NOW,
            action=action,
            sentence="-",
            job="poll 1",
        )

    def turn(self, order: str, at: dt.datetime) -> Turn:
        return Turn(connection=self.shop, kind="order", document_id=order, at=at)

    async def lease(self, order: str, token: str, at: dt.datetime = NOW, *, again: bool = False) -> Any:
        return await self.creations.lease(self.reference(order), token, now=at, until=at + LEASE, again=again)

    async def mark(self, order: str, token: str, at: dt.datetime = NOW, amount: str = "10.00") -> int | None:
        return await self.creations.mark_sent(
            self.intent(order, amount), token, now=at, event=self.event(order, "sent")
        )

    async def sent(self, order: str, attempt: str = "a", amount: str = "10.00") -> None:
        await self.intend(order, amount)
        assert await self.lease(order, attempt) == Granted(LATER)
        assert await self.mark(order, attempt, amount=amount)

    async def found(self, order: str, target: str = "300100", amount: str = "10.00", **more: Any) -> bool:
        return await self.creations.found(
            self.reference(order),
            **{
                "target_id": target,
                "target_number": "1007",
                "fingerprint": f"total {amount}",
                "sentence": "invoice 1007",
                "now": LATER,
                "event": self.event(order, "posted"),
                **more,
            },
        )

    async def ask(self, order: str) -> None:
        await self.creations.in_review(
            self.reference(order), code="posting_unknown", sentence="where is it?", asks_absence=True
        )

    async def state(self, order: str) -> CreationState:
        return CreationState((await self.row(order)).state)

    async def row(self, order: str) -> Any:
        row = await self.creations.creation(self.reference(order))
        assert row is not None
        return row

    async def trail(self, order: str) -> list[str]:
        return [event.action for event in await self.store.audit.of(self.shop, "order", order)]


@pytest.fixture
def till(store: Store, fresh: str) -> Till:
    return Till(store, fresh)
