"""Items are read while they change, found by their number, and created once where that is allowed."""

import asyncio
import gc
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from support.fusion_framework import connected

from clients.errors import NotFound, Rejected
from clients.oracle_fusion import FusionClient
from clients.oracle_fusion.errors import UnfitPayload
from clients.oracle_fusion.visibility import Patience, Reason
from clients.oracle_fusion.windows import Way, Window
from contracts.master_data import FusionItem, ItemCategory, NewItem, Outcome
from sandbox.fusion import FusionTwin, World, demo_world
from sandbox.fusion.masters.setup import ITEM_MASTER, WAREHOUSE
from sandbox.kit import serve

QUICK = Patience(limit=600.0, first=0.02, longest=0.1)
MASTER = {"organization": ITEM_MASTER, "create": True}
STAMP = "LastUpdateDateTime"
SHIRT = NewItem(number="SHIRT-1", description="Cotton shirt", item_class="Apparel")


@asynccontextmanager
async def pod(world: World | None = None, **items: Any) -> AsyncIterator[tuple[FusionTwin, FusionClient]]:
    """A twin and a client of it, with settings for items."""
    twin = FusionTwin(world or demo_world())
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(serve(twin))
        client = connected(twin, items={**MASTER, **items})
        stack.push_async_callback(client.aclose)
        yield twin, client


async def later(twin: FusionTwin, fusion: FusionClient, seconds: float) -> None:
    """Time passes at the pod, and the client has noticed."""
    twin.clock.advance(seconds)
    await fusion.items.count()


@pytest.mark.parametrize("stamp", ["LastUpdateDateTime", "LastUpdateDate"])
@pytest.mark.parametrize("resource", ["itemsV2", "items"])
async def test_changed_items_are_read_whatever_the_pod_calls_the_time_of_their_change(
    stamp: str, resource: str
) -> None:
    world = demo_world()
    world.masters.habits.item_stamp = stamp  # type: ignore[assignment]
    async with pod(world, resource=resource) as (twin, fusion):
        twin.items.seed(400, apart=10.0)
        twin.faults.set("unstable_order")
        items = await fusion.items.collection()
        assert items.feed.stamp == stamp
        assert await items.way() is Way.BY_KEY
        now = twin.clock.now().replace(microsecond=0)
        window = await fusion.items.window(now.replace(second=0))
        window = Window(since=window.since, until=window.until)
        wanted = {row.values["ItemNumber"] for row in twin.items.rows if window.holds(row.values[stamp])}
        found = [item async for item in fusion.items.changed(window)]
        assert sorted(item.number for item in found) == sorted(wanted)
        assert found[0].organization == ITEM_MASTER
        assert found[0].unit == "Each"
        assert found[0].orderable is True
        assert found[0].changed_by == "ML_CONNECTOR"


async def test_an_item_of_two_organizations_is_read_once_for_each_and_none_is_lost_at_the_edge_of_a_page() -> None:
    async with pod() as (twin, fusion):
        twin.items.seed(1100)
        for row in list(twin.items.rows):
            twin.items.assign(row, WAREHOUSE)
        random.Random(1).shuffle(twin.items.rows)
        every = [item async for item in fusion.items.changed(await fusion.items.window(None))]
        assert len(every) == len({item.item_id for item in every}) == 1100
        assert {item.organization for item in every} == {ITEM_MASTER}
    async with pod(organization="") as (twin, fusion):
        twin.items.seed(600, apart=0.0)
        twin.faults.set("unstable_order")
        for row in list(twin.items.rows):
            twin.items.assign(row, WAREHOUSE)
        assert await (await fusion.items.collection()).way() is Way.BY_STAMP
        await later(twin, fusion, 5)
        every = [item async for item in fusion.items.changed(await fusion.items.window(None))]
        assert len({(item.item_id, item.organization) for item in every}) == 1200
        assert all(item.path for item in every)


async def test_a_first_load_of_20_000_items_that_change_meanwhile_sees_all_in_flat_memory() -> None:
    async with pod() as (twin, fusion):
        twin.items.seed(20_000)
        twin.faults.set("unstable_order")
        first = twin.items.rows[0].values["ItemId"]
        chance, seen, kept = random.Random(3), bytearray(20_000), 0
        async for item in fusion.items.changed(await fusion.items.window(None)):
            seen[item.item_id - first] = 1
            if chance.random() < 0.01:
                twin.items.touch(chance.choice(twin.items.rows), ItemDescription="Changed meanwhile")
            if item.item_id % 5_000 == 0:
                kept = max(kept, items_in_memory())
        assert all(seen)
        assert 0 < kept < 2_000, "a few pages, however many items there are"


def items_in_memory() -> int:
    """Items, and rows as the client has read them."""
    return sum(
        type(one) is FusionItem or (type(one) is dict and "ItemNumber" in one and isinstance(one.get(STAMP), str))
        for one in gc.get_objects()
    )


async def test_what_changed_during_a_load_is_in_the_next_window() -> None:
    async with pod() as (twin, fusion):
        twin.items.seed(1500)
        window = await fusion.items.window(None)
        await later(twin, fusion, 3)
        chance, seen, touched = random.Random(7), set[str](), set[str]()
        async for item in fusion.items.changed(window):
            seen.add(item.number)
            if chance.random() < 0.2:
                row = chance.choice(twin.items.rows)
                twin.items.touch(row, ItemDescription="Changed")
                touched.add(row.values["ItemNumber"])
        assert {row.values["ItemNumber"] for row in twin.items.rows} - seen <= touched
        await later(twin, fusion, 3)
        after = {item.number async for item in fusion.items.changed(await fusion.items.window(window.until))}
        assert touched <= after


async def test_an_item_is_found_by_its_number_with_all_its_categories() -> None:
    async with pod() as (twin, fusion):
        row = twin.items.add(ItemNumber="O'NEILL-1", ItemDescription="Wetsuit", OrganizationCode=ITEM_MASTER)
        for number in range(30):
            twin.items.categorize(row, f"C{number:02d}", f"Category {number}")
        twin.items.categorize(row, "X", "Purchasing", catalog="Purchasing")
        item = await fusion.items.find("O'NEILL-1", categories=True)
        assert item is not None
        assert item.path.rpartition("/")[2].startswith("00020000000EACED")
        assert item.categories is not None
        assert len(item.categories) == 31
        assert item.categories[0] == ItemCategory(catalog="Purchasing", code="X", name="Purchasing")
        assert await fusion.items.find("o'neill-1") is None
        assert await fusion.items.find("SKU-1") is None
        brought = [one async for one in fusion.items.changed(await fusion.items.window(None), categories=True)]
        assert brought[0].categories == item.categories
    async with pod(catalog="Purchasing") as (twin, fusion):
        row = twin.items.add(ItemNumber="A-1", ItemDescription="A", OrganizationCode=ITEM_MASTER)
        twin.items.categorize(row, "X", "Purchasing", catalog="Purchasing")
        twin.items.categorize(row, "C", "Shop")
        item = await fusion.items.find("A-1", categories=True)
        assert item is not None
        assert [one.code for one in item.categories or ()] == ["X"]


async def test_an_item_is_created_once_and_the_second_time_found() -> None:
    async with pod() as (twin, fusion):
        made = await fusion.items.ensure(SHIRT, patience=QUICK)
        assert made.outcome is Outcome.CREATED
        assert (made.item.description, made.item.item_class, made.item.status) == ("Cotton shirt", "Apparel", "Active")
        again = await fusion.items.ensure(SHIRT, patience=QUICK)
        assert (again.outcome, again.item.item_id) == (Outcome.FOUND, made.item.item_id)
        assert len(twin.items.numbered("SHIRT-1")) == 1


@pytest.mark.parametrize("fault", ["lost_answer", "error_after", "late_item"])
async def test_an_item_is_made_once_by_runs_side_by_side_whatever_happens_to_their_answers(fault: str) -> None:
    async with pod() as (twin, fusion):
        twin.faults.set(fault, path="itemsV2$", method="POST", count=1, seconds=0.2, options={"lists": True})
        made = await asyncio.gather(*(fusion.items.ensure(SHIRT, patience=QUICK) for _ in range(5)))
        assert len({one.item.item_id for one in made}) == 1
        assert sum(one.outcome is Outcome.CREATED for one in made) <= 1
        assert len(twin.items.numbered("SHIRT-1")) == 1


async def test_an_item_is_not_created_where_that_is_not_allowed_and_the_sentence_says_why() -> None:
    world = demo_world()
    world.masters.habits.items_created = False
    async with pod(world) as (twin, fusion):
        with pytest.raises(Rejected, match="takes no new items"):
            await fusion.items.ensure(SHIRT, patience=QUICK)
    async with pod(create=False) as (twin, fusion):
        with pytest.raises(Rejected, match="switched off"):
            await fusion.items.ensure(SHIRT, patience=QUICK)
        assert not twin.calls.matching("POST", "itemsV2")
    async with pod(organization="") as (twin, fusion):
        with pytest.raises(Rejected, match="name no organization"):
            await fusion.items.ensure(SHIRT, patience=QUICK)


async def test_what_does_not_fit_is_not_sent_and_what_the_pod_refuses_is_told() -> None:
    async with pod(item_class="Nothing") as (twin, fusion):
        with pytest.raises(UnfitPayload) as unfit:
            await fusion.items.ensure(NewItem(number="A", description="A", attributes={"Weihgt": 3}), patience=QUICK)
        assert [path for path, _, _ in unfit.value.faults] == ["/Weihgt"]
        assert not twin.calls.matching("POST", "itemsV2")
        with pytest.raises(Rejected, match="item class Nothing isn't valid"):
            await fusion.items.ensure(NewItem(number="A", description="A"), patience=QUICK)


async def test_an_item_is_changed_only_as_it_is_and_by_its_own_link() -> None:
    async with pod() as (twin, fusion):
        twin.items.seed(3)
        change = await fusion.items.change("SKU-00001", lambda row: {"ItemDescription": f"{row['ItemDescription']}!"})
        assert change.item.row["ItemDescription"] == "Item 1!"
        assert [row.values["ItemDescription"] for row in twin.items.rows] == ["Item 0", "Item 1!", "Item 2"]
        with pytest.raises(NotFound):
            await fusion.items.change("SKU-9", lambda _: None)


async def test_no_items_may_mean_a_missing_role_and_the_pod_does_not_say_which() -> None:
    async with pod() as (twin, fusion):
        assert await fusion.items.count() == 0
        told = await fusion.items.why_empty()
        assert (told.reason, told.proved) == (Reason.UNTOLD, False)
        twin.items.seed(1)
        assert (await fusion.items.why_empty()).reason is Reason.NO_MATCH
        twin.faults.set("no_privilege", path="itemsV2")
        assert (await fusion.items.why_empty()).reason is Reason.NO_PRIVILEGE
