"""What still needs each key of the ring, and whether one may be dropped."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from temporalio.client import Client

from runtime.temporal.key_usage import Closed, KeysInUse, closed_since, keys_in_use
from store import KeyRing, Store

LATE: Final = dt.timedelta(days=1)
"""How long after a rotation a process may still have sealed with the old key: until somebody restarted it."""
EXAMPLES: Final = 3
NAMES: Final = {
    "secrets": ("secret", "secrets"),
    "tokens": ("token", "tokens"),
    "postings": ("journal", "journals"),
    "creations": ("document", "documents"),
    "inbox": ("delivery in the inbox", "deliveries in the inbox"),
    "audit_events": ("payload in the audit trail", "payloads in the audit trail"),
    "audit_seals": ("seal of the audit trail", "seals of the audit trail"),
    "audit_heads": ("end of an audit trail", "ends of audit trails"),
}
"""Tables as people call what is in them."""


@dataclass(frozen=True)
class KeyUse:
    """Everything that one key is still needed for."""

    key_id: str
    stored: Mapping[str, int] = field(default_factory=dict)
    """Table -> values."""
    running: tuple[str, ...] = ()
    """Workflow ids."""
    schedules: tuple[str, ...] = ()
    closed: Closed | None = None
    """None: it is not known since when the key seals nothing any more."""

    @property
    def free(self) -> bool:
        """Nothing needs it."""
        return not (self.stored or self.running or self.schedules) and self.closed is not None and not self.closed.count

    def reasons(self, current: str) -> list[str]:
        """Why it cannot be dropped, one sentence or two for each reason, with what to do."""
        told = []
        if self.stored:
            parts = ", ".join(called(table, count) for table, count in sorted(self.stored.items()))
            told.append(f"The store holds {parts} under it. `ml-connector keys rewrap` puts them under {current}.")
        if self.running:
            told.append(
                f"{_counted(len(self.running), 'running workflow', 'running workflows')} {_listed(self.running)}: "
                f"without it they stand still. Most end by themselves; those that wait for a person are in "
                f"`ml-connector review list`, and are sealed anew every 30 days."
            )
        if self.schedules:
            told.append(
                f"{_counted(len(self.schedules), 'schedule', 'schedules')} {_listed(self.schedules)}: restart a "
                f"worker, which seals them anew; one that no worker knows can be deleted."
            )
        if self.closed is None:
            told.append(
                "It is not known since when it seals nothing any more, so closed histories may need it to be read. "
                "They are gone when the namespace's retention has passed since then."
            )
        elif self.closed.count and self.closed.kept_until:
            told.append(
                f"{_counted(self.closed.count, 'closed workflow', 'closed workflows')} from its time can be read with "
                f"it until {self.closed.kept_until:%Y-%m-%d}, when Temporal deletes the last of them."
            )
        return told


async def key_usage(store: Store, client: Client | None, ring: KeyRing) -> tuple[KeyUse, ...]:
    """The use of every key in the ring and of every other that something is sealed with; the current key first.

    Without a client it looks into the store alone. Raises `store.Unsealable` when a value in the store is damaged.
    """
    stored = await store.sealed_by_key()
    used = await keys_in_use(client) if client else KeysInUse({}, {})
    others = sorted({*stored, *used.running, *used.schedules} - set(ring.ids))
    return tuple(
        [
            KeyUse(
                key_id,
                stored.get(key_id, {}),
                used.running.get(key_id, ()),
                used.schedules.get(key_id, ()),
                await _closed(client, ring, key_id),
            )
            for key_id in (*ring.ids, *others)
        ]
    )


def replaced_at(ring: KeyRing, key_id: str) -> dt.datetime | None:
    """When another key took its place; None when that is not known, or has not happened."""
    if key_id == ring.current:
        return None
    if key_id not in ring.since:
        return min(ring.since.values(), default=None)
    order, since = list(ring.since), ring.since[key_id]
    # Older files are kept to the second: of keys with the same moment, the one that was added later came later.
    later = (
        moment
        for other, moment in ring.since.items()
        if moment > since or (moment == since and order.index(other) > order.index(key_id))
    )
    return min(later, default=None)


async def _closed(client: Client | None, ring: KeyRing, key_id: str) -> Closed | None:
    moment = replaced_at(ring, key_id)
    return None if moment is None or client is None else await closed_since(client, moment + LATE)


def called(table: str, count: int) -> str:
    """So many values of a table, as people say it: `2 secrets`."""
    return _counted(count, *NAMES.get(table, (table, table)))


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _listed(ids: tuple[str, ...]) -> str:
    return f"({', '.join(ids[:EXAMPLES])}{', ...' if len(ids) > EXAMPLES else ''})"
