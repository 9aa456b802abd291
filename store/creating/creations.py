# ruff: noqa: N818 -- the names say what happened; that they are errors is said by where they stand
"""Creations: documents that one call to the ERP creates, each with its intent, its lease and its outcome.

The row is written before anything is sent. An attempt sends under a lease that it took, after a mark that says so, and
nobody forgets a mark but by proof: the attempt itself shows that nothing came of it, the vendor ended the request and
has nothing of it long afterwards, or a person declares it. Every change looks at the row it has locked, so attempts
may race on any number of workers.
"""

import datetime as dt
from typing import Any, Final

from sqlalchemy import Connection

from store.creating.creation import (
    NOTHING_KNOWN,
    CreationLease,
    CreationRow,
    CreationState,
    Declaration,
    Ended,
    Granted,
    Intended,
    Intent,
    Occupied,
    Send,
    Unresolved,
    blank_columns,
    content_columns,
    creation_of,
    evidence_of,
    noted,
)
from store.creating.creation_changes import (
    ASKS,
    DECLARED,
    FREE,
    NEVER_SENT,
    change,
    counts_now,
    forget,
    holds,
    known_row,
    locked_row,
    remember,
)
from store.creating.elsewhere import refuse_second_journal
from store.creating.recorded_creations import RecordedCreations
from store.engine.database import Database, StoreError, insert_into
from store.epochs import advance_within, require_within
from store.keys.vault import Vault
from store.rows import AuditEvent, PostingKey
from store.schema import creations
from store.trail.audit import Audit
from store.turns import Turn, Turns

_DOUBTED: Final = "doubted"
_SENDABLE: Final = (CreationState.INTENDED, CreationState.SENDING)


class CreationInFlight(StoreError):
    """Its request may be going out at this moment: nobody may decide about it before the lease has ended."""

    def __init__(self, reference: str, until: dt.datetime) -> None:
        super().__init__(f"{reference} may be on its way until {until:%H:%M:%S} UTC. Decide after that.")
        self.reference = reference
        self.until = until


class Creations(RecordedCreations):
    """One row per reference. `now` is the caller's clock throughout."""

    def __init__(self, database: Database, vault: Vault, audit: Audit) -> None:
        super().__init__(database, vault)
        self._audit = audit
        self._turns = Turns(database)
        self._insert = insert_into(database, creations).on_conflict_do_nothing().returning(creations.c.reference)

    async def intend(
        self,
        intent: Intent,
        *,
        now: dt.datetime,
        turn: Turn | None = None,
        seen: int = 0,
        open_since: dt.datetime | None = None,
        declaration: Declaration | None = None,
        event: AuditEvent | None = None,
        declared: AuditEvent | None = None,
    ) -> Intended:
        """Write down what is to be created, or say what stands in its place. Safe to repeat.

        While nothing of it was sent, a newer version replaces the older. `seen` is the highest epoch the caller knows,
        `open_since` as in `creation_changes.remember`. `declaration` frees what a person was asked about (`in_review`),
        once. `event` is added when the intent is new, `declared` when the declaration counted. Raises
        `store.turns.Superseded`, `store.epochs.StoreBehind`, `store.creating.elsewhere.PostedElsewhere`.
        """
        content = content_columns(intent, self._vault)
        fresh = {**NOTHING_KNOWN, "evidence": noted(intent)}
        values = {"reference": intent.reference, **intent.key.model_dump(), **fresh, **content}

        def unit(connection: Connection) -> Intended:
            self._turns.take(connection, turn)
            epoch = require_within(connection, seen)
            refuse_second_journal(connection, intent.key)
            new = connection.execute(self._insert, {**values, "created_at": now}).first() is not None
            if new:
                self._tell(connection, event)
            found = locked_row(connection, intent.reference)
            if found is None:
                raise StoreError(
                    f"{intent.reference} cannot be intended: its document, purpose and ordinal belong to another."
                )
            row = creation_of(found)
            if row.final:
                return self._compared(connection, row, intent, epoch)
            row = remember(connection, row, intent, open_since)
            if new and not row.sends:
                return Intended("intended", row, epoch)
            row = self._declared(connection, row, declaration, now, declared)
            if row.sends:
                change(connection, row, state=CreationState.SENDING)
                return Intended("open", creation_of(known_row(connection, intent.reference)), epoch)
            if found.digest != intent.digest or row.state is CreationState.WITHDRAWN:
                self._tell(connection, event)
                since = now if row.state is CreationState.WITHDRAWN else row.created_at
                # Whoever holds a lease for the older version is refused by its mark.
                evidence = evidence_of(row, **noted(intent))
                change(connection, row, **content, created_at=since, evidence=evidence, **FREE)
            change(connection, row, **NEVER_SENT)
            return Intended("intended", creation_of(known_row(connection, intent.reference)), epoch)

        return await self._database.write(unit)

    async def declared_absent(
        self, reference: str, declaration: Declaration, *, now: dt.datetime, event: AuditEvent | None = None
    ) -> CreationRow | None:
        """As the declaration of `intend`, where nothing is to be created any more. The row as it is then, if any."""

        def unit(connection: Connection) -> CreationRow | None:
            found = locked_row(connection, reference)
            if found is None:
                return None
            row = self._declared(connection, creation_of(found), declaration, now, event)
            if row.state is CreationState.REVIEW and not row.sends:
                change(connection, row, **NEVER_SENT)
            return creation_of(known_row(connection, reference))

        return await self._database.write(unit)

    def _declared(
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

    def _compared(self, connection: Connection, row: CreationRow, intent: Intent, epoch: int) -> Intended:
        """What is there, against the version that is to be created."""
        if not row.fingerprint and row.recovered_at is not None:
            return Intended("recovered", row, epoch)
        if not row.fingerprint:
            # A person named it before it was ever intended: this version is the one they looked at.
            change(connection, row, fingerprint=intent.fingerprint)
        elif row.fingerprint != intent.fingerprint:
            return Intended("other_version", row, epoch)
        return Intended("posted" if row.state is CreationState.POSTED else "differs", row, epoch)

    async def lease(
        self, reference: str, token: str, *, now: dt.datetime, until: dt.datetime, again: bool = False
    ) -> CreationLease:
        """Ask for the right to send; `token` names this attempt. With `again` also while an earlier send is open.

        Only where the vendor refuses a second document of the same number may that be asked for. Raises
        `CreationUnknown`.
        """

        def unit(connection: Connection) -> CreationLease:
            found = known_row(connection, reference)
            row = creation_of(found)
            if row.final or row.state is CreationState.WITHDRAWN:
                return Ended(row)
            if row.lease_until is not None and now < row.lease_until and found.lease_token != token:
                return Occupied(row.lease_until)
            if row.sends and (row.target_id or not again):
                return Unresolved(row, row.lease_until or row.sends[-1].at)
            change(connection, row, lease_token=token, lease_until=until)
            return Granted(until)

        return await self._database.write(unit)

    async def mark_sent(
        self, intent: Intent, token: str, *, now: dt.datetime, event: AuditEvent | None = None
    ) -> int | None:
        """Durable before the request goes out; gives the store's epoch. `None`: the lease is lost, do not send."""
        content = content_columns(intent, self._vault)
        send = Send(token=token, at=now, fingerprint=intent.fingerprint, currency=intent.currency, total=intent.total)

        def unit(connection: Connection) -> int | None:
            found = known_row(connection, intent.reference)
            row = creation_of(found)
            if not holds(found, token) or now >= found.lease_until or row.state not in _SENDABLE:
                return None
            if token in {one.token for one in row.sends}:
                return None
            if found.digest != intent.digest:
                if not row.sends:
                    # A later step wrote another version since this attempt looked.
                    return None
                change(connection, row, **content)
            change(
                connection,
                row,
                state=CreationState.SENDING,
                sent_at=now,
                answered_at=None,
                evidence=evidence_of(row, sends=(*row.sends, send), **noted(intent)),
            )
            self._tell(connection, event)
            return advance_within(connection, now)

        return await self._database.write(unit)

    async def release(self, reference: str, token: str, *, event: AuditEvent | None = None) -> None:
        """Give the lease back. This attempt proves that nothing comes of its request, if it marked one: `event`."""

        def unit(connection: Connection) -> None:
            found = known_row(connection, reference)
            row = creation_of(found)
            if not row.final:
                forget(connection, row, {token}, free=holds(found, token))
                if token in {send.token for send in row.sends}:
                    self._tell(connection, event)

        await self._database.write(unit)

    async def absent(self, row: CreationRow, *, now: dt.datetime, event: AuditEvent | None = None) -> bool:
        """The sends that `row` shows are proved to have come to nothing. False: it has changed meanwhile."""

        def unit(connection: Connection) -> bool:
            found = known_row(connection, row.reference)
            current = creation_of(found)
            if current.final or current.sends != row.sends or (current.lease_until and now < current.lease_until):
                return False
            forget(connection, current, {send.token for send in row.sends}, free=True)
            self._tell(connection, event)
            return True

        return await self._database.write(unit)

    async def doubted(
        self,
        reference: str,
        token: str,
        *,
        sentence: str,
        answered_at: dt.datetime | None = None,
        refused_as_duplicate: bool = False,
        event: AuditEvent | None = None,
    ) -> None:
        """The outcome of a send is not known; what its attempt did learn is kept. `event` is added once per send."""

        def unit(connection: Connection) -> None:
            row = creation_of(known_row(connection, reference))
            learned: dict[str, Any] = {"refused_as_duplicate": True} if refused_as_duplicate else {}
            if answered_at is not None:
                learned["answered_at"] = answered_at
            sends = tuple(one.model_copy(update=learned) if one.token == token else one for one in row.sends)
            if row.final or token not in {one.token for one in sends}:
                return
            if row.evidence.get(_DOUBTED) != token:
                self._tell(connection, event)
            change(
                connection,
                row,
                answered_at=sends[-1].answered_at,
                sentence=sentence,
                evidence=evidence_of(row, sends=sends, **{_DOUBTED: token}),
            )

        await self._database.write(unit)

    async def note(self, reference: str, evidence: dict[str, Any]) -> None:
        """Add to what is known of it."""

        def unit(connection: Connection) -> None:
            row = creation_of(known_row(connection, reference))
            change(connection, row, evidence=evidence_of(row, **evidence))

        await self._database.write(unit)

    async def confirmed(self, reference: str, token: str, *, target_id: str, target_number: str) -> None:
        """The vendor answered that it is there. It is read back before that is believed."""

        def unit(connection: Connection) -> None:
            row = creation_of(known_row(connection, reference))
            if not row.final and token in {send.token for send in row.sends}:
                change(connection, row, target_id=target_id, target_number=target_number)

        await self._database.write(unit)

    async def found(
        self,
        reference: str,
        *,
        target_id: str,
        target_number: str,
        fingerprint: str,
        sentence: str,
        now: dt.datetime,
        differs: bool = False,
        event: AuditEvent | None = None,
    ) -> bool:
        """It is there, as the version of `fingerprint` meant it, or (`differs`) not as we meant it.

        Safe to repeat. False: another one is recorded already.
        """
        state = CreationState.DIFFERS if differs else CreationState.POSTED

        def unit(connection: Connection) -> bool:
            row = creation_of(known_row(connection, reference))
            if row.final and row.target_id != target_id:
                return False
            if row.state is CreationState.POSTED or row.state is state:
                return True
            change(
                connection,
                row,
                state=state,
                target_id=target_id,
                target_number=target_number,
                fingerprint=fingerprint,
                posted_at=row.posted_at or now,
                sentence=sentence,
                evidence=evidence_of(row, sends=()),
                **FREE,
            )
            self._tell(connection, event)
            return True

        return await self._database.write(unit)

    async def recognised(self, reference: str, fingerprint: str) -> None:
        """What was read back from the ERP is this version."""

        def unit(connection: Connection) -> None:
            row = creation_of(known_row(connection, reference))
            if row.final and not row.fingerprint:
                change(connection, row, fingerprint=fingerprint)

        await self._database.write(unit)

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
