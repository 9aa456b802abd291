"""A sweep of very many changed orders: over real HTTP, all of them new, in memory that does not grow with them."""

import dataclasses
import datetime as dt
import gc
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support.long_shop import LongShop
from support.stack import DEMO_CONFIGURATION
from temporalio.testing import ActivityEnvironment

import store.wakeups
from activities.collaborators import Collaborators
from activities.orders.polling import PollingActivities
from contracts import names
from contracts.flow import State
from contracts.secret_names import ACCESS_TOKEN
from contracts.starting import StartRequest
from contracts.steps.orders import Polled, PollOrders
from runtime.configuring.configuration import load
from runtime.parts import open_parts
from runtime.temporal.connect import connect
from sandbox.kit import serve
from store import KeyRing
from store.rows import DocumentRow

FEW, MANY = 2_000, 12_000
GROWTH = 200_000
"""Bytes for 10,000 more orders and as many more refunds; kept as objects they took twenty megabytes."""


@dataclass
class Starts:
    """Counts starts where Temporal would be asked; nothing of a request is kept but how often it came."""

    counts: Counter[str] = field(default_factory=Counter)

    async def start(self, request: StartRequest) -> None:
        self.counts[request.flow] += 1


@dataclass
class Desk:
    parts: Collaborators
    shop: LongShop
    starts: Starts

    async def sweep(self) -> Polled:
        environment = ActivityEnvironment()
        hours = {"start_to_close_timeout": dt.timedelta(hours=2), "started_time": dt.datetime.now(dt.UTC)}
        environment.info = dataclasses.replace(environment.info, **hours)
        step = PollingActivities(self.parts).poll_orders
        return await environment.run(step, PollOrders(connection="bc-us", job="test", days=7))


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    # However long the sweeps take here, what one pass has rung is not rung again.
    monkeypatch.setattr(store.wakeups, "PROMISE_LASTS", dt.timedelta(days=1))
    shop = LongShop(FEW, begin=dt.datetime.now(dt.UTC) - dt.timedelta(days=2), refunds=FEW)
    async with serve(shop.app) as market:
        environment = {
            "MLC_STORE_URL": f"sqlite+aiosqlite:///{tmp_path}/store.db",
            "MLC_TEMPORAL": "127.0.0.1:1",
            "MLC_FUSION_URL": "http://127.0.0.1:1",
            "MLC_SHOP_URL": market.url,
        }
        configuration, keys = load(DEMO_CONFIGURATION, environment), KeyRing.generate()
        unlimited = tuple(
            one.model_copy(update={"requests_per_window": 1_000_000}) if one.id == "bc-us" else one
            for one in configuration.connections
        )
        configuration = configuration.model_copy(update={"connections": unlimited})
        temporal = await connect(configuration.temporal, keys, lazy=True)
        async with open_parts(configuration, keys, temporal=temporal, migrate=True) as parts:
            await parts.store.secrets.put("acme", "bc-us", ACCESS_TOKEN, "access-token")
            starts = Starts()
            yield Desk(dataclasses.replace(parts, starter=starts), shop, starts)


async def test_ten_thousand_orders_more_take_no_memory_more(desk: Desk) -> None:
    """Every one is found by two passes, is new, and is started once; each refund as well."""
    most = {count: await peak(desk, count) for count in (FEW, MANY)}
    assert desk.starts.counts == {names.ORDER_TO_JOURNAL: MANY, names.REFUND_TO_JOURNAL: MANY}
    assert most[MANY] - most[FEW] < GROWTH, most


async def peak(desk: Desk, count: int) -> int:
    """Bytes of the sweep at its worst moment. What an earlier sweep has rung stays rung: only what is more is new."""
    desk.shop.resize(count, count)
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        polled = await desk.sweep()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (polled.seen, polled.refunds_seen) == (count, count)
    assert (polled.started, polled.refunds_started) == (count, count)
    return most - before


async def test_a_second_that_all_orders_share_is_read_over_its_pages_and_each_is_started_once(desk: Desk) -> None:
    """A bulk change of a merchant."""
    desk.shop.per_second = 10**9
    polled = await desk.sweep()
    assert (polled.seen, polled.started) == (FEW, FEW)
    assert desk.starts.counts[names.ORDER_TO_JOURNAL] == FEW


async def test_an_order_that_changed_after_the_sweep_began_is_started_for_its_change(desk: Desk) -> None:
    """Its run may have read the shop before; the second pass sees the new stamp."""
    now = dt.datetime.now(dt.UTC)
    desk.shop.now = now - dt.timedelta(days=3)
    polled = await desk.sweep()
    assert polled.seen == FEW
    assert polled.started == 2 * FEW, "all changed after the sweep's beginning, by the shop's clock"


async def test_what_is_settled_is_asked_for_again_and_not_started(desk: Desk) -> None:
    versions = list(desk.shop.versions())
    for order_id, modified in versions[::100]:
        row = DocumentRow(
            tenant="acme",
            integration="shop-us",
            connection="bc-us",
            kind=names.ORDER,
            id=order_id,
            state=State.POSTED,
            reason="",
            modified_at=modified,
            at=modified,
        )
        await desk.parts.store.documents.settle(row)
    polled = await desk.sweep()
    assert (polled.seen, polled.started) == (FEW, FEW - FEW // 100)
