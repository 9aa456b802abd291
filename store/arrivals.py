"""Arrivals: where documents come to stand once the journal they wait for has its fate.

Part of the transaction that records the fate: nobody can die between the two and leave a document that waits for what
is in the ledger.
"""

import datetime as dt
from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, bindparam, exists, not_, or_, update

from contracts.flow import State
from contracts.model import Frozen
from store.rows import PostingState
from store.schema import documents, postings

_ON_THEIR_WAY: Final = (PostingState.STAGED, PostingState.GROUPED, PostingState.IMPORTED)
_ARRIVE: Final = (
    update(documents)
    .where(
        documents.c.connection == bindparam("of"),
        documents.c.kind == bindparam("of_kind"),
        documents.c.id == bindparam("of_id"),
        documents.c.state == State.WAITING_IMPORT,
        not_(
            exists().where(
                postings.c.connection == documents.c.connection,
                postings.c.kind == documents.c.kind,
                postings.c.document_id == documents.c.id,
                # Many rows at once take no lists.
                or_(*(postings.c.state == one for one in _ON_THEIR_WAY)),
            )
        ),
    )
    .values(state=bindparam("new_state"), reason=bindparam("told"), at=bindparam("now"))
)


class Arrival(Frozen):
    """Where a document comes to stand, and the sentence that says why."""

    connection: str
    kind: str
    document_id: str
    state: State
    sentence: str


def arrive(connection: Connection, arrivals: Iterable[Arrival], now: dt.datetime) -> None:
    """Move the documents that still wait for their import.

    One that was edited meanwhile, or went to review, is no longer waiting and keeps its row; so does one that waits for
    another journal.
    """
    # In one order, so that two groups with journals of the same documents cannot deadlock.
    turn = sorted(arrivals, key=lambda one: (one.connection, one.kind, one.document_id))
    values = [
        {
            "of": one.connection,
            "of_kind": one.kind,
            "of_id": one.document_id,
            "new_state": one.state,
            "told": one.sentence,
            "now": now,
        }
        for one in turn
    ]
    if values:
        connection.execute(_ARRIVE, values)
