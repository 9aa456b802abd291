"""What of a document is in the ledger, journal by journal: what its next version is compared with."""

import datetime as dt
from collections.abc import Iterable
from typing import Final

from sqlalchemy import ColumnElement, Connection, Row, TextClause, select, update

from contracts.journal import Journal, JournalLine
from contracts.model import Frozen
from contracts.names import ORDER
from contracts.refund import RefundSale
from contracts.sale import Sale
from contracts.steps.journals import Staged
from store.engine.database import Database
from store.keys.vault import Vault
from store.outbox.postings import FINAL, open_with_basis
from store.recoveries import booked_digest
from store.rows import PostingKey, PostingState
from store.schema import HAS_PARENT, postings

REVERSAL: Final = "reversal"
FOLLOWING: Final = ("delta", REVERSAL)
"""Purposes of journals that change what a sale's own journal posted. They share one count of ordinals."""
_ON_ITS_WAY: Final = (PostingState.STAGED, PostingState.GROUPED)
_OF: Final = (postings.c.connection, postings.c.kind, postings.c.document_id)


class Booked(Frozen):
    """One journal of a document that is in the ledger."""

    reference: str
    document_id: str
    purpose: str
    ordinal: int
    fingerprint: str
    """Of the version that the ledger shows with it; empty where nobody knows."""
    state: PostingState
    journal: Journal | None = None
    """None: a person named it, or it was read back after a restore. Its lines are not known here."""
    sale: RefundSale | Sale | None = None
    """The version of the sale that the ledger shows with it; of a refund, what it takes back."""

    @property
    def in_ledger(self) -> bool:
        return self.state in FINAL

    @property
    def lines(self) -> tuple[JournalLine, ...]:
        """Empty where they are not known."""
        return self.journal.lines if self.journal else ()

    @property
    def conversion_date(self) -> dt.date | None:
        return self.journal.conversion_date if self.journal else None


class BookedJournals:
    """Reads of journals by their document."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def booked(self, connection: str, kind: str, document_id: str) -> tuple[Booked, ...]:
        """The document's journals that are in the ledger, in the order in which they were posted."""
        place = zip(_OF, (connection, kind, document_id), strict=True)
        return await self._found(*(column == value for column, value in place))

    async def booked_below(self, connection: str, parent_id: str) -> tuple[Booked, ...]:
        """Journals in the ledger of what belongs to an order and is not the order itself."""
        return await self._found(postings.c.connection == connection, postings.c.parent_id == parent_id, HAS_PARENT)

    async def standing_of(self, connection: str, kind: str, document_ids: Iterable[str]) -> tuple[Booked, ...]:
        """Journals of these documents that are in the ledger, or on their way there (`Booked.in_ledger`)."""
        ids = sorted(set(document_ids))
        if not ids:
            return ()
        place = (postings.c.connection == connection, postings.c.kind == kind, postings.c.document_id.in_(ids))
        return await self._found(*place, states=(*FINAL, *_ON_ITS_WAY))

    async def _found(
        self, *where: ColumnElement[bool] | TextClause, states: Iterable[PostingState] = FINAL
    ) -> tuple[Booked, ...]:
        statement = select(postings).where(*where, postings.c.state.in_(tuple(states)))
        rows = await self._database.read(lambda at: at.execute(statement).all())
        return tuple(sorted(map(self._booked, rows), key=in_turn))

    def _booked(self, row: Row[tuple[object, ...]]) -> Booked:
        journal, sale = None, None
        if row.content is not None:
            journal, sale = open_with_basis(self._vault, row.tenant, row.reference, row.content)
            if row.recovered_at is not None and booked_digest(journal) != row.digest:
                # The ledger was read back after a restore, and shows other lines than the store had staged.
                journal, sale = None, None
        return Booked(
            reference=row.reference,
            document_id=row.document_id,
            purpose=row.purpose,
            ordinal=row.ordinal,
            fingerprint=row.fingerprint,
            state=PostingState(row.state),
            journal=journal,
            sale=sale,
        )


def conversion_date(booked: Iterable[Booked]) -> dt.date | None:
    """The day whose rate a document was converted at when it was posted first: what follows is converted alike."""
    return next((one.conversion_date for one in booked if one.conversion_date), None)


def in_turn(posting: Booked | PostingKey) -> tuple[bool, int]:
    """Sorts a document's journals: the sale's own, then what followed it."""
    return posting.purpose in FOLLOWING, posting.ordinal


def give_way(connection: Connection, key: PostingKey, reference: str) -> Staged | None:
    """Before a journal that follows others is staged: another one of the document that waits is taken back.

    Not None: it cannot be staged now. One is in an import, and its fate decides what there is to post; or the ledger
    has come further than this one was made for. A refund and the reversal of its order would take the same back, and an
    edit moves what refunds took, so neither is staged while the other is on its way; of two that race the second sees
    the first.
    """
    if key.parent_id:
        return _order_moves(connection, key, reference)
    if key.purpose not in FOLLOWING:
        return None
    rows = connection.execute(
        select(postings.c.reference, postings.c.purpose, postings.c.state)
        .where(
            *(column == value for column, value in zip(_OF, (key.connection, key.kind, key.document_id), strict=True)),
            postings.c.reference != reference,
        )
        .with_for_update()
    ).all()
    if sum(row.purpose in FOLLOWING and row.state in FINAL for row in rows) >= key.ordinal:
        return Staged(outcome="superseded", reference=reference)
    if _given_back(connection, key):
        return Staged(outcome="superseded", reference=reference)
    for row in rows:
        if row.state == PostingState.GROUPED:
            return Staged(outcome="in_group", reference=row.reference)
    waiting = [row.reference for row in rows if row.state == PostingState.STAGED]
    if waiting:
        connection.execute(
            update(postings).where(postings.c.reference.in_(waiting)).values(state=PostingState.WITHDRAWN)
        )
    return None


def _order_moves(connection: Connection, key: PostingKey, reference: str) -> Staged | None:
    """Before a refund is staged: whether something that changes its order in the ledger is on its way there."""
    table = postings.c
    order = [column == value for column, value in zip(_OF, (key.connection, ORDER, key.parent_id), strict=True)]
    connection.execute(select(table.reference).where(*order).with_for_update())
    # What another transaction added while this one waited for the lock is seen by the next statement only.
    changes = select(table.reference).where(
        *order, table.purpose.in_(FOLLOWING), table.state.in_((*_ON_ITS_WAY, PostingState.IMPORTED))
    )
    moving = connection.execute(changes.limit(1)).first() is not None
    return Staged(outcome="superseded", reference=reference) if moving else None


def _given_back(connection: Connection, key: PostingKey) -> bool:
    """Whether a refund of the order is on its way into the ledger."""
    table = postings.c
    refunds = select(table.reference).where(
        table.connection == key.connection,
        table.parent_id == key.document_id,
        HAS_PARENT,
        table.state.in_(_ON_ITS_WAY),
    )
    return connection.execute(refunds.limit(1)).first() is not None
