"""What a customer may say of items: who owns what, prices, new items from products, and no questions asked."""

from collections.abc import AsyncIterator

import pytest
from support.items import (
    announce_item,
    catalog,
    converged,
    item_result,
    item_trail,
    keeping,
    name_in_shop,
    new_item,
    new_product,
    product,
)
from support.stack import Stack, open_stack

from contracts.flow import State
from runtime.temporal.devserver import DevServer


@pytest.fixture(scope="module")
async def stack(temporal_server: DevServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """One stack with a worker for the whole file; every test has items of its own."""
    directory = tmp_path_factory.mktemp("items")
    adjust = keeping(
        owners={"name": "fusion", "weight": "shop"}, new_products="create", prices=True, on_conflict="owner"
    )
    async with open_stack(temporal_server, directory, adjust=adjust) as opened, opened.worker():
        yield opened


async def test_a_product_that_no_item_has_becomes_one_where_that_is_wanted(stack: Stack) -> None:
    new_product(stack, "BORN-1", "Cork board", description="Pins included.", weight=2.5)
    result = await converged(stack, "BORN-1")
    assert (result.state, result.sentence) == (State.POSTED, "made in Fusion")
    (item,) = stack.fusion.items.numbered("BORN-1")
    assert item.values["ItemDescription"] == "Cork board"
    assert item.values["LongDescription"] == "Pins included."
    assert item.values["UnitWeightQuantity"] == 2.5
    assert (await converged(stack, "BORN-1")).state is State.POSTED
    assert len(stack.fusion.items.numbered("BORN-1")) == 1


async def test_an_item_whose_answer_is_lost_is_made_once(stack: Stack) -> None:
    new_product(stack, "BORN-2", "Cork mat")
    stack.fusion.faults.set("lost_answer", path="itemsV2$", method="POST", count=1)
    assert (await converged(stack, "BORN-2")).state is State.POSTED
    assert len(stack.fusion.items.numbered("BORN-2")) == 1


async def test_prices_are_kept_equal_only_because_somebody_said_so(stack: Stack) -> None:
    item = new_item(stack, "PRICE-1", "Pencil", ListPrice=4.5)
    assert (await converged(stack, "PRICE-1")).sentence == "made in the shop"
    made = product(stack, "PRICE-1")
    assert made is not None
    assert made.fields["price"] == 4.5
    stack.fusion.items.touch(item, ListPrice=5)
    assert (await converged(stack, "PRICE-1")).sentence == "price written to the shop"
    assert made.fields["price"] == 5


async def test_what_the_shop_owns_goes_to_fusion_and_the_rest_stays(stack: Stack) -> None:
    item = new_item(stack, "HEAVY-1", "Anvil", UnitWeightQuantity=20)
    await converged(stack, "HEAVY-1")
    made = product(stack, "HEAVY-1")
    assert made is not None
    catalog(stack).edit(made.id, weight=21.5, mpn="ANV")
    assert (await converged(stack, "HEAVY-1")).sentence == "weight written to Fusion"
    assert item.values["UnitWeightQuantity"] == 21.5
    assert item.values["ItemDescription"] == "Anvil"


async def test_nobody_is_asked_where_the_owner_is_always_right(stack: Stack) -> None:
    new_item(stack, "RIGHT-1", "Ruler")
    await converged(stack, "RIGHT-1")
    made = product(stack, "RIGHT-1")
    assert made is not None
    catalog(stack).edit(made.id, name="Ruler, super sale")
    assert (await converged(stack, "RIGHT-1")).state is State.POSTED
    assert name_in_shop(stack, "RIGHT-1") == "Ruler"
    assert (await item_trail(stack, "RIGHT-1"))[-1].details["fields"] == {"name": "restored"}


async def test_where_nothing_was_agreed_yet_the_owners_value_is_written(stack: Stack) -> None:
    new_product(stack, "FIRST-1", "eraser")
    new_item(stack, "FIRST-1", "Eraser, white")
    await converged(stack, "FIRST-1")
    assert name_in_shop(stack, "FIRST-1") == "Eraser, white"
    assert (await item_trail(stack, "FIRST-1"))[-1].details["fields"]["name"] == "first"


async def test_an_item_that_somebody_changes_at_the_same_moment_is_compared_anew(stack: Stack) -> None:
    """Between the comparison and the write the item gets another weight: nobody's work is overwritten unseen."""
    item = new_item(stack, "RACE-1", "Clamp", UnitWeightQuantity=3)
    await converged(stack, "RACE-1")
    made = product(stack, "RACE-1")
    assert made is not None
    catalog(stack).edit(made.id, weight=4)
    gate = stack.fusion.hooks.hold("received", method="PATCH", path="itemsV2")
    await announce_item(stack, "RACE-1")
    await gate.reached()
    stack.fusion.items.touch(item, UnitWeightQuantity=9)
    gate.release()
    assert (await item_result(stack, "RACE-1")).state is State.POSTED
    assert item.values["UnitWeightQuantity"] == 4
    rules = [one.details["fields"] for one in await item_trail(stack, "RACE-1") if one.action == "agreed"]
    assert rules[-1]["weight"] in ("restored", "owner_changed")
