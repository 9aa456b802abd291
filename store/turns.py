"""Turns: who acts for a document last, by its workflow's own time.

A worker may stand still in the middle of a step while another takes the step over and goes on. What the first one
still does then is of an older turn, and refused: it must not put back what was changed since.
"""

import datetime as dt
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.sql.dml import ReturningInsert

from contracts.model import Frozen, Instant
from store.engine.database import Database, StoreError, insert_into
from store.schema import turns


class Turn(Frozen):
    """One step of a document's workflow. `at` is the workflow's time when it decided on the step."""

    connection: str
    kind: str
    document_id: str
    at: Instant


class Superseded(StoreError):  # noqa: N818 -- the name says what happened
    """Another step of the document came later; nothing was written."""

    def __init__(self, turn: Turn) -> None:
        super().__init__(f"{turn.kind} {turn.document_id} of {turn.connection} was taken over by a later step.")


class Turns:
    """Part of other transactions: the turn is taken with the write that it protects."""

    def __init__(self, database: Database) -> None:
        insert = insert_into(database, turns)
        self._take: ReturningInsert[tuple[dt.datetime]] = insert.on_conflict_do_update(
            index_elements=[turns.c.connection, turns.c.kind, turns.c.document_id],
            set_={"at": insert.excluded.at},
            where=turns.c.at <= insert.excluded.at,
        ).returning(turns.c.at)

    def take(self, connection: Connection, turn: Turn | None) -> None:
        """Raises `Superseded`. Without a turn nothing is asked: the caller is not a step of a workflow."""
        if turn is None:
            return
        values: dict[str, Any] = turn.model_dump()
        if connection.execute(self._take, values).first() is None:
            raise Superseded(turn)
