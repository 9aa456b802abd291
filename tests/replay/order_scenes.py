"""Scenes of single orders: posted, skipped, changed at every moment, in review and out of it."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
from replay.stage import SECOND, Stage, groups_flow, order_flow, patched, shortened, with_integration
from support.fusion_pod import Pod, sale
from support.stack import eventually
from temporalio.client import WorkflowUpdateFailedError

import activities.journals.posted
import activities.orders.mapping
import workflows.document_steps
import workflows.journal_import
import workflows.review
from activities.failures import review
from activities.journals.closing import ClosingActivities
from contracts import names
from contracts.configuration import Configuration, MappingSet, Rule
from contracts.flow import PollInput, State
from contracts.journal import Problem
from contracts.steps.orders import Polled
from sandbox.bigcommerce import EU_SHOP, US_SHOP, Shape, StoreSettings, draft, statuses
from sandbox.fusion.world import Rate
from store.outbox.journals import Journals
from store.turns import Turn
from workflows.patience import VENDOR_STEP, VERIFICATION

Open = Callable[..., AbstractAsyncContextManager[Stage]]

POUNDS = replace(US_SHOP, exchange_rates=(("GBP", Decimal("0.8")),))
STORES = (
    StoreSettings(POUNDS, requests_per_window=100_000),
    StoreSettings(EU_SHOP, requests_per_window=100_000),
)
ANTIQUES = {"categories": ["Antiques"]}


async def everyday(open_stage: Open) -> None:
    """Posted, settled, skipped, polled, edited after posting."""
    async with open_stage(stores=STORES) as stage:
        stack = stage.stack
        first = await stage.posted()
        await stage.save("order-posted-cold", order_flow(first))
        await stage.closed(await stage.import_of(first))
        await stage.save("import-posted", await stage.import_of(first))
        await stage.closed(groups_flow())
        await stage.save("groups-one", groups_flow())

        second = await stage.posted(seed=1)
        await stage.save("order-posted-warm", order_flow(second))

        stack.shop().ship(first)
        await stack.announce(first)
        await stack.result(first)
        await stage.save("order-settled", order_flow(first))

        pending = stage.place(seed=2, status_id=statuses.PENDING)
        await stack.announce(pending)
        await stack.result(pending)
        await stage.save("order-skipped", order_flow(pending))

        gate = stack.shops.hooks.hold("received", path=rf"/orders/{pending}$")
        await stack.announce(pending)
        await gate.reached()
        stack.shop().touch(pending)
        await stack.announce(pending)
        gate.release()
        await stack.result(pending)
        await stage.save("order-changed-while-fetching", order_flow(pending))

        line = stack.shop().order(second).lines[0]
        stack.shop().edit_line(second, line.id, quantity=7)
        await stack.announce(second)
        assert (await stack.result(second)).state is State.POSTED
        await stage.save("order-edited-after-posting", order_flow(second))

        for flow, name in ((names.POLL_ORDERS, "poll-orders"), (names.SWEEP_ORDERS, "sweep-orders")):
            poll = PollInput(connection="bc-us", days=7 if flow == names.SWEEP_ORDERS else None)
            handle = await stack.temporal.start_workflow(
                flow, poll, id=name, task_queue=names.WORKFLOW_QUEUE, result_type=Polled
            )
            assert (await handle.result()).seen == 3
            await stage.save(name, name)


async def reviews(open_stage: Open) -> None:
    """Everything that brings an order into review before it is staged, and every way out."""
    async with open_stage(stores=STORES) as stage:
        stack = stage.stack
        refused = stage.place(seed=5)
        stack.fusion.faults.set("error", path="/ledgersLOV", status=400, count=1)
        await stage.reviewed(refused)
        await stage.save("order-lookup-refused", order_flow(refused), run=0)

        await booked_by_hand(stage, "By hand")

        gone = stage.place(seed=6)
        stack.shops.faults.set("error", path=rf"/orders/{gone}$", status=400, count=1)
        await stage.reviewed(gone)
        await stage.save("order-fetch-refused", order_flow(gone), run=0)

        outage = stage.place(seed=8)
        lasting = stack.shops.faults.set("outage", path=rf"/orders/{outage}$")
        with shortened(VENDOR_STEP, schedule_to_close_timeout=2 * SECOND):
            await stage.reviewed(outage)
        lasting.count = 0
        await stage.save("order-outage-too-long", order_flow(outage), run=0)

        pounds = stage.place(draft(Shape.ORDINARY, POUNDS, currency="GBP"))
        await stage.reviewed(pounds)
        await stage.save("order-no-books", order_flow(pounds), run=0)

        antiques = [stage.place(draft(Shape.ORDINARY, US_SHOP, seed=seed, **ANTIQUES)) for seed in range(5)]
        for order_id in antiques:
            await stage.reviewed(order_id)
        skipped, mapped, marked, changed, renewed = antiques
        await stage.save("order-unmapped", order_flow(skipped), run=0)

        await stage.decide(order_flow(skipped), "skip")
        await stack.result(skipped)
        await stage.save("order-review-skipped", order_flow(skipped))

        configured = stack.configuration.mapping_set("retail")
        antique = Rule(id="antiques", purpose="revenue", account="*-110-41900-0000")
        later = MappingSet.model_validate(
            configured.model_dump() | {"version": 2, "rules": [*configured.model_dump()["rules"], antique.model_dump()]}
        )
        await stack.parts.store.mapping_sets.register(later)
        await stage.decide(order_flow(mapped), "retry_with_mapping", mapping_version=2)
        assert (await stack.result(mapped)).state is State.POSTED
        await stage.save("order-retried-with-mapping", order_flow(mapped))

        try:
            await stage.decide(order_flow(marked), "mark_posted", target_id="No such batch")
        except WorkflowUpdateFailedError:
            await stage.decide(order_flow(marked), "mark_posted", target_id="By hand", id="second")
        await stack.result(marked)
        await stage.save("order-marked-posted", order_flow(marked))

        stack.shop().set_status(changed, statuses.CANCELLED)
        await stack.announce(changed)
        await stack.result(changed)
        await stage.save("order-changed-in-review", order_flow(changed))

        with patched(workflows.review, RENEWAL=2 * SECOND):
            other = stage.place(draft(Shape.ORDINARY, US_SHOP, seed=9, **ANTIQUES))
            await stage.reviewed(other)
            await stage.parked(order_flow(other), renewals=1)
        await stage.save("order-review-renewed", order_flow(other), run=1)

        stack.shop().touch(renewed)
        await stack.announce(renewed)
        await fetched(stage, order_flow(renewed), 1)
        await stage.decide(order_flow(renewed), "skip")
        await stack.result(renewed)
        await stage.save("order-stray-webhook", order_flow(renewed))


async def changes_in_review(open_stage: Open) -> None:
    """Changes and decisions that meet each other on the way into review and in it."""
    async with open_stage() as stage:
        stack = stage.stack
        basket = draft(Shape.ORDINARY, US_SHOP, categories=["Antiques"])

        changed = stage.place(basket)
        gate = stack.shops.hooks.hold("received", path=rf"/orders/{changed}$")
        await stack.announce(changed)
        await gate.reached()
        await stack.announce(changed)
        gate.release()
        await stage.reviewed(changed, announce=False)
        await stage.save("order-changed-while-refused", order_flow(changed), run=0)

        gate = stack.shops.hooks.hold("received", path=rf"/orders/{changed}$")
        stack.shop().touch(changed)
        await stack.announce(changed)
        await gate.reached()
        await stage.decide(order_flow(changed), "skip")
        gate.release()
        await stack.result(changed)
        await stage.save("order-decided-while-looking", order_flow(changed))

        await booked_by_hand(stage, "By hand")
        edited = stage.place(basket)
        await stage.reviewed(edited)
        outage = stack.fusion.faults.set("outage")
        with shortened(VERIFICATION, schedule_to_close_timeout=2 * SECOND), suppress(WorkflowUpdateFailedError):
            await stage.decide(order_flow(edited), "mark_posted", target_id="By hand", id="in-vain")
        outage.count = 0
        gate = stack.fusion.hooks.hold("received", method="GET", path="/journalBatches")
        marking = asyncio.create_task(stage.decide(order_flow(edited), "mark_posted", target_id="By hand", id="later"))
        await gate.reached()
        stack.shop().edit_line(edited, stack.shop().order(edited).lines[0].id, quantity=8)
        await stack.announce(edited)
        gate.release()
        await marking
        await stage.parked(order_flow(edited), renewals=1)
        await stage.save("order-changed-while-verified", order_flow(edited), run=1)

        unreadable = stage.place(basket)
        await stage.reviewed(unreadable)
        stack.shops.faults.set("error", path=rf"/orders/{unreadable}$", status=400, count=1)
        await stack.announce(unreadable)
        await _failed(stage, order_flow(unreadable))
        await stage.decide(order_flow(unreadable), "skip")
        await stack.result(unreadable)
        await stage.save("order-unreadable-in-review", order_flow(unreadable))

        posted = await stage.posted()
        stack.shop().edit_line(posted, stack.shop().order(posted).lines[0].id, quantity=8)
        stack.shop().set_status(posted, statuses.CANCELLED)
        await stack.announce(posted)
        assert (await stack.result(posted)).state is State.REVERSED
        await stage.save("order-cancelled-after-posting", order_flow(posted))

        sent = stage.place(seed=1)
        held = stack.fusion.hooks.hold("answering", method="POST", path="/erpintegrations")
        await stack.announce(sent)
        await held.reached()
        stack.shops.faults.set("error", path=rf"/orders/{sent}$", status=400, count=1)
        await stage.reviewed(sent)
        try:
            await stage.decide(order_flow(sent), "skip")
        except WorkflowUpdateFailedError:
            held.release()
        await stage.decide(order_flow(sent), "retry")
        assert (await stack.result(sent)).state is State.POSTED
        await stage.save("order-skip-refused", order_flow(sent))


async def mistakes(open_stage: Open) -> None:
    """Steps on our own side that cannot be done."""

    def impossible(*given: Any, **more: Any) -> Any:
        raise review(Problem(code="impossible", sentence="This cannot be done.", remedy="Report it."))

    async def never(self: Journals, *given: Any, **more: Any) -> Any:
        impossible()

    async with open_stage() as stage:
        for name, where, step in (
            ("order-not-mapped", activities.orders.mapping, {"to_journal": impossible}),
            ("order-not-staged", Journals, {"stage": never}),
        ):
            with patched(where, **step):
                order_id = stage.place()
                await stage.reviewed(order_id)
            await stage.save(name, order_flow(order_id), run=0)


async def turns(open_stage: Open) -> None:
    """The server's clock went back: a later step of the document is on record, so this one waits for its turn."""
    async with open_stage() as stage:
        for name, how in (("order-staged-late", {}), ("order-settled-late", {"status_id": statuses.PENDING})):
            order_id = stage.place(**how)
            later = datetime.now(UTC) + timedelta(seconds=5)
            turn = Turn(connection="bc-us", kind="order", document_id=str(order_id), at=later)
            await stage.stack.parts.store.journals.withdraw("nothing yet", turn=turn)
            await stage.stack.announce(order_id)
            await stage.stack.result(order_id)
            await stage.save(name, order_flow(order_id))


async def _failed(stage: Stage, workflow_id: str) -> None:
    """Waits until an activity of the newest run has failed for good."""

    async def failed() -> bool:
        history = await stage.stack.temporal.get_workflow_handle(workflow_id).fetch_history()
        return any(one.HasField("activity_task_failed_event_attributes") for one in history.events)

    await eventually(failed, f"a step of {workflow_id} has failed")


async def booked_by_hand(stage: Stage, batch: str) -> None:
    """A journal of ten dollars that a person imported."""
    stack = stage.stack
    async with httpx.AsyncClient(base_url=stack.fusion_listener.url) as http:
        pod = Pod(stack.fusion, http)
        await pod.sign_in()
        await pod.run(sale("by-hand", "10.00", day=stack.shop().now().date(), batch=batch, group="7"), group="7")


async def waiting(open_stage: Open) -> None:
    """What can happen to an order between staging and the ledger."""
    async with open_stage(imports={"flush_after": 4.0, "reread_after": 1.0}) as stage:
        stack = stage.stack
        changed, withdrawn = stage.place(), stage.place(seed=1)
        for order_id in (changed, withdrawn):
            await stack.announce(order_id)
            await stack.in_state(order_id, State.WAITING_IMPORT)
        line = stack.shop().order(changed).lines[0]
        stack.shop().edit_line(changed, line.id, quantity=5)
        stack.shop().set_status(withdrawn, statuses.CANCELLED)
        await stack.announce(changed)
        await stack.announce(withdrawn)
        assert (await stack.result(withdrawn)).state is State.SKIPPED
        await stage.save("order-withdrawn", order_flow(withdrawn))
        assert (await stack.result(changed)).state is State.POSTED
        await stage.save("order-changed-while-waiting", order_flow(changed))
        await stage.closed(groups_flow())

        async def silent(self: ClosingActivities, workflow_id: str, fate: Any) -> None:
            """The signal is lost."""

        with patched(ClosingActivities, _signal=silent):
            reread = await stage.posted(seed=2)
        await stage.save("order-reread", order_flow(reread))
        await stage.closed(groups_flow())

        edited, cancelled = stage.place(seed=3), stage.place(seed=4)
        gate = stack.fusion.hooks.hold("answering", method="POST", path="/erpintegrations")
        await stack.announce(edited)
        await stack.announce(cancelled)
        await gate.reached()
        line = stack.shop().order(edited).lines[0]
        stack.shop().edit_line(edited, line.id, quantity=9)
        stack.shop().set_status(cancelled, statuses.CANCELLED)
        await stack.announce(edited)
        await stack.announce(cancelled)
        await restaged(stage, edited)
        await restaged(stage, cancelled)
        gate.release()
        assert (await stack.result(edited)).state is State.POSTED
        await stage.save("order-edited-in-group", order_flow(edited))
        assert (await stack.result(cancelled)).state is State.REVERSED
        await stage.save("order-cancelled-in-group", order_flow(cancelled))


async def restaged(stage: Stage, order_id: int) -> None:
    """Waits until the order was read twice and its newest version has gone through staging."""
    events = await fetched(stage, order_flow(order_id), 2)

    async def staged() -> bool:
        history = await stage.stack.temporal.get_workflow_handle(order_flow(order_id)).fetch_history()
        markers = [one.event_id for one in history.events if one.HasField("marker_recorded_event_attributes")]
        return bool(markers) and markers[-1] > events[-1]

    await eventually(staged, f"order {order_id} is staged again")


async def fetched(stage: Stage, workflow_id: str, times: int) -> list[int]:
    """Waits until the newest run has finished that many activities; gives their event ids."""

    async def read() -> list[int]:
        history = await stage.stack.temporal.get_workflow_handle(workflow_id).fetch_history()
        done = [one.event_id for one in history.events if one.HasField("activity_task_completed_event_attributes")]
        return done if len(done) >= times else []

    found: list[int] = await eventually(read, f"{workflow_id} has finished {times} activities")
    return found


def in_pounds(configuration: Configuration, rate_wait: float) -> Configuration:
    integration = configuration.integration("shop-us")
    books = integration.books[0].model_copy(update={"currency": "GBP", "conversion_type": "Corporate"})
    posting = integration.posting.model_copy(update={"rate_wait": rate_wait})
    return with_integration(configuration, "shop-us", books=(*integration.books, books), posting=posting)


async def rates(open_stage: Open) -> None:
    """A sale in a currency for which Fusion has no rate yet."""
    pounds = draft(Shape.ORDINARY, POUNDS, currency="GBP")
    async with open_stage(stores=STORES, adjust=lambda known: in_pounds(known, 24.0)) as stage:
        stack = stage.stack
        known: list[Rate] = list(stack.fusion.world.rates)
        stack.fusion.world.rates.clear()
        arrives = stage.place(pounds)
        await stack.announce(arrives)

        async def waits() -> bool:
            return "rate" in (await stack.state(arrives)).sentence

        await eventually(waits, "the order waits for a rate")
        stack.fusion.world.rates.extend(known)
        await stack.announce(arrives)
        assert (await stack.result(arrives)).state is State.POSTED
        await stage.save("order-rate-arrives", order_flow(arrives))
    async with open_stage(stores=STORES, adjust=lambda known: in_pounds(known, 2 / 3600)) as stage:
        stage.stack.fusion.world.rates.clear()
        missing = stage.place(pounds)
        await stage.reviewed(missing)
        await stage.save("order-rate-missing", order_flow(missing), run=0)


async def resets(open_stage: Open) -> None:
    """A person resets a run, as one does in the Temporal UI."""
    async with open_stage() as stage:
        order_id = await stage.posted()
        await stage.reset(order_flow(order_id), 4 + _first_task(await stage.runs(order_flow(order_id))))
        await stage.stack.result(order_id)
        await stage.save("order-reset", order_flow(order_id))
    async with open_stage(imports={"reread_after": 1.0}) as stage:
        order_id = await stage.posted()
        history = (await stage.runs(order_flow(order_id)))[0]
        staged = next(
            event.event_id
            for event in reversed(history.events)
            if event.HasField("workflow_task_completed_event_attributes")
            and event.event_id < _last_signal(history.events)
        )
        await stage.reset(order_flow(order_id), staged, leave_signals=True)
        await stage.stack.result(order_id)
        await stage.save("order-reset-waiting", order_flow(order_id))


def _first_task(runs: list[Any]) -> int:
    """How far the first finished workflow task is from event 4."""
    first = next(
        event.event_id for event in runs[0].events if event.HasField("workflow_task_completed_event_attributes")
    )
    return int(first) - 4


def _last_signal(events: Any) -> int:
    return max(
        int(event.event_id) for event in events if event.HasField("workflow_execution_signaled_event_attributes")
    )


async def long_waits(open_stage: Open) -> None:
    """As `long_histories`: a wait for something that is missing for longer than a history should become."""
    async with open_stage(stores=STORES, adjust=lambda known: in_pounds(known, 4 / 3600)) as stage:
        stage.stack.fusion.world.rates.clear()
        with patched(workflows.document_steps, LOOK_UP_AGAIN=SECOND):
            order_id = stage.place(draft(Shape.ORDINARY, POUNDS, currency="GBP"))
            # Patience ends although no run has waited for that long.
            await stage.reviewed(order_id)
        await stage.save("order-rate-continued", order_flow(order_id), run=0)


async def long_histories(open_stage: Open) -> None:
    """On a server that suggests to continue as new after a few events."""
    async with open_stage(imports={"flush_after": 1.5}) as stage:
        stack = stage.stack
        order_id = stage.place()
        await stack.announce(order_id)
        await stack.in_state(order_id, State.WAITING_IMPORT)
        stack.shop().edit_line(order_id, stack.shop().order(order_id).lines[0].id, quantity=4)
        await stack.announce(order_id)
        assert (await stack.result(order_id)).state is State.POSTED
        await stage.save("order-continued", order_flow(order_id), run=0)
        await stage.closed(groups_flow())
        await stage.save("groups-continued", groups_flow(), run=0)

        stack.fusion.world.habits.autopost_delay = 6.0
        with (
            patched(activities.journals.posted, PATIENCE=0.3),
            patched(workflows.journal_import, UNPOSTED_PAUSE=SECOND),
        ):
            followed = await stage.import_of(await stage.posted(seed=1))
            await stage.closed(followed)
        await stage.save("import-continued", followed, run=0)
        await stage.save("import-following", followed)
