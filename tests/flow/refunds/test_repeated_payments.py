"""A declined payment that is repeated in the shop: its refund is booked at once, though nothing is announced of it."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from support.proof import ordinary, posted, sell
from support.refunds import (
    all_journals,
    announce_refund,
    balances,
    journals_of_refund,
    refund_flow,
    refund_in_state,
    refund_result,
    refund_row,
)
from support.stack import FAST, Stack, eventually, open_stack

from contracts import names
from contracts.flow import PollInput, State
from contracts.steps.orders import Polled
from runtime.temporal.devserver import DevServer
from sandbox.bigcommerce.documents import Refund


@pytest.fixture(scope="module")
async def stack(temporal_server: DevServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """Nothing looks by itself while these tests last."""
    directory = tmp_path_factory.mktemp("repeated")
    imports = FAST | {"reread_after": 36_000.0}
    async with open_stack(temporal_server, directory, imports=imports) as opened, opened.worker():
        yield opened


async def declined(stack: Stack, seed: int) -> tuple[int, Refund]:
    """An order in the ledger and a refund of all of it that waits for its payment."""
    (order_id,) = await sell(stack, ordinary(seed))
    await posted(stack, [order_id])
    refund = stack.shop().refund(order_id, everything=True, declined=True)
    await announce_refund(stack, refund.id)
    await refund_in_state(stack, refund.id, State.RUNNING, "declined to pay back")

    async def recorded() -> bool:
        row = await refund_row(stack, refund.id)
        return row is not None and "declined to pay back" in row.reason

    await eventually(recorded, "the wait is on record")
    return order_id, refund


async def test_a_repeated_payment_is_found_when_its_order_is_announced(stack: Stack) -> None:
    order_id, refund = await declined(stack, 40)
    stack.shop().repeat_refund(refund.id)
    # The shop tells of the order, which has another status now, and of nothing else.
    await stack.announce(order_id)
    assert (await refund_result(stack, refund.id)).state is State.POSTED
    assert balances(all_journals(stack, order_id, refund.id)) == {}

    # It is not looked at any more, whatever is told of the order.
    flow = stack.temporal.get_workflow_handle(refund_flow(refund.id))
    before = await flow.describe()
    await stack.announce(order_id)
    assert (await stack.result(order_id)).state is State.POSTED
    assert (await flow.describe()).run_id == before.run_id
    assert len(journals_of_refund(stack, refund.id)) == 1


async def test_a_refund_whose_payment_stays_declined_goes_on_waiting(stack: Stack) -> None:
    order_id, refund = await declined(stack, 41)
    await stack.announce(order_id)
    assert (await stack.result(order_id)).state is State.POSTED

    async def looked_again() -> bool:
        told = await stack.parts.store.audit.of("bc-us", names.REFUND, str(refund.id))
        return [event.action for event in told].count("fetched") >= 2

    await eventually(looked_again, "the refund was read once more")
    await refund_in_state(stack, refund.id, State.RUNNING, "declined to pay back")
    assert journals_of_refund(stack, refund.id) == []


async def test_a_repeated_payment_is_found_by_the_poll_of_orders(stack: Stack) -> None:
    order_id, refund = await declined(stack, 42)
    stack.shops.clock.advance(60)
    stack.shop().repeat_refund(refund.id)
    polled = await stack.temporal.execute_workflow(
        names.POLL_ORDERS,
        PollInput(connection="bc-us", since=refund.created + timedelta(seconds=30)),
        id="poll-repeated",
        task_queue=names.WORKFLOW_QUEUE,
        result_type=Polled,
    )
    assert (polled.started, polled.refunds_seen) == (1, 0), "the refund is older than what is read"
    assert (await refund_result(stack, refund.id)).state is State.POSTED
    assert balances(all_journals(stack, order_id, refund.id)) == {}
