"""Watermarks of polls: how far a source has been read, by the source's own clock."""

import datetime as dt

from sqlalchemy import Connection, case, select

from store.engine.database import Database, insert_into
from store.schema import watermarks


class Watermarks:
    """One row per connection and name. A watermark never goes back."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = insert_into(database, watermarks)
        given, kept = insert.excluded, watermarks.c
        self._advance = insert.on_conflict_do_update(
            index_elements=[kept.connection, kept.name],
            set_={
                "at": case((kept.at < given.at, given.at), else_=kept.at),
                "advanced_at": case((kept.at < given.at, given.advanced_at), else_=kept.advanced_at),
            },
        ).returning(kept.at)

    async def get(self, connection: str, name: str) -> dt.datetime | None:
        statement = select(watermarks.c.at).where(watermarks.c.connection == connection, watermarks.c.name == name)
        return await self._database.read(lambda at: at.execute(statement).scalar())

    async def advance(
        self, connection: str, name: str, to: dt.datetime, *, now: dt.datetime | None = None
    ) -> dt.datetime:
        """Gives where the watermark stands afterwards: `to`, or later when it was later already."""
        row = {"connection": connection, "name": name, "at": to, "advanced_at": now or dt.datetime.now(dt.UTC)}

        def unit(connection: Connection) -> dt.datetime:
            reached: dt.datetime = connection.execute(self._advance, row).scalar_one()
            return reached

        return await self._database.write_one(unit)
