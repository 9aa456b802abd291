"""Whether the audit trails are still being sealed."""

import datetime as dt
from typing import Final

from contracts import names
from contracts.configuration import Configuration
from contracts.model import Frozen, Instant
from store import Store

INTERVALS: Final = 3
"""Sealings that an event may miss before it is said: one may be under way, one may have failed and be tried again."""


class TrailStanding(Frozen):
    """How much of a tenant's audit trail no seal covers yet."""

    tenant: str
    unsealed: int
    """Events."""
    oldest: Instant | None
    """When the first of them happened."""
    overdue: bool
    """It is much older than the schedule allows: sealing has stopped."""
    sentence: str = ""
    """What that means and what to do; empty while it is not overdue."""


async def trail_standings(store: Store, configuration: Configuration, now: dt.datetime) -> tuple[TrailStanding, ...]:
    """Of every tenant that is configured or has left events behind."""
    configured = {one.id for one in configuration.tenants}
    every = dt.timedelta(seconds=configuration.audit.seal_every)
    found = []
    for tenant in sorted(configured | set(await store.seals.tenants())):
        tail = await store.seals.unsealed(tenant)
        overdue = tail.oldest is not None and now - tail.oldest > INTERVALS * every
        found.append(
            TrailStanding(
                tenant=tenant,
                unsealed=tail.count,
                oldest=tail.oldest,
                overdue=overdue,
                sentence=_sentence(tenant, tenant in configured, every) if overdue else "",
            )
        )
    return tuple(found)


def _sentence(tenant: str, scheduled: bool, every: dt.timedelta) -> str:
    by_hand = f"`ml-connector audit seal --tenant {tenant}` seals at once, or says why it cannot"
    if not scheduled:
        return f"Tenant {tenant} is not in the configuration any more, so nothing seals its audit trail. {by_hand}."
    return (
        f"The audit trail of tenant {tenant} is to be sealed every {every.total_seconds():g} s and is not. {by_hand}; "
        f"then look whether a worker runs, whether the schedule {names.audit_sealing_id(tenant)} is paused in "
        "Temporal, and how its newest run ended."
    )
