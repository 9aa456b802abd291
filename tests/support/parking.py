"""Orders that wait in review for a rule, and the configuration that brings it."""

import asyncio
import dataclasses
import datetime as dt
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx

from activities.trail import KIND
from contracts import names
from contracts.causes import Choice
from contracts.configuration import Configuration, MappingSet, Rule
from contracts.flow import Decided, OrderToJournalInput, Parked, State
from contracts.journal import Problem, Purpose
from runtime.operations.deciding import decide, decision_on, find_item
from runtime.parts import open_parts
from sandbox.bigcommerce import US_SHOP, Shape, draft
from store.rows import AuditRow, DocumentRow

from .fusion_pod import Pod, sale
from .stack import Stack, eventually

ANTIQUES = Rule(id="antiques", purpose=Purpose.REVENUE, account="*-110-41900-0000")
SHORT: Final = dt.timedelta(seconds=8)
"""Long enough for a question to arrive."""
LONG: Final = dt.timedelta(seconds=300)
UNMAPPED = Problem(code="unmapped_account", sentence="There is no account for antiques.", remedy="Add a rule.")


def with_version(configuration: Configuration, version: int, *more: Rule) -> Configuration:
    """The configuration with a newer version of its American mapping set, which has more rules."""
    retail = configuration.mapping_sets[0]
    newer = MappingSet.model_validate(
        retail.model_copy(update={"version": version, "rules": (*retail.rules, *more)}).model_dump()
    )
    return configuration.model_copy(update={"mapping_sets": (newer, *configuration.mapping_sets[1:])})


@asynccontextmanager
async def deployed(stack: Stack, configuration: Configuration) -> AsyncIterator[Stack]:
    """The stack as processes with this configuration see it."""
    async with open_parts(configuration, stack.keys, temporal=stack.temporal) as parts:
        yield dataclasses.replace(stack, configuration=configuration, parts=parts)


async def park_unmapped(stack: Stack, count: int, *, category: str = "Antiques", seed: int = 0) -> list[int]:
    """Orders of a category without an account, all in review."""
    basket = [draft(Shape.ORDINARY, US_SHOP, seed=seed + number, categories=[category]) for number in range(count)]
    orders = [int(stack.shop().place(one).id) for one in basket]
    for order_id in orders:
        await stack.announce(order_id)
    await are_listed(stack, orders)
    for order_id in orders:
        await stack.in_state(order_id, State.NEEDS_REVIEW)
    return orders


async def are_listed(stack: Stack, orders: Sequence[int]) -> None:
    async def listed() -> bool:
        known = {row.id for row in await stack.parts.store.documents.review_list()}
        return {str(one) for one in orders} <= known

    await eventually(listed, "all are in review")


async def park_directly(stack: Stack, count: int, *, connection: str = "bc-us", at_once: int = 50) -> list[str]:
    """Runs that are in review from their start, with their rows: how it is after a month, without the month."""
    integration = stack.configuration.integrations_of(connection)[0]
    now = stack.parts.clock()
    for mapping_set in stack.configuration.mapping_sets:
        # As the worker did that parked them: its first version is not new to the next one.
        await stack.parts.store.mapping_sets.register(mapping_set)
    versions = {one.id: one.version for one in stack.configuration.mapping_sets}
    used = {one.id: (one.mapping_set, versions[one.mapping_set]) for one in stack.configuration.integrations}
    await stack.parts.store.mapping_sets.take_effect(used, now=stack.parts.clock())
    room = asyncio.Semaphore(at_once)
    ids = [str(9_000_000 + number) for number in range(count)]

    async def park(document_id: str) -> None:
        async with room:
            await stack.parts.store.documents.settle(
                DocumentRow(
                    tenant=integration.tenant,
                    integration=integration.id,
                    connection=connection,
                    kind=KIND,
                    id=document_id,
                    modified_at=now,
                    fingerprint="f",
                    state=State.NEEDS_REVIEW,
                    reason=UNMAPPED.sentence,
                    problems=(UNMAPPED,),
                    job="test",
                    at=now,
                )
            )
            await stack.temporal.start_workflow(
                names.ORDER_TO_JOURNAL,
                OrderToJournalInput(
                    integration=integration.id,
                    connection=connection,
                    order_id=document_id,
                    job="test",
                    parked=Parked(problems=(UNMAPPED,), since=now, fingerprint="f"),
                ),
                id=names.order_to_journal_id(connection, document_id),
                task_queue=names.WORKFLOW_QUEUE,
            )

    await asyncio.gather(*map(park, ids))
    return ids


async def trail(stack: Stack, order_id: object, action: str) -> list[AuditRow]:
    """The order's audit events with this action."""
    events = await stack.parts.store.audit.of("bc-us", KIND, str(order_id))
    return [event for event in events if event.action == action]


async def book_by_hand(stack: Stack, batch: str) -> None:
    """A journal of ten dollars that a person imported into Fusion."""
    async with httpx.AsyncClient(base_url=stack.fusion_listener.url, timeout=60) as http:
        pod = Pod(stack.fusion, http)
        await pod.sign_in()
        await pod.run(sale("by-hand", "10.00", day=stack.shop().now().date(), batch=batch, group="7"), group="7")


async def deciding(stack: Stack, order_id: int, kind: Choice, **given: Any) -> Decided:
    """Dana decides about the order in review, as `review resolve` does."""
    item = await find_item(stack.parts.store, stack.configuration, str(order_id))
    decision = decision_on(item, kind, who="dana", why="at the fair", **given)
    return await decide(stack.temporal, item, decision, store=stack.parts.store, patience=LONG)
