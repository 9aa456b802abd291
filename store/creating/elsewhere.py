# ruff: noqa: N818 -- the names say what happened; that they are errors is said by where they stand
"""One sale, or one refund, is one document in the ERP, also when its channel is switched to another kind of document.

Both questions are part of the transaction that stages or intends the other document, so that of two that race one is
told. What waits and was never sent gives way; what was sent, or is there, stands.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import ColumnElement, Connection, Table, select, update

from store.creating.creation import ROW_COLUMNS, CreationState, creation_of
from store.engine.database import StoreError
from store.rows import PostingKey, PostingState
from store.schema import STAGED, creations, postings

REVENUE: Final = ("sale", "invoice")
"""Purposes with which a sale itself is posted; what follows it has others."""
_REFUND: Final = ("refund", "credit")
"""Purposes with which a refund is posted: its journal, or its credit memo."""
_ON_ITS_WAY: Final = (PostingState.GROUPED, PostingState.IMPORTED, PostingState.POSTED)


class PostedElsewhere(StoreError):
    """The same sale is in the ERP, or on its way there, as another kind of document."""

    def __init__(self, reference: str, where: str) -> None:
        super().__init__(f"{where} ({reference})")
        self.reference = reference
        self.where = where
        """One clause: "journal ... is in the ledger"."""


def alternatives(purpose: str) -> tuple[str, ...]:
    """Of these purposes a document is posted with one only; empty for a purpose that goes with others."""
    return next((group for group in (REVENUE, _REFUND) if purpose in group), ())


def refuse_second_creation(connection: Connection, key: PostingKey) -> None:
    """Before a journal is staged. Raises `PostedElsewhere`."""
    purposes = alternatives(key.purpose)
    if not purposes:
        return
    table, mine = creations.c, _of_the_sale(creations, key, purposes)
    for row in connection.execute(select(*ROW_COLUMNS).where(*mine).with_for_update()).all():
        creation = creation_of(row)
        if creation.final:
            raise PostedElsewhere(creation.reference, f"{creation.resource} {creation.target_number} is there")
        if creation.open:
            raise PostedElsewhere(creation.reference, f"{creation.resource} {creation.number} may be on its way")
        # Whatever attempt is about to send it is refused by its own mark.
        connection.execute(
            update(creations)
            .where(table.reference == creation.reference)
            .values(state=CreationState.WITHDRAWN, lease_token=None, lease_until=None)
        )


def refuse_second_journal(connection: Connection, key: PostingKey) -> None:
    """Before a create is intended. Raises `PostedElsewhere`."""
    purposes = alternatives(key.purpose)
    if not purposes:
        return
    table, mine = postings.c, _of_the_sale(postings, key, purposes)
    connection.execute(update(postings).where(*mine, STAGED).values(state=PostingState.WITHDRAWN))
    found = connection.execute(
        select(table.reference, table.state).where(*mine, table.state.in_(_ON_ITS_WAY)).limit(1)
    ).first()
    if found is not None:
        where = "is in an import" if found.state == PostingState.GROUPED else "is in the ledger"
        raise PostedElsewhere(found.reference, f"its journal {where}")


def _of_the_sale(table: Table, key: PostingKey, purposes: Sequence[str]) -> tuple[ColumnElement[bool], ...]:
    """What either kind of document has in common: rows with which this document itself is posted."""
    return (
        table.c.connection == key.connection,
        table.c.kind == key.kind,
        table.c.document_id == key.document_id,
        table.c.purpose.in_(purposes),
    )
