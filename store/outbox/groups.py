# ruff: noqa: N818 -- the names say what happened; that they are errors is said by where they stand
"""Journal groups: sealed, leased, sent once, followed until every member has its fate.

A group carries the lease and the durable mark of its one request. Once marked, a group is never leased again unless
the marking attempt itself proves that nothing went out: every other attempt may only look.
"""

import asyncio
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, or_, select, update
from sqlalchemy.exc import IntegrityError

from contracts.journal import Journal, JournalFate
from store.engine.database import Database, StoreError, insert_into
from store.keys.vault import Vault
from store.outbox.fates import GroupUnknown, apply_fates, close_when_known
from store.outbox.postings import (
    KEY_COLUMNS,
    key_of,
    open_content,
)
from store.outbox.sealing import NothingStaged, Outlet, seal, sealed_group, waits
from store.outbox.settling import settle_documents
from store.rows import (
    AuditEvent,
    Busy,
    Closed,
    GroupRow,
    GroupState,
    Lease,
    Leased,
    Marked,
    Member,
    PostingState,
    Recorded,
    Sent,
)
from store.schema import group_members, journal_groups, postings
from store.trail.audit import Audit

SLOT_WAIT: Final = dt.timedelta(seconds=60)
"""When a group out of review finds its ledger and source occupied: how long until it asks again."""


class GroupNotSettled(StoreError):
    """A group closes by the fates of its members, not by declaration."""

    def __init__(self, group_id: int, left: int) -> None:
        super().__init__(f"Group {group_id} cannot be closed: {left} of its journals have no fate yet.")


class Groups:
    """Journal groups of all ledgers."""

    def __init__(self, database: Database, vault: Vault, audit: Audit) -> None:
        self._database = database
        self._vault = vault
        self._audit = audit
        table = journal_groups.c
        self._insert = insert_into(database, journal_groups).on_conflict_do_nothing().returning(table.id)
        self._lease = (
            update(journal_groups)
            .where(
                table.id == bindparam("group"),
                table.state == GroupState.SEALED,
                table.request_id.is_(None),
                table.marked_at.is_(None),
                or_(
                    table.lease_until.is_(None),
                    table.lease_until <= bindparam("now"),
                    table.lease_token == bindparam("token"),
                ),
            )
            .values(lease_token=bindparam("token"), lease_until=bindparam("until"))
            .returning(table.id)
        )
        self._mark = (
            update(journal_groups)
            .where(
                table.id == bindparam("group"),
                table.state == GroupState.SEALED,
                table.request_id.is_(None),
                table.marked_at.is_(None),
                table.lease_token == bindparam("token"),
                table.lease_until > bindparam("now"),
            )
            .values(marked_at=bindparam("now"), state=GroupState.SENDING)
            .returning(table.id)
        )

    async def seal(
        self, fusion: str, ledger: str, source: str, *, limit: int, now: dt.datetime | None = None
    ) -> int | None:
        """Put the oldest staged journals, at most `limit`, into a new group and give its id.

        Safe to repeat: a group that is sealed and was never leased to a request is given again. `None`: nothing is
        staged, or another group occupies this ledger and source. Ids are milliseconds times 100 and strictly rising,
        so an id is not used again even by a store restored from a backup.
        """
        moment = now or dt.datetime.now(dt.UTC)
        wanted = Outlet(fusion, ledger, source)
        try:
            if await self._database.read(lambda connection: waits(connection, wanted)):
                return await self._database.write(
                    lambda connection: seal(connection, self._insert, wanted, limit, moment)
                )
            return await self._database.read(lambda connection: sealed_group(connection, wanted))
        except NothingStaged:
            return None

    async def group(self, group_id: int) -> GroupRow:
        """Raises `GroupUnknown`."""
        statement = select(journal_groups).where(journal_groups.c.id == group_id)
        row = await self._database.read(lambda connection: connection.execute(statement).one_or_none())
        if row is None:
            raise GroupUnknown(group_id)
        return _group_of(row)

    async def open_groups(
        self, fusion: str | None = None, ledger: str | None = None, source: str | None = None
    ) -> tuple[GroupRow, ...]:
        """Groups that are not closed, those in review included, oldest first."""
        statement = select(journal_groups).where(journal_groups.c.state != GroupState.CLOSED)
        for column, wanted in (("fusion", fusion), ("ledger", ledger), ("source", source)):
            if wanted is not None:
                statement = statement.where(journal_groups.c[column] == wanted)
        ordered = statement.order_by(journal_groups.c.id)
        return await self._database.read(
            lambda connection: tuple(_group_of(row) for row in connection.execute(ordered))
        )

    async def journals_in(self, group_id: int) -> tuple[Journal, ...]:
        """The journals that are in this group now, in the order they were staged."""
        statement = (
            select(postings.c.tenant, postings.c.reference, postings.c.content)
            .where(postings.c.group_id == group_id, postings.c.content.is_not(None))
            .order_by(postings.c.staged_at, postings.c.reference)
        )
        rows = await self._database.read(lambda connection: connection.execute(statement).all())
        # Opening 500 journals takes the processor long enough to be felt by everything else on the loop.
        return await asyncio.to_thread(
            lambda: tuple(open_content(self._vault, row.tenant, row.reference, row.content) for row in rows)
        )

    async def members(self, group_id: int) -> tuple[Member, ...]:
        """Every journal that was ever sealed into this group, detached ones included, with its fate here."""
        statement = (
            select(postings.c.reference, *KEY_COLUMNS, postings.c.job, postings.c.currency, postings.c.total)
            .add_columns(postings.c.state, group_members.c.fate)
            .join(postings, postings.c.reference == group_members.c.reference)
            .where(group_members.c.group_id == group_id)
            .order_by(postings.c.staged_at, postings.c.reference)
        )

        def unit(connection: Connection) -> tuple[Member, ...]:
            return tuple(
                Member(
                    reference=row.reference,
                    key=key_of(row),
                    job=row.job,
                    currency=row.currency,
                    total=row.total,
                    fate=row.fate,
                    state=PostingState(row.state),
                )
                for row in connection.execute(statement)
            )

        return await self._database.read(unit)

    async def lease(self, group_id: int, token: str, *, now: dt.datetime, until: dt.datetime) -> Lease:
        """Ask for the right to send. `token` names this attempt; only `Leased` permits `mark_sending`.

        Raises `GroupUnknown`.
        """
        wish = {"group": group_id, "token": token, "now": now, "until": until}

        def unit(connection: Connection) -> Lease:
            if connection.execute(self._lease, wish).first() is not None:
                return Leased(until)
            row = connection.execute(select(journal_groups).where(journal_groups.c.id == group_id)).one_or_none()
            if row is None:
                raise GroupUnknown(group_id)
            return _standing(row, now) or _reoccupy(connection, group_id, token, now, until)

        return await self._database.write(unit)

    async def mark_sending(self, group_id: int, token: str, now: dt.datetime) -> bool:
        """Durable before the request goes out. False: the lease is lost or over; do not send."""
        wish = {"group": group_id, "token": token, "now": now}
        return await self._database.write_one(
            lambda connection: connection.execute(self._mark, wish).first() is not None
        )

    async def release(self, group_id: int, token: str, *, not_sent: bool) -> None:
        """Give the lease back. `not_sent`: this attempt proves that no byte of its request went out.

        Without that proof a mark stays, and so does the lease: the request may still be on its way.
        """
        table = journal_groups.c
        mine = update(journal_groups).where(
            table.id == group_id, table.lease_token == token, table.request_id.is_(None)
        )
        if not_sent:
            statement = mine.where(table.state.in_((GroupState.SEALED, GroupState.SENDING))).values(
                state=GroupState.SEALED, lease_token=None, lease_until=None, marked_at=None
            )
        else:
            statement = mine.where(table.marked_at.is_(None)).values(lease_token=None, lease_until=None)
        await self._database.write_one(lambda connection: _discard(connection.execute(statement)))

    async def submitted(self, group_id: int, request_id: int, now: dt.datetime) -> bool:
        """Fusion has it as `request_id`, by its answer or by looking. False: another request id is recorded."""
        table = journal_groups.c

        def unit(connection: Connection) -> bool:
            connection.execute(
                update(journal_groups)
                .where(table.id == group_id, table.request_id.is_(None), table.state != GroupState.CLOSED)
                .values(request_id=request_id, submitted_at=now)
            )
            connection.execute(
                update(journal_groups)
                .where(table.id == group_id, table.state.in_((GroupState.SEALED, GroupState.SENDING)))
                .values(state=GroupState.SUBMITTED)
            )
            known = connection.execute(select(table.request_id).where(table.id == group_id)).scalar()
            return bool(known == request_id)

        return await self._database.write(unit)

    async def set_state(self, group_id: int, state: GroupState, evidence: Mapping[str, Any] | None = None) -> bool:
        """Move an open group, and add to its evidence. False: another group occupies the ledger and source meanwhile.

        Raises `GroupNotSettled` for `CLOSED` while a member has no fate, and `GroupUnknown`.
        """
        now = dt.datetime.now(dt.UTC)

        def unit(connection: Connection) -> bool:
            row = connection.execute(
                select(journal_groups.c.state, journal_groups.c.evidence)
                .where(journal_groups.c.id == group_id)
                .with_for_update()
            ).one_or_none()
            if row is None:
                raise GroupUnknown(group_id)
            chosen = update(journal_groups).where(journal_groups.c.id == group_id)
            connection.execute(chosen.values(evidence={**row.evidence, **(evidence or {})}))
            if row.state in (GroupState.CLOSED, state):
                return bool(row.state == state)
            if state is GroupState.CLOSED:
                if left := close_when_known(connection, group_id, now):
                    raise GroupNotSettled(group_id, left)
                return True
            try:
                with connection.begin_nested():
                    connection.execute(chosen.values(state=state))
            except IntegrityError:
                return False
            return True

        return await self._database.write(unit)

    async def record_fates(
        self,
        group_id: int,
        fates: Sequence[JournalFate],
        now: dt.datetime,
        *,
        events: Mapping[str, AuditEvent] | None = None,
    ) -> Recorded:
        """Write what became of the members, and close the group when all is known. Safe to repeat.

        Refused journals leave the group; those to retry leave it and wait for the next one. A fate of a journal that
        has left, or that contradicts what is in the ledger, is ignored. With the fates that were new their documents
        are told, and `events`, by reference, are added. Raises `GroupInFlight`, `GroupUnknown`.
        """
        told = events or {}

        def unit(connection: Connection) -> Recorded:
            recorded = apply_fates(connection, group_id, fates, now)
            settle_documents(connection, recorded.applied, now)
            applied = [told[fate.reference] for fate in recorded.applied if fate.reference in told]
            self._audit.within(applied)(connection)
            return recorded

        return await self._database.write(unit)


def _standing(row: Any, now: dt.datetime) -> Lease | None:
    """Why a group is not leased; `None`: it is in review, was never sent, and only wants its place back."""
    if row.state == GroupState.CLOSED:
        return Closed()
    if row.request_id is not None:
        return Sent(row.request_id)
    if row.lease_until is not None and now < row.lease_until:
        return Busy(row.lease_until)
    if row.marked_at is not None:
        return Marked(row.marked_at, row.lease_until or row.marked_at)
    if row.state == GroupState.REVIEW:
        return None
    return Marked(row.sealed_at, row.sealed_at)


def _reoccupy(connection: Connection, group_id: int, token: str, now: dt.datetime, until: dt.datetime) -> Lease:
    """Lease a group out of review, if its ledger and source are free."""
    try:
        with connection.begin_nested():
            connection.execute(
                update(journal_groups)
                .where(journal_groups.c.id == group_id, journal_groups.c.state == GroupState.REVIEW)
                .values(state=GroupState.SEALED, lease_token=token, lease_until=until)
            )
    except IntegrityError:
        return Busy(now + SLOT_WAIT)
    return Leased(until)


def _group_of(row: Any) -> GroupRow:
    return GroupRow(
        group_id=row.id, **{name: getattr(row, name) for name in GroupRow.model_fields if name != "group_id"}
    )


def _discard(_result: object) -> None:
    return None
