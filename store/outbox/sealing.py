# ruff: noqa: N818 -- the names say what happened; that they are errors is said by where they stand
"""Sealing: the oldest staged journals of one ledger and journal source become a group, in one transaction."""

import datetime as dt
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Connection, TextClause, func, insert, select, update
from sqlalchemy.sql.dml import ReturningInsert

from store.rows import GroupState, PostingState
from store.schema import OCCUPYING, STAGED, epochs, group_members, journal_groups, postings

_CHUNK: Final = 1000


class NothingStaged(Exception):
    """Rolls a seal back: what waited was withdrawn meanwhile."""


@dataclass(frozen=True, slots=True)
class Outlet:
    """Where journals leave: one ledger and journal source of one Fusion connection. One import at a time."""

    fusion: str
    ledger: str
    source: str

    def staged(self) -> tuple[ColumnElement[bool] | TextClause, ...]:
        table = postings.c
        return table.fusion == self.fusion, table.ledger == self.ledger, table.source == self.source, STAGED

    def occupying(self) -> tuple[ColumnElement[bool] | TextClause, ...]:
        table = journal_groups.c
        return table.fusion == self.fusion, table.ledger == self.ledger, table.source == self.source, OCCUPYING


def waits(connection: Connection, outlet: Outlet) -> bool:
    """Is anything staged?"""
    return connection.execute(select(postings.c.reference).where(*outlet.staged()).limit(1)).first() is not None


def sealed_group(connection: Connection, outlet: Outlet) -> int | None:
    """The group that occupies the outlet, when nothing of it was sent: a lost answer left it behind."""
    row = connection.execute(
        select(journal_groups.c.id, journal_groups.c.state).where(*outlet.occupying())
    ).one_or_none()
    return int(row.id) if row is not None and row.state == GroupState.SEALED else None


def seal(
    connection: Connection, insertion: ReturningInsert[int], outlet: Outlet, limit: int, now: dt.datetime
) -> int | None:
    """The new group's id. `insertion` gives no row when the outlet is occupied. Raises `NothingStaged`."""
    # Taking the epoch's row first makes seals wait for each other, so ids rise.
    epoch = connection.execute(
        update(epochs).values(number=epochs.c.number + 1, advanced_at=now).returning(epochs.c.number)
    ).scalar_one()
    last = connection.execute(select(func.max(journal_groups.c.id))).scalar() or 0
    group = {
        "id": max(int(now.timestamp() * 1000) * 100, last + 1),
        "fusion": outlet.fusion,
        "ledger": outlet.ledger,
        "source": outlet.source,
        "state": GroupState.SEALED,
        "count": 0,
        "epoch": epoch,
        "sealed_at": now,
        "evidence": {},
    }
    group_id = connection.execute(insertion, group).scalar()
    if group_id is None:
        return sealed_group(connection, outlet)
    _fill(connection, group_id, outlet, limit)
    return int(group_id)


def _fill(connection: Connection, group_id: int, outlet: Outlet, limit: int) -> None:
    # Locked, so that an edit of one of them either came before, or is told that its journal is in a group.
    oldest = connection.scalars(
        select(postings.c.reference)
        .where(*outlet.staged())
        .order_by(postings.c.staged_at, postings.c.reference)
        .limit(limit)
        .with_for_update()
    ).all()
    if not oldest:
        raise NothingStaged
    for start in range(0, len(oldest), _CHUNK):
        connection.execute(
            update(postings)
            .where(postings.c.reference.in_(oldest[start : start + _CHUNK]))
            .values(state=PostingState.GROUPED, group_id=group_id)
        )
    connection.execute(
        insert(group_members),
        [{"group_id": group_id, "reference": reference, "fate": ""} for reference in oldest],
    )
    connection.execute(update(journal_groups).where(journal_groups.c.id == group_id).values(count=len(oldest)))
