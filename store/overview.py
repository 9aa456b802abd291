"""What operators ask for: many rows at once, read only."""

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from contracts import names
from contracts.flow import State
from contracts.model import Frozen, Instant
from store.engine.database import Database
from store.outbox.postings import posting_of
from store.rows import DocumentRow, GroupRow, Pending, PostingRow, PostingState
from store.schema import documents, group_members, inbox, journal_groups, journal_lines, postings

TENDERS: Final = ("payment", "store_credit", "gift_certificate")
"""First words of the source keys of lines that book how an order was paid."""
_CHUNK: Final = 500
_POSTING_COLUMNS: Final = tuple(column for column in postings.c if column.name not in ("content", "digest"))


class DocumentCount(Frozen):
    """Source documents of one integration in one state."""

    integration: str
    state: State
    count: int
    oldest: Instant
    """Since when the longest standing one is in this state."""


class Membership(Frozen):
    """One group a journal was sealed into, and what became of it there."""

    group: GroupRow
    fate: str
    """A `FateKind` value, or empty while open."""


class Overview:
    """Questions across documents. Nothing here decides anything, so nothing here takes a lock."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def document_counts(self) -> tuple[DocumentCount, ...]:
        """By integration and state: what is posted. Records that two systems have are none of them."""
        return await self._counts(documents.c.kind.not_in(names.RECORDS))

    async def record_counts(self, kind: str) -> tuple[DocumentCount, ...]:
        """Of records of a kind, by integration and state."""
        return await self._counts(documents.c.kind == kind)

    async def _counts(self, which: ColumnElement[bool]) -> tuple[DocumentCount, ...]:
        table = documents.c
        statement = (
            select(table.integration, table.state, func.count(), func.min(table.at, type_=table.at.type))
            .where(which)
            .group_by(table.integration, table.state)
            .order_by(table.integration, table.state)
        )

        def unit(connection: Connection) -> tuple[DocumentCount, ...]:
            return tuple(
                DocumentCount(integration=integration, state=State(state), count=count, oldest=oldest)
                for integration, state, count, oldest in connection.execute(statement)
            )

        return await self._database.read(unit)

    async def documents(self, connection: str, kind: str, ids: Iterable[str]) -> dict[str, DocumentRow]:
        """The documents among these ids that were ever settled or parked."""
        wanted = sorted(set(ids))

        def unit(at: Connection) -> dict[str, DocumentRow]:
            found: dict[str, DocumentRow] = {}
            for start in range(0, len(wanted), _CHUNK):
                rows = at.execute(
                    select(documents).where(
                        documents.c.connection == connection,
                        documents.c.kind == kind,
                        documents.c.id.in_(wanted[start : start + _CHUNK]),
                    )
                )
                found |= {row.id: DocumentRow.model_validate(dict(row._mapping)) for row in rows}
            return found

        return await self._database.read(unit)

    async def postings(self, references: Iterable[str]) -> dict[str, PostingRow]:
        """Postings by reference; unheard-of references are left out."""
        wanted = sorted(set(references))

        def unit(at: Connection) -> dict[str, PostingRow]:
            found: dict[str, PostingRow] = {}
            for start in range(0, len(wanted), _CHUNK):
                chosen = postings.c.reference.in_(wanted[start : start + _CHUNK])
                found |= {row.reference: posting_of(row) for row in at.execute(select(*_POSTING_COLUMNS).where(chosen))}
            return found

        return await self._database.read(unit)

    async def paid(self, references: Iterable[str]) -> dict[str, Decimal]:
        """Debits less credits of what each journal books as paid, by whatever means; 0 where it books no payment.

        Journals whose lines are not known here are left out.
        """
        wanted = sorted(set(references))
        lines = journal_lines.c

        def unit(at: Connection) -> dict[str, Decimal]:
            found: dict[str, Decimal] = {}
            for start in range(0, len(wanted), _CHUNK):
                chosen = lines.reference.in_(wanted[start : start + _CHUNK])
                for row in at.execute(
                    select(lines.reference, lines.source_key, lines.debit, lines.credit).where(chosen)
                ):
                    amount = row.debit - row.credit if row.source_key.partition(":")[0] in TENDERS else Decimal(0)
                    found[row.reference] = found.get(row.reference, Decimal(0)) + amount
            return found

        return await self._database.read(unit)

    async def unposted(self) -> tuple[PostingRow, ...]:
        """Journals in the ledger that nobody posted yet, longest waiting first."""
        return await self._postings(postings.c.state == PostingState.IMPORTED, oldest_by=postings.c.fate_at)

    async def noteworthy(self, since: dt.datetime) -> tuple[PostingRow, ...]:
        """Journals staged since then that an accountant wants to know of: their date moved to another period, or an
        amount is on suspense."""
        table = postings.c
        listed = and_(
            or_(table.date_moved, table.suspense), table.state != PostingState.WITHDRAWN, table.staged_at >= since
        )
        return await self._postings(listed, oldest_by=table.staged_at)

    async def memberships(self, reference: str) -> tuple[Membership, ...]:
        """Every group a journal was ever in, oldest first: refused neighbours make it more than one."""
        statement = (
            select(journal_groups, group_members.c.fate)
            .join(group_members, group_members.c.group_id == journal_groups.c.id)
            .where(group_members.c.reference == reference)
            .order_by(journal_groups.c.id)
        )

        def unit(connection: Connection) -> tuple[Membership, ...]:
            return tuple(_membership(dict(row._mapping)) for row in connection.execute(statement))

        return await self._database.read(unit)

    async def inbox(self) -> Pending:
        """Deliveries that Temporal has not taken yet."""
        statement = select(func.count(), func.min(inbox.c.received_at, type_=inbox.c.received_at.type))

        def unit(connection: Connection) -> Pending:
            count, oldest = connection.execute(statement).one()
            return Pending(count=count, oldest=oldest)

        return await self._database.read(unit)

    async def _postings(
        self, condition: ColumnElement[bool], *, oldest_by: ColumnElement[Any]
    ) -> tuple[PostingRow, ...]:
        statement = select(*_POSTING_COLUMNS).where(condition).order_by(oldest_by, postings.c.reference)
        return await self._database.read(lambda at: tuple(posting_of(row) for row in at.execute(statement)))


def _membership(row: dict[str, Any]) -> Membership:
    fate, group_id = row.pop("fate"), row.pop("id")
    return Membership(group=GroupRow.model_validate({**row, "group_id": group_id}), fate=fate)
