"""What a person decides about an order in review: verified, done once, and never in the way of the next order."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from support.imports import let_imports_be_held
from support.stack import Stack, eventually, journals_of, open_stack, posted_total
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from contracts import names
from contracts.configuration import Configuration, MappingSet, Rule
from contracts.flow import Decided, Decision, State
from contracts.journal import Purpose
from runtime.operations.standing import standing
from runtime.temporal.devserver import DevServer
from sandbox.bigcommerce import EU_SHOP, US_SHOP, Draft, Profile, Shape, draft
from sandbox.fusion import Journal, JournalLine
from sandbox.fusion.demo_world import US_LEDGER

CLEARING, ANTIQUES, SUSPENSE = "101-000-11200-0000", "101-110-41900-0000", "201-000-19990-0000"
CLEARANCE = "101-120-41400-1000"
UNCOVERED = frozenset({"handling", "wrapping"})
SEND: dict[str, Any] = {"method": "POST", "path": "/erpintegrations", "body": "importBulkData"}


def with_gaps(configuration: Configuration) -> Configuration:
    """The American rules lack three accounts; the European ones send what no rule covers to suspense."""
    retail = configuration.mapping_sets[0]
    incomplete = retail.model_copy(update={"rules": tuple(one for one in retail.rules if one.id not in UNCOVERED)})
    lenient = retail.model_copy(update={"id": "lenient", "suspense": "*-000-19990-0000"})
    america, europe = configuration.integrations
    return let_imports_be_held(configuration).model_copy(
        update={
            "mapping_sets": (incomplete, lenient),
            "integrations": (america, europe.model_copy(update={"mapping_set": "lenient"})),
        }
    )


@pytest.fixture(scope="module")
async def stack(temporal_server: DevServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """One stack with a worker for the whole file; every test has orders of its own."""
    directory = tmp_path_factory.mktemp("decisions")
    async with open_stack(temporal_server, directory, adjust=with_gaps) as opened, opened.worker():
        yield opened


def antiques(seed: int = 0, profile: Profile = US_SHOP) -> Draft:
    return draft(Shape.ORDINARY, profile, seed=seed, categories=["Antiques"])


async def in_review(stack: Stack, basket: Draft) -> int:
    order_id: int = stack.shop().place(basket).id
    await stack.announce(order_id)
    await stack.in_state(order_id, State.NEEDS_REVIEW)
    return order_id


async def posted(stack: Stack, seed: int) -> int:
    order_id: int = stack.shop().place(draft(Shape.ORDINARY, US_SHOP, seed=seed)).id
    await stack.announce(order_id)
    assert (await stack.result(order_id)).state is State.POSTED
    return order_id


async def decide(stack: Stack, order_id: int, kind: str, **more: Any) -> Decided:
    fields = {"id": f"{kind}-{order_id}", "kind": kind, "who": "dana", "why": "month end", **more}
    decision = Decision.model_validate(fields)
    handle = stack.temporal.get_workflow_handle(names.order_to_journal_id("bc-us", str(order_id)))
    return await handle.execute_update(names.DECIDE, decision, id=decision.id, result_type=Decided)


async def refused(stack: Stack, order_id: int, kind: str, **more: Any) -> ApplicationError:
    """The decision is not taken; gives what the person is told."""
    with pytest.raises(WorkflowUpdateFailedError) as failure:
        await decide(stack, order_id, kind, **more)
    assert isinstance(failure.value.cause, ApplicationError)
    return failure.value.cause


async def trail(stack: Stack, order_id: int) -> list[str]:
    """Actions of the order's audit events, oldest first."""
    return [event.action for event in await stack.parts.store.audit.of("bc-us", "order", str(order_id))]


def post_by_hand(stack: Stack, like: Journal, amount: Decimal, name: str) -> str:
    """What an accountant enters in Fusion; gives the batch's name."""
    books = stack.fusion.books
    lines = [
        JournalLine(1, CLEARING, amount, None, amount, None, name, {}),
        JournalLine(2, ANTIQUES, None, amount, None, amount, name, {}),
    ]
    batch = replace(like.batch, id=books.next_id(), name=f"{name} batch", source="Manual", group_id="", journals=[])
    own = {"id": books.next_id(), "name": name, "given_name": name, "description": name, "external_reference": ""}
    batch.journals.append(replace(like, **own, lines=lines, batch=batch, _totals={}))
    books.batches.append(batch)
    return batch.name


async def test_everything_that_is_unmapped_is_listed_at_once_and_a_new_version_posts_it(stack: Stack) -> None:
    basket = antiques(1)
    charged = tuple(replace(one, handling=Decimal("2.50")) for one in basket.deliveries)
    wrapped = replace(basket.items[0], wrapping=Decimal("4.95"))
    order_id = await in_review(stack, replace(basket, deliveries=charged, items=(wrapped, *basket.items[1:])))
    problems = (await stack.state(order_id)).problems
    assert {problem.code for problem in problems} == {"unmapped_account"}
    told = " ".join(problem.sentence for problem in problems)
    assert '"Antiques"' in told
    assert "handling" in told
    assert "wrapping" in told
    row = await stack.parts.store.documents.get("bc-us", "order", str(order_id))
    assert row is not None
    assert row.problems == problems

    # A version that nobody ever configured is told so, and the order stays in review.
    await decide(stack, order_id, "retry_with_mapping", id=f"unknown-{order_id}", mapping_version=9)

    async def unknown() -> bool:
        standing = await stack.in_state(order_id, State.NEEDS_REVIEW)
        return [problem.code for problem in standing.problems] == ["unknown_mapping_version"]

    await eventually(unknown, "the unknown version is a problem")

    configured = stack.configuration.mapping_set("retail")
    missing = (
        Rule(id="antiques", purpose=Purpose.REVENUE, account="*-110-41900-0000"),
        Rule(id="handling", purpose=Purpose.HANDLING, account="*-000-42200-0000"),
        Rule(id="wrapping", purpose=Purpose.WRAPPING, account="*-000-42300-0000"),
    )
    await stack.parts.store.mapping_sets.register(
        MappingSet.model_validate(
            configured.model_copy(update={"version": 2, "rules": (*configured.rules, *missing)}).model_dump()
        )
    )
    await decide(stack, order_id, "retry_with_mapping", mapping_version=2)
    assert (await stack.result(order_id)).state is State.POSTED
    (journal,) = journals_of(stack.fusion, order_id)
    assert journal.total("entered_dr") == stack.shop().truth()[order_id].total
    assert any("retail v2 rule antiques" in line.description for line in journal.lines)


async def test_marked_as_posted_is_believed_once_fusion_shows_the_very_amount(stack: Stack) -> None:
    other = await posted(stack, 2)
    (others_journal,) = journals_of(stack.fusion, other)
    stack.fusion.set_account(CLEARANCE, import_refuses="EF03")
    try:
        order_id = await in_review(stack, draft(Shape.ORDINARY, US_SHOP, seed=3, categories=["Clearance"]))
    finally:
        stack.fusion.set_account(CLEARANCE, import_refuses=None)
    total = stack.shop().truth()[order_id].total

    absent = await refused(stack, order_id, "mark_posted", id="m1", target_id="No such batch")
    assert absent.type == "journal_not_found"
    wrong = post_by_hand(stack, others_journal, total + 1, "Clearance sale, mistyped")
    mistyped = await refused(stack, order_id, "mark_posted", id="m2", target_id=wrong)
    assert mistyped.type == "journal_not_found"
    assert f"{total} USD" in mistyped.message
    assert (await stack.state(order_id)).state is State.NEEDS_REVIEW

    right = post_by_hand(stack, others_journal, total, "Clearance sale")
    await decide(stack, order_id, "mark_posted", id="m3", target_id=right)
    result = await stack.result(order_id)
    assert (result.state, result.journal_name) == (State.POSTED, right)
    stack.shop().ship(order_id)
    await stack.announce(order_id)
    assert (await stack.result(order_id)).state is State.POSTED
    assert journals_of(stack.fusion, order_id) == []
    assert (await trail(stack, order_id)).count("marked_posted") == 1


async def test_the_journal_of_another_order_is_not_believed(stack: Stack) -> None:
    other = await posted(stack, 4)
    (others_journal,) = journals_of(stack.fusion, other)
    order_id = await in_review(stack, antiques(4))
    anothers = await refused(stack, order_id, "mark_posted", target_id=others_journal.batch.name)
    assert anothers.type == "journal_of_another"
    assert f"/order/{other}/" in anothers.message
    assert (await stack.state(order_id)).state is State.NEEDS_REVIEW
    assert "marked_posted" not in await trail(stack, order_id)


async def test_a_skipped_order_is_left_alone_until_it_changes(stack: Stack) -> None:
    order_id = await in_review(stack, antiques(5))
    await decide(stack, order_id, "skip")
    result = await stack.result(order_id)
    assert (result.state, result.sentence) == (State.SKIPPED, "skipped by dana: month end")
    stack.shop().ship(order_id)
    await stack.announce(order_id)
    assert (await stack.result(order_id)).sentence == "skipped by dana: month end"

    shop = stack.shop()
    shop.edit_line(order_id, shop.order(order_id).lines[0].id, quantity=4)
    await stack.announce(order_id)
    standing = await stack.in_state(order_id, State.NEEDS_REVIEW)
    assert {problem.code for problem in standing.problems} == {"unmapped_account"}


async def test_an_incomplete_or_untimely_decision_is_refused_with_its_reason(stack: Stack) -> None:
    order_id = await in_review(stack, antiques(6))
    assert (await refused(stack, order_id, "retry_with_mapping")).type == "BadDecision"
    assert (await refused(stack, order_id, "mark_posted")).type == "BadDecision"
    assert (await stack.state(order_id)).state is State.NEEDS_REVIEW

    importing = stack.shop().place(draft(Shape.ORDINARY, US_SHOP, seed=6)).id
    gate = stack.fusion.hooks.hold("answering", **SEND)
    await stack.announce(importing)
    await gate.reached()
    try:
        untimely = await refused(stack, importing, "skip")
    finally:
        gate.release()
    assert untimely.type == "NotInReview"
    assert (await stack.result(importing)).state is State.POSTED
    assert posted_total(stack.fusion, importing) == stack.shop().truth()[importing].total


async def test_the_same_decision_asked_twice_is_decided_once(stack: Stack) -> None:
    order_id = await in_review(stack, antiques(7))
    first, second = await asyncio.gather(decide(stack, order_id, "skip"), decide(stack, order_id, "skip"))
    assert (await stack.result(order_id)).state is State.SKIPPED
    assert first == second == await decide(stack, order_id, "skip")
    assert (await trail(stack, order_id)).count("skipped") == 1


async def test_a_decision_does_not_wait_for_a_shop_that_is_down(stack: Stack) -> None:
    order_id = await in_review(stack, antiques(8))
    outage = stack.shops.faults.set("outage", path=rf"/orders/{order_id}$")
    try:
        stack.shop().touch(order_id)
        await stack.announce(order_id)
        await eventually(lambda: outage.struck, "the run looks at the order in vain")
        async with asyncio.timeout(180):
            await decide(stack, order_id, "skip")
        row = await stack.parts.store.documents.get("bc-us", "order", str(order_id))
        assert row is not None
        assert row.state is State.SKIPPED
    finally:
        stack.shops.faults.clear("outage")


async def test_what_no_rule_covers_goes_to_the_suspense_account_and_is_listed(stack: Stack) -> None:
    before = stack.parts.clock() - dt.timedelta(minutes=1)
    shop = stack.shop("bc-eu")
    plain, order_id = shop.place(draft(Shape.ORDINARY, EU_SHOP)).id, shop.place(antiques(9, EU_SHOP)).id
    for one in (plain, order_id):
        await stack.announce(one, "bc-eu")
        assert (await stack.result(one, "bc-eu")).state is State.POSTED
    (journal,) = journals_of(stack.fusion, order_id)
    truth = shop.truth()[order_id]
    held = [line for line in journal.lines if line.account == SUSPENSE]
    assert held
    assert all("suspense, no revenue rule" in line.description for line in held)
    assert abs(sum(line.entered_cr or 0 for line in held) - truth.net["product"]) <= Decimal("0.02")
    now = stack.parts.clock()
    shown = await standing(stack.parts.store, stack.configuration, stack.temporal, since=before, now=now)
    listed = [row.key.document_id for row in shown.noteworthy if row.key.connection == "bc-eu"]
    assert listed == [str(order_id)]
    assert all(row.ledger != US_LEDGER or row.key.connection == "bc-us" for row in shown.noteworthy)
