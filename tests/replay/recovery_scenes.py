"""Scenes of a store that was restored from a backup, of its keeper, and of a mapping that was corrected."""

from datetime import UTC, datetime, timedelta

from replay.order_scenes import Open
from replay.stage import Stage, groups_flow, order_flow, patched
from sqlalchemy import Connection, update
from support.stack import eventually
from temporalio.service import RPCError

import activities.epochs
from activities.epochs import EpochGuard
from contracts import names
from contracts.flow import Remapped, State, StoreEpoch
from sandbox.bigcommerce import US_SHOP, Shape, draft, statuses
from store.schema import postings

SENTENCE = "The store was restored from a backup."


class Behind:
    """While `steps` are named, the guard tells them that the store is behind."""

    def __init__(self) -> None:
        self.steps: set[str] = set()
        self.told: list[str] = []

    async def __call__(self, _: EpochGuard, seen: int = 0, *, at_most: float = activities.epochs.REMEMBERED_FOR) -> str:
        step = {5.0: "seal"}.get(at_most, "import" if self.expects_import else "stage")
        if step not in self.steps:
            return ""
        self.told.append(step)
        return SENTENCE

    expects_import = False

    async def reached(self, step: str) -> None:
        await eventually(lambda: step in self.told, f"{step} was told that the store is behind")


async def restored(open_stage: Open) -> None:
    """Every step that would post finds the store behind, and goes on once it is recovered."""
    behind = Behind()

    async def ask(guard: EpochGuard, seen: int = 0, *, at_most: float = activities.epochs.REMEMBERED_FOR) -> str:
        return await behind(guard, seen, at_most=at_most)

    with patched(EpochGuard, behind=ask), patched(activities.epochs, REST=timedelta(seconds=1)):
        async with open_stage() as stage:
            stack = stage.stack
            behind.steps = {"stage"}
            waits = stage.place()
            await stack.announce(waits)
            await behind.reached("stage")
            stack.shop().touch(waits)
            await stack.announce(waits)
            await _slept_twice(stage, order_flow(waits))
            behind.steps = {"seal"}
            await behind.reached("seal")
            behind.steps, behind.expects_import = {"import"}, True
            await behind.reached("import")
            carried = (await stage.imports())[0]
            behind.steps = set()
            assert (await stack.result(waits)).state is State.POSTED
            await stage.closed(carried)
            await stage.closed(groups_flow())
            await stage.save("order-behind", order_flow(waits))
            await stage.save("groups-behind", groups_flow())
            await stage.save("import-behind", carried)
            keeper = stack.temporal.get_workflow_handle(names.STORE_EPOCH)
            await keeper.signal(names.RAISED, StoreEpoch(number=1_000_000))
            await eventually(lambda: _kept(stage, 1_000_000), "the keeper has been told by a signal")
            await stage.save("store-epoch", names.STORE_EPOCH)


async def asks_nobody(open_stage: Open) -> None:
    """What would be in review is not while the store is behind: neither once the time is over, nor after a change."""
    told: list[str] = []
    sentence = SENTENCE

    async def ask(guard: EpochGuard, seen: int = 0, *, at_most: float = activities.epochs.REMEMBERED_FOR) -> str:
        told.append(sentence)
        return sentence

    with patched(EpochGuard, behind=ask), patched(activities.epochs, REST=timedelta(seconds=2)):
        async with open_stage() as stage:
            stack = stage.stack
            order_id = stage.place(draft(Shape.ORDINARY, US_SHOP, categories=["Antiques"]))
            await stack.announce(order_id)
            await eventually(lambda: len(told) > 1, "the order has looked again")
            stack.shop().touch(order_id)
            await stack.announce(order_id)
            await _slept_twice(stage, order_flow(order_id))
            sentence = ""
            await stage.reviewed(order_id, announce=False)
            await stage.save("order-asks-nobody", order_flow(order_id), run=0)
            await stage.decide(order_flow(order_id), "skip")
            await stack.result(order_id)


async def _kept(stage: Stage, number: int) -> bool:
    return await stage.stack.parts.epochs.kept() == number


async def _slept_twice(stage: Stage, workflow_id: str) -> None:
    """Waits until the run has looked at the order again after its change, and waits once more."""

    async def slept() -> bool:
        try:
            history = await stage.stack.temporal.get_workflow_handle(workflow_id).fetch_history()
        except RPCError:  # not started yet
            return False
        fetched = [one for one in history.events if one.HasField("activity_task_completed_event_attributes")]
        return len(fetched) > 1

    await eventually(slept, f"{workflow_id} has fetched again")


async def long_keeping(open_stage: Open) -> None:
    """The keeper on a server that suggests to continue as new after a few events."""
    async with open_stage() as stage:
        for epoch in range(2, 12):
            await stage.stack.parts.epochs.tell(epoch)
        assert await stage.stack.parts.epochs.kept() == 11

        async def continued() -> bool:
            return len(await stage.runs(names.STORE_EPOCH)) > 1

        await eventually(continued, "the keeper has continued as new")
        await stage.save("store-epoch-continued", names.STORE_EPOCH, run=0)


async def remapped(open_stage: Open) -> None:
    """A newer mapping set is in effect: what waits for it looks again, also when it hears of it on its way there."""
    async with open_stage() as stage:
        stack = stage.stack
        order_id = stage.place(draft(Shape.ORDINARY, US_SHOP, categories=["Antiques"]))
        await stage.reviewed(order_id)
        handle = stack.temporal.get_workflow_handle(order_flow(order_id))
        await handle.signal(names.REMAPPED, Remapped(mapping_set="retail", version=2))
        await stage.parked(order_flow(order_id), renewals=1)
        await stage.save("order-remapped", order_flow(order_id), run=1)
        await stage.decide(order_flow(order_id), "skip")
        await stack.result(order_id)


async def edited_since(open_stage: Open) -> None:
    """Of a journal that was read back after a restore nobody knows which version it is: staging finds out."""
    async with open_stage() as stage:
        stack = stage.stack
        for name, cancelled in (("order-edited-since-restore", False), ("order-cancelled-since-restore", True)):
            order_id = await stage.posted(seed=len(stage.saved))
            await _read_back(stage, order_id)
            stack.shop().edit_line(order_id, stack.shop().order(order_id).lines[0].id, quantity=7)
            if cancelled:
                stack.shop().set_status(order_id, statuses.CANCELLED)
            await stage.reviewed(order_id)
            await stage.save(name, order_flow(order_id), run=0)


async def _read_back(stage: Stage, order_id: int) -> None:
    """As a recovery leaves the order's journal."""
    mine = postings.c.document_id == str(order_id)
    known = update(postings).where(mine).values(fingerprint="", recovered_at=datetime.now(UTC))

    def unit(connection: Connection) -> None:
        connection.execute(known)

    await stage.stack.parts.store._database.write(unit)
