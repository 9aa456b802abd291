"""What resources of a system say of themselves, so that each process need not ask for it. Nothing is lost with it."""

import datetime as dt

from sqlalchemy import Connection, select

from store.engine.database import Database, insert_into
from store.schema import resource_descriptions


class ResourceDescriptions:
    """One row per connection and resource. `origin` is where it was asked for: what another place said is not given."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = insert_into(database, resource_descriptions)
        given, kept = insert.excluded, resource_descriptions.c
        self._put = insert.on_conflict_do_update(
            index_elements=[kept.connection, kept.resource],
            set_={name: given[name] for name in ("origin", "content", "kept_at")},
        )

    async def get(self, connection: str, resource: str, *, origin: str) -> str | None:
        """The content that was put there last. Raises `StoreUnavailable`, as everything here."""
        table = resource_descriptions.c
        statement = select(table.content).where(
            table.connection == connection, table.resource == resource, table.origin == origin
        )
        return await self._database.read(lambda at: at.execute(statement).scalar())

    async def put(self, connection: str, resource: str, content: str, *, origin: str) -> None:
        """In place of what was there."""
        row = {
            "connection": connection,
            "resource": resource,
            "origin": origin,
            "content": content,
            "kept_at": dt.datetime.now(dt.UTC),
        }

        def unit(at: Connection) -> None:
            at.execute(self._put, row)

        await self._database.write_one(unit)
