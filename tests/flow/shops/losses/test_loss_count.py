"""Loss is measured from the source: what the shop has and nobody heard of is found, started, and told of.

With the store on SQLite and on PostgreSQL.
"""

import datetime as dt
import json

import pytest
from prometheus_client import REGISTRY
from replay.stage import with_integration
from support.loss_counts import (
    NEVER,
    count,
    counted,
    document_of,
    ended,
    place,
    place_earlier,
    posted,
    row,
    said_to_be_posted,
)
from support.parking import deciding
from support.proof import SEND, booked_once
from support.stack import Stack, eventually, journals_of
from support.typed import Typed
from temporalio.client import ScheduleHandle
from temporalio.service import RPCError

from activities.orders import under_way
from contracts import names
from contracts.configuration import LossCountPolicy, PollPolicy
from contracts.flow import State
from runtime.temporal.schedules import sync_schedules
from sandbox.bigcommerce import US_SHOP, Shape, draft, statuses


def told(name: str) -> float:
    return REGISTRY.get_sample_value(name, {"integration": "shop-us", "channel": "1"}) or 0.0


async def test_an_order_that_nobody_announced_is_found_and_posted_and_the_next_count_misses_none(
    stack: Stack, typed: Typed
) -> None:
    before = told("ml_connector_orders_missing_total")
    unheard = place(stack)
    place(stack, 1, status_id=statuses.INCOMPLETE)
    place(stack, 2, created=stack.shop().now() - dt.timedelta(days=40))
    assert "Orders of bc-us: not counted yet" in (await typed("status")).stdout
    found = await count(stack)
    assert (found.postable, found.missing, found.posted) == (1, 1, 0)
    assert told("ml_connector_orders_missing_total") == before + 1
    warned = await typed("status")
    assert warned.exit_code == 0, "it heals by itself"
    assert f"1 order is found by the count alone, not by webhook or poll: {unheard}" in warned.stdout
    await posted(stack, unheard)

    again = await count(stack, 2)
    assert (again.postable, again.missing, again.posted) == (1, 0, 1)
    standing = await typed("status")
    assert "1 to be posted: 1 posted, 0 waiting, 0 in review, 0 missing; counted " in standing.stdout
    assert "by the count alone" not in standing.stdout
    machine = json.loads((await typed("status", "--json")).stdout)
    (us,) = [one for one in machine["loss"] if one["integration"] == "shop-us"]
    assert (us["stores"][0]["missing"], us["stores"][0]["posted"]) == (0, 1)

    events = await counted(stack)
    assert [event.details["stores"]["1"]["missing_ids"] for event in events] == [[str(unheard)], []]
    assert "0 posted, 0 waiting, 0 in review, 1 missing" in events[0].sentence
    past = await typed("audit", "counts", "shop-us")
    assert "1 to be posted: 1 posted, 0 waiting, 0 in review, 0 missing" in past.stdout
    (lossy,) = json.loads((await typed("audit", "counts", "shop-us", "--lost", "--json")).stdout)
    assert (lossy["job"], lossy["missing"]) == ("loss-count:test-1", [f"1/{unheard}"])
    assert (await typed("audit", "counts", "nowhere")).exit_code == 2
    life = await stack.parts.store.audit.of("bc-us", "order", str(unheard))
    assert life[0].job == "loss-count:test-1"


async def test_where_every_order_stands_is_told(stack: Stack) -> None:
    shop = stack.shop()
    done = place(stack)
    antiques = shop.place(draft(Shape.ORDINARY, US_SHOP, categories={"Antiques"}), quiet=True).id
    for order_id in (done, antiques):
        await stack.announce(order_id)
    await posted(stack, done)
    await stack.in_state(antiques, State.NEEDS_REVIEW)
    gate = stack.fusion.hooks.hold("answering", **SEND)
    staged = place(stack, 1)
    await stack.announce(staged)
    await gate.reached()
    try:
        found = await count(stack)
    finally:
        gate.release()
    assert (found.postable, found.posted, found.review, found.waiting, found.missing) == (3, 1, 1, 1, 0)
    await posted(stack, staged)


async def test_what_waits_for_fusion_to_answer_is_on_its_way_and_is_not_started_again(stack: Stack) -> None:
    """Its document says nothing yet: it is the workflow that tells."""
    stack.fusion.faults.set("error", path="/", status=503, count=1_000_000)
    order_id = place(stack)
    await stack.announce(order_id)
    await stack.in_state(order_id, State.RUNNING)

    async def fetched() -> bool:
        events = await stack.parts.store.audit.of("bc-us", "order", str(order_id))
        return any(event.action == "fetched" for event in events)

    await eventually(fetched, "it has been read")

    async def searched() -> set[str]:
        return await under_way._searched(stack.temporal, "shop-us", [str(order_id), "999"])

    assert await eventually(searched, "one search tells which of a hundred run") == {str(order_id)}
    found = await count(stack)
    assert (found.postable, found.waiting, found.missing) == (1, 1, 0)
    handle = stack.temporal.get_workflow_handle(names.order_to_journal_id("bc-us", str(order_id)))
    signals = [
        event
        async for event in handle.fetch_history_events()
        if event.HasField("workflow_execution_signaled_event_attributes")
    ]
    assert len(signals) <= 1, "only the announcement's"
    stack.fusion.faults.clear()
    await posted(stack, order_id)


async def test_an_order_whose_run_is_gone_is_missing_and_one_that_stays_so_is_an_alarm(
    stack: Stack, typed: Typed
) -> None:
    gate = stack.fusion.hooks.hold("answering", **SEND)
    order_id = place(stack)
    await stack.announce(order_id)
    await gate.reached()
    handle = stack.temporal.get_workflow_handle(names.order_to_journal_id("bc-us", str(order_id)))
    for number in (1, 2):
        await stack.in_state(order_id, State.WAITING_IMPORT)
        await handle.terminate("a person's mistake")
        await ended(stack, order_id)
        document = await stack.parts.store.documents.get("bc-us", "order", str(order_id))
        assert document is not None
        # Two hours later.
        at = stack.parts.clock() - dt.timedelta(hours=2)
        await stack.parts.store.documents.settle(document.model_copy(update={"at": at}))
        assert (await count(stack, number)).missing == 1
        assert (await row(stack)).still_missing == number - 1
    alarm = await typed("status")
    assert alarm.exit_code == 1
    assert "1 order is in the shop and not posted, in two counts in a row" in alarm.stdout
    gate.release()
    await posted(stack, order_id)
    assert (await count(stack, 3)).missing == 0
    assert (await typed("status")).exit_code == 0


async def test_an_order_that_was_paid_while_nobody_listened_is_found(stack: Stack) -> None:
    order_id = place(stack, status_id=statuses.AWAITING_PAYMENT)
    await stack.announce(order_id)
    assert (await stack.result(order_id)).state is State.SKIPPED
    await ended(stack, order_id)
    assert (await count(stack)).postable == 0
    stack.shop().set_status(order_id, statuses.AWAITING_FULFILLMENT)
    assert (await count(stack, 2)).missing == 1
    await posted(stack, order_id)
    assert (await count(stack, 3)).posted == 1


async def test_an_order_that_was_cancelled_and_brought_back_while_nobody_listened_is_found(stack: Stack) -> None:
    order_id = place(stack)
    await stack.announce(order_id)
    await posted(stack, order_id)
    shop = stack.shop()
    await eventually(lambda: shop.now() > shop.order(order_id).modified, "the shop's clock has moved on")
    shop.set_status(order_id, statuses.CANCELLED)
    await stack.announce(order_id)

    async def stands(state: State) -> bool:
        document = await stack.parts.store.documents.get("bc-us", "order", str(order_id))
        return document is not None and document.state is state

    await eventually(lambda: stands(State.REVERSED), "it was taken back")
    await ended(stack, order_id)
    assert (await count(stack)).postable == 0
    shop.set_status(order_id, statuses.AWAITING_FULFILLMENT)
    found = await count(stack, 2)
    assert (found.postable, found.missing, found.posted) == (1, 1, 0)
    await eventually(lambda: stands(State.POSTED), "it is sold again")
    assert (await count(stack, 3)).posted == 1


async def test_an_edit_that_nobody_heard_of_is_looked_at(stack: Stack) -> None:
    order_id = place(stack)
    await stack.announce(order_id)
    await posted(stack, order_id)
    shop = stack.shop()
    await eventually(lambda: shop.now() > shop.order(order_id).modified, "the shop's clock has moved on")
    shop.ship(order_id)
    found = await count(stack)
    assert (found.posted, found.edited, found.missing) == (1, 1, 0)

    async def looked_at() -> bool:
        document = await stack.parts.store.documents.get("bc-us", "order", str(order_id))
        return document is not None and document.modified_at == shop.order(order_id).modified

    await eventually(looked_at, "the newest version was looked at")
    assert (await count(stack, 2)).edited == 0
    booked_once(stack, [order_id])


async def test_what_changed_since_the_last_poll_is_no_loss_yet(stack: Stack) -> None:
    """Polls come every ten minutes here, paused or not."""
    poll = PollPolicy(cron="*/10 * * * *", sweep_cron=NEVER, jitter=0)
    configuration = with_integration(stack.configuration, "shop-us", poll=poll)
    await sync_schedules(stack.temporal, configuration)
    await idle_and_paused(stack.temporal.get_schedule_handle(names.poll_orders_id("bc-us")))
    new, lost = place(stack), place_earlier(stack, dt.timedelta(minutes=11), 1)
    found = await count(stack)
    assert (found.postable, found.recent, found.missing) == (2, 1, 1)
    assert (await row(stack)).missing_ids == (str(lost),)
    await posted(stack, lost)
    assert await stack.parts.store.documents.get("bc-us", "order", str(new)) is None


async def test_a_lost_webhook_and_a_stopped_poll_lose_nothing(stack: Stack, typed: Typed) -> None:
    poll = PollPolicy(cron="* * * * *", sweep_cron=NEVER, jitter=0)
    configuration = with_integration(stack.configuration, "shop-us", poll=poll)
    await sync_schedules(stack.temporal, configuration)
    handle = stack.temporal.get_schedule_handle(names.poll_orders_id("bc-us"))
    await idle_and_paused(handle)
    announced, *lost = [place_earlier(stack, dt.timedelta(hours=1), seed) for seed in range(4)]
    await stack.announce(announced)

    schedule = stack.temporal.get_schedule_handle(names.loss_count_id("shop-us"))
    await triggered(schedule, 1)
    assert (await row(stack)).missing_ids == tuple(str(one) for one in lost)
    await posted(stack, announced, *lost)
    await triggered(schedule, 2)
    assert "4 to be posted: 4 posted, 0 waiting, 0 in review, 0 missing" in (await typed("status")).stdout
    assert (await handle.describe()).schedule.state.paused, "it was not the poll"


async def idle_and_paused(schedule: ScheduleHandle) -> None:
    """Paused, and what it started before has ended."""
    await schedule.pause(note="somebody forgot it")

    async def idle() -> bool:
        return not (await schedule.describe()).info.running_actions

    await eventually(idle, "no poll runs")


async def triggered(schedule: ScheduleHandle, times: int) -> None:
    await schedule.trigger()

    async def ended() -> bool:
        info = (await schedule.describe()).info
        return len(info.recent_actions) == times and not info.running_actions

    await eventually(ended, "the shop was counted")


async def test_an_order_of_which_only_its_row_says_that_it_is_posted_is_missing_and_a_person_is_asked(
    stack: Stack,
) -> None:
    order_id = place(stack)
    await said_to_be_posted(stack, [order_id])
    found = await count(stack)
    assert (found.postable, found.missing, found.posted) == (1, 1, 0)
    standing = await stack.in_state(order_id, State.NEEDS_REVIEW)
    assert [one.code for one in standing.problems] == ["posted_unproved"]
    assert journals_of(stack.fusion, order_id) == [], "it may be in the ledger: nobody posts it by himself"
    again = await count(stack, 2)
    assert (again.review, again.missing) == (1, 0)
    stack.shop().ship(order_id)
    stack.shop().edit_line(order_id, stack.shop().order(order_id).lines[0].id, quantity=5)
    version = (await document_of(stack, order_id)).modified_at
    await stack.announce(order_id)

    async def looked_at() -> bool:
        return (await document_of(stack, order_id)).modified_at > version

    await eventually(looked_at, "that it was edited is no answer")
    await stack.in_state(order_id, State.NEEDS_REVIEW)
    assert journals_of(stack.fusion, order_id) == []
    await deciding(stack, order_id, "retry")
    await posted(stack, order_id)
    assert (await count(stack, 3)).posted == 1


async def test_a_count_that_is_switched_off_is_removed_and_said_to_be(stack: Stack) -> None:
    schedule = stack.temporal.get_schedule_handle(names.loss_count_id("shop-us"))
    await sync_schedules(stack.temporal, stack.configuration)
    await schedule.describe()
    off = with_integration(stack.configuration, "shop-us", loss_count=LossCountPolicy(enabled=False))
    for _ in range(2):
        await sync_schedules(stack.temporal, off)
        with pytest.raises(RPCError):
            await schedule.describe()
