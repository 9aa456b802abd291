"""Polls of records: what changed is found once, an idle shop costs next to nothing, and memory does not grow."""

import dataclasses
import gc
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from support.items import (
    at_rest,
    catalog,
    keeping,
    name_in_shop,
    new_item,
    new_product,
    poll_records,
    writes,
)
from support.stack import Stack, eventually, open_stack
from temporalio.testing import ActivityEnvironment

from activities.converging.polling import RecordPollingActivities, watermark_name
from contracts import names
from contracts.bigcommerce_catalog import Product
from contracts.converging import PolledRecords, PollRecords, SeenRecord
from contracts.master_data import FusionItem
from contracts.ownership import Side
from contracts.record_ids import record_id
from contracts.starting import StartRequest
from runtime.temporal.devserver import DevServer
from runtime.temporal.schedules import schedules, sync_schedules

MANY = 1_000


@pytest.fixture
async def stack(temporal_server: DevServer, tmp_path: Path) -> AsyncIterator[Stack]:
    """Watermarks belong to a store, so every test has its own."""
    async with open_stack(temporal_server, tmp_path, adjust=keeping()) as opened:
        yield opened


async def runs(stack: Stack) -> int:
    """Workflows of any kind so far."""
    return (await stack.temporal.count_workflows("")).count


async def test_an_idle_shop_costs_one_run_and_one_activity_a_poll(stack: Stack) -> None:
    async with stack.worker():
        for number in range(3):
            new_item(stack, f"IDLE-{number}", f"Idle {number}")
            new_product(stack, f"IDLE-{number}", f"Idle {number}")
        for side in ("shop", "fusion"):
            await poll_records(stack, side)  # type: ignore[arg-type]
        await at_rest(stack)
        for side in ("shop", "fusion"):
            await poll_records(stack, side)  # type: ignore[arg-type]
        await at_rest(stack)
        before = writes(stack)
        for side in ("shop", "fusion"):
            shop, pod = stack.shops.calls.total, stack.fusion.calls.total
            polled = await poll_records(stack, side)  # type: ignore[arg-type]
            assert polled.started == 0
            handle = stack.temporal.get_workflow_handle(names.poll_records_id("shop-us", names.ITEM, side))
            history = await handle.fetch_history()
            scheduled = [one for one in history.events if one.HasField("activity_task_scheduled_event_attributes")]
            assert len(scheduled) == 1
            assert stack.shops.calls.total - shop <= (2 if side == "shop" else 0)
            assert stack.fusion.calls.total - pod <= (2 if side == "fusion" else 0)
        assert writes(stack) == before


async def test_a_watermark_belongs_to_its_side_and_a_sweep_leaves_it_alone(stack: Stack) -> None:
    async with stack.worker():
        first = await poll_records(stack, "fusion")
        place = ("fusion", watermark_name("shop-us", names.ITEM, "fusion"))
        assert await stack.parts.store.watermarks.get(*place) == first.watermark
        assert await stack.parts.store.watermarks.get("bc-us", watermark_name("shop-us", names.ITEM, "shop")) is None
        swept = await poll_records(stack, "fusion", whole=True)
        assert swept.watermark is not None
        assert await stack.parts.store.watermarks.get(*place) == first.watermark


async def test_a_sweep_finds_what_moved_no_stamp(stack: Stack) -> None:
    async with stack.worker():
        new_item(stack, "QUIET-1", "Quiet")
        await poll_records(stack, "fusion")
        await at_rest(stack)
        (row,) = stack.fusion.items.numbered("QUIET-1")
        row.values["ItemDescription"] = "Quiet, renamed"
        assert (await poll_records(stack, "fusion", whole=True)).started == 1
        await at_rest(stack)
        assert name_in_shop(stack, "QUIET-1") == "Quiet, renamed"


class Counting:
    """Keeps what was to be started, as if each had been read at once."""

    def __init__(self, stack: Stack) -> None:
        self.wanted: list[str] = []
        self._wakeups = stack.parts.store.wakeups

    async def start(self, request: StartRequest) -> None:
        self.wanted.append(request.document_id)
        await self._wakeups.take(request.workflow_id)


async def polled(stack: Stack, side: Side, starter: Any, *, whole: bool = False) -> PolledRecords:
    """The activity by itself: nothing else works meanwhile."""
    parts = dataclasses.replace(stack.parts, starter=starter)
    return await ActivityEnvironment().run(
        RecordPollingActivities(parts).poll_records,
        PollRecords(integration="shop-us", kind=names.ITEM, side=side, job="test", whole=whole),
    )


async def test_a_first_load_that_changes_while_it_is_read_sees_every_row_in_flat_memory(stack: Stack) -> None:
    stack.fusion.items.seed(MANY, apart=0.0)
    stack.fusion.faults.set("unstable_order")
    made = catalog(stack).grow(MANY, options_every=0)
    chance, kept, edited = random.Random(3), 0, set[int]()

    class Changing(Counting):
        async def start(self, request: StartRequest) -> None:
            nonlocal kept
            await super().start(request)
            if chance.random() < 0.05:
                stack.fusion.items.touch(chance.choice(stack.fusion.items.rows), ItemDescription="Changed meanwhile")
                product_id = chance.choice(made)
                edited.add(product_id)
                catalog(stack).edit(product_id, description="Changed meanwhile")
            if len(self.wanted) % 250 == 0:
                kept = max(kept, sum(type(one) in (Product, FusionItem, SeenRecord) for one in gc.get_objects()))

    items, products = Changing(stack), Changing(stack)
    found = await polled(stack, "fusion", items)
    assert {*items.wanted} == {record_id(row.values["ItemNumber"]) for row in stack.fusion.items.rows}
    assert found.seen >= found.started >= MANY
    edited.clear()
    await polled(stack, "shop", products)
    skus = {str(row.fields["sku"]) for row in catalog(stack).products.values()}
    assert {*products.wanted} >= {record_id(one) for one in skus}
    assert 0 < kept < MANY, "a few pages, however many rows there are"
    # What changed behind the reader is in the next window.
    rows = [row.values for row in stack.fusion.items.rows]
    changed = {row["ItemNumber"] for row in rows if "meanwhile" in row["ItemDescription"]}
    again = Counting(stack)

    async def all_seen() -> bool:
        await polled(stack, "fusion", again)
        return {*again.wanted} >= changed

    await eventually(all_seen, "later windows have what changed behind the reader")
    products_by_id = catalog(stack).products
    edits_wanted = {record_id(str(products_by_id[one].fields["sku"])) for one in edited}
    assert len(edits_wanted) > 10
    edits = Counting(stack)

    async def all_edits_seen() -> bool:
        await polled(stack, "shop", edits)
        return {*edits.wanted} >= edits_wanted

    await eventually(all_edits_seen, "and of the shop")
    assert len({*edits.wanted}) < MANY, "not everything once more"


async def test_polls_and_sweeps_are_scheduled_for_who_wants_them_and_removed_for_who_does_not(stack: Stack) -> None:
    def ours(listed: Any) -> set[str]:
        return {one for one in listed if one.partition(":")[0] in (names.POLL_RECORDS, names.SWEEP_RECORDS)}

    wanted = {
        *(names.poll_records_id("shop-us", names.ITEM, side) for side in ("shop", "fusion")),
        *(names.sweep_records_id("shop-us", names.ITEM, side) for side in ("shop", "fusion")),
    }
    assert ours(name for name, _ in schedules(stack.configuration)) == wanted
    await sync_schedules(stack.temporal, stack.configuration)

    async def there() -> set[str]:
        return ours([one.id async for one in await stack.temporal.list_schedules()])

    async def all_there() -> bool:
        return await there() == wanted

    await eventually(all_there, "the schedules are listed")
    off = stack.configuration.integration("shop-us").items.model_copy(update={"enabled": False})
    without = stack.configuration.model_copy(
        update={
            "integrations": tuple(one.model_copy(update={"items": off}) for one in stack.configuration.integrations)
        }
    )
    await sync_schedules(stack.temporal, without)

    async def none_there() -> bool:
        return not await there()

    await eventually(none_there, "the schedules are gone")


async def test_a_poll_of_who_has_switched_items_off_does_nothing(stack: Stack) -> None:
    off = stack.configuration.integration("shop-us").items.model_copy(update={"enabled": False})
    configuration = stack.configuration.model_copy(
        update={
            "integrations": tuple(one.model_copy(update={"items": off}) for one in stack.configuration.integrations)
        }
    )
    quiet = dataclasses.replace(stack, parts=dataclasses.replace(stack.parts, configuration=configuration))
    new_item(stack, "OFF-1", "Off")
    assert await polled(quiet, "fusion", Counting(stack)) == PolledRecords(seen=0, started=0)
