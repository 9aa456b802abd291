"""Orders that change while a worker stands still, and orders that change without pause."""

import asyncio
import random
from decimal import Decimal
from functools import partial
from typing import Final

from crash.books import Document
from crash.posting import Posting
from crash.scene import Scene
from crash.settings import Setting, with_flush
from crash.settling import settle
from crash.strikes import AtBoundary, AtRandom
from support.stack import eventually

from contracts import names
from contracts.flow import State
from sandbox.bigcommerce import statuses

IN_PAIRS: Final = Setting("imports of two", with_flush(600, "\nflush_count = 2"))
"""A journal waits in the outbox until there is a second one: time for a late worker to meet it there."""
SLOW: Final = Setting("slow imports", with_flush(3.0))
"""Groups wait long enough for edits to meet journals in the outbox, in a group, and in the ledger."""

ORDERS: Final = 8
EDITS: Final = 25

BEFORE_STAGING: Final = AtBoundary("activity/stage_journal/before", "SIGSTOP")
BEFORE_SETTLING: Final = AtBoundary("activity/settle_document/before", "SIGSTOP")


async def one_order(scene: Scene) -> None:
    await scene.announce(scene.place())


async def _fill_group(scene: Scene, *, others: int) -> None:
    """The worker that stood still goes on; then others come, with which the group is full."""
    await scene.lane.resume_paused()
    for _ in range(others):
        await scene.announce(scene.place())


async def edited_meanwhile(scene: Scene) -> None:
    (order,) = scene.documents
    stack = scene.lane.stack
    scene.edit(order, Decimal("77.77"))
    await scene.announce(order)

    async def newest_is_staged() -> bool:
        reference = names.journal_reference("acme", order.connection, "order", str(order.number), "sale", 1)
        content = await stack.parts.store.journals.content(reference)
        return content is not None and content.total == stack.shop().truth()[order.number].total

    await eventually(newest_is_staged, "the edit waits in the outbox")
    await _fill_group(scene, others=1)


async def cancelled_meanwhile(scene: Scene) -> None:
    (order,) = scene.documents
    scene.lane.stack.shop().set_status(order.number, statuses.CANCELLED)
    await scene.announce(order)
    await scene.is_in(State.SKIPPED, order)
    order.ends = State.SKIPPED
    await _fill_group(scene, others=2)


async def cancelled_order(scene: Scene) -> None:
    await scene.announce(scene.place(status_id=statuses.CANCELLED))


async def paid_meanwhile(scene: Scene) -> None:
    """The worker stood still while it was about to withdraw an order that was not postable at first."""
    (order,) = scene.documents
    scene.lane.stack.shop().set_status(order.number, statuses.AWAITING_FULFILLMENT)
    await scene.announce(order)
    await scene.is_in(State.WAITING_IMPORT, order)
    await _fill_group(scene, others=1)


async def a_storm(scene: Scene) -> None:
    for _ in range(ORDERS):
        scene.beside(_edit_without_pause(scene, scene.place()))


async def _edit_without_pause(scene: Scene, order: Document) -> None:
    """Until the order is in the books, and once more."""
    chance = random.Random(f"{scene.seed}/{order.number}")
    last = False
    for _ in range(EDITS):
        scene.edit(order, Decimal(chance.randint(500, 9999)) / 100)
        await scene.announce(order)
        if last:
            return
        last = bool(scene.books.entries(scene.lane.stack, order))
        await asyncio.sleep(chance.uniform(0.0, 0.8))


STALE_POSTINGS: Final = (
    Posting(
        "an order edited while a worker stood still",
        one_order,
        strikes=(BEFORE_STAGING,),
        meanwhile=edited_meanwhile,
        setting=IN_PAIRS,
        decisions=0,
    ),
    Posting(
        "an order cancelled while a worker stood still",
        one_order,
        strikes=(BEFORE_STAGING,),
        meanwhile=cancelled_meanwhile,
        setting=IN_PAIRS,
        decisions=0,
    ),
    Posting(
        "an order paid while a worker stood still",
        cancelled_order,
        strikes=(BEFORE_SETTLING,),
        meanwhile=paid_meanwhile,
        setting=IN_PAIRS,
        decisions=0,
    ),
    Posting(
        "orders edited without pause",
        a_storm,
        strikes=(AtRandom(lives=(1.0, 3.0), lasts=0),),
        settle=partial(settle, patience=600),
        setting=SLOW,
        workers=2,
        usual_seeds=2,
        long=True,
    ),
)
