# ruff: noqa: N818 -- the names say what happened; that they are errors is said by where they stand
"""Fates: what became of the journals of a group, applied in one transaction."""

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, select, update

from contracts.journal import FateKind, JournalFate
from store.engine.database import StoreError
from store.outbox.postings import NO_FATE, fate_columns
from store.rows import GroupState, PostingState, Recorded
from store.schema import group_members, journal_groups, postings

_BECOMES: Final = {
    FateKind.IMPORTED: PostingState.IMPORTED,
    FateKind.POSTED: PostingState.POSTED,
    FateKind.REFUSED: PostingState.REFUSED,
    FateKind.RETRY: PostingState.STAGED,
}
_MAY_BECOME: Final = {
    PostingState.GROUPED: frozenset(FateKind),
    PostingState.IMPORTED: frozenset({FateKind.POSTED}),
}
"""What is in the ledger stays there: an imported journal is never refused, forgotten or staged again."""
_DETACHED: Final = frozenset({FateKind.REFUSED, FateKind.RETRY})


class GroupUnknown(StoreError):
    def __init__(self, group_id: int) -> None:
        super().__init__(f"There is no journal group {group_id}.")


class GroupInFlight(StoreError):
    """Its request may be going out at this moment; nobody may declare it absent before the lease has ended."""

    def __init__(self, group_id: int, until: dt.datetime) -> None:
        super().__init__(f"Group {group_id} may be on its way to Fusion until {until:%H:%M:%S} UTC. Look again then.")
        self.until = until


_FATE_NAMES: Final = ("state", "group_id", *NO_FATE)
_APPLY: Final = (
    update(postings)
    .where(postings.c.reference == bindparam("of"))
    .values({name: bindparam(f"new_{name}") for name in _FATE_NAMES})
)
_APPLY_MEMBER: Final = (
    update(group_members)
    .where(group_members.c.group_id == bindparam("group"), group_members.c.reference == bindparam("of"))
    .values(fate=bindparam("new_fate"))
)


def apply_fates(connection: Connection, group_id: int, fates: Sequence[JournalFate], now: dt.datetime) -> Recorded:
    """Write the fates that are new, close the group when none is missing. Raises `GroupInFlight`, `GroupUnknown`."""
    told = {fate.reference: fate for fate in fates}
    group = connection.execute(
        select(journal_groups).where(journal_groups.c.id == group_id).with_for_update()
    ).one_or_none()
    if group is None:
        raise GroupUnknown(group_id)
    if _in_flight(group, now) and any(fate.kind in _DETACHED for fate in fates):
        raise GroupInFlight(group_id, group.lease_until)
    rows = connection.execute(
        select(postings.c.reference, postings.c.state)
        .where(postings.c.group_id == group_id)
        .order_by(postings.c.reference)
        .with_for_update()
    ).all()
    applied = tuple(
        fate
        for row in rows
        if (fate := told.get(row.reference)) is not None
        and fate.kind in _MAY_BECOME.get(PostingState(row.state), frozenset())
    )
    if applied:
        connection.execute(_APPLY, [_applied(fate, group_id) for fate in applied])
        connection.execute(
            _APPLY_MEMBER,
            [{"group": group_id, "of": fate.reference, "new_fate": fate.kind.value} for fate in applied],
        )
    left = close_when_known(connection, group_id, now)
    return Recorded(applied=applied, open=left, closed=left == 0)


def close_when_known(connection: Connection, group_id: int, now: dt.datetime) -> int:
    """Close the group unless members have no fate; gives how many have none. Part of a transaction."""
    left = connection.execute(
        select(func.count()).where(postings.c.group_id == group_id, postings.c.state == PostingState.GROUPED)
    ).scalar_one()
    if not left:
        connection.execute(
            update(journal_groups)
            .where(journal_groups.c.id == group_id, journal_groups.c.state != GroupState.CLOSED)
            .values(state=GroupState.CLOSED, closed_at=now, lease_token=None, lease_until=None)
        )
    return int(left)


def _applied(fate: JournalFate, group_id: int) -> dict[str, Any]:
    columns = NO_FATE if fate.kind is FateKind.RETRY else fate_columns(fate)
    return {
        "of": fate.reference,
        "new_state": _BECOMES[fate.kind],
        "new_group_id": None if fate.kind in _DETACHED else group_id,
        **{f"new_{name}": value for name, value in columns.items()},
    }


def _in_flight(group: Any, now: dt.datetime) -> bool:
    return group.marked_at is not None and group.request_id is None and group.lease_until and now < group.lease_until
