"""Cost centres, and the values of other segments, wherever a pod keeps them."""

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from support.fusion_framework import connected

from clients.errors import NotFound
from clients.oracle_fusion import FusionClient
from clients.oracle_fusion.errors import Unordered
from contracts.master_data import SegmentValue
from sandbox.fusion import FusionTwin, demo_world
from sandbox.fusion.value_sets import COST_CENTER_SET
from sandbox.kit import serve

DAY = dt.date(2026, 11, 20)


@asynccontextmanager
async def pod(kept: str = "values", /, **settings: Any) -> AsyncIterator[tuple[FusionTwin, FusionClient]]:
    world = demo_world()
    world.masters.habits.cost_centers = kept  # type: ignore[assignment]
    twin = FusionTwin(world)
    async with serve(twin):
        client = connected(twin, value_sets=settings)
        yield twin, client
        await client.aclose()


@pytest.mark.parametrize(
    ("kept", "settings"),
    [
        ("values", {"cost_centers": COST_CENTER_SET}),
        ("resource", {"resource": "costCenters", "child": ""}),
    ],
)
async def test_cost_centres_are_values_of_a_set_or_rows_of_their_own(kept: str, settings: dict[str, str]) -> None:
    async with pod(kept, **settings) as (twin, fusion):
        held = next(row for row in twin.value_sets.rows if row.values["ValueSetCode"] == COST_CENTER_SET)
        values = held.children["values"]
        twin.value_sets.touch(values[1], EnabledFlag="N")
        twin.value_sets.touch(values[2], EndDateActive=dt.date(2026, 1, 31))
        found = await fusion.segment_values.cost_centers()
        assert [(one.value, one.description) for one in found] == [
            ("000", "No cost centre"),
            ("110", "Web shop US"),
            ("120", "Web shop EU"),
        ]
        assert [one.usable(DAY) for one in found] == [True, False, False]


async def test_more_values_than_a_page_holds_are_all_read() -> None:
    async with pod() as (twin, fusion):
        held = next(row for row in twin.value_sets.rows if row.values["ValueSetCode"] == COST_CENTER_SET)
        values = twin.value_sets.children[0]
        for number in range(1000, 2200):
            values.add(held, Value=str(number), SummaryFlag="Y" if number % 100 == 0 else "N")
        twin.faults.set("unstable_order")
        found = await fusion.segment_values.values(COST_CENTER_SET)
        assert len(found) == 1203
        assert not SegmentValue(value="1000", summary=True).usable(DAY)
        assert sum(one.summary for one in found) == 12


@pytest.mark.parametrize("described", [True, False])
@pytest.mark.parametrize("unsorted", [[], ["CostCenterId"]])
async def test_more_cost_centres_than_a_page_holds_are_all_read_where_they_are_rows_of_their_own(
    unsorted: list[str], described: bool
) -> None:
    async with pod("resource", resource="costCenters", child="") as (twin, fusion):
        held = next(row for row in twin.value_sets.rows if row.values["ValueSetCode"] == COST_CENTER_SET)
        for number in range(1000, 2200):
            twin.value_sets.children[0].add(held, Value=str(number))
        twin.faults.set("unstable_order")
        twin.world.habits.not_sortable["costCenters"] = unsorted
        if not described:
            twin.faults.set("error", path="describe", status=504)
        for _ in range(2):
            found = await fusion.segment_values.cost_centers()
            assert len({one.value for one in found}) == len(found) == 1203
        refused = [call for call in twin.calls.matching("GET", "costCenters") if call.status == 400]
        assert len(refused) == len(unsorted), "what was refused is not tried again"
        twin.world.habits.not_sortable["costCenters"] = ["CostCenterId", "CostCenterCode"]
        with pytest.raises(Unordered):
            await fusion.segment_values.cost_centers()


async def test_a_set_that_is_not_there_and_a_role_that_is_missing_are_told_apart() -> None:
    async with pod() as (twin, fusion):
        with pytest.raises(NotFound, match="does not say which value set"):
            await fusion.segment_values.cost_centers()
        with pytest.raises(NotFound) as raised:
            await fusion.segment_values.values("Operations costCentre")
        assert f'Is "{COST_CENTER_SET}"' in raised.value.remedy
        twin.faults.set("no_data", path="valueSets")
        with pytest.raises(NotFound, match="no data access"):
            await fusion.segment_values.values(COST_CENTER_SET)
