"""The audit trail: what happened to a document, in order. Rows are added and never changed; the database refuses.

An event that tells of a change of the store is added in the same transaction (`Audit.within`): both are there or
neither, however often a step is repeated.
"""

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, insert, select

from store.engine.database import Database, Unit
from store.keys.rewrapping import Sealed
from store.keys.vault import Vault, binding
from store.rows import AuditEvent, AuditRow
from store.schema import audit_events

_PLACE = ("tenant", "connection", "kind", "document_id", "payload_id")


def payload_binding(tenant: str, connection: str, kind: str, document_id: str, payload_id: str) -> bytes:
    return binding("audit", tenant, connection, kind, document_id, payload_id)


SEALED = Sealed(
    audit_events,
    "payload_key",
    place=_PLACE,
    bind=lambda row: payload_binding(*(getattr(row, name) for name in _PLACE)),
)
"""Only envelopes change when keys rotate; the ciphertext, which seals cover, does not."""


class Audit:
    """Events by document."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def append(self, events: Sequence[AuditEvent]) -> None:
        """Add events in this order, all or none."""
        if events:
            await self._database.write_one(self.within(events))

    async def append_once(self, events: Sequence[AuditEvent]) -> None:
        """Add those of which the document has no event with the same action and job yet: their step may be repeated."""

        def unit(connection: Connection) -> None:
            fresh = [event for event in events if not self._has(connection, event)]
            self.within(fresh)(connection)

        if events:
            await self._database.write(unit)

    def _has(self, connection: Connection, event: AuditEvent) -> bool:
        if self._database.dialect == "postgresql":
            # Another attempt of the same step may be writing it: it is waited for. SQLite has one writer at a time.
            place = f"{event.connection}/{event.kind}/{event.document_id}/{event.action}/{event.job}"
            connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(place, 0))))
        table = audit_events.c
        told = select(table.id).where(
            table.connection == event.connection,
            table.kind == event.kind,
            table.document_id == event.document_id,
            table.action == event.action,
            table.job == event.job,
        )
        return connection.execute(told.limit(1)).first() is not None

    def within(self, events: Sequence[AuditEvent]) -> Unit[None]:
        """Adds these events in the transaction of the change that they tell of."""
        rows = [self._row(event) for event in events]

        def unit(connection: Connection) -> None:
            if rows:
                connection.execute(insert(audit_events), rows)

        return unit

    async def of(self, connection: str, kind: str, document_id: str, *, payloads: bool = False) -> tuple[AuditRow, ...]:
        """The whole life of one document, oldest first. With `payloads` the originals are opened.

        That raises `store.KeyMissing` without the key they were sealed with, `store.Unsealable` when one was altered.
        """
        table = audit_events.c
        statement = (
            select(audit_events)
            .where(table.connection == connection, table.kind == kind, table.document_id == document_id)
            .order_by(table.id)
        )
        rows = await self._database.read(lambda at: at.execute(statement).all())
        return tuple(self._event(row, opened=payloads) for row in rows)

    def _row(self, event: AuditEvent) -> dict[str, Any]:
        payload_id = payload_key = payload = None
        if event.payload is not None:
            payload_id = uuid.uuid4().hex
            place = payload_binding(event.tenant, event.connection, event.kind, event.document_id, payload_id)
            payload_key, payload = self._vault.split(self._vault.seal_text(place, event.payload))
        return {
            **event.model_dump(exclude={"payload"}),
            "payload_id": payload_id,
            "payload_key": payload_key,
            "payload": payload,
        }

    def _event(self, row: Any, *, opened: bool) -> AuditRow:
        payload = None
        if opened and row.payload_id is not None:
            payload = self._vault.open_text(SEALED.bind(row), (row.payload_key or b"") + (row.payload or b""))
        return AuditRow(
            payload=payload, **{name: getattr(row, name) for name in AuditRow.model_fields if name != "payload"}
        )
