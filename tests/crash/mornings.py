"""What a shop sells and changes, by chance: the first seed is one everyday order, every other one another morning."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Final

from crash.books import Document
from crash.scene import EVERYDAY, Scene

from sandbox.bigcommerce import Shape, statuses

STATUSES: Final = (statuses.AWAITING_SHIPMENT, statuses.SHIPPED, statuses.COMPLETED)
EDITED: Final = frozenset({Shape.ORDINARY, Shape.GUEST, Shape.MANY_LINES, Shape.NO_TAX, Shape.WRAPPING})
"""Baskets whose first line may cost anything."""
EVENTS: Final = 3
"""At most so many things happen to an order after it was placed."""
PAUSE: Final = 2.0
"""Seconds from one such thing to the next, at most: some come before the order is staged, some after it is posted."""
EXTRA_KILLS: Final = (0, 1, 1, 2)
"""Besides the strike, and within so many seconds:"""
EXTRA_WITHIN: Final = 6.0

Announce = Callable[[Document], Awaitable[None]]


async def announced_morning(scene: Scene) -> None:
    """Orders that are announced by themselves or by a webhook, whichever the lane is for."""
    await morning(scene, scene.announce)


async def morning(scene: Scene, announce: Announce) -> None:
    """One order; or several of any shape from both shops, announced in any order, changed and edited meanwhile."""
    if scene.plain:
        await announce(scene.place())
        return
    placed = [place_any(scene) for _ in range(scene.chance.randint(1, 4))]
    scene.chance.shuffle(placed)
    for document, _ in placed:
        await announce(document)
    if scene.eventful:
        for document, shape in placed:
            live(scene, document, announce, edited=shape in EDITED)


def place_any(scene: Scene, shapes: Sequence[Shape] = EVERYDAY) -> tuple[Document, Shape]:
    """An order of any shape in any shop."""
    shape = scene.chance.choice(shapes)
    return scene.place(scene.chance.choice(("bc-us", "bc-us", "bc-eu")), shape=shape), shape


def live(scene: Scene, document: Document, announce: Announce, *, edited: bool) -> None:
    """A few things happen to the order, by chance; `edited`: also such that change what must be in the books."""
    kinds = ("status", "note", "edit", "edit") if edited else ("status", "note")
    plan = [
        (scene.chance.uniform(0, PAUSE), scene.chance.choice(kinds), Decimal(scene.chance.randint(500, 9999)) / 100)
        for _ in range(scene.chance.randint(0, EVENTS))
    ]
    if plan:
        scene.beside(_live(scene, document, announce, plan))


async def _live(scene: Scene, document: Document, announce: Announce, plan: list[tuple[float, str, Decimal]]) -> None:
    shop = scene.lane.stack.shop(document.connection)
    for number, (pause, kind, price) in enumerate(plan):
        await asyncio.sleep(pause)
        if kind == "edit":
            scene.edit(document, price)
        elif kind == "status":
            shop.set_status(document.number, STATUSES[number])
        else:
            shop.touch(document.number)
        await announce(document)


async def kill_besides(scene: Scene) -> None:
    """Workers die at moments that nobody chose."""
    chance = scene.chance_of("kills")
    for _ in range(chance.choice(EXTRA_KILLS)):
        await asyncio.sleep(chance.uniform(0, EXTRA_WITHIN))
        await scene.lane.kill_any(chance)
