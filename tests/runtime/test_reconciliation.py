"""Reconciliation: first through the whole product, then judging shops and ledgers that went wrong."""

import dataclasses
import datetime as dt
import io
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Any

import pytest
from rich.console import Console
from support.stack import DEMO_CONFIGURATION, Stack
from temporalio.client import Client

from activities.collaborators import Collaborators
from activities.orders.polling import WATERMARK
from activities.orders.shops import ChangedOrder
from clients.errors import NotFound
from clients.oracle_fusion.models import FusionJournal
from contracts.configuration import Integration, TemporalSettings
from contracts.flow import State
from contracts.journal import Journal, JournalLine, Problem, Purpose
from contracts.sale import OrderSnapshot, Sale, SaleCharge, SaleLine, SaleTender
from runtime.commands.reconcile import print_reconciliation
from runtime.configuring.configuration import load
from runtime.operations.deciding import DecisionError, NotInReviewError, decide, decision_on, find_item
from runtime.operations.reconciliation import ReconciledStore, Verdict, reconcile, reconcile_store
from runtime.temporal.connect import connect
from runtime.temporal.devserver import DevServer
from runtime.temporal.starting import TemporalStarter
from sandbox.bigcommerce import US_SHOP, Shape, draft
from store import KeyRing, Store, Vault
from store.rows import AuditEvent, DocumentRow, GroupState

PLACED = dt.datetime(2026, 3, 10, 18, 0, tzinfo=dt.UTC)
POLLED = PLACED + dt.timedelta(days=1)


async def test_what_was_posted_agrees_to_the_cent_and_reviews_are_explained(stack: Stack) -> None:
    shapes = (Shape.ORDINARY, Shape.DISCOUNT_AND_COUPON, Shape.SPLIT_TENDER, Shape.SOLD_CERTIFICATE, Shape.FREE)
    orders = [stack.shop().place(draft(shape, US_SHOP)) for shape in shapes]
    unmapped = stack.shop().place(draft(Shape.ORDINARY, US_SHOP, categories={"Antiques"}))
    async with stack.worker():
        for order in (*orders, unmapped):
            await stack.announce(order.id)
        for order in orders:
            await stack.result(order.id)
        await stack.in_state(unmapped.id, State.NEEDS_REVIEW)
    (result,) = await reconcile(stack.parts, [stack.configuration.integration("shop-us")])

    truth = stack.shop().truth()
    posted = sum((truth[order.id].total for order in orders), start=Decimal(0))
    (totals,) = result.totals
    assert totals.ledger_total == posted
    assert totals.source_total == posted + truth[unmapped.id].total
    assert totals.difference == 0
    assert result.agrees
    (review,) = result.of(Verdict.IN_REVIEW)
    assert "Antiques" in review.reason
    assert review.command.startswith(f"ml-connector review resolve bc-us/{unmapped.id} retry")
    (kept,) = await stack.parts.store.reconciliations.list("shop-us")
    assert (kept.in_review, kept.missing, kept.ledger_total) == (1, 0, posted)


class ShopOfOrders:
    """A shop that has these snapshots."""

    def __init__(self) -> None:
        self.orders: dict[str, OrderSnapshot] = {}

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

    async def changed_orders(self, since: dt.datetime) -> AsyncIterator[tuple[ChangedOrder, ...]]:
        rows = [ChangedOrder(order_id=key, modified_at=one.modified_at) for key, one in self.orders.items()]
        yield tuple(row for row in rows if row.modified_at >= since)

    async def register_webhooks(self, destination: str) -> tuple[str, ...]:
        return ()

    async def now(self) -> dt.datetime:
        return POLLED


class LedgerOfJournals:
    """A pod that has these journals."""

    def __init__(self) -> None:
        self.journals: list[FusionJournal] = []

    def post(self, order_id: str, total: str = "100.00", reference: str = "", **facts: Any) -> None:
        number = len(self.journals) + 1
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
        self.journals.append(FusionJournal(**(given | facts)))

    async def journals_of_source(
        self, source: str, *, since: dt.datetime, lines: bool = False
    ) -> AsyncIterator[FusionJournal]:
        for journal in self.journals:
            yield journal


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

    async def settle(self, order_id: str, state: State, problems: Sequence[Problem] = (), **facts: Any) -> None:
        given: dict[str, Any] = {
            "reason": "status Incomplete is not postable",
            "modified_at": PLACED,
            "at": PLACED,
        } | facts
        await self.parts.store.documents.settle(
            DocumentRow(
                tenant="acme",
                integration="shop-us",
                connection="bc-us",
                kind="order",
                id=order_id,
                state=state,
                problems=tuple(problems),
                **given,
            )
        )

    async def tell(self, order_id: str, action: str, **details: str) -> None:
        await self.parts.store.audit.append(
            [
                AuditEvent(
                    tenant="acme",
                    connection="bc-us",
                    kind="order",
                    document_id=order_id,
                    at=PLACED,
                    action=action,
                    sentence=f"{action} by Ann: sold before",
                    details=details,
                    job="decision:1",
                )
            ]
        )


@pytest.fixture(scope="module")
def keys() -> KeyRing:
    return KeyRing.generate()


@pytest.fixture(scope="module")
async def client(temporal_server: DevServer, keys: KeyRing) -> Client:
    return await connect(TemporalSettings(address=temporal_server.address), keys)


@pytest.fixture
async def trade(client: Client, keys: KeyRing, tmp_path: Any) -> AsyncIterator[Trade]:
    place = "http://localhost:9"
    url = f"sqlite+aiosqlite:///{tmp_path / 'store.db'}"
    names = {"MLC_STORE_URL": url, "MLC_TEMPORAL": "unused", "MLC_FUSION_URL": place, "MLC_SHOP_URL": place}
    configuration = load(DEMO_CONFIGURATION, names)
    shop, ledger = ShopOfOrders(), LedgerOfJournals()
    async with Store.open(url, Vault(keys)) as store:
        await store.migrate()
        await store.watermarks.advance("bc-us", WATERMARK, POLLED)
        parts = Collaborators(
            configuration=configuration,
            store=store,
            shops={"bc-us": shop},
            fusions={"fusion": ledger},  # type: ignore[dict-item]
            temporal=client,
            starter=TemporalStarter(client),
        )
        yield Trade(parts, configuration.integration("shop-us"), shop, ledger)


async def test_an_order_that_nothing_knows_of_is_lost(trade: Trade) -> None:
    trade.shop.sell("1")
    result = await trade.reconciled()
    assert [order.verdict for order in result.orders] == [Verdict.LOST]
    assert result.totals[0].difference == 100
    assert not result.agrees


async def test_an_order_the_next_poll_reads_is_not_lost_yet(trade: Trade) -> None:
    trade.shop.sell("1", modified_at=POLLED + dt.timedelta(minutes=1))
    result = await trade.reconciled()
    assert [order.verdict for order in result.orders] == [Verdict.OPEN]
    assert result.totals[0].difference == 0
    assert result.agrees


async def test_an_order_in_the_ledger_twice_is_a_duplicate_and_a_difference(trade: Trade) -> None:
    trade.shop.sell("1")
    trade.ledger.post("1")
    trade.ledger.post("1", name="acme/bc-us/order/1/sale/1 USD(2)")
    result = await trade.reconciled()
    assert [order.verdict for order in result.orders] == [Verdict.DUPLICATE]
    assert result.totals[0].difference == -100
    assert len(result.duplicates) == 1


async def test_a_review_does_not_hide_a_second_journal(trade: Trade) -> None:
    trade.shop.sell("1")
    trade.ledger.post("1")
    trade.ledger.post("1")
    await trade.settle(
        "1", State.NEEDS_REVIEW, [Problem(code="ledger_differs", sentence="It differs.", remedy="Look.")]
    )
    result = await trade.reconciled()
    assert [order.verdict for order in result.orders] == [Verdict.IN_REVIEW]
    assert result.totals[0].difference == -100
    assert not result.agrees


async def test_an_order_edited_after_posting_is_explained_by_its_review(trade: Trade) -> None:
    trade.shop.sell("1", "120.00")
    trade.ledger.post("1", "100.00")
    edited = Problem(code="edited_after_posting", sentence="Edited.", remedy="Post the difference, then skip.")
    await trade.settle("1", State.NEEDS_REVIEW, [edited])
    result = await trade.reconciled()
    assert result.totals[0].in_review == 20
    assert result.totals[0].difference == 0
    assert " skip " in result.orders[0].command


async def test_another_amount_in_the_ledger_without_a_reason_is_a_difference(trade: Trade) -> None:
    trade.shop.sell("1", "120.00")
    trade.ledger.post("1", "100.00")
    assert await trade.verdicts() == {"1": Verdict.DIFFERS}
    assert (await trade.reconciled()).totals[0].difference == 20


async def test_a_negative_fee_books_on_the_debit_side_and_is_no_difference(trade: Trade) -> None:
    trade.shop.sell("1", "100.00", fee="-5.00")
    trade.ledger.post("1", "105.00")
    assert await trade.verdicts() == {"1": Verdict.POSTED}


async def test_a_journal_of_a_deleted_order_is_unexpected(trade: Trade) -> None:
    trade.ledger.post("7")
    trade.shop.sell("8", deleted=True)
    trade.ledger.post("8")
    result = await trade.reconciled()
    assert [order.verdict for order in result.orders] == [Verdict.UNEXPECTED, Verdict.UNEXPECTED]
    assert [order.reason for order in result.orders] == [
        "posted, but the shop has no such order",
        "posted, but archived in the shop",
    ]
    assert result.totals[0].difference == -200


async def test_a_status_change_after_posting_leaves_the_sale_in_the_books(trade: Trade) -> None:
    trade.shop.sell("1", status_id="4", status="Refunded")
    trade.ledger.post("1")
    trade.shop.sell("2", status_id="0", status="Incomplete")
    result = await trade.reconciled()
    assert [(order.order_id, order.verdict) for order in result.orders] == [("1", Verdict.POSTED)]
    assert result.agrees


async def test_imported_but_unposted_journals_are_listed(trade: Trade) -> None:
    trade.shop.sell("1")
    trade.ledger.post("1", status="U")
    assert await trade.verdicts() == {"1": Verdict.UNPOSTED}


async def test_journals_of_other_hands_and_other_shops_are_not_counted(trade: Trade) -> None:
    trade.ledger.post("", reference="Accrual March")
    trade.ledger.post("", reference="acme/bc-eu/order/1/sale/1 EUR")
    assert await trade.verdicts() == {}


async def test_a_person_may_leave_an_order_out_but_an_outdated_skip_explains_nothing(trade: Trade) -> None:
    trade.shop.sell("1")
    await trade.settle("1", State.SKIPPED, reason="skipped by Ann: sold before")
    await trade.tell("1", "skipped", who="Ann", why="sold before")
    trade.shop.sell("2", modified_at=PLACED + dt.timedelta(hours=1))
    await trade.settle("2", State.SKIPPED)
    result = await trade.reconciled()
    assert {order.order_id: order.verdict for order in result.orders} == {"1": Verdict.SKIPPED, "2": Verdict.LOST}
    assert result.totals[0].skipped == 100
    assert result.totals[0].difference == 100


async def test_a_journal_of_another_source_counts_on_a_persons_word_only(trade: Trade) -> None:
    for order in ("1", "2"):
        trade.shop.sell(order)
        await trade.settle(order, State.POSTED, reason="posted in Mar-26")
    await trade.tell("1", "marked_posted", who="Ann", journal_name="Manual 77")
    result = await trade.reconciled()
    assert {order.order_id: order.verdict for order in result.orders} == {"1": Verdict.SKIPPED, "2": Verdict.LOST}
    assert "Manual 77" in result.orders[0].reason


async def test_orders_of_a_journal_group_in_review_wait_with_the_groups_own_command(trade: Trade) -> None:
    trade.shop.sell("1")
    lines = [(Decimal(100), Decimal(0)), (Decimal(0), Decimal(100))]
    journal = Journal(
        reference="acme/bc-us/order/1/sale/1",
        description="order 1",
        ledger="US Primary Ledger",
        journal_source="ML Connector",
        journal_category="Web Sales",
        accounting_date=PLACED.date(),
        date_reason="placed",
        currency="USD",
        lines=tuple(
            JournalLine(purpose=Purpose.REVENUE, segments=("101",), debit=debit, credit=credit, description="one")
            for debit, credit in lines
        ),
        mapping_set="retail",
        mapping_version=1,
    )
    store, configuration = trade.parts.store, trade.parts.configuration
    await store.journals.stage(
        journal,
        tenant="acme",
        integration="shop-us",
        connection="bc-us",
        fusion="fusion",
        kind="order",
        document_id="1",
        purpose="sale",
        ordinal=1,
        fingerprint="f",
    )
    group = await store.groups.seal("fusion", "US Primary Ledger", "ML Connector", limit=10)
    assert group is not None
    unknown = Problem(code="import_unknown", sentence="Neither found nor absent.", remedy="Look, then retry.")
    await store.groups.set_state(group, GroupState.REVIEW, {"problem": unknown.model_dump(mode="json")})

    result = await trade.reconciled()
    assert [order.verdict for order in result.orders] == [Verdict.IN_REVIEW]
    assert result.agrees
    item = await find_item(store, configuration, str(group))
    assert result.orders[0].command == item.command
    assert item.command.startswith(f"ml-connector review resolve {group} retry ")
    with pytest.raises(DecisionError, match="can only be retried"):
        decision_on(item, "skip", who="Ann", why="no")
    with pytest.raises(NotInReviewError, match="no running workflow"):
        await decide(trade.parts.temporal, item, decision_on(item, "retry", who="Ann", why="it is not there"))


async def test_only_orders_placed_in_the_span_are_compared(trade: Trade) -> None:
    trade.shop.sell("1", modified_at=POLLED)
    trade.ledger.post("1")
    trade.shop.sell("2", placed_at=POLLED, modified_at=POLLED)
    trade.ledger.post("2")
    assert await trade.verdicts(since=POLLED - dt.timedelta(hours=1)) == {"2": Verdict.POSTED}


async def test_the_report_names_what_is_wrong_and_what_to_type(trade: Trade) -> None:
    trade.shop.sell("1", "1234.50")
    trade.shop.sell("2")
    await trade.settle(
        "2", State.NEEDS_REVIEW, [Problem(code="unmapped", sentence="No account.", remedy="Add a rule.")]
    )
    console = Console(record=True, width=160, file=io.StringIO())
    print_reconciliation([await trade.reconciled()], console)
    text = console.export_text()
    assert "1,334.50" in text
    assert "Lost: to be posted, and nowhere (1)" in text
    assert "ml-connector review resolve bc-us/2 retry --who NAME --why REASON" in text
    assert "The books do not agree." in text
