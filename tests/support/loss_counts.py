"""Orders of which nobody hears, and the count that finds them."""

import datetime as dt
from decimal import Decimal
from typing import Any, Final

from replay.stage import with_integration
from sqlalchemy import Connection, insert
from support.imports import let_imports_be_held
from support.proof import booked_once
from support.stack import Stack, eventually

from activities.orders.under_way import under_way
from contracts import names
from contracts.configuration import Configuration, LossCountPolicy
from contracts.flow import State
from contracts.loss import COUNTED, INTEGRATION_KIND, LossCounted, LossCountInput
from sandbox.bigcommerce import US_SHOP, Shape, draft
from store.rows import AuditRow, DocumentRow, LossCount, PostingState
from store.schema import documents, postings

NEVER: Final = "0 4 1 1 *"


COUNTING: Final = LossCountPolicy(patience=0, cron=NEVER)


def counted_at_once(configuration: Configuration) -> Configuration:
    return with_integration(let_imports_be_held(configuration), "shop-us", loss_count=COUNTING)


def place(stack: Stack, seed: int = 0, **how: Any) -> int:
    """An order that nobody announces."""
    order_id: int = stack.shop().place(draft(Shape.ORDINARY, US_SHOP, seed=seed), quiet=True, **how).id
    return order_id


def place_earlier(stack: Stack, ago: dt.timedelta, seed: int = 0) -> int:
    order = stack.shop().order(place(stack, seed, created=stack.shop().now() - ago))
    order.modified = order.created
    return int(order.id)


async def count(stack: Stack, number: int = 1) -> LossCounted:
    """One run of the schedule's workflow, a moment after what happened in the shop."""
    shop = stack.shop()
    newest = max((one.modified for one in shop.orders.values()), default=shop.now())
    await eventually(lambda: shop.now() > newest, "the shop's clock, in whole seconds, has moved on")
    handle = await stack.temporal.start_workflow(
        names.LOSS_COUNT,
        LossCountInput(integration="shop-us", connection="bc-us"),
        id=f"loss-count:test-{number}",
        task_queue=names.WORKFLOW_QUEUE,
        result_type=LossCounted,
    )
    return await handle.result()


async def counted(stack: Stack) -> list[AuditRow]:
    """Of every count the event that tells its result."""
    events = await stack.parts.store.audit.of("bc-us", INTEGRATION_KIND, "shop-us")
    return [event for event in events if event.action == COUNTED]


async def row(stack: Stack) -> LossCount:
    (found,) = await stack.parts.store.loss_counts.newest("shop-us")
    return found


async def posted(stack: Stack, *orders: int) -> None:
    for order_id in orders:

        async def known(order_id: int = order_id) -> bool:
            found = await stack.parts.store.documents.get("bc-us", "order", str(order_id))
            return found is not None and found.state is State.POSTED

        await eventually(known, f"order {order_id} is posted")
    booked_once(stack, orders)


async def ended(stack: Stack, order_id: int) -> None:
    """Waits until no run of the order is open, and none is listed any more: that comes some moments later."""

    async def known() -> bool:
        return not await under_way(stack.temporal, "shop-us", "bc-us", [str(order_id)])

    await eventually(known, f"the run of order {order_id} has ended")


async def document_of(stack: Stack, order_id: int) -> DocumentRow:
    found = await stack.parts.store.documents.get("bc-us", "order", str(order_id))
    assert found is not None
    return found


async def said_to_be_posted(stack: Stack, orders: list[int], *, journals: bool = False) -> None:
    """By their rows; with `journals`, those are on record as well."""
    shop, now = stack.shop(), stack.parts.clock()
    rows = [
        {
            "connection": "bc-us",
            "kind": "order",
            "id": str(order_id),
            "tenant": "acme",
            "integration": "shop-us",
            "modified_at": shop.order(order_id).modified,
            "fingerprint": "f",
            "state": State.POSTED,
            "reason": "",
            "problems": [],
            "job": "test",
            "decided_by": "",
            "at": now,
        }
        for order_id in orders
    ]

    booked = [
        {
            "reference": f"MLC:acme:bc-us:order:{order_id}:sale:1",
            "tenant": "acme",
            "integration": "shop-us",
            "connection": "bc-us",
            "fusion": "fusion",
            "kind": "order",
            "document_id": str(order_id),
            "parent_id": "",
            "purpose": "sale",
            "ordinal": 1,
            "ledger": "US Primary",
            "source": "ML Connector",
            "currency": "USD",
            "date_moved": False,
            "suspense": False,
            "total": Decimal(1),
            "mapping_set": "retail",
            "mapping_version": 1,
            "fingerprint": "f",
            "digest": "d",
            "state": PostingState.POSTED,
            "job": "test",
            "created_at": now,
            "staged_at": now,
            **dict.fromkeys(("journal_name", "period", "fate_code", "fate_sentence"), ""),
        }
        for order_id in orders
    ]

    def unit(at: Connection) -> None:
        at.execute(insert(documents), rows)
        if journals:
            at.execute(insert(postings), booked)

    await stack.parts.store._database.write(unit)
