"""Orders that change after they were posted: edited, cancelled, and posted again."""

from typing import Final

from crash.journal_rows import SEND, WAY
from crash.posting import Posting
from crash.scene import Scene

from contracts.flow import State
from sandbox.bigcommerce import statuses

NEW_HERE: Final = frozenset({"map_order", "stage_journal", "close_group", "tell_documents"})
"""Activities that tell a journal that follows others from the first."""


async def posted_before(scene: Scene) -> None:
    """As many orders as a morning may have, posted and told so."""
    for document in [scene.place() for _ in range(1 if scene.plain else scene.chance.randint(1, 3))]:
        await scene.announce(document)
    for document in scene.documents:
        await scene.is_in(State.POSTED, document)


async def edited(scene: Scene) -> None:
    for document in scene.documents:
        scene.edit_anyhow(document)
        await scene.announce(document)


async def cancelled(scene: Scene) -> None:
    for document in scene.documents:
        scene.lane.stack.shop(document.connection).set_status(document.number, statuses.CANCELLED)
        document.ends = State.REVERSED
        await scene.announce(document)


async def cancelled_before(scene: Scene) -> None:
    await posted_before(scene)
    await cancelled(scene)
    for document in scene.documents:
        await scene.is_in(State.REVERSED, document)


async def back_again(scene: Scene) -> None:
    for document in scene.documents:
        shop = scene.lane.stack.shop(document.connection)
        shop.set_status(document.number, statuses.AWAITING_FULFILLMENT)
        document.ends = State.POSTED
        await scene.announce(document)


CHANGE_POSTINGS: Final = (
    Posting(
        "an order edited after it was posted",
        edited,
        earlier=posted_before,
        way=WAY,
        calls=(SEND,),
        special=NEW_HERE,
        decisions=0,
    ),
    Posting(
        "an order cancelled after it was posted",
        cancelled,
        earlier=posted_before,
        way=WAY,
        special=frozenset({"stage_journal"}),
        decisions=0,
    ),
    Posting(
        "a cancelled order that comes back",
        back_again,
        earlier=cancelled_before,
        way=WAY,
        decisions=0,
    ),
)
