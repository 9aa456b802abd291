"""A channel that is billed in Receivables: one invoice an order, of its total, on the store's customer account."""

import datetime as dt
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from replay.stage import with_fusion
from support.fusion_pod import invoice_body
from support.proof import nothing_in_review, ordinary, posted, retry, sell
from support.receivables import (
    billed,
    billed_once,
    invoices_of,
    left_in_doubt,
    no_invoice_twice,
    open_balance,
    reversals_of,
    worker_with,
)
from support.stack import FAST, Stack, eventually, journals_of, open_stack, standing_total
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from contracts import names
from contracts.configuration import Configuration
from contracts.flow import Decided, Decision, FlowState, State
from contracts.receivable import ReferenceHome
from runtime.temporal.devserver import DevServer
from sandbox.bigcommerce import US_SHOP, Shape, draft, statuses
from sandbox.fusion.receivables.demo import MANUAL_SOURCE, US_CUSTOMER, US_UNIT
from sandbox.fusion.receivables.invoice import Invoice
from store.creating.creation import CreationState

POST: Final[dict[str, Any]] = {"method": "POST", "path": r"/receivablesInvoices$"}
LOOK: Final[dict[str, Any]] = {"method": "GET", "path": r"/receivablesInvoices$"}
DEADLINE, SETTLE = 4.0, 0.5


def quick(configuration: Configuration, home: ReferenceHome = "transaction_number") -> Configuration:
    return with_fusion(billed(configuration, home), create_timeout=DEADLINE, settle=SETTLE)


@pytest.fixture(scope="module")
async def stack(temporal_server: DevServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """One stack with a worker for the whole file; every test has orders of its own."""
    directory: Path = tmp_path_factory.mktemp("receivables")
    imports = FAST | {"unknown_limit": 6.0 / 3600}
    async with open_stack(temporal_server, directory, imports=imports, adjust=quick) as opened, opened.worker():
        yield opened


@pytest.fixture(autouse=True)
def as_set_up(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each of them nothing is billed twice, and Receivables is as it was."""
    yield
    if "stack" in request.fixturenames:
        stack: Stack = request.getfixturevalue("stack")
        no_invoice_twice(stack)
        stack.fusion.faults.clear()
        stack.fusion.hooks.clear()
        stack.fusion.world.receivables.habits.tax_engine = "manual"
        stack.fusion.set_customer(US_CUSTOMER, enabled=True)


def number_of(order_id: int) -> str:
    return names.short_reference(f"acme/bc-us/order/{order_id}/invoice/1", 20)


def total_of(stack: Stack, order_id: int) -> Decimal:
    total: Decimal = stack.shop().truth()[order_id].total
    return total


def by_hand(stack: Stack, number: str, amount: Decimal) -> Invoice:
    """What an accountant enters in Fusion."""
    today = dt.datetime.now(dt.UTC).date().isoformat()
    return stack.fusion.receivables.create(
        invoice_body(number, str(amount), TransactionDate=today, AccountingDate=today)
    )


async def in_review(stack: Stack, order_id: int, code: str) -> FlowState:
    standing = await stack.in_state(order_id, State.NEEDS_REVIEW)
    assert [one.code for one in standing.problems] == [code]
    return standing


async def again(stack: Stack, order_id: int) -> None:
    """A person has looked, and says: again."""
    decision = Decision(id=f"retry-{order_id}-{dt.datetime.now(dt.UTC).timestamp()}", kind="retry", who="dana", why="-")
    await _decide(stack, order_id, decision)


async def decide(stack: Stack, order_id: int, kind: str, **more: Any) -> None:
    fields = {"id": f"{kind}-{order_id}", "kind": kind, "who": "dana", "why": "month end", **more}
    await _decide(stack, order_id, Decision.model_validate(fields))


async def _decide(stack: Stack, order_id: int, decision: Decision) -> None:
    handle = stack.temporal.get_workflow_handle(names.order_to_journal_id("bc-us", str(order_id)))
    await handle.execute_update(names.DECIDE, decision, id=decision.id, result_type=Decided)


async def refused(stack: Stack, order_id: int, kind: str, **more: Any) -> ApplicationError:
    """The decision is not taken; gives what the person is told."""
    with pytest.raises(WorkflowUpdateFailedError) as failure:
        await decide(stack, order_id, kind, **more)
    assert isinstance(failure.value.cause, ApplicationError)
    return failure.value.cause


async def creation_state(stack: Stack, order_id: int) -> CreationState:
    (creation,) = await stack.parts.store.creations.creations_of("bc-us", "order", str(order_id))
    return creation.state


async def edit(stack: Stack, order_id: int, quantity: int) -> None:
    shop = stack.shop()
    shop.edit_line(order_id, shop.order(order_id).lines[0].id, quantity=quantity)
    await stack.announce(order_id)


async def test_an_order_becomes_one_invoice_of_its_total_and_no_journal(stack: Stack) -> None:
    (order_id,) = await sell(stack, ordinary())
    await billed_once(stack, [order_id])
    (invoice,) = invoices_of(stack, order_id)
    assert (invoice.source, invoice.business_unit, invoice.customer) == (MANUAL_SOURCE, US_UNIT, US_CUSTOMER)
    assert invoice.number == number_of(order_id)
    assert journals_of(stack.fusion, order_id) == []
    result = await stack.result(order_id)
    assert (result.state, result.journal_name) == (State.POSTED, invoice.number)
    events = await stack.parts.store.audit.of("bc-us", "order", str(order_id))
    assert [event.action for event in events] == ["fetched", "intended", "sent", "posted"]
    assert {event.job for event in events} == {"test"}
    links = await stack.parts.store.cross_references.sources("fusion", "receivablesInvoices", str(invoice.id))
    assert [(link.connection, link.id) for link in links] == [("bc-us", str(order_id))]


@pytest.mark.parametrize("home", ["cross_reference", "line_flexfield"])
async def test_where_numbering_is_fusions_the_reference_has_another_home(
    temporal_server: DevServer, tmp_path: Path, home: ReferenceHome
) -> None:
    async with (
        open_stack(temporal_server, tmp_path, adjust=lambda one: quick(one, home)) as stack,
        stack.worker(),
    ):
        stack.fusion.faults.set("lost_answer", count=1, **POST)
        orders = await sell(stack, *(ordinary(seed) for seed in range(3)))
        await billed_once(stack, orders)
        no_invoice_twice(stack)
        for order_id in orders:
            (invoice,) = invoices_of(stack, order_id)
            assert f"acme/bc-us/order/{order_id}/invoice/1" in invoice.references()
            assert invoice.number.isdecimal()


async def test_many_orders_at_once_are_billed_once_each(stack: Stack) -> None:
    stack.fusion.faults.set("lost_answer", count=5, chance=0.3, **POST)
    orders = await sell(stack, *(ordinary(100 + seed) for seed in range(25)))
    for order_id in orders:
        await stack.announce(order_id)
    await billed_once(stack, orders)


async def test_a_status_change_after_posting_asks_nobody_and_an_edit_asks_a_person(stack: Stack) -> None:
    (order_id,) = await sell(stack, ordinary(1))
    await billed_once(stack, [order_id])
    stack.shop().ship(order_id)
    await stack.announce(order_id)
    settled = await stack.result(order_id)
    assert (settled.state, settled.reference) == (State.POSTED, f"acme/bc-us/order/{order_id}/invoice/1")
    await edit(stack, order_id, 5)
    standing = await in_review(stack, order_id, "edited_after_posting")
    assert "invoice acme/" in standing.problems[0].sentence
    assert len(invoices_of(stack, order_id)) == 1
    await decide(stack, order_id, "skip")
    assert (await stack.result(order_id)).state is State.SKIPPED


async def test_an_edit_while_the_older_version_is_in_doubt_waits_for_what_became_of_it(stack: Stack) -> None:
    with left_in_doubt(stack, "lost_answer", **POST):
        (order_id,) = await sell(stack, ordinary(2))
        before = total_of(stack, order_id)
        await stack.in_state(order_id, State.IN_DOUBT)
        await edit(stack, order_id, 7)
    await in_review(stack, order_id, "edited_after_posting")
    assert [one.amount for one in invoices_of(stack, order_id)] == [before]


async def test_what_is_in_doubt_is_found_out_before_its_order_is_parked_for_another_reason(stack: Stack) -> None:
    with left_in_doubt(stack, "lost_answer", **POST):
        (order_id,) = await sell(stack, ordinary(17))
        await stack.in_state(order_id, State.IN_DOUBT)
        workflow_id = names.order_to_journal_id("bc-us", str(order_id))
        await stack.temporal.get_workflow_handle(workflow_id).terminate("somebody clicked")
    antique = draft(Shape.ORDINARY, US_SHOP, seed=17, categories=["Antiques"]).items[0]
    stack.shop().add_line(order_id, antique)
    await stack.announce(order_id)
    standing = await stack.in_state(order_id, State.NEEDS_REVIEW)
    assert {one.code for one in standing.problems} == {"edited_after_posting", "unmapped_account"}
    assert len(invoices_of(stack, order_id)) == 1
    assert await creation_state(stack, order_id) is CreationState.POSTED


async def test_a_skip_of_a_cancelled_order_stands_and_one_of_its_edit_does_not_cover_a_cancellation(
    stack: Stack,
) -> None:
    (order_id,) = await sell(stack, ordinary(60))
    await billed_once(stack, [order_id])
    shop = stack.shop()

    async def later() -> None:
        await eventually(lambda: shop.now() > shop.order(order_id).modified, "the shop's clock has moved on")

    await later()
    await edit(stack, order_id, 8)
    await in_review(stack, order_id, "edited_after_posting")
    await decide(stack, order_id, "skip", id="skip-edit")
    assert (await stack.result(order_id)).state is State.SKIPPED
    await later()
    shop.set_status(order_id, statuses.CANCELLED)
    await stack.announce(order_id)
    standing = await in_review(stack, order_id, "edited_after_posting")
    assert "cancelled" in standing.problems[0].sentence
    await decide(stack, order_id, "skip", id="skip-cancelled")
    assert (await stack.result(order_id)).state is State.SKIPPED
    await later()
    shop.archive(order_id)
    await stack.announce(order_id)
    assert (await stack.result(order_id)).state is State.SKIPPED


async def test_an_order_that_is_cancelled_while_in_doubt_is_billed_or_not_but_known(stack: Stack) -> None:
    with left_in_doubt(stack, "lost_answer", **POST):
        (order_id,) = await sell(stack, ordinary(3))
        await stack.in_state(order_id, State.IN_DOUBT)
        stack.shop().set_status(order_id, statuses.CANCELLED)
        await stack.announce(order_id)
    # It is there, and then taken back.
    assert (await stack.result(order_id)).state is State.REVERSED
    assert [one.amount for one in invoices_of(stack, order_id)] == [total_of(stack, order_id)]
    assert (len(reversals_of(stack, order_id)), open_balance(stack, order_id)) == (1, Decimal(0))

    with left_in_doubt(stack, "error", status=504, **POST):
        (lost,) = await sell(stack, ordinary(4))
        await stack.in_state(lost, State.IN_DOUBT)
        shop = stack.shop()
        shop.edit_line(lost, shop.order(lost).lines[0].id, quantity=6)
        shop.set_status(lost, statuses.CANCELLED)
        await stack.announce(lost)
    # Sent again while it was still to be billed, or asked about: never lost.

    async def known() -> bool:
        return (await stack.state(lost)).state in (State.NEEDS_REVIEW, State.REVERSED)

    await eventually(known, "it is taken back, or asked about")
    standing = await stack.state(lost)
    codes = [one.code for one in standing.problems]
    assert codes in (["edited_after_posting"], ["posting_unknown"]) or standing.state is State.REVERSED
    assert len(invoices_of(stack, lost)) <= 1


async def test_an_amount_that_the_tax_engine_changed_is_posted_with_a_difference_and_never_sent_again(
    stack: Stack,
) -> None:
    stack.fusion.world.receivables.habits.tax_engine = "adds"
    accepted, given_up = await sell(stack, ordinary(5), ordinary(6))
    for order_id in (accepted, given_up):
        standing = await in_review(stack, order_id, "posted_with_difference")
        (invoice,) = invoices_of(stack, order_id)
        assert str(invoice.amount) in standing.problems[0].sentence
        assert str(total_of(stack, order_id)) in standing.problems[0].sentence
        assert await creation_state(stack, order_id) is CreationState.DIFFERS
    await again(stack, accepted)
    await in_review(stack, accepted, "posted_with_difference")
    assert len(invoices_of(stack, accepted)) == 1
    wrong = await refused(stack, accepted, "mark_posted", id="m1", target_id="no such number")
    assert wrong.type == "invoice_not_found"
    await decide(stack, accepted, "mark_posted", target_id=number_of(accepted))
    assert (await stack.result(accepted)).state is State.POSTED
    assert await creation_state(stack, accepted) is CreationState.POSTED
    await decide(stack, given_up, "skip")
    assert (await stack.result(given_up)).state is State.SKIPPED
    assert await creation_state(stack, given_up) is CreationState.DIFFERS
    assert len(invoices_of(stack, accepted)) == len(invoices_of(stack, given_up)) == 1


async def test_a_number_that_somebody_else_took_is_not_adopted(stack: Stack) -> None:
    order_id: int = stack.shop().place(ordinary(7)).id
    other = by_hand(stack, number_of(order_id), Decimal("1.00"))
    await stack.announce(order_id)
    standing = await in_review(stack, order_id, "reference_taken")
    assert number_of(order_id) in standing.problems[0].sentence
    assert invoices_of(stack, order_id) == []
    stack.fusion.receivables.remove(other)
    await again(stack, order_id)
    await billed_once(stack, [order_id])


async def test_a_number_taken_between_look_and_send_is_refused_by_fusion_and_looked_at(stack: Stack) -> None:
    gate = stack.fusion.hooks.hold("received", **POST)
    (order_id,) = await sell(stack, ordinary(8))
    await gate.reached()
    other = by_hand(stack, number_of(order_id), Decimal("1.00"))
    gate.release()
    await in_review(stack, order_id, "reference_taken")
    stack.fusion.receivables.remove(other)
    await again(stack, order_id)
    await billed_once(stack, [order_id])


async def test_a_number_that_fusion_replaced_is_found_by_the_cross_reference_and_not_sent_again(
    temporal_server: DevServer, tmp_path: Path
) -> None:
    """Somebody has switched the source to automatic numbering, and the pod ignores the number it is given."""
    async with open_stack(temporal_server, tmp_path, adjust=quick) as stack, stack.worker():
        stack.fusion.set_source(MANUAL_SOURCE, US_UNIT, numbering="automatic")
        stack.fusion.world.receivables.habits.given_number = "ignored"
        stack.fusion.faults.set("lost_answer", count=1, **POST)
        orders = await sell(stack, ordinary(40), ordinary(41))
        for order_id in orders:
            standing = await in_review(stack, order_id, "posted_with_difference")
            assert number_of(order_id) in standing.problems[0].sentence
            (invoice,) = invoices_of(stack, order_id)
            await decide(stack, order_id, "mark_posted", target_id=invoice.number)
            assert (await stack.result(order_id)).state is State.POSTED
        no_invoice_twice(stack)


async def test_a_refusal_names_everything_that_fusion_said_and_a_retry_bills_it(stack: Stack) -> None:
    stack.fusion.set_customer(US_CUSTOMER, enabled=False)
    (order_id,) = await sell(stack, ordinary(9))
    standing = await in_review(stack, order_id, "refused_by_fusion")
    assert "bill-to customer" in standing.problems[0].sentence
    stack.fusion.set_customer(US_CUSTOMER, enabled=True)
    await again(stack, order_id)
    await billed_once(stack, [order_id])


async def test_what_a_person_names_is_believed_once_fusion_shows_it_with_the_amount(stack: Stack) -> None:
    (other,) = await sell(stack, ordinary(10))
    await billed_once(stack, [other])
    stack.fusion.set_customer(US_CUSTOMER, enabled=False)
    by_number, by_id = await sell(stack, ordinary(11), ordinary(12))
    for order_id in (by_number, by_id):
        await in_review(stack, order_id, "refused_by_fusion")
    stack.fusion.set_customer(US_CUSTOMER, enabled=True)
    by_hand(stack, "H-WRONG", total_of(stack, by_number) + 1)
    mistyped = await refused(stack, by_number, "mark_posted", id="n1", target_id="H-WRONG")
    assert mistyped.type == "invoice_not_found"
    assert f"{total_of(stack, by_number)} USD" in mistyped.message
    anothers = await refused(stack, by_number, "mark_posted", id="n2", target_id=number_of(other))
    assert anothers.type in ("invoice_not_found", "invoice_of_another")
    assert (await stack.state(by_number)).state is State.NEEDS_REVIEW

    by_hand(stack, "H-RIGHT", total_of(stack, by_number))
    await decide(stack, by_number, "mark_posted", target_id="H-RIGHT")
    assert (await stack.result(by_number)).state is State.POSTED
    made = by_hand(stack, "H-ID", total_of(stack, by_id))
    await decide(stack, by_id, "mark_posted", target_id=str(made.id))
    assert (await stack.result(by_id)).state is State.POSTED
    for order_id in (by_number, by_id):
        stack.shop().ship(order_id)
        await stack.announce(order_id)
        assert (await stack.result(order_id)).state is State.POSTED
        assert invoices_of(stack, order_id) == []
        assert await creation_state(stack, order_id) is CreationState.POSTED


async def test_a_worker_that_was_paused_past_its_lease_sends_nothing(stack: Stack) -> None:
    received: list[int] = []
    stack.fusion.faults.set("slow_answer", seconds=DEADLINE + 1.0, count=1, **LOOK)

    async def note(_: Any) -> None:
        received.append(stack.fusion.calls.count(LOOK["method"], LOOK["path"]))

    stack.fusion.hooks.on("received", note, times=None, **POST)
    (order_id,) = await sell(stack, ordinary(13))
    await billed_once(stack, [order_id])
    [looks] = received
    assert looks >= 2, "sent once, and not after the look that took too long"
    handle = stack.temporal.get_workflow_handle(names.order_to_journal_id("bc-us", str(order_id)))
    told = []
    async for event in handle.fetch_history_events():
        if event.HasField("activity_task_completed_event_attributes"):
            payloads = event.activity_task_completed_event_attributes.result.payloads
            told += [one for one in await stack.temporal.data_converter.decode(payloads) if isinstance(one, dict)]
    assert any("not sent: the look took longer" in str(one.get("sentence")) for one in told), (
        "that attempt sent nothing"
    )


async def test_a_channel_that_is_switched_books_no_sale_a_second_time(
    temporal_server: DevServer, tmp_path: Path
) -> None:
    async with open_stack(temporal_server, tmp_path) as stack:
        switched = quick(stack.configuration)
        async with stack.worker():
            (booked,) = await sell(stack, ordinary(15))
            await posted(stack, [booked])
        async with worker_with(stack, switched):
            await edit(stack, booked, 4)
            # What was booked as a journal is corrected by a journal.
            assert (await stack.result(booked)).state is State.POSTED
            assert standing_total(stack.fusion, booked) == stack.shop().truth()[booked].total
            assert (len(journals_of(stack.fusion, booked)), invoices_of(stack, booked)) == (2, [])
            (billed_now,) = await sell(stack, ordinary(16))
            await billed_once(stack, [billed_now])
        async with stack.worker():
            await edit(stack, billed_now, 4)
            standing = await in_review(stack, billed_now, "edited_after_posting")
            assert f"acme/bc-us/order/{billed_now}/invoice/1" in standing.problems[0].sentence
            assert journals_of(stack.fusion, billed_now) == []
            await decide(stack, billed_now, "mark_posted", target_id=number_of(billed_now))
            assert (await stack.result(billed_now)).state is State.POSTED


async def test_what_is_unknown_may_be_given_up_by_a_person(temporal_server: DevServer, tmp_path: Path) -> None:
    imports = FAST | {"unknown_limit": 3.0 / 3600}
    async with (
        open_stack(
            temporal_server, tmp_path, imports=imports, adjust=lambda one: quick(one, "cross_reference")
        ) as stack,
        stack.worker(),
    ):
        stack.fusion.faults.set("cut", count=1, **POST)
        given_up, again_sent = await sell(stack, ordinary(20)), ordinary(21)
        standing = await in_review(stack, given_up[0], "posting_unknown")
        assert f"acme/bc-us/order/{given_up[0]}/invoice/1" in standing.problems[0].sentence
        await decide(stack, given_up[0], "skip")
        assert (await stack.result(given_up[0])).state is State.SKIPPED
        assert await creation_state(stack, given_up[0]) is CreationState.WITHDRAWN

        stack.fusion.faults.set("cut", count=1, **POST)
        (cancelled,) = await sell(stack, ordinary(22))
        await in_review(stack, cancelled, "posting_unknown")
        stack.shop().set_status(cancelled, statuses.CANCELLED)
        await stack.announce(cancelled)
        await retry(stack, names.order_to_journal_id("bc-us", str(cancelled)))
        assert (await stack.result(cancelled)).state is State.SKIPPED
        assert await creation_state(stack, cancelled) is CreationState.WITHDRAWN
        assert invoices_of(stack, cancelled) == []

        stack.fusion.faults.set("cut", count=1, **POST)
        (order_id,) = await sell(stack, again_sent)
        await in_review(stack, order_id, "posting_unknown")
        await retry(stack, names.order_to_journal_id("bc-us", str(order_id)))
        await billed_once(stack, [order_id])
        trail = [event.action for event in await stack.parts.store.audit.of("bc-us", "order", str(order_id))]
        assert trail.count("declared_absent") == 1
        assert invoices_of(stack, given_up[0]) == []
        await nothing_in_review(stack)


async def test_a_restored_store_adopts_what_is_there(temporal_server: DevServer, tmp_path: Path) -> None:
    """Whatever the store has forgotten, Fusion has not."""
    async with open_stack(temporal_server, tmp_path, adjust=quick) as stack, stack.worker():
        orders = await sell(stack, *(ordinary(30 + seed) for seed in range(3)))
        await billed_once(stack, orders)

        def forget(connection: Any) -> None:
            for table in ("creations", "documents", "turns"):
                connection.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608 -- names of tables

        await stack.parts.store._database.write(forget)
        for order_id in orders:
            await stack.announce(order_id)

        async def known() -> bool:
            rows = [await stack.parts.store.documents.get("bc-us", "order", str(one)) for one in orders]
            return all(row is not None and row.state is State.POSTED for row in rows)

        await eventually(known, "all orders are known again")
        await billed_once(stack, orders)
        for order_id in orders:
            events = await stack.parts.store.audit.of("bc-us", "order", str(order_id))
            assert [event.action for event in events][-2:] == ["intended", "adopted"]
