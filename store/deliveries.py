"""Webhook deliveries: the receipt of each, and the inbox of those that could not be started yet."""

import datetime as dt
import logging
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Delete, Row, Update, delete, func, insert, or_, select, update

from store.engine.database import Database
from store.keys.keyring import KeyMissing
from store.keys.rewrapping import Sealed
from store.keys.vault import Unsealable, Vault, binding
from store.rows import InboxEntry, Receipt
from store.schema import deliveries, inbox

_log: Final = logging.getLogger(__name__)


def inbox_binding(tenant: str, connection: str, workflow_id: str) -> bytes:
    return binding("inbox", tenant, connection, workflow_id)


SEALED = Sealed(
    inbox,
    "request",
    place=("tenant", "connection", "workflow_id"),
    bind=lambda row: inbox_binding(row.tenant, row.connection, row.workflow_id),
)


class Deliveries:
    """Evidence first; the inbox is empty whenever Temporal answers."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def receive(self, receipts: Sequence[Receipt]) -> None:
        """Write a batch of receipts. A delivery that came twice has two."""
        rows = [receipt.model_dump() for receipt in receipts]
        if not rows:
            return

        def unit(connection: Connection) -> None:
            connection.execute(insert(deliveries), rows)

        await self._database.write_one(unit)

    async def receipts(
        self, connection: str, *, workflow_id: str | None = None, limit: int = 100
    ) -> tuple[Receipt, ...]:
        """Newest first."""
        statement = select(*(column for column in deliveries.c if column.name != "id")).where(
            deliveries.c.connection == connection
        )
        if workflow_id is not None:
            statement = statement.where(deliveries.c.workflow_id == workflow_id)
        newest = statement.order_by(deliveries.c.id.desc()).limit(limit)
        return await self._database.read(
            lambda at: tuple(Receipt.model_validate(dict(row._mapping)) for row in at.execute(newest))
        )

    async def last_taken(self, connection: str, scopes: Collection[str]) -> dict[str, dt.datetime]:
        """When the last delivery of each scope came that was taken. Scopes of which none came are left out.

        `store/order/*` stands for everything below it.
        """

        def unit(at: Connection) -> dict[str, dt.datetime]:
            found: dict[str, dt.datetime] = {}
            for scope in scopes:
                said = deliveries.c.scope
                is_it = said.startswith(scope[:-1], autoescape=True) if scope.endswith("/*") else said == scope
                newest = (
                    select(deliveries.c.received_at)
                    .where(deliveries.c.connection == connection, is_it, deliveries.c.status < 300)
                    .order_by(deliveries.c.received_at.desc())
                    .limit(1)
                )
                moment = at.execute(newest).scalar()
                if moment is not None:
                    found[scope] = moment
            return found

        return await self._database.read(unit)

    async def forget_before(self, moment: dt.datetime) -> int:
        """Remove receipts older than the retention the operator chose; gives how many."""
        statement = delete(deliveries).where(deliveries.c.received_at < moment)
        return await self._database.write_one(lambda connection: connection.execute(statement).rowcount)

    async def inbox_put(
        self,
        tenant: str,
        connection: str,
        workflow_id: str,
        request: str,
        *,
        number: int = 0,
        received_at: dt.datetime | None = None,
    ) -> None:
        """Keep a start (its request as JSON, sealed) until Temporal takes it. `number`: the ring it is to confirm."""
        row = {
            "tenant": tenant,
            "connection": connection,
            "workflow_id": workflow_id,
            "number": number,
            "request": self._vault.seal(inbox_binding(tenant, connection, workflow_id), request.encode()),
            "received_at": received_at or dt.datetime.now(dt.UTC),
        }

        def unit(connection: Connection) -> None:
            connection.execute(insert(inbox), row)

        await self._database.write_one(unit)

    async def inbox_claim(
        self, limit: int, owner: str, *, now: dt.datetime | None = None, lease_seconds: float = 30.0
    ) -> tuple[InboxEntry, ...]:
        """The oldest entries nobody else holds, in order of arrival, held for `lease_seconds`."""
        moment = now or dt.datetime.now(dt.UTC)
        free = (
            select(inbox)
            .where(or_(inbox.c.claim_until.is_(None), inbox.c.claim_until <= moment))
            .order_by(inbox.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        if not await self.inbox_depth():
            return ()

        def unit(connection: Connection) -> Sequence[Row[Any]]:
            rows = connection.execute(free).all()
            if rows:
                connection.execute(
                    update(inbox)
                    .where(inbox.c.id.in_([row.id for row in rows]))
                    .values(claim_owner=owner, claim_until=moment + dt.timedelta(seconds=lease_seconds))
                )
            return rows

        entries = []
        for row in await self._database.write(unit):
            try:
                entries.append(self._entry(row))
            except (Unsealable, KeyMissing) as error:
                # It stays claimed for a while and comes back: one that cannot be read must not stop its neighbours.
                _log.error("inbox entry %s of %s cannot be read: %s", row.id, row.workflow_id, error)
        return tuple(entries)

    def _entry(self, row: Row[Any]) -> InboxEntry:
        place = inbox_binding(row.tenant, row.connection, row.workflow_id)
        return InboxEntry(
            id=row.id,
            tenant=row.tenant,
            connection=row.connection,
            workflow_id=row.workflow_id,
            number=row.number,
            request=self._vault.open(place, row.request).decode(),
            received_at=row.received_at,
        )

    async def inbox_done(self, ids: Iterable[int]) -> None:
        """Temporal has these."""
        await self._finish(ids, delete(inbox))

    async def inbox_release(self, ids: Iterable[int]) -> None:
        """Temporal did not take these: others may claim them at once."""
        await self._finish(ids, update(inbox).values(claim_owner=None, claim_until=None))

    async def inbox_depth(self) -> int:
        return await self._database.read(
            lambda connection: connection.execute(select(func.count()).select_from(inbox)).scalar_one()
        )

    async def _finish(self, ids: Iterable[int], statement: Delete | Update) -> None:
        chosen = list(ids)
        if not chosen:
            return

        def unit(connection: Connection) -> None:
            connection.execute(statement.where(inbox.c.id.in_(chosen)))

        await self._database.write_one(unit)
