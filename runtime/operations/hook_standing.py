"""How the webhooks of the shops were when they were looked at last, and what came of them."""

import datetime as dt
from collections.abc import Sequence
from typing import Final

from contracts import names
from contracts.configuration import BigCommerceConnection, Configuration
from contracts.model import Frozen, Instant
from store import Store
from store.rows import HookRow, HookState

NEWS: Final = dt.timedelta(days=1)
"""How long `status` tells of a webhook that was healed."""


class HookStanding(Frozen):
    """One webhook that a shop shall have for us."""

    connection: str
    scope: str
    id: int | None
    """The shop's; None while it has none."""
    active: bool
    """It delivered, as far as the shop says, when it was looked at."""
    state: HookState
    sentence: str = ""
    destination: str
    checked_at: Instant
    last_delivery: Instant | None = None
    """When the gateway took one of its deliveries last."""
    lost_at: Instant | None = None
    """When it was last found not to deliver."""
    healed_at: Instant | None = None
    """When it delivered again after that, by the shop's clock."""
    gap_from: Instant | None = None
    """Set while orders that changed since then, by the shop's clock, are still to be read."""
    swept_from: Instant | None = None
    swept_until: Instant | None = None
    """The last gap that was read, by the shop's clock."""


class ShopHooks(Frozen):
    """All of one shop."""

    connection: str
    hooks: tuple[HookStanding, ...]
    """None where nothing was registered from here."""

    @property
    def schedule(self) -> str:
        return names.hooks_health_id(self.connection)

    @property
    def down(self) -> tuple[HookStanding, ...]:
        return tuple(one for one in self.hooks if not one.active)

    def healed(self, now: dt.datetime) -> tuple[HookStanding, ...]:
        """Those that were found wanting lately and deliver again."""
        return tuple(one for one in self.hooks if one.active and one.lost_at and now - one.lost_at < NEWS)


async def hook_standings(store: Store, configuration: Configuration) -> tuple[ShopHooks, ...]:
    """Of every shop that is configured. Asks no shop."""
    found = []
    for connection in configuration.connections:
        if isinstance(connection, BigCommerceConnection):
            rows = await store.hooks.of(connection.id)
            found.append(ShopHooks(connection=connection.id, hooks=await _standings(store, connection.id, rows)))
    return tuple(found)


async def _standings(store: Store, connection: str, rows: Sequence[HookRow]) -> tuple[HookStanding, ...]:
    taken = await store.deliveries.last_taken(connection, [row.scope for row in rows])
    return tuple(
        HookStanding(
            connection=row.connection,
            scope=row.scope,
            id=row.hook_id,
            active=row.state is HookState.ACTIVE,
            state=row.state,
            sentence=row.sentence,
            destination=row.destination,
            checked_at=row.checked_at,
            last_delivery=taken.get(row.scope),
            lost_at=row.found_at,
            healed_at=row.healed_at if row.found_at else None,
            gap_from=row.gap_from,
            swept_from=row.swept_from,
            swept_until=row.swept_until,
        )
        for row in rows
    )
