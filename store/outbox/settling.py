"""Settling: where documents come to stand once the journals they wait for have their fates.

Part of the transaction that records the fates: nobody can die between the two and leave a document that waits for what
is in the ledger. A document's row is locked before its journals are read, so of two groups that post journals of it at
the same moment the second one sees what the first has written.
"""

import datetime as dt
import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select, update

from contracts.flow import State
from contracts.journal import FateKind, JournalFate
from store.outbox.booked import FOLLOWING, REVERSAL
from store.outbox.postings import FATE_COLUMNS, fate_of
from store.rows import PostingState
from store.schema import documents, postings

_CHUNK: Final = 300
_ON_THEIR_WAY: Final = (PostingState.STAGED, PostingState.GROUPED, PostingState.IMPORTED)
_OWNER: Final = (postings.c.connection, postings.c.kind, postings.c.document_id)
_SETTLE: Final = (
    update(documents)
    .where(
        documents.c.connection == bindparam("of"),
        documents.c.kind == bindparam("of_kind"),
        documents.c.id == bindparam("of_id"),
    )
    .values(state=bindparam("new_state"), reason=bindparam("told"), at=bindparam("now"))
)

Place = tuple[str, str, str]
"""Connection, kind and id of a document."""


def settle_documents(connection: Connection, fates: Sequence[JournalFate], now: dt.datetime) -> None:
    """The documents of journals that were posted or refused: one that still waits for its import does so no longer.

    One that was edited meanwhile, or went to review, is no longer waiting and keeps its row; so does one of which
    another journal is on its way. Where several are posted, the newest says what the ledger shows, whichever was heard
    of last. Of a refused one its own workflow decides what to do; should that be gone, the document is not forgotten,
    nor said to be posted by what an older journal shows.
    """
    told = {fate.reference: fate for fate in fates if fate.kind in (FateKind.POSTED, FateKind.REFUSED)}
    references = sorted(told)
    for start in range(0, len(references), _CHUNK):
        some = references[start : start + _CHUNK]
        owners = connection.execute(select(postings.c.reference, *_OWNER).where(postings.c.reference.in_(some)))
        _move(connection, {_place(row): told[row.reference] for row in owners}, now)


def catch_up(connection: Connection, place: Place, now: dt.datetime) -> None:
    """The same for one document that may have begun to wait when all was over already."""
    source, kind, document_id = place
    mine = (postings.c.connection == source, postings.c.kind == kind, postings.c.document_id == document_id)
    # Whoever writes a fate at this moment is waited for: it did not see that the document waits.
    connection.execute(
        select(postings.c.reference).where(*mine).order_by(postings.c.reference).with_for_update(read=True)
    )
    _move(connection, {place: None}, now)


def _move(connection: Connection, told: Mapping[Place, JournalFate | None], now: dt.datetime) -> None:
    values = []
    # In one order, so that two groups with journals of the same documents cannot deadlock.
    for (source, kind), places in itertools.groupby(sorted(told), key=lambda place: place[:2]):
        waiting = _locked(connection, source, kind, [place[2] for place in places])
        journals = _journals_of(connection, source, kind, list(waiting))
        for document_id, fingerprint in waiting.items():
            found = _stands(journals[document_id], told[source, kind, document_id], fingerprint)
            if found:
                state, sentence = found
                place = {"of": source, "of_kind": kind, "of_id": document_id}
                values.append({**place, "new_state": state, "told": sentence, "now": now})
    if values:
        connection.execute(_SETTLE, values)


def _locked(connection: Connection, source: str, kind: str, ids: Sequence[str]) -> dict[str, str]:
    """Fingerprints of those that wait; all of them are locked."""
    row = documents.c
    statement = select(row.id, row.state, row.fingerprint).where(
        row.connection == source, row.kind == kind, row.id.in_(ids)
    )
    found = connection.execute(statement.order_by(row.id).with_for_update()).all()
    return {one.id: one.fingerprint for one in found if one.state == State.WAITING_IMPORT}


def _journals_of(connection: Connection, source: str, kind: str, ids: Sequence[str]) -> Mapping[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    if ids:
        row = postings.c
        statement = select(*FATE_COLUMNS, row.document_id, row.purpose, row.ordinal, row.fingerprint)
        mine = statement.where(row.connection == source, row.kind == kind, row.document_id.in_(ids))
        for one in connection.execute(mine):
            found[one.document_id].append(one)
    return found


def _stands(journals: Sequence[Any], told: JournalFate | None, fingerprint: str) -> tuple[State, str] | None:
    """State and sentence of a document of this version; None: it goes on waiting."""
    if any(row.state in _ON_THEIR_WAY for row in journals):
        return None
    if told is not None and told.kind is FateKind.REFUSED:
        return State.NEEDS_REVIEW, told.told
    posted = [row for row in journals if row.state == PostingState.POSTED]
    # What was refused of an older version asks nobody any more.
    refused = [row for row in journals if row.state == PostingState.REFUSED and fingerprint == row.fingerprint != ""]
    newest = max((*posted, *refused), key=_turn, default=None)
    fate = fate_of(newest) if newest is not None else None
    if newest is None or fate is None:
        return None
    if fate.kind is FateKind.REFUSED:
        return State.NEEDS_REVIEW, fate.told
    return State.REVERSED if newest.purpose == REVERSAL else State.POSTED, fate.told


def _turn(row: Any) -> tuple[bool, int]:
    return row.purpose in FOLLOWING, row.ordinal


def _place(row: Any) -> Place:
    return row.connection, row.kind, row.document_id
