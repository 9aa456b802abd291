"""Refunds that nobody announced, in other currencies, and of channels that are billed in Receivables."""

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Literal

import pytest
from replay.stage import with_integration
from support.proof import ordinary
from support.refunds import all_journals, announce_refund, balances, journals_of_refund, refund_in_state, refund_result
from support.stack import Stack, open_stack

from contracts import names
from contracts.configuration import Configuration
from contracts.flow import PollInput, State
from contracts.steps.orders import Polled
from runtime.temporal.devserver import DevServer
from sandbox.bigcommerce import EU_SHOP, US_SHOP, Shape, StoreSettings, draft, statuses
from sandbox.fusion.world import Rate

POUNDS = replace(US_SHOP, exchange_rates=(("GBP", Decimal("0.8")),))


async def run(stack: Stack, flow: str, days: int | None = None) -> Polled:
    handle = await stack.temporal.start_workflow(
        flow,
        PollInput(connection="bc-us", days=days),
        id=f"{flow}:test",
        task_queue=names.WORKFLOW_QUEUE,
        result_type=Polled,
    )
    return await handle.result()


async def test_a_poll_finds_refunds_by_a_watermark_of_their_own(temporal_server: DevServer, tmp_path: Path) -> None:
    async with open_stack(temporal_server, tmp_path) as stack, stack.worker():
        order_id = stack.shop().place(ordinary(), quiet=True).id
        assert (await run(stack, names.POLL_ORDERS)).refunds_seen == 0
        assert (await stack.result(order_id)).state is State.POSTED
        refund = stack.shop().refund(order_id, everything=True)
        found = await run(stack, names.POLL_ORDERS)
        assert (found.refunds_seen, found.refunds_started) == (1, 1)
        assert (await refund_result(stack, refund.id)).state is State.POSTED
        orders = await stack.parts.store.watermarks.get("bc-us", "orders")
        assert orders is not None
        assert await stack.parts.store.watermarks.get("bc-us", "refunds") == orders
        # Settled, it starts nothing: not by the next poll, and not by the sweep.
        assert (await run(stack, names.POLL_ORDERS)).refunds_started == 0
        swept = await run(stack, names.SWEEP_ORDERS, days=7)
        assert (swept.refunds_seen, swept.refunds_started) == (1, 0)
        assert balances(all_journals(stack, order_id, refund.id)) == {}


async def test_a_sweep_asks_after_a_refund_that_has_waited_since_yesterday(
    temporal_server: DevServer, tmp_path: Path
) -> None:
    async with open_stack(temporal_server, tmp_path) as stack, stack.worker():
        order_id = stack.shop().place(ordinary(), quiet=True, status_id=1).id
        refund = stack.shop().refund(order_id, everything=True)
        stack.shop().set_status(order_id, 1)
        await announce_refund(stack, refund.id)
        await refund_in_state(stack, refund.id, State.WAITING_PARENT, "is not postable")
        assert (await run(stack, names.SWEEP_ORDERS, days=7)).refunds_started == 0
        documents = stack.parts.store.documents
        row = await documents.get("bc-us", names.REFUND, str(refund.id))
        assert row is not None
        await documents.settle(row.model_copy(update={"at": row.at - dt.timedelta(days=2)}))
        assert (await run(stack, names.SWEEP_ORDERS, days=7)).refunds_started == 1


@asynccontextmanager
async def in_pounds(
    server: DevServer, directory: Path, refund_rate: Literal["original", "refund_date"], **policy: str
) -> AsyncIterator[Stack]:
    """The American shop sells in pounds as well; its ledger is in dollars."""

    def adjust(configuration: Configuration) -> Configuration:
        integration = configuration.integration("shop-us")
        books = integration.books[0].model_copy(update={"currency": "GBP", "conversion_type": "Corporate"})
        posting = integration.posting.model_copy(update={"refund_rate": refund_rate, **policy})
        return with_integration(configuration, "shop-us", books=(*integration.books, books), posting=posting)

    stores = (
        StoreSettings(POUNDS, requests_per_window=100_000),
        StoreSettings(EU_SHOP, requests_per_window=100_000),
    )
    async with open_stack(server, directory, stores=stores, adjust=adjust) as stack, stack.worker():
        yield stack


@pytest.mark.parametrize("refund_rate", ["original", "refund_date"])
async def test_a_refund_in_a_foreign_currency_is_at_the_rate_of_the_day_that_was_chosen(
    temporal_server: DevServer, tmp_path: Path, refund_rate: Literal["original", "refund_date"]
) -> None:
    async with in_pounds(temporal_server, tmp_path, refund_rate) as stack:
        now = stack.shop().now()
        placed = now - dt.timedelta(days=3)
        order_id = stack.shop().place(draft(Shape.ORDINARY, POUNDS, currency="GBP"), created=placed, quiet=True).id
        await stack.announce(order_id)
        assert (await stack.result(order_id)).state is State.POSTED
        (sale,) = all_journals(stack, order_id)
        refund = stack.shop().refund(order_id, everything=True)
        await announce_refund(stack, refund.id)
        assert (await refund_result(stack, refund.id)).state is State.POSTED
        (journal,) = journals_of_refund(stack, refund.id)
        assert journal.currency == "GBP"
        assert journal.conversion_date is not None
        assert sale.conversion_date is not None
        if refund_rate == "original":
            assert journal.conversion_date == sale.conversion_date
        else:
            assert journal.conversion_date > sale.conversion_date
        assert balances([sale, journal]) == {}


async def test_a_cancellation_that_voids_the_payment_is_at_the_rate_of_the_sale(
    temporal_server: DevServer, tmp_path: Path
) -> None:
    async with in_pounds(temporal_server, tmp_path, "original", recognise_on="paid") as stack:
        shop = stack.shop()
        week_ago = shop.now() - dt.timedelta(days=7)
        order = shop.place(draft(Shape.ORDINARY, POUNDS, currency="GBP"), created=week_ago, quiet=True)
        for payment in order.transactions:
            payment.created -= dt.timedelta(days=3)
        await stack.announce(order.id)
        assert (await stack.result(order.id)).state is State.POSTED
        for payment in tuple(order.transactions):
            void = replace(payment, id=payment.id + 100_000, event="void", reference_id=payment.id)
            order.transactions.append(void)
        order.payment_status = "void"
        shop.set_status(order.id, statuses.CANCELLED)
        await stack.announce(order.id)
        assert (await stack.result(order.id)).state is State.REVERSED
        sale, reversal = all_journals(stack, order.id)
        assert sale.conversion_date is not None
        assert sale.conversion_date < (shop.now() - dt.timedelta(days=1)).date()
        assert reversal.conversion_date == sale.conversion_date
        assert balances([sale, reversal]) == {}


async def test_a_refund_waits_for_the_rate_of_its_day(temporal_server: DevServer, tmp_path: Path) -> None:
    async with in_pounds(temporal_server, tmp_path, "refund_date") as stack:
        order_id = stack.shop().place(draft(Shape.ORDINARY, POUNDS, currency="GBP"), quiet=True).id
        await stack.announce(order_id)
        assert (await stack.result(order_id)).state is State.POSTED
        rates: list[Rate] = list(stack.fusion.world.rates)
        stack.fusion.world.rates.clear()
        stack.parts.facts._entries.clear()
        refund = stack.shop().refund(order_id, everything=True)
        await announce_refund(stack, refund.id)
        await refund_in_state(stack, refund.id, State.RUNNING, "rate")
        stack.fusion.world.rates.extend(rates)
        await announce_refund(stack, refund.id)
        assert (await refund_result(stack, refund.id)).state is State.POSTED
