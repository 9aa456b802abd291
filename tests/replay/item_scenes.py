"""Scenes of items and products: made, changed by their owner, in conflict, left, and every step that fails."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from replay.order_scenes import Open
from replay.stage import Stage, patched
from support.items import (
    announce_item,
    catalog,
    converged,
    decide_item,
    item_flow,
    item_result,
    keeping,
    look_at_product,
    new_item,
    new_product,
    poll_records,
)

import activities.converging.items_at_shop
import activities.converging.steps
from activities.converging.desks import ChangedMeanwhileError
from activities.failures import review
from contracts import names
from contracts.flow import State
from contracts.journal import Problem
from store.turns import Turn

OPEN: dict[str, Any] = {"adjust": keeping(owners={"name": "fusion", "description": "shop"})}


async def items(open_stage: Open) -> None:
    """Made, settled, written to both sides, polled, looked at, left and gone."""
    async with open_stage(**OPEN) as stage:
        stack = stage.stack
        item = new_item(stack, "A-1", "Flax shirt")
        assert (await converged(stack, "A-1")).state is State.POSTED
        await stage.save("item-made", item_flow("A-1"))
        assert (await converged(stack, "A-1")).state is State.POSTED
        await stage.save("item-settled", item_flow("A-1"))

        (row,) = [one for one in catalog(stack).products.values() if one.fields["sku"] == "A-1"]
        stack.fusion.items.touch(item, ItemDescription="Flax shirt, white")
        catalog(stack).edit(row.id, description="Washed.")
        assert (await converged(stack, "A-1")).state is State.POSTED
        await stage.save("item-written-to-both", item_flow("A-1"))

        await poll_records(stack, "shop")
        await stage.save("poll-records", names.poll_records_id("shop-us", names.ITEM, "shop"))
        await look_at_product(stack, row.id)
        look = names.flow_id(names.LOOK_AT_PRODUCT, "bc-us", str(row.id))
        await stage.save("look-at-product", look)
        gate = stack.shops.hooks.hold("received", path=r"/v3/catalog/products$")
        handle = await stack.temporal.start_workflow(
            names.LOOK_AT_PRODUCT, _look(row.id), id=look, task_queue=names.WORKFLOW_QUEUE
        )
        await gate.reached()
        await handle.signal(names.CHANGED)
        gate.release()
        await handle.result()
        await stage.save("look-at-product-again", look)

        catalog(stack).delete(row.id)
        assert (await converged(stack, "A-1")).state is State.SKIPPED
        await stage.save("item-left", item_flow("A-1"))


async def item_reviews(open_stage: Open) -> None:
    """Conflicts, retried and skipped, and steps that cannot be done."""

    def impossible(*given: Any, **more: Any) -> Any:
        raise review(Problem(code="impossible", sentence="This cannot be done.", remedy="Report it."))

    async with open_stage(**OPEN) as stage:
        stack = stage.stack
        row = await _linked(stage, "B-1")
        catalog(stack).edit(row.id, name="Azure mug")
        await announce_item(stack, "B-1")
        await stage.parked(item_flow("B-1"))
        await stage.save("item-conflict", item_flow("B-1"), run=0)
        await decide_item(stack, "B-1", "retry")
        assert (await item_result(stack, "B-1")).state is State.POSTED
        await stage.save("item-conflict-retried", item_flow("B-1"))

        catalog(stack).edit(row.id, name="Navy mug")
        await announce_item(stack, "B-1")
        await stage.parked(item_flow("B-1"))
        await decide_item(stack, "B-1", "skip")
        assert (await item_result(stack, "B-1")).state is State.SKIPPED
        await stage.save("item-conflict-skipped", item_flow("B-1"))

        new_item(stack, "Case-1", "Tea towel")
        new_product(stack, "CASE-1", "Kitchen towel")
        await announce_item(stack, "Case-1")
        await stage.parked(item_flow("Case-1"))
        await stage.save("item-case-differs", item_flow("Case-1"), run=0)

        stack.shops.faults.set("error", path=r"/v3/catalog/variants", status=400, count=1)
        await _parked(stage, "C-1", "item-not-read")
        with patched(activities.converging.steps, compare=impossible):
            await _parked(stage, "C-2", "item-not-compared")
        stack.shops.faults.set("error", path=r"/v3/catalog/products", method="POST", status=400, count=1)
        new_item(stack, "C-3", "Not to be made")
        await _parked(stage, "C-3", "item-not-made")


async def item_turns(open_stage: Open) -> None:
    """Somebody changes it while it is written; and the server's clock went back."""
    asked = 0

    def once(*given: Any) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise ChangedMeanwhileError

    async with open_stage(**OPEN) as stage:
        stack = stage.stack
        await _linked(stage, "D-1")
        (item,) = stack.fusion.items.numbered("D-1")
        stack.fusion.items.touch(item, ItemDescription="Mug, large")
        with patched(activities.converging.items_at_shop, require_unchanged=once):
            assert (await converged(stack, "D-1")).state is State.POSTED
        await stage.save("item-changed-while-written", item_flow("D-1"))

        later = datetime.now(UTC) + timedelta(seconds=8)
        turn = Turn(connection="bc-us", kind=names.ITEM, document_id="D-2", at=later)
        await stack.parts.store.journals.withdraw("nothing yet", turn=turn)
        new_item(stack, "D-2", "Waits for its turn")
        assert (await converged(stack, "D-2")).state is State.POSTED
        await stage.save("item-late", item_flow("D-2"))


def _look(product_id: int) -> dict[str, str]:
    return {
        "integration": "shop-us",
        "connection": "bc-us",
        "kind": names.ITEM,
        "parent": str(product_id),
        "job": "delivery:test",
    }


async def _linked(stage: Stage, number: str) -> Any:
    new_item(stage.stack, number, "Mug")
    made = new_product(stage.stack, number, "Mug")
    assert (await converged(stage.stack, number)).state is State.POSTED
    return made


async def _parked(stage: Stage, number: str, name: str) -> None:
    await announce_item(stage.stack, number)
    await stage.parked(item_flow(number))
    await stage.save(name, item_flow(number), run=0)


ITEM_SCENES: dict[str, Callable[[Open], Awaitable[None]]] = {
    "items": items,
    "item-reviews": item_reviews,
    "item-turns": item_turns,
}
