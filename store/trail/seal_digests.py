"""How a seal's digest is made: HMAC-SHA256 over each event as it lies in the table, in an unambiguous form.

The key is the seal's own, 32 random bytes that lie in the seal's row under the key ring. So nobody who has only the
database can seal what they changed, and rotation, which replaces envelopes, leaves every digest as it is. Of an event
everything is covered, a payload as its ciphertext, but for `payload_key`, the envelope.
"""

import datetime as dt
import hashlib
import hmac
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, type_coerce
from sqlalchemy.types import NullType

from store.schema import audit_events
from store.trail.audit_rows import Seal

VERSION: Final = 1
NOTHING: Final = "0" * 64
"""What the first seal of a tenant has as the digest of the seal before it."""
MARK_BYTES: Final = 16
"""Of one event in a seal's list of marks: its id, and the first 8 bytes of its HMAC."""

_NAMES: Final = (
    "id",
    "tenant",
    "connection",
    "kind",
    "document_id",
    "at",
    "action",
    "sentence",
    "details",
    "job",
    "payload_id",
    "payload",
)
"""What a seal of this version covers, in this order."""


def as_stored(table: Table, *names: str) -> tuple[ColumnElement[Any], ...]:
    """Columns as they were written, not as they are read: two texts may mean the same to us and not to others.

    And what somebody wrote there who is not us need not be readable as anything.
    """
    return tuple(type_coerce(table.c[name], NullType()).label(name) for name in names)


EVENT: Final = as_stored(audit_events, *_NAMES, "payload_key")
"""What `Digest.add` reads of an event, and its envelope."""


class Digest:
    """The digest of one seal, built event by event in the order of their ids."""

    def __init__(self, key: bytes, *, tenant: str, number: int, previous: str) -> None:
        self._key = key
        self._whole = hmac.new(key, b"seal", hashlib.sha256)
        self._whole.update(_fields(previous, VERSION, tenant, number))
        self._marks = bytearray()

    def add(self, row: Any) -> None:
        """`row` has the columns `EVENT`."""
        mark = hmac.digest(self._key, b"event" + _fields(*(getattr(row, name) for name in _NAMES)), "sha256")
        place = row.id.to_bytes(8, signed=True)
        self._whole.update(place + mark)
        self._marks += place + mark[: MARK_BYTES - 8]

    @property
    def marks(self) -> bytes:
        """What tells, should the digest be another one day, which event it is."""
        return bytes(self._marks)

    def close(self, *, first_id: int, last_id: int, count: int, sealed_at: dt.datetime) -> str:
        """64 hexadecimal digits. Nothing may be added afterwards."""
        self._whole.update(_fields(first_id, last_id, count, sealed_at))
        return self._whole.hexdigest()


def agrees(seal: Seal, digest: Digest) -> bool:
    """Whether the events that were added are those that were sealed. Closes the digest."""
    found = digest.close(first_id=seal.first_id, last_id=seal.last_id, count=seal.count, sealed_at=seal.sealed_at)
    return hmac.compare_digest(found.encode(), seal.digest.encode())


def read_marks(marks: bytes) -> dict[int, bytes]:
    """Event id -> the first bytes of its HMAC."""
    whole = len(marks) - len(marks) % MARK_BYTES
    return {
        int.from_bytes(marks[start : start + 8], signed=True): marks[start + 8 : start + MARK_BYTES]
        for start in range(0, whole, MARK_BYTES)
    }


def well_formed(marks: bytes, count: int) -> bool:
    """Whether a sealer could have made this list for so many events: whole marks, each once, in the order of ids."""
    ids = list(read_marks(marks))
    return len(marks) == count * MARK_BYTES and len(ids) == count and ids == sorted(ids)


def as_text(moment: dt.datetime) -> str:
    """A moment as databases without a type for it keep it."""
    return moment.astimezone(dt.UTC).isoformat(timespec="microseconds")


def _fields(*values: Any) -> bytes:
    """Each with its length before it, so that no two different rows have the same bytes."""
    parts = []
    for value in values:
        if value is None:
            parts.append(b"\x00")
            continue
        if isinstance(value, dt.datetime):
            value = as_text(value)
        is_bytes = isinstance(value, bytes)
        content = value if is_bytes else str(value).encode()
        parts.append((b"\x02" if is_bytes else b"\x01") + len(content).to_bytes(8) + content)
    return b"".join(parts)
