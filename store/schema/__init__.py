"""Every table, as the newest migration leaves it. A test compares the two.

Free text about people never lies here in the clear: whole journals, payloads and queued requests are sealed.
"""

from store.schema.arrivals import (
    agreements,
    cross_references,
    deliveries,
    documents,
    hooks,
    inbox,
    turns,
    wakeups,
    watermarks,
)
from store.schema.base import HAS_PARENT, metadata
from store.schema.installation import (
    connections,
    epochs,
    mapping_sets,
    mappings_in_effect,
    resource_descriptions,
    secrets,
    tokens,
    workers,
)
from store.schema.outbox import (
    OCCUPYING,
    STAGED,
    alignments,
    creations,
    group_members,
    journal_groups,
    journal_lines,
    loss_counts,
    postings,
    reconciliations,
)
from store.schema.trail import audit_events, audit_heads, audit_seals

__all__ = [
    "HAS_PARENT",
    "OCCUPYING",
    "STAGED",
    "agreements",
    "alignments",
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
    "hooks",
    "inbox",
    "journal_groups",
    "journal_lines",
    "loss_counts",
    "mapping_sets",
    "mappings_in_effect",
    "metadata",
    "postings",
    "reconciliations",
    "resource_descriptions",
    "secrets",
    "tokens",
    "turns",
    "wakeups",
    "watermarks",
    "workers",
]
