"""A shop and a ledger that may go wrong in any way, for reconciliation to judge."""

import dataclasses
import datetime as dt
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from temporalio.client import Client

from activities.collaborators import Collaborators
from activities.hooks.desk import HookDesk
from activities.orders.polling import REFUNDS, WATERMARK
from activities.orders.shops import ChangedOrder, NewRefund
from clients.errors import NotFound
from clients.oracle_fusion.models import FoundCreditMemo, FoundInvoice, FusionJournal
from contracts.configuration import Integration
from contracts.flow import State
from contracts.journal import Problem
from contracts.refund import Refund, RefundItem, RefundTender
from contracts.sale import OrderSnapshot, Sale, SaleCharge, SaleLine, SaleTender
from contracts.steps.refunds import RefundSnapshot
from runtime.configuring.configuration import load
from runtime.operations.reconciled import ReconciledStore, Verdict
from runtime.operations.reconciliation import reconcile_store
from runtime.temporal.starting import TemporalStarter
from store import KeyRing, Store, Vault
from store.rows import AuditEvent, DocumentRow

from .stack import DEMO_CONFIGURATION

PLACED = dt.datetime(2026, 3, 10, 18, 0, tzinfo=dt.UTC)
POLLED = PLACED + dt.timedelta(days=1)


class ShopOfOrders:
    """A shop that has these snapshots."""

    def __init__(self) -> None:
        self.orders: dict[str, OrderSnapshot] = {}
        self.refunds: dict[str, Refund] = {}

    def sell(self, order_id: str, total: str = "100.00", fee: str = "0", **facts: Any) -> None:
        amount, charge = Decimal(total), Decimal(fee)
        line = SaleLine(
            key="1",
            kind="product",
            quantity=Decimal(1),
            list_net=amount - charge,
            discount=Decimal(0),
            net=amount - charge,
        )
        sale = Sale(
            connection="bc-us",
            order_id=order_id,
            channel="1",
            currency="USD",
            tax_inclusive=False,
            placed_at=facts.pop("placed_at", PLACED),
            store_timezone="America/Chicago",
            lines=(line,),
            charges=(SaleCharge(kind="fee", key="1", net=charge),) if charge else (),
            tenders=(SaleTender(kind="payment", method="Card", amount=amount),),
            total=amount,
            total_tax=Decimal(0),
            rounding=Decimal(0),
        )
        given: dict[str, Any] = {"modified_at": PLACED, "status_id": "11", "status": "Awaiting Fulfillment"} | facts
        self.orders[order_id] = OrderSnapshot(sale=sale, **given)

    async def order(self, order_id: str) -> tuple[OrderSnapshot, str]:
        if order_id not in self.orders:
            raise NotFound("bc-us", "there is no such order")
        return self.orders[order_id], "{}"

    def give_back(self, refund_id: str, order_id: str, total: str, *, declined: bool = False, **facts: Any) -> None:
        """A free amount, back on the card."""
        amount = Decimal(total)
        given: dict[str, Any] = {
            "created_at": PLACED,
            "tenders": (RefundTender(kind="payment", method="Card", amount=amount, declined=declined),),
        } | facts
        self.refunds[refund_id] = Refund(
            connection="bc-us",
            refund_id=refund_id,
            order_id=order_id,
            currency="USD",
            total=amount,
            tax=Decimal(0),
            items=(RefundItem(kind="order", key=order_id, amount=amount),),
            **given,
        )

    async def refund(self, refund_id: str, order_id: str = "") -> tuple[RefundSnapshot, str]:
        if refund_id not in self.refunds:
            raise NotFound("bc-us", "there is no such refund")
        found = self.refunds[refund_id]
        known = tuple(one for one in self.refunds.values() if one.order_id == found.order_id)
        return RefundSnapshot(refund=found, order=self.orders[found.order_id], known=known), "{}"

    async def refunds_since(self, since: dt.datetime) -> AsyncIterator[tuple[NewRefund, ...]]:
        rows = [
            NewRefund(refund_id=key, order_id=one.order_id, created_at=one.created_at)
            for key, one in self.refunds.items()
        ]
        yield tuple(row for row in rows if row.created_at >= since)

    async def changed_orders(self, since: dt.datetime) -> AsyncIterator[tuple[ChangedOrder, ...]]:
        rows = [ChangedOrder(order_id=key, modified_at=one.modified_at) for key, one in self.orders.items()]
        yield tuple(row for row in rows if row.modified_at >= since)

    @property
    def hooks(self) -> HookDesk:
        raise NotImplementedError

    async def now(self) -> dt.datetime:
        return POLLED


class LedgerOfJournals:
    """A pod that has these journals and credit memos."""

    def __init__(self) -> None:
        self.books: list[FusionJournal] = []
        self.memos: list[FoundCreditMemo] = []

    @property
    def credit_memos(self) -> "LedgerOfJournals":
        return self

    def give_back(self, refund_id: str, total: str, **facts: Any) -> None:
        self.post("", total, reference=f"acme/bc-us/refund/{refund_id}/refund/1", **facts)

    def credit(self, refund_id: str, total: str, balance: str | None = "0") -> None:
        number = len(self.memos) + 1
        reference = f"acme/bc-us/refund/{refund_id}/credit/1"
        self.memos.append(
            FoundCreditMemo(
                customer_transaction_id=number,
                transaction_number=str(9000 + number),
                cross_reference="",
                transaction_source="ML Connector",
                business_unit="US Web Sales",
                customer_account="1001",
                currency="USD",
                credited=Decimal(total),
                balance=None if balance is None else Decimal(balance),
                transaction_date=PLACED.date(),
                accounting_date=PLACED.date(),
                status="Complete",
                comments=f"Refund {refund_id} | {reference}",
            )
        )

    async def credit_memos_of_source(
        self, source: str, business_unit: str, since: dt.datetime
    ) -> AsyncIterator[FoundCreditMemo]:
        for memo in self.memos:
            yield memo

    async def invoices_of_source(self, *_: Any, **__: Any) -> AsyncIterator[FoundInvoice]:
        for _invoice in ():
            yield _invoice

    def post(self, order_id: str, total: str = "100.00", reference: str = "", **facts: Any) -> None:
        number = len(self.books) + 1
        given: dict[str, Any] = {
            "header_key": str(number),
            "header_id": number,
            "batch_id": 1,
            "batch_name": "MLC 1 decorated",
            "name": reference or f"acme/bc-us/order/{order_id}/sale/1 USD",
            "status": "P",
            "period": "Mar-26",
            "currency": "USD",
            "debit": Decimal(total),
            "credit": Decimal(total),
        }
        self.books.append(FusionJournal(**(given | facts)))

    async def journals_of_source(
        self, source: str, *, since: dt.datetime, lines: bool = False
    ) -> AsyncIterator[FusionJournal]:
        for journal in self.books:
            yield journal

    async def journals(self, batch_prefix: str, *, lines: bool = False) -> tuple[FusionJournal, ...]:
        return tuple(self.books)


@dataclasses.dataclass
class Trade:
    """A shop, a ledger, and what the store says about the orders."""

    parts: Collaborators
    integration: Integration
    shop: ShopOfOrders
    ledger: LedgerOfJournals

    async def reconciled(self, since: dt.datetime | None = None) -> ReconciledStore:
        return await reconcile_store(self.parts, self.integration, since)

    async def verdicts(self, since: dt.datetime | None = None) -> dict[str, Verdict]:
        return {order.order_id: order.verdict for order in (await self.reconciled(since)).orders}

    async def refund_verdicts(self) -> dict[str, Verdict]:
        return {refund.refund_id: refund.verdict for refund in (await self.reconciled()).refunds}

    async def settle(self, document_id: str, state: State, problems: Sequence[Problem] = (), **facts: Any) -> None:
        given: dict[str, Any] = {
            "reason": "status Incomplete is not postable",
            "modified_at": PLACED,
            "at": PLACED,
            "kind": "order",
        } | facts
        await self.parts.store.documents.settle(
            DocumentRow(
                tenant="acme",
                integration="shop-us",
                connection="bc-us",
                id=document_id,
                state=state,
                problems=tuple(problems),
                **given,
            )
        )

    async def tell(self, document_id: str, action: str, kind: str = "order", **details: str) -> None:
        await self.parts.store.audit.append(
            [
                AuditEvent(
                    tenant="acme",
                    connection="bc-us",
                    kind=kind,
                    document_id=document_id,
                    at=PLACED,
                    action=action,
                    sentence=f"{action} by Ann: sold before",
                    details=details,
                    job="decision:1",
                )
            ]
        )


@asynccontextmanager
async def open_trade(client: Client, keys: KeyRing, directory: Path) -> AsyncIterator[Trade]:
    """Both empty, with a store of their own; orders and refunds were polled at `POLLED`."""
    place = "http://localhost:9"
    url = f"sqlite+aiosqlite:///{directory / 'store.db'}"
    names = {"MLC_STORE_URL": url, "MLC_TEMPORAL": "unused", "MLC_FUSION_URL": place, "MLC_SHOP_URL": place}
    configuration = load(DEMO_CONFIGURATION, names)
    shop, ledger = ShopOfOrders(), LedgerOfJournals()
    async with Store.open(url, Vault(keys)) as store:
        await store.migrate()
        for watermark in (WATERMARK, REFUNDS):
            await store.watermarks.advance("bc-us", watermark, POLLED)
        parts = Collaborators(
            configuration=configuration,
            store=store,
            shops={"bc-us": shop},  # type: ignore[dict-item]
            fusions={"fusion": ledger},  # type: ignore[dict-item]
            temporal=client,
            starter=TemporalStarter(client),
        )
        yield Trade(parts, configuration.integration("shop-us"), shop, ledger)
