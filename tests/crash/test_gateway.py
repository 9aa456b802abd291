"""A gateway is killed in the middle of deliveries: the shop repeats what was not acknowledged, nothing is lost."""

import pytest
from crash.lane import Lane
from crash.report import Report

from contracts.flow import State


@pytest.mark.parametrize(
    "point",
    ["gateway/start/before", "gateway/start/after", "gateway/confirm/before", "gateway/confirm/after"],
)
async def test_a_delivery_whose_gateway_died_is_delivered_again_and_posts_one_journal(
    point: str, shared_lane: Lane, report: Report
) -> None:
    lane = shared_lane
    lane.run = report.begin("an order announced by webhook", f"{point.replace('/', ' ')}")
    await lane.subscribe()
    await lane.one_worker()
    gateway = await lane.one_gateway()
    lane.arm(point)
    order = lane.place(quiet=False)
    await lane.reached(point)
    await gateway.gone()
    lane.hit("gateway")
    await lane.start_gateway()
    await lane.is_in(State.POSTED, order)
    await lane.at_rest()
    await lane.acknowledged([order])
    verdict = lane.run.end(lane.count([order]))
    assert verdict.clean, verdict.sentence()


async def test_a_delivery_in_the_inbox_of_a_dead_gateway_is_started_by_another(
    shared_lane: Lane, report: Report
) -> None:
    """Temporal hangs, the delivery is acknowledged from the inbox, and then the gateway dies."""
    lane = shared_lane
    lane.run = report.begin("an order announced by webhook", "gateway inbox after")
    await lane.subscribe()
    await lane.one_worker()
    gateway = await lane.one_gateway()
    lane.server.pause()
    try:
        order = lane.place(quiet=False)
        await lane.acknowledged([order])
        await gateway.kill()
        lane.hit("gateway")
    finally:
        lane.server.resume()
    lane.hit("server paused")
    await lane.start_gateway()
    await lane.is_in(State.POSTED, order)
    await lane.at_rest()
    verdict = lane.run.end(lane.count([order]))
    assert verdict.clean, verdict.sentence()


async def test_the_product_as_an_operator_starts_it_survives_a_kill_of_both(lane: Lane, report: Report) -> None:
    """`ml-connector worker` and `ml-connector gateway` themselves, killed with an order on its way."""
    lane.run = report.begin("an order announced by webhook", "ml-connector worker and gateway")
    await lane.subscribe()
    gateway, worker = await lane.start_command("gateway"), await lane.start_command("worker")
    await gateway.says("gateway is up")
    await worker.says("worker is up")
    order = lane.place(quiet=False)
    await lane.is_in(State.WAITING_IMPORT, order)
    await gateway.kill()
    await worker.kill()
    lane.hit("gateway")
    lane.hit("worker")
    lane.stack.shop().touch(order)
    gateway, worker = await lane.start_command("gateway"), await lane.start_command("worker")
    await lane.is_in(State.POSTED, order)
    await lane.at_rest()
    verdict = lane.run.end(lane.count([order]))
    await gateway.end()
    await worker.end()
    assert verdict.clean, verdict.sentence()
