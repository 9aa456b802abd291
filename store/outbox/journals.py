# ruff: noqa: N818 -- the names say what happened; that they are errors is said by where they stand
"""The journal outbox: one posting per target document, staged until a group takes it.

Every change is a compare-and-set on the posting's state, so staging, sealing and fates may race on any number of
workers: whoever loses looks again at what the other one left.
"""

import datetime as dt
from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import Connection, bindparam, case, delete, func, insert, select, update

from contracts.journal import FateKind, Journal, JournalFate
from contracts.sale import Sale
from contracts.steps.journals import Staged
from store.creating.elsewhere import refuse_second_creation
from store.engine.database import Database, StoreError, insert_into
from store.keys.vault import Vault
from store.outbox.booked import BookedJournals, give_way
from store.outbox.fates import close_when_known
from store.outbox.postings import (
    CONTENT_NAMES,
    FATE_COLUMNS,
    FINAL,
    NO_FATE,
    RESTAGEABLE,
    content_columns,
    fate_columns,
    fate_of,
    line_rows,
    open_content,
    posting_of,
    without_content,
)
from store.outbox.settling import Place, catch_up
from store.recoveries import booked_digest
from store.rows import AuditEvent, GroupState, Pending, PostingCount, PostingKey, PostingRow, PostingState
from store.schema import HAS_PARENT, STAGED, group_members, journal_groups, journal_lines, postings
from store.trail.audit import Audit
from store.turns import Turn, Turns

_CHUNK: Final = 500
_IN_FLIGHT: Final = (GroupState.SEALED, GroupState.SENDING, GroupState.SUBMITTED, GroupState.RESOLVING)
_REPLACED: Final = ("fingerprint", "job", "staged_at", *CONTENT_NAMES)


class PostingUnknown(StoreError):
    """No posting has this reference, and the call does not say whose it would be."""

    def __init__(self, reference: str) -> None:
        super().__init__(f"No posting has the reference {reference}.")


class PostingInFlight(StoreError):
    """The posting is in a group that is being imported; its fate comes from Fusion, not from a person."""

    def __init__(self, reference: str, group_id: int) -> None:
        super().__init__(f"{reference} is being imported in group {group_id}. Wait for that import, then decide.")
        self.reference = reference
        self.group_id = group_id


class Journals(BookedJournals):
    """Postings of journals and what became of them."""

    def __init__(self, database: Database, vault: Vault, audit: Audit) -> None:
        super().__init__(database, vault)
        self._audit = audit
        self._turns = Turns(database)
        self._insert = insert_into(database, postings).on_conflict_do_nothing().returning(postings.c.reference)
        self._insert_lines = insert(journal_lines)
        self._delete_lines = delete(journal_lines).where(journal_lines.c.reference == bindparam("of"))
        self._standing = select(
            *FATE_COLUMNS,
            postings.c.fingerprint,
            postings.c.digest,
            postings.c.staged_at,
            postings.c.recovered_at,
        ).where(postings.c.reference == bindparam("of"))
        self._restage = (
            update(postings)
            .where(postings.c.reference == bindparam("of"), postings.c.state == bindparam("was"))
            .values(
                {
                    **{name: bindparam(f"new_{name}") for name in _REPLACED},
                    **NO_FATE,
                    "state": PostingState.STAGED,
                    "group_id": None,
                }
            )
            .returning(postings.c.reference)
        )

    async def stage(
        self,
        journal: Journal,
        *,
        tenant: str,
        integration: str,
        connection: str,
        fusion: str,
        kind: str,
        document_id: str,
        purpose: str,
        ordinal: int,
        fingerprint: str,
        basis: Sale | None = None,
        parent_id: str = "",
        job: str = "",
        now: dt.datetime | None = None,
        turn: Turn | None = None,
        event: AuditEvent | None = None,
    ) -> Staged:
        """Put a journal into the outbox, or say why it is not there. Safe to repeat; `event` is added when it is put.

        `basis` is the version of the sale that the ledger shows once it is posted. A journal that follows others
        (`store.outbox.booked.FOLLOWING`) takes the place of one of its document that waits.

        `staged`: it waits for the next group, new or in place of an older version · `unchanged`: this version waits or
        is in a group already · `in_group`: another version, or another journal of the document, is in a group whose
        fate is open · `fated`: this version is in the ledger · `edited_after_posting`: another version is ·
        `superseded`: the ledger has come further. Raises `store.turns.Superseded` and
        `store.creating.elsewhere.PostedElsewhere`.
        """
        moment = now or dt.datetime.now(dt.UTC)
        content = content_columns(journal, tenant, self._vault, basis)
        values: dict[str, Any] = {
            "reference": journal.reference,
            "tenant": tenant,
            "integration": integration,
            "connection": connection,
            "fusion": fusion,
            "kind": kind,
            "document_id": document_id,
            "parent_id": parent_id,
            "purpose": purpose,
            "ordinal": ordinal,
            "fingerprint": fingerprint,
            "state": PostingState.STAGED,
            "job": job,
            "created_at": moment,
            "staged_at": moment,
            "group_id": None,
            **content,
            **NO_FATE,
        }
        lines = line_rows(journal)
        key = PostingKey(**{name: values[name] for name in PostingKey.model_fields})
        tell = self._audit.within([event] if event else [])

        def unit(connection: Connection) -> Staged:
            self._turns.take(connection, turn)
            refuse_second_creation(connection, key)
            if (other := give_way(connection, key, journal.reference)) is not None:
                return other
            if connection.execute(self._insert, values).first() is not None:
                connection.execute(self._insert_lines, lines)
                staged = Staged(outcome="staged", reference=journal.reference)
            else:
                self._adopt(connection, values)
                staged = self._stage_again(connection, values, lines, journal)
            if staged.outcome == "staged":
                tell(connection)
            return staged

        return await self._database.write(unit)

    def _adopt(self, connection: Connection, values: dict[str, Any]) -> None:
        """A posting that was read back from Fusion after a restore does not say whose it is."""
        if values["parent_id"]:
            nobodys = (postings.c.reference == values["reference"], postings.c.parent_id == "")
            connection.execute(update(postings).where(*nobodys).values(parent_id=values["parent_id"]))

    def _stage_again(
        self, connection: Connection, values: dict[str, Any], lines: list[dict[str, Any]], journal: Journal
    ) -> Staged:
        reference: str = values["reference"]
        while True:
            row = connection.execute(self._standing, {"of": reference}).one_or_none()
            if row is None:
                raise StoreError(
                    f"{reference} cannot be staged: its document, purpose and ordinal belong to another reference."
                )
            state = PostingState(row.state)
            same = row.fingerprint == values["fingerprint"]
            if state in FINAL:
                return self._compare(connection, row, values, journal)
            if state not in RESTAGEABLE:
                return Staged(outcome="unchanged" if same else "in_group", reference=reference)
            if state is PostingState.STAGED and same and row.digest == values["digest"]:
                return Staged(outcome="unchanged", reference=reference)
            new = {f"new_{name}": values[name] for name in _REPLACED}
            if state is PostingState.STAGED:
                # However often it is edited, its group is due when its first version was.
                new["new_staged_at"] = row.staged_at
            if connection.execute(self._restage, {"of": reference, "was": state, **new}).first() is None:
                continue
            connection.execute(self._delete_lines, {"of": reference})
            connection.execute(self._insert_lines, lines)
            return Staged(outcome="staged", reference=reference)

    def _compare(self, connection: Connection, row: Any, values: dict[str, Any], journal: Journal) -> Staged:
        """A posting that is in the ledger, against the version that is to be staged."""
        fingerprint: str = values["fingerprint"]
        recovered = not row.fingerprint and row.recovered_at is not None
        if recovered and row.digest != booked_digest(journal):
            # The ledger was read back after a restore, and shows other lines than this version has.
            return Staged(outcome="edited_after_posting", reference=row.reference, fate=fate_of(row))
        if not row.fingerprint:
            # A person marked it as posted before it was ever staged: this version is the one they looked at. What was
            # read back after a restore shows the lines of this version, so they are known again.
            known = {"fingerprint": fingerprint} | ({"content": values["content"]} if recovered else {})
            connection.execute(update(postings).where(postings.c.reference == row.reference).values(known))
        elif row.fingerprint != fingerprint:
            return Staged(outcome="edited_after_posting", reference=row.reference, fate=fate_of(row))
        return Staged(outcome="fated", reference=row.reference, fate=fate_of(row))

    async def withdraw(self, reference: str, *, turn: Turn | None = None) -> bool:
        """Take a posting out of the outbox: its document is not to be posted. False: it is on its way.

        Raises `store.turns.Superseded`.
        """
        statement = (
            update(postings)
            .where(
                postings.c.reference == reference,
                postings.c.state.in_(RESTAGEABLE),
            )
            .values(state=case((STAGED, PostingState.WITHDRAWN), else_=postings.c.state))
            .returning(postings.c.reference)
        )

        def unit(connection: Connection) -> bool:
            self._turns.take(connection, turn)
            return connection.execute(statement).first() is not None

        return await self._database.write(unit)

    async def mark_posted(
        self,
        reference: str,
        *,
        target: str,
        who: str,
        why: str,
        now: dt.datetime | None = None,
        journal_header_id: int | None = None,
        key: PostingKey | None = None,
        fingerprint: str = "",
        job: str = "",
    ) -> JournalFate:
        """A person names the journal in Fusion (verified there by the caller) that is this posting.

        With `key` the posting need not exist: a document that never got as far as staging is kept from being posted
        again later. Raises `PostingInFlight`, `PostingUnknown`, `store.creating.elsewhere.PostedElsewhere`. Repeated,
        it gives the fate that is known already.
        """
        moment = now or dt.datetime.now(dt.UTC)

        def unit(connection: Connection) -> JournalFate:
            if key is not None:
                refuse_second_creation(connection, key)
                connection.execute(self._insert, without_content(reference, key, fingerprint, job, moment))
            row = connection.execute(
                select(*FATE_COLUMNS, journal_groups.c.state.label("group_state"))
                .outerjoin(journal_groups, journal_groups.c.id == postings.c.group_id)
                .where(postings.c.reference == reference)
                .with_for_update(of=postings)
            ).one_or_none()
            if row is None:
                raise PostingUnknown(reference)
            known = fate_of(row)
            if known is not None and known.kind is FateKind.POSTED:
                return known
            if row.state == PostingState.GROUPED and row.group_state in _IN_FLIGHT:
                raise PostingInFlight(reference, row.group_id)
            fate = JournalFate(
                reference=reference,
                kind=FateKind.POSTED,
                group_id=row.group_id or 0,
                at=moment,
                journal_header_id=journal_header_id,
                journal_name=target,
                sentence=f"Marked as posted by {who}: {why}",
            )
            changed = update(postings).where(postings.c.reference == reference)
            if fingerprint:
                changed = changed.values(fingerprint=fingerprint)
            connection.execute(changed.values(state=PostingState.POSTED, **fate_columns(fate)))
            if row.group_id:
                connection.execute(
                    update(group_members)
                    .where(group_members.c.group_id == row.group_id, group_members.c.reference == reference)
                    .values(fate=FateKind.POSTED)
                )
                close_when_known(connection, row.group_id, moment)
            return fate

        return await self._database.write(unit)

    async def pending(self, fusion: str, ledger: str, source: str) -> Pending:
        """How much waits for the next group, and since when."""
        statement = select(func.count(), func.min(postings.c.staged_at, type_=postings.c.staged_at.type)).where(
            postings.c.fusion == fusion,
            postings.c.ledger == ledger,
            postings.c.source == source,
            STAGED,
        )

        def unit(connection: Connection) -> Pending:
            count, oldest = connection.execute(statement).one()
            return Pending(count=count, oldest=oldest)

        return await self._database.read(unit)

    async def catch_up(self, place: Place, now: dt.datetime) -> None:
        """After a document was recorded as waiting: its journals may have been posted before that. Then it stands
        where they are."""
        await self._database.write(lambda connection: catch_up(connection, place, now))

    async def fate(self, reference: str) -> JournalFate | None:
        """What is known of one journal; `None` while it is staged, in an open group, or unheard of."""
        return (await self.fates((reference,))).get(reference)

    async def fates(self, references: Iterable[str]) -> dict[str, JournalFate]:
        """Known fates by reference. A journal that is staged or in an open group has none."""
        wanted = sorted(set(references))

        def unit(connection: Connection) -> dict[str, JournalFate]:
            found: dict[str, JournalFate] = {}
            for start in range(0, len(wanted), _CHUNK):
                chunk = wanted[start : start + _CHUNK]
                for row in connection.execute(select(*FATE_COLUMNS).where(postings.c.reference.in_(chunk))):
                    if fate := fate_of(row):
                        found[row.reference] = fate
            return found

        return await self._database.read(unit)

    async def posting(self, reference: str) -> PostingRow | None:
        rows = await self._rows(postings.c.reference == reference)
        return rows[0] if rows else None

    async def postings_of(self, connection: str, kind: str, document_id: str) -> tuple[PostingRow, ...]:
        """All postings of one source document, by purpose and ordinal."""
        return await self._rows(
            postings.c.connection == connection, postings.c.kind == kind, postings.c.document_id == document_id
        )

    async def postings_below(self, connection: str, parent_id: str) -> tuple[PostingRow, ...]:
        """All postings of what belongs to one order and is not the order itself, by document, purpose and ordinal."""
        return await self._rows(postings.c.connection == connection, postings.c.parent_id == parent_id, HAS_PARENT)

    async def content(self, reference: str) -> Journal | None:
        """The journal as staged last; `None` when nothing was ever staged under this reference."""
        statement = select(postings.c.tenant, postings.c.content).where(postings.c.reference == reference)
        row = await self._database.read(lambda connection: connection.execute(statement).one_or_none())
        if row is None or row.content is None:
            return None
        return open_content(self._vault, row.tenant, reference, row.content)

    async def counts(self) -> tuple[PostingCount, ...]:
        """The status overview: postings by ledger, source and state with the age of the oldest."""
        table = postings.c
        grouping = (table.fusion, table.ledger, table.source, table.state)
        statement = (
            select(*grouping, func.count().label("rows"), func.min(table.staged_at, type_=table.staged_at.type))
            .group_by(*grouping)
            .order_by(*grouping)
        )

        def unit(connection: Connection) -> tuple[PostingCount, ...]:
            return tuple(
                PostingCount(
                    fusion=fusion, ledger=ledger, source=source, state=PostingState(state), count=count, oldest=oldest
                )
                for fusion, ledger, source, state, count, oldest in connection.execute(statement)
            )

        return await self._database.read(unit)

    async def _rows(self, *conditions: Any) -> tuple[PostingRow, ...]:
        statement = (
            select(*(column for column in postings.c if column.name not in ("content", "digest")))
            .where(*conditions)
            .order_by(postings.c.document_id, postings.c.purpose, postings.c.ordinal)
        )
        return await self._database.read(
            lambda connection: tuple(posting_of(row) for row in connection.execute(statement))
        )
