"""What one process learnt of a pod is in the store for the next one, and a store that fails costs a question only."""

import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.fusion_framework import NAME, collection, connected, widgets

from activities.access.descriptions import StoreKeeper
from clients.oracle_fusion.windows import Way
from sandbox.fusion import FusionTwin, demo_world
from sandbox.kit import serve
from store import KeyRing, Store, Vault

HOUR = dt.timedelta(hours=1)


@pytest.fixture
async def twin() -> AsyncIterator[FusionTwin]:
    twin = FusionTwin(demo_world())
    async with serve(twin):
        yield twin


async def read(twin: FusionTwin, store: Store) -> Way:
    """A process reads what changed; how it did."""
    bare = connected(twin)
    fusion = connected(twin, StoreKeeper(store, bare.connection))
    try:
        things = collection(fusion)
        rows = things.changed(await things.window(twin.clock.now() - HOUR))
        assert len([row async for row in rows]) == 5
        return await things.way()
    finally:
        await bare.aclose()
        await fusion.aclose()


async def test_the_next_process_asks_neither_for_the_description_nor_for_what_was_refused(
    twin: FusionTwin, store: Store
) -> None:
    widgets(twin, 5)
    twin.world.habits.secretly_not_queryable[NAME] = ["LastUpdateDate"]
    for _ in range(3):
        assert await read(twin, store) is Way.NEWEST_FIRST
    assert len(twin.calls.matching("GET", "describe")) == 1
    assert sum(call.status == 400 for call in twin.calls.matching("GET", NAME)) == 2


async def test_a_store_that_does_not_answer_or_holds_what_nobody_can_read_stops_nobody(
    twin: FusionTwin, store: Store, tmp_path: Path
) -> None:
    widgets(twin, 5)
    async with Store.open(f"sqlite+aiosqlite:///{tmp_path}/missing/store.db", Vault(KeyRing.generate())) as lost:
        assert await read(twin, lost) is Way.BY_KEY
    assert await read(twin, store) is Way.BY_KEY
    bare = connected(twin)
    await bare.aclose()
    connection = bare.connection
    origin = f"{connection.base_url} framework {connection.framework_version}"
    for content in ("{}", "no json", '{"resource": "widgets", "read_at": "2026-01-01T00:00:00Z", "new": 1}'):
        await store.resource_descriptions.put(connection.id, NAME, content, origin=origin)
        assert await read(twin, store) is Way.BY_KEY
