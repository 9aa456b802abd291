"""Yesterday's store is restored, every webhook comes again and every poll runs: nothing is posted twice."""

from datetime import timedelta

import pytest
from recovery.conftest import Vintage
from recovery.redelivery import announce_all, poll, says_it_is_behind
from replay.stage import with_shared_flows
from support.proof import (
    booked_once,
    clearance,
    group_in_review,
    no_journal_twice,
    nothing_left,
    ordinary,
    posted,
    sell,
)
from support.stack import Stack, eventually, journals_of
from temporalio.service import RPCError

import activities.journals.posted
import runtime.operations.recovery
import workflows.journal_groups
import workflows.journal_import
from contracts import names
from contracts.flow import FlowState, JournalGroupsInput, OrderToJournalInput, State
from runtime.operations.deciding import group_items
from runtime.operations.reconciled import Verdict
from runtime.operations.reconciliation import reconcile
from runtime.operations.recovery import recover
from runtime.parts import open_parts
from sandbox.bigcommerce import US_SHOP, Shape, draft, statuses
from sandbox.fusion.demo_world import SOURCE, US_LEDGER

FORGOTTEN_POSTING = 600.0
"""Seconds until Fusion posts by itself what was imported, by its own clock: nobody waits for them."""
REST = timedelta(seconds=30)
"""Between two looks at postings: enough for a restore and for what is sold after it, on a slow machine too."""


async def morning_since_backup(vintage: Vintage) -> tuple[list[int], list[int]]:
    """Orders before and after the backup; all are posted, the last group after the backup refused one."""
    stack = vintage.stack
    async with stack.worker():
        before = await sell(stack, *(ordinary(seed) for seed in range(3)))
        await posted(stack, before)
        await vintage.back_up()
        after = await sell(stack, *(ordinary(seed) for seed in range(3, 8)))
        await posted(stack, after)
    return before, after


async def one_since_backup(vintage: Vintage) -> None:
    async with vintage.stack.worker():
        await vintage.back_up()
        await posted(vintage.stack, await sell(vintage.stack, ordinary(3)))


async def test_a_restored_store_posts_nothing_until_it_is_recovered(vintage: Vintage) -> None:
    before, after = await morning_since_backup(vintage)
    journals = len(vintage.stack.fusion.journals())
    async with vintage.restored() as stack, stack.worker():
        await announce_all(stack, before + after)
        await poll(stack)
        await poll(stack, names.SWEEP_ORDERS, days=7)
        new = await sell(stack, ordinary(20))
        for order in (*after, *new):
            await says_it_is_behind(stack, order)
        assert len(stack.fusion.journals()) == journals

        result = await recover(stack.parts, stack.parts.clock() - timedelta(hours=12))
        assert result.done
        assert "restored from a backup" in result.behind
        assert {one.split("/")[3] for one in result.brought_back} == {str(order) for order in after}
        await posted(stack, [*before, *after, *new])
        no_journal_twice(stack)
        nothing_left(stack)
        (books, *_) = await reconcile(stack.parts, [stack.configuration.integrations_of("bc-us")[0]])
        assert books.agrees


async def test_what_was_staged_at_the_time_of_the_backup_is_not_posted_again(vintage: Vintage) -> None:
    stack = vintage.stack
    held = stack.fusion.hooks.hold("received", method="POST", path="/erpintegrations$", body="importBulkData")
    async with stack.worker():
        orders = await sell(stack, *(ordinary(seed) for seed in range(3)))
        await held.reached()
        await vintage.back_up()  # in a group that is being sent
        held.release()
        await posted(stack, orders)
    async with vintage.restored() as restored, restored.worker():
        await announce_all(restored, orders)
        assert (await recover(restored.parts, restored.parts.clock() - timedelta(hours=12))).done
        await posted(restored, orders)
        later = await sell(restored, ordinary(9))
        await posted(restored, later)
        no_journal_twice(restored)
        nothing_left(restored)


async def test_an_import_that_let_go_before_the_restore_does_not_hold_up_its_ledger(
    vintage: Vintage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has told that the next group may go, and rests between looks at its postings: it will not tell again.

    A recovery from too late a moment does not read its journals, so the store still has its group for under way.
    """
    habits = vintage.stack.fusion.world.habits
    soon, habits.autopost_delay = habits.autopost_delay, FORGOTTEN_POSTING
    monkeypatch.setattr(activities.journals.posted, "PATIENCE", 0.1)
    monkeypatch.setattr(workflows.journal_import, "UNPOSTED_PAUSE", REST)
    monkeypatch.setattr(workflows.journal_groups, "LOOK_SOON", timedelta(seconds=2))
    monkeypatch.setattr(runtime.operations.recovery, "CLOCKS_APART", timedelta(0))
    stack = await with_shared_flows(vintage.stack)
    held = stack.fusion.hooks.hold("received", method="POST", path="/erpintegrations$", body="importBulkData")
    async with stack.worker():
        orders = await sell(stack, ordinary(0))
        await held.reached()
        await vintage.back_up()
        held.release()
        (posting,) = await stack.parts.store.journals.postings_of("bc-us", "order", str(orders[0]))
        group_id = posting.group_id or 0
        old = names.journal_import_id("fusion", US_LEDGER, group_id)

        async def rests() -> bool:
            return "not posted yet" in (await stack.asked(old, FlowState)).sentence

        await eventually(rests, "it waits for its postings")
    habits.autopost_delay = soon
    async with vintage.restored() as empty:
        restored = await with_shared_flows(empty)
        async with restored.worker():
            result = await recover(restored.parts, restored.parts.clock() + timedelta(minutes=1))
            assert (result.done, result.read) == (True, 0)
            later = await sell(restored, ordinary(9))
            await started_no_import(restored, group_id)
            restored.fusion.clock.advance(FORGOTTEN_POSTING)
            await posted(restored, [*orders, *later])
            no_journal_twice(restored)
            nothing_left(restored)


async def started_no_import(stack: Stack, group_id: int) -> None:
    """Waits until the workflow of the ledger's groups has met the import of this group, which runs already."""
    groups = names.journal_groups_id("fusion", US_LEDGER, SOURCE)

    async def met() -> bool:
        try:
            history = await stack.temporal.get_workflow_handle(groups).fetch_history()
        except RPCError:  # not started yet
            return False
        field = "start_child_workflow_execution_failed_event_attributes"
        refused = [getattr(event, field).workflow_id for event in history.events if event.HasField(field)]
        return refused == [names.journal_import_id("fusion", US_LEDGER, group_id)]

    await eventually(met, f"the import of group {group_id} runs already")


async def test_a_group_that_went_to_review_after_the_backup_is_in_the_list_and_holds_up_nothing(
    vintage: Vintage,
) -> None:
    """Its import has told that the next group may go, and waits for a person."""
    stack = vintage.stack
    stack.fusion.faults.set("rejected_job", path="Import Journals", count=1)
    held = stack.fusion.hooks.hold("received", method="POST", path="/erpintegrations$", body="importBulkData")
    async with stack.worker():
        orders = await sell(stack, ordinary(0))
        await held.reached()
        await vintage.back_up()
        held.release()
        waits, standing = await group_in_review(stack, "vendor_-1")
        await shown_in_review(stack, waits)
    async with vintage.restored() as restored, restored.worker():
        result = await recover(restored.parts, restored.parts.clock() - timedelta(hours=12))
        assert (result.done, result.doubted, len(result.parked)) == (True, (), 1)
        (item,) = await group_items(restored.parts.store, restored.configuration)
        assert (item.workflow_id, item.problems) == (waits, standing.problems)
        later = await sell(restored, ordinary(9))
        await posted(restored, later)
        assert (await recover(restored.parts, restored.parts.clock() - timedelta(hours=12))).parked == ()
        assert [journals_of(restored.fusion, one) for one in orders] == [[]]
        no_journal_twice(restored)
        nothing_left(restored)


async def shown_in_review(stack: Stack, workflow_id: str) -> None:
    """Its run waits for a person, and Temporal lists it so."""
    waiting = f"ExecutionStatus = 'Running' AND {names.SA_STATE} = 'needs_review'"

    async def shown() -> bool:
        return (await stack.temporal.count_workflows(f"WorkflowId = '{workflow_id}' AND {waiting}")).count > 0

    await eventually(shown, f"{workflow_id} is listed as in review")


async def test_an_edit_after_the_backup_is_not_taken_for_what_is_in_the_ledger(vintage: Vintage) -> None:
    _, after = await morning_since_backup(vintage)
    edited = after[0]
    shop = vintage.stack.shop()
    shop.edit_line(edited, shop.order(edited).lines[0].id, quantity=9)
    async with vintage.restored() as stack, stack.worker():
        assert (await recover(stack.parts, stack.parts.clock() - timedelta(hours=12))).done
        await poll(stack)
        standing = await stack.in_state(edited, State.NEEDS_REVIEW)
        assert [one.code for one in standing.problems] == ["edited_after_posting"]
        assert len(journals_of(stack.fusion, edited)) == 1
        booked_once(stack, after[1:])


async def test_an_order_that_was_archived_after_the_backup_is_what_the_ledger_shows(vintage: Vintage) -> None:
    _, after = await morning_since_backup(vintage)
    vintage.stack.shop().archive(after[0])
    async with vintage.restored() as stack, stack.worker():
        assert (await recover(stack.parts, stack.parts.clock() - timedelta(hours=12))).done
        await stack.announce(after[0])
        assert (await stack.result(after[0])).state is State.POSTED
        booked_once(stack, after)


async def test_an_import_that_still_runs_keeps_posting_stopped(vintage: Vintage) -> None:
    await morning_since_backup(vintage)
    stack = vintage.stack
    slow = stack.fusion.faults.set("slow_job", path="Import Journals", seconds=600)
    async with stack.worker():
        running = await sell(stack, ordinary(30))
        await stack.in_state(running[0], State.WAITING_IMPORT)

        async def sent() -> bool:
            return slow.struck > 0

        await eventually(sent, "the import runs")
    async with vintage.restored() as restored:
        result = await recover(restored.parts, restored.parts.clock() - timedelta(hours=12))
        assert not result.done
        assert "group" in result.running[0].sentence()
        assert await restored.parts.epochs.behind(at_most=0)


async def test_a_document_in_review_that_the_backup_does_not_know_is_in_the_list_again(vintage: Vintage) -> None:
    await morning_since_backup(vintage)
    stack = vintage.stack
    async with stack.worker():
        (unmapped,) = await sell(stack, draft(Shape.ORDINARY, US_SHOP, seed=40, categories=["Antiques"]))
        await stack.in_state(unmapped, State.NEEDS_REVIEW)
    async with vintage.restored() as restored, restored.worker():
        assert await restored.parts.store.documents.review_list() == ()
        result = await recover(restored.parts, restored.parts.clock() - timedelta(hours=12))
        assert result.asked_again == 1

        async def listed() -> bool:
            return [row.id for row in await restored.parts.store.documents.review_list()] == [str(unmapped)]

        await eventually(listed, "the document is in the review list again")


async def test_the_rows_of_a_group_that_was_refused_after_the_backup_are_purged(vintage: Vintage) -> None:
    stack = vintage.stack
    async with stack.worker():
        await posted(stack, await sell(stack, ordinary(1)))
        await vintage.back_up()
        stack.fusion.set_account("101-120-41400-1000", import_refuses="EF04")
        held = stack.fusion.hooks.hold("received", method="POST", path="/erpintegrations$", body="JournalImportDelete")
        (bad,) = await sell(stack, clearance())
        await held.reached()
    stack.fusion.hooks.clear()
    assert stack.fusion.interface()
    async with vintage.restored() as restored:
        held.release()
        result = await recover(restored.parts, restored.parts.clock() - timedelta(hours=12))
        assert result.done
        assert len(result.purged) == 1
        await eventually(lambda: restored.fusion.interface() == [], "the interface is empty")
        assert journals_of(restored.fusion, bad) == []


async def test_a_store_that_is_up_to_date_is_recovered_without_harm(vintage: Vintage) -> None:
    before, after = await morning_since_backup(vintage)
    stack = vintage.stack
    result = await recover(stack.parts, stack.parts.clock() - timedelta(hours=12))
    assert (result.behind, result.brought_back, result.doubted) == ("", (), ())
    async with stack.worker():
        await announce_all(stack, before + after)
        await posted(stack, [*before, *after, *await sell(stack, ordinary(50))])
        no_journal_twice(stack)


async def test_groups_that_began_before_the_restore_stop_as_well(vintage: Vintage) -> None:
    """A workflow carries the epoch it saw: it does not need the keeper to notice."""
    await morning_since_backup(vintage)
    async with vintage.restored() as stack:
        seen = await vintage.stack.parts.store.epochs.current()
        assert await stack.parts.store.epochs.current() < seen
        groups = JournalGroupsInput(
            fusion="fusion", ledger="US Primary Ledger", source="ML Connector", flush_after=1, flush_count=5, epoch=seen
        )
        handle = await stack.temporal.start_workflow(
            names.JOURNAL_GROUPS, groups, id="groups-of-the-past", task_queue=names.WORKFLOW_QUEUE
        )
        async with stack.worker():

            async def stopped() -> bool:
                return "restored from a backup" in await stack.asked("groups-of-the-past", str)

            await eventually(stopped, "the groups workflow says why it stands still")
        await handle.terminate()


async def test_posting_goes_on_for_whoever_saw_more_than_the_keeper_was_told(vintage: Vintage) -> None:
    """Creates raise the epoch more often than they tell it; workflows and live workers may have seen the last ones."""
    await one_since_backup(vintage)
    async with vintage.restored() as stack:
        untold = await stack.parts.epochs.kept() + 500
        order_id = int(stack.shop().place(ordinary(60)).id)
        await stack.temporal.start_workflow(
            names.ORDER_TO_JOURNAL,
            OrderToJournalInput(integration="shop-us", connection="bc-us", order_id=str(order_id), epoch=untold),
            id=names.order_to_journal_id("bc-us", str(order_id)),
            task_queue=names.WORKFLOW_QUEUE,
        )
        async with stack.worker():
            await says_it_is_behind(stack, order_id)
            assert await stack.parts.epochs.behind(untold), "the worker has seen it, too"
            async with open_parts(stack.configuration, stack.keys, temporal=stack.temporal) as command:
                result = await recover(command, command.clock() - timedelta(hours=12))
            assert result.epoch > untold
            await posted(stack, [order_id])
        assert await stack.parts.store.epochs.recovered_at() is not None


async def test_the_keeper_learns_of_a_recovery_although_no_worker_runs(vintage: Vintage) -> None:
    await one_since_backup(vintage)
    async with vintage.restored() as stack:
        result = await recover(stack.parts, stack.parts.clock() - timedelta(hours=12))
        async with stack.worker():

            async def told() -> bool:
                return await stack.parts.epochs.kept() == result.epoch

            await eventually(told, "the keeper remembers the recovery")


async def test_an_order_whose_edit_or_reversal_was_read_back_is_no_duplicate(vintage: Vintage) -> None:
    """The store knows the lines of the sale, or of neither journal; Fusion shows what they leave together."""
    live = vintage.stack
    shop = live.shop()
    async with live.worker():
        edited, cancelled = await sell(live, ordinary(70), ordinary(71))
        await posted(live, [edited, cancelled])
        await vintage.back_up()
        (since,) = await sell(live, ordinary(72))
        await posted(live, [since])
        for order_id in (edited, since):
            shop.edit_line(order_id, shop.order(order_id).lines[0].id, quantity=9)
        shop.set_status(cancelled, statuses.CANCELLED)
        for order_id, state in ((edited, State.POSTED), (since, State.POSTED), (cancelled, State.REVERSED)):
            await live.announce(order_id)
            assert (await live.result(order_id)).state is state
    async with vintage.restored() as stack:
        assert (await recover(stack.parts, stack.parts.clock() - timedelta(hours=12))).done
        (books, *_) = await reconcile(stack.parts, [stack.configuration.integrations_of("bc-us")[0]])
        assert books.duplicates == ()
        assert {one.order_id: one.verdict for one in books.orders} == dict.fromkeys(
            map(str, (edited, cancelled, since)), Verdict.POSTED
        )
        assert books.agrees
        (totals,) = books.totals
        truth = shop.truth()
        assert totals.ledger_total == truth[edited].total + truth[since].total
