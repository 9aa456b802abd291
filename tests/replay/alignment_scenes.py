"""Scenes of the comparison of shop and pod with the books and rules between them."""

from replay.order_scenes import Open

from contracts import names
from contracts.alignment import AlignmentInput, AlignmentKept


async def alignments(open_stage: Open) -> None:
    async with open_stage() as stage:
        handle = await stage.stack.temporal.start_workflow(
            names.ALIGNMENT,
            AlignmentInput(integration="shop-us", connection="bc-us", fusion="fusion"),
            id="alignment-compared",
            task_queue=names.WORKFLOW_QUEUE,
            result_type=AlignmentKept,
        )
        assert (await handle.result()).misaligned == 1
        await stage.save("alignment-compared", "alignment-compared")
