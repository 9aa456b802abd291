"""Scenes of the count of a shop's orders."""

from datetime import timedelta

from replay.order_scenes import Open
from replay.stage import Stage, with_integration

from contracts import names
from contracts.configuration import Configuration, LossCountPolicy
from contracts.loss import LossCounted, LossCountInput


def judged_at_once(configuration: Configuration) -> Configuration:
    return with_integration(configuration, "shop-us", loss_count=LossCountPolicy(patience=0))


async def counts(open_stage: Open) -> None:
    """Nobody heard of an order: it is counted as missing, and by the next count it is posted."""
    async with open_stage(adjust=judged_at_once) as stage:
        order_id = stage.place(quiet=True)
        order = stage.stack.shop().order(order_id)
        order.modified = order.created = order.created - timedelta(minutes=1)
        found = await counted(stage, "loss-count-missing")
        assert (found.postable, found.missing) == (1, 1)
        await stage.stack.result(order_id)
        again = await counted(stage, "loss-count-complete")
        assert (again.posted, again.missing) == (1, 0)


async def counted(stage: Stage, name: str) -> LossCounted:
    handle = await stage.stack.temporal.start_workflow(
        names.LOSS_COUNT,
        LossCountInput(integration="shop-us", connection="bc-us"),
        id=name,
        task_queue=names.WORKFLOW_QUEUE,
        result_type=LossCounted,
    )
    found = await handle.result()
    await stage.save(name, name)
    return found
