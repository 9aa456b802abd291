"""Reconciliation of refunds: first through the whole product, then judging shops and ledgers that went wrong."""

import datetime as dt
import io
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console
from support.receivables import billed
from support.refunds import announce_refund, refund_in_state, refund_result
from support.stack import Stack
from support.trade import PLACED, POLLED, Trade, open_trade
from temporalio.client import Client

from contracts.configuration import TemporalSettings
from contracts.flow import State
from contracts.journal import Problem
from runtime.commands.reconcile import print_reconciliation
from runtime.operations.reconciled import Verdict
from runtime.operations.reconciliation import reconcile
from runtime.temporal.connect import connect
from runtime.temporal.devserver import DevServer
from sandbox.bigcommerce import US_SHOP, Shape, draft, statuses
from sandbox.bigcommerce.documents import Returned
from store import KeyRing


async def test_refunds_of_every_kind_agree_to_the_cent(stack: Stack) -> None:
    shop = stack.shop()
    drafts = [draft(Shape.ORDINARY, US_SHOP, seed=seed) for seed in range(6)]
    whole, parts, edited, cancelled, early, refused = (shop.place(one).id for one in drafts)
    old = shop.place(drafts[0], created=dt.datetime(2025, 12, 20, tzinfo=dt.UTC), quiet=True).id
    async with stack.worker():

        async def told(order_id: int, state: State = State.POSTED) -> None:
            await stack.announce(order_id)
            assert (await stack.result(order_id)).state is state

        async def given(refund_id: int, state: State = State.POSTED) -> None:
            await announce_refund(stack, refund_id)
            assert (await refund_result(stack, refund_id)).state is state

        for order_id in (whole, parts, edited, cancelled):
            await told(order_id)
        lines = shop.order(parts).lines
        address = shop.order(parts).address_ids[0]
        refunds = [
            shop.refund(whole, everything=True),
            shop.refund(parts, lines[0].id, 1),
            shop.refund(parts, items=[Returned("SHIPPING", address, amount=Decimal("1.00"))], payments="storecredit"),
            shop.refund(parts, tax_adjustment=Decimal("0.10")),
            shop.refund(edited, items=[Returned("ORDER", edited, amount=Decimal("2.00"))]),
            shop.refund(cancelled, shop.order(cancelled).lines[0].id, 1),
            shop.refund(early, everything=True),
            shop.refund(old, everything=True),
        ]
        for refund in refunds:
            await given(refund.id)
        shop.edit_line(edited, shop.order(edited).lines[0].id, quantity=7)
        await told(edited)
        shop.set_status(cancelled, statuses.CANCELLED)
        await told(cancelled, State.REVERSED)
        # Money goes back once the sale was reversed: that takes nothing back a second time.
        late = shop.refund(cancelled, everything=True)
        shop.set_status(cancelled, statuses.CANCELLED)
        await told(cancelled, State.REVERSED)
        await given(late.id, State.SKIPPED)
        await told(refused)
        declined = shop.refund(refused, everything=True, declined=True)
        await announce_refund(stack, declined.id)
        await refund_in_state(stack, declined.id, State.RUNNING, "declined to pay back")
        (result,) = await reconcile(stack.parts, [stack.configuration.integration("shop-us")])
        shop.repeat_refund(declined.id)
        await given(declined.id)
    (totals,) = result.totals
    assert {one.verdict for one in result.every} == {Verdict.POSTED}
    assert {one.refund_id for one in result.refunds} == {str(one.id) for one in refunds}
    truth = shop.truth()
    sold = sum((truth[one].total for one in (whole, parts, edited, early, refused)), start=refunds[5].total)
    assert totals.source_total == totals.ledger_total == sold
    assert totals.source_refunded == totals.ledger_refunded == sum((one.total for one in refunds), start=Decimal(0))
    assert (totals.difference, result.agrees) == (0, True)
    (kept,) = await stack.parts.store.reconciliations.list("shop-us")
    assert kept.source_total == kept.ledger_total == totals.source_net
    assert kept.details["refunded"]["ledger_count"] == len(refunds)

    (after,) = await reconcile(stack.parts, [stack.configuration.integration("shop-us")])
    assert after.totals[0].ledger_refunded == totals.ledger_refunded + declined.total
    assert after.agrees


@pytest.fixture(scope="module")
def keys() -> KeyRing:
    return KeyRing.generate()


@pytest.fixture(scope="module")
async def client(temporal_server: DevServer, keys: KeyRing) -> Client:
    return await connect(TemporalSettings(address=temporal_server.address), keys)


@pytest.fixture
async def trade(client: Client, keys: KeyRing, tmp_path: Path) -> AsyncIterator[Trade]:
    """One order over 100.00 that is posted."""
    async with open_trade(client, keys, tmp_path) as opened:
        opened.shop.sell("1")
        opened.ledger.post("1")
        yield opened


async def test_orders_less_refunds_are_held_against_the_ledger(trade: Trade) -> None:
    trade.shop.give_back("7", "1", "30.00")
    trade.ledger.give_back("7", "30.00")
    result = await trade.reconciled()
    (totals,) = result.totals
    assert (totals.source_net, totals.ledger_net, totals.difference) == (70, 70, 0)
    assert (totals.source_refunds, totals.ledger_refunds) == (1, 1)
    assert result.agrees


async def test_a_refund_that_nothing_knows_of_is_lost(trade: Trade) -> None:
    trade.shop.give_back("7", "1", "30.00")
    result = await trade.reconciled()
    assert [(one.refund_id, one.order_id, one.verdict) for one in result.refunds] == [("7", "1", Verdict.LOST)]
    assert result.totals[0].difference == -30
    assert not result.agrees


async def test_a_refund_the_next_poll_reads_is_not_lost_yet(trade: Trade) -> None:
    trade.shop.give_back("7", "1", "30.00", created_at=POLLED + dt.timedelta(minutes=1))
    result = await trade.reconciled()
    assert await trade.refund_verdicts() == {"7": Verdict.OPEN}
    assert (result.totals[0].open, result.totals[0].difference) == (-30, 0)
    assert result.agrees


async def test_a_refund_in_the_ledger_twice_is_a_duplicate_and_a_difference(trade: Trade) -> None:
    trade.shop.give_back("7", "1", "30.00")
    trade.ledger.give_back("7", "30.00")
    trade.ledger.give_back("7", "30.00")
    result = await trade.reconciled()
    assert [one.reason for one in result.duplicates] == ["2 journals"]
    assert result.totals[0].difference == 30
    assert not result.agrees


async def test_another_amount_than_was_given_back_differs(trade: Trade) -> None:
    trade.shop.give_back("7", "1", "30.00")
    trade.ledger.give_back("7", "20.00")
    assert await trade.refund_verdicts() == {"7": Verdict.DIFFERS}


async def test_a_refund_imported_but_not_posted_is_listed(trade: Trade) -> None:
    trade.shop.give_back("7", "1", "30.00")
    trade.ledger.give_back("7", "30.00", status="U")
    assert await trade.refund_verdicts() == {"7": Verdict.UNPOSTED}


async def test_journals_of_refunds_that_moved_no_money_are_unexpected(trade: Trade) -> None:
    trade.shop.give_back("7", "1", "30.00", declined=True)
    assert await trade.refund_verdicts() == {}
    trade.ledger.give_back("7", "30.00")
    trade.ledger.give_back("8", "5.00")
    result = await trade.reconciled()
    assert [one.reason for one in result.of(Verdict.UNEXPECTED)] == [
        "posted, but its payment was declined: no money has moved",
        "posted, but the shop has no such refund",
    ]
    assert result.totals[0].difference == 35


async def test_a_refund_in_review_is_explained_with_its_command(trade: Trade) -> None:
    trade.shop.give_back("7", "1", "130.00")
    over = Problem(code="over_refund", sentence="More than was charged.", remedy="Look.")
    await trade.settle("7", State.NEEDS_REVIEW, [over], kind="refund")
    result = await trade.reconciled()
    (refund,) = result.of(Verdict.IN_REVIEW)
    assert (result.totals[0].in_review, result.totals[0].difference) == (-130, 0)
    assert refund.command.startswith("ml-connector review resolve bc-us/refund/7 ")
    assert result.agrees


async def test_a_person_may_leave_a_refund_out_but_what_was_left_out_by_itself_is_no_excuse(trade: Trade) -> None:
    for refund_id in ("7", "8"):
        trade.shop.give_back(refund_id, "1", "10.00")
        await trade.settle(refund_id, State.SKIPPED, kind="refund", reason="booked by hand")
    await trade.tell("7", "skipped", kind="refund", who="Ann", why="booked by hand")
    assert await trade.refund_verdicts() == {"7": Verdict.SKIPPED, "8": Verdict.LOST}


async def test_refunds_of_a_cancelled_order_count_only_as_far_as_they_are_booked(trade: Trade) -> None:
    trade.shop.sell("2", status_id="5", status="Cancelled")
    trade.shop.give_back("7", "2", "40.00")
    assert await trade.refund_verdicts() == {}
    assert (await trade.reconciled()).agrees


async def test_a_refund_of_an_order_from_before_the_cut_over_counts_and_one_from_before_it_does_not(
    trade: Trade,
) -> None:
    before = dt.datetime(2025, 11, 1, tzinfo=dt.UTC)
    trade.shop.sell("3", placed_at=before)
    trade.shop.give_back("7", "3", "10.00")
    trade.shop.give_back("8", "3", "20.00", created_at=before)
    trade.ledger.give_back("7", "10.00")
    result = await trade.reconciled()
    assert await trade.refund_verdicts() == {"7": Verdict.POSTED}
    assert result.totals[0].ledger_net == 90
    assert result.agrees


async def test_only_refunds_made_in_the_span_are_compared(trade: Trade) -> None:
    trade.shop.give_back("7", "1", "10.00")
    trade.shop.give_back("8", "1", "20.00", created_at=POLLED)
    for refund_id, amount in (("7", "10.00"), ("8", "20.00")):
        trade.ledger.give_back(refund_id, amount)
    result = await trade.reconciled(since=POLLED - dt.timedelta(hours=1))
    assert [(one.refund_id, one.verdict) for one in result.refunds] == [("8", Verdict.POSTED)]
    assert result.agrees


async def test_credit_memos_of_billed_channels_are_read_with_what_is_left_to_apply(trade: Trade) -> None:
    trade.integration = billed(trade.parts.configuration).integration("shop-us")
    for refund_id in ("7", "8", "9", "10", "11"):
        trade.shop.give_back(refund_id, "1", "10.00")
    trade.ledger.credit("7", "10.00")
    trade.ledger.credit("8", "10.00", balance="10.00")
    trade.ledger.credit("9", "10.00")
    trade.ledger.credit("9", "10.00")
    trade.ledger.credit("10", "10.00", balance=None)
    await trade.settle("10", State.POSTED, kind="refund", reason="applied")
    trade.ledger.credit("11", "10.00", balance=None)
    result = await trade.reconciled()
    assert {one.refund_id: (one.verdict, one.reason) for one in result.refunds} == {
        "7": (Verdict.POSTED, "applied"),
        "8": (Verdict.UNPOSTED, "10.00 USD of it is not applied to an invoice"),
        "9": (Verdict.DUPLICATE, "2 credit memos"),
        "10": (Verdict.POSTED, "applied"),
        "11": (Verdict.UNPOSTED, "10.00 USD of it is not applied to an invoice"),
    }
    assert result.totals[0].difference == 10


@pytest.mark.parametrize("width", [80, 140])
async def test_the_report_reads_well_on_narrow_and_wide_screens(trade: Trade, width: int) -> None:
    trade.shop.sell("2", "123456.50")
    trade.ledger.post("2", "123456.50")
    trade.shop.give_back("7", "1", "30.00")
    trade.ledger.give_back("7", "30.00")
    trade.shop.give_back("8", "1", "12.00", created_at=PLACED + dt.timedelta(minutes=1))
    paper = io.StringIO()
    print_reconciliation([await trade.reconciled()], Console(file=paper, width=width))
    shown = paper.getvalue()
    assert all(len(line) <= width for line in shown.splitlines())
    assert "…" not in shown
    for text in ("123,556.50 (2)", "-42.00 (2)", "123,514.50", "123,526.50", "-12.00", "bc-us/refund/8  12.00 USD"):
        assert text in shown
    assert ("net source" in shown.splitlines()[0]) == (width == 140)
