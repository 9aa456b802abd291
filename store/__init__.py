"""SQL on SQLite and PostgreSQL: secrets, postings and the journal outbox, wake-ups, receipts, the audit trail.

`Store.open(url, vault)` gives everything; what it takes and returns is in `store.rows`.
"""

from store.engine.database import StoreError, StoreUnavailable
from store.keys.followed_keyring import FollowedKeyRing, follow_keys
from store.keys.keyring import KeyDiffers, KeyMissing, KeyRing, KeyRingError
from store.keys.vault import Unsealable, Vault
from store.store import Store, StoreOutdated

__all__ = [
    "FollowedKeyRing",
    "KeyDiffers",
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
