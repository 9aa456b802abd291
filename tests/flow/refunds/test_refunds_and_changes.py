"""Refunds of orders that are edited, cancelled and brought back: the ledger ends as the shop does."""

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal

import pytest
from support.imports import let_imports_be_held
from support.parking import deciding
from support.proof import ordinary, posted, sell
from support.refunds import (
    all_journals,
    announce_refund,
    balances,
    journals_of_refund,
    refund_in_state,
    refund_result,
    refund_row,
)
from support.stack import FAST, Stack, eventually, journals_of, open_stack

from activities import trail
from activities.journals import closing
from contracts import names
from contracts.configuration import Configuration, MappingSet, Rule, RuleConditions
from contracts.flow import State
from contracts.journal import Purpose
from contracts.refund import RefundSale
from contracts.starting import StartError, StartRequest
from mapping.refund_journal import REVERSED
from runtime.temporal.devserver import DevServer
from sandbox.bigcommerce import US_SHOP, Returned, Shape, draft, statuses

STORE_CREDIT = "101-000-23100-0000"


def with_canada(configuration: Configuration) -> Configuration:
    """What is sold to Canada is revenue of another account."""
    canada = Rule(
        id="canada",
        purpose=Purpose.REVENUE,
        when=RuleConditions(ship_to_country=("CA",)),
        account="*-110-41900-0000",
    )
    retail, *others = configuration.mapping_sets
    given = retail.model_copy(update={"rules": (canada, *retail.rules)})
    sets = (MappingSet.model_validate(given.model_dump()), *others)
    return let_imports_be_held(configuration).model_copy(update={"mapping_sets": sets})


@pytest.fixture(scope="module")
async def stack(temporal_server: DevServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """One stack with a worker for the whole file; every test has orders of its own."""
    directory = tmp_path_factory.mktemp("refunds-and-changes")
    imports = FAST | {"reread_after": 3.0}
    opening = open_stack(temporal_server, directory, imports=imports, adjust=with_canada)
    async with opening as opened, opened.worker():
        yield opened


async def sold(stack: Stack, seed: int) -> int:
    (order_id,) = await sell(stack, ordinary(seed))
    await posted(stack, [order_id])
    return order_id


async def sold_of_two_kinds(stack: Stack) -> int:
    """One line of each of two categories, whose revenue has an account each."""
    shirt, book = (draft(Shape.ORDINARY, US_SHOP, categories=[one]) for one in ("Apparel", "Books"))
    (order_id,) = await sell(stack, replace(shirt, items=(shirt.items[0], book.items[0])))
    await posted(stack, [order_id])
    return order_id


async def gives_back(stack: Stack, refund_id: int) -> None:
    await announce_refund(stack, refund_id)
    assert (await refund_result(stack, refund_id)).state is State.POSTED


async def cancel(stack: Stack, order_id: int) -> None:
    stack.shop().set_status(order_id, statuses.CANCELLED)
    await stack.announce(order_id)
    assert (await stack.result(order_id)).state is State.REVERSED


async def test_what_a_refund_took_back_a_reversal_does_not_take_once_more(stack: Stack) -> None:
    order_id = await sold(stack, 0)
    shop = stack.shop()
    refund = shop.refund(order_id, shop.order(order_id).lines[0].id, 1)
    await announce_refund(stack, refund.id)
    assert (await refund_result(stack, refund.id)).state is State.POSTED
    await cancel(stack, order_id)
    assert balances(all_journals(stack, order_id, refund.id)) == {}


async def test_a_refund_of_a_reversed_order_is_left_out_until_the_order_comes_back(stack: Stack) -> None:
    order_id = await sold(stack, 1)
    refund = stack.shop().refund(order_id, everything=True)
    await cancel(stack, order_id)
    await announce_refund(stack, refund.id)
    result = await refund_result(stack, refund.id)
    assert (result.state, result.sentence) == (State.SKIPPED, REVERSED)
    assert journals_of_refund(stack, refund.id) == []

    stack.shop().set_status(order_id, statuses.REFUNDED)
    await stack.announce(order_id)
    assert (await stack.result(order_id)).state is State.POSTED

    async def booked() -> bool:
        row = await refund_row(stack, refund.id)
        return row is not None and row.state is State.POSTED

    await eventually(booked, "the refund is posted after all")
    assert balances(all_journals(stack, order_id, refund.id)) == {}


async def test_an_order_that_is_cancelled_waits_for_a_refund_that_is_on_its_way(stack: Stack) -> None:
    order_id = await sold(stack, 2)
    shop = stack.shop()
    refund = shop.refund(order_id, shop.order(order_id).lines[0].id, 1)
    gate = stack.fusion.hooks.hold("answering", method="POST", path="/erpintegrations")
    await announce_refund(stack, refund.id)
    await gate.reached()
    shop.set_status(order_id, statuses.CANCELLED)
    await stack.announce(order_id)

    async def waits() -> bool:
        return "is on its way into the ledger" in (await stack.state(order_id)).sentence

    await eventually(waits, "the order waits for its refund")
    gate.release()
    assert (await refund_result(stack, refund.id)).state is State.POSTED
    assert (await stack.result(order_id)).state is State.REVERSED
    assert balances(all_journals(stack, order_id, refund.id)) == {}


async def test_an_order_that_waits_for_a_refund_hears_at_once_that_it_is_refused(stack: Stack) -> None:
    order_id = await sold(stack, 8)
    shop = stack.shop()
    refund = shop.refund(order_id, items=[Returned("ORDER", order_id, amount=Decimal("3.00"))], payments="storecredit")
    stack.fusion.set_account(STORE_CREDIT, import_refuses="EF03")
    try:
        gate = stack.fusion.hooks.hold("answering", method="POST", path="/erpintegrations")
        await announce_refund(stack, refund.id)
        await gate.reached()
        shop.set_status(order_id, statuses.CANCELLED)
        await stack.announce(order_id)

        async def waits() -> bool:
            return "is on its way into the ledger" in (await stack.state(order_id)).sentence

        await eventually(waits, "the order waits for its refund")
        gate.release()
        assert (await stack.result(order_id)).state is State.REVERSED
    finally:
        stack.fusion.set_account(STORE_CREDIT, import_refuses=None)
    assert balances(all_journals(stack, order_id)) == {}

    async def heard() -> bool:
        row = await refund_row(stack, refund.id)
        return row is not None and [one.code for one in row.problems] == ["refund_of_reversed_order"]

    await eventually(heard, "the refund knows that its order is reversed")


async def test_a_refund_that_a_person_is_asked_about_is_booked_once_its_order_stands_again(stack: Stack) -> None:
    order_id = await sold(stack, 11)
    shop = stack.shop()
    await cancel(stack, order_id)
    # It opens the order in the shop, of which the ledger has not heard yet.
    refund = shop.refund(order_id, items=[Returned("ORDER", order_id, amount=Decimal("3.00"))], payments="storecredit")
    await announce_refund(stack, refund.id)
    await refund_in_state(stack, refund.id, State.NEEDS_REVIEW)
    await stack.announce(order_id)
    assert (await stack.result(order_id)).state is State.POSTED
    assert (await refund_result(stack, refund.id)).state is State.POSTED
    assert balances(all_journals(stack, order_id, refund.id))[STORE_CREDIT] == Decimal("-3.00")


async def test_a_refund_of_an_edited_order_is_booked_on_what_stands(stack: Stack) -> None:
    order_id = await sold(stack, 3)
    shop = stack.shop()
    shop.edit_line(order_id, shop.order(order_id).lines[0].id, quantity=3)
    await stack.announce(order_id)
    assert (await stack.result(order_id)).state is State.POSTED
    assert len(journals_of(stack.fusion, order_id)) == 2
    refund = shop.refund(order_id, everything=True)
    await announce_refund(stack, refund.id)
    assert (await refund_result(stack, refund.id)).state is State.POSTED
    assert balances(all_journals(stack, order_id, refund.id)) == {}


async def test_a_refund_reckons_with_what_older_ones_booked_before_an_edit(stack: Stack) -> None:
    order_id = await sold_of_two_kinds(stack)
    shop = stack.shop()
    first = shop.refund(order_id, items=[Returned("ORDER", order_id, amount=Decimal("5.00"))])
    await gives_back(stack, first.id)
    line = shop.order(order_id).lines[1]
    shop.edit_line(order_id, line.id, unit_price=3 * line.item.unit_price)
    await stack.announce(order_id)
    assert (await stack.result(order_id)).state is State.POSTED
    rest = shop.refund(order_id, everything=True)
    await gives_back(stack, rest.id)
    assert balances(all_journals(stack, order_id, first.id, rest.id)) == {}


async def test_a_refund_that_is_repeated_after_another_took_the_rest_is_for_a_person(stack: Stack) -> None:
    order_id = await sold(stack, 4)
    shop = stack.shop()
    total = shop.truth()[order_id].total
    first = shop.refund(order_id, items=[Returned("ORDER", order_id, amount=total - 1)], declined=True)
    await announce_refund(stack, first.id)
    await refund_in_state(stack, first.id, State.RUNNING, "declined to pay back")
    second = shop.refund(order_id, items=[Returned("ORDER", order_id, amount=Decimal("2.00"))], over=True)
    await gives_back(stack, second.id)
    shop.repeat_refund(first.id)
    await announce_refund(stack, first.id)
    standing = await refund_in_state(stack, first.id, State.NEEDS_REVIEW)
    assert f"with it {total + 1} USD were given back" in standing.problems[0].sentence
    assert journals_of_refund(stack, first.id) == []


async def test_store_credit_that_a_refund_granted_outlives_the_order(stack: Stack) -> None:
    order_id = await sold(stack, 5)
    credit = stack.shop().refund(
        order_id, items=[Returned("ORDER", order_id, amount=Decimal("3.00"))], payments="storecredit"
    )
    await gives_back(stack, credit.id)
    await cancel(stack, order_id)
    standing = balances(all_journals(stack, order_id, credit.id))
    assert sorted(standing.values()) == [Decimal("-3.00"), Decimal("3.00")]
    assert standing[STORE_CREDIT] == Decimal("-3.00")


async def test_a_cancellation_asks_about_a_refund_that_was_booked_by_hand(stack: Stack) -> None:
    order_id = await sold(stack, 7)
    shop = stack.shop()
    total = shop.truth()[order_id].total + 5
    over = shop.refund(
        order_id, items=[Returned("ORDER", order_id, amount=total)], override=(total, total - total), over=True
    )
    await announce_refund(stack, over.id)
    await refund_in_state(stack, over.id, State.NEEDS_REVIEW)
    await deciding(stack, f"refund/{over.id}", "skip")
    assert (await refund_result(stack, over.id)).state is State.SKIPPED
    shop.set_status(order_id, statuses.CANCELLED)
    await stack.announce(order_id)
    standing = await stack.in_state(order_id, State.NEEDS_REVIEW)
    assert [one.code for one in standing.problems] == ["refund_by_hand"]
    assert len(journals_of(stack.fusion, order_id)) == 1


async def test_what_a_refund_took_moves_with_an_order_that_goes_elsewhere(stack: Stack) -> None:
    order_id = await sold(stack, 6)
    shop = stack.shop()
    first = shop.refund(order_id, items=[Returned("ORDER", order_id, amount=Decimal("5.00"))])
    await gives_back(stack, first.id)
    shop.move(order_id, replace(shop.order(order_id).draft.person, country_iso2="CA"))
    await stack.announce(order_id)
    assert (await stack.result(order_id)).state is State.POSTED
    assert len(journals_of(stack.fusion, order_id)) == 2
    rest = shop.refund(order_id, everything=True)
    await gives_back(stack, rest.id)
    assert balances(all_journals(stack, order_id, first.id, rest.id)) == {}


async def test_an_edit_waits_for_a_refund_that_is_on_its_way_and_is_told_when_it_is_there(stack: Stack) -> None:
    order_id = await sold(stack, 7)
    shop = stack.shop()
    first = shop.refund(order_id, items=[Returned("ORDER", order_id, amount=Decimal("5.00"))])
    gate = stack.fusion.hooks.hold("answering", method="POST", path="/erpintegrations")
    await announce_refund(stack, first.id)
    await gate.reached()
    shop.move(order_id, replace(shop.order(order_id).draft.person, country_iso2="CA"))
    await stack.announce(order_id)

    async def waits() -> bool:
        return "is on its way into the ledger" in (await stack.state(order_id)).sentence

    await eventually(waits, "the order waits for its refund")
    gate.release()
    assert (await stack.result(order_id)).state is State.POSTED
    rest = shop.refund(order_id, everything=True)
    await gives_back(stack, rest.id)
    assert balances(all_journals(stack, order_id, first.id, rest.id)) == {}


async def test_a_refund_that_was_left_out_is_told_although_temporal_was_away_when_its_order_came_back(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = await sold(stack, 8)
    refund = stack.shop().refund(order_id, everything=True)
    await cancel(stack, order_id)
    await announce_refund(stack, refund.id)
    assert (await refund_result(stack, refund.id)).state is State.SKIPPED
    start, refused = stack.parts.starter.start, 0

    async def away(request: StartRequest) -> None:
        nonlocal refused
        if request.flow == names.REFUND_TO_JOURNAL and refused < 3:
            refused += 1
            raise StartError("Temporal cannot be reached.", outage=True)
        await start(request)

    monkeypatch.setattr(stack.parts.starter, "start", away)
    stack.shop().set_status(order_id, statuses.REFUNDED)
    await stack.announce(order_id)
    assert (await stack.result(order_id)).state is State.POSTED

    async def booked() -> bool:
        row = await refund_row(stack, refund.id)
        return row is not None and row.state is State.POSTED

    await eventually(booked, "the refund is posted after all")
    assert refused == 3
    assert balances(all_journals(stack, order_id, refund.id)) == {}


async def test_a_refund_that_waited_looks_at_its_order_as_it_is_then(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = stack.shop().place(ordinary(9), status_id=statuses.PENDING).id
    shop = stack.shop()
    refund = shop.refund(order_id, items=[Returned("ORDER", order_id, amount=Decimal("5.00"))])
    shop.set_status(order_id, statuses.PENDING)
    await announce_refund(stack, refund.id)
    await refund_in_state(stack, refund.id, State.WAITING_PARENT, "is not postable")

    async def untold(*_: object) -> None:
        """A timer finds out."""

    monkeypatch.setattr(trail, "wake_refunds", untold)
    monkeypatch.setattr(closing, "wake_refunds", untold)
    shop.add_line(order_id, ordinary(10).items[0])
    shop.set_status(order_id, statuses.AWAITING_FULFILLMENT)
    await stack.announce(order_id)
    assert (await stack.result(order_id)).state is State.POSTED
    assert (await refund_result(stack, refund.id)).state is State.POSTED
    rest = shop.refund(order_id, everything=True)
    await gives_back(stack, rest.id)
    (booked,) = await stack.parts.store.journals.standing_of("bc-us", names.REFUND, [str(refund.id)])
    assert isinstance(booked.sale, RefundSale)
    assert len(booked.sale.lines) == len(shop.order(order_id).lines), "the free amount falls on all lines there are"
    assert balances(all_journals(stack, order_id, refund.id, rest.id)) == {}
