"""A shop order becomes one posted journal: the whole flow on a real Temporal server against the twins."""

from support.stack import Stack, journals_of

from contracts.flow import State
from sandbox.bigcommerce import US_SHOP, Shape, draft


async def test_an_order_becomes_one_posted_journal_of_its_total(stack: Stack) -> None:
    order = stack.shop().place(draft(Shape.ORDINARY, US_SHOP))
    async with stack.worker():
        await stack.announce(order.id)
        result = await stack.result(order.id)
    assert result.state is State.POSTED
    journals = journals_of(stack.fusion, order.id)
    assert [journal.batch.status for journal in journals] == ["P"]
    assert journals[0].total("entered_dr") == stack.shop().truth()[order.id].total
