"""Results of reconciling a source with the ledger."""

import datetime as dt

from sqlalchemy import Connection, insert, select

from store.engine.database import Database
from store.rows import Reconciliation
from store.schema import reconciliations


class Reconciliations:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, reconciliation: Reconciliation) -> None:
        row = reconciliation.model_dump()

        def unit(connection: Connection) -> None:
            connection.execute(insert(reconciliations), row)

        await self._database.write_one(unit)

    async def list(
        self, integration: str | None = None, *, since: dt.datetime | None = None, limit: int = 100
    ) -> tuple[Reconciliation, ...]:
        """Newest first."""
        statement = select(*(column for column in reconciliations.c if column.name != "id"))
        if integration is not None:
            statement = statement.where(reconciliations.c.integration == integration)
        if since is not None:
            statement = statement.where(reconciliations.c.at >= since)
        newest = statement.order_by(reconciliations.c.at.desc(), reconciliations.c.id.desc()).limit(limit)
        return await self._database.read(
            lambda at: tuple(Reconciliation.model_validate(dict(row._mapping)) for row in at.execute(newest))
        )
