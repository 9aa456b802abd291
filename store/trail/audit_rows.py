"""What sealing and verifying the audit trail give back, as values."""

from enum import StrEnum
from typing import Final

from contracts.model import Frozen, Instant

SEALS_LOST: Final = "seals_lost"
"""Action of the event that tells of a seal which was made and is not in the store any more."""


class Seal(Frozen):
    """One batch of a tenant's audit events, bound to everything that was sealed before it."""

    tenant: str
    number: int
    """Counts from 1 without a gap."""
    first_id: int
    last_id: int
    count: int
    previous: str
    """Digest of the seal before; 64 zeros for the first."""
    digest: str
    """64 hexadecimal digits."""
    version: int
    """Of the rules by which the digest is made."""
    sealed_at: Instant


class Tail(Frozen):
    """Events that no seal covers yet."""

    count: int
    oldest: Instant | None


class Fault(StrEnum):
    """What a verification may find."""

    EVENT_CHANGED = "event_changed"
    EVENT_REMOVED = "event_removed"
    EVENT_INSERTED = "event_inserted"
    SEAL_CHANGED = "seal_changed"
    SEAL_REMOVED = "seal_removed"
    KEY_MISSING = "key_missing"
    ORIGINAL_UNREADABLE = "original_unreadable"
    """The event is as it was sealed; the envelope that holds the key of its original was removed or altered."""


class Finding(Frozen):
    """One thing that is not as it was sealed."""

    fault: Fault
    seal: int | None
    event: int | None = None
    connection: str = ""
    """With `kind` and `document_id`: the document that the event is of, where the event is still there."""
    kind: str = ""
    document_id: str = ""
    sentence: str
    remedy: str


class Verification(Frozen):
    """What a tenant's audit trail is found to be."""

    tenant: str
    seals: int
    events: int
    """Events up to the end of the last seal."""
    first: Instant | None
    last: Instant | None
    """When the first and the last of them happened."""
    newest: Seal | None
    tail: Tail
    kept: tuple[Seal, ...] = ()
    """Seals whose digests were given to be looked for."""
    notes: tuple[str, ...] = ()
    """What the trail itself tells of lost seals."""
    findings: tuple[Finding, ...] = ()
    """The first of what is wrong, in order of seals and events."""
    faults: int = 0
    """How many there are in all."""

    @property
    def intact(self) -> bool:
        return self.faults == 0
