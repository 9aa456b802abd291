"""The Temporal server is killed, twice, with orders on their way; its database survives."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from crash.lane import Lane, open_lane
from crash.report import Report
from support.processes import Nursery
from support.topology import QUICK, TemporalServer, Topology

from contracts.flow import State

ORDERS = 12


@pytest.fixture
async def durable_server(topology: Topology, tmp_path: Path) -> AsyncIterator[TemporalServer]:
    async with topology.server(tmp_path, dynamic_config=QUICK, durable=True) as server:
        yield server


@pytest.fixture
async def durable_lane(durable_server: TemporalServer, nursery: Nursery, tmp_path: Path) -> AsyncIterator[Lane]:
    async with open_lane(durable_server, nursery, tmp_path) as opened:
        yield opened


async def test_two_kills_of_the_server_neither_lose_nor_repeat_an_order(
    durable_server: TemporalServer, durable_lane: Lane, report: Report
) -> None:
    lane = durable_lane
    lane.run = report.begin("an order announced by webhook", "Temporal server killed twice")
    await lane.subscribe()
    await lane.start_worker()
    await lane.start_worker()
    await lane.start_gateway()
    orders = [lane.place(quiet=False) for _ in range(ORDERS)]
    await lane.is_in(State.WAITING_IMPORT, orders[0])
    await durable_server.kill()
    lane.hit("server")
    # Deliveries that come while it is down go to the inbox.
    orders += [lane.place(quiet=False) for _ in range(ORDERS)]
    await lane.acknowledged(orders)
    await durable_server.start()
    held = lane.stack.fusion.hooks.hold("committed", method="POST", path="/erpintegrations$", body="importBulkData")
    await held.reached(60)
    await durable_server.kill()
    lane.hit("server")
    held.release()
    await durable_server.start()
    for order in orders:
        await lane.is_in(State.POSTED, order)
    await lane.at_rest()
    verdict = lane.run.end(lane.count(orders))
    assert verdict.clean, verdict.sentence()
