"""The audit trail of the whole product: every event names what led to it, is sealed by schedule, and verifies."""

import re
from typing import Any

from sqlalchemy import delete, select, text
from support.audit_trail import tamper
from support.stack import Stack, eventually, journals_of
from temporalio.client import Client

from contracts import names
from contracts.audit import AuditSealed
from contracts.flow import Decided, Decision, PollInput, State
from contracts.steps.orders import Polled
from runtime.temporal.schedules import schedules, sync_schedules
from sandbox.bigcommerce import US_SHOP, Shape, draft, statuses
from store.schema import audit_events, documents, postings
from store.trail.audit_rows import SEALS_LOST

CLEARANCE = "101-120-41400-1000"
A_YEAR = 365 * 86_400.0
JOBS = re.compile(r"^(test|poll-orders:.+|decision:.+)$")
"""What led to the orders of these tests: the tests themselves, a poll, or a decision."""


def place(stack: Stack, *, seed: int = 0, status_id: int | None = None, **basket: Any) -> int:
    how = {"status_id": status_id} if status_id is not None else {}
    order_id: int = stack.shop().place(draft(Shape.ORDINARY, US_SHOP, seed=seed, **basket), **how).id
    return order_id


async def decide(stack: Stack, order_id: int, kind: str, decision_id: str, **more: Any) -> Decided:
    decision = Decision.model_validate({"id": decision_id, "kind": kind, "who": "dana", "why": "month end", **more})
    handle = stack.temporal.get_workflow_handle(names.order_to_journal_id("bc-us", str(order_id)))
    return await handle.execute_update(names.DECIDE, decision, id=decision.id, result_type=Decided)


async def trail(stack: Stack, order_id: int) -> list[tuple[str, str]]:
    """Action and job of the order's events."""
    return [(one.action, one.job) for one in await stack.parts.store.audit.of("bc-us", "order", str(order_id))]


async def test_every_record_names_the_poll_delivery_or_decision_that_led_to_it(stack: Stack) -> None:
    stack.fusion.set_account(CLEARANCE, import_refuses="EF03")
    posted, pending = place(stack), place(stack, seed=1, status_id=statuses.PENDING)
    unmapped, refused = place(stack, categories=["Antiques"]), place(stack, seed=2, categories=["Clearance"])
    by_hand = place(stack, seed=3, categories=["Antiques"])
    async with stack.worker():
        poll = await stack.temporal.start_workflow(
            names.POLL_ORDERS,
            PollInput(connection="bc-us"),
            id=names.poll_orders_id("bc-us"),
            task_queue=names.WORKFLOW_QUEUE,
            result_type=Polled,
        )
        assert (await poll.result()).started == 5
        await stack.result(posted)
        await stack.result(pending)
        for order_id in (unmapped, refused, by_hand):
            await stack.in_state(order_id, State.NEEDS_REVIEW)
        await decide(stack, unmapped, "skip", "skip-1")
        stack.fusion.set_account(CLEARANCE, import_refuses=None)
        await decide(stack, refused, "retry", "retry-1")
        await stack.result(refused)
        await stack.result(unmapped)

    read = "poll-orders:bc-us"
    life = await trail(stack, posted)
    assert {"fetched", "staged", "imported", "posted"} <= {action for action, _ in life}
    assert {job for _, job in life} == {read}
    assert await trail(stack, pending) == [("fetched", read), ("skipped", read)]
    assert (await trail(stack, unmapped))[-2:] == [("skipped", "decision:skip-1"), ("decided", "decision:skip-1")]
    assert ("refused", read) in await trail(stack, refused)
    assert (await trail(stack, refused))[-1] == ("posted", read)

    def jobs(at: Any) -> set[str]:
        return {job for table in (audit_events, documents, postings) for job in at.scalars(select(table.c.job))}

    found = await stack.parts.store._database.read(jobs)
    assert all(JOBS.match(job) for job in found), found


async def test_an_order_marked_as_posted_names_the_decision(stack: Stack) -> None:
    posted, parked = place(stack), place(stack, seed=3, categories=["Antiques"])
    async with stack.worker():
        await stack.announce(posted)
        await stack.result(posted)
        await stack.announce(parked)
        await stack.in_state(parked, State.NEEDS_REVIEW)
        # The journal of the other order, as if an accountant had entered it.
        (theirs,) = journals_of(stack.fusion, posted)
        theirs.given_name = theirs.name = theirs.description = "Manual 77"
        theirs.external_reference = theirs.batch.group_id = ""
        theirs.batch.name = "Manual 77 batch"
        await decide(stack, parked, "mark_posted", "mark-1", target_id="Manual 77 batch")
        await stack.result(parked)
    assert (await trail(stack, parked))[-2:] == [("marked_posted", "decision:mark-1"), ("decided", "decision:mark-1")]
    posting = (await stack.parts.store.journals.postings_of("bc-us", "order", str(parked)))[0]
    assert posting.job == "decision:mark-1"


async def sealed(stack: Stack, *, runs: int) -> AuditSealed:
    """Lets the schedule seal once."""
    schedule = stack.temporal.get_schedule_handle(names.audit_sealing_id("acme"))
    await schedule.trigger()

    async def started() -> str:
        recent = (await schedule.describe()).info.recent_actions
        return recent[-1].action.workflow_id if len(recent) == runs else ""

    workflow_id: str = await eventually(started, "the schedule has started a sealing")
    handle = stack.temporal.get_workflow_handle(workflow_id, result_type=AuditSealed)
    return await handle.result()


async def paused_schedules(client: Client, stack: Stack) -> None:
    """They act when a test says so; the sealing would not by itself for a year."""
    audit = stack.configuration.audit.model_copy(update={"seal_every": A_YEAR})
    configuration = stack.configuration.model_copy(update={"audit": audit})
    await sync_schedules(client, configuration)
    for name, _ in schedules(configuration):
        await client.get_schedule_handle(name).pause()


async def test_the_schedule_seals_and_tells_when_seals_it_knew_are_gone(stack: Stack) -> None:
    store, order_id = stack.parts.store, place(stack)
    await paused_schedules(stack.temporal, stack)
    async with stack.worker():
        await stack.announce(order_id)
        await stack.result(order_id)
        first = await sealed(stack, runs=1)
        assert (first.seals, first.events, first.lost) == (1, 4, "")
        assert first.head is not None

        nothing = await sealed(stack, runs=2)
        assert (nothing.seals, nothing.head) == (0, first.head)

        # The store is put back to before the first sealing: nothing in it says so, but Temporal remembers.
        await tamper(store, "DELETE FROM audit_seals", "DELETE FROM audit_heads")
        after = await sealed(stack, runs=3)
        assert "Audit seal 1 of tenant acme" in after.lost
        assert after.events == 5
        found = await store.verify_audit("acme", kept=[first.head.digest])
        assert found.intact
        assert found.notes == (after.lost,)
        assert found.kept == ()
        assert (await sealed(stack, runs=4)).lost == ""
    (event,) = await store.audit.of("", "audit", "acme")
    assert event.action == SEALS_LOST
    assert event.job.startswith("audit-sealing:acme")


async def test_an_event_that_somebody_removed_is_found_after_a_days_work(stack: Stack) -> None:
    store, orders = stack.parts.store, [place(stack, seed=seed) for seed in range(3)]
    async with stack.worker():
        for order_id in orders:
            await stack.announce(order_id)
        for order_id in orders:
            await stack.result(order_id)
    while await store.seals.seal("acme", limit=5):
        pass
    trail_found = await store.verify_audit("acme")
    assert trail_found.intact
    assert trail_found.tail.count == 0
    await tamper(store, str(delete(audit_events).where(text("id = 7"))))
    (finding,) = (await store.verify_audit("acme")).findings
    assert finding.event == 7
