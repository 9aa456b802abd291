"""What the newest counts of the shops' orders have found."""

import datetime as dt
from typing import Final

from contracts import names
from contracts.configuration import Configuration
from contracts.model import Frozen
from store import Store
from store.rows import LossCount

OVERDUE: Final = dt.timedelta(days=1)
"""A count that is older says nothing about today, however rarely it is scheduled."""


class LossStanding(Frozen):
    """The orders of one integration, by store."""

    integration: str
    connection: str
    """The shop."""
    enabled: bool
    stores: tuple[LossCount, ...] = ()
    """None before the first count."""
    store_names: dict[str, str]
    """By channel, as the configuration calls them; empty where it does not."""
    overdue: bool = False
    """Nobody has counted for a day."""

    @property
    def schedule(self) -> str:
        return names.loss_count_id(self.integration)


async def loss_standings(store: Store, configuration: Configuration, now: dt.datetime) -> tuple[LossStanding, ...]:
    """Of every integration. Asks no shop."""
    counted: dict[str, list[LossCount]] = {}
    for row in await store.loss_counts.newest():
        counted.setdefault(row.integration, []).append(row)
    return tuple(
        LossStanding(
            integration=one.id,
            connection=one.source,
            enabled=one.loss_count.enabled,
            stores=tuple(counted.get(one.id, ())),
            store_names={channel.id: channel.name for channel in one.channels},
            overdue=one.loss_count.enabled and any(now - row.at > OVERDUE for row in counted.get(one.id, ())),
        )
        for one in configuration.integrations
    )
