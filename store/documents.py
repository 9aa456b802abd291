"""Source documents: how the newest version that was fetched ended, or where it waits."""

import datetime as dt
from collections.abc import Iterable
from typing import Final

from pydantic import TypeAdapter
from sqlalchemy import Connection, and_, case, func, not_, or_, select

from contracts import names
from contracts.flow import State
from contracts.journal import Problem
from store.engine.database import Database, insert_into
from store.reviews import ReviewedDocuments, document_of
from store.rows import AuditEvent, DocumentRow
from store.schema import HAS_PARENT, documents
from store.trail.audit import Audit
from store.turns import Turn, Turns

_CHUNK: Final = 500
_REPLACED: Final = (
    "tenant",
    "integration",
    "fingerprint",
    "state",
    "reason",
    "problems",
    "job",
    "decided_by",
    "at",
)
_PROBLEMS: Final = TypeAdapter(tuple[Problem, ...])


class Documents(ReviewedDocuments):
    """One row per connection, kind and id."""

    def __init__(self, database: Database, audit: Audit) -> None:
        super().__init__(database)
        self._audit = audit
        self._turns = Turns(database)
        insert = insert_into(database, documents)
        given, kept = insert.excluded, documents.c
        self._settle = insert.on_conflict_do_update(
            index_elements=[kept.connection, kept.kind, kept.id],
            set_={
                **{name: given[name] for name in _REPLACED},
                # Steps that do not know it leave it as it is.
                "parent_id": case((given.parent_id != "", given.parent_id), else_=kept.parent_id),
                "decided_version": case(
                    (
                        and_(given.state == State.NEEDS_REVIEW, given.decided_version == ""),
                        kept.decided_version,
                    ),
                    else_=given.decided_version,
                ),
                # A replica of the shop may answer with an older stamp than one seen before; what was seen stays seen.
                "modified_at": case((kept.modified_at > given.modified_at, kept.modified_at), else_=given.modified_at),
            },
        )

    async def get(self, connection: str, kind: str, document_id: str) -> DocumentRow | None:
        statement = select(documents).where(
            documents.c.connection == connection, documents.c.kind == kind, documents.c.id == document_id
        )
        row = await self._database.read(lambda at: at.execute(statement).one_or_none())
        return document_of(row) if row is not None else None

    async def settle(self, document: DocumentRow, *, turn: Turn | None = None, event: AuditEvent | None = None) -> None:
        """Record where the document stands, and `event` with it. `modified_at` never goes back.

        A person's decision that stands already is not told a second time. Raises `store.turns.Superseded`.
        """
        values = {
            **document.model_dump(exclude={"problems"}),
            "problems": _PROBLEMS.dump_python(document.problems, mode="json"),
        }

        tell = self._audit.within([event] if event else [])

        def unit(connection: Connection) -> None:
            self._turns.take(connection, turn)
            told = event is not None and self._stands(connection, document)
            connection.execute(self._settle, values)
            if not told:
                tell(connection)

        await (self._database.write_one if turn is None and event is None else self._database.write)(unit)

    def _stands(self, connection: Connection, document: DocumentRow) -> bool:
        """Whether this very decision is on record: the step that carries it is being repeated."""
        if not document.decided_by:
            return False
        standing = select(documents).where(
            documents.c.connection == document.connection,
            documents.c.kind == document.kind,
            documents.c.id == document.id,
        )
        row = connection.execute(standing).one_or_none()
        return row is not None and all(
            getattr(row, name) == getattr(document, name)
            for name in ("state", "reason", "fingerprint", "job", "decided_by")
        )

    async def settled(
        self,
        connection: str,
        kind: str,
        versions: Iterable[tuple[str, dt.datetime]],
        *,
        waiting_since: dt.datetime | None = None,
    ) -> frozenset[str]:
        """Which of these (id, modified stamp) need no start: that version, or a newer one, was fetched already.

        A document that is merely `running` is not settled: nothing says that its fetch came after the change. With
        `waiting_since`, nor is one that has waited for its import, or been in doubt, since before then: its run may be
        gone.
        """
        wanted = dict(versions)
        ids = list(wanted)
        fetched = documents.c.state != State.RUNNING
        if waiting_since is not None:
            waits = documents.c.state.in_((State.WAITING_IMPORT, State.IN_DOUBT, State.WAITING_PARENT))
            fetched = and_(fetched, or_(not_(waits), documents.c.at > waiting_since))

        def unit(at: Connection) -> frozenset[str]:
            found: set[str] = set()
            for start in range(0, len(ids), _CHUNK):
                rows = at.execute(
                    select(documents.c.id, documents.c.modified_at).where(
                        documents.c.connection == connection,
                        documents.c.kind == kind,
                        documents.c.id.in_(ids[start : start + _CHUNK]),
                        fetched,
                    )
                )
                found.update(row.id for row in rows if row.modified_at >= wanted[row.id])
            return frozenset(found)

        return await self._database.read(unit)

    async def refunds_waiting_for(self, connection: str, order_ids: Iterable[str]) -> tuple[DocumentRow, ...]:
        """Refunds of these orders that something new about their order may concern, by id.

        Those that wait for it, for a person or for the shop, and those left out because of how it stood; not what is
        posted or on its way, nor what a person decided.
        """
        wanted = sorted(set(order_ids))
        table = documents.c
        open_states = (State.RUNNING, State.WAITING_PARENT, State.NEEDS_REVIEW, State.SKIPPED)

        def unit(at: Connection) -> tuple[DocumentRow, ...]:
            found: list[DocumentRow] = []
            for start in range(0, len(wanted), _CHUNK):
                statement = (
                    select(documents)
                    .where(
                        table.connection == connection,
                        table.parent_id.in_(wanted[start : start + _CHUNK]),
                        HAS_PARENT,
                        table.kind == names.REFUND,
                        table.state.in_(open_states),
                        table.decided_by == "",
                    )
                    .order_by(table.id)
                )
                found += [document_of(row) for row in at.execute(statement)]
            return tuple(found)

        return await self._database.read(unit)

    async def refunds_of(self, connection: str, order_id: str) -> tuple[DocumentRow, ...]:
        """All refunds of an order that are known to be its own, by id."""
        table = documents.c
        mine = (table.connection == connection, table.parent_id == order_id, HAS_PARENT, table.kind == names.REFUND)
        statement = select(documents).where(*mine).order_by(table.id)
        return await self._database.read(lambda at: tuple(document_of(row) for row in at.execute(statement)))

    async def review_list(self, tenant: str | None = None) -> tuple[DocumentRow, ...]:
        """What waits for a person, longest waiting first."""
        statement = select(documents).where(documents.c.state == State.NEEDS_REVIEW)
        if tenant is not None:
            statement = statement.where(documents.c.tenant == tenant)
        ordered = statement.order_by(documents.c.at, documents.c.id)
        return await self._database.read(lambda at: tuple(document_of(row) for row in at.execute(ordered)))

    async def counts_by_state(self, integration: str | None = None) -> dict[State, int]:
        statement = select(documents.c.state, func.count())
        if integration is not None:
            statement = statement.where(documents.c.integration == integration)
        grouped = statement.group_by(documents.c.state)

        def unit(at: Connection) -> dict[State, int]:
            return {State(state): count for state, count in at.execute(grouped)}

        return await self._database.read(unit)
