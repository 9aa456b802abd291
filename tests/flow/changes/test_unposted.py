"""An order changes while its journal is imported and not posted yet: for hours, where a pod posts at night."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from support.imports import let_imports_be_held
from support.proof import SEND, nothing_in_review, ordinary
from support.stack import Stack, balances_of, eventually, journals_of, open_stack, standing_total

from contracts import names
from contracts.flow import State
from runtime.temporal.devserver import DevServer
from sandbox.bigcommerce import US_SHOP, Shape, draft, statuses
from sandbox.fusion import Journal
from store.rows import PostingState


@pytest.fixture(scope="module")
async def stack(temporal_server: DevServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A pod that posts when a test says so."""
    directory = tmp_path_factory.mktemp("unposted")
    async with open_stack(temporal_server, directory, adjust=let_imports_be_held) as opened, opened.worker():
        opened.fusion.world.habits.autopost = False
        yield opened


async def _postings(stack: Stack, order_id: int) -> dict[str, PostingState]:
    """What our store knows of each journal of the order, e.g. `sale/1`."""
    found = await stack.parts.store.journals.postings_of("bc-us", names.ORDER, str(order_id))
    return {f"{one.key.purpose}/{one.key.ordinal}": one.state for one in found}


async def _reach(stack: Stack, order_id: int, **states: PostingState) -> None:
    """Waits until the order's journals, the first of each purpose, are so far."""
    wanted = {f"{purpose}/1": state for purpose, state in states.items()}

    async def there() -> bool:
        return await _postings(stack, order_id) == wanted

    await eventually(there, f"the journals of order {order_id} are {wanted}")


async def _stands(stack: Stack, order_id: int, state: State) -> None:
    """Waits until the order's row says so."""

    async def said() -> bool:
        row = await stack.parts.store.documents.get("bc-us", names.ORDER, str(order_id))
        return row is not None and row.state is state

    await eventually(said, f"the row of order {order_id} says {state}")


async def _imported(stack: Stack, seed: int) -> int:
    """A new order whose journal is in the ledger and not posted."""
    order_id: int = stack.shop().place(ordinary(seed)).id
    await stack.announce(order_id)
    await _reach(stack, order_id, sale=PostingState.IMPORTED)
    return order_id


async def _edit(stack: Stack, order_id: int, quantity: int) -> None:
    shop = stack.shop()
    shop.edit_line(order_id, shop.order(order_id).lines[0].id, quantity=quantity)
    await stack.announce(order_id)


def _post(stack: Stack, *journals: Journal) -> None:
    for journal in journals:
        assert stack.fusion.books.post(journal.batch, datetime.now(UTC), 1)


@asynccontextmanager
async def _another_is_imported(stack: Stack, seed: int) -> AsyncIterator[None]:
    """As long as the context lasts nothing else of the ledger is sealed."""
    gate = stack.fusion.hooks.hold("answering", **SEND)
    other = stack.shop().place(ordinary(seed)).id
    await stack.announce(other)
    await gate.reached()
    try:
        yield
    finally:
        gate.release()
    await _reach(stack, other, sale=PostingState.IMPORTED)
    _post(stack, *journals_of(stack.fusion, other))
    await stack.result(other)


async def test_an_edit_that_is_taken_back_before_it_is_sealed_posts_nothing(stack: Stack) -> None:
    order_id = await _imported(stack, 1)
    quantity = stack.shop().order(order_id).lines[0].item.quantity
    async with _another_is_imported(stack, 2):
        await _edit(stack, order_id, quantity + 2)
        await _reach(stack, order_id, sale=PostingState.IMPORTED, delta=PostingState.STAGED)
        await _edit(stack, order_id, quantity)
        await _reach(stack, order_id, sale=PostingState.IMPORTED, delta=PostingState.WITHDRAWN)
        await _stands(stack, order_id, State.WAITING_IMPORT)
    (journal,) = journals_of(stack.fusion, order_id)
    _post(stack, journal)
    assert (await stack.result(order_id)).state is State.POSTED
    await _stands(stack, order_id, State.POSTED)
    assert len(journals_of(stack.fusion, order_id)) == 1


@pytest.mark.parametrize("first", ["sale", "delta"])
async def test_an_edit_that_is_taken_back_while_it_is_imported_is_followed_by_what_takes_it_back(
    stack: Stack, first: str
) -> None:
    order_id = await _imported(stack, 3)
    once = balances_of(stack.fusion, order_id)
    quantity = stack.shop().order(order_id).lines[0].item.quantity
    gate = stack.fusion.hooks.hold("answering", **SEND)
    await _edit(stack, order_id, quantity + 2)
    await gate.reached()
    await _edit(stack, order_id, quantity)
    await eventually(lambda: _is_followed(stack, order_id), "what is in the import is waited for")
    gate.release()
    await _reach(stack, order_id, sale=PostingState.IMPORTED, delta=PostingState.IMPORTED)
    journals = dict(zip(("sale", "delta"), journals_of(stack.fusion, order_id), strict=True))
    _post(stack, journals.pop(first))
    (second,) = journals
    await _reach(stack, order_id, **{first: PostingState.POSTED, second: PostingState.IMPORTED})
    stack.fusion.world.habits.autopost = True
    _post(stack, journals[second])
    try:
        assert (await stack.result(order_id)).state is State.POSTED
    finally:
        stack.fusion.world.habits.autopost = False
    await _stands(stack, order_id, State.POSTED)
    assert standing_total(stack.fusion, order_id) == stack.shop().truth()[order_id].total
    assert balances_of(stack.fusion, order_id) == once
    assert len(journals_of(stack.fusion, order_id)) == 3


async def _is_followed(stack: Stack, order_id: int) -> bool:
    """Whether the order's row is of no version: the ledger will show one that the shop shows no more."""
    row = await stack.parts.store.documents.get("bc-us", names.ORDER, str(order_id))
    return row is not None and row.state is State.WAITING_IMPORT and not row.fingerprint


async def test_an_order_that_is_put_right_again_leaves_review_before_it_is_posted(stack: Stack) -> None:
    order_id = await _imported(stack, 4)
    shop = stack.shop()
    line = shop.order(order_id).lines[0]
    sold, antique = line.item, draft(Shape.ORDINARY, US_SHOP, seed=4, categories=["Antiques"]).items[0]
    shop.place(draft(Shape.ORDINARY, US_SHOP, seed=4, categories=["Antiques"]), quiet=True)
    line.item = antique
    await _edit(stack, order_id, antique.quantity + 1)
    await _stands(stack, order_id, State.NEEDS_REVIEW)
    line.item = sold
    await _edit(stack, order_id, sold.quantity)
    await _stands(stack, order_id, State.WAITING_IMPORT)
    await nothing_in_review(stack)
    _post(stack, *journals_of(stack.fusion, order_id))
    assert (await stack.result(order_id)).state is State.POSTED
    await _stands(stack, order_id, State.POSTED)
    assert len(journals_of(stack.fusion, order_id)) == 1


async def test_an_order_that_was_cancelled_before_it_was_posted_is_posted_again_when_it_comes_back(
    stack: Stack,
) -> None:
    order_id = await _imported(stack, 5)
    once = balances_of(stack.fusion, order_id)
    stack.shop().set_status(order_id, statuses.CANCELLED)
    await stack.announce(order_id)
    await _reach(stack, order_id, sale=PostingState.IMPORTED, reversal=PostingState.IMPORTED)
    sale, reversal = journals_of(stack.fusion, order_id)
    # What took it back is posted, and heard of, first.
    _post(stack, reversal)
    await _reach(stack, order_id, sale=PostingState.IMPORTED, reversal=PostingState.POSTED)
    _post(stack, sale)
    await _reach(stack, order_id, sale=PostingState.POSTED, reversal=PostingState.POSTED)
    await _stands(stack, order_id, State.REVERSED)
    assert (await stack.result(order_id)).state is State.REVERSED

    stack.fusion.world.habits.autopost = True
    try:
        stack.shop().set_status(order_id, statuses.AWAITING_FULFILLMENT)
        await stack.announce(order_id)
        assert (await stack.result(order_id)).state is State.POSTED
    finally:
        stack.fusion.world.habits.autopost = False
    await _stands(stack, order_id, State.POSTED)
    assert balances_of(stack.fusion, order_id) == once
    assert len(journals_of(stack.fusion, order_id)) == 3
