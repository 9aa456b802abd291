"""What documents cost in Temporal actions, history events and vendor calls: counts, the same on every machine."""

from pathlib import Path

from support.stack import Stack, eventually, journals_of
from temporalio.client import ScheduleHandle

from benchmarks import changes
from benchmarks.arrivals import describe, measure, quiet
from benchmarks.changes import EDIT, ORDER, OWN_READS, REFUND
from benchmarks.counting import bills
from contracts import names
from contracts.configuration import PollPolicy
from contracts.flow import State
from runtime.temporal.devserver import DevServer
from runtime.temporal.schedules import schedules
from sandbox.bigcommerce import US_SHOP, Shape, draft

SAMPLE = 10
POLLS = 3
NEVER = "0 4 1 1 *"


async def test_an_order_with_six_webhooks_and_three_polls_stays_within_its_budget(
    temporal_server: DevServer, tmp_path: Path
) -> None:
    cost = await measure(temporal_server, tmp_path, orders=SAMPLE)
    order = cost.bills["order-to-journal"]
    assert order.runs == SAMPLE, describe(cost)
    assert order.total / SAMPLE <= 10, describe(cost)
    assert cost.events <= 50, describe(cost)
    # What a group and the ledger's facts cost is the same for ten orders as for a hundred.
    assert cost.fusion_calls <= 19, describe(cost)


async def test_edits_and_refunds_cost_no_more_than_orders_but_for_one_read_of_a_refund(
    temporal_server: DevServer, tmp_path: Path
) -> None:
    costs = await changes.measure(temporal_server, tmp_path, documents=SAMPLE)
    told, order = changes.describe(costs), costs[ORDER]
    for kind, reads in ((EDIT, 0), (REFUND, OWN_READS)):
        cost = costs[kind]
        assert cost.actions <= order.actions, told
        assert cost.events <= order.events, told
        # How often an import is asked after depends on how long it takes; one group carries all of them.
        assert cost.shared_actions <= order.shared_actions + 6 / SAMPLE, told
        assert cost.fusion_calls <= order.fusion_calls + 4 / SAMPLE, told
        assert cost.shop_calls <= order.shop_calls + reads, told


async def test_a_poll_of_an_idle_shop_is_one_workflow_of_one_activity_and_three_calls(stack: Stack) -> None:
    """Started by its schedule, which bills three actions for a start."""
    integrations = tuple(
        one.model_copy(update={"poll": PollPolicy(cron=NEVER, sweep_cron=NEVER, jitter=0)})
        for one in stack.configuration.integrations
    )
    # The only schedule: what another one starts at its time would be counted as well.
    wanted = dict(schedules(stack.configuration.model_copy(update={"integrations": integrations})))
    poll = await stack.temporal.create_schedule(names.poll_orders_id("bc-us"), wanted[names.poll_orders_id("bc-us")])
    order_id = stack.shop().place(draft(Shape.ORDINARY, US_SHOP), quiet=True).id
    async with stack.worker():
        await triggered(poll, 1)
        assert (await stack.result(order_id)).state is State.POSTED
        await quiet(stack)
        before = await bills(stack.temporal)
        calls, fusion_calls = len(list(stack.shops.calls)), len(list(stack.fusion.calls))
        for polled in range(POLLS):
            await triggered(poll, polled + 2)
        await listed(stack, names.POLL_ORDERS, POLLS + 1)
        after = await bills(stack.temporal, scheduled=frozenset({names.POLL_ORDERS}))
    assert len(journals_of(stack.fusion, order_id)) == 1
    assert {kind: bill.runs for kind, bill in after.items() if bill.runs != before[kind].runs} == {
        names.POLL_ORDERS: POLLS + 1
    }
    idle = after[names.POLL_ORDERS]
    assert idle.actions["activities"] == idle.runs
    assert idle.total == 4 * idle.runs, "three for the start by a schedule, one for the activity"
    assert idle.events == 11 * idle.runs
    made = [call.path.removeprefix(f"/stores/{US_SHOP.store_hash}") for call in list(stack.shops.calls)[calls:]]
    assert made == ["/v2/time", "/v2/orders", "/v3/orders/payment_actions/refunds"] * POLLS
    assert len(list(stack.fusion.calls)) == fusion_calls


async def listed(stack: Stack, kind: str, runs: int) -> None:
    """Waits until so many runs of the kind are known to have ended: lists are behind at times."""

    async def known() -> bool:
        return (
            await stack.temporal.count_workflows(f"WorkflowType = '{kind}' AND ExecutionStatus = 'Completed'")
        ).count == runs

    await eventually(known, f"{runs} runs of {kind} are listed")


async def triggered(schedule: ScheduleHandle, times: int) -> None:
    """Waits until what it started has ended."""
    await schedule.trigger()

    async def ended() -> bool:
        info = (await schedule.describe()).info
        return len(info.recent_actions) == times and not info.running_actions

    await eventually(ended, "the shop was polled")
