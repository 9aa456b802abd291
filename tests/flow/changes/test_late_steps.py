"""A worker that stood still in the midst of a step, while others went on, puts back nothing that came since."""

import dataclasses
from datetime import timedelta

import pytest
from support.proof import ordinary, posted, sell
from support.stack import Stack
from temporalio.testing import ActivityEnvironment

from activities.orders.fetch import FetchActivities
from activities.trail import KIND, turn_of
from contracts.flow import State
from contracts.steps.orders import FetchOrder
from store.documents import Documents
from store.rows import DocumentRow


@pytest.mark.parametrize("late", [False, True])
async def test_a_look_at_an_order_that_was_taken_over_writes_nothing(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, *, late: bool
) -> None:
    async with stack.worker():
        (order_id,) = await sell(stack, ordinary())
        await posted(stack, [order_id])
    documents = stack.parts.store.documents
    known = await documents.get("bc-us", KIND, str(order_id))
    assert known is not None
    stack.shops.clock.advance(60)
    stack.shop().touch(order_id)
    moment = stack.parts.clock()
    since = known.model_copy(update={"state": State.NEEDS_REVIEW, "reason": "edited meanwhile"})
    await documents.settle(since, turn=turn_of("bc-us", str(order_id), moment))

    async def read_before(*_: object) -> DocumentRow:
        return known

    wanted = FetchOrder(integration="shop-us", connection="bc-us", order_id=str(order_id), job="test")
    environment = ActivityEnvironment()
    begun = moment + timedelta(seconds=-1 if late else 1)
    environment.info = dataclasses.replace(environment.info, scheduled_time=begun)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(Documents, "get", read_before)
        fetched = await environment.run(FetchActivities(stack.parts).fetch_order, wanted)
    assert fetched.settled is not None
    row = await documents.get("bc-us", KIND, str(order_id))
    assert row is not None
    assert (row.state, row.modified_at > known.modified_at) == (
        (State.NEEDS_REVIEW, False) if late else (State.POSTED, True)
    )
