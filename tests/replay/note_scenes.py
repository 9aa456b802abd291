"""Scenes of orders that say in their shop what became of them."""

from replay.order_scenes import ANTIQUES, STORES, Open, booked_by_hand
from replay.stage import order_flow
from support.notes import WRITES, noting
from support.refunds import announce_refund, refund_flow, refund_result

from contracts.flow import State
from sandbox.bigcommerce import US_SHOP, Shape, draft


async def noted(open_stage: Open) -> None:
    """Said after a posting, a person's mark and a refund; refused by the shop; and changed meanwhile."""
    async with open_stage(stores=STORES, adjust=noting) as stage:
        stack, shop = stage.stack, stage.stack.shop()
        first = await stage.posted()
        await stage.save("order-noted", order_flow(first))

        refund = shop.refund(first, everything=True)
        await announce_refund(stack, refund.id)
        assert (await refund_result(stack, refund.id)).state is State.POSTED
        await stage.save("refund-noted", refund_flow(refund.id))

        stack.shops.faults.set("error", status=403, count=1, **WRITES)
        await stage.save("order-not-noted", order_flow(await stage.posted(seed=1)))

        changed = stage.place(seed=2)
        gate = stack.shops.hooks.hold("received", **WRITES)
        await stack.announce(changed)
        await gate.reached(60)
        await stack.announce(changed)
        gate.release()
        assert (await stack.result(changed)).state is State.POSTED
        await stage.save("order-changed-while-noted", order_flow(changed))

        await booked_by_hand(stage, "By hand")
        marked = stage.place(draft(Shape.ORDINARY, US_SHOP, seed=3, **ANTIQUES))
        await stage.reviewed(marked)
        await stage.decide(order_flow(marked), "mark_posted", target_id="By hand")
        assert (await stack.result(marked)).state is State.POSTED
        await stage.save("order-marked-noted", order_flow(marked))
