"""As for journals, where orders are billed in Receivables: a store is restored, and no sale is billed twice."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

import pytest
from recovery.conftest import Vintage
from recovery.receivables.conftest import HOMES, ONE_HOME
from recovery.redelivery import (
    announce_all,
    are_closed,
    billed_by_hand,
    decide,
    in_review,
    poll,
    recovered,
    says_it_is_behind,
)
from support.proof import ordinary, sell
from support.receivables import billed, billed_once, invoices_of, no_invoice_twice
from support.stack import Stack, eventually, journals_of

from contracts import names
from contracts.configuration import Configuration
from contracts.flow import State
from contracts.receivable import ReferenceHome
from sandbox.bigcommerce import statuses
from store.creating.creation import CreationState

POST: Final[dict[str, Any]] = {"method": "POST", "path": r"/receivablesInvoices$"}
CLEARANCE_ARTICLE: Final = 130
UNKNOWN: Final = 3.0
"""Seconds that an outcome may stay unknown before a person is asked."""


@pytest.fixture
def imports() -> dict[str, float]:
    return {"unknown_limit": UNKNOWN / 3600}


async def declined(stack: Stack, seed: int) -> int:
    """An order that waits for a person because Fusion refused it once; another try would bill it."""
    stack.fusion.faults.set("error", status=400, count=1, **POST)
    (order_id,) = await sell(stack, ordinary(seed))
    await in_review(stack, order_id, "refused_by_fusion")
    return order_id


def invoices(stack: Stack) -> int:
    return len(stack.fusion.invoices())


def reference_of(order_id: int) -> str:
    return f"acme/bc-us/order/{order_id}/invoice/1"


async def state_of(stack: Stack, order_id: int) -> CreationState | None:
    row = await stack.parts.store.creations.creation(reference_of(order_id))
    return row.state if row else None


async def stays_decided(stack: Stack, orders: Iterable[tuple[int, State]]) -> None:
    for order_id, state in orders:
        await stack.announce(order_id)
        assert (await stack.result(order_id)).state is state
        document = await stack.parts.store.documents.get("bc-us", "order", str(order_id))
        assert document is not None
        assert (document.state, document.decided_by) == (state, "dana")


async def test_a_restored_store_bills_no_sale_twice(vintage: Vintage, home: ReferenceHome) -> None:
    live = vintage.stack
    async with live.worker():
        before = await sell(live, ordinary(0), ordinary(1))
        await billed_once(live, before)
        held = live.fusion.hooks.hold("received", **POST)
        in_doubt = await sell(live, ordinary(2))
        await held.reached()
        await vintage.back_up()
        held.release()
        live.fusion.hooks.clear()
        await billed_once(live, in_doubt)

        after = await sell(live, *(ordinary(seed) for seed in range(3, 7)))
        await billed_once(live, after)
        unknown: list[int] = []
        if home == "cross_reference":
            live.fusion.faults.set("cut", count=1, **POST)
            unknown = await sell(live, ordinary(7))
            await in_review(live, unknown[0], "posting_unknown")
        skipped, marked = await declined(live, 8), await declined(live, 9)
        by_hand = billed_by_hand(live, "HAND-9", live.shop().truth()[marked].total)
        await decide(live, marked, "mark_posted", target_id=str(by_hand.id))
        await decide(live, skipped, "skip")
        # The newest run of a decided order only says that it is settled.
        await announce_all(live, [skipped, marked])
        await live.result(skipped)
        await live.result(marked)
        await are_closed(live, [skipped, marked])
    cancelled, edited, *untouched = after
    count = invoices(live)

    live.shop().set_status(cancelled, statuses.CANCELLED)
    line = live.shop().order(edited).lines[0]
    line.item = replace(line.item, product_id=CLEARANCE_ARTICLE)
    live.shop().touch(edited)
    async with vintage.restored() as stack, stack.worker():
        await announce_all(stack, [*before, *in_doubt, *after, skipped, marked])
        await poll(stack)
        await poll(stack, names.SWEEP_ORDERS, days=7)
        new = await sell(stack, ordinary(10))
        for order_id in (edited, *untouched, skipped, marked, *new):
            await says_it_is_behind(stack, order_id)
        assert invoices(stack) == count

        result = await recovered(stack)
        assert result.done
        assert "invoices" in result.behind
        assert {reference_of(order_id) for order_id in (*in_doubt, *after)} == set(result.brought_back)
        assert len(result.decided) == 2
        assert (result.undecided, result.unread, result.several) == ((), (), ())

        await billed_once(stack, [*before, *in_doubt, *untouched, *new])
        await in_review(stack, edited, "edited_after_posting")
        await in_review(stack, cancelled, "edited_after_posting")
        for order_id in unknown:
            standing = await stack.in_state(order_id, State.NEEDS_REVIEW)
            assert [one.code for one in standing.problems] == ["posting_unknown"]
        await stays_decided(stack, [(skipped, State.SKIPPED), (marked, State.POSTED)])
        await announce_all(stack, [*before, *in_doubt, *after, *unknown])
        await poll(stack, names.SWEEP_ORDERS, days=7)
        await billed_once(stack, [*before, *in_doubt, *untouched, *new])

        again = await recovered(stack)
        assert (again.brought_back, again.decided, again.undecided) == ((), (), ())
        await billed_once(stack, await sell(stack, ordinary(11)))
        no_invoice_twice(stack)
        assert invoices(stack) == count + 2
        for order_id in (*unknown, skipped, marked):
            assert invoices_of(stack, order_id) == []


@ONE_HOME
async def test_what_was_not_sent_by_the_backups_store_is_known_to_be_there(vintage: Vintage) -> None:
    """Rows of the backup that were intended, withdrawn or in review become what Fusion shows."""
    live = vintage.stack
    async with live.worker():
        refused = await declined(live, 20)
        await vintage.back_up()
        await decide_again(live, refused)
        await billed_once(live, [refused])
    async with vintage.restored() as stack, stack.worker():
        assert await state_of(stack, refused) is not CreationState.POSTED
        assert (await recovered(stack)).brought_back == (reference_of(refused),)
        assert await state_of(stack, refused) is CreationState.POSTED
        await stack.announce(refused)
        await billed_once(stack, [refused])


async def decide_again(stack: Stack, order_id: int) -> None:
    await decide(stack, order_id, "retry")


@ONE_HOME
async def test_a_channel_that_was_switched_since_books_no_journal_beside_the_invoice(vintage: Vintage) -> None:
    live = vintage.stack
    async with live.worker():
        await billed_once(live, await sell(live, ordinary(30)))
        await vintage.back_up()
        (order_id,) = await sell(live, ordinary(31))
        await billed_once(live, [order_id])
    async with vintage.restored(journals_again) as stack, stack.worker():
        assert (await recovered(stack)).brought_back == (reference_of(order_id),)
        await stack.announce(order_id)
        standing = await in_review(stack, order_id, "posted_elsewhere")
        assert reference_of(order_id) in standing.problems[0].sentence
        assert journals_of(stack.fusion, order_id) == []


def journals_again(configuration: Configuration) -> Configuration:
    """The American channel as it was, its receivable books kept."""
    america, *others = configuration.integrations
    channels = tuple(one.model_copy(update={"target": "journal"}) for one in america.channels)
    return configuration.model_copy(
        update={"integrations": (america.model_copy(update={"channels": channels}), *others)}
    )


async def test_another_home_of_the_reference_bills_nothing_twice(vintage: Vintage, home: ReferenceHome) -> None:
    live = vintage.stack
    async with live.worker():
        await billed_once(live, await sell(live, ordinary(40)))
        await vintage.back_up()
        orders = await sell(live, ordinary(41), ordinary(42))
        await billed_once(live, orders)

    def moved(configuration: Configuration) -> Configuration:
        return billed(configuration, next(one for one in HOMES if one != home))

    async with vintage.restored(moved) as stack, stack.worker():
        result = await recovered(stack)
        assert set(result.brought_back) == {reference_of(order_id) for order_id in orders}
        await announce_all(stack, orders)
        await billed_once(stack, orders)
        no_invoice_twice(stack)


async def test_two_invoices_with_our_reference_are_named_and_a_person_chooses(vintage: Vintage) -> None:
    live = vintage.stack
    async with live.worker():
        await billed_once(live, await sell(live, ordinary(50)))
        await vintage.back_up()
        (order_id,) = await sell(live, ordinary(51))
        await billed_once(live, [order_id])
    (ours,) = invoices_of(live, order_id)
    copy = billed_by_hand(live, "COPY-51", ours.amount, CrossReference=reference_of(order_id))
    async with vintage.restored() as stack, stack.worker():
        result = await recovered(stack)
        (several,) = result.several
        assert several.reference == reference_of(order_id)
        assert set(several.numbers) == {ours.number, copy.number}
        assert [row.id for row in await stack.parts.store.documents.review_list()] == [str(order_id)]
        await stack.announce(order_id)
        standing = await in_review(stack, order_id, "duplicate_in_erp")
        assert copy.number in standing.problems[0].sentence
        await decide(stack, order_id, "mark_posted", target_id=str(ours.id))
        assert await state_of(stack, order_id) is CreationState.POSTED
        assert (await recovered(stack)).brought_back == ()
        assert len([one for one in stack.fusion.invoices() if one.given.get("PurchaseOrder") == str(order_id)]) == 1


@ONE_HOME
async def test_a_decision_that_cannot_be_recorded_again_is_asked_for_and_not_replaced_by_posting(
    vintage: Vintage,
) -> None:
    live = vintage.stack
    async with live.worker():
        await billed_once(live, await sell(live, ordinary(60)))
        await vintage.back_up()
        marked = await declined(live, 61)
        by_hand = billed_by_hand(live, "HAND-61", live.shop().truth()[marked].total)
        await decide(live, marked, "mark_posted", target_id=str(by_hand.id))
        await are_closed(live, [marked])
    live.fusion.receivables.remove(by_hand)
    async with vintage.restored() as stack, stack.worker():
        await stack.announce(marked)
        await says_it_is_behind(stack, marked)
        result = await recovered(stack)
        assert result.done
        assert len(result.undecided) == 1
        assert f"Order {marked}" in result.undecided[0]
        standing = await stack.in_state(marked, State.NEEDS_REVIEW)
        assert standing.problems[0].code == "decision_lost"
        await stack.announce(marked)
        await poll(stack, names.SWEEP_ORDERS, days=7)

        async def listed() -> bool:
            return [row.id for row in await stack.parts.store.documents.review_list()] == [str(marked)]

        await eventually(listed, "the order is in the review list")
        await billed_once(stack, await sell(stack, ordinary(62)))
        assert invoices_of(stack, marked) == []
