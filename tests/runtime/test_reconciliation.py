"""Reconciliation: first through the whole product, then judging shops and ledgers that went wrong."""

import datetime as dt
import io
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console
from support.stack import Stack
from support.trade import PLACED, POLLED, Trade, open_trade
from temporalio.client import Client

from contracts.configuration import TemporalSettings
from contracts.flow import State
from contracts.journal import Journal, JournalLine, Problem, Purpose
from runtime.commands.reconcile import print_reconciliation
from runtime.operations.deciding import DecisionError, NotInReviewError, decide, decision_on, find_item
from runtime.operations.reconciled import Verdict
from runtime.operations.reconciliation import reconcile
from runtime.temporal.connect import connect
from runtime.temporal.devserver import DevServer
from sandbox.bigcommerce import US_SHOP, Shape, draft, statuses
from store import KeyRing
from store.rows import GroupState


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


async def test_edits_and_cancellations_after_posting_agree_to_the_cent(stack: Stack) -> None:
    shop = stack.shop()
    orders = [shop.place(draft(shape, US_SHOP)).id for shape in (Shape.ORDINARY, Shape.SPLIT_TENDER, Shape.ORDINARY)]
    edited, cancelled, returned = orders
    async with stack.worker():

        async def told(order_id: int, state: State) -> None:
            await stack.announce(order_id)
            assert (await stack.result(order_id)).state is state

        for order_id in orders:
            await told(order_id, State.POSTED)
        shop.edit_line(edited, shop.order(edited).lines[0].id, quantity=7)
        await told(edited, State.POSTED)
        for order_id in (cancelled, returned):
            shop.set_status(order_id, statuses.CANCELLED)
            await told(order_id, State.REVERSED)
        shop.set_status(returned, statuses.AWAITING_FULFILLMENT)
        await told(returned, State.POSTED)
    (result,) = await reconcile(stack.parts, [stack.configuration.integration("shop-us")])
    truth = shop.truth()
    (totals,) = result.totals
    assert {order.verdict for order in result.orders} == {Verdict.POSTED}
    assert totals.ledger_total == totals.source_total == truth[edited].total + truth[returned].total
    assert result.agrees
    assert "/delta/1" in next(order for order in result.orders if order.order_id == str(edited)).journals[0]


@pytest.fixture(scope="module")
def keys() -> KeyRing:
    return KeyRing.generate()


@pytest.fixture(scope="module")
async def client(temporal_server: DevServer, keys: KeyRing) -> Client:
    return await connect(TemporalSettings(address=temporal_server.address), keys)


@pytest.fixture
async def trade(client: Client, keys: KeyRing, tmp_path: Path) -> AsyncIterator[Trade]:
    async with open_trade(client, keys, tmp_path) as opened:
        yield opened


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


@pytest.mark.parametrize(
    ("state", "by_hand"),
    [
        (State.SKIPPED, "skipped by Ann: the difference is posted by hand"),
        (State.POSTED, "marked as posted by Ann: Manual 77"),
    ],
)
async def test_a_person_who_posted_the_difference_by_hand_explains_it_until_the_next_edit(
    trade: Trade, state: State, by_hand: str
) -> None:
    trade.shop.sell("1", "120.00")
    trade.ledger.post("1", "100.00")
    await trade.settle("1", state, reason=by_hand, decided_by="Ann")
    result = await trade.reconciled()
    assert [(order.verdict, order.reason) for order in result.orders] == [(Verdict.SKIPPED, by_hand)]
    assert (result.totals[0].skipped, result.totals[0].difference) == (20, 0)
    assert result.agrees

    trade.shop.sell("1", "130.00", modified_at=PLACED + dt.timedelta(hours=1))
    result = await trade.reconciled()
    assert [order.verdict for order in result.orders] == [Verdict.DIFFERS]
    assert result.totals[0].difference == 30


async def test_a_person_explains_a_cancelled_order_that_stays_in_the_ledger_but_no_second_journal(trade: Trade) -> None:
    for order in ("1", "2"):
        trade.shop.sell(order, status_id="5", status="Cancelled")
        trade.ledger.post(order)
        await trade.settle(order, State.SKIPPED, reason="skipped by Ann: credited by hand", decided_by="Ann")
    trade.ledger.post("2", name="acme/bc-us/order/2/sale/1 USD(2)")
    result = await trade.reconciled()
    assert [order.verdict for order in result.orders] == [Verdict.SKIPPED, Verdict.DUPLICATE]
    assert (result.totals[0].skipped, result.totals[0].difference) == (-100, -200)


async def test_another_amount_in_the_ledger_without_a_reason_is_a_difference(trade: Trade) -> None:
    trade.shop.sell("1", "120.00")
    trade.ledger.post("1", "100.00")
    assert await trade.verdicts() == {"1": Verdict.DIFFERS}
    assert (await trade.reconciled()).totals[0].difference == 20


async def test_a_negative_fee_books_on_the_debit_side_and_is_no_difference(trade: Trade) -> None:
    trade.shop.sell("1", "100.00", fee="-5.00")
    trade.ledger.post("1", "105.00")
    assert await trade.verdicts() == {"1": Verdict.POSTED}


async def test_a_journal_of_an_order_that_the_shop_does_not_have_is_unexpected(trade: Trade) -> None:
    trade.ledger.post("7")
    trade.shop.sell("8", test=True, deleted=True)
    trade.ledger.post("8")
    result = await trade.reconciled()
    assert [order.verdict for order in result.orders] == [Verdict.UNEXPECTED, Verdict.UNEXPECTED]
    assert result.orders[0].reason == "posted, but the shop has no such order"
    assert result.totals[0].difference == -200


async def test_to_archive_an_order_after_it_was_posted_leaves_the_sale_in_the_books(trade: Trade) -> None:
    trade.shop.sell("1", deleted=True)
    trade.ledger.post("1")
    trade.shop.sell("2", deleted=True)
    result = await trade.reconciled()
    assert [(order.order_id, order.verdict) for order in result.orders] == [("1", Verdict.POSTED)]
    assert result.orders[0].reason == "archived in the shop"
    assert result.agrees


async def test_an_order_that_was_cancelled_and_archived_must_have_been_taken_back(trade: Trade) -> None:
    trade.shop.sell("1", deleted=True, status_id="5", status="Cancelled")
    trade.ledger.post("1")
    result = await trade.reconciled()
    assert [order.verdict for order in result.orders] == [Verdict.DIFFERS]
    assert result.totals[0].difference == -100


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
