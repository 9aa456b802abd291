"""Verifying the audit trail: every seal is made anew from what is in the table, and what differs is named."""

import datetime as dt
from collections.abc import AsyncIterator, Collection
from typing import Any, Final

from sqlalchemy import select

from contracts.model import Instant
from store.engine.database import Database, StoreFault
from store.keys.keyring import KeyDiffers, KeyMissing
from store.keys.vault import Unsealable, Vault
from store.schema import audit_events, audit_seals
from store.trail.audit_rows import SEALS_LOST, Fault, Finding, Seal, Tail, Verification
from store.trail.originals import Originals
from store.trail.seal_digests import NOTHING, VERSION, Digest, agrees, as_stored, as_text, read_marks, well_formed
from store.trail.seals import Head, HeadLost, Seals, events_between, rows_of, seal_binding

SHOWN: Final = 50
"""Findings that are described; the others are counted."""
SEALS_AT_ONCE: Final = 8

RESTORE: Final = "Compare with a backup from before the change, and find out who could write to the database."
RESTORE_ENVELOPE: Final = "Restore payload_key of that row from a backup; nothing else opens the original."
PUT_KEY_BACK: Final = "Put the key back into the key ring, then verify again."
OR_FORGED: Final = (
    "Put the right key back into the key ring, then verify again. If there never was another key under this id, "
    "somebody sealed this who does not have yours: compare with a backup, and find out who could write to the database."
)
LOWEST: Final = -(2**63)
"""The lowest id that a database can hold."""


async def verify(
    database: Database, vault: Vault, seals: Seals, tenant: str, *, kept: Collection[str] = ()
) -> Verification:
    """Verify one tenant's trail. Streams: it holds the marks of a few seals at most.

    `kept`: digests that somebody kept elsewhere; those that are found are in the answer. Where the key ring lacks a
    key that is a finding, not an error.
    """
    return await _Verifier(database, vault, seals, tenant, frozenset(kept)).run()


class _Verifier:
    def __init__(self, database: Database, vault: Vault, seals: Seals, tenant: str, kept: frozenset[str]) -> None:
        self._database = database
        self._vault = vault
        self._seals = seals
        self._tenant = tenant
        self._wanted = kept
        self._findings: list[Finding] = []
        self._faults = 0
        self._kept: list[Seal] = []
        self._notes: list[str] = []
        self._events = 0
        self._first: Instant | None = None
        self._last: Instant | None = None
        self._unread = False
        """Rows were met that cannot be read as seals: their numbers are told as changed, not as missing."""

    async def run(self) -> Verification:
        # Before the seals: a seal made meanwhile is then one that the head does not know yet, which is nothing wrong.
        head = await self._head()
        count, newest = 0, None
        try:
            async for row in self._rows():
                count += 1
                seal = self._read(row)
                if seal is None:
                    continue
                await self._follow(seal, newest)
                gap = _gap(seal, newest)
                await self._check(seal, row.key, row.marks, after=_before(seal) if gap else _end(newest))
                if head is not None and seal.number == head.number and seal.digest != head.digest:
                    self._find(
                        Fault.SEAL_CHANGED,
                        seal.number,
                        f"Audit seal {seal.number} of tenant {self._tenant} is not the one that was made: its digest "
                        "is another than the one recorded when it was the newest.",
                    )
                if seal.digest in self._wanted:
                    self._kept.append(seal)
                newest = seal
        except StoreFault as fault:
            self._unread = True
            behind = f" behind number {newest.number}" if newest else ""
            self._find(
                Fault.SEAL_CHANGED,
                None,
                f"The audit seals of tenant {self._tenant}{behind} cannot be read: {fault}",
            )
        await self._ends(head, newest.number if newest else 0)
        return Verification(
            tenant=self._tenant,
            seals=count,
            events=self._events,
            first=self._first,
            last=self._last,
            newest=newest,
            tail=await self._tail(newest),
            kept=tuple(self._kept),
            notes=tuple(self._notes),
            findings=tuple(self._findings),
            faults=self._faults,
        )

    async def _ends(self, head: Head | None, last: int) -> None:
        """Whether the seals end where the record of the newest says."""
        if head is None:
            return
        if last < head.number:
            if not self._unread:
                self._find(Fault.SEAL_REMOVED, last + 1, self._missing(last + 1, head.number))
        elif (now := await self._head()) is not None and now.number < last:
            self._find(
                Fault.SEAL_CHANGED,
                last,
                f"Audit seal {last} of tenant {self._tenant} is newer than the record of the newest seal: that was put "
                "back to an earlier state.",
            )

    async def _tail(self, newest: Seal | None) -> Tail:
        """What no seal covers yet; its originals must be readable all the same."""
        count, oldest = 0, None
        originals = Originals(self._vault)
        try:
            async for row in events_between(self._database, self._tenant, _end(newest), None):
                count += 1
                moment = _moment(row.at)
                oldest = min(filter(None, (oldest, moment)), default=None)
                originals.look(row)
        except StoreFault as fault:
            which = f"An audit event of tenant {self._tenant} that is not sealed yet"
            self._find(Fault.EVENT_CHANGED, None, f"{which} cannot be read: {fault}")
        self._tell_originals(None, originals, frozenset())
        return Tail(count=count, oldest=oldest)

    async def _head(self) -> Head | None:
        try:
            return await self._seals.head(self._tenant)
        except HeadLost as lost:
            self._find(Fault.SEAL_CHANGED, None, str(lost))
        except KeyMissing as missing:
            self._find(Fault.KEY_MISSING, None, f"Record of the newest audit seal: {missing}", _key_remedy(missing))
        return None

    async def _rows(self) -> AsyncIterator[Any]:
        """Everything that lies in the table, as it was stored."""
        columns = audit_seals.c
        stored = as_stored(audit_seals, *(column.name for column in audit_seals.columns))
        chunk = select(*stored).where(columns.tenant == self._tenant).order_by(columns.number).limit(SEALS_AT_ONCE)
        rows = await rows_of(self._database, chunk)
        while rows:
            for row in rows:
                yield row
            rows = await rows_of(self._database, chunk.where(columns.number > rows[-1].number))

    def _read(self, row: Any) -> Seal | None:
        """`None`, with a finding, for a row that no sealer wrote."""
        fields = {name: getattr(row, name) for name in Seal.model_fields}
        try:
            seal = Seal.model_validate(fields | {"sealed_at": _moment(row.sealed_at)}, strict=True)
        except ValueError:
            seal = None
        if (
            seal is None
            or seal.number < 1
            or row.sealed_at not in (seal.sealed_at, as_text(seal.sealed_at))
            or not isinstance(row.key, bytes)
            or not isinstance(row.marks, bytes)
        ):
            self._unread = True
            number = row.number if isinstance(row.number, int) else None
            named = f"Audit seal {row.number!r} of tenant {self._tenant}"
            self._find(Fault.SEAL_CHANGED, number, f"{named} is not a seal: no sealer writes such a row.")
            return None
        return seal

    async def _follow(self, seal: Seal, before: Seal | None) -> None:
        """Whether a seal follows the one before it."""
        if _gap(seal, before):
            if self._unread:
                return
            self._find(
                Fault.SEAL_REMOVED,
                (before.number if before else 0) + 1,
                self._missing((before.number if before else 0) + 1, seal.number - 1),
            )
        elif seal.previous != (before.digest if before else NOTHING):
            self._find(
                Fault.SEAL_CHANGED,
                seal.number,
                f"Audit seal {seal.number} of tenant {self._tenant} does not follow seal {seal.number - 1}: one of "
                "the two was changed.",
            )

    def _missing(self, first: int, last: int) -> str:
        which = f"Audit seal {first}" if first == last else f"Audit seals {first} to {last}"
        verbs = ("was made and is", "it") if first == last else ("were made and are", "they")
        return (
            f"{which} of tenant {self._tenant} {verbs[0]} not there any more: nothing vouches for the events that "
            f"{verbs[1]} covered."
        )

    async def _check(self, seal: Seal, key: bytes, marks: bytes, *, after: int | None) -> None:
        """Make the seal anew. Behind a gap its events begin where it says: those before were the lost seal's."""
        digest = self._digest(seal, key)
        originals = Originals(self._vault)
        differing: frozenset[int] = frozenset()
        try:
            async for row in events_between(self._database, self._tenant, after, seal.last_id):
                self._count(row)
                originals.look(row)
                if digest is not None:
                    digest.add(row)
        except StoreFault as fault:
            named = f"Audit seal {seal.number} of tenant {self._tenant}"
            self._find(Fault.SEAL_CHANGED, seal.number, f"{named}: events under it cannot be read: {fault}")
        else:
            if digest is not None:
                differing = await self._judge(seal, marks, digest)
        self._tell_originals(seal, originals, differing)

    async def _judge(self, seal: Seal, marks: bytes, digest: Digest) -> frozenset[int]:
        """Compare a seal with what it is made anew; gives the events that are named as differing.

        A digest that disagrees is always told, whether or not the marks, which nothing vouches for, name an event.
        """
        whole = agrees(seal, digest)
        differing: frozenset[int] = frozenset()
        if not whole:
            differing = await self._compare(seal, read_marks(marks), read_marks(digest.marks))
        if whole and digest.marks != marks:
            how = "its list of marks was changed; its events are as they were sealed"
        elif not whole and not differing:
            how = "it was changed, or events of it and the list that would name them"
        elif not whole and not well_formed(marks, seal.count):
            how = "its list of marks was changed too, so more events may be changed or removed than those named"
        else:
            return differing
        self._find(Fault.SEAL_CHANGED, seal.number, f"Audit seal {seal.number} of tenant {self._tenant}: {how}.")
        return differing

    def _tell_originals(self, seal: Seal | None, originals: Originals, differing: frozenset[int]) -> None:
        number = seal.number if seal else None
        where = f"under audit seal {seal.number} of" if seal else "not sealed yet, of"
        for sentence, count in originals.missing.items():
            which = "1 original" if count == 1 else f"{count:,} originals"
            told = f"{which} {where} tenant {self._tenant} cannot be read: {sentence}"
            self._find(Fault.KEY_MISSING, number, told, PUT_KEY_BACK)
        for event, of in originals.unreadable.items():
            if event not in differing:
                self._find(
                    Fault.ORIGINAL_UNREADABLE,
                    number,
                    f'The original of {of.kind} {of.document_id} ({of.connection}) at "{of.action}" is not readable: '
                    f"the envelope of its key, payload_key of audit event {event}, was removed or altered.",
                    RESTORE_ENVELOPE,
                    event=event,
                    row=of,
                )

    def _digest(self, seal: Seal, key: bytes) -> Digest | None:
        """`None`, with a finding, when the seal cannot be made anew."""
        if seal.version != VERSION:
            self._find(
                Fault.SEAL_CHANGED,
                seal.number,
                f"Audit seal {seal.number} of tenant {self._tenant} is of version {seal.version}, which this version "
                "of ml-connector does not know.",
                "If a newer version made it, verify with that one.",
            )
            return None
        try:
            opened = self._vault.open(seal_binding(self._tenant, seal.number), key)
        except KeyMissing as missing:
            sentence = f"Audit seal {seal.number} of tenant {self._tenant} cannot be verified: {missing}"
            self._find(Fault.KEY_MISSING, seal.number, sentence, _key_remedy(missing))
        except Unsealable:
            sentence = f"Audit seal {seal.number} of tenant {self._tenant} was changed: its key does not open."
            self._find(Fault.SEAL_CHANGED, seal.number, sentence)
        else:
            return Digest(opened, tenant=self._tenant, number=seal.number, previous=seal.previous)
        return None

    def _count(self, row: Any) -> None:
        self._events += 1
        if (moment := _moment(row.at)) is not None:
            self._first, self._last = self._first or moment, moment
        if row.action == SEALS_LOST and len(self._notes) < SHOWN:
            self._notes.append(str(row.sentence))

    async def _compare(self, seal: Seal, then: dict[int, bytes], now: dict[int, bytes]) -> frozenset[int]:
        """Name the events that are not those that were sealed, and give them."""
        differing = [event for event in sorted(then.keys() | now.keys()) if then.get(event) != now.get(event)]
        documents = await self._documents(differing[: max(SHOWN - len(self._findings), 0)])
        for event in differing:
            self._event_differs(seal, event, documents.get(event), was=event in then)
        return frozenset(differing)

    def _event_differs(self, seal: Seal, event: int, row: Any, *, was: bool) -> None:
        tail = f"under audit seal {seal.number} of {seal.sealed_at:%Y-%m-%d %H:%M:%S} UTC"
        if row is None and was:
            sentence = f"Audit event {event} of tenant {self._tenant}, {tail}, was removed."
            self._find(Fault.EVENT_REMOVED, seal.number, sentence, event=event)
            return
        of = f' of {row.kind} {row.document_id} ({row.connection}), "{row.action}"' if row is not None else ""
        if was:
            fault, how = Fault.EVENT_CHANGED, "was changed after it had been sealed"
        else:
            fault, how = Fault.EVENT_INSERTED, "was not there when its place was sealed: somebody inserted it"
        self._find(fault, seal.number, f"Audit event {event}{of}, {tail}, {how}.", event=event, row=row)

    async def _documents(self, events: list[int]) -> dict[int, Any]:
        table = audit_events.c
        columns = as_stored(audit_events, "id", "connection", "kind", "document_id", "action")
        statement = select(*columns).where(table.id.in_(events), table.tenant == self._tenant)
        rows = await rows_of(self._database, statement) if events else []
        return {row.id: row for row in rows}

    def _find(
        self,
        fault: Fault,
        seal: int | None,
        sentence: str,
        remedy: str = RESTORE,
        *,
        event: int | None = None,
        row: Any = None,
    ) -> None:
        self._faults += 1
        if len(self._findings) >= SHOWN:
            return
        self._findings.append(
            Finding(
                fault=fault,
                seal=seal,
                event=event,
                connection=str(row.connection) if row is not None else "",
                kind=str(row.kind) if row is not None else "",
                document_id=str(row.document_id) if row is not None else "",
                sentence=sentence,
                remedy=remedy,
            )
        )


def _gap(seal: Seal, before: Seal | None) -> bool:
    return seal.number != (before.number if before else 0) + 1


def _end(seal: Seal | None) -> int | None:
    """The id behind which the next seal's events begin; before the first seal, also ids that only a forger gives."""
    return seal.last_id if seal else None


def _before(seal: Seal) -> int | None:
    return seal.first_id - 1 if seal.first_id > LOWEST else None


def _moment(stored: Any) -> dt.datetime | None:
    """`None` for what is not a moment."""
    try:
        moment = dt.datetime.fromisoformat(stored) if isinstance(stored, str) else stored
        return moment.astimezone(dt.UTC) if isinstance(moment, dt.datetime) and moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _key_remedy(missing: KeyMissing) -> str:
    return OR_FORGED if isinstance(missing, KeyDiffers) else PUT_KEY_BACK
