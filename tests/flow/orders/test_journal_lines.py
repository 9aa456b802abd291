"""Auditors start in the ledger: each line there says of which order it is, and which rule chose its account."""

import re
from collections.abc import AsyncIterator, Iterable

import pytest
from support.proof import ordinary, posted, sell
from support.receivables import billed, invoices_of, memos_of
from support.refunds import announce_refund, journals_of_refund, refund_result
from support.stack import FAST, Stack, journals_of, open_stack

from contracts.flow import State
from runtime.temporal.devserver import DevServer
from sandbox.bigcommerce import US_SHOP, Shape, draft, statuses
from sandbox.bigcommerce.orders import NOT_EVERYDAY
from sandbox.fusion import Journal


@pytest.fixture(scope="module")
async def stack(temporal_server: DevServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """One stack with a worker for the whole file; every test has orders of its own."""
    directory = tmp_path_factory.mktemp("lines")
    async with open_stack(temporal_server, directory, imports=FAST) as opened, opened.worker():
        yield opened


def explained(stack: Stack, journals: Iterable[Journal], what: str) -> None:
    """By the twin's own books: people read the description, programs the import references."""
    mapping_set = stack.configuration.mapping_set("retail")
    rules = {one.id for one in mapping_set.rules}
    for journal in journals:
        assert journal.lines
        for line in journal.lines:
            told = re.fullmatch(rf".+ \| {what} \| retail v1 rule ([a-z0-9-]+)", line.description)
            assert told, line.description
            assert len(line.description) <= 240
            assert told[1] in rules
            given = line.references
            assert given["REFERENCE21"] == journal.given_name
            assert given["REFERENCE23"], "which line, charge, tax or tender of the order"
            assert (given["REFERENCE24"], given["REFERENCE25"], given["REFERENCE26"]) == ("retail", "1", told[1])


async def test_lines_of_sales_differences_and_reversals_name_order_rule_and_version(stack: Stack) -> None:
    (order_id,) = await sell(stack, ordinary())
    await posted(stack, [order_id])
    line = stack.shop().order(order_id).lines[0]
    stack.shop().edit_line(order_id, line.id, quantity=line.item.quantity + 2)
    await stack.announce(order_id)
    assert (await stack.result(order_id)).state is State.POSTED
    stack.shop().set_status(order_id, statuses.CANCELLED)
    await stack.announce(order_id)
    assert (await stack.result(order_id)).state is State.REVERSED
    journals = journals_of(stack.fusion, order_id)
    assert [one.given_name.split("/", 4)[4] for one in journals] == ["sale/1", "delta/1", "reversal/2"]
    explained(stack, journals, f"order {order_id}")


async def test_lines_of_every_basket_and_of_its_refund_name_order_rule_and_version(stack: Stack) -> None:
    orders = await sell(stack, *(draft(shape, US_SHOP, seed=5) for shape in Shape if shape not in NOT_EVERYDAY))
    for order_id in orders:
        assert (await stack.result(order_id)).state is State.POSTED
        explained(stack, journals_of(stack.fusion, order_id), f"order {order_id}")
    refunds = {order_id: stack.shop().refund(order_id, everything=True).id for order_id in orders}
    for refund_id in refunds.values():
        await announce_refund(stack, refund_id)
    for order_id, refund_id in refunds.items():
        assert (await refund_result(stack, refund_id)).state is State.POSTED
        journals = journals_of_refund(stack, refund_id)
        assert len(journals) == 1
        explained(stack, journals, f"order {order_id} refund {refund_id}")


async def test_lines_of_invoices_and_credit_memos_name_order_rule_and_version(
    temporal_server: DevServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("billed-lines")
    async with open_stack(temporal_server, directory, imports=FAST, adjust=billed) as stack, stack.worker():
        (order_id,) = await sell(stack, ordinary())
        assert (await stack.result(order_id)).state is State.POSTED
        refund = stack.shop().refund(order_id, everything=True)
        await announce_refund(stack, refund.id)
        assert (await refund_result(stack, refund.id)).state is State.POSTED
        for transactions, what in (
            (invoices_of(stack, order_id), f"order {order_id}"),
            (memos_of(stack, refund.id), f"order {order_id} refund {refund.id}"),
        ):
            (transaction,) = transactions
            for line in transaction.lines:
                assert re.fullmatch(rf".+ \| {what} \| retail v1 rule [a-z0-9-]+", line.description), line.description
