"""What comparing shops and pods with the books and rules between them has found."""

from sqlalchemy import Connection, delete, insert, select

from store.engine.database import Database
from store.rows import AlignmentRow, AuditEvent
from store.schema import alignments
from store.trail.audit import Audit


class Alignments:
    """One row per integration: the newest comparison. Older ones are in the audit trail."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self._database = database
        self._audit = audit

    async def put(self, row: AlignmentRow, event: AuditEvent) -> bool:
        """It stands so now, with the event that tells so; whether it is told now.

        A comparison that was put already, by an attempt that nobody heard of any more, is not told twice.
        """
        values = row.model_dump(mode="json") | {"at": row.at, "bad_since": row.bad_since}
        tell = self._audit.within([event])
        mine = alignments.c.integration == row.integration
        before = select(alignments.c.job).where(mine, alignments.c.job == row.job)

        def unit(at: Connection) -> bool:
            if at.execute(before).first() is not None:
                return False
            at.execute(delete(alignments).where(mine))
            at.execute(insert(alignments), [values])
            tell(at)
            return True

        return await self._database.write(unit)

    async def of(self, integration: str) -> AlignmentRow | None:
        """The newest comparison; `None` before the first."""
        return next((row for row in await self.newest() if row.integration == integration), None)

    async def newest(self) -> tuple[AlignmentRow, ...]:
        """Of every integration."""
        statement = select(alignments).order_by(alignments.c.integration)

        def unit(at: Connection) -> tuple[AlignmentRow, ...]:
            return tuple(AlignmentRow.model_validate(dict(row._mapping)) for row in at.execute(statement))

        return await self._database.read(unit)
