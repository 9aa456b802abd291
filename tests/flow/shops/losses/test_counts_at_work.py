"""A count that is broken off and goes on, and what one costs."""

import asyncio
import contextlib
import dataclasses
import datetime as dt
import gc
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from support.loss_counts import count, counted, place, place_earlier, posted, row, said_to_be_posted
from support.proof import booked_once
from support.stack import Stack, eventually
from temporalio.testing import ActivityEnvironment

from activities.orders.counting import CountingActivities
from contracts.loss import CountLoss, CountProgress, LossCounted, OrderTally
from sandbox.bigcommerce import US_SHOP, Shape, draft


async def test_a_shop_that_fails_midway_is_counted_to_the_end(stack: Stack) -> None:
    orders = [place(stack, seed) for seed in range(2)]
    outage = stack.shops.faults.set("error", path=r"/orders$", status=503, count=2)
    found = await count(stack)
    assert outage.struck == 2
    assert (found.postable, found.missing) == (2, 2)
    await posted(stack, *orders)


async def test_an_attempt_that_takes_over_goes_on_where_the_one_before_was_last_heard_of(stack: Stack) -> None:
    """And a step that is repeated after its result was lost puts nothing a second time."""
    now = stack.shop().now()
    heard_of, left = (place_earlier(stack, dt.timedelta(hours=1), seed) for seed in range(2))
    progress = CountProgress(
        since=now - dt.timedelta(days=1),
        read_at=now,
        judged_until=now,
        next_id=left,
        stores={"1": OrderTally(postable=1, missing=1)},
        missing={"1": (str(heard_of),)},
    )
    step, wanted = CountingActivities(stack.parts), CountLoss(integration="shop-us", connection="bc-us", job="one")
    for _ in range(2):
        environment = ActivityEnvironment()
        environment.info = dataclasses.replace(
            environment.info,
            heartbeat_details=[progress.model_dump(mode="json")],
            start_to_close_timeout=dt.timedelta(hours=1),
            started_time=dt.datetime.now(dt.UTC),
        )
        found = await environment.run(step.count_loss, wanted)
        assert found.postable == 2
        assert (await row(stack)).missing_ids == (str(heard_of), str(left))
    assert len(await counted(stack)) == 1
    await posted(stack, left)
    assert await stack.parts.store.documents.get("bc-us", "order", str(heard_of)) is None, "it was not listed again"


async def test_what_an_attempt_started_and_did_not_live_to_tell_of_is_in_the_figures(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    edited, lost = (place_earlier(stack, dt.timedelta(hours=1), seed) for seed in range(2))
    await stack.announce(edited)
    await posted(stack, edited)
    shop = stack.shop()
    await eventually(lambda: shop.now() > shop.order(edited).modified, "the shop's clock has moved on")
    shop.ship(edited)
    await eventually(lambda: shop.now() > shop.order(edited).modified, "the shop's clock has moved on")
    step, wanted = CountingActivities(stack.parts), CountLoss(integration="shop-us", connection="bc-us", job="one")

    async def attempt(number: int) -> LossCounted:
        environment = ActivityEnvironment()
        environment.info = dataclasses.replace(
            environment.info,
            attempt=number,
            start_to_close_timeout=dt.timedelta(hours=1),
            started_time=dt.datetime.now(dt.UTC),
        )
        found: LossCounted = await environment.run(step.count_loss, wanted)
        return found

    async def dies(*_: Any) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as context:
        context.setattr(stack.parts.store.loss_counts, "put", dies)
        with pytest.raises(RuntimeError, match="killed"):
            await attempt(1)
    await posted(stack, lost)

    async def looked_at() -> bool:
        document = await stack.parts.store.documents.get("bc-us", "order", str(edited))
        return document is not None and document.modified_at == shop.order(edited).modified

    await eventually(looked_at, "the newest version was looked at")
    found = await attempt(2)
    assert (found.postable, found.missing, found.posted, found.edited) == (2, 1, 1, 1)
    assert (await row(stack)).missing_ids == (str(lost),)
    booked_once(stack, [edited, lost])


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_ten_thousand_orders_cost_forty_calls_and_no_memory(stack: Stack) -> None:
    shop, basket = stack.shop(), draft(Shape.ORDINARY, US_SHOP)
    orders = [shop.place(basket, quiet=True).id for _ in range(10_000)]
    await said_to_be_posted(stack, orders, journals=True)
    stack.shops.calls.clear()
    async with most_memory() as megabytes:
        found = await count(stack)
    assert (found.postable, found.posted, found.missing) == (10_000, 10_000, 0)
    listed = stack.shops.calls.count(path=r"/v2/orders$")
    assert listed == 41, "a page of 250 each, and one to know that there is no more"
    assert stack.shops.calls.total <= listed + 2, "the shop's clock and zone"
    assert max(megabytes) - megabytes[0] < 40, "one page at a time, the twin's own pages included"


@contextlib.asynccontextmanager
async def most_memory() -> AsyncIterator[list[float]]:
    """What this process holds, in megabytes: before, and every moment until the end."""
    gc.collect()
    seen = [_resident()]

    async def watch() -> None:
        while True:
            await asyncio.sleep(0.05)
            seen.append(_resident())

    watching = asyncio.create_task(watch())
    try:
        yield seen
    finally:
        watching.cancel()


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1_000_000
