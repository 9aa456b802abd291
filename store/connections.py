"""How each connection is doing, as the last one who used it saw it."""

import datetime as dt

from sqlalchemy import Connection, case, select

from store.database import Database, insert_into
from store.rows import ConnectionHealth, ConnectionState
from store.schema import connections


class Connections:
    """One row per connection; its configuration is not here."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = insert_into(database, connections)
        self._mark = insert.on_conflict_do_update(
            index_elements=[connections.c.id],
            set_={
                "state": insert.excluded.state,
                "sentence": insert.excluded.sentence,
                "since": case(
                    (connections.c.state == insert.excluded.state, connections.c.since), else_=insert.excluded.since
                ),
                "marked_at": insert.excluded.marked_at,
            },
        )

    async def mark(
        self, connection: str, state: ConnectionHealth, sentence: str = "", *, now: dt.datetime | None = None
    ) -> None:
        """`since` is kept while the state stays the same."""
        moment = now or dt.datetime.now(dt.UTC)
        row = {"id": connection, "state": state, "sentence": sentence, "since": moment, "marked_at": moment}

        def unit(connection: Connection) -> None:
            connection.execute(self._mark, row)

        await self._database.write_one(unit)

    async def state(self, connection: str) -> ConnectionState | None:
        """`None`: never used."""
        return next((one for one in await self.states() if one.connection == connection), None)

    async def states(self) -> tuple[ConnectionState, ...]:
        statement = select(connections).order_by(connections.c.id)

        def unit(connection: Connection) -> tuple[ConnectionState, ...]:
            return tuple(
                ConnectionState(
                    connection=row.id,
                    state=ConnectionHealth(row.state),
                    sentence=row.sentence,
                    since=row.since,
                    marked_at=row.marked_at,
                )
                for row in connection.execute(statement)
            )

        return await self._database.read(unit)
