"""What both sides of a record showed when they were looked at last: by it a later change is told from an old one."""

import datetime as dt
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, select, update

from contracts.converging import Digests
from store.engine.database import Database, insert_into
from store.rows import Agreement
from store.schema import agreements

_CHUNK: Final = 500
_KEY: Final = ("connection", "kind", "id")


class Agreements:
    """One row per shop, kind and record. Rows hold digests, never values."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = insert_into(database, agreements)
        self._insert = insert.on_conflict_do_nothing(index_elements=[agreements.c[name] for name in _KEY])
        self._put = insert.on_conflict_do_update(
            index_elements=[agreements.c[name] for name in _KEY],
            set_={column.name: insert.excluded[column.name] for column in agreements.c if column.name not in _KEY},
        )

    async def put(self, agreement: Agreement) -> None:
        """What is so now."""
        row = {
            **agreement.model_dump(exclude={"digests"}),
            "fusion": agreement.digests.fusion,
            "shop": agreement.digests.shop,
        }

        def unit(connection: Connection) -> None:
            connection.execute(self._put, row)

        await self._database.write_one(unit)

    async def sending(self, connection: str, kind: str, record_id: str, sent: Mapping[str, str]) -> None:
        """These values are on their way; none where it is certain that nothing is. What is not agreed has no row."""
        table = agreements.c
        statement = (
            update(agreements)
            .where(table.connection == connection, table.kind == kind, table.id == record_id)
            .values(sent=dict(sent))
        )

        def unit(at: Connection) -> None:
            at.execute(statement)

        await self._database.write_one(unit)

    async def note(self, noted: Iterable[Agreement]) -> None:
        """Keep the names of records that nothing is known of yet; what is known stays as it is."""
        rows = [{**one.model_dump(exclude={"digests"}), "fusion": {}, "shop": {}} for one in noted]
        if not rows:
            return

        def unit(connection: Connection) -> None:
            connection.execute(self._insert, rows)

        await self._database.write(unit)

    async def get(self, connection: str, kind: str, record_id: str) -> Agreement | None:
        return (await self.of(connection, kind, [record_id])).get(record_id)

    async def of(self, connection: str, kind: str, ids: Iterable[str]) -> dict[str, Agreement]:
        """By id, those that were looked at."""
        wanted = list(dict.fromkeys(ids))
        table = agreements.c

        def unit(at: Connection) -> dict[str, Agreement]:
            found: dict[str, Agreement] = {}
            for start in range(0, len(wanted), _CHUNK):
                statement = select(agreements).where(
                    table.connection == connection,
                    table.kind == kind,
                    table.id.in_(wanted[start : start + _CHUNK]),
                )
                found.update({row.id: _agreement(row._mapping) for row in at.execute(statement)})
            return found

        return await self._database.read(unit)

    async def parts_of(self, connection: str, kind: str, parent: str) -> tuple[Agreement, ...]:
        """Records that are, or were, parts of one of the shop's own."""
        table = agreements.c
        statement = (
            select(agreements)
            .where(table.connection == connection, table.kind == kind, table.parent == parent)
            .order_by(table.id)
        )
        return await self._database.read(lambda at: tuple(_agreement(row._mapping) for row in at.execute(statement)))

    async def every(self, connection: str, kind: str, *, page: int = _CHUNK) -> AsyncIterator[Agreement]:
        """All records of a kind, by id, a page in memory."""
        table = agreements.c
        after = ""
        while True:
            statement = (
                select(agreements)
                .where(table.connection == connection, table.kind == kind, table.id > after)
                .order_by(table.id)
                .limit(page)
            )
            rows = await self._read(statement)
            for row in rows:
                yield row
            if len(rows) < page:
                return
            after = rows[-1].id

    async def _read(self, statement: Any) -> list[Agreement]:
        return await self._database.read(lambda at: [_agreement(row._mapping) for row in at.execute(statement)])


def noted(tenant: str, integration: str, connection: str, kind: str, ids: Mapping[str, str]) -> list[Agreement]:
    """Rows for `Agreements.note`, from names by record id."""
    now = dt.datetime.now(dt.UTC)
    return [
        Agreement(tenant=tenant, integration=integration, connection=connection, kind=kind, id=one, name=name, at=now)
        for one, name in ids.items()
    ]


def _agreement(row: Mapping[Any, Any]) -> Agreement:
    values = {str(name): value for name, value in row.items()}
    digests = Digests(fusion=values.pop("fusion"), shop=values.pop("shop"))
    return Agreement(**values, digests=digests)
