"""Scenes of orders that are cancelled after they were billed in Receivables."""

from decimal import Decimal

from replay.credit_scenes import APPLY, CREATE, QUICK, impossible
from replay.order_scenes import Open
from replay.stage import Stage, order_flow, patched
from support.receivables import billed
from support.refunds import announce_refund, refund_result
from support.stack import eventually

import activities.receivables.reversing
from contracts.flow import State
from sandbox.bigcommerce import Returned, statuses


async def cancelled_invoices(open_stage: Open) -> None:
    """Taken back, in doubt, refused and retried, not to be had, waiting for a refund, and come back meanwhile."""
    async with open_stage(adjust=billed, fusion=QUICK) as stage:
        stack = stage.stack
        order_id = await _sold(stage)
        await _cancelled(stage, order_id)
        await _reversed(stage, order_id, "order-invoice-reversed")

        order_id = await _sold(stage)
        stack.fusion.faults.set("lost_answer", count=1, **CREATE)
        await _cancelled(stage, order_id)
        await _reversed(stage, order_id, "order-reversal-in-doubt")

        order_id = await _sold(stage)
        stack.fusion.faults.set("soap_fault", path=APPLY["path"], options={"message": "The invoice is locked."})
        await _cancelled(stage, order_id)
        await _parked(stage, order_id, "order-reversal-refused")
        await stage.decide(order_flow(order_id), "retry")
        await _reversed(stage, order_id, "order-reversal-retried")

        order_id = await _sold(stage)
        stack.fusion.faults.set("error", method="GET", path=r"/receivablesCreditMemos$", status=400)
        await _cancelled(stage, order_id)
        await _parked(stage, order_id, "order-reversal-not-looked-for")

        order_id = await _sold(stage)
        with patched(activities.receivables.reversing, to_reversal_memo=impossible):
            await _cancelled(stage, order_id)
            await _parked(stage, order_id, "order-reversal-not-mapped")

        order_id = await _sold(stage)
        refund = stack.shop().refund(order_id, everything=True).id
        await announce_refund(stack, refund)
        assert (await refund_result(stack, refund)).state is State.POSTED
        await _cancelled(stage, order_id)
        await _reversed(stage, order_id, "order-reversal-nothing-left")

        await _waits(stage)
        await _came_back(stage)


async def _waits(stage: Stage) -> None:
    stack, order_id = stage.stack, await _sold(stage)
    refund = stack.shop().refund(order_id, items=[Returned("ORDER", order_id, amount=Decimal("1.00"))]).id
    gate = stack.fusion.hooks.hold("received", **CREATE)
    await announce_refund(stack, refund)
    await gate.reached()
    await _cancelled(stage, order_id)

    async def waits() -> bool:
        return "is on its way into Fusion" in (await stack.state(order_id)).sentence

    await eventually(waits, "the order waits for its refund")
    await stack.announce(order_id)
    await eventually(waits, "the order waits for its refund")
    gate.release()
    await _reversed(stage, order_id, "order-reversal-waits")


async def _came_back(stage: Stage) -> None:
    """In doubt when somebody ended the run; the next one finds out all the same."""
    stack, order_id = stage.stack, await _sold(stage)
    stack.fusion.faults.set("lost_answer", count=1, **CREATE)
    await _cancelled(stage, order_id)
    await stack.in_state(order_id, State.IN_DOUBT)
    await stack.temporal.get_workflow_handle(order_flow(order_id)).terminate("recorded")
    stack.shop().set_status(order_id, statuses.AWAITING_FULFILLMENT)
    await stack.announce(order_id)
    await _parked(stage, order_id, "order-reversal-came-back")


async def _sold(stage: Stage) -> int:
    return await stage.posted(seed=len(stage.saved))


async def _cancelled(stage: Stage, order_id: int) -> None:
    stage.stack.shop().set_status(order_id, statuses.CANCELLED)
    await stage.stack.announce(order_id)


async def _reversed(stage: Stage, order_id: int, name: str) -> None:
    assert (await stage.stack.result(order_id)).state is State.REVERSED
    await stage.save(name, order_flow(order_id))
    stage.stack.fusion.faults.clear()


async def _parked(stage: Stage, order_id: int, name: str) -> None:
    await stage.parked(order_flow(order_id))
    await stage.save(name, order_flow(order_id), run=0)
    stage.stack.fusion.faults.clear()
