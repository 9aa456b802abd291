"""A fixed mapping set releases all that waited for it, once, and nothing else."""

import asyncio
import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest
from replay.stage import with_integration
from support.parking import ANTIQUES, deployed, park_directly, park_unmapped, trail, with_version
from support.stack import Stack, eventually, journals_of
from temporalio.api.enums.v1 import EventType
from temporalio.service import RPCError
from temporalio.testing import ActivityEnvironment

from activities import releasing
from activities.releasing import ReleasingActivities
from contracts import names
from contracts.flow import Decided, Decision, Remapped, State
from contracts.steps.documents import ReleaseReviews
from sandbox.bigcommerce import US_SHOP, Shape, draft
from store.rows import DocumentRow

JOB = names.release_review_id("retail", 2, 1)


async def decide(stack: Stack, order_id: int, **given: Any) -> None:
    decision = Decision(id=f"{given['kind']}-{order_id}", who="dana", why="to try it", **given)
    handle = stack.temporal.get_workflow_handle(names.order_to_journal_id("bc-us", str(order_id)))
    await handle.execute_update(names.DECIDE, decision, id=decision.id, result_type=Decided)


async def runs(stack: Stack, order_id: int) -> str:
    """Run id of the order's newest run: another one when it has been looked at again."""
    handle = stack.temporal.get_workflow_handle(names.order_to_journal_id("bc-us", str(order_id)))
    return (await handle.describe()).run_id


async def refused_by_the_shop(stack: Stack) -> int:
    """An order that the shop did not tell: no mapping heals that."""
    order_id = int(stack.shop().place(draft(Shape.ORDINARY, US_SHOP)).id)
    stack.shops.faults.set("error", path=rf"/orders/{order_id}$", status=400, count=1)
    await stack.announce(order_id)
    await stack.in_state(order_id, State.NEEDS_REVIEW)
    return order_id


async def test_a_new_version_posts_the_fifty_that_waited_for_it_and_touches_no_other(stack: Stack) -> None:
    async with stack.worker():
        refused = await refused_by_the_shop(stack)
        orders = await park_unmapped(stack, 49, seed=100)
        (pinned,) = await park_unmapped(stack, 1, seed=200)
        await decide(stack, pinned, kind="retry_with_mapping", mapping_version=1)
        await eventually(lambda: is_unmapped(stack, pinned), "bound to version 1, it is in review again")
    untouched = await runs(stack, refused)

    async with deployed(stack, with_version(stack.configuration, 2, ANTIQUES)) as newer, newer.worker():
        for order_id in (*orders, pinned):
            assert (await stack.result(order_id)).state is State.POSTED
            (journal,) = journals_of(stack.fusion, order_id)
            assert journal.total("entered_dr") == stack.shop().truth()[order_id].total
            (event,) = await trail(stack, order_id, "released")
            assert event.job == JOB
            assert "retail version 2" in event.sentence
        assert (await stack.state(refused)).state is State.NEEDS_REVIEW
    assert await runs(stack, refused) == untouched
    assert await trail(stack, refused, "released") == []


async def is_unmapped(stack: Stack, order_id: int) -> bool:
    standing = await stack.in_state(order_id, State.NEEDS_REVIEW)
    return {problem.code for problem in standing.problems} == {"unmapped_account"}


async def test_what_the_new_version_does_not_cover_comes_back_and_says_so(stack: Stack) -> None:
    async with stack.worker():
        (order_id,) = await park_unmapped(stack, 1)
    async with deployed(stack, with_version(stack.configuration, 2)) as newer, newer.worker():

        async def told() -> bool:
            row = await stack.parts.store.documents.get("bc-us", "order", str(order_id))
            return row is not None and "version 2" in row.problems[0].sentence

        await eventually(told, "it is in review again, by the new version")
        await stack.in_state(order_id, State.NEEDS_REVIEW)
    await eventually(lambda: releases(stack), "the release is listed")
    # Another start of the same version releases nothing.
    again = await runs(stack, order_id)
    async with deployed(stack, with_version(stack.configuration, 2)) as newer, newer.worker():
        pass
    assert await releases(stack) == [JOB]
    assert await runs(stack, order_id) == again


async def releases(stack: Stack) -> list[str]:
    found = [one async for one in stack.temporal.list_workflows(f'WorkflowType = "{names.RELEASE_REVIEW}"')]
    return sorted(one.id for one in found)


async def test_a_version_that_is_taken_back_and_deployed_again_releases_each_time(stack: Stack) -> None:
    """Version 2 has the rule; version 1 comes back for an hour, and what it parks waits for nothing but version 2."""
    newer = with_version(stack.configuration, 2, ANTIQUES)
    async with stack.worker():
        pass
    async with deployed(stack, newer) as second, second.worker():
        await has_released(stack, names.release_review_id("retail", 2, 1))
    async with stack.worker():
        await has_released(stack, names.release_review_id("retail", 1, 2))
        (order_id,) = await park_unmapped(stack, 1)
    async with deployed(stack, newer) as second, second.worker():
        assert (await stack.result(order_id)).state is State.POSTED
        (event,) = await trail(stack, order_id, "released")
        assert event.job == names.release_review_id("retail", 2, 3)


async def has_released(stack: Stack, job: str) -> None:
    """Waits until a release has told all that waited: one that is late would tell what comes into review after it."""
    handle = stack.temporal.get_workflow_handle(job)

    async def told() -> bool:
        try:
            events = (await handle.fetch_history()).events
        except RPCError:
            return False
        return any(event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED for event in events)

    await eventually(told, f"{job} has told all that waited")


async def test_an_integration_that_is_given_a_registered_set_releases_what_waits_there(stack: Stack) -> None:
    """The other set was configured, and used by nobody, since long ago."""
    retail = stack.configuration.mapping_sets[0]
    other = with_version(stack.configuration, 1, ANTIQUES).mapping_sets[0].model_copy(update={"id": "antiquarian"})
    both = stack.configuration.model_copy(update={"mapping_sets": (*stack.configuration.mapping_sets, other)})
    switched = with_integration(both, "shop-us", mapping_set="antiquarian")
    async with deployed(stack, both) as first, first.worker():
        (order_id,) = await park_unmapped(first, 1)
        assert stack.configuration.integration("shop-us").mapping_set == retail.id
    async with deployed(stack, switched) as second, second.worker():
        assert (await stack.result(order_id)).state is State.POSTED
        (event,) = await trail(stack, order_id, "released")
        assert event.job == names.release_review_id("antiquarian", 1, 1)


async def test_reviews_whose_workflows_are_gone_are_released_as_well(stack: Stack) -> None:
    """Temporal's database is lost: the store alone knows what waits. Who was decided about meanwhile is left alone."""
    async with stack.worker():
        orders = await park_unmapped(stack, 3)
    for order_id in orders:
        workflow_id = names.order_to_journal_id("bc-us", str(order_id))
        await stack.temporal.get_workflow_handle(workflow_id).terminate("lost")
    *waiting, decided = orders
    row = await stack.parts.store.documents.get("bc-us", "order", str(decided))
    assert row is not None

    async with deployed(stack, with_version(stack.configuration, 2, ANTIQUES)) as newer:
        told = ReleasingActivities(newer.parts)
        await newer.parts.store.documents.settle(row.model_copy(update={"state": State.SKIPPED, "decided_by": "dana"}))
        assert await told._signal(row, Remapped(mapping_set="retail", version=2)) is False
        async with newer.worker():
            for order_id in waiting:
                assert await posted(stack, order_id)
                (event,) = await trail(stack, order_id, "released")
                assert event.job == JOB
    assert await trail(stack, decided, "released") == []


async def posted(stack: Stack, order_id: int) -> bool:
    async def there() -> bool:
        row = await stack.parts.store.documents.get("bc-us", "order", str(order_id))
        return row is not None and row.state is State.POSTED

    return bool(await eventually(there, f"order {order_id} is posted"))


async def test_a_first_start_releases_nothing(stack: Stack) -> None:
    async with stack.worker():
        pass
    assert await releases(stack) == []


class Died(BaseException):
    """The worker is gone in the middle of the step."""


async def test_an_attempt_goes_on_where_the_worker_before_it_died(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is forgotten, and each is recorded once, although some are told twice."""
    monkeypatch.setattr(releasing, "PAGE", 10)
    ids = await park_directly(stack, 35)
    told: list[str] = []
    signal = ReleasingActivities._signal

    async def counted(self: ReleasingActivities, row: DocumentRow, remapped: Any) -> bool:
        told.append(row.id)
        if len(told) == 25:
            raise Died
        return await signal(self, row, remapped)

    monkeypatch.setattr(ReleasingActivities, "_signal", counted)
    wanted = ReleaseReviews(mapping_set="retail", version=2, integrations=("shop-us",), job=JOB)
    heard: list[Sequence[Any]] = []
    first = ActivityEnvironment()
    first.on_heartbeat = lambda *details: heard.append(details)
    released = ReleasingActivities(stack.parts).release_reviews
    with pytest.raises(BaseExceptionGroup):
        await first.run(released, wanted)
    assert heard[-1][1] == 20

    second = ActivityEnvironment()
    second.info = dataclasses.replace(second.info, heartbeat_details=heard[-1], attempt=2)
    assert await second.run(released, wanted) == 35
    assert set(told) == set(ids)
    assert len(told) <= 35 + 10
    events = await asyncio.gather(*(trail(stack, one, "released") for one in ids))
    assert [len(one) for one in events] == [1] * 35
