"""Scenes of orders that change after they were posted: edited, taken back, settled by hand."""

from datetime import UTC, datetime
from typing import Any

from replay.order_scenes import Open, restaged
from replay.stage import Stage, groups_flow, order_flow, patched
from support.stack import eventually, journals_of

from contracts.flow import State
from contracts.steps.journals import Staged
from sandbox.bigcommerce import US_SHOP, Shape, draft, statuses
from store.outbox.journals import Journals
from store.rows import PostingState


async def edits(open_stage: Open) -> None:
    """What can happen to the difference that an edit leaves."""
    async with open_stage(imports={"flush_after": 2.0}) as stage:
        stack = stage.stack
        shop = stack.shop()

        async def edit(order_id: int, quantity: int) -> None:
            shop.edit_line(order_id, shop.order(order_id).lines[0].id, quantity=quantity)
            await stack.announce(order_id)

        order_id = await stage.posted()
        quantity = shop.order(order_id).lines[0].item.quantity
        await edit(order_id, quantity + 1)
        await stack.in_state(order_id, State.WAITING_IMPORT)
        await edit(order_id, quantity)
        await stack.result(order_id)
        await stage.save("order-edit-taken-back", order_flow(order_id))
        await stage.closed(groups_flow())

        held = stack.fusion.hooks.hold("answering", method="POST", path="/erpintegrations")
        await edit(order_id, quantity + 2)
        await held.reached()
        await edit(order_id, quantity)
        await restaged(stage, order_id)
        held.release()
        assert (await stack.result(order_id)).state is State.POSTED
        await stage.save("order-edit-taken-back-in-group", order_flow(order_id))
        await stage.closed(groups_flow())

        stage_journal = Journals.stage
        overtaken = iter([Staged(outcome="edited_after_posting", reference="another")])

        async def overtake(self: Journals, *given: Any, **more: Any) -> Staged:
            """Another run of the order has come further meanwhile."""
            return next(overtaken, None) or await stage_journal(self, *given, **more)

        with patched(Journals, stage=overtake):
            await edit(order_id, quantity + 4)
            assert (await stack.result(order_id)).state is State.POSTED
        await stage.save("order-difference-overtaken", order_flow(order_id))


async def unposted(open_stage: Open) -> None:
    """What can happen while an order's journal is imported and not posted yet.

    Of a run that began before it said that it waits there is a history as well, `order-changed-while-unposted`.
    """
    async with open_stage(imports={"flush_after": 0.2}) as stage:
        stack, shop = stage.stack, stage.stack.shop()
        books = stack.fusion.books
        stack.fusion.world.habits.autopost = False
        order_id = shop.place(draft(Shape.ORDINARY, US_SHOP, seed=7)).id
        await stack.announce(order_id)
        await eventually(lambda: _imported(stage, order_id), "the sale is imported and not posted yet")
        quantity = shop.order(order_id).lines[0].item.quantity

        async def edit(wanted: int) -> None:
            shop.edit_line(order_id, shop.order(order_id).lines[0].id, quantity=wanted)
            await stack.announce(order_id)

        held = stack.fusion.hooks.hold("answering", method="POST", path="/erpintegrations")
        await edit(quantity + 1)
        await held.reached()
        await edit(quantity)
        await eventually(lambda: _fetches(stage, order_id, 3), "the edit that was taken back was looked at")
        held.release()
        await eventually(lambda: len(journals_of(stack.fusion, order_id)) == 2, "the difference is imported")
        for journal in journals_of(stack.fusion, order_id):
            books.post(journal.batch, datetime.now(UTC), 1)
        stack.fusion.world.habits.autopost = True
        assert (await stack.result(order_id)).state is State.POSTED
        await stage.save("order-edit-taken-back-in-group-while-unposted", order_flow(order_id))
        await stage.closed(groups_flow())

        stack.fusion.world.habits.autopost = False
        await edit(quantity + 2)
        await eventually(lambda: _imported(stage, order_id), "the difference is imported and not posted yet")
        shop.touch(order_id)
        await stack.announce(order_id)
        await eventually(lambda: _fetches(stage, order_id, 2), "the order was looked at again")
        for journal in journals_of(stack.fusion, order_id):
            books.post(journal.batch, datetime.now(UTC), 1)
        assert (await stack.result(order_id)).state is State.POSTED
        await stage.save("order-waits-to-be-posted", order_flow(order_id))


async def settled_by_hand(open_stage: Open) -> None:
    """An order that comes back after a person has settled its cancellation."""
    async with open_stage() as stage:
        stack, shop = stage.stack, stage.stack.shop()
        order_id = await stage.posted()
        await stage.closed(groups_flow())
        account = journals_of(stack.fusion, order_id)[0].lines[0].account
        stack.fusion.set_account(account, import_refuses="EF03")
        shop.set_status(order_id, statuses.CANCELLED)
        await stage.reviewed(order_id)
        stack.fusion.set_account(account, import_refuses=None)
        await stage.decide(order_flow(order_id), "skip")
        await stack.result(order_id)
        shop.set_status(order_id, statuses.AWAITING_FULFILLMENT)
        await stage.reviewed(order_id)
        await stage.save("order-settled-by-hand", order_flow(order_id), run=0)


async def _fetches(stage: Stage, order_id: int, times: int) -> bool:
    """Whether the newest run has asked so often for the order, and has gone on with what it read."""
    history = await stage.stack.temporal.get_workflow_handle(order_flow(order_id)).fetch_history()
    asked = [
        one.event_id
        for one in history.events
        if one.activity_task_scheduled_event_attributes.activity_type.name == "fetch_order"
    ]
    markers = [one.event_id for one in history.events if one.HasField("marker_recorded_event_attributes")]
    return len(asked) >= times and markers[-1] > asked[-1]


async def _imported(stage: Stage, order_id: int) -> bool:
    postings = await stage.stack.parts.store.journals.postings_of("bc-us", "order", str(order_id))
    return any(one.state is PostingState.IMPORTED for one in postings)
