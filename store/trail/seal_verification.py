"""Verifying the audit trail: every seal is made anew from what is in the table, and what differs is named."""

from collections.abc import AsyncIterator, Collection
from typing import Any, Final

from sqlalchemy import select

from contracts.model import Instant
from store.engine.database import Database
from store.keys.keyring import KeyMissing
from store.keys.vault import Unsealable, Vault
from store.schema import audit_events, audit_seals
from store.trail.audit_rows import SEALS_LOST, Fault, Finding, Seal, Verification
from store.trail.seal_digests import NOTHING, VERSION, Digest, agrees, read_marks
from store.trail.seals import LOWEST, Head, HeadLost, Seals, events_between, rows_of, seal_binding

SHOWN: Final = 50
"""Findings that are described; the others are counted."""
SEALS_AT_ONCE: Final = 8

RESTORE: Final = "Compare with a backup from before the change, and find out who could write to the database."
PUT_KEY_BACK: Final = "Put the key back into the key ring, then verify again."


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

    async def run(self) -> Verification:
        # Before the seals: a seal made meanwhile is then one that the head does not know yet, which is nothing wrong.
        head = await self._head()
        count, newest = 0, None
        async for seal, key, marks in self._rows():
            await self._follow(seal, newest)
            await self._check(seal, key, marks, after=newest.last_id if newest else LOWEST, gap=_gap(seal, newest))
            if head is not None and seal.number == head.number and seal.digest != head.digest:
                self._find(
                    Fault.SEAL_CHANGED,
                    seal.number,
                    f"Audit seal {seal.number} of tenant {self._tenant} is not the one that was made: its digest is "
                    "another than the one recorded when it was the newest.",
                )
            if seal.digest in self._wanted:
                self._kept.append(seal)
            count, newest = count + 1, seal
        last = newest.number if newest else 0
        if head is not None and last < head.number:
            self._find(Fault.SEAL_REMOVED, last + 1, self._missing(last + 1, head.number))
        elif head is not None and (now := await self._head()) is not None and now.number < last:
            self._find(
                Fault.SEAL_CHANGED,
                last,
                f"Audit seal {last} of tenant {self._tenant} is newer than the record of the newest seal: that was put "
                "back to an earlier state.",
            )
        return Verification(
            tenant=self._tenant,
            seals=count,
            events=self._events,
            first=self._first,
            last=self._last,
            newest=newest,
            tail=await self._seals.tail(self._tenant, newest.last_id if newest else LOWEST),
            kept=tuple(self._kept),
            notes=tuple(self._notes),
            findings=tuple(self._findings),
            faults=self._faults,
        )

    async def _head(self) -> Head | None:
        try:
            return await self._seals.head(self._tenant)
        except HeadLost as lost:
            self._find(Fault.SEAL_CHANGED, None, str(lost))
        except KeyMissing as missing:
            self._find(Fault.KEY_MISSING, None, f"Record of the newest audit seal: {missing}", PUT_KEY_BACK)
        return None

    async def _rows(self) -> AsyncIterator[tuple[Seal, bytes, bytes]]:
        number = 0
        columns = audit_seals.c
        while True:
            chunk = (
                select(audit_seals)
                .where(columns.tenant == self._tenant, columns.number > number)
                .order_by(columns.number)
                .limit(SEALS_AT_ONCE)
            )
            rows = await rows_of(self._database, chunk)
            for row in rows:
                yield Seal(**{name: getattr(row, name) for name in Seal.model_fields}), row.key, row.marks
                number = row.number
            if len(rows) < SEALS_AT_ONCE:
                return

    async def _follow(self, seal: Seal, before: Seal | None) -> None:
        """Whether a seal follows the one before it."""
        if _gap(seal, before):
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

    async def _check(self, seal: Seal, key: bytes, marks: bytes, *, after: int, gap: bool) -> None:
        """Make the seal anew. Behind a gap its events begin where it says: those before were the lost seal's."""
        digest = self._digest(seal, key)
        begin = seal.first_id - 1 if gap else after
        async for row in events_between(self._database, self._tenant, begin, seal.last_id):
            self._count(row)
            if digest is not None:
                digest.add(row)
        if digest is None:
            return
        whole = agrees(seal, digest)
        if whole and digest.marks == marks:
            return
        if whole:
            how = "its list of marks was changed; its events are as they were sealed"
        elif digest.marks == marks:
            how = "it was changed, or events of it and the list that would name them"
        else:
            await self._compare(seal, read_marks(marks), read_marks(digest.marks))
            return
        self._find(Fault.SEAL_CHANGED, seal.number, f"Audit seal {seal.number} of tenant {self._tenant}: {how}.")

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
            self._find(Fault.KEY_MISSING, seal.number, sentence, PUT_KEY_BACK)
        except Unsealable:
            sentence = f"Audit seal {seal.number} of tenant {self._tenant} was changed: its key does not open."
            self._find(Fault.SEAL_CHANGED, seal.number, sentence)
        else:
            return Digest(opened, tenant=self._tenant, number=seal.number, previous=seal.previous)
        return None

    def _count(self, row: Any) -> None:
        self._events += 1
        self._first, self._last = self._first or row.at, row.at
        if row.action == SEALS_LOST and len(self._notes) < SHOWN:
            self._notes.append(row.sentence)

    async def _compare(self, seal: Seal, then: dict[int, bytes], now: dict[int, bytes]) -> None:
        """Name the events that are not those that were sealed."""
        differing = [event for event in sorted(then.keys() | now.keys()) if then.get(event) != now.get(event)]
        documents = await self._documents(differing[: max(SHOWN - len(self._findings), 0)])
        for event in differing:
            self._event_differs(seal, event, documents.get(event), was=event in then)

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
        statement = select(table.id, table.connection, table.kind, table.document_id, table.action).where(
            table.id.in_(events), table.tenant == self._tenant
        )
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
                connection=row.connection if row is not None else "",
                kind=row.kind if row is not None else "",
                document_id=row.document_id if row is not None else "",
                sentence=sentence,
                remedy=remedy,
            )
        )


def _gap(seal: Seal, before: Seal | None) -> bool:
    return seal.number != (before.number if before else 0) + 1
