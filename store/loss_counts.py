"""Counts of the shops' postable orders, and what they are compared with: what is known of each order here."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from sqlalchemy import Connection, Select, delete, exists, insert, or_, select

from store.creating.creation import FINAL as CREATED
from store.engine.database import Database
from store.outbox.postings import FINAL as IN_THE_LEDGER
from store.rows import AuditEvent, KnownOrder, LossCount
from store.schema import creations, documents, loss_counts, postings
from store.trail.audit import Audit

_CHUNK: Final = 500
_LEDGERS: Final = ((postings, IN_THE_LEDGER), (creations, CREATED))
"""Where a journal or an invoice is on record, and the states in which it is there."""


class LossCounts:
    """One row per integration and store: the newest count. Older ones are in the audit trail."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self._database = database
        self._audit = audit

    async def known(self, connection: str, kind: str, ids: Iterable[str]) -> dict[str, KnownOrder]:
        """By id, those of which some version was looked at, and whether anything of it is in the ledger."""
        table = documents.c
        booked = or_(
            *(
                exists().where(
                    place.c.connection == connection,
                    place.c.kind == kind,
                    place.c.document_id == table.id,
                    place.c.state.in_(final),
                )
                for place, final in _LEDGERS
            )
        ).label("booked")
        wanted = select(table.id, table.state, table.modified_at, table.decided_by, table.at, booked).where(
            table.connection == connection, table.kind == kind
        )

        def unit(at: Connection) -> dict[str, KnownOrder]:
            return {
                row.id: KnownOrder(
                    state=row.state,
                    modified_at=row.modified_at,
                    decided=bool(row.decided_by),
                    at=row.at,
                    booked=bool(row.booked),
                )
                for chunk in _chunks(ids)
                for row in at.execute(wanted.where(table.id.in_(chunk)))
            }

        return await self._database.read(unit)

    async def in_the_ledger(self, connection: str, kind: str, ids: Iterable[str]) -> frozenset[str]:
        """Those of which a journal or an invoice is there, whatever their documents say."""
        places: tuple[Select[tuple[str]], ...] = tuple(
            select(table.c.document_id).where(
                table.c.connection == connection, table.c.kind == kind, table.c.state.in_(final)
            )
            for table, final in _LEDGERS
        )

        def unit(at: Connection) -> frozenset[str]:
            return frozenset(
                row.document_id
                for chunk in _chunks(ids)
                for place in places
                for row in at.execute(place.where(place.selected_columns.document_id.in_(chunk)))
            )

        return await self._database.read(unit)

    async def put(self, integration: str, rows: Sequence[LossCount], event: AuditEvent) -> None:
        """These are the stores of the integration now, with the event that tells so.

        A count that was put already, by an attempt that nobody heard of any more, is not told twice.
        """
        values = [row.model_dump(mode="python") | {"missing_ids": list(row.missing_ids)} for row in rows]
        tell = self._audit.within([event])
        mine = loss_counts.c.integration == integration
        told = select(loss_counts.c.job).where(mine, loss_counts.c.job == event.job)

        def unit(at: Connection) -> None:
            if at.execute(told).first() is not None:
                return
            at.execute(delete(loss_counts).where(mine))
            at.execute(insert(loss_counts), values)
            tell(at)

        await self._database.write(unit)

    async def newest(self, integration: str | None = None) -> tuple[LossCount, ...]:
        """Of every store, or of those of one integration."""
        statement = select(loss_counts).order_by(loss_counts.c.integration, loss_counts.c.channel)
        if integration is not None:
            statement = statement.where(loss_counts.c.integration == integration)

        def unit(at: Connection) -> tuple[LossCount, ...]:
            return tuple(LossCount.model_validate(dict(row._mapping)) for row in at.execute(statement))

        return await self._database.read(unit)


def _chunks(ids: Iterable[str]) -> Iterator[list[str]]:
    wanted = sorted(set(ids))
    return (wanted[start : start + _CHUNK] for start in range(0, len(wanted), _CHUNK))
