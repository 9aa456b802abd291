"""What one order costs when a hundred arrive together, each announced six times and seen by three polls.

Each order is announced as a shop announces it: created and its payment in the same moment, then two changes of status
of two webhooks each, all within `SPREAD` seconds. Polls overlap so that each sees every order again.
"""

import asyncio
import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import httpx

from benchmarks.counting import Bill, bills
from benchmarks.figures import Figure, at_most, below
from contracts import names
from contracts.configuration import Configuration
from contracts.flow import PollInput, State
from sandbox.bigcommerce import US_SHOP, Shape, StoreSettings, draft
from sandbox.bigcommerce.webhooks import signature
from tests.support.stack import Stack, eventually, open_stack, posted_total
from tests.support.topology import TemporalServer
from webhook_gateway.app import GatewayParts, create_app

ORDERS: Final = 100
SPREAD: Final = 2.0
"""Seconds from an order's first webhook to its last."""
ARRIVALS: Final = 12.0
"""Seconds in which all orders are placed."""
PACE: Final = {"flush_after": 18.0, "quiet_period": 5.0, "reread_after": 3600.0}
"""Import policy in seconds: as delivered, but for groups that are sealed sooner."""
POLLS: Final = (3.0, 8.0, 20.0)
"""Seconds after the first order: while orders arrive, while all wait for the quiet, when all are staged."""
SCOPES: Final = (
    (0.0, "store/order/created"),
    (0.01, "store/order/transaction/created"),
    (0.4, "store/order/statusUpdated"),
    (0.41, "store/order/updated"),
    (1.0, "store/order/statusUpdated"),
    (1.01, "store/order/updated"),
)
"""When, as a share of `SPREAD`, and what."""


@dataclass(frozen=True)
class Cost:
    """Everything the orders caused, by workflow type, and the calls Fusion got."""

    orders: int
    bills: dict[str, Bill]
    fusion_calls: int
    calls_by_path: dict[str, int]

    @property
    def actions(self) -> float:
        """Billed actions an order, its share of groups, imports and polls included."""
        return sum(bill.total for bill in self.bills.values()) / self.orders

    @property
    def events(self) -> float:
        return sum(bill.events for bill in self.bills.values()) / self.orders

    @property
    def calls(self) -> float:
        return self.fusion_calls / self.orders


async def measure(server: TemporalServer, directory: Path, *, orders: int = ORDERS) -> Cost:
    """Plays the arrivals and counts once every order is posted. Raises `AssertionError` when one is not."""
    stores = (StoreSettings(US_SHOP, requests_per_window=1_000_000),)
    async with open_stack(server, directory, imports=PACE, stores=stores, adjust=_unhurried) as stack, stack.worker():
        app = create_app(GatewayParts(stack.configuration, stack.parts.store, stack.parts.starter))
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as http,
        ):
            await _awake(http)
            chance = random.Random(7)
            async with asyncio.TaskGroup() as tasks:
                placed = [
                    tasks.create_task(_announced(stack, http, number, chance.uniform(0, ARRIVALS)))
                    for number in range(orders)
                ]
                for after in POLLS:
                    tasks.create_task(_poll(stack, after))
        for task in placed:
            order_id = task.result()
            result = await stack.result(order_id)
            assert result.state is State.POSTED, result.sentence
            assert posted_total(stack.fusion, order_id) == stack.shop().truth()[order_id].total
        await quiet(stack)
        calls = list(stack.fusion.calls)
        paths: dict[str, int] = {}
        for call in calls:
            paths[f"{call.method} {call.path}"] = paths.get(f"{call.method} {call.path}", 0) + 1
        found = await bills(stack.temporal, scheduled=frozenset({names.POLL_ORDERS}))
        return Cost(orders, found, len(calls), paths)


def _unhurried(configuration: Configuration) -> Configuration:
    """Starts are never cut off: gateway, worker, twins and clients share this process, and counts shall not depend on
    how fast the machine is."""
    return configuration.model_copy(
        update={"gateway": configuration.gateway.model_copy(update={"start_deadline": 10.0})}
    )


async def _awake(http: httpx.AsyncClient) -> None:
    """The gateway has its secrets and its connections: a delivery that concerns no flow."""
    body = _body(1, "store/product/updated")
    headers = signature("client-secret", "msg_first", datetime.now(UTC), body)
    answer = await http.post("/webhooks/acme/bc-us", content=body, headers=headers)
    assert answer.status_code == 202, answer.status_code


async def _announced(stack: Stack, http: httpx.AsyncClient, number: int, after: float) -> int:
    """One order and its six webhooks."""
    await asyncio.sleep(after)
    order_id: int = stack.shop().place(draft(Shape.ORDINARY, US_SHOP, seed=number), quiet=True).id
    waited = 0.0
    for position, (share, scope) in enumerate(SCOPES):
        await asyncio.sleep((share - waited) * SPREAD)
        waited = share
        if position:
            stack.shop().touch(order_id, f"note {position}")
        body = _body(order_id, scope)
        headers = signature("client-secret", f"msg_{order_id}_{position}", stack.parts.clock(), body)
        answer = await http.post("/webhooks/acme/bc-us", content=body, headers=headers)
        assert answer.status_code == 202, answer.status_code
    return order_id


def _body(order_id: int, scope: str) -> bytes:
    data: dict[str, Any] = {"type": "order", "id": order_id}
    if "transaction" in scope:
        data = {"type": "transaction", "order_id": str(order_id), "transaction_id": order_id * 10}
    document = {"scope": scope, "store_id": US_SHOP.store_id, "data": data, "producer": f"stores/{US_SHOP.store_hash}"}
    return json.dumps(document | {"hash": f"{order_id}{scope}", "created_at": 1}).encode()


async def _poll(stack: Stack, after: float) -> None:
    await asyncio.sleep(after)
    await stack.temporal.execute_workflow(
        names.POLL_ORDERS, PollInput(connection="bc-us"), id=f"poll-{after}", task_queue=names.WORKFLOW_QUEUE
    )


async def quiet(stack: Stack) -> None:
    """Waits until groups and imports have ended, too."""

    async def ended() -> bool:
        # What guards the store's epoch never ends, and is the same one for all orders of all time.
        running = await stack.temporal.count_workflows(
            f"ExecutionStatus = 'Running' AND WorkflowType != '{names.STORE_EPOCH}'"
        )
        return running.count == 0

    await eventually(ended, "every workflow has ended")


def describe(cost: Cost) -> str:
    """What the totals are made of, for whoever wants to lower them."""
    lines = []
    for kind, bill in sorted(cost.bills.items()):
        parts = ", ".join(f"{count} {name}" for name, count in bill.actions.most_common() if count)
        lines.append(f"  {kind}: {bill.runs} runs, {bill.events} events, {bill.total} actions ({parts})")
    lines += [f"  {count:4} {path}" for path, count in sorted(cost.calls_by_path.items(), key=lambda one: -one[1])]
    return "\n".join(lines)


def figures(cost: Cost) -> list[Figure]:
    return [
        at_most("billed Temporal actions an order, six webhooks and three polls each", cost.actions, 10),
        at_most("history events an order", cost.events, 50),
        below(f"Fusion calls an order, {cost.orders} together", cost.calls, 0.2),
    ]


async def run(server: TemporalServer) -> tuple[list[Figure], str]:
    with TemporaryDirectory() as directory:
        cost = await measure(server, Path(directory))
    return figures(cost), describe(cost)
