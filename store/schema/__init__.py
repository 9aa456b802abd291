"""Every table, as the newest migration leaves it. A test compares the two.

Free text about people never lies here in the clear: whole journals, payloads and queued requests are sealed.
"""

from store.schema.arrivals import cross_references, deliveries, documents, inbox, turns, wakeups, watermarks
from store.schema.base import metadata
from store.schema.installation import connections, epochs, mapping_sets, mappings_in_effect, secrets, tokens, workers
from store.schema.outbox import (
    OCCUPYING,
    STAGED,
    creations,
    group_members,
    journal_groups,
    journal_lines,
    postings,
    reconciliations,
)
from store.schema.trail import audit_events, audit_heads, audit_seals

__all__ = [
    "OCCUPYING",
    "STAGED",
    "audit_events",
    "audit_heads",
    "audit_seals",
    "connections",
    "creations",
    "cross_references",
    "deliveries",
    "documents",
    "epochs",
    "group_members",
    "inbox",
    "journal_groups",
    "journal_lines",
    "mapping_sets",
    "mappings_in_effect",
    "metadata",
    "postings",
    "reconciliations",
    "secrets",
    "tokens",
    "turns",
    "wakeups",
    "watermarks",
    "workers",
]
