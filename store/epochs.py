# ruff: noqa: N818 -- the names say what happened; that they are errors is said by where they stand
"""The store's epoch: a number that rises with every sealed group, and with creates (design rule 3).

Workflows carry the highest epoch they saw. A store restored from a backup has a lower one: it does not know what was
sent since, and must not post before that is recovered from Fusion.
"""

import datetime as dt
from typing import Final

from sqlalchemy import Connection, case, select, update

from store.engine.database import Database, StoreError
from store.schema import epochs

CREATES_APART: Final = dt.timedelta(seconds=30)


class StoreBehind(StoreError):
    """This store is older than what has been posted from it."""

    def __init__(self, seen: int, current: int) -> None:
        super().__init__(
            f"The store is at epoch {current}, but epoch {seen} was seen: it was restored from a backup. "
            "Nothing is posted until `ml-connector recover --since` has read the journals back from Fusion."
        )
        self.seen = seen
        self.current = current


def require_within(connection: Connection, seen: int) -> int:
    """As `Epochs.require`, as part of the transaction that it protects."""
    current: int = connection.execute(select(epochs.c.number)).scalar_one()
    if current < seen:
        raise StoreBehind(seen, current)
    return current


def advance_within(connection: Connection, now: dt.datetime) -> int:
    """The epoch of something that is about to be sent by itself, as part of that transaction.

    It rises once in `CREATES_APART`: a backup that is older than that is found behind, and creates do not queue for
    one row.
    """
    statement = (
        update(epochs)
        .where(epochs.c.advanced_at <= now - CREATES_APART)
        .values(number=epochs.c.number + 1, advanced_at=now)
        .returning(epochs.c.number)
    )
    number: int | None = connection.execute(statement).scalar()
    return require_within(connection, 0) if number is None else number


class Epochs:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def current(self) -> int:
        return await self._database.read(lambda connection: connection.execute(select(epochs.c.number)).scalar_one())

    async def require(self, seen: int) -> int:
        """The current epoch; raises `StoreBehind` when it is lower than `seen`."""
        current = await self.current()
        if current < seen:
            raise StoreBehind(seen, current)
        return current

    async def advance(self, at_least: int = 0, *, now: dt.datetime | None = None) -> int:
        """The next epoch, `at_least` this high: after a recovery, the highest any workflow saw plus one."""
        moment = now or dt.datetime.now(dt.UTC)
        following = epochs.c.number + 1
        statement = (
            update(epochs)
            .values(number=case((following < at_least, at_least), else_=following), advanced_at=moment)
            .returning(epochs.c.number)
        )

        def unit(connection: Connection) -> int:
            number: int = connection.execute(statement).scalar_one()
            return number

        return await self._database.write_one(unit)
