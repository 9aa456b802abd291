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
    content_columns,
    creation_of,
    evidence_of,
    noted,
)
from store.creating.creation_changes import (
    FREE,
    NEVER_SENT,
    change,
    forget,
    holds,
    known_row,
    locked_row,
    remember,
)
from store.creating.decided_creations import DecidedCreations
from store.creating.elsewhere import refuse_second_journal
from store.creating.giving_way import must_give_way
from store.engine.database import StoreError
from store.epochs import advance_within, require_within
from store.rows import AuditEvent
from store.turns import Superseded, Turn

_DOUBTED: Final = "doubted"
_SENDABLE: Final = (CreationState.INTENDED, CreationState.SENDING)


class Creations(DecidedCreations):
    """One row per reference. `now` is the caller's clock throughout."""

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
        `store.turns.Superseded`, also for what has to give way (`giving_way`), `store.epochs.StoreBehind`,
        `store.creating.elsewhere.PostedElsewhere`.
        """
        content, key = content_columns(intent, self._vault), intent.key
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
            row = self.apply(connection, row, declaration, now, declared)
            if row.sends:
                change(connection, row, state=CreationState.SENDING)
                return Intended("open", creation_of(known_row(connection, intent.reference)), epoch)
            if must_give_way(connection, intent):
                raise Superseded(Turn(connection=key.connection, kind=key.kind, document_id=key.document_id, at=now))
            if new:
                return Intended("intended", row, epoch)
            if found.digest != intent.digest or row.state is CreationState.WITHDRAWN:
                self._tell(connection, event)
                since = now if row.state is CreationState.WITHDRAWN else row.created_at
                # Whoever holds a lease for the older version is refused by its mark.
                evidence = evidence_of(row, **noted(intent))
                change(connection, row, **content, created_at=since, evidence=evidence, **FREE)
            change(connection, row, **NEVER_SENT)
            return Intended("intended", creation_of(known_row(connection, intent.reference)), epoch)

        return await self._database.write(unit)

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
