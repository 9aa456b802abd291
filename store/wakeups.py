"""Wake-ups: whether a change of a document still needs a start or signal of its workflow.

Three counters per workflow id: `wanted` (changes heard of), `promised` (the newest change a confirmed start or signal
covers) and `taken` (what the consumer had covered when it last began to read). A ring is silent only while a confirmed
start has not been taken yet: whoever takes it reads the source afterwards and so sees this change, too.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import BigInteger, Connection, bindparam, case, update

from store.engine.database import Database, insert_into
from store.rows import Ring
from store.schema import wakeups

PROMISE_LASTS: Final = dt.timedelta(seconds=120)
"""A promise older than this counts for nothing: its signal may have met a run that was terminated or reset. Shorter
than the overlap of polls, so that the next poll speaks up."""
_CHUNK: Final = 200


class Wakeups:
    """One row per workflow id. Every method is one statement."""

    def __init__(self, database: Database) -> None:
        self._database = database
        table = wakeups.c
        self._ring = (
            insert_into(database, wakeups)
            .on_conflict_do_update(index_elements=[table.key], set_={"wanted": table.wanted + 1})
            .returning(table.key, table.wanted, table.promised, table.promised_at, table.taken)
        )
        number = bindparam("number", type_=BigInteger)
        self._confirm = (
            update(wakeups)
            .where(table.key == bindparam("of"))
            .values(
                promised=case((table.promised < number, number), else_=table.promised),
                promised_at=bindparam("at"),
            )
        )
        self._take = (
            insert_into(database, wakeups)
            .on_conflict_do_update(index_elements=[table.key], set_={"taken": table.wanted})
            .returning(table.taken)
        )

    async def ring(self, key: str, *, now: dt.datetime | None = None) -> Ring:
        """A change was heard of. `needed`: start or signal the workflow, then `confirm` the number."""
        moment = now or dt.datetime.now(dt.UTC)

        def unit(connection: Connection) -> Ring:
            row = connection.execute(self._ring, _fresh(key)).one()
            return _answer(row.wanted, row.promised, row.promised_at, row.taken, moment)

        return await self._database.write_one(unit)

    async def ring_many(self, keys: Sequence[str], *, now: dt.datetime | None = None) -> dict[str, Ring]:
        """`ring` for a page of documents. A key that appears twice is rung once."""
        moment = now or dt.datetime.now(dt.UTC)
        # One order for everybody: two pages that overlap cannot deadlock.
        ordered = sorted(set(keys))
        rung: dict[str, Ring] = {}
        for start in range(0, len(ordered), _CHUNK):
            values = [_fresh(key) for key in ordered[start : start + _CHUNK]]

            def unit(connection: Connection, values: list[dict[str, object]] = values) -> dict[str, Ring]:
                return {
                    row.key: _answer(row.wanted, row.promised, row.promised_at, row.taken, moment)
                    for row in connection.execute(self._ring, values)
                }

            rung |= await self._database.write(unit)
        return rung

    async def confirm(self, key: str, number: int, *, now: dt.datetime | None = None) -> None:
        """The start or signal for ring `number` is stored by Temporal."""
        await self.confirm_many({key: number}, now=now)

    async def confirm_many(self, numbers: Mapping[str, int], *, now: dt.datetime | None = None) -> None:
        moment = now or dt.datetime.now(dt.UTC)
        values = [{"of": key, "number": number, "at": moment} for key, number in sorted(numbers.items())]
        if not values:
            return

        def unit(connection: Connection) -> None:
            connection.execute(self._confirm, values if len(values) > 1 else values[0])

        await (self._database.write if len(values) > 1 else self._database.write_one)(unit)

    async def take(self, key: str) -> int:
        """The consumer is about to read the source: everything heard of until now is covered.

        A key that never rang is counted as rung once and taken: so a first ring whose number is 1 is proof that nobody
        has read the source since the change it stands for.
        """

        def unit(connection: Connection) -> int:
            return connection.execute(self._take, {**_fresh(key), "taken": 1}).scalar() or 0

        return await self._database.write_one(unit)


def _fresh(key: str) -> dict[str, object]:
    return {"key": key, "wanted": 1, "promised": 0, "promised_at": None, "taken": 0}


def _answer(wanted: int, promised: int, promised_at: dt.datetime | None, taken: int, now: dt.datetime) -> Ring:
    promise_holds = promised > taken and promised_at is not None and now - promised_at <= PROMISE_LASTS
    return Ring(number=wanted, needed=not promise_holds)
