"""Refunds are documents of their own: posted once, on their order's accounts, and never before their order."""

import datetime as dt
import io
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from rich.console import Console
from support.imports import let_imports_be_held
from support.parking import deciding, trail
from support.proof import ordinary, posted, sell
from support.refunds import (
    all_journals,
    announce_refund,
    balances,
    journals_of_refund,
    refund_flow,
    refund_in_state,
    refund_result,
    refund_row,
)
from support.stack import FAST, Stack, eventually, journals_of, open_stack

from contracts import names
from contracts.flow import PollInput, State
from contracts.steps.orders import Polled
from runtime.commands.audit import print_life
from runtime.operations.document_life import life_of
from runtime.temporal.devserver import DevServer
from sandbox.bigcommerce import statuses
from sandbox.bigcommerce.documents import Returned
from store.rows import PostingState


@pytest.fixture(scope="module")
async def stack(temporal_server: DevServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """One stack with a worker for the whole file; every test has orders of its own."""
    directory = tmp_path_factory.mktemp("refunds")
    imports = FAST | {"reread_after": 3.0}
    opening = open_stack(temporal_server, directory, imports=imports, adjust=let_imports_be_held)
    async with opening as opened, opened.worker():
        yield opened


async def sold(stack: Stack, seed: int = 0) -> int:
    (order_id,) = await sell(stack, ordinary(seed))
    await posted(stack, [order_id])
    return order_id


async def test_a_refund_of_everything_leaves_nothing_on_any_account(stack: Stack) -> None:
    order_id = await sold(stack)
    refund = stack.shop().refund(order_id, everything=True)
    await announce_refund(stack, refund.id)
    result = await refund_result(stack, refund.id)
    assert (result.state, result.reference) == (State.POSTED, f"acme/bc-us/refund/{refund.id}/refund/1")
    (journal,) = journals_of_refund(stack, refund.id)
    assert journal.batch.status == "P"
    assert journal.total("entered_dr") == refund.total
    assert f"takes back acme/bc-us/order/{order_id}/sale/1" in journal.description
    assert balances(all_journals(stack, order_id, refund.id)) == {}
    # Announced again, it is settled.
    await announce_refund(stack, refund.id)
    assert (await refund_result(stack, refund.id)).state is State.POSTED
    assert len(journals_of_refund(stack, refund.id)) == 1


async def test_what_is_said_of_its_order_saves_a_read_and_a_step_and_is_not_believed_blindly(stack: Stack) -> None:
    other = await sold(stack, 20)

    async def costs(seed: int, said: int | None, *, right: bool = False) -> tuple[int, int]:
        """Reads of single refunds, and steps of its run that asked how its order stands."""
        order_id = await sold(stack, seed)
        refund = stack.shop().refund(order_id, everything=True)
        await announce_refund(stack, refund.id, order_id=order_id if right else said)
        assert (await refund_result(stack, refund.id)).state is State.POSTED
        (journal,) = journals_of_refund(stack, refund.id)
        assert f"takes back acme/bc-us/order/{order_id}/sale/1" in journal.description
        run = await stack.temporal.get_workflow_handle(refund_flow(refund.id)).fetch_history()
        return stack.shops.calls.count("GET", rf"/refunds/{refund.id}$"), run.to_json().count("await_order")

    assert await costs(21, None, right=True) == (0, 0)
    assert await costs(22, None) == (1, 0)
    assert await costs(23, other) == (1, 0), "the shop has the last word"
    assert await costs(24, 999_999_999) == (1, 0)


async def test_partial_refunds_in_any_order_of_arrival_add_up_to_the_order(stack: Stack) -> None:
    order_id = await sold(stack, 1)
    shop = stack.shop()
    order = shop.order(order_id)
    refunds = [
        shop.refund(order_id, order.lines[0].id, 1),
        shop.refund(order_id, items=[Returned("ORDER", order_id, amount=Decimal("1.00"))]),
        shop.refund(order_id, everything=True),
    ]
    for refund in reversed(refunds):
        await announce_refund(stack, refund.id)
    for refund in refunds:
        assert (await refund_result(stack, refund.id)).state is State.POSTED
        assert journals_of_refund(stack, refund.id)[0].total("entered_dr") == refund.total
    assert balances(all_journals(stack, order_id, *(one.id for one in refunds))) == {}


async def test_a_refund_before_its_order_starts_the_order_and_waits_for_it(stack: Stack) -> None:
    order_id = stack.shop().place(ordinary(2), quiet=True).id
    refund = stack.shop().refund(order_id, everything=True)
    gate = stack.fusion.hooks.hold("answering", method="POST", path="/erpintegrations")
    await announce_refund(stack, refund.id)
    await gate.reached()
    standing = await refund_in_state(stack, refund.id, State.WAITING_PARENT)
    assert f"Order {order_id} (bc-us)" in standing.sentence
    row = await refund_row(stack, refund.id)
    assert row is not None
    assert (row.state, row.parent_id) == (State.WAITING_PARENT, str(order_id))
    assert journals_of_refund(stack, refund.id) == []
    gate.release()
    # An order that was refunded before it was posted is still a sale.
    assert (await refund_result(stack, refund.id)).state is State.POSTED
    assert (await stack.result(order_id)).state is State.POSTED
    assert balances(all_journals(stack, order_id, refund.id)) == {}


async def test_an_order_that_settles_tells_its_refunds(stack: Stack) -> None:
    order_id = stack.shop().place(ordinary(3), status_id=statuses.PENDING).id
    refund = stack.shop().refund(order_id, everything=True)
    stack.shop().set_status(order_id, statuses.PENDING)
    await announce_refund(stack, refund.id)
    await refund_in_state(stack, refund.id, State.WAITING_PARENT, "is not postable")
    waiting = await stack.parts.store.documents.refunds_waiting_for("bc-us", [str(order_id)])
    assert [one.id for one in waiting] == [str(refund.id)]
    stack.shop().set_status(order_id, statuses.AWAITING_FULFILLMENT)
    await stack.announce(order_id)
    assert (await refund_result(stack, refund.id)).state is State.POSTED


async def test_a_declined_payment_waits_until_it_is_repeated(stack: Stack) -> None:
    order_id = await sold(stack, 4)
    refund = stack.shop().refund(order_id, everything=True, declined=True)
    await announce_refund(stack, refund.id)
    await refund_in_state(stack, refund.id, State.RUNNING, "declined to pay back")

    async def recorded() -> bool:
        row = await refund_row(stack, refund.id)
        return row is not None and "declined to pay back" in row.reason

    await eventually(recorded, "the wait is on record")
    stack.shop().repeat_refund(refund.id)
    # Nobody announces it: the refund looks again by itself.
    assert (await refund_result(stack, refund.id)).state is State.POSTED
    assert balances(all_journals(stack, order_id, refund.id)) == {}


async def test_a_payment_that_is_declined_after_the_refund_was_posted_is_put_before_a_person(stack: Stack) -> None:
    order_id = await sold(stack, 4)
    shop = stack.shop()
    refund = shop.refund(order_id, everything=True)
    await announce_refund(stack, refund.id)
    assert (await refund_result(stack, refund.id)).state is State.POSTED
    shop.decline_refund(refund.id)
    # A sweep finds it; the shop announces nothing.
    swept = await stack.temporal.execute_workflow(
        names.POLL_ORDERS,
        PollInput(connection="bc-us", days=2),
        id="sweep-declined",
        task_queue=names.WORKFLOW_QUEUE,
        result_type=Polled,
    )
    assert swept.refunds_started
    standing = await refund_in_state(stack, refund.id, State.NEEDS_REVIEW)
    assert [one.code for one in standing.problems] == ["refund_changed"]
    assert "declined to pay it back since" in standing.problems[0].sentence
    assert len(journals_of_refund(stack, refund.id)) == 1

    # A retry that changes nothing in the shop leads back to the review.
    await deciding(stack, f"refund/{refund.id}", "retry")

    async def back_in_review() -> bool:
        told = await stack.parts.store.audit.of("bc-us", names.REFUND, str(refund.id))
        return [event.action for event in told].count("needs_review") == 2

    await eventually(back_in_review, "it is in review again")
    await refund_in_state(stack, refund.id, State.NEEDS_REVIEW)
    shop.repeat_refund(refund.id)
    await announce_refund(stack, refund.id)
    assert (await refund_result(stack, refund.id)).state is State.POSTED
    assert len(journals_of_refund(stack, refund.id)) == 1, "the very same"
    assert balances(all_journals(stack, order_id, refund.id)) == {}


async def test_a_refund_that_was_declined_late_and_reversed_by_hand_stays_as_a_person_left_it(stack: Stack) -> None:
    order_id = await sold(stack, 4)
    refund = stack.shop().refund(order_id, everything=True)
    await announce_refund(stack, refund.id)
    assert (await refund_result(stack, refund.id)).state is State.POSTED
    stack.shop().decline_refund(refund.id)
    await announce_refund(stack, refund.id)
    await refund_in_state(stack, refund.id, State.NEEDS_REVIEW)
    await deciding(stack, f"refund/{refund.id}", "skip")
    assert (await refund_result(stack, refund.id)).state is State.SKIPPED
    await announce_refund(stack, refund.id)
    assert (await refund_result(stack, refund.id)).state is State.SKIPPED
    assert len(journals_of_refund(stack, refund.id)) == 1


async def test_more_than_was_charged_goes_to_review_and_a_person_decides(stack: Stack) -> None:
    order_id = await sold(stack, 5)
    total = stack.shop().truth()[order_id].total
    refund = stack.shop().refund(
        order_id, items=[Returned("ORDER", order_id, amount=total + 5)], override=(total + 5, Decimal(0)), over=True
    )
    await announce_refund(stack, refund.id)
    standing = await refund_in_state(stack, refund.id, State.NEEDS_REVIEW)
    assert [one.code for one in standing.problems] == ["over_refund"]
    decided = await deciding(stack, f"bc-us/refund/{refund.id}", "skip")
    assert decided.sentence.startswith(f"Refund {refund.id} (bc-us): skip decided by dana")
    assert (await refund_result(stack, refund.id)).state is State.SKIPPED
    events = await stack.parts.store.audit.of("bc-us", "refund", str(refund.id))
    assert [one.action for one in events] == ["fetched", "needs_review", "skipped", "decided"]
    assert journals_of_refund(stack, refund.id) == []


async def test_something_the_order_does_not_have_goes_to_review(stack: Stack) -> None:
    order_id = await sold(stack, 6)
    refund = stack.shop().refund(order_id, items=[Returned("ORDER", order_id, amount=Decimal("1.00"))])
    refund.items = (Returned("PRODUCT", 999_999, 1),)
    await announce_refund(stack, refund.id)
    standing = await refund_in_state(stack, refund.id, State.NEEDS_REVIEW)
    assert [one.code for one in standing.problems] == ["unknown_refund_item"]


async def test_a_status_set_by_hand_is_not_evidence_and_the_record_says_so(stack: Stack) -> None:
    order_id = await sold(stack, 7)
    stack.shop().set_status(order_id, statuses.REFUNDED)
    for _ in range(2):
        await stack.announce(order_id)
        assert (await stack.result(order_id)).state is State.POSTED
    (event,) = await trail(stack, order_id, "status_without_refund")
    assert "was set by hand" in event.sentence
    assert len(journals_of(stack.fusion, order_id)) == 1
    # With a refund there is nothing to say.
    other = await sold(stack, 8)
    stack.shop().refund(other, everything=True)
    await stack.announce(other)
    await stack.result(other)
    assert await trail(stack, other, "status_without_refund") == []


async def test_a_refund_of_an_order_from_before_the_cut_over_is_booked_afresh_and_says_so(stack: Stack) -> None:
    placed = dt.datetime(2025, 12, 20, tzinfo=dt.UTC)
    order_id = stack.shop().place(ordinary(9), created=placed, quiet=True).id
    refund = stack.shop().refund(order_id, everything=True)
    await announce_refund(stack, refund.id)
    assert (await refund_result(stack, refund.id)).state is State.POSTED
    (journal,) = journals_of_refund(stack, refund.id)
    assert "its order is not in the ledger" in journal.description
    assert journals_of(stack.fusion, order_id) == []


async def test_a_refund_from_before_the_cut_over_is_skipped(stack: Stack) -> None:
    placed = dt.datetime(2025, 12, 20, tzinfo=dt.UTC)
    order_id = stack.shop().place(ordinary(10), created=placed, quiet=True).id
    refund = stack.shop().refund(order_id, everything=True)
    refund.created = placed
    await announce_refund(stack, refund.id)
    result = await refund_result(stack, refund.id)
    assert (result.state, "before the cut-over" in result.sentence) == (State.SKIPPED, True)


async def test_a_refund_of_an_order_cancelled_before_it_was_posted_is_left_out_until_the_order_is_sold(
    stack: Stack,
) -> None:
    order_id = stack.shop().place(ordinary(11), quiet=True).id
    refund = stack.shop().refund(order_id, everything=True)
    stack.shop().set_status(order_id, statuses.CANCELLED)
    await announce_refund(stack, refund.id)
    result = await refund_result(stack, refund.id)
    assert (result.state, "its order is not posted" in result.sentence) == (State.SKIPPED, True)
    stack.shop().set_status(order_id, statuses.REFUNDED)
    await stack.announce(order_id)
    await posted(stack, [order_id])

    async def booked() -> bool:
        row = await refund_row(stack, refund.id)
        return row is not None and row.state is State.POSTED

    await eventually(booked, "the refund is posted after all")
    assert balances(all_journals(stack, order_id, refund.id)) == {}


async def test_order_and_refund_name_each_other(stack: Stack) -> None:
    order_id = await sold(stack, 12)
    refund = stack.shop().refund(order_id, stack.shop().order(order_id).lines[0].id, 1)
    await announce_refund(stack, refund.id)
    await refund_result(stack, refund.id)
    store = stack.parts.store
    sale, taken = f"acme/bc-us/order/{order_id}/sale/1", f"acme/bc-us/refund/{refund.id}/refund/1"
    assert await store.cross_references.target("fusion", "journal", taken, "fusion", "journal") == sale
    (source,) = await store.cross_references.sources("fusion", "journal", sale)
    assert source.id == taken
    for wanted, kind, reference in (
        (f"bc-us/refund/{refund.id}", "order", sale),
        (refund_flow(refund.id), "order", sale),
        (f"bc-us/{order_id}", "refund", taken),
    ):
        life = await life_of(store, stack.configuration, wanted)
        (link,) = life.links
        assert (link.kind, link.state, link.references) == (kind, State.POSTED, (reference,))
        (booked,) = life.journals
        takes_back, taken_back_by = (sale, ()) if kind == "order" else ("", (taken,))
        assert (booked.takes_back, booked.taken_back_by) == (takes_back, taken_back_by)
        told = Console(file=io.StringIO(), width=120)
        print_life(life, told)
        assert isinstance(told.file, io.StringIO)
        line = f"takes back {sale}" if kind == "order" else f"refunded by {taken}"
        assert line in told.file.getvalue().splitlines()


async def test_a_refund_is_refused_with_its_group_and_goes_to_review(stack: Stack) -> None:
    order_id = await sold(stack, 13)
    refund = stack.shop().refund(order_id, everything=True)
    account = next(iter(balances(journals_of(stack.fusion, order_id))))
    stack.fusion.set_account(account, enabled=False)
    await announce_refund(stack, refund.id)
    standing = await refund_in_state(stack, refund.id, State.NEEDS_REVIEW)
    assert [one.code for one in standing.problems] == ["refused_by_fusion"]
    stack.fusion.set_account(account, enabled=True)
    await deciding(stack, f"refund/{refund.id}", "retry")
    assert (await refund_result(stack, refund.id)).state is State.POSTED


async def test_the_store_finds_the_journals_of_an_orders_refunds_by_the_order(stack: Stack) -> None:
    order_id = await sold(stack, 14)
    refund = stack.shop().refund(order_id, everything=True)
    await announce_refund(stack, refund.id)
    await refund_result(stack, refund.id)
    (posting,) = await stack.parts.store.journals.postings_below("bc-us", str(order_id))
    assert (posting.key.kind, posting.key.purpose, posting.key.parent_id) == (names.REFUND, "refund", str(order_id))
    assert posting.state is PostingState.POSTED
