"""Webhooks heal themselves: what the shop switched off announces again, and what it kept to itself is posted once."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from support.loss_counts import NEVER
from support.stack import Stack, eventually, journals_of, open_stack, posted_total
from support.topology import TemporalServer

from contracts import names
from contracts.audit import CONNECTION_KIND
from contracts.configuration import BigCommerceConnection, Configuration, Integration
from contracts.flow import PollInput, State
from contracts.hooks import EXCEPTION_SCOPE, ORDER_SCOPES, HooksChecked, HooksHealthInput
from contracts.starting import StartRequest
from contracts.steps.orders import Polled
from runtime.temporal.schedules import sync_schedules
from sandbox.bigcommerce import US_SHOP, Shape, draft

GATEWAY = "https://hooks.example.com"
CREATED = "store/order/created"


def with_hooks(configuration: Configuration) -> Configuration:
    """The US shop delivers to a gateway, and webhooks that were switched on deliver at once. No schedule acts by
    itself."""

    def changed(connection: Any) -> Any:
        if not isinstance(connection, BigCommerceConnection):
            return connection
        hooks = connection.hooks.model_copy(update={"activation": 0.5, "check_cron": NEVER})
        if connection.id == "bc-us":
            hooks = hooks.model_copy(update={"destination": GATEWAY})
        return connection.model_copy(update={"hooks": hooks})

    def idle(one: Integration) -> Integration:
        seldom = {"loss_count": one.loss_count, "alignment": one.alignment}
        policies: dict[str, Any] = {name: given.model_copy(update={"cron": NEVER}) for name, given in seldom.items()}
        policies["poll"] = one.poll.model_copy(update={"cron": NEVER, "sweep_cron": NEVER})
        return one.model_copy(update=policies)

    return configuration.model_copy(
        update={
            "connections": tuple(map(changed, configuration.connections)),
            "integrations": tuple(map(idle, configuration.integrations)),
        }
    )


@pytest.fixture
async def stack(temporal_server: TemporalServer, tmp_path: Path) -> AsyncIterator[Stack]:
    async with open_stack(temporal_server, tmp_path, adjust=with_hooks) as opened, opened.worker():
        yield opened


def place(stack: Stack, seed: int = 0) -> int:
    """An order of which nobody hears."""
    order_id: int = stack.shop().place(draft(Shape.ORDINARY, US_SHOP, seed=seed), quiet=True).id
    return order_id


async def check(stack: Stack, workflow_id: str = "hooks-health:test") -> HooksChecked:
    handle = await stack.temporal.start_workflow(
        names.HOOKS_HEALTH,
        HooksHealthInput(connection="bc-us"),
        id=workflow_id,
        task_queue=names.WORKFLOW_QUEUE,
        result_type=HooksChecked,
    )
    return await handle.result()


async def posted_once(stack: Stack, order_id: int) -> None:
    async def known() -> bool:
        row = await stack.parts.store.documents.get("bc-us", "order", str(order_id))
        return row is not None and row.state is State.POSTED

    await eventually(known, f"order {order_id} is posted")
    assert len(journals_of(stack.fusion, order_id)) == 1
    assert posted_total(stack.fusion, order_id) == stack.shop().truth()[order_id].total


def subscriptions(stack: Stack) -> Any:
    return stack.shops.stores["us1abc"].subscriptions


async def test_a_webhook_that_was_switched_off_is_healed_and_the_orders_of_the_gap_are_posted_once(
    stack: Stack,
) -> None:
    registered = await check(stack)
    assert (registered.down, registered.started) == ((), 0)
    assert {one.scope for one in subscriptions(stack).every()} == {*ORDER_SCOPES, EXCEPTION_SCOPE}
    assert await check(stack) == HooksChecked(), "all is well, and nothing is read"
    settled = place(stack)
    await stack.announce(settled)
    await posted_once(stack, settled)

    subscriptions(stack).deactivate(CREATED)
    missed = [place(stack, seed) for seed in (1, 2)]
    healed = await check(stack)
    assert all(one.is_active for one in subscriptions(stack).every())
    assert (healed.down, healed.started) == ((), 2)
    for order_id in missed:
        await posted_once(stack, order_id)
    assert await check(stack) == HooksChecked()
    polled = await stack.temporal.execute_workflow(
        names.POLL_ORDERS, PollInput(connection="bc-us"), id="poll", task_queue=names.WORKFLOW_QUEUE,
        result_type=Polled,
    )  # fmt: skip
    assert polled.started == 0, "the poll finds nothing that the sweep has not found"
    for order_id in (settled, *missed):
        await posted_once(stack, order_id)

    told = [one.action for one in await stack.parts.store.audit.of("bc-us", CONNECTION_KIND, "bc-us")]
    assert told[-3:] == ["webhook_lost", "webhook_healed", "webhook_gap_swept"]
    row = next(one for one in await stack.parts.store.hooks.of("bc-us") if one.scope == CREATED)
    assert row.swept_until == healed.swept_until
    assert row.swept_from
    assert healed.swept_from
    assert row.swept_from <= healed.swept_from, "with what was read right before, when it was registered"


async def test_a_shop_that_says_that_deliveries_fail_is_looked_after_at_once(stack: Stack) -> None:
    await check(stack)
    subscriptions(stack).remove(CREATED)
    missed = place(stack)
    await stack.parts.starter.start(
        StartRequest(
            flow=names.HOOKS_HEALTH,
            connection="bc-us",
            integration=stack.configuration.integrations_of("bc-us")[0].id,
            document_id=names.HOOKS_EXCEPTION,
            job="delivery:msg_1",
            received_at=stack.parts.clock(),
        )
    )
    handle = stack.temporal.get_workflow_handle(names.hooks_exception_id("bc-us"), result_type=HooksChecked)
    assert (await handle.result()).started == 1
    assert CREATED in {one.scope for one in subscriptions(stack).every()}
    await posted_once(stack, missed)


async def test_every_shop_is_looked_after_by_a_schedule_and_one_without_an_address_costs_no_call(stack: Stack) -> None:
    await sync_schedules(stack.temporal, stack.configuration)
    for connection in ("bc-us", "bc-eu"):
        schedule = stack.temporal.get_schedule_handle(names.hooks_health_id(connection))
        await schedule.trigger()

        async def ended(schedule: Any = schedule) -> bool:
            info = (await schedule.describe()).info
            return len(info.recent_actions) == 1 and not info.running_actions

        await eventually(ended, f"the webhooks of {connection} were looked after")
    assert subscriptions(stack).every()
    assert stack.shops.calls.count(path="/stores/eu2def/") == 0
