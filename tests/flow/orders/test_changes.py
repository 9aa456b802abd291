"""Orders change at every moment: what is posted is the last version, once, and no change is ever lost."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from support.parking import deciding
from support.stack import Stack, eventually, journals_of, open_stack, posted_total
from temporalio.client import WorkflowExecutionStatus

from contracts import names
from contracts.flow import State
from mapping.edits import sale_fingerprint
from runtime.temporal.devserver import DevServer
from sandbox.bigcommerce import US_SHOP, Draft, Shape, draft, statuses
from sandbox.kit import Exchange

STORM = 40
SEND: dict[str, Any] = {"method": "POST", "path": "/erpintegrations", "body": "importBulkData"}


@pytest.fixture(scope="module")
async def stack(temporal_server: DevServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """One stack with a worker for the whole file; every test has orders of its own."""
    async with open_stack(temporal_server, tmp_path_factory.mktemp("changes")) as opened, opened.worker():
        yield opened


def ordinary(seed: int = 0) -> Draft:
    return draft(Shape.ORDINARY, US_SHOP, seed=seed)


def with_antique(seed: int = 0) -> Draft:
    """A basket whose last line has no revenue account."""
    basket = ordinary(seed)
    antique = draft(Shape.ORDINARY, US_SHOP, seed=seed, categories=["Antiques"]).items[0]
    return replace(basket, items=(*basket.items, antique))


async def posted(stack: Stack, seed: int = 0) -> int:
    order_id: int = stack.shop().place(ordinary(seed)).id
    await stack.announce(order_id)
    assert (await stack.result(order_id)).state is State.POSTED
    return order_id


async def edit(stack: Stack, order_id: int, quantity: int) -> None:
    """The first line has another quantity, and the shop says so."""
    shop = stack.shop()
    shop.edit_line(order_id, shop.order(order_id).lines[0].id, quantity=quantity)
    await stack.announce(order_id)


def truth(stack: Stack, order_id: int) -> Decimal:
    total: Decimal = stack.shop().truth()[order_id].total
    return total


async def last_version(stack: Stack, order_id: int) -> str:
    """Fingerprint of what the shop shows now."""
    snapshot, _ = await stack.parts.shops["bc-us"].order(str(order_id))
    return sale_fingerprint(snapshot.sale, stack.configuration.integration("shop-us").posting)


async def settled_as_shown(stack: Stack, order_id: int, *states: State) -> State:
    """Waits until the store knows the version that the shop shows now, in one of these states."""
    shown = await last_version(stack, order_id)

    async def known() -> State | None:
        row = await stack.parts.store.documents.get("bc-us", "order", str(order_id))
        return row.state if row and row.fingerprint == shown and row.state in states else None

    state: State = await eventually(known, f"the last version of order {order_id} is {' or '.join(states)}")
    return state


async def closed(stack: Stack, order_id: int) -> None:
    """Waits until no run of the order is open: every announced change was looked at."""
    handle = stack.temporal.get_workflow_handle(names.order_to_journal_id("bc-us", str(order_id)))

    async def ended() -> bool:
        return (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED

    await eventually(ended, f"order {order_id} has ended")


async def edited_after_posting(stack: Stack, order_id: int) -> None:
    """Waits until a person is asked about the edit, and about nothing else."""
    standing = await stack.in_state(order_id, State.NEEDS_REVIEW)
    assert [problem.code for problem in standing.problems] == ["edited_after_posting"]


async def skip(stack: Stack, order_id: int) -> None:
    await deciding(stack, order_id, "skip")


@asynccontextmanager
async def in_import(stack: Stack, *orders: int) -> AsyncIterator[None]:
    """The orders' group has been taken by Fusion, and the answer is held as long as the context lasts."""
    gate = stack.fusion.hooks.hold("answering", **SEND)
    for order_id in orders:
        await stack.announce(order_id)
    await gate.reached()
    try:
        yield
    finally:
        gate.release()


async def test_an_incomplete_order_is_posted_once_it_is_paid(stack: Stack) -> None:
    order_id = stack.shop().place(ordinary(1), status_id=statuses.INCOMPLETE).id
    await stack.announce(order_id)
    result = await stack.result(order_id)
    assert (result.state, result.sentence) == (State.SKIPPED, "status Incomplete is not postable")
    assert journals_of(stack.fusion, order_id) == []

    stack.shop().set_status(order_id, statuses.AWAITING_FULFILLMENT)
    await stack.announce(order_id)
    assert (await stack.result(order_id)).state is State.POSTED
    assert posted_total(stack.fusion, order_id) == truth(stack, order_id)


async def test_a_status_change_after_posting_posts_nothing_and_asks_nobody(stack: Stack) -> None:
    order_id = await posted(stack, 2)
    requests = len(stack.fusion.requests())
    shop = stack.shop()
    for change in (
        shop.ship,
        lambda number: shop.set_status(number, statuses.COMPLETED),
        lambda number: shop.set_status(number, statuses.CANCELLED),
        shop.touch,
    ):
        change(order_id)
        await stack.announce(order_id)
        assert (await stack.result(order_id)).state is State.POSTED
    assert len(stack.fusion.requests()) == requests
    assert len(journals_of(stack.fusion, order_id)) == 1


async def test_of_edits_before_sealing_only_the_last_version_is_posted(stack: Stack) -> None:
    # While one group is being imported the next cannot be sealed.
    first = stack.shop().place(ordinary(3)).id
    async with in_import(stack, first):
        order_id = stack.shop().place(ordinary(4)).id
        await stack.announce(order_id)
        await stack.in_state(order_id, State.WAITING_IMPORT)
        versions = {truth(stack, order_id)}
        for quantity in (7, 4, 9):
            await edit(stack, order_id, quantity)
            versions.add(truth(stack, order_id))
        await settled_as_shown(stack, order_id, State.WAITING_IMPORT)
    assert len(versions) == 4
    assert (await stack.result(order_id)).state is State.POSTED
    assert [one.total("entered_dr") for one in journals_of(stack.fusion, order_id)] == [truth(stack, order_id)]


async def test_an_order_cancelled_before_sealing_is_never_posted(stack: Stack) -> None:
    first = stack.shop().place(ordinary(5)).id
    async with in_import(stack, first):
        order_id = stack.shop().place(ordinary(6)).id
        await stack.announce(order_id)
        await stack.in_state(order_id, State.WAITING_IMPORT)
        stack.shop().set_status(order_id, statuses.CANCELLED)
        await stack.announce(order_id)
        assert (await stack.result(order_id)).state is State.SKIPPED
    assert (await stack.result(first)).state is State.POSTED
    assert journals_of(stack.fusion, order_id) == []


async def test_an_edit_after_posting_asks_a_person_whose_skip_stands(stack: Stack) -> None:
    order_id = await posted(stack, 7)
    before = truth(stack, order_id)
    await edit(stack, order_id, 8)
    await edited_after_posting(stack, order_id)
    await skip(stack, order_id)
    assert (await stack.result(order_id)).state is State.SKIPPED

    stack.shop().ship(order_id)
    await stack.announce(order_id)
    result = await stack.result(order_id)
    assert (result.state, result.sentence) == (State.SKIPPED, "skipped by dana: at the fair")
    assert posted_total(stack.fusion, order_id) == before != truth(stack, order_id)

    await edit(stack, order_id, 9)
    await edited_after_posting(stack, order_id)


async def test_an_edit_after_posting_that_is_taken_back_needs_nobody(stack: Stack) -> None:
    order_id = await posted(stack, 8)
    quantity = stack.shop().order(order_id).lines[0].item.quantity
    await edit(stack, order_id, quantity + 3)
    await edited_after_posting(stack, order_id)
    await edit(stack, order_id, quantity)
    assert (await stack.result(order_id)).state is State.POSTED
    assert await settled_as_shown(stack, order_id, State.POSTED, State.NEEDS_REVIEW) is State.POSTED
    assert posted_total(stack.fusion, order_id) == truth(stack, order_id)


async def test_what_changes_while_its_group_is_imported_is_looked_at_afterwards(stack: Stack) -> None:
    edited, cancelled = stack.shop().place(ordinary(9)).id, stack.shop().place(ordinary(10)).id
    before = truth(stack, edited)
    async with in_import(stack, edited, cancelled):
        await edit(stack, edited, 9)
        stack.shop().set_status(cancelled, statuses.CANCELLED)
        await stack.announce(cancelled)
    await edited_after_posting(stack, edited)
    assert posted_total(stack.fusion, edited) == before
    # A cancelled order that is in the ledger needs a credit note, not a person: refunds are a flow of their own.
    assert (await stack.result(cancelled)).state is State.POSTED
    assert posted_total(stack.fusion, cancelled) == truth(stack, cancelled)


async def test_a_stray_webhook_in_review_does_not_retry_and_an_edit_does(stack: Stack) -> None:
    order_id = stack.shop().place(with_antique(11)).id
    await stack.announce(order_id)
    await stack.in_state(order_id, State.NEEDS_REVIEW)
    handle = stack.temporal.get_workflow_handle(names.order_to_journal_id("bc-us", str(order_id)))
    run = (await handle.describe()).run_id
    stack.shop().touch(order_id)
    await stack.announce(order_id)

    async def looked_and_thought() -> bool:
        events = (await handle.fetch_history()).events
        looked = [one.event_id for one in events if one.HasField("activity_task_completed_event_attributes")]
        thought = [one.event_id for one in events if one.HasField("workflow_task_completed_event_attributes")]
        return bool(looked) and thought[-1] > looked[-1]

    await eventually(looked_and_thought, "the run has looked at the order")
    assert (await handle.describe()).run_id == run
    assert (await stack.state(order_id)).state is State.NEEDS_REVIEW

    shop = stack.shop()
    shop.edit_line(order_id, shop.order(order_id).lines[-1].id, quantity=0)
    await stack.announce(order_id)
    assert (await stack.result(order_id)).state is State.POSTED
    assert posted_total(stack.fusion, order_id) == truth(stack, order_id)


async def test_a_storm_of_edits_around_completion_never_loses_the_last(stack: Stack) -> None:
    """Every exchange with Fusion, from the lookup to the look that sees it posted, comes with another edit."""
    order_id = stack.shop().place(ordinary(12)).id
    left = iter(range(2, 2 + STORM))

    async def another(exchange: Exchange) -> None:
        if (quantity := next(left, None)) is not None:
            await edit(stack, order_id, quantity)

    stack.fusion.hooks.on("answering", another, times=STORM)
    await stack.announce(order_id)
    await eventually(lambda: journals_of(stack.fusion, order_id), "a version is in the ledger")
    for quantity in left:
        await edit(stack, order_id, quantity)
    state = await settled_as_shown(stack, order_id, State.POSTED, State.NEEDS_REVIEW)
    (journal,) = journals_of(stack.fusion, order_id)
    assert state is (State.POSTED if journal.total("entered_dr") == truth(stack, order_id) else State.NEEDS_REVIEW)
    if state is State.NEEDS_REVIEW:
        await edited_after_posting(stack, order_id)
        await skip(stack, order_id)
    await closed(stack, order_id)
    assert len(journals_of(stack.fusion, order_id)) == 1


async def settled_as_shown_after(stack: Stack, order_id: int, before: Decimal) -> State:
    await eventually(lambda: truth(stack, order_id) != before, "the storm has begun")
    await eventually(lambda: stack.shop().order(order_id).lines[0].item.quantity == 1 + STORM, "the storm has passed")
    return await settled_as_shown(stack, order_id, State.POSTED, State.NEEDS_REVIEW)


@pytest.mark.parametrize("point", ["received", "committed", "answering"])
async def test_a_storm_at_one_moment_of_the_import_never_loses_the_last(stack: Stack, point: Any) -> None:
    order_id = stack.shop().place(ordinary(13)).id
    before = truth(stack, order_id)

    async def storm(exchange: Exchange) -> None:
        for quantity in range(2, 2 + STORM):
            await edit(stack, order_id, quantity)

    stack.fusion.hooks.on(point, storm, **SEND)
    await stack.announce(order_id)
    assert await settled_as_shown_after(stack, order_id, before) is State.NEEDS_REVIEW
    await edited_after_posting(stack, order_id)
    assert [one.total("entered_dr") for one in journals_of(stack.fusion, order_id)] == [before]


async def test_a_storm_before_sealing_is_one_journal_of_the_last_version(stack: Stack) -> None:
    first = stack.shop().place(ordinary(14)).id
    async with in_import(stack, first):
        order_id = stack.shop().place(ordinary(15)).id
        for quantity in range(2, 2 + STORM):
            await edit(stack, order_id, quantity)
        await settled_as_shown(stack, order_id, State.WAITING_IMPORT)
    assert (await stack.result(order_id)).state is State.POSTED
    assert [one.total("entered_dr") for one in journals_of(stack.fusion, order_id)] == [truth(stack, order_id)]
