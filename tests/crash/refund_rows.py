"""Refunds that become journals: announced before their order, and declined at first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from crash.books import Document, Entry, Journals
from crash.journal_rows import SEND, WAY
from crash.lane import SETTLED
from crash.mornings import EDITED
from crash.posting import Posting
from crash.scene import Scene
from crash.strikes import Call, ResetWhenFinished
from support.refunds import announce_refund, refund_flow
from support.stack import Stack, eventually

from contracts import names
from sandbox.bigcommerce import Shape

REFUND_WAY: Final = ("fetch_refund", "await_order", "map_refund")
READ: Final = Call("reading the refund", "shops", "GET", r"/refunds/\d+$")


@dataclass(eq=False)
class RefundDocument(Document):
    """The refund of everything that an order (`number`) was charged."""

    refund: int = 0

    @property
    def workflow_id(self) -> str:
        return refund_flow(self.refund, self.connection)

    def __str__(self) -> str:
        return f"refund {self.refund} of order {self.number} ({self.connection})"


class OrdersAndRefunds(Journals):
    """The general ledger: of each order one journal, and of its refund one of the same amount."""

    def entries(self, stack: Stack, document: Document) -> Sequence[Entry]:
        if not isinstance(document, RefundDocument):
            return super().entries(stack, document)
        ours = f"/{document.connection}/refund/{document.refund}/"
        return [
            Entry(one.currency, one.total("entered_dr"), one.batch.status == "P")
            for one in stack.fusion.journals()
            if ours in one.given_name
        ]


def give_back(scene: Scene, *, declined: bool = False) -> RefundDocument:
    """A new order that nobody announces, and the refund of all of it."""
    shape = Shape.ORDINARY if scene.plain else scene.chance.choice(sorted(EDITED))
    connection = "bc-us" if scene.plain else scene.chance.choice(("bc-us", "bc-us", "bc-eu"))
    order = scene.place(connection, shape=shape)
    refund = scene.lane.stack.shop(connection).refund(order.number, everything=True, declined=declined)
    document = RefundDocument(connection, order.number, refund=refund.id)
    scene.documents.append(document)
    return document


async def refunded_morning(scene: Scene) -> None:
    """Refunds whose orders nobody has heard of: each starts its order, and waits for it."""
    refunds = [give_back(scene) for _ in range(1 if scene.plain else scene.chance.randint(1, 4))]
    for one in refunds:
        await announce_refund(scene.lane.stack, one.refund, one.connection)


async def declined_morning(scene: Scene) -> None:
    """Payments that are declined, until the merchant repeats them."""
    refunds = [give_back(scene, declined=True) for _ in range(1 if scene.plain else scene.chance.randint(1, 3))]
    stack = scene.lane.stack
    for one in refunds:
        await announce_refund(stack, one.refund, one.connection)
    for one in refunds:
        await eventually(lambda one=one: _is_declined(scene, one), f"{one} is declined", patience=SETTLED)
        stack.shop(one.connection).repeat_refund(one.refund)
        await announce_refund(stack, one.refund, one.connection)


async def _is_declined(scene: Scene, document: RefundDocument) -> bool:
    standing = await scene.standing(document.workflow_id)
    return standing is not None and "declined" in standing.sentence


BOOKS: Final = OrdersAndRefunds()

REFUND: Final = Posting(
    "a refund before its order",
    refunded_morning,
    way=(*WAY, *REFUND_WAY),
    calls=(READ, SEND),
    special=frozenset({"stage_journal", "tell_documents"}),
    strikes=(ResetWhenFinished(names.REFUND_TO_JOURNAL),),
    books=BOOKS,
    decisions=0,
)

DECLINED: Final = Posting(
    "a refund that is declined at first",
    declined_morning,
    way=(*WAY, *REFUND_WAY, "record_waiting"),
    books=BOOKS,
    decisions=0,
)

REFUND_POSTINGS: Final = (REFUND, DECLINED)
