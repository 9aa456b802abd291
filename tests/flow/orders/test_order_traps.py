"""What a shop does to its orders that is no change of a sale, or comes sooner than the order itself."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from support.proof import booked_once, ordinary, posted, sell
from support.stack import Stack, eventually, open_stack

from contracts import names
from contracts.flow import PollInput, State
from contracts.steps.orders import Polled
from runtime.temporal.devserver import DevServer
from sandbox.bigcommerce import Shape, draft, statuses
from sandbox.bigcommerce.profiles import US_SHOP


@pytest.fixture(scope="module")
async def stack(temporal_server: DevServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """One stack with a worker for the whole file; every test has orders of its own."""
    async with open_stack(temporal_server, tmp_path_factory.mktemp("traps")) as opened, opened.worker():
        yield opened


async def test_an_order_that_something_was_written_to_is_announced_and_posted_no_second_time(stack: Stack) -> None:
    """Whatever an app writes to an order, we too, comes back as `store/order/updated`."""
    (order_id,) = await sell(stack, ordinary(1))
    await posted(stack, [order_id])
    shop = stack.shop()
    order = shop.order(order_id)
    for what in ("created", "updated"):
        stack.shops.clock.advance(2)
        before = order.modified
        shop.annotated(order, what, {"metafield_id": 7}, touches=True)
        assert order.modified > before
        await stack.announce(order_id)
        assert (await stack.result(order_id)).state is State.POSTED
    booked_once(stack, [order_id])
    # It was looked at: no poll starts it for the new stamp.
    polled = await stack.temporal.execute_workflow(
        names.POLL_ORDERS,
        PollInput(connection="bc-us", since=order.modified - timedelta(seconds=1)),
        id="poll:after-a-note",
        task_queue=names.WORKFLOW_QUEUE,
        result_type=Polled,
    )
    assert (polled.seen, polled.started) == (1, 0)


async def test_a_webhook_that_is_faster_than_the_shops_own_read_is_waited_with(stack: Stack) -> None:
    shop = stack.shop()
    order = shop.place(ordinary(2))
    order.visible_from = shop.now() + timedelta(seconds=3)
    await stack.announce(order.id)

    async def asked_in_vain() -> bool:
        return bool([call for call in stack.shops.calls if call.path.endswith(f"/orders/{order.id}")])

    await eventually(asked_in_vain, "the order is asked for before it is there")
    await posted(stack, [order.id])


async def test_what_the_shops_own_count_differs_by_is_skipped_by_its_name(stack: Stack) -> None:
    """Payments that were abandoned are counted and listed, archived orders are counted by nobody."""
    shop = stack.shop()
    abandoned = shop.place(draft(Shape.ORDINARY, US_SHOP, seed=3), status_id=statuses.INCOMPLETE).id
    archived = shop.place(draft(Shape.ORDINARY, US_SHOP, seed=4)).id
    shop.archive(archived)
    for order_id, reason in ((abandoned, "status Incomplete is not postable"), (archived, "archived in the shop")):
        await stack.announce(order_id)
        result = await stack.result(order_id)
        assert (result.state, result.sentence) == (State.SKIPPED, reason)
