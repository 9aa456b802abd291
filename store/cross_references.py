"""Which record of one system is which record of another."""

from sqlalchemy import Connection, select

from store.engine.database import Database, insert_into
from store.rows import CrossReference
from store.schema import cross_references


class CrossReferences:
    """One target per source record, target connection and target kind."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = insert_into(database, cross_references)
        table = cross_references.c
        self._put = insert.on_conflict_do_update(
            index_elements=[table.connection, table.kind, table.id, table.target_connection, table.target_kind],
            set_={name: insert.excluded[name] for name in ("target_id", "tenant", "at")},
        )

    async def put(self, reference: CrossReference) -> None:
        """The newest link wins."""
        row = reference.model_dump()

        def unit(connection: Connection) -> None:
            connection.execute(self._put, row)

        await self._database.write_one(unit)

    async def target(
        self, connection: str, kind: str, record_id: str, target_connection: str, target_kind: str
    ) -> str | None:
        table = cross_references.c
        statement = select(table.target_id).where(
            table.connection == connection,
            table.kind == kind,
            table.id == record_id,
            table.target_connection == target_connection,
            table.target_kind == target_kind,
        )
        return await self._database.read(lambda at: at.execute(statement).scalar())

    async def sources(self, target_connection: str, target_kind: str, target_id: str) -> tuple[CrossReference, ...]:
        """Everything that points to one target record."""
        table = cross_references.c
        statement = (
            select(cross_references)
            .where(
                table.target_connection == target_connection,
                table.target_kind == target_kind,
                table.target_id == target_id,
            )
            .order_by(table.connection, table.kind, table.id)
        )
        return await self._database.read(
            lambda at: tuple(CrossReference.model_validate(dict(row._mapping)) for row in at.execute(statement))
        )
