"""Scenes of journal groups and their imports: refused, in doubt, unknown, unposted."""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta

from replay.order_scenes import Open
from replay.stage import SECOND, Stage, before, groups_flow, order_flow, patched, with_integration
from support.stack import Stack, eventually
from temporalio import workflow

import activities.journals.outcome
import activities.journals.posted
import workflows.journal_groups
import workflows.journal_import
import workflows.review
from contracts.configuration import Configuration
from contracts.flow import State
from sandbox.bigcommerce import US_SHOP, Shape, draft
from sandbox.fusion.demo_world import US_LEDGER
from sandbox.kit import Exchange
from workflows.journal_import import JournalImport

CLEARANCE = "101-120-41400-1000"
IMPORT = {"method": "POST", "path": "/erpintegrations"}


def clearance(stage: Stage, seed: int = 0) -> int:
    return stage.place(draft(Shape.ORDINARY, US_SHOP, seed=seed, categories=["Clearance"]))


async def refusals(open_stage: Open) -> None:
    """One bad journal among good ones."""
    async with open_stage(imports={"flush_after": 1.5}) as stage:
        stack = stage.stack
        stack.fusion.set_account(CLEARANCE, import_refuses="EF03")
        good, bad = [stage.place(seed=seed) for seed in range(2)], clearance(stage)
        for order_id in (*good, bad):
            await stack.announce(order_id)
        await stage.reviewed(bad, announce=False)
        refused = (await stage.imports())[0]
        await stage.save("order-refused", order_flow(bad), run=0)
        for order_id in good:
            assert (await stack.result(order_id)).state is State.POSTED
        await stage.closed(refused)
        await stage.save("import-refused", refused)
        await stage.closed(groups_flow())
        await stage.save("groups-requeued", groups_flow())

        stack.fusion.set_account(CLEARANCE, import_refuses=None)
        await stage.decide(order_flow(bad), "retry")
        assert (await stack.result(bad)).state is State.POSTED
        await stage.save("order-retried", order_flow(bad))


async def several_groups(open_stage: Open) -> None:
    """Full groups do not wait for their age; one import at a time."""
    async with open_stage(imports={"flush_after": 3.0, "flush_count": 2}) as stage:
        orders = [stage.place(seed=seed) for seed in range(5)]
        for order_id in orders:
            await stage.stack.announce(order_id)
        for order_id in orders:
            assert (await stage.stack.result(order_id)).state is State.POSTED
        await stage.closed(groups_flow())
        await stage.save("groups-several", groups_flow())


def name_nobody(stack: Stack) -> Callable[[Exchange], Awaitable[None]]:
    """Reports of imports without the references of journals."""

    async def forget(exchange: Exchange) -> None:
        for request in stack.fusion.requests():
            request.output = re.sub(r"acme/bc-us/order/\d+/sale/1", "?", request.output)

    return forget


async def unexplained(open_stage: Open) -> None:
    """Fusion refuses a group and its report names no journal: the bad one is found by halving."""
    async with open_stage(imports={"flush_after": 1.5}) as stage:
        stack = stage.stack
        stack.fusion.set_account(CLEARANCE, import_refuses="EF03")
        stack.fusion.hooks.on("received", name_nobody(stack), method="GET", path="/erpintegrations", times=None)
        good, bad = stage.place(), clearance(stage)
        await stack.announce(good)
        await stack.announce(bad)
        assert (await stack.result(good)).state is State.POSTED
        await stage.reviewed(bad, announce=False)
        await stage.closed(groups_flow())
        await stage.save("groups-halving", groups_flow())
        await stage.save("import-unexplained", (await stage.imports())[0])


async def late_explanations(open_stage: Open) -> None:
    """The store shows that an import has let go before the import has told what it found out: it is heard out."""
    tell = JournalImport._release

    async def slowly(self: JournalImport, unexplained: int) -> None:
        await workflow.sleep(timedelta(seconds=4))
        await tell(self, unexplained)

    async with open_stage(imports={"flush_after": 1.5}) as stage:
        stack = stage.stack
        stack.fusion.set_account(CLEARANCE, import_refuses="EF03")
        stack.fusion.hooks.on("received", name_nobody(stack), method="GET", path="/erpintegrations", times=None)
        with patched(workflows.journal_groups, LOOK_AGAIN=SECOND), patched(JournalImport, _release=slowly):
            good, bad = stage.place(), clearance(stage)
            await stack.announce(good)
            await stack.announce(bad)
            assert (await stack.result(good)).state is State.POSTED
            await stage.reviewed(bad, announce=False)
            await stage.closed(groups_flow())
        assert len(await stage.imports()) == 3, "both, then each alone"
        await stage.save("groups-heard-out", groups_flow())


async def periods(open_stage: Open) -> None:
    """Periods close between lookup and import."""

    def patient(configuration: Configuration) -> Configuration:
        posting = configuration.integration("shop-us").posting.model_copy(update={"late_days": 120})
        return with_integration(configuration, "shop-us", posting=posting)

    for name, closes in (("order-period-closed", 1), ("order-period-closed-twice", 2)):
        async with open_stage(adjust=patient) as stage:
            stack = stage.stack
            ledger = stack.fusion.world.ledger(US_LEDGER)
            today = stack.shop().now().date()
            coming = [one.name for one in ledger.periods if one.ends >= today and not one.adjustment][:4]
            for period in coming:
                stack.fusion.set_period(US_LEDGER, period, "O")
            left = coming[:closes]

            async def close_one(exchange: Exchange, stage: Stage = stage, left: list[str] = left) -> None:
                stage.stack.fusion.set_period(US_LEDGER, left.pop(0), "C")

            stack.fusion.hooks.on("received", close_one, body="importBulkData", times=closes, **IMPORT)
            order_id = stage.place()
            await stack.announce(order_id)
            if closes == 1:
                assert (await stack.result(order_id)).state is State.POSTED
                await stage.save(name, order_flow(order_id))
            else:
                await stage.reviewed(order_id, announce=False)
                await stage.save(name, order_flow(order_id), run=0)


async def doubts(open_stage: Open) -> None:
    """Sent, and no answer came."""
    async with open_stage() as stage:
        stack = stage.stack
        stack.fusion.faults.set("lost_answer", count=1, **IMPORT)
        lost = await stage.posted()
        await stage.closed(await stage.import_of(lost))
        await stage.save("import-in-doubt", await stage.import_of(lost))
        await stage.closed(groups_flow())

        stack.fusion.faults.set("cut", count=1, **IMPORT)
        absent = stage.place(seed=1)
        await stack.announce(absent)
        unknown = await _import_of(stage, absent)
        await stage.parked(unknown)
        await stage.save("import-unknown", unknown, run=0)
        await stage.closed(groups_flow())
        await stage.save("groups-past-review", groups_flow())
        await stage.decide(unknown, "retry")
        assert (await stack.result(absent)).state is State.POSTED
        await stage.closed(unknown)
        await stage.save("import-declared-absent", unknown)

        stack.fusion.faults.set("delayed_commit", seconds=9.0, options={"answer": "cut"}, count=1, **IMPORT)
        with patched(workflows.review, RENEWAL=2 * SECOND):
            late = stage.place(seed=2)
            await stack.announce(late)
            found = await _import_of(stage, late)
            await stage.parked(found, renewals=1)
        await stage.save("import-review-renewed", found, run=1)
        await eventually(lambda: len(stack.fusion.journals()) == 3, "Fusion has committed after all", patience=30)
        await stage.decide(found, "retry")
        assert (await stack.result(late)).state is State.POSTED
        await stage.closed(found)
        await stage.save("import-found-on-retry", found)


async def _import_of(stage: Stage, order_id: int) -> str:
    async def sealed() -> bool:
        rows = await stage.stack.parts.store.journals.postings_of("bc-us", "order", str(order_id))
        return bool(rows and rows[0].group_id)

    await eventually(sealed, f"order {order_id} is in a group")
    return await stage.import_of(order_id)


async def reviews(open_stage: Open) -> None:
    """A group that cannot go on without a person."""
    for fault, name in (
        ({"kind": "rejected_job", "path": "Import Journals"}, "import-rejected"),
        ({"kind": "no_data", "path": "/journalBatches"}, "import-missing"),
    ):
        async with open_stage() as stage:
            with patched(activities.journals.outcome, PATIENCE=1):
                kind = fault["kind"]
                stage.stack.fusion.faults.set(kind, path=fault["path"])
                order_id = stage.place()
                await stage.stack.announce(order_id)
                parked = await _import_of(stage, order_id)
                await stage.parked(parked)
                await stage.save(name, parked, run=0)
    async with open_stage() as stage:
        stack = stage.stack
        stack.fusion.set_account(CLEARANCE, import_refuses="EF03")
        stack.fusion.faults.set("rejected_job", path="Purge|Delete")
        order_id = clearance(stage)
        await stack.announce(order_id)
        parked = await _import_of(stage, order_id)
        await stage.parked(parked)
        await stage.save("import-purge-refused", parked, run=0)


async def postings(open_stage: Open) -> None:
    """Imported, and posted only later; and nobody who waits for the import."""
    async with open_stage() as stage:
        stack = stage.stack
        stack.fusion.world.habits.autopost_delay = 4.0
        with (
            patched(activities.journals.posted, PATIENCE=0.3),
            patched(workflows.journal_import, UNPOSTED_PAUSE=timedelta(seconds=2)),
        ):
            order_id = await stage.posted()
            followed = await stage.import_of(order_id)
            await stage.closed(followed)
        await stage.save("import-unposted", followed)
        with patched(workflows.journal_import, UNPOSTED_PAUSE=timedelta(seconds=1)):
            order_id = stage.place(seed=1)
            await stack.announce(order_id)

            async def imported() -> bool:
                rows = await stack.parts.store.journals.postings_of("bc-us", "order", str(order_id))
                return bool(rows and rows[0].fate)

            await eventually(imported, "the journal is imported")
            stack.fusion.faults.set("error", path="/journalBatches", status=400, count=1)
            followed = await stage.import_of(order_id)
            await stage.closed(followed)
        await stage.save("import-posting-unreadable", followed)
    async with open_stage() as stage:
        stack = stage.stack
        gate = stack.fusion.hooks.hold("received", **IMPORT)
        order_id = stage.place()
        await stack.announce(order_id)
        await gate.reached()
        await stack.temporal.get_workflow_handle(groups_flow()).terminate("recorded")
        gate.release()
        assert (await stack.result(order_id)).state is State.POSTED
        alone = await stage.import_of(order_id)
        await stage.closed(alone)
        await stage.save("import-released-nobody", alone)


async def slots(open_stage: Open) -> None:
    """The import that a ledger waits for does not let go of it by itself."""
    async with open_stage() as stage:
        stack = stage.stack
        gate = stack.fusion.hooks.hold("answering", path="ESSExecutionDetailsRF|erpintegrations", method="GET")
        with patched(workflows.journal_groups, LOOK_AGAIN=2 * SECOND):
            order_id = stage.place()
            await stack.announce(order_id)
            stopped = await _import_of(stage, order_id)
            await gate.reached()
            await stack.temporal.get_workflow_handle(stopped).terminate("recorded")
            gate.release()
            assert (await stack.result(order_id)).state is State.POSTED
            await stage.closed(groups_flow())
        await stage.save("groups-import-terminated", groups_flow())

        async def silent(self: JournalImport, unexplained: int) -> None:
            """The signal never reaches the one who waits."""

        hurried = {"LOOK_AGAIN": 2 * SECOND, "LOOK_SOON": SECOND}
        with patched(workflows.journal_groups, **hurried), patched(JournalImport, _release=silent):
            await stage.posted(seed=1)
            await stage.closed(groups_flow())
            await stage.save("groups-release-lost", groups_flow())
            with before(workflows.journal_groups.HEARD_OUT):
                await stage.posted(seed=2)
                await stage.closed(groups_flow())
            await stage.save("groups-not-heard-out", groups_flow())
    async with open_stage() as stage:
        stack = stage.stack
        gate = stack.fusion.hooks.hold("answering", path="erpintegrations", method="GET")
        first = stage.place()
        await stack.announce(first)
        await gate.reached()
        await stack.temporal.get_workflow_handle(groups_flow()).terminate("recorded")
        second = stage.place(seed=1)
        await stack.announce(second)
        await stack.in_state(second, State.WAITING_IMPORT)
        await stage.started_anew(groups_flow())
        gate.release()
        for order_id in (first, second):
            assert (await stack.result(order_id)).state is State.POSTED
        await stage.closed(groups_flow())
        await stage.save("groups-reset-during-import", groups_flow())
