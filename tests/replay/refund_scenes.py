"""Scenes of refunds: posted, waiting for their order or a payment, left out, in review, and every step that fails."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from replay.import_scenes import IMPORT
from replay.order_scenes import POUNDS, STORES, Open
from replay.recovery_scenes import SENTENCE
from replay.stage import Stage, groups_flow, patched, with_integration
from support.refunds import announce_refund, refund_flow, refund_in_state, refund_result
from support.stack import eventually

import activities.epochs
import activities.journals.closing
import activities.refunds.mapping
import activities.refunds.standing
import activities.trail
from activities.epochs import EpochGuard
from activities.failures import review
from contracts.configuration import Configuration
from contracts.flow import State
from contracts.journal import Problem
from contracts.steps.documents import Mapped
from sandbox.bigcommerce import Returned, Shape, draft, statuses
from sandbox.fusion.demo_world import US_LEDGER
from sandbox.fusion.world import Rate
from sandbox.kit import Exchange
from store.turns import Turn


async def refunds(open_stage: Open) -> None:
    """Posted, settled, before its order, declined, and left out."""
    async with open_stage(imports={"reread_after": 2.0}) as stage:
        stack, shop = stage.stack, stage.stack.shop()
        order_id = await stage.posted()
        refund = shop.refund(order_id, everything=True)
        for name in ("refund-posted", "refund-settled"):
            await announce_refund(stack, refund.id)
            assert (await refund_result(stack, refund.id)).state is State.POSTED
            await stage.save(name, refund_flow(refund.id))

        early = shop.refund(stage.place(seed=1), everything=True)
        await announce_refund(stack, early.id)
        assert (await refund_result(stack, early.id)).state is State.POSTED
        await stage.save("refund-before-its-order", refund_flow(early.id))

        async def tell_nobody(*given: Any, **more: Any) -> None:
            """As if Temporal could not be reached."""

        untold = shop.refund(stage.place(seed=4), everything=True)
        with (
            patched(activities.trail, wake_refunds=tell_nobody),
            patched(activities.journals.closing, wake_refunds=tell_nobody),
        ):
            await announce_refund(stack, untold.id)
            assert (await refund_result(stack, untold.id)).state is State.POSTED
        await stage.save("refund-untold", refund_flow(untold.id))

        declined = shop.refund(await stage.posted(seed=2), everything=True, declined=True)
        await announce_refund(stack, declined.id)
        await refund_in_state(stack, declined.id, State.RUNNING, "declined")
        shop.repeat_refund(declined.id)
        assert (await refund_result(stack, declined.id)).state is State.POSTED
        await stage.save("refund-declined", refund_flow(declined.id))

        cancelled = stage.place(seed=3)
        left_out = shop.refund(cancelled, everything=True)
        shop.set_status(cancelled, statuses.CANCELLED)
        await announce_refund(stack, left_out.id)
        assert (await refund_result(stack, left_out.id)).state is State.SKIPPED
        await stage.save("refund-left-out", refund_flow(left_out.id))


async def refund_reviews(open_stage: Open) -> None:
    """What brings a refund into review, and steps that cannot be done."""

    def impossible(*given: Any, **more: Any) -> Any:
        raise review(Problem(code="impossible", sentence="This cannot be done.", remedy="Report it."))

    async with open_stage() as stage:
        stack, shop = stage.stack, stage.stack.shop()
        order_id = await stage.posted()
        total = shop.truth()[order_id].total
        over = shop.refund(
            order_id, items=[Returned("ORDER", order_id, amount=total + 5)], override=(total + 5, Decimal(0)), over=True
        )
        await announce_refund(stack, over.id)
        await stage.parked(refund_flow(over.id))
        await stage.save("refund-over", refund_flow(over.id), run=0)
        await stage.decide(refund_flow(over.id), "skip")
        assert (await refund_result(stack, over.id)).state is State.SKIPPED
        await stage.save("refund-review-skipped", refund_flow(over.id))

        refused = shop.refund(await stage.posted(seed=1), everything=True)
        stack.shops.faults.set("error", path=rf"/refunds/{refused.id}$", status=400, count=1)
        await announce_refund(stack, refused.id)
        await stage.parked(refund_flow(refused.id))
        await stage.save("refund-fetch-refused", refund_flow(refused.id), run=0)

        for name, where, step in (
            ("refund-order-unknown", activities.refunds.standing, {"left_out": impossible}),
            ("refund-not-mapped", activities.refunds.mapping, {"to_refund_journal": impossible}),
        ):
            order_id = await stage.posted(seed=2) if name == "refund-not-mapped" else stage.place(seed=3)
            refund = shop.refund(order_id, everything=True)
            with patched(where, **step):
                await announce_refund(stack, refund.id)
                await stage.parked(refund_flow(refund.id))
            await stage.save(name, refund_flow(refund.id), run=0)


async def refund_declined_late(open_stage: Open) -> None:
    """Its payment is declined after it was posted."""
    async with open_stage() as stage:
        stack, shop = stage.stack, stage.stack.shop()
        refund = shop.refund(await stage.posted(), everything=True)
        await announce_refund(stack, refund.id)
        assert (await refund_result(stack, refund.id)).state is State.POSTED
        shop.decline_refund(refund.id)
        await announce_refund(stack, refund.id)
        await stage.parked(refund_flow(refund.id))
        await stage.save("refund-declined-late", refund_flow(refund.id), run=0)


async def refund_turns(open_stage: Open) -> None:
    """The server's clock went back: a later step of the refund is on record, so this one waits for its turn."""
    async with open_stage() as stage:
        stack = stage.stack
        refund = stack.shop().refund(stage.place(), everything=True)
        later = datetime.now(UTC) + timedelta(seconds=8)
        turn = Turn(connection="bc-us", kind="refund", document_id=str(refund.id), at=later)
        await stack.parts.store.journals.withdraw("nothing yet", turn=turn)
        await announce_refund(stack, refund.id)
        assert (await refund_result(stack, refund.id)).state is State.POSTED
        await stage.save("refund-late", refund_flow(refund.id))


async def refund_rates(open_stage: Open) -> None:
    """A refund in a currency for which Fusion has no rate on its day yet."""

    def in_pounds(configuration: Configuration) -> Configuration:
        integration = configuration.integration("shop-us")
        books = integration.books[0].model_copy(update={"currency": "GBP", "conversion_type": "Corporate"})
        return with_integration(configuration, "shop-us", books=(*integration.books, books))

    async with open_stage(stores=STORES, adjust=in_pounds) as stage:
        stack = stage.stack
        order_id = await stage.posted(draft(Shape.ORDINARY, POUNDS, currency="GBP"))
        known: list[Rate] = list(stack.fusion.world.rates)
        stack.fusion.world.rates.clear()
        stack.parts.facts._entries.clear()
        refund = stack.shop().refund(order_id, everything=True)
        await announce_refund(stack, refund.id)
        await refund_in_state(stack, refund.id, State.RUNNING, "rate")
        stack.fusion.world.rates.extend(known)
        await announce_refund(stack, refund.id)
        assert (await refund_result(stack, refund.id)).state is State.POSTED
        await stage.save("refund-rate-arrives", refund_flow(refund.id))


async def refund_behind(open_stage: Open) -> None:
    """The store is behind when the refund is to be staged, and it is announced once more meanwhile."""
    told: list[int] = []
    behind = False

    async def ask(guard: EpochGuard, seen: int = 0, *, at_most: float = activities.epochs.REMEMBERED_FOR) -> str:
        if behind:
            told.append(seen)
        return SENTENCE if behind else ""

    with patched(EpochGuard, behind=ask), patched(activities.epochs, REST=timedelta(seconds=30)):
        async with open_stage() as stage:
            stack = stage.stack
            refund = stack.shop().refund(await stage.posted(), everything=True)
            await stage.closed(groups_flow())
            behind = True
            await announce_refund(stack, refund.id)
            await eventually(lambda: told, "staging was told that the store is behind")
            await refund_in_state(stack, refund.id, State.RUNNING, SENTENCE)
            behind = False
            await announce_refund(stack, refund.id)
            assert (await refund_result(stack, refund.id)).state is State.POSTED
            await stage.save("refund-behind", refund_flow(refund.id))


async def refund_periods(open_stage: Open) -> None:
    """The period closes between lookup and import."""

    def patient(configuration: Configuration) -> Configuration:
        posting = configuration.integration("shop-us").posting.model_copy(update={"late_days": 120})
        return with_integration(configuration, "shop-us", posting=posting)

    async with open_stage(adjust=patient) as stage:
        stack = stage.stack
        ledger = stack.fusion.world.ledger(US_LEDGER)
        today = stack.shop().now().date()
        coming = [one.name for one in ledger.periods if one.ends >= today and not one.adjustment][:4]
        for period in coming:
            stack.fusion.set_period(US_LEDGER, period, "O")
        refund = stack.shop().refund(await stage.posted(), everything=True)

        async def close_one(exchange: Exchange) -> None:
            stack.fusion.set_period(US_LEDGER, coming[0], "C")

        stack.fusion.hooks.on("received", close_one, body="importBulkData", times=1, **IMPORT)
        await announce_refund(stack, refund.id)
        assert (await refund_result(stack, refund.id)).state is State.POSTED
        await stage.save("refund-period-closed", refund_flow(refund.id))


async def refund_unwanted(open_stage: Open) -> None:
    """There is nothing to take back any more while its journal is in an import: what is there stays."""

    def nothing(*given: Any, **more: Any) -> Mapped:
        return Mapped(skipped="nothing to take back")

    async with open_stage() as stage:
        stack = stage.stack
        refund = stack.shop().refund(await stage.posted(), everything=True)
        await stage.closed(groups_flow())
        gate = stack.fusion.hooks.hold("answering", method="POST", path="/erpintegrations")
        await announce_refund(stack, refund.id)
        await gate.reached()
        with patched(activities.refunds.mapping, to_refund_journal=nothing):
            await announce_refund(stack, refund.id)
            await _settled_in_vain(stage, refund_flow(refund.id))
        gate.release()
        assert (await refund_result(stack, refund.id)).state is State.POSTED
        await stage.save("refund-unwanted", refund_flow(refund.id))


async def _settled_in_vain(stage: Stage, workflow_id: str) -> None:
    """Waits until the run has fetched twice and gone on from there."""

    async def there() -> bool:
        history = await stage.stack.temporal.get_workflow_handle(workflow_id).fetch_history()
        fetched = [one.event_id for one in history.events if one.HasField("activity_task_completed_event_attributes")]
        markers = [one.event_id for one in history.events if one.HasField("marker_recorded_event_attributes")]
        return len(fetched) > 1 and len([one for one in markers if one > fetched[-1]]) > 3

    await eventually(there, f"{workflow_id} has been told that its journal is on its way")
