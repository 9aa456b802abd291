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
RECOVERED_APART: Final = 1_000_000
"""A recovery ends at a multiple of this. Not every epoch is told outside of the store, and the workflows that saw the
last ones cannot all be asked; a store that raises its epoch once a second needs eleven days for as many."""


class StoreBehind(StoreError):
    """This store is older than what has been posted from it."""

    def __init__(self, seen: int, current: int) -> None:
        super().__init__(
            f"The store is at epoch {current}, but epoch {seen} was seen: it was restored from a backup. "
            "Nothing is posted until `ml-connector recover --since` has read journals and invoices back from Fusion."
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


def recovered_within(connection: Connection) -> dt.datetime | None:
    """As `Epochs.recovered_at`, as part of a transaction."""
    moment: dt.datetime | None = connection.execute(select(epochs.c.recovered_at)).scalar_one()
    return moment


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

    async def recovered(self, highest: int, *, now: dt.datetime) -> int:
        """Ends a recovery: the next multiple of `RECOVERED_APART` above this store's epoch and `highest`, the highest
        that was heard of elsewhere. With it the moment is kept (`recovered_at`)."""
        known = case((epochs.c.number < highest, highest), else_=epochs.c.number)
        values = {"number": known - known % RECOVERED_APART + RECOVERED_APART, "advanced_at": now, "recovered_at": now}
        statement = update(epochs).values(values).returning(epochs.c.number)

        def unit(connection: Connection) -> int:
            number: int = connection.execute(statement).scalar_one()
            return number

        return await self._database.write_one(unit)

    async def recovered_at(self) -> dt.datetime | None:
        """When this store was last recovered after a restore; what was sent before that may be unknown to it."""
        return await self._database.read(recovered_within)
