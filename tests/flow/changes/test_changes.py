"""Orders change at every moment: what is posted is the last version, once, and no change is ever lost."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from support.imports import let_imports_be_held
from support.parking import deciding
from support.stack import Stack, balances_of, eventually, journals_of, open_stack, posted_total, standing_total
from temporalio.client import WorkflowExecutionStatus

from contracts import names
from contracts.flow import State
from mapping.edits import sale_fingerprint
from runtime.temporal.devserver import DevServer
from sandbox.bigcommerce import US_SHOP, Draft, Shape, draft, statuses
from sandbox.kit import Exchange
from store.rows import PostingState

STORM = 40
SEND: dict[str, Any] = {"method": "POST", "path": "/erpintegrations", "body": "importBulkData"}


@pytest.fixture(scope="module")
async def stack(temporal_server: DevServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """One stack with a worker for the whole file; every test has orders of its own."""
    directory = tmp_path_factory.mktemp("changes")
    async with open_stack(temporal_server, directory, adjust=let_imports_be_held) as opened, opened.worker():
        yield opened


def ordinary(seed: int = 0) -> Draft:
    return draft(Shape.ORDINARY, US_SHOP, seed=seed)


def with_antique(seed: int = 0) -> Draft:
    """A basket whose last line has no revenue account."""
    basket = ordinary(seed)
    antique = draft(Shape.ORDINARY, US_SHOP, seed=seed, categories=["Antiques"]).items[0]
    return replace(basket, items=(*basket.items, antique))


async def posted(stack: Stack, seed: int = 0) -> int:
    order_id: int = stack.shop().place(ordinary(seed)).id
    await stack.announce(order_id)
    assert (await stack.result(order_id)).state is State.POSTED
    return order_id


async def edit(stack: Stack, order_id: int, quantity: int) -> None:
    """The first line has another quantity, and the shop says so."""
    shop = stack.shop()
    shop.edit_line(order_id, shop.order(order_id).lines[0].id, quantity=quantity)
    await stack.announce(order_id)


def truth(stack: Stack, order_id: int) -> Decimal:
    total: Decimal = stack.shop().truth()[order_id].total
    return total


async def last_version(stack: Stack, order_id: int) -> str:
    """Fingerprint of what the shop shows now."""
    snapshot, _ = await stack.parts.shops["bc-us"].order(str(order_id))
    return sale_fingerprint(snapshot.sale, stack.configuration.integration("shop-us").posting)


async def settled_as_shown(stack: Stack, order_id: int, *states: State) -> State:
    """Waits until the store knows the version that the shop shows now, in one of these states."""
    shown = await last_version(stack, order_id)

    async def known() -> State | None:
        row = await stack.parts.store.documents.get("bc-us", "order", str(order_id))
        return row.state if row and row.fingerprint == shown and row.state in states else None

    state: State = await eventually(known, f"the last version of order {order_id} is {' or '.join(states)}")
    return state


async def closed(stack: Stack, order_id: int) -> None:
    """Waits until no run of the order is open: every announced change was looked at."""
    handle = stack.temporal.get_workflow_handle(names.order_to_journal_id("bc-us", str(order_id)))

    async def ended() -> bool:
        return (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED

    await eventually(ended, f"order {order_id} has ended")


async def skip(stack: Stack, order_id: int) -> None:
    await deciding(stack, order_id, "skip")


@asynccontextmanager
async def in_import(stack: Stack, *orders: int) -> AsyncIterator[None]:
    """The orders' group has been taken by Fusion, and the answer is held as long as the context lasts."""
    gate = stack.fusion.hooks.hold("answering", **SEND)
    for order_id in orders:
        await stack.announce(order_id)
    await gate.reached()
    try:
        yield
    finally:
        gate.release()


async def test_a_version_that_was_mapped_while_an_older_one_arrived_follows_it_and_nobody_is_asked(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = stack.shop().place(ordinary(2)).id
    journals, stage = stack.parts.store.journals, stack.parts.store.journals.stage
    gate = stack.fusion.hooks.hold("answering", **SEND)
    late = []

    async def arrived() -> bool:
        postings = await journals.postings_of("bc-us", names.ORDER, str(order_id))
        return [one.state for one in postings] == [PostingState.POSTED]

    async def after_the_first(journal: Any, **given: Any) -> Any:
        if given["document_id"] == str(order_id) and gate.exchanges and not late:
            late.append(journal.reference)
            gate.release()
            await eventually(arrived, "the older version is posted")
        return await stage(journal, **given)

    monkeypatch.setattr(journals, "stage", after_the_first)
    await stack.announce(order_id)
    await gate.reached()
    await edit(stack, order_id, quantity=4)
    assert (await stack.result(order_id)).state is State.POSTED
    assert len(late) == 1
    assert len(journals_of(stack.fusion, order_id)) == 2
    assert standing_total(stack.fusion, order_id) == truth(stack, order_id)


async def test_an_incomplete_order_is_posted_once_it_is_paid(stack: Stack) -> None:
    order_id = stack.shop().place(ordinary(1), status_id=statuses.INCOMPLETE).id
    await stack.announce(order_id)
    result = await stack.result(order_id)
    assert (result.state, result.sentence) == (State.SKIPPED, "status Incomplete is not postable")
    assert journals_of(stack.fusion, order_id) == []

    stack.shop().set_status(order_id, statuses.AWAITING_FULFILLMENT)
    await stack.announce(order_id)
    assert (await stack.result(order_id)).state is State.POSTED
    assert posted_total(stack.fusion, order_id) == truth(stack, order_id)


async def test_a_status_change_after_posting_posts_nothing_and_asks_nobody(stack: Stack) -> None:
    order_id = await posted(stack, 2)
    requests = len(stack.fusion.requests())
    shop = stack.shop()
    for change in (
        shop.ship,
        lambda number: shop.set_status(number, statuses.COMPLETED),
        lambda number: shop.set_status(number, statuses.PENDING),
        shop.touch,
    ):
        change(order_id)
        await stack.announce(order_id)
        assert (await stack.result(order_id)).state is State.POSTED
    assert len(stack.fusion.requests()) == requests
    assert len(journals_of(stack.fusion, order_id)) == 1


async def test_of_edits_before_sealing_only_the_last_version_is_posted(stack: Stack) -> None:
    # While one group is being imported the next cannot be sealed.
    first = stack.shop().place(ordinary(3)).id
    async with in_import(stack, first):
        order_id = stack.shop().place(ordinary(4)).id
        await stack.announce(order_id)
        await stack.in_state(order_id, State.WAITING_IMPORT)
        versions = {truth(stack, order_id)}
        for quantity in (7, 4, 9):
            await edit(stack, order_id, quantity)
            versions.add(truth(stack, order_id))
        await settled_as_shown(stack, order_id, State.WAITING_IMPORT)
    assert len(versions) == 4
    assert (await stack.result(order_id)).state is State.POSTED
    assert [one.total("entered_dr") for one in journals_of(stack.fusion, order_id)] == [truth(stack, order_id)]


async def test_an_order_cancelled_before_sealing_is_never_posted(stack: Stack) -> None:
    first = stack.shop().place(ordinary(5)).id
    async with in_import(stack, first):
        order_id = stack.shop().place(ordinary(6)).id
        await stack.announce(order_id)
        await stack.in_state(order_id, State.WAITING_IMPORT)
        stack.shop().set_status(order_id, statuses.CANCELLED)
        await stack.announce(order_id)
        assert (await stack.result(order_id)).state is State.SKIPPED
    assert (await stack.result(first)).state is State.POSTED
    assert journals_of(stack.fusion, order_id) == []


async def test_an_edit_after_posting_posts_exactly_the_difference(stack: Stack) -> None:
    order_id = await posted(stack, 7)
    before = truth(stack, order_id)
    await edit(stack, order_id, 8)
    assert await settled_as_shown(stack, order_id, State.POSTED) is State.POSTED
    sale, delta = journals_of(stack.fusion, order_id)
    assert delta.given_name.endswith(f"/order/{order_id}/delta/1")
    assert delta.total("entered_dr") == abs(truth(stack, order_id) - before) != 0
    assert f"changes {sale.given_name}" in delta.description
    # On the accounts that a first posting of this version would have.
    assert standing_total(stack.fusion, order_id) == truth(stack, order_id)
    assert set(balances_of(stack.fusion, order_id)) == {line.account for line in sale.lines}


async def test_an_order_edited_to_and_fro_has_a_journal_for_each_edit(stack: Stack) -> None:
    order_id = await posted(stack, 8)
    quantity = stack.shop().order(order_id).lines[0].item.quantity
    once = balances_of(stack.fusion, order_id)
    for number, wanted in enumerate((quantity + 3, quantity, quantity + 3), start=2):
        await edit(stack, order_id, wanted)
        await settled_as_shown(stack, order_id, State.POSTED)
        await closed(stack, order_id)
        assert len(journals_of(stack.fusion, order_id)) == number
        assert standing_total(stack.fusion, order_id) == truth(stack, order_id)
        if wanted == quantity:
            assert balances_of(stack.fusion, order_id) == once
    ended = [one.given_name.partition(f"/order/{order_id}/")[2] for one in journals_of(stack.fusion, order_id)]
    assert ended == ["sale/1", "delta/1", "delta/2", "delta/3"]


async def test_an_edit_that_is_taken_back_before_it_is_sealed_posts_nothing(stack: Stack) -> None:
    order_id, first = await posted(stack, 20), stack.shop().place(ordinary(21)).id
    quantity = stack.shop().order(order_id).lines[0].item.quantity
    async with in_import(stack, first):
        await edit(stack, order_id, quantity + 2)
        await settled_as_shown(stack, order_id, State.WAITING_IMPORT)
        await edit(stack, order_id, quantity)
        await settled_as_shown(stack, order_id, State.POSTED)
    assert (await stack.result(first)).state is State.POSTED
    await closed(stack, order_id)
    assert len(journals_of(stack.fusion, order_id)) == 1


async def test_a_cancelled_order_is_reversed_and_posted_again_when_it_comes_back(stack: Stack) -> None:
    order_id = await posted(stack, 22)
    once = balances_of(stack.fusion, order_id)
    stack.shop().set_status(order_id, statuses.CANCELLED)
    await stack.announce(order_id)
    result = await stack.result(order_id)
    assert (result.state, result.reference.partition(f"/order/{order_id}/")[2]) == (State.REVERSED, "reversal/1")
    assert balances_of(stack.fusion, order_id) == {}

    # Told again, it is settled.
    stack.shop().touch(order_id)
    await stack.announce(order_id)
    assert (await stack.result(order_id)).state is State.REVERSED
    assert len(journals_of(stack.fusion, order_id)) == 2

    stack.shop().set_status(order_id, statuses.AWAITING_FULFILLMENT)
    await stack.announce(order_id)
    assert (await stack.result(order_id)).state is State.POSTED
    assert balances_of(stack.fusion, order_id) == once
    assert len(journals_of(stack.fusion, order_id)) == 3


async def test_an_edit_that_is_cancelled_before_it_is_sealed_is_only_reversed(stack: Stack) -> None:
    order_id, first = await posted(stack, 23), stack.shop().place(ordinary(24)).id
    async with in_import(stack, first):
        await edit(stack, order_id, 7)
        await settled_as_shown(stack, order_id, State.WAITING_IMPORT)
        stack.shop().set_status(order_id, statuses.DECLINED)
        await stack.announce(order_id)

        async def reversing() -> bool:
            postings = await stack.parts.store.journals.postings_of("bc-us", "order", str(order_id))
            states = {one.key.purpose: one.state for one in postings}
            return (states.get("delta"), states.get("reversal")) == (PostingState.WITHDRAWN, PostingState.STAGED)

        await eventually(reversing, "the reversal waits in place of the edit")
    assert (await stack.result(order_id)).state is State.REVERSED
    assert balances_of(stack.fusion, order_id) == {}
    assert len(journals_of(stack.fusion, order_id)) == 2


async def fetches(stack: Stack, order_id: int) -> int:
    """How often the order was read, and not found settled."""
    events = await stack.parts.store.audit.of("bc-us", "order", str(order_id))
    return sum(one.action == "fetched" for one in events)


async def test_an_order_that_is_cancelled_and_archived_before_anybody_looks_is_reversed(stack: Stack) -> None:
    order_id = await posted(stack, 26)
    stack.shop().set_status(order_id, statuses.CANCELLED)
    stack.shop().archive(order_id)
    await stack.announce(order_id)
    assert (await stack.result(order_id)).state is State.REVERSED
    assert balances_of(stack.fusion, order_id) == {}
    assert len(journals_of(stack.fusion, order_id)) == 2


async def test_to_archive_an_order_does_not_call_back_the_reversal_that_waits(stack: Stack) -> None:
    order_id, first = await posted(stack, 27), stack.shop().place(ordinary(28)).id
    async with in_import(stack, first):
        stack.shop().set_status(order_id, statuses.CANCELLED)
        await stack.announce(order_id)
        await settled_as_shown(stack, order_id, State.WAITING_IMPORT)
        before = await fetches(stack, order_id)
        stack.shop().archive(order_id)
        await stack.announce(order_id)

        async def looked() -> bool:
            return await fetches(stack, order_id) > before

        await eventually(looked, "the archived order was looked at")
    assert (await stack.result(order_id)).state is State.REVERSED
    assert balances_of(stack.fusion, order_id) == {}
    assert len(journals_of(stack.fusion, order_id)) == 2


async def test_to_archive_an_order_after_it_was_reversed_or_posted_asks_nobody(stack: Stack) -> None:
    reversed_one, kept = await posted(stack, 29), await posted(stack, 30)
    stack.shop().set_status(reversed_one, statuses.CANCELLED)
    await stack.announce(reversed_one)
    assert (await stack.result(reversed_one)).state is State.REVERSED
    for order_id, state, journals in ((reversed_one, State.REVERSED, 2), (kept, State.POSTED, 1)):
        stack.shop().archive(order_id)
        await stack.announce(order_id)
        assert (await stack.result(order_id)).state is state
        assert len(journals_of(stack.fusion, order_id)) == journals


async def test_an_edit_before_an_order_was_archived_posts_its_difference(stack: Stack) -> None:
    order_id = await posted(stack, 31)
    shop = stack.shop()
    shop.edit_line(order_id, shop.order(order_id).lines[0].id, quantity=6)
    shop.archive(order_id)
    await stack.announce(order_id)
    assert (await stack.result(order_id)).state is State.POSTED
    assert standing_total(stack.fusion, order_id) == truth(stack, order_id)
    assert len(journals_of(stack.fusion, order_id)) == 2


async def test_a_skipped_edit_stands_until_the_next_one(stack: Stack) -> None:
    order_id = await posted(stack, 25)
    before = truth(stack, order_id)
    shop = stack.shop()
    antique = draft(Shape.ORDINARY, US_SHOP, seed=25, categories=["Antiques"]).items[0]
    line = shop.add_line(order_id, antique).lines[-1].id
    await stack.announce(order_id)
    standing = await stack.in_state(order_id, State.NEEDS_REVIEW)
    assert [problem.code for problem in standing.problems] == ["unmapped_account"]
    await skip(stack, order_id)
    assert (await stack.result(order_id)).state is State.SKIPPED
    shop.ship(order_id)
    await stack.announce(order_id)
    result = await stack.result(order_id)
    assert (result.state, result.sentence) == (State.SKIPPED, "skipped by dana: at the fair")
    assert standing_total(stack.fusion, order_id) == before != truth(stack, order_id)

    shop.edit_line(order_id, line, quantity=0)
    await edit(stack, order_id, 9)
    await settled_as_shown(stack, order_id, State.POSTED)
    assert standing_total(stack.fusion, order_id) == truth(stack, order_id)


async def test_an_order_whose_edit_was_skipped_is_reversed_when_it_is_cancelled(stack: Stack) -> None:
    order_id = await posted(stack, 32)
    shop = stack.shop()
    shop.add_line(order_id, draft(Shape.ORDINARY, US_SHOP, seed=32, categories=["Antiques"]).items[0])
    await stack.announce(order_id)
    await stack.in_state(order_id, State.NEEDS_REVIEW)
    await skip(stack, order_id)
    assert (await stack.result(order_id)).state is State.SKIPPED
    await eventually(lambda: shop.now() > shop.order(order_id).modified, "the shop's clock has moved on")
    shop.set_status(order_id, statuses.CANCELLED)
    await stack.announce(order_id)
    assert (await stack.result(order_id)).state is State.REVERSED
    assert balances_of(stack.fusion, order_id) == {}


async def test_what_changes_while_its_group_is_imported_is_posted_afterwards(stack: Stack) -> None:
    edited, cancelled = stack.shop().place(ordinary(9)).id, stack.shop().place(ordinary(10)).id
    async with in_import(stack, edited, cancelled):
        await edit(stack, edited, 9)
        stack.shop().set_status(cancelled, statuses.CANCELLED)
        await stack.announce(cancelled)
    await settled_as_shown(stack, edited, State.POSTED)
    assert standing_total(stack.fusion, edited) == truth(stack, edited)
    assert len(journals_of(stack.fusion, edited)) == 2
    assert (await stack.result(cancelled)).state is State.REVERSED
    assert balances_of(stack.fusion, cancelled) == {}


async def test_a_stray_webhook_in_review_does_not_retry_and_an_edit_does(stack: Stack) -> None:
    order_id = stack.shop().place(with_antique(11)).id
    await stack.announce(order_id)
    await stack.in_state(order_id, State.NEEDS_REVIEW)
    handle = stack.temporal.get_workflow_handle(names.order_to_journal_id("bc-us", str(order_id)))
    run = (await handle.describe()).run_id
    stack.shop().touch(order_id)
    await stack.announce(order_id)

    async def looked_and_thought() -> bool:
        events = (await handle.fetch_history()).events
        looked = [one.event_id for one in events if one.HasField("activity_task_completed_event_attributes")]
        thought = [one.event_id for one in events if one.HasField("workflow_task_completed_event_attributes")]
        return bool(looked) and thought[-1] > looked[-1]

    await eventually(looked_and_thought, "the run has looked at the order")
    assert (await handle.describe()).run_id == run
    assert (await stack.state(order_id)).state is State.NEEDS_REVIEW

    shop = stack.shop()
    shop.edit_line(order_id, shop.order(order_id).lines[-1].id, quantity=0)
    await stack.announce(order_id)
    assert (await stack.result(order_id)).state is State.POSTED
    assert posted_total(stack.fusion, order_id) == truth(stack, order_id)


async def test_a_storm_of_edits_around_completion_never_loses_the_last(stack: Stack) -> None:
    """Every exchange with Fusion, from the lookup to the look that sees it posted, comes with another edit."""
    order_id = stack.shop().place(ordinary(12)).id
    left = iter(range(2, 2 + STORM))

    async def another(exchange: Exchange) -> None:
        if (quantity := next(left, None)) is not None:
            await edit(stack, order_id, quantity)

    stack.fusion.hooks.on("answering", another, times=STORM)
    await stack.announce(order_id)
    await eventually(lambda: journals_of(stack.fusion, order_id), "a version is in the ledger")
    for quantity in left:
        await edit(stack, order_id, quantity)
    await settled_as_shown(stack, order_id, State.POSTED)
    await closed(stack, order_id)
    assert standing_total(stack.fusion, order_id) == truth(stack, order_id)
    assert len(journals_of(stack.fusion, order_id)) <= 1 + STORM


async def settled_as_shown_after(stack: Stack, order_id: int, before: Decimal) -> State:
    await eventually(lambda: truth(stack, order_id) != before, "the storm has begun")
    await eventually(lambda: stack.shop().order(order_id).lines[0].item.quantity == 1 + STORM, "the storm has passed")
    return await settled_as_shown(stack, order_id, State.POSTED)


@pytest.mark.parametrize("point", ["received", "committed", "answering"])
async def test_a_storm_at_one_moment_of_the_import_never_loses_the_last(stack: Stack, point: Any) -> None:
    order_id = stack.shop().place(ordinary(13)).id
    before = truth(stack, order_id)

    async def storm(exchange: Exchange) -> None:
        for quantity in range(2, 2 + STORM):
            await edit(stack, order_id, quantity)

    stack.fusion.hooks.on(point, storm, **SEND)
    await stack.announce(order_id)
    await settled_as_shown_after(stack, order_id, before)
    await closed(stack, order_id)
    assert standing_total(stack.fusion, order_id) == truth(stack, order_id)
    assert journals_of(stack.fusion, order_id)[0].total("entered_dr") == before


async def test_a_storm_before_sealing_is_one_journal_of_the_last_version(stack: Stack) -> None:
    first = stack.shop().place(ordinary(14)).id
    async with in_import(stack, first):
        order_id = stack.shop().place(ordinary(15)).id
        for quantity in range(2, 2 + STORM):
            await edit(stack, order_id, quantity)
        await settled_as_shown(stack, order_id, State.WAITING_IMPORT)
    assert (await stack.result(order_id)).state is State.POSTED
    assert [one.total("entered_dr") for one in journals_of(stack.fusion, order_id)] == [truth(stack, order_id)]
