"""SQL on SQLite and PostgreSQL: secrets, postings and the journal outbox, wake-ups, receipts, the audit trail.

`Store.open(url, vault)` gives everything; what it takes and returns is in `store.rows`.
"""

from store.database import StoreError, StoreUnavailable
from store.followed_keyring import FollowedKeyRing, follow_keys
from store.keyring import KeyMissing, KeyRing, KeyRingError
from store.store import Store, StoreOutdated
from store.vault import Unsealable, Vault

__all__ = [
    "FollowedKeyRing",
    "KeyMissing",
    "KeyRing",
    "KeyRingError",
    "Store",
    "StoreError",
    "StoreOutdated",
    "StoreUnavailable",
    "Unsealable",
    "Vault",
    "follow_keys",
]
