"""What reaches a restored store: its recovery, every webhook once more, every poll, and people who decide."""

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from support.fusion_pod import invoice_body
from support.stack import Stack, eventually
from temporalio.client import WorkflowHandle

from contracts import names
from contracts.flow import Decided, Decision, FlowState, PollInput, State
from contracts.steps.orders import Polled
from runtime.operations.recovery import Recovery, recover
from sandbox.fusion.receivables.invoice import Invoice


async def recovered(stack: Stack) -> Recovery:
    return await recover(stack.parts, stack.parts.clock() - dt.timedelta(hours=12))


async def announce_all(stack: Stack, orders: Iterable[int]) -> None:
    for order in orders:
        await stack.announce(order)


async def poll(stack: Stack, flow: str = names.POLL_ORDERS, days: int | None = None) -> Polled:
    handle: WorkflowHandle[object, Polled] = await stack.temporal.start_workflow(
        flow,
        PollInput(connection="bc-us", days=days),
        id=f"{flow}-{stack.parts.clock():%H%M%S%f}",
        task_queue=names.WORKFLOW_QUEUE,
        result_type=Polled,
    )
    return await handle.result()


async def says_it_is_behind(stack: Stack, order: int) -> None:
    async def told() -> bool:
        standing = await stack.state(order)
        return "restored from a backup" in standing.sentence

    await eventually(told, f"order {order} says that the store is behind")


async def in_review(stack: Stack, order_id: int, code: str) -> FlowState:
    standing = await stack.in_state(order_id, State.NEEDS_REVIEW)
    assert [one.code for one in standing.problems] == [code], f"order {order_id}"
    return standing


async def decide(stack: Stack, order_id: int, kind: str, **more: Any) -> None:
    fields = {"id": f"{kind}-{order_id}", "kind": kind, "who": "dana", "why": "month end", **more}
    decision = Decision.model_validate(fields)
    handle = stack.temporal.get_workflow_handle(names.order_to_journal_id("bc-us", str(order_id)))
    await handle.execute_update(names.DECIDE, decision, id=decision.id, result_type=Decided)
    await stack.result(order_id)


async def are_closed(stack: Stack, orders: Iterable[int]) -> None:
    """Temporal lists a closed run a moment later."""
    for order_id in orders:
        workflow_id = names.order_to_journal_id("bc-us", str(order_id))
        query = f"WorkflowId = '{workflow_id}' AND ExecutionStatus = 'Completed'"

        async def listed(wanted: str = query) -> bool:
            return (await stack.temporal.count_workflows(wanted)).count > 0

        await eventually(listed, f"the run of order {order_id} is listed as closed")


def billed_by_hand(stack: Stack, number: str, amount: Decimal, **facts: Any) -> Invoice:
    """What an accountant enters in Fusion."""
    today = dt.datetime.now(dt.UTC).date().isoformat()
    return stack.fusion.receivables.create(
        invoice_body(number, str(amount), TransactionDate=today, AccountingDate=today, **facts)
    )
