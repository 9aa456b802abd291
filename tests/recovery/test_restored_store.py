"""Yesterday's store is restored, every webhook comes again and every poll runs: nothing is posted twice."""

from datetime import timedelta

import pytest
from recovery.conftest import Vintage
from recovery.redelivery import announce_all, poll, says_it_is_behind
from replay.stage import with_shared_flows
from support.proof import booked_once, clearance, no_journal_twice, nothing_left, ordinary, posted, sell
from support.stack import eventually, journals_of

import activities.journals.posted
import workflows.journal_groups
import workflows.journal_import
from contracts import names
from contracts.flow import FlowState, JournalGroupsInput, OrderToJournalInput, State
from runtime.operations.reconciliation import reconcile
from runtime.operations.recovery import recover
from runtime.parts import open_parts
from sandbox.bigcommerce import US_SHOP, Shape, draft
from sandbox.fusion.demo_world import US_LEDGER


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
        await held.reached(60)
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
    """It has told that the next group may go, and rests between looks at its postings: it will not tell again."""
    vintage.stack.fusion.world.habits.autopost_delay = 10.0
    monkeypatch.setattr(activities.journals.posted, "PATIENCE", 0.1)
    monkeypatch.setattr(workflows.journal_import, "UNPOSTED_PAUSE", timedelta(seconds=12))
    monkeypatch.setattr(workflows.journal_groups, "LOOK_SOON", timedelta(seconds=2))
    stack = await with_shared_flows(vintage.stack)
    held = stack.fusion.hooks.hold("received", method="POST", path="/erpintegrations$", body="importBulkData")
    async with stack.worker():
        orders = await sell(stack, ordinary(0))
        await held.reached(60)
        await vintage.back_up()
        held.release()
        (posting,) = await stack.parts.store.journals.postings_of("bc-us", "order", str(orders[0]))
        old = stack.temporal.get_workflow_handle(names.journal_import_id("fusion", US_LEDGER, posting.group_id or 0))

        async def rests() -> bool:
            return "not posted yet" in (await old.query(names.STATE, result_type=FlowState)).sentence

        await eventually(rests, "it waits for its postings")
    async with vintage.restored() as empty:
        restored = await with_shared_flows(empty)
        async with restored.worker():
            assert (await recover(restored.parts, restored.parts.clock() - timedelta(hours=12))).done
            later = await sell(restored, ordinary(9))
            await posted(restored, [*orders, *later])
            no_journal_twice(restored)
            nothing_left(restored)


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
        await held.reached(60)
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
                return "restored from a backup" in await handle.query(names.STATE, result_type=str)

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
