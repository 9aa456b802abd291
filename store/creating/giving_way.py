"""A refund of an order that is billed, and the cancellation of that order, would take the same back.

So neither's credit memo is intended while the other's may be on its way, or was not reckoned with. Both ask in the
transaction that writes their intent, and both hold the row of the order's invoice meanwhile: of two that race the
second sees the first.
"""

from typing import Final

from sqlalchemy import Connection, and_, select

from contracts.names import ORDER
from store.creating.creation import CreationState, Intent
from store.outbox.booked import REVERSAL
from store.rows import PostingKey
from store.schema import HAS_PARENT, creations

CREDIT: Final = "credit"
"""Purpose of a refund's credit memo; that of a cancelled order's is `REVERSAL`."""
_INVOICE: Final = "invoice"


def must_give_way(connection: Connection, intent: Intent) -> bool:
    """Whether the memo of `intent`, of which nothing was sent yet, is to be mapped anew before it is created."""
    key, table = intent.key, creations.c
    if key.purpose == CREDIT and key.parent_id:
        _hold_invoice(connection, key.connection, key.parent_id)
        others = and_(table.document_id == key.parent_id, table.kind == ORDER, table.purpose == REVERSAL)
    elif key.purpose == REVERSAL and key.kind == ORDER:
        _hold_invoice(connection, key.connection, key.document_id)
        others = and_(table.parent_id == key.document_id, HAS_PARENT, table.purpose == CREDIT)
    else:
        return False
    found = connection.execute(
        select(table.reference, table.state, table.sent_at).where(
            table.connection == key.connection, others, table.state != CreationState.WITHDRAWN
        )
    ).all()
    return any(
        one.reference not in intent.given and _may_come(one.state, one.sent_at is not None, key) for one in found
    )


def _may_come(state: str, sent: bool, key: PostingKey) -> bool:
    """A refund in review of which nothing was sent comes later than the cancellation, and finds it."""
    return key.purpose == CREDIT or state != CreationState.REVIEW or sent


def _hold_invoice(connection: Connection, source: str, order_id: str) -> None:
    """What another transaction added while this one waited for the row is seen by its next statement."""
    table = creations.c
    connection.execute(
        select(table.reference)
        .where(
            table.connection == source,
            table.kind == ORDER,
            table.document_id == order_id,
            table.purpose == _INVOICE,
        )
        .with_for_update()
    )
