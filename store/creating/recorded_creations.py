"""Creations as they are on record. Nothing here decides anything, so nothing here takes a lock."""

import datetime as dt
from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, func, or_, select

from store.creating.creation import (
    DATE_MOVED,
    ROW_COLUMNS,
    SUSPENSE,
    CreationCount,
    CreationRow,
    CreationState,
    content_binding,
    creation_of,
)
from store.engine.database import Database
from store.keys.vault import Vault
from store.schema import HAS_PARENT, creations

_CHUNK: Final = 500


class RecordedCreations:
    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def creation(self, reference: str) -> CreationRow | None:
        return (await self.creations((reference,))).get(reference)

    async def creations(self, references: Iterable[str]) -> dict[str, CreationRow]:
        """By reference; unheard-of references are left out."""
        wanted = sorted(set(references))

        def unit(connection: Connection) -> dict[str, CreationRow]:
            known: dict[str, CreationRow] = {}
            for start in range(0, len(wanted), _CHUNK):
                chosen = creations.c.reference.in_(wanted[start : start + _CHUNK])
                rows = connection.execute(select(*ROW_COLUMNS).where(chosen))
                known |= {row.reference: creation_of(row) for row in rows}
            return known

        return await self._database.read(unit)

    async def creations_of(self, connection: str, kind: str, document_id: str) -> tuple[CreationRow, ...]:
        """All creations of one source document, by purpose and ordinal."""
        table = creations.c
        statement = (
            select(*ROW_COLUMNS)
            .where(table.connection == connection, table.kind == kind, table.document_id == document_id)
            .order_by(table.purpose, table.ordinal)
        )
        return await self._database.read(lambda at: tuple(creation_of(row) for row in at.execute(statement)))

    async def creations_below(self, connection: str, parent_id: str) -> tuple[CreationRow, ...]:
        """Creations of what belongs to an order and is not the order itself, oldest first."""
        table = creations.c
        statement = (
            select(*ROW_COLUMNS)
            .where(table.connection == connection, table.parent_id == parent_id, HAS_PARENT)
            .order_by(table.created_at, table.reference)
        )
        return await self._database.read(lambda at: tuple(creation_of(row) for row in at.execute(statement)))

    async def of_target(self, fusion: str, resource: str, target_id: str) -> tuple[CreationRow, ...]:
        """Whose this document of the ERP is on record; more than one is a mistake."""
        table = creations.c
        statement = select(*ROW_COLUMNS).where(
            table.fusion == fusion, table.resource == resource, table.target_id == target_id
        )
        return await self._database.read(lambda at: tuple(creation_of(row) for row in at.execute(statement)))

    async def standing_of(self, connection: str, kind: str, document_id: str) -> CreationRow | None:
        """What of the document is there, or may be."""
        rows = await self.creations_of(connection, kind, document_id)
        return next((row for row in rows if row.final or row.open), None)

    async def noteworthy(self, since: dt.datetime) -> tuple[CreationRow, ...]:
        """Intended since then, with a date that moved to another period or an amount on suspense; oldest first."""
        table = creations.c
        listed = or_(table.evidence[DATE_MOVED].as_boolean(), table.evidence[SUSPENSE].as_boolean())
        statement = (
            select(*ROW_COLUMNS)
            .where(listed, table.state != CreationState.WITHDRAWN, table.created_at >= since)
            .order_by(table.created_at, table.reference)
        )
        return await self._database.read(lambda at: tuple(creation_of(row) for row in at.execute(statement)))

    async def content(self, reference: str) -> str | None:
        """The document as JSON, as intended or sent last."""
        statement = select(creations.c.tenant, creations.c.content).where(creations.c.reference == reference)
        row = await self._database.read(lambda connection: connection.execute(statement).one_or_none())
        if row is None or row.content is None:
            return None
        return self._vault.open_text(content_binding(row.tenant, reference), row.content)

    async def counts(self) -> tuple[CreationCount, ...]:
        """The status overview: by resource and state with the age of the oldest."""
        table = creations.c
        grouping = (table.fusion, table.resource, table.state)
        statement = (
            select(*grouping, func.count(), func.min(table.created_at, type_=table.created_at.type))
            .group_by(*grouping)
            .order_by(*grouping)
        )

        def unit(connection: Connection) -> tuple[CreationCount, ...]:
            return tuple(
                CreationCount(fusion=fusion, resource=resource, state=CreationState(state), count=count, oldest=oldest)
                for fusion, resource, state, count, oldest in connection.execute(statement)
            )

        return await self._database.read(unit)
