# ruff: noqa: N818 -- the names say what happened; that they are errors is said by where they stand
"""Seals over the audit trail: each closes a batch of a tenant's events and is bound to the seal before it.

Whoever seals next goes on from the tenant's head, a record under the key ring of the newest seal. So two that seal at
once never fork the chain, the number of a seal that was made is not used again, and a seal that is removed leaves a
gap that stays.
"""

import asyncio
import datetime as dt
import json
import os
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, func, select, text

from store.engine.database import Database, StoreError, insert_into
from store.keys.keyring import KEY_BYTES
from store.keys.rewrapping import Sealed
from store.keys.vault import Unsealable, Vault, binding
from store.schema import audit_events, audit_heads, audit_seals
from store.trail.audit_rows import Seal, Tail
from store.trail.seal_digests import EVENT, NOTHING, VERSION, Digest, as_stored

BATCH: Final = 5000
"""Events under one seal at most: what one verification step holds of them is their marks, 80 kB."""
CHUNK: Final = 200
"""Events read at once."""
WRITERS_PATIENCE: Final = 10.0
"""Seconds that writers under way get to finish."""
AUDIT_WRITE: Final = 7_236_118_026
"""The advisory lock that a trigger makes every writer of audit events share, before it takes an id (PostgreSQL)."""
_PAUSE: Final = 0.01
_WRITERS: Final = text(
    "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' AND granted "
    "AND classid::bigint = :high AND objid::bigint = :low AND objsubid = 1 "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
).bindparams(high=AUDIT_WRITE >> 32, low=AUDIT_WRITE & 0xFFFFFFFF)


class StillWritten(StoreError):
    """A transaction that may add an event below the newest does not end; nothing was sealed. Seal again later."""

    def __init__(self, count: int) -> None:
        super().__init__(
            f"{count} transactions that write audit events have not ended within {WRITERS_PATIENCE:.0f} s, so nothing "
            "was sealed. It is tried again; if this stays, look for idle transactions in PostgreSQL (pg_stat_activity)."
        )


class HeadLost(StoreError):
    """The record of a tenant's newest seal is not there, or was altered: somebody changed the database."""

    def __init__(self, tenant: str) -> None:
        super().__init__(
            f"The record of the newest audit seal of tenant {tenant} (table audit_heads) was removed or altered, so "
            "nothing more is sealed. Run `ml-connector audit verify`, and restore that row from a backup."
        )


@dataclass(frozen=True, slots=True)
class Head:
    """The newest seal of a tenant, as its sealer recorded it."""

    number: int
    digest: str
    last_id: int


START: Final = Head(number=0, digest=NOTHING, last_id=0)


def seal_binding(tenant: str, number: int) -> bytes:
    return binding("audit-seal", tenant, str(number))


def head_binding(tenant: str) -> bytes:
    return binding("audit-head", tenant)


SEALED: Final = (
    Sealed(audit_seals, "key", place=("tenant", "number"), bind=lambda row: seal_binding(row.tenant, row.number)),
    Sealed(audit_heads, "sealed", place=("tenant",), bind=lambda row: head_binding(row.tenant)),
)


class Seals:
    """The chains of all tenants."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault
        self._insert = insert_into(database, audit_seals).on_conflict_do_nothing().returning(audit_seals.c.number)
        move = insert_into(database, audit_heads)
        self._move = move.on_conflict_do_update(
            index_elements=[audit_heads.c.tenant], set_={"sealed": move.excluded.sealed}
        )

    async def seal(self, tenant: str, *, now: dt.datetime | None = None, limit: int = BATCH) -> Seal | None:
        """Seal the oldest events of the tail, at most `limit`. `None`: there is no tail.

        Any number of processes may do so at once; each event gets into one seal. Raises `StillWritten`, `HeadLost`.
        """
        before: Head | None = None
        while True:
            newest = await self._settled(tenant)
            head = await self.head(tenant)
            if newest <= head.last_id:
                return None
            if head == before:
                raise HeadLost(tenant)  # seals lie behind it, and nobody is making them
            made = await self._make(tenant, head, newest, now or dt.datetime.now(dt.UTC), limit)
            if made is not None:
                return made
            # Another sealer was faster; what it left is sealed next.
            before = head

    async def head(self, tenant: str) -> Head:
        """The newest seal that was ever made. Raises `HeadLost`, `store.keys.keyring.KeyMissing`."""
        heads, seals = audit_heads.c, audit_seals.c
        statement = select(
            select(*as_stored(audit_heads, "sealed")).where(heads.tenant == tenant).scalar_subquery(),
            select(seals.number).where(seals.tenant == tenant).limit(1).exists(),
        )
        sealed, any_seal = await self._database.read(lambda at: at.execute(statement).one())
        if sealed is None:
            if any_seal:
                raise HeadLost(tenant)
            return START
        try:
            return Head(**json.loads(self._vault.open(head_binding(tenant), sealed)))
        except Unsealable:
            raise HeadLost(tenant) from None

    async def has(self, tenant: str, number: int, digest: str) -> bool:
        """Whether this very seal is there."""
        seals = audit_seals.c
        statement = select(seals.number).where(seals.tenant == tenant, seals.number == number, seals.digest == digest)
        return await self._database.read(lambda at: at.execute(statement).first() is not None)

    async def tenants(self) -> tuple[str, ...]:
        """Whose events or seals are in the store."""

        def unit(connection: Connection) -> tuple[str, ...]:
            found = set(connection.scalars(select(audit_heads.c.tenant)))
            for column in (audit_events.c.tenant, audit_seals.c.tenant):
                last = ""
                # From tenant to tenant along the index; DISTINCT would read all of it.
                while (after := connection.scalar(select(func.min(column)).where(column > last))) is not None:
                    found.add(after)
                    last = after
            return tuple(sorted(found))

        return await self._database.read(unit)

    async def tail(self, tenant: str, after: int | None) -> Tail:
        """The events behind id `after`; all of them behind `None`."""
        events = audit_events.c
        statement = select(func.count(), func.min(events.at, type_=events.at.type)).where(
            events.tenant == tenant, *(() if after is None else (events.id > after,))
        )
        count, oldest = await self._database.read(lambda at: at.execute(statement).one())
        return Tail(count=count, oldest=oldest)

    async def unsealed(self, tenant: str) -> Tail:
        """The events behind the newest seal that is there. Needs no key, and says nothing about what is sealed."""
        seals = audit_seals.c
        newest = select(func.max(seals.last_id)).where(seals.tenant == tenant)
        return await self.tail(tenant, await self._database.read(lambda at: at.scalar(newest)))

    async def _make(self, tenant: str, head: Head, newest: int, now: dt.datetime, limit: int) -> Seal | None:
        """`None`: somebody else made the seal of this number."""
        number, key = head.number + 1, os.urandom(KEY_BYTES)
        digest = Digest(key, tenant=tenant, number=number, previous=head.digest)
        count = first_id = last_id = 0
        async for row in events_between(self._database, tenant, head.last_id, newest, limit):
            digest.add(row)
            first_id, last_id, count = first_id or row.id, row.id, count + 1
        if not count:
            return None
        seal = Seal(
            tenant=tenant,
            number=number,
            first_id=first_id,
            last_id=last_id,
            count=count,
            previous=head.digest,
            digest=digest.close(first_id=first_id, last_id=last_id, count=count, sealed_at=now),
            version=VERSION,
            sealed_at=now,
        )
        row = {**seal.model_dump(), "key": self._vault.seal(seal_binding(tenant, number), key), "marks": digest.marks}
        record = json.dumps({"number": number, "digest": seal.digest, "last_id": last_id}).encode()
        moved = {"tenant": tenant, "sealed": self._vault.seal(head_binding(tenant), record)}

        taken = select(audit_seals.c.number).where(audit_seals.c.tenant == tenant, audit_seals.c.number == number)

        def unit(connection: Connection) -> bool:
            # SQLite's protection refuses a second row before ON CONFLICT is asked; there, nobody writes in between.
            if connection.execute(taken).first() or connection.execute(self._insert, row).first() is None:
                return False
            connection.execute(self._move, moved)
            return True

        return seal if await self._database.write(unit) else None

    async def _settled(self, tenant: str) -> int:
        """An id below which every event that will ever be is there, and the highest of the tenant; 0 for none.

        PostgreSQL gives out ids before it commits. Whoever was writing when the highest id was read may still commit a
        lower one, so their transactions are waited for; nobody waits for us.
        """
        statement = select(func.max(audit_events.c.id)).where(audit_events.c.tenant == tenant)
        newest = await self._database.read(lambda at: at.scalar(statement)) or 0
        if self._database.dialect != "postgresql":
            return newest  # one writer at a time: ids are committed in their order
        ends = time.monotonic() + WRITERS_PATIENCE
        writing = await self._writing()
        while writing:
            if time.monotonic() > ends:
                raise StillWritten(len(writing))
            await asyncio.sleep(_PAUSE)
            writing &= await self._writing()
        return newest

    async def _writing(self) -> frozenset[str]:
        return await self._database.read(lambda at: frozenset(at.scalars(_WRITERS)))


async def events_between(
    database: Database, tenant: str, after: int | None, last: int | None, limit: int | None = None
) -> AsyncIterator[Any]:
    """Rows of a tenant with ids above `after` up to `last`, in their order, as `EVENT`; read in chunks.

    `None` is no bound. Raises `StoreFault` where the database cannot read what somebody wrote into it.
    """
    events = audit_events.c
    left = limit
    while left is None or left > 0:
        bounds: list[ColumnElement[bool]] = [events.tenant == tenant]
        bounds += [] if after is None else [events.id > after]
        bounds += [] if last is None else [events.id <= last]
        size = CHUNK if left is None else min(CHUNK, left)
        chunk = select(*EVENT).where(*bounds).order_by(events.id).limit(size)
        rows = await rows_of(database, chunk)
        for row in rows:
            yield row
        if len(rows) < size:
            return
        after = rows[-1].id
        left = None if left is None else left - size


async def rows_of(database: Database, statement: Select[Any]) -> Sequence[Any]:
    return await database.read(lambda at: at.execute(statement).all())
