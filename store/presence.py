"""Presence: which processes call the systems now, so that they can share what each system allows.

A process has one row for every worker group whose connections it calls. Whoever announces itself, renews its rows or
reads them on the way does so alone: what one process then sees, the others have seen or will see when they renew. Times
are the database's (on SQLite, where all processes share a machine, the machine's).
"""

import datetime as dt
from collections.abc import Collection
from typing import Final, TypeVar

from sqlalchemy import Connection, delete, func, select, text, update
from sqlalchemy.sql.elements import ColumnElement

from contracts.model import Frozen, Instant
from store.engine.database import Database, Unit, insert_into
from store.schema import workers

T = TypeVar("T")

FORGOTTEN: Final = dt.timedelta(hours=1)
"""Rows of processes that were not seen for so long are removed."""
_ALONE: Final = 7_236_118_027
"""The advisory lock of everything that happens here on PostgreSQL."""


class Present(Frozen):
    """One process in one worker group."""

    id: str
    """Of the process: never used twice."""
    scope: str
    """The worker group."""
    host: str
    started_at: Instant
    """Since when it counts in this group."""
    seen_at: Instant


class Roll(Frozen):
    """Everybody at one moment, in the order in which they came."""

    at: Instant
    rows: tuple[Present, ...]

    def live(self, within: dt.timedelta) -> tuple[Present, ...]:
        """Those that were seen within this time."""
        return tuple(row for row in self.rows if row.seen_at > self.at - within)


class Presence:
    def __init__(self, database: Database) -> None:
        self._database = database
        insert = insert_into(database, workers)
        self._announce = insert.on_conflict_do_update(
            index_elements=[workers.c.id, workers.c.scope],
            set_={"started_at": insert.excluded.started_at, "seen_at": insert.excluded.seen_at},
        )

    async def announce(self, worker: str, host: str, scopes: Collection[str]) -> Roll:
        """Count from now on, in each of these groups as its newest member. Gives the others as well."""

        def unit(connection: Connection) -> Roll:
            now = self._now(connection)
            connection.execute(delete(workers).where(workers.c.seen_at < now - FORGOTTEN))
            connection.execute(
                self._announce,
                [{"id": worker, "scope": one, "host": host, "started_at": now, "seen_at": now} for one in scopes],
            )
            return self._roll(connection)

        return await self._alone(unit)

    async def renew(
        self,
        worker: str,
        scopes: Collection[str],
        *,
        within: dt.timedelta,
        known: Collection[tuple[str, str]] | None = None,
    ) -> Roll:
        """Seen now in these groups. What this gives, the caller has taken note of: others rely on it.

        With `known`, as (id, group) of those seen `within` this time in these groups, nothing is written unless that
        is still so. Nor is a row renewed that others may have stopped counting. Both show in what is returned.
        """

        def unit(connection: Connection) -> Roll:
            roll = self._roll(connection)
            live = [row for row in roll.live(within) if row.scope in scopes]
            mine = [row.scope for row in live if row.id == worker]
            changed = known is not None and {(row.id, row.scope) for row in live} != set(known)
            if changed or not mine:
                return roll
            connection.execute(
                update(workers).where(workers.c.id == worker, workers.c.scope.in_(mine)).values(seen_at=roll.at)
            )
            return roll

        return await self._alone(unit)

    async def roll(self) -> Roll:
        """Everybody now; counts for nothing."""
        return await self._database.read(self._roll)

    async def leave(self, worker: str, scopes: Collection[str] | None = None) -> None:
        """Does not count any more, in these groups or at all: others may have its part at once."""
        which: ColumnElement[bool] = workers.c.id == worker
        if scopes is not None:
            which &= workers.c.scope.in_(scopes)

        def unit(connection: Connection) -> None:
            connection.execute(delete(workers).where(which))

        await self._alone(unit)

    async def _alone(self, unit: Unit[T]) -> T:
        """One after the other. SQLite has one writer at a time by itself."""

        def locked(connection: Connection) -> T:
            if self._database.dialect == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ALONE})
            return unit(connection)

        return await self._database.write(locked)

    def _now(self, connection: Connection) -> dt.datetime:
        if self._database.dialect == "postgresql":
            now: dt.datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
            return now.astimezone(dt.UTC)
        return dt.datetime.now(dt.UTC)

    def _roll(self, connection: Connection) -> Roll:
        rows = connection.execute(select(workers).order_by(workers.c.started_at, workers.c.id, workers.c.scope)).all()
        return Roll(at=self._now(connection), rows=tuple(Present.model_validate(row._mapping) for row in rows))
