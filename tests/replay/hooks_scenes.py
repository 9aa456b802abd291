"""Scenes of the webhooks that are looked after."""

from typing import Any

from replay.order_scenes import Open
from replay.stage import Stage

from contracts import names
from contracts.configuration import BigCommerceConnection, Configuration
from contracts.hooks import HooksChecked, HooksHealthInput


def with_gateway(configuration: Configuration) -> Configuration:
    """Shops know where a gateway is, and webhooks deliver soon after they were switched on."""

    def changed(connection: Any) -> Any:
        if not isinstance(connection, BigCommerceConnection):
            return connection
        hooks = connection.hooks.model_copy(update={"destination": "https://hooks.example.com", "activation": 3.0})
        return connection.model_copy(update={"hooks": hooks})

    return configuration.model_copy(update={"connections": tuple(map(changed, configuration.connections))})


async def hooks(open_stage: Open) -> None:
    """Registered; sound; switched off and healed; told again meanwhile; blocked, with a gap that stays open."""
    async with open_stage(adjust=with_gateway) as stage:
        shop = stage.stack.shops.stores["us1abc"]
        await looked_after(stage, "hooks-registered")
        await looked_after(stage, "hooks-sound")

        shop.subscriptions.deactivate("store/order/created")
        missed = stage.place(quiet=True)
        healed = await looked_after(stage, "hooks-healed")
        assert healed.started == 1
        await stage.stack.result(missed)

        gate = stage.stack.shops.hooks.hold("received", path="/v3/hooks$")
        handle = await _started(stage, "hooks-told-again")
        await gate.reached()
        await handle.signal(names.CHANGED)
        gate.release()
        await handle.result()
        await stage.save("hooks-told-again", "hooks-told-again")

        shop.deliveries.block("hooks.example.com", seconds=3.0)
        blocked = await looked_after(stage, "hooks-blocked")
        assert blocked.down


async def _started(stage: Stage, name: str) -> Any:
    return await stage.stack.temporal.start_workflow(
        names.HOOKS_HEALTH,
        HooksHealthInput(connection="bc-us"),
        id=name,
        task_queue=names.WORKFLOW_QUEUE,
        result_type=HooksChecked,
    )


async def looked_after(stage: Stage, name: str) -> HooksChecked:
    checked: HooksChecked = await (await _started(stage, name)).result()
    await stage.save(name, name)
    return checked
