"""Whether the originals of events can still be read: their envelopes, which no seal covers because keys rotate."""

from typing import Any, NamedTuple

from store.keys.keyring import KeyMissing
from store.keys.vault import Unsealable, Vault
from store.trail.audit import SEALED


class Document(NamedTuple):
    """Which document an event is of, and what it says happened."""

    connection: str
    kind: str
    document_id: str
    action: str


class Originals:
    """Looks at the envelopes of some events and keeps what is wrong with them."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self.unreadable: dict[int, Document] = {}
        """Event id -> its document: the envelope is not there, or was altered."""
        self.missing: dict[str, int] = {}
        """What is to be said of a key that the ring lacks -> how many originals are under it."""

    def look(self, row: Any) -> None:
        """`row` has the columns `store.trail.seal_digests.EVENT`."""
        place = [getattr(row, name) for name in SEALED.place]
        if row.payload is None or not all(isinstance(part, str) for part in place):
            return  # nothing to open, or not as it was sealed, which is told of the event itself
        try:
            self._vault.check_envelope(SEALED.bind(row), row.payload_key)
        except KeyMissing as missing:
            self.missing[str(missing)] = self.missing.get(str(missing), 0) + 1
        except Unsealable:
            self.unreadable[row.id] = Document(row.connection, row.kind, row.document_id, row.action)
