"""Webhooks that shops shall have for us: how each was found, what was healed, and which gap is still to be swept."""

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import Connection, and_, case, delete, func, literal, null, or_, select, update

from store.engine.columns import UtcInstant
from store.engine.database import Database, insert_into
from store.rows import AuditEvent, HookRow
from store.schema import hooks
from store.trail.audit import Audit

_KEY = ("connection", "scope")
_REPLACED = ("destination", "hook_id", "state", "sentence", "checked_at", "active_at")


class Hooks:
    """One row per connection and scope. A gap is written down before anything is healed, and stays until it is swept:
    whoever dies in between leaves it to the next."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self._database = database
        self._audit = audit
        insert = insert_into(database, hooks)
        given, kept = insert.excluded, hooks.c
        self._put = insert.on_conflict_do_update(
            index_elements=[kept[name] for name in _KEY],
            set_={
                **{name: given[name] for name in _REPLACED},
                "found_at": func.coalesce(given.found_at, kept.found_at),
                # Whoever looked before somebody else found a gap does not close it.
                "gap_from": case(
                    (kept.gap_from.is_(None), given.gap_from),
                    (or_(given.gap_from.is_(None), kept.gap_from < given.gap_from), kept.gap_from),
                    else_=given.gap_from,
                ),
                "healed_at": case(
                    (and_(kept.gap_from.is_not(None), given.gap_from.is_(None)), kept.healed_at), else_=given.healed_at
                ),
            },
        )

    async def of(self, connection: str | None = None) -> tuple[HookRow, ...]:
        """Of one connection, or of all."""
        statement = select(hooks).order_by(hooks.c.connection, hooks.c.scope)
        if connection is not None:
            statement = statement.where(hooks.c.connection == connection)

        def unit(at: Connection) -> tuple[HookRow, ...]:
            return tuple(HookRow.model_validate(dict(row._mapping)) for row in at.execute(statement))

        return await self._database.read(unit)

    async def put(
        self, rows: Sequence[HookRow], *, events: Sequence[AuditEvent] = (), gone: Sequence[HookRow] = ()
    ) -> None:
        """These stand so now, those that are `gone` are not wanted any more; with the events that tell so.

        A gap that is open stays open, and the wider of two counts: only `close_gap` ends it.
        """
        values = [row.model_dump() for row in rows]
        tell = self._audit.within(events)

        def unit(at: Connection) -> None:
            for one in gone:
                at.execute(delete(hooks).where(hooks.c.connection == one.connection, hooks.c.scope == one.scope))
            if values:
                at.execute(self._put, values)
            tell(at)

        await self._database.write(unit)

    async def close_gap(
        self,
        connection: str,
        since: dt.datetime,
        until: dt.datetime,
        *,
        resume: dt.datetime,
        event: AuditEvent | None = None,
    ) -> int:
        """Everything that changed from `since` on was looked at, up to `until`; with the event that tells so.

        A gap that began earlier stays as it is. That of a webhook which nothing had healed by `until` goes on at
        `resume`; what is read then joins what was read before, without a hole. Gives how many were swept.
        """
        table = hooks.c
        joins = and_(table.swept_until >= table.gap_from, table.swept_from < table.gap_from)
        statement = (
            update(hooks)
            .where(table.connection == connection, table.gap_from >= since)
            .values(
                gap_from=case((table.healed_at <= until, null()), else_=literal(resume, UtcInstant)),
                swept_from=case((joins, table.swept_from), else_=table.gap_from),
                swept_until=until,
            )
        )
        tell = self._audit.within([event] if event else [])

        def unit(at: Connection) -> int:
            swept = at.execute(statement).rowcount
            if swept:
                tell(at)
            return swept

        return await self._database.write(unit)
