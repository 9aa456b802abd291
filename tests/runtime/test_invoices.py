"""What operators and finance users see of a channel that is billed in Receivables."""

import io
from decimal import Decimal
from pathlib import Path

from replay.stage import with_fusion
from rich.console import Console
from support.fusion_pod import invoice_body
from support.proof import ordinary, posted, sell
from support.receivables import billed, billed_once, invoices_of, worker_with
from support.stack import open_stack

from contracts.configuration import Configuration
from contracts.flow import State
from runtime.commands.audit import print_life
from runtime.commands.status import print_standing
from runtime.operations.document_life import life_of
from runtime.operations.reconciled import Verdict
from runtime.operations.reconciliation import reconcile
from runtime.operations.standing import standing
from runtime.temporal.devserver import DevServer
from sandbox.bigcommerce import US_SHOP, Shape, draft
from store.creating.creation import CreationState

SHAPES = (Shape.ORDINARY, Shape.DISCOUNT_AND_COUPON, Shape.SPLIT_TENDER, Shape.SOLD_CERTIFICATE)


def quick(configuration: Configuration) -> Configuration:
    return with_fusion(billed(configuration), create_timeout=5.0, settle=0.5)


def printed() -> tuple[Console, io.StringIO]:
    paper = io.StringIO()
    return Console(file=paper, width=200), paper


async def test_what_was_billed_agrees_to_the_cent_and_is_shown_with_its_lines(
    temporal_server: DevServer, tmp_path: Path
) -> None:
    async with open_stack(temporal_server, tmp_path, adjust=quick) as stack:
        orders = [stack.shop().place(draft(shape, US_SHOP)).id for shape in SHAPES]
        unmapped = stack.shop().place(draft(Shape.ORDINARY, US_SHOP, categories={"Antiques"})).id
        async with stack.worker():
            for order_id in (*orders, unmapped):
                await stack.announce(order_id)
            for order_id in orders:
                assert (await stack.result(order_id)).state is State.POSTED
            await stack.in_state(unmapped, State.NEEDS_REVIEW)
        (result,) = await reconcile(stack.parts, [stack.configuration.integration("shop-us")])
        truth = stack.shop().truth()
        assert {order.order_id: order.verdict for order in result.orders} == {
            **{str(order_id): Verdict.POSTED for order_id in orders},
            str(unmapped): Verdict.IN_REVIEW,
        }
        (totals,) = result.totals
        assert totals.ledger_total == sum((truth[order_id].total for order_id in orders), start=Decimal(0))
        assert totals.difference == 0
        assert result.agrees

        now = stack.parts.clock()
        stands = await standing(stack.parts.store, stack.configuration, None, since=now.replace(year=2020), now=now)
        assert [(one.state, one.count) for one in stands.invoices] == [(CreationState.POSTED, len(orders))]
        console, paper = printed()
        print_standing(stands, console)
        assert "receivablesInvoices" in paper.getvalue()

        life = await life_of(stack.parts.store, stack.configuration, str(orders[0]), connection="bc-us")
        (invoice,) = invoices_of(stack, orders[0])
        console, paper = printed()
        print_life(life, console)
        told = paper.getvalue()
        assert f"{invoice.number} (transaction {invoice.id})" in told
        assert "retail v1 sales-tax" in told
        assert all(f"{line.amount:f}" in told for line in invoice.lines)


async def test_an_invoice_that_is_there_twice_is_found(temporal_server: DevServer, tmp_path: Path) -> None:
    async with open_stack(temporal_server, tmp_path, adjust=quick) as stack, stack.worker():
        once, twice = await sell(stack, ordinary(1), ordinary(2))
        await billed_once(stack, [once, twice])
        (invoice,) = invoices_of(stack, twice)
        today = stack.parts.clock().date().isoformat()
        copy = invoice_body(
            "COPY-1",
            str(invoice.amount),
            TransactionDate=today,
            AccountingDate=today,
            CrossReference=f"acme/bc-us/order/{twice}/invoice/1",
        )
        stack.fusion.receivables.create(copy)
        (result,) = await reconcile(stack.parts, [stack.configuration.integration("shop-us")])
        verdicts = {int(order.order_id): order for order in result.orders}
        assert (verdicts[twice].verdict, verdicts[twice].reason) == (Verdict.DUPLICATE, "2 invoices")
        assert verdicts[once].verdict is Verdict.POSTED
        assert not result.agrees


async def test_orders_from_before_and_after_a_switch_agree_together(temporal_server: DevServer, tmp_path: Path) -> None:
    async with open_stack(temporal_server, tmp_path) as stack:
        switched = quick(stack.configuration)
        async with stack.worker():
            (booked,) = await sell(stack, ordinary(3))
            await posted(stack, [booked])
        async with worker_with(stack, switched):
            (now_billed,) = await sell(stack, ordinary(4))
            await billed_once(stack, [now_billed])
        (result,) = await reconcile(stack.parts, [switched.integration("shop-us")])
        assert {order.order_id: order.verdict for order in result.orders} == {
            str(booked): Verdict.POSTED,
            str(now_billed): Verdict.POSTED,
        }
        assert result.agrees
