"""How each connection is doing, as the last one who used it saw it, and which account it signs in to."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, case, or_, select, update

from store.engine.database import Database, insert_into
from store.rows import ConnectionHealth, ConnectionSigns, ConnectionState
from store.schema import connections, secrets

FRESH: Final = dt.timedelta(minutes=3)
"""A process that cannot reach a system says so again within this time; an older mark is that of one that is gone."""


class Connections:
    """One row per connection; its configuration is not here."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = insert_into(database, connections)
        told = {
            "state": insert.excluded.state,
            "sentence": insert.excluded.sentence,
            "since": case(
                (connections.c.state == insert.excluded.state, connections.c.since), else_=insert.excluded.since
            ),
            "marked_at": insert.excluded.marked_at,
        }
        self._insert = insert
        self._told: Mapping[str, Any] = told
        self._mark = insert.on_conflict_do_update(index_elements=[connections.c.id], set_=told)
        self._known = insert.on_conflict_do_nothing(index_elements=[connections.c.id])

    async def mark(
        self, connection: str, state: ConnectionHealth, sentence: str = "", *, now: dt.datetime | None = None
    ) -> None:
        """`since` is kept while the state stays the same."""
        row = _row(connection, state, sentence, now)

        def unit(at: Connection) -> None:
            at.execute(self._mark, row)

        await self._database.write_one(unit)

    async def confirm(self, connection: str, *, now: dt.datetime | None = None) -> None:
        """It works from here. What another process said of it lately stands: it may be worse off."""
        row = _row(connection, ConnectionHealth.WORKING, "", now)
        outlived = or_(
            connections.c.state == ConnectionHealth.WORKING, connections.c.marked_at < row["marked_at"] - FRESH
        )
        statement = self._insert.on_conflict_do_update(
            index_elements=[connections.c.id], set_=self._told, where=outlived
        )

        def unit(at: Connection) -> None:
            at.execute(statement, row)

        await self._database.write_one(unit)

    async def remember(
        self,
        connection: str,
        identity: str,
        sentence: str,
        *,
        replace: bool = False,
        now: dt.datetime | None = None,
    ) -> ConnectionState:
        """Keep who signed in, unless somebody is known already; `replace` puts the new account in his place.

        Gives the row as it is then: with `identity`, or with that of the account known before.
        """
        row = _row(connection, ConnectionHealth.WORKING, "", now)
        here = update(connections).where(connections.c.id == connection)
        if not replace:
            here = here.where(connections.c.identity == "")

        def unit(at: Connection) -> ConnectionState:
            at.execute(self._known, row)
            at.execute(here.values(identity=identity, identity_sentence=sentence))
            return _state(at.execute(select(connections).where(connections.c.id == connection)).one())

        return await self._database.write(unit)

    async def state(self, connection: str) -> ConnectionState | None:
        """`None`: never used."""
        return next((one for one in await self.states() if one.connection == connection), None)

    async def states(self) -> tuple[ConnectionState, ...]:
        statement = select(connections).order_by(connections.c.id)

        def unit(at: Connection) -> tuple[ConnectionState, ...]:
            return tuple(_state(row) for row in at.execute(statement))

        return await self._database.read(unit)

    async def signs(self, tenant: str, connection: str, secret: str) -> ConnectionSigns:
        """One cheap look: the id of the secret's newest value, and how the connection is marked. Opens nothing."""
        table = secrets.c
        newest = (
            select(table.id)
            .where(table.tenant == tenant, table.connection == connection, table.name == secret)
            .order_by(table.created_at.desc(), table.id.desc())
            .limit(1)
            .scalar_subquery()
        )
        marked = select(connections.c.state).where(connections.c.id == connection).scalar_subquery()
        row = await self._database.read(lambda at: at.execute(select(newest, marked)).one())
        return ConnectionSigns(secret=row[0], state=ConnectionHealth(row[1]) if row[1] else None)


def _row(connection: str, state: ConnectionHealth, sentence: str, now: dt.datetime | None) -> dict[str, Any]:
    moment = now or dt.datetime.now(dt.UTC)
    return {"id": connection, "state": state, "sentence": sentence, "since": moment, "marked_at": moment}


def _state(row: Any) -> ConnectionState:
    return ConnectionState(
        connection=row.id,
        state=ConnectionHealth(row.state),
        sentence=row.sentence,
        since=row.since,
        marked_at=row.marked_at,
        identity=row.identity,
        identity_sentence=row.identity_sentence,
    )
