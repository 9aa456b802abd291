# ruff: noqa: N818 -- the names say what happened; that they are errors is said by where they stand
"""Creations as people decide about them: asked for review, declared absent, given up, or named by hand."""

import datetime as dt
from typing import Any

from sqlalchemy import Connection

from store.creating.creation import (
    NOTHING_KNOWN,
    CreationRow,
    CreationState,
    Declaration,
    blank_columns,
    creation_of,
    evidence_of,
)
from store.creating.creation_changes import (
    ASKS,
    DECLARED,
    FREE,
    NEVER_SENT,
    change,
    counts_now,
    known_row,
    locked_row,
)
from store.creating.elsewhere import refuse_second_journal
from store.creating.recorded_creations import RecordedCreations
from store.engine.database import Database, StoreError, insert_into
from store.keys.vault import Vault
from store.rows import AuditEvent, PostingKey
from store.schema import creations
from store.trail.audit import Audit
from store.turns import Turn, Turns


class CreationInFlight(StoreError):
    """Its request may be going out at this moment: nobody may decide about it before the lease has ended."""

    def __init__(self, reference: str, until: dt.datetime) -> None:
        super().__init__(f"{reference} may be on its way until {until:%H:%M:%S} UTC. Decide after that.")
        self.reference = reference
        self.until = until


class DecidedCreations(RecordedCreations):
    """What leads to a person, and what a person decides. `now` is the caller's clock throughout."""

    def __init__(self, database: Database, vault: Vault, audit: Audit) -> None:
        super().__init__(database, vault)
        self._audit = audit
        self._turns = Turns(database)
        self._insert = insert_into(database, creations).on_conflict_do_nothing().returning(creations.c.reference)

    async def in_review(
        self,
        reference: str,
        *,
        code: str,
        sentence: str,
        evidence: dict[str, Any] | None = None,
        asks_absence: bool = False,
        event: AuditEvent | None = None,
    ) -> None:
        """A person must look. `asks_absence`: whether what was sent never arrived; the answer is a `Declaration`.

        What is there already stays recorded as there. `event` is added when it is another problem than before.
        """

        def unit(connection: Connection) -> None:
            row = creation_of(known_row(connection, reference))
            known = row.state is CreationState.REVIEW and row.evidence.get("code") == code
            given_up = row.state is CreationState.WITHDRAWN and not row.sends
            if row.state is CreationState.POSTED or given_up:
                return
            more = {**(evidence or {}), "code": code, ASKS: asks_absence}
            state = row.state if row.final else CreationState.REVIEW
            change(connection, row, state=state, sentence=sentence, evidence=evidence_of(row, **more))
            if not known:
                self._tell(connection, event)

        await self._database.write(unit)

    async def recognised(self, reference: str, fingerprint: str) -> None:
        """What was read back from the ERP is this version."""

        def unit(connection: Connection) -> None:
            row = creation_of(known_row(connection, reference))
            if row.final and not row.fingerprint:
                change(connection, row, fingerprint=fingerprint)

        await self._database.write(unit)

    async def declared_absent(
        self, reference: str, declaration: Declaration, *, now: dt.datetime, event: AuditEvent | None = None
    ) -> CreationRow | None:
        """As the declaration of `intend`, where nothing is to be created any more. The row as it is then, if any."""

        def unit(connection: Connection) -> CreationRow | None:
            found = locked_row(connection, reference)
            if found is None:
                return None
            row = self.apply(connection, creation_of(found), declaration, now, event)
            if row.state is CreationState.REVIEW and not row.sends:
                change(connection, row, **NEVER_SENT)
            return creation_of(known_row(connection, reference))

        return await self._database.write(unit)

    def apply(
        self,
        connection: Connection,
        row: CreationRow,
        declaration: Declaration | None,
        now: dt.datetime,
        event: AuditEvent | None,
    ) -> CreationRow:
        """Without the sends that a person says came to nothing, where that person was asked."""
        if declaration is None or not row.sends or not counts_now(row, declaration, now):
            return row
        self._tell(connection, event)
        known = [*row.evidence.get(DECLARED, ()), declaration.decision]
        evidence = evidence_of(row, sends=(), **{DECLARED: known, ASKS: False})
        change(connection, row, evidence=evidence)
        return row.model_copy(update={"sends": (), "evidence": evidence})

    async def withdraw(
        self, reference: str, *, skipped: bool = False, by_person: bool = False, turn: Turn | None = None
    ) -> bool:
        """Not to be created any more. False: it is there, or may be on its way.

        `skipped`: for good, not only until the document is looked at again. What waits for a person may be given up by
        that person. Raises `store.turns.Superseded`.
        """

        def unit(connection: Connection) -> bool:
            self._turns.take(connection, turn)
            found = locked_row(connection, reference)
            if found is None:
                return True
            row = creation_of(found)
            if row.final or (row.sends and not (by_person and row.state is CreationState.REVIEW)):
                return False
            if skipped or row.state is CreationState.INTENDED:
                change(connection, row, state=CreationState.WITHDRAWN, **FREE)
            return True

        return await self._database.write(unit)

    async def mark_posted(
        self,
        reference: str,
        *,
        target_id: str,
        target_number: str,
        sentence: str,
        now: dt.datetime,
        key: PostingKey,
        fingerprint: str = "",
        job: str = "",
    ) -> CreationRow:
        """A person names what is there (verified by the caller). It need not have been intended: then nobody will.

        Raises `CreationInFlight`, `store.creating.elsewhere.PostedElsewhere`. Repeated, it gives what is recorded.
        """
        blank = {"reference": reference, **NOTHING_KNOWN, **blank_columns(key, job), "created_at": now}

        def unit(connection: Connection) -> CreationRow:
            refuse_second_journal(connection, key)
            connection.execute(self._insert, blank)
            row = creation_of(known_row(connection, reference))
            if row.state is CreationState.POSTED:
                return row
            if row.lease_until is not None and now < row.lease_until:
                raise CreationInFlight(reference, row.lease_until)
            change(
                connection,
                row,
                state=CreationState.POSTED,
                target_id=target_id,
                target_number=target_number,
                fingerprint=fingerprint or row.fingerprint,
                posted_at=now,
                sentence=sentence,
                evidence=evidence_of(row, sends=()),
                **FREE,
            )
            return creation_of(known_row(connection, reference))

        return await self._database.write(unit)

    def _tell(self, connection: Connection, event: AuditEvent | None) -> None:
        if event is not None:
            self._audit.within([event])(connection)
