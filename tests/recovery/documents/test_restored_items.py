"""Yesterday's store is restored: what both systems agreed since is not known to it, so it writes nothing."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from recovery.conftest import Vintage, patient
from support.items import announce_item, converged, item_flow, item_result, keeping, name_in_shop, new_item
from support.proof import ordinary, posted, sell
from support.stack import Stack, eventually

from contracts.configuration import Configuration
from contracts.flow import State
from runtime.operations.recovery import recover


@pytest.fixture
def adjust() -> Callable[[Configuration], Configuration]:
    return lambda configuration: keeping()(patient(configuration))


async def waits_for_the_recovery(stack: Stack, number: str) -> None:
    converter = stack.temporal.data_converter

    async def waits() -> bool:
        described = await stack.temporal.get_workflow_handle(item_flow(number)).describe()
        pending = described.raw_description.pending_activities
        # What an error says is sealed in a history.
        told = [
            str(await converter.decode_failure(one.last_failure)) for one in pending if one.HasField("last_failure")
        ]
        return any("restored from a backup" in one for one in told)

    await eventually(waits, f"item {number} waits for the recovery")


async def test_a_restored_store_writes_no_item_until_it_is_recovered(vintage: Vintage) -> None:
    live = vintage.stack
    async with live.worker():
        item = new_item(live, "OLD-1", "Brass lamp")
        assert (await converged(live, "OLD-1")).state is State.POSTED
        await vintage.back_up()
        await posted(live, await sell(live, ordinary(3)))
    async with vintage.restored() as stack, stack.worker():
        stack.fusion.items.touch(item, ItemDescription="Brass lamp, tall")
        await announce_item(stack, "OLD-1")
        await waits_for_the_recovery(stack, "OLD-1")
        assert name_in_shop(stack, "OLD-1") == "Brass lamp"
        assert (await recover(stack.parts, stack.parts.clock() - timedelta(hours=12))).done
        assert (await item_result(stack, "OLD-1")).state is State.POSTED
        assert name_in_shop(stack, "OLD-1") == "Brass lamp, tall"
