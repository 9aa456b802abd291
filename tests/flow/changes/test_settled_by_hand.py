"""Cancellations that a person settled by hand: what comes after them is not posted by itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from support.parking import deciding
from support.proof import ordinary, posted, sell
from support.refunds import announce_refund, journals_of_refund, refund_in_state
from support.stack import Stack, balances_of, eventually, journals_of, open_stack

from contracts.flow import State
from contracts.steps.documents import VERSION_UNKNOWN
from runtime.temporal.devserver import DevServer
from sandbox.bigcommerce import US_SHOP, Shape, draft, statuses
from store.rows import DocumentRow


@pytest.fixture(scope="module")
async def stack(temporal_server: DevServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """One stack with a worker for the whole file; every test has orders of its own."""
    async with open_stack(temporal_server, tmp_path_factory.mktemp("by-hand")) as opened, opened.worker():
        yield opened


async def row_of(stack: Stack, order_id: int) -> DocumentRow:
    row = await stack.parts.store.documents.get("bc-us", "order", str(order_id))
    assert row is not None
    return row


@asynccontextmanager
async def reversals_refused(stack: Stack, order_id: int) -> AsyncIterator[None]:
    """Fusion refuses what is booked where the order was."""
    account = journals_of(stack.fusion, order_id)[0].lines[0].account
    stack.fusion.set_account(account, import_refuses="EF03")
    try:
        yield
    finally:
        stack.fusion.set_account(account, import_refuses=None)


async def refused_reversal(stack: Stack, seed: int) -> int:
    """A cancelled order whose reversal Fusion refuses, and which a person has skipped for that."""
    (order_id,) = await sell(stack, ordinary(seed))
    await posted(stack, [order_id])
    async with reversals_refused(stack, order_id):
        stack.shop().set_status(order_id, statuses.CANCELLED)
        await stack.announce(order_id)
        await stack.in_state(order_id, State.NEEDS_REVIEW)
    await deciding(stack, order_id, "skip")
    assert (await stack.result(order_id)).state is State.SKIPPED
    return order_id


async def asked(stack: Stack, order_id: int, word: str) -> None:
    await stack.announce(order_id)

    async def told() -> bool:
        row = await row_of(stack, order_id)
        return [one.code for one in row.problems] == ["settled_by_hand"] and word in row.problems[0].sentence

    await eventually(told, f"a person is asked about order {order_id}, which {word}")


async def test_an_order_that_comes_back_after_a_person_settled_its_cancellation_is_asked_about(stack: Stack) -> None:
    order_id = await refused_reversal(stack, 0)
    shop = stack.shop()
    shop.touch(order_id)
    await stack.announce(order_id)
    assert (await stack.result(order_id)).state is State.SKIPPED

    shop.set_status(order_id, statuses.AWAITING_FULFILLMENT)
    await asked(stack, order_id, "came back")
    shop.edit_line(order_id, shop.order(order_id).lines[0].id, quantity=5)
    await asked(stack, order_id, "came back")
    shop.set_status(order_id, statuses.CANCELLED)
    await asked(stack, order_id, "changed")
    shop.set_status(order_id, statuses.AWAITING_FULFILLMENT)
    await asked(stack, order_id, "came back")
    assert len(journals_of(stack.fusion, order_id)) == 1

    # What is decided about the order as it came back stands, and its next cancellation is one of its own.
    await deciding(stack, order_id, "skip")
    assert (await stack.result(order_id)).state is State.SKIPPED
    shop.set_status(order_id, statuses.CANCELLED)
    await stack.announce(order_id)
    assert (await stack.result(order_id)).state is State.REVERSED


async def test_a_cancellation_of_which_nobody_knows_whether_it_was_decided_about_is_asked_about(stack: Stack) -> None:
    order_id = await refused_reversal(stack, 1)
    row = await row_of(stack, order_id)
    await stack.parts.store.documents.settle(row.model_copy(update={"decided_version": VERSION_UNKNOWN}))
    stack.shop().touch(order_id)
    await stack.announce(order_id)
    standing = await stack.in_state(order_id, State.NEEDS_REVIEW)
    assert [one.code for one in standing.problems] == ["settled_by_hand"]
    assert len(journals_of(stack.fusion, order_id)) == 1


async def test_a_cancellation_in_the_second_of_the_edit_that_was_skipped_is_reversed(stack: Stack) -> None:
    (order_id,) = await sell(stack, ordinary(2))
    await posted(stack, [order_id])
    shop = stack.shop()
    shop.add_line(order_id, draft(Shape.ORDINARY, US_SHOP, seed=2, categories=["Antiques"]).items[0])
    await stack.announce(order_id)
    await stack.in_state(order_id, State.NEEDS_REVIEW)
    await deciding(stack, order_id, "skip")
    assert (await stack.result(order_id)).state is State.SKIPPED
    shop.set_status(order_id, statuses.CANCELLED)
    row = await row_of(stack, order_id)
    # As if the shop's stamps, of whole seconds, were the same.
    await stack.parts.store.documents.settle(row.model_copy(update={"modified_at": shop.order(order_id).modified}))
    await stack.announce(order_id)
    assert (await stack.result(order_id)).state is State.REVERSED
    assert balances_of(stack.fusion, order_id) == {}


async def test_a_refund_of_an_order_whose_cancellation_a_person_settles_is_not_booked_by_itself(stack: Stack) -> None:
    (order_id,) = await sell(stack, ordinary(3))
    await posted(stack, [order_id])
    shop = stack.shop()
    async with reversals_refused(stack, order_id):
        shop.set_status(order_id, statuses.CANCELLED)
        await stack.announce(order_id)
        await stack.in_state(order_id, State.NEEDS_REVIEW)
    refund = shop.refund(order_id, everything=True)
    await announce_refund(stack, refund.id)
    await refund_in_state(stack, refund.id, State.WAITING_PARENT, "a person is to decide")
    await deciding(stack, order_id, "skip")
    standing = await refund_in_state(stack, refund.id, State.NEEDS_REVIEW)
    assert [one.code for one in standing.problems] == ["refund_of_settled_order"]
    assert journals_of_refund(stack, refund.id) == []
