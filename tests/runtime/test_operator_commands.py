"""What an operator types, against the whole product: twins over HTTP, a real Temporal server, store and worker."""

import asyncio
import json

import pytest
from support.parking import LONG, SHORT
from support.stack import Stack, eventually
from support.typed import Typed, typed_beside

from contracts.flow import State
from runtime.operations.deciding import DecisionError, NotInReviewError, UnansweredError, decide, decision_on, find_item
from sandbox.bigcommerce import US_SHOP, Shape, draft

PERSON = ("--who", "Ann", "--why", "sold through the old system")


@pytest.fixture
def typed(stack: Stack) -> Typed:
    return typed_beside(stack)


async def in_review(stack: Stack) -> int:
    """An order whose category has no account."""
    order = stack.shop().place(draft(Shape.ORDINARY, US_SHOP, categories={"Antiques"}))
    await stack.announce(order.id)
    await stack.in_state(order.id, State.NEEDS_REVIEW)
    return int(order.id)


async def test_a_review_says_why_and_the_command_it_gives_resolves_it(stack: Stack, typed: Typed) -> None:
    async with stack.worker():
        order = await in_review(stack)
        listed = await typed("review", "list", "--json")
        (item,) = json.loads(listed.stdout)
        assert "Antiques" in item["problems"][0]["sentence"]
        assert item["command"] == f"ml-connector review resolve bc-us/{order} retry --who NAME --why REASON"
        shown = await typed("review", "show", str(order))
        assert f"review resolve bc-us/{order} mark-posted" in shown.stdout

        decided = await typed("review", "resolve", f"bc-us/{order}", "skip", *PERSON)
        assert decided.exit_code == 0, decided.output
        assert (await stack.result(order)).state is State.SKIPPED
        assert "Nothing is in review." in (await typed("review", "list")).stdout

        again = await typed("review", "resolve", f"bc-us/{order}", "skip", *PERSON)
        assert again.exit_code == 0
        assert "skip decided by Ann: sold through the old system (on record since" in again.stdout
        other = await typed("review", "resolve", f"bc-us/{order}", "retry", *PERSON)
        assert other.exit_code == 1
        assert "is not in review; it is skipped: skipped by Ann: sold through the old system" in other.output


async def test_the_same_decision_asked_twice_is_taken_once(stack: Stack) -> None:
    async with stack.worker():
        order = await in_review(stack)
        item = await find_item(stack.parts.store, stack.configuration, str(order))
        first = decision_on(item, "skip", who="Ann", why="a gift")
        second = decision_on(item, "skip", who="Ann", why="a gift")
        assert first.id == second.id != decision_on(item, "skip", who="Ben", why="a gift").id
        answers = await asyncio.gather(*(decide(stack.temporal, item, one, patience=LONG) for one in (first, second)))
        assert answers[0] == answers[1]
        await stack.result(order)
        events = await stack.parts.store.audit.of("bc-us", "order", str(order))
        assert [event.action for event in events].count("skipped") == 1


async def test_a_decision_without_an_answer_says_that_it_may_be_asked_again(stack: Stack) -> None:
    async with stack.worker():
        order = await in_review(stack)
    # Nobody works any more: the decision waits in Temporal.
    item = await find_item(stack.parts.store, stack.configuration, str(order))
    decision = decision_on(item, "skip", who="Ann", why="a gift")
    with pytest.raises(UnansweredError, match=rf"decided once: ml-connector review resolve .* --id {decision.id}"):
        await decide(stack.temporal, item, decision, patience=SHORT)
    async with stack.worker():
        await decide(stack.temporal, item, decision, patience=LONG)
        assert (await stack.result(order)).state is State.SKIPPED


async def test_a_journal_that_fusion_does_not_have_cannot_be_named_as_the_posted_one(stack: Stack) -> None:
    async with stack.worker():
        order = await in_review(stack)
        item = await find_item(stack.parts.store, stack.configuration, str(order))
        decision = decision_on(item, "mark_posted", who="Ann", why="by hand", target_id="Manual 77")
        with pytest.raises(DecisionError, match=r'no journal.*"Manual 77"'):
            await decide(stack.temporal, item, decision, patience=LONG)
        assert (await stack.state(order)).state is State.NEEDS_REVIEW


async def test_what_nobody_heard_of_is_not_in_review(stack: Stack, typed: Typed) -> None:
    with pytest.raises(NotInReviewError, match="review list"):
        await find_item(stack.parts.store, stack.configuration, "4711")
    told = await typed("audit", "show", "4711")
    assert told.exit_code == 1
    assert "Nothing is known of order 4711" in told.output


async def test_the_audit_trail_tells_the_whole_life_with_rule_and_version_of_each_line(
    stack: Stack, typed: Typed
) -> None:
    order = stack.shop().place(draft(Shape.ORDINARY, US_SHOP))
    async with stack.worker():
        await stack.announce(order.id)
        await stack.result(order.id)
    told = await typed("audit", "show", f"bc-us/{order.id}", "--json")
    life = json.loads(told.stdout)
    assert life["document"]["state"] == "posted"
    (booked,) = life["journals"]
    assert all(line["rule"]["version"] == 1 for line in booked["journal"]["lines"])
    assert booked["posting"]["fate"]["kind"] == "posted"
    assert booked["groups"][0]["group"]["request_id"]
    assert "payload" not in life["events"][0]

    people = (await typed("audit", "show", str(order.id), "--timezone", "America/Chicago")).stdout
    moments = people[people.index("fetched") :]
    places = [moments.index(word) for word in ("fetched", "staged", "sealed", "submitted", "imported", "posted in")]
    assert places == sorted(places)
    assert "retail v1" in people
    original = (await typed("audit", "show", str(order.id), "--payload")).stdout
    assert f'"id": {order.id}' in original


async def test_status_shows_what_waits_and_for_whom(stack: Stack, typed: Typed) -> None:
    async with stack.worker():
        await in_review(stack)

        async def counted() -> bool:
            stands = json.loads((await typed("status", "--json")).stdout)
            us = next(one for one in stands["integrations"] if one["integration"] == "shop-us")
            assert [(one["state"], one["count"]) for one in us["documents"]] == [("needs_review", 1)]
            return bool(us["running"] == {"needs_review": 1})

        await eventually(counted, "Temporal counts the parked workflow")
        people = (await typed("status")).stdout
    assert "needs review" in people
    assert "Poll of bc-us: never polled" in people
    assert "Inbox: 0 deliveries" in people


async def test_status_of_the_store_is_shown_while_temporal_is_down(stack: Stack, typed: Typed) -> None:
    told = await typed("status", MLC_TEMPORAL="127.0.0.1:9")
    assert told.exit_code == 0, told.output
    assert "Running workflows are not counted." in told.stdout
    assert "Inbox: 0 deliveries" in told.stdout
