"""The webhook is a hint, the poll is the proof: what nobody announced is found, and found only once."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.imports import let_imports_be_held
from support.stack import Stack, eventually, journals_of, open_stack, posted_total, standing_total

from contracts import names
from contracts.configuration import Configuration
from contracts.flow import PollInput, State
from contracts.steps.orders import Polled
from runtime.temporal.devserver import DevServer
from sandbox.bigcommerce import US_SHOP, Shape, draft, statuses

SEND: dict[str, Any] = {"method": "POST", "path": "/erpintegrations", "body": "importBulkData"}


def with_short_overlap(configuration: Configuration) -> Configuration:
    """A poll reads one second before its watermark again."""
    return let_imports_be_held(configuration).model_copy(
        update={
            "integrations": tuple(
                one.model_copy(update={"poll": one.poll.model_copy(update={"overlap": 1})})
                for one in configuration.integrations
            )
        }
    )


@pytest.fixture
async def stack(temporal_server: DevServer, tmp_path: Path) -> AsyncIterator[Stack]:
    """Watermarks belong to a store, so every test has its own."""
    async with open_stack(temporal_server, tmp_path, adjust=with_short_overlap) as opened, opened.worker():
        yield opened


def place(stack: Stack, seed: int = 0, **how: Any) -> int:
    order_id: int = stack.shop().place(draft(Shape.ORDINARY, US_SHOP, seed=seed), quiet=True, **how).id
    return order_id


async def run(stack: Stack, flow: str, **how: Any) -> Polled:
    """One run of the schedule's workflow."""
    handle = await stack.temporal.start_workflow(
        flow,
        PollInput(connection="bc-us", **how),
        id=f"{flow}:test",
        task_queue=names.WORKFLOW_QUEUE,
        result_type=Polled,
    )
    return await handle.result()


async def poll(stack: Stack, **how: Any) -> Polled:
    return await run(stack, names.POLL_ORDERS, **how)


async def sweep(stack: Stack) -> Polled:
    return await run(stack, names.SWEEP_ORDERS, days=7)


async def watermark(stack: Stack) -> Any:
    return await stack.parts.store.watermarks.get("bc-us", "orders")


async def posted(stack: Stack, order_id: int) -> None:
    """Waits until the order is posted, once and with its total."""

    async def known() -> bool:
        row = await stack.parts.store.documents.get("bc-us", "order", str(order_id))
        return row is not None and row.state is State.POSTED

    await eventually(known, f"order {order_id} is posted")
    assert len(journals_of(stack.fusion, order_id)) == 1
    assert posted_total(stack.fusion, order_id) == stack.shop().truth()[order_id].total


async def test_an_unannounced_order_is_found_and_a_settled_one_starts_nothing(stack: Stack) -> None:
    found = [place(stack, seed) for seed in range(3)]
    skipped = place(stack, 3, status_id=statuses.CANCELLED)
    before = stack.shop().now()
    first = await poll(stack)
    assert (first.seen, first.started) == (4, 4)
    for order_id in found:
        await posted(stack, order_id)
    assert (await stack.result(skipped)).state is State.SKIPPED

    # What is settled as it is starts nothing, whoever asks and however far back.
    for again in (await poll(stack), await sweep(stack), await poll(stack, since=before - timedelta(days=1))):
        assert again.started == 0
    runs = [one async for one in stack.temporal.list_workflows(f'WorkflowType = "{names.ORDER_TO_JOURNAL}"')]
    assert len({one.id for one in runs}) == len(runs) == 4


async def test_an_order_under_way_is_not_started_a_second_time(stack: Stack) -> None:
    gate = stack.fusion.hooks.hold("answering", **SEND)
    order_id = place(stack)
    assert (await poll(stack)).started == 1
    await gate.reached()
    try:
        again = await poll(stack, since=stack.shop().now() - timedelta(hours=1))
    finally:
        gate.release()
    assert (again.seen, again.started) == (1, 0)
    await posted(stack, order_id)


async def test_a_change_after_posting_is_found_and_an_edit_is_posted(stack: Stack) -> None:
    shipped, edited = place(stack), place(stack, 1)
    await poll(stack)
    for order_id in (shipped, edited):
        await posted(stack, order_id)
    shop = stack.shop()

    async def later() -> bool:
        return bool(shop.now() > max(shop.order(one).modified for one in (shipped, edited)))

    await eventually(later, "the shop's clock, in whole seconds, has moved on")
    shop.ship(shipped)
    shop.edit_line(edited, shop.order(edited).lines[0].id, quantity=6)
    assert (await poll(stack)).started == 2
    assert (await stack.result(shipped)).state is State.POSTED
    assert (await stack.result(edited)).state is State.POSTED
    assert (len(journals_of(stack.fusion, shipped)), len(journals_of(stack.fusion, edited))) == (1, 2)
    assert standing_total(stack.fusion, edited) == shop.truth()[edited].total
    assert (await poll(stack)).started == 0


async def test_the_watermark_advances_by_the_shops_clock_and_backfills_leave_it_alone(stack: Stack) -> None:
    assert await watermark(stack) is None
    long_ago = stack.shop().now() - timedelta(days=3)
    await poll(stack, since=long_ago)
    await sweep(stack)
    assert await watermark(stack) is None

    began = stack.shop().now()
    first = await poll(stack)
    reached = await watermark(stack)
    assert reached == first.watermark
    assert began <= reached <= stack.shop().now()
    await poll(stack, since=long_ago)
    await sweep(stack)
    assert await watermark(stack) == reached

    async def further() -> bool:
        await poll(stack)
        return bool(await watermark(stack) > reached)

    await eventually(further, "the watermark advances")


async def test_a_shop_that_fails_midway_leaves_the_watermark_where_it_was(stack: Stack) -> None:
    await poll(stack)
    reached = await watermark(stack)
    order_id = place(stack)
    outage = stack.shops.faults.set("error", path=r"/orders$", status=503, count=2)
    found = await poll(stack, since=None)
    assert outage.struck == 2
    assert found.started == 1
    await posted(stack, order_id)
    assert await watermark(stack) >= reached


async def test_an_order_that_becomes_visible_late_is_found_by_the_sweep(stack: Stack) -> None:
    known = place(stack)
    hidden = place(stack, 1)
    shop = stack.shop()
    order = shop.order(hidden)
    order.visible_from = shop.now() + timedelta(hours=1)
    order.modified = shop.now() - timedelta(days=30)
    assert (await poll(stack)).started == 1
    await posted(stack, known)

    # Visible at last, with a stamp that every later poll, and the sweep's own days, have behind them.
    order.visible_from = None
    assert (await poll(stack)).started == 0
    assert (await sweep(stack)).started == 1
    await posted(stack, hidden)


async def test_an_old_order_that_changes_does_not_bring_all_history_into_the_sweep(stack: Stack) -> None:
    shop = stack.shop()
    long_ago = shop.now() - timedelta(days=60)
    history = [place(stack, seed, created=long_ago) for seed in range(3)]
    for order_id in history:
        shop.order(order_id).modified = long_ago
    shop.touch(history[0])
    swept = await sweep(stack)
    assert (swept.seen, swept.started) == (1, 1)
    documents = stack.parts.store.documents
    await eventually(lambda: documents.get("bc-us", "order", str(history[0])), "the changed order is looked at")
    for untouched in history[1:]:
        assert await documents.get("bc-us", "order", str(untouched)) is None


async def test_the_sweep_finds_an_order_whose_run_was_terminated_while_it_waited(stack: Stack) -> None:
    gate = stack.fusion.hooks.hold("answering", **SEND)
    order_id = place(stack)
    await poll(stack)
    await gate.reached()
    handle = stack.temporal.get_workflow_handle(names.order_to_journal_id("bc-us", str(order_id)))
    await stack.in_state(order_id, State.WAITING_IMPORT)
    await handle.terminate("a person's mistake")
    row = await stack.parts.store.documents.get("bc-us", "order", str(order_id))
    assert row is not None
    assert row.state is State.WAITING_IMPORT
    assert (await sweep(stack)).started == 0, "it may well be under way"

    # A day later nobody has heard of it.
    await stack.parts.store.documents.settle(row.model_copy(update={"at": row.at - timedelta(days=2)}))
    assert (await sweep(stack)).started == 1
    await stack.in_state(order_id, State.WAITING_IMPORT)
    gate.release()
    assert (await stack.result(order_id)).state is State.POSTED
    await posted(stack, order_id)
    assert (await sweep(stack)).started == 0
