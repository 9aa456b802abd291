"""Scenes of the release of what waits for a newer mapping set."""

import dataclasses

from replay.order_scenes import ANTIQUES, Open
from replay.stage import SECOND, order_flow, patched

import workflows.release_review
from contracts import names
from contracts.configuration import MappingSet
from runtime.mapping_releases import register_mapping_sets
from sandbox.bigcommerce import US_SHOP, Shape, draft


async def releases(open_stage: Open) -> None:
    """A worker starts with a newer version: what is in review is gone through, and once more some time later."""
    async with open_stage() as stage:
        stack = stage.stack
        order_id = stage.place(draft(Shape.ORDINARY, US_SHOP, **ANTIQUES))
        await stage.reviewed(order_id)
        newer = tuple(
            MappingSet.model_validate({**one.model_dump(), "version": 2}) for one in stack.configuration.mapping_sets
        )
        parts = dataclasses.replace(
            stack.parts, configuration=stack.configuration.model_copy(update={"mapping_sets": newer})
        )
        with patched(workflows.release_review, AFTERWARDS=SECOND):
            await register_mapping_sets(stack.temporal, parts)
            await stage.closed(names.release_review_id("retail", 2, 1))
        await stage.save("reviews-released", names.release_review_id("retail", 2, 1))
        await stage.parked(order_flow(order_id), renewals=1)
