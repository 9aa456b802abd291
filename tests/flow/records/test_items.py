"""Products and items are one thing with two faces: they agree in what is owned, and nobody's work is overwritten."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.items import (
    announce_item,
    at_rest,
    catalog,
    converged,
    decide_item,
    found_by_poll,
    in_review,
    item_result,
    item_row,
    item_trail,
    keeping,
    look_at_product,
    name_in_fusion,
    name_in_shop,
    new_item,
    new_product,
    poll_records,
    product,
    writes,
)
from support.stack import Stack, eventually, open_stack

from contracts.flow import State
from contracts.record_ids import record_id
from runtime.temporal.devserver import DevServer


@pytest.fixture(scope="module")
async def stack(temporal_server: DevServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """One stack with a worker for the whole file; every test has items of its own."""
    directory = tmp_path_factory.mktemp("items")
    adjust = keeping(owners={"name": "fusion", "description": "shop"}, item_classes=["Root Item Class"])
    async with open_stack(temporal_server, directory, adjust=adjust) as opened, opened.worker():
        yield opened


async def linked(stack: Stack, number: str, name: str) -> Any:
    """A product and an item that agree."""
    new_item(stack, number, name)
    made = new_product(stack, number, name)
    assert (await converged(stack, number)).state is State.POSTED
    return made


async def test_an_item_that_no_product_has_becomes_a_draft_that_nobody_sees_or_can_buy(stack: Stack) -> None:
    new_item(stack, "NEW-1", "Flax shirt", LongDescription="Washed linen.")
    result = await converged(stack, "NEW-1")
    assert (result.state, result.sentence) == (State.POSTED, "made in the shop")
    made = product(stack, "NEW-1")
    assert made is not None
    assert (made.fields["name"], made.fields["description"]) == ("Flax shirt", "Washed linen.")
    assert (made.fields["is_visible"], made.fields["availability"], made.fields["price"]) == (False, "disabled", 0)
    known = await stack.parts.store.agreements.get("bc-us", "item", "NEW-1")
    assert known is not None
    assert known.linked
    (item,) = stack.fusion.items.numbered("NEW-1")
    target = await stack.parts.store.cross_references.target("bc-us", "item", str(made.id), "fusion", "item")
    assert target == str(item.values["ItemId"])
    told = await item_trail(stack, "NEW-1")
    assert [one.action for one in told] == ["made", "agreed"]
    assert told[-1].details["made"] == "shop"


async def test_what_the_owner_changes_is_written_to_the_other_side_and_to_no_other_field(stack: Stack) -> None:
    made = await linked(stack, "OWN-1", "Canvas bag")
    before = {name: value for name, value in made.fields.items() if name not in ("name", "description")}
    (item,) = stack.fusion.items.numbered("OWN-1")
    stack.fusion.items.touch(item, ItemDescription="Canvas bag, large")
    catalog(stack).edit(made.id, description="<p>Carries everything.</p>")
    result = await converged(stack, "OWN-1")
    assert result.sentence == "description written to Fusion; name written to the shop"
    assert name_in_shop(stack, "OWN-1") == "Canvas bag, large"
    assert item.values["LongDescription"] == "<p>Carries everything.</p>"
    assert {name: value for name, value in made.fields.items() if name not in ("name", "description")} == before
    (agreed,) = [one for one in await item_trail(stack, "OWN-1") if one.sentence == result.sentence]
    assert agreed.details["fields"] == {"name": "owner_changed", "description": "owner_changed"}
    assert "Carries" not in str(agreed.details)


async def test_what_changes_while_another_field_is_written_is_not_taken_for_agreed(stack: Stack) -> None:
    made = await linked(stack, "ASIDE-1", "Tin cup")
    (item,) = stack.fusion.items.numbered("ASIDE-1")
    stack.fusion.items.touch(item, ItemDescription="Tin cup, blue")
    gate = stack.shops.hooks.hold("received", method="PUT", path="/catalog/products")
    await announce_item(stack, "ASIDE-1")
    await gate.reached()
    catalog(stack).edit(made.id, description="<p>Holds a pint.</p>")
    gate.release()
    assert (await item_result(stack, "ASIDE-1")).sentence == "name written to the shop"
    assert (await look_at_product(stack, made.id)).started == 1
    await eventually(
        lambda: item.values.get("LongDescription") == "<p>Holds a pint.</p>", "the description is in Fusion"
    )
    assert name_in_shop(stack, "ASIDE-1") == "Tin cup, blue"
    assert (await item_result(stack, "ASIDE-1")).state is State.POSTED


async def test_our_own_writes_are_recognised_and_cost_no_further_write(stack: Stack) -> None:
    made = await linked(stack, "LOOP-1", "Felt beanie")
    await poll_records(stack, "fusion")
    await poll_records(stack, "shop")
    await at_rest(stack)
    (item,) = stack.fusion.items.numbered("LOOP-1")
    stack.fusion.items.touch(item, ItemDescription="Felt beanie, grey")
    await found_by_poll(stack, "fusion")
    assert (await item_result(stack, "LOOP-1")).sentence == "name written to the shop"
    await at_rest(stack)
    count = writes(stack)
    # The webhook of our write, the shop's poll, and whoever else looks.
    assert (await look_at_product(stack, made.id)).started == 0
    assert (await poll_records(stack, "shop")).started == 0
    assert (await poll_records(stack, "fusion")).started == 0
    assert (await converged(stack, "LOOP-1")).state is State.POSTED
    assert writes(stack) == count


async def test_a_change_where_the_field_is_not_owned_asks_a_person_and_names_both_values(stack: Stack) -> None:
    made = await linked(stack, "CON-1", "Blue mug")
    catalog(stack).edit(made.id, name="Azure mug")
    await announce_item(stack, "CON-1")
    row = await in_review(stack, "CON-1")
    (problem,) = row.problems
    assert problem.code == "changed_where_not_owned"
    assert "“Blue mug”" in problem.sentence
    assert "“Azure mug”" in problem.sentence
    count = writes(stack)
    assert name_in_shop(stack, "CON-1") == "Azure mug"
    # A retry says that the owner is right.
    await decide_item(stack, "CON-1", "retry")
    assert (await item_result(stack, "CON-1")).sentence == "name written to the shop"
    assert (name_in_shop(stack, "CON-1"), name_in_fusion(stack, "CON-1")) == ("Blue mug", "Blue mug")
    assert writes(stack) == count + 1
    rules = [one.details["fields"] for one in await item_trail(stack, "CON-1") if one.action == "agreed"]
    assert rules[-1] == {"name": "restored"}


async def test_a_conflict_that_people_settle_themselves_leaves_review_without_a_write(stack: Stack) -> None:
    made = await linked(stack, "CON-2", "Red mug")
    catalog(stack).edit(made.id, name="Scarlet mug")
    (item,) = stack.fusion.items.numbered("CON-2")
    stack.fusion.items.touch(item, ItemDescription="Crimson mug")
    await announce_item(stack, "CON-2")
    row = await in_review(stack, "CON-2")
    assert [one.code for one in row.problems] == ["changed_at_both"]
    count = writes(stack)
    stack.fusion.items.touch(item, ItemDescription="Scarlet mug")
    await announce_item(stack, "CON-2")
    assert (await item_result(stack, "CON-2")).state is State.POSTED
    assert writes(stack) == count


async def test_a_change_that_is_put_back_leaves_review_without_anybody_s_word(stack: Stack) -> None:
    made = await linked(stack, "PUT-1", "Teal mug")
    catalog(stack).edit(made.id, name="Cyan mug")
    await look_at_product(stack, made.id)
    await in_review(stack, "PUT-1")
    count = writes(stack)
    # What both sides have now is what they had agreed on: no news of the item, but the question is settled.
    catalog(stack).edit(made.id, name="Teal mug")
    await look_at_product(stack, made.id)
    assert (await item_result(stack, "PUT-1")).state is State.POSTED
    assert writes(stack) == count


async def test_what_a_person_skips_stays_as_it_is_until_a_side_changes_again(stack: Stack) -> None:
    made = await linked(stack, "SKIP-1", "Oak tray")
    catalog(stack).edit(made.id, name="Oak tray (sale)")
    await announce_item(stack, "SKIP-1")
    await in_review(stack, "SKIP-1")
    await decide_item(stack, "SKIP-1", "skip")
    assert (await item_result(stack, "SKIP-1")).state is State.SKIPPED
    again = await converged(stack, "SKIP-1")
    assert (again.state, again.sentence) == (State.SKIPPED, "skipped by dana: looked at it")
    (item,) = stack.fusion.items.numbered("SKIP-1")
    stack.fusion.items.touch(item, ItemDescription="Oak tray, 40 cm")
    await announce_item(stack, "SKIP-1")
    assert [one.code for one in (await in_review(stack, "SKIP-1")).problems] == ["changed_at_both"]
    await decide_item(stack, "SKIP-1", "retry", mark="2")
    await item_result(stack, "SKIP-1")
    assert name_in_shop(stack, "SKIP-1") == "Oak tray, 40 cm"


async def test_a_retry_is_about_what_was_in_review_and_not_about_what_came_since(stack: Stack) -> None:
    made = await linked(stack, "CON-3", "Grey rug")
    catalog(stack).edit(made.id, name="Ash rug")
    await announce_item(stack, "CON-3")
    row = await in_review(stack, "CON-3")
    catalog(stack).edit(made.id, name="Stone rug")
    await decide_item(stack, "CON-3", "retry")

    async def parked_again() -> bool:
        newest = await item_row(stack, "CON-3")
        return newest is not None and newest.at > row.at and any("Stone rug" in one.sentence for one in newest.problems)

    await eventually(parked_again, "the newer name is in review")
    assert name_in_shop(stack, "CON-3") == "Stone rug"


async def test_items_that_are_not_for_sale_become_nothing(stack: Stack) -> None:
    new_item(stack, "RAW-1", "Thread", CustomerOrderEnabledFlag=False)
    result = await converged(stack, "RAW-1")
    assert result.state is State.SKIPPED
    assert "customers may not order it" in result.sentence
    new_item(stack, "RAW-2", "Jacket", ItemClass="Apparel")
    assert "its item class is Apparel" in (await converged(stack, "RAW-2")).sentence
    assert product(stack, "RAW-1") is None
    assert product(stack, "RAW-2") is None
    # Told again, nothing is put on record a second time.
    events = len(await item_trail(stack, "RAW-1"))
    assert (await converged(stack, "RAW-1")).state is State.SKIPPED
    assert len(await item_trail(stack, "RAW-1")) == events


async def test_a_sku_that_no_item_has_is_left_and_found_once_the_item_is_there(stack: Stack) -> None:
    new_product(stack, "LATE-1", "Felt bag")
    assert "Fusion has no such record" in (await converged(stack, "LATE-1")).sentence
    await poll_records(stack, "fusion")
    new_item(stack, "LATE-1", "Felt bag, brown", ItemClass="Apparel")
    await found_by_poll(stack, "fusion")
    await eventually(lambda: name_in_shop(stack, "LATE-1") == "Felt bag, brown", "the product has the item's name")


async def test_a_sku_in_other_letters_is_told_and_not_taken_for_the_item(stack: Stack) -> None:
    new_item(stack, "Case-1", "Tea towel")
    new_product(stack, "CASE-1", "Kitchen towel")
    await announce_item(stack, "Case-1")
    (problem,) = (await in_review(stack, "Case-1")).problems
    assert problem.code == "sku_case_differs"
    assert "CASE-1" in problem.sentence
    assert name_in_shop(stack, "CASE-1") == "Kitchen towel"
    await decide_item(stack, "Case-1", "skip")


async def test_a_product_that_was_deleted_is_not_made_anew(stack: Stack) -> None:
    made = await linked(stack, "GONE-1", "Glass jar")
    catalog(stack).delete(made.id)
    assert (await look_at_product(stack, made.id)).started == 1
    result = await item_result(stack, "GONE-1")
    assert (result.state, result.sentence) == (State.SKIPPED, "the shop has it no more, and nothing is made anew")
    (item,) = stack.fusion.items.numbered("GONE-1")
    stack.fusion.items.touch(item, ItemDescription="Glass jar, small")
    assert (await converged(stack, "GONE-1")).state is State.SKIPPED
    assert product(stack, "GONE-1") is None


async def test_variants_are_linked_each_by_its_own_sku_and_keep_the_name_of_their_product(stack: Stack) -> None:
    made = new_product(stack, "VAR-1", "Socks")
    catalog(stack).add_variants(made.id, 2)
    numbers = [str(one.fields["sku"]) for one in made.variants]
    for number in numbers:
        new_item(stack, number, f"Socks {number}")
    assert (await look_at_product(stack, made.id)).started == 3
    for number in numbers:
        assert (await item_result(stack, number)).state is State.POSTED
    parts = await stack.parts.store.agreements.parts_of("bc-us", "item", str(made.id))
    assert {one.name for one in parts if one.linked} == set(numbers)
    assert name_in_shop(stack, "VAR-1") == "Socks"


async def test_numbers_of_any_letters_are_items_too(stack: Stack) -> None:
    for number in ("A/B 12:3", "-Größe 40-", "LONG " + "X" * 100):
        new_item(stack, number, f"Odd {len(number)}")
    await poll_records(stack, "fusion", whole=True)
    for number in ("A/B 12:3", "-Größe 40-", "LONG " + "X" * 100):
        assert (await item_result(stack, number)).state is State.POSTED
        assert name_in_shop(stack, number) == f"Odd {len(number)}"
        row = await stack.parts.store.documents.get("bc-us", "item", record_id(number))
        assert row is not None


async def test_a_name_that_is_too_long_for_the_other_side_goes_to_review_unwritten(stack: Stack) -> None:
    made = await linked(stack, "LONG-1", "Scarf")
    catalog(stack).edit(made.id, description="x" * 4001)
    await announce_item(stack, "LONG-1")
    (problem,) = (await in_review(stack, "LONG-1")).problems
    assert problem.code == "value_does_not_fit"
    assert "4001 characters, Fusion takes 4000" in problem.sentence
    catalog(stack).edit(made.id, description="short")
    await announce_item(stack, "LONG-1")
    assert (await item_result(stack, "LONG-1")).state is State.POSTED


async def test_a_field_that_the_shop_does_not_take_goes_to_review(stack: Stack) -> None:
    await linked(stack, "NOT-1", "Bowl")
    (item,) = stack.fusion.items.numbered("NOT-1")
    stack.fusion.items.touch(item, ItemDescription="Bowl, deep")
    habits = stack.shops.stores["us1abc"].habits
    habits.untaken.add("name")
    try:
        await announce_item(stack, "NOT-1")
        row = await in_review(stack, "NOT-1")
    finally:
        habits.untaken.clear()
    assert row.problems[0].code in ("value_not_taken", "vendor_207")
    await decide_item(stack, "NOT-1", "retry")
    assert (await item_result(stack, "NOT-1")).state is State.POSTED
    assert name_in_shop(stack, "NOT-1") == "Bowl, deep"


async def test_an_answer_that_is_lost_makes_one_draft(stack: Stack) -> None:
    stack.shops.faults.set("lost_answer", path="/v3/catalog/products$", method="POST", count=1)
    new_item(stack, "LOST-1", "Lost and found")
    assert (await converged(stack, "LOST-1")).state is State.POSTED
    assert [one.fields["sku"] for one in catalog(stack).products.values()].count("LOST-1") == 1


async def test_what_the_shop_made_of_a_write_whose_answer_is_lost_is_nobodys_change(stack: Stack) -> None:
    made = await linked(stack, "LOST-2", "Oak tray")
    (item,) = stack.fusion.items.numbered("LOST-2")
    stack.fusion.items.touch(item, ItemDescription="Oak tray <small>")
    written = stack.shops.hooks.hold("committed", method="PUT", path="/catalog/products")
    stack.shops.faults.set("lost_answer", path="/catalog/products", method="PUT", count=1)
    await announce_item(stack, "LOST-2")
    await written.reached()
    # The shop keeps it in its own way.
    catalog(stack).edit(made.id, name="Oak tray small")
    written.release()
    result = await item_result(stack, "LOST-2")
    assert (result.state, result.sentence) == (State.POSTED, "name written to the shop")
    assert (await item_trail(stack, "LOST-2"))[-1].details["fields"] == {"name": "owner_changed"}
    known = await stack.parts.store.agreements.get("bc-us", "item", "LOST-2")
    assert known is not None
    assert known.sent == {}


async def test_a_name_that_another_product_has_goes_to_review_with_the_shops_own_words(stack: Stack) -> None:
    new_product(stack, "NAME-1", "One of a kind")
    new_item(stack, "NAME-2", "One of a kind")
    await announce_item(stack, "NAME-2")
    (problem,) = (await in_review(stack, "NAME-2")).problems
    assert problem.code == "vendor_409"
    assert "name is a duplicate" in problem.sentence
    await decide_item(stack, "NAME-2", "skip")
