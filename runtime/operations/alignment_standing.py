"""What the newest comparisons of shops and pods with the books and rules between them have found."""

import datetime as dt
from typing import Final

from contracts import names
from contracts.configuration import Configuration
from contracts.model import Frozen
from store import Store
from store.rows import AlignmentRow

OVERDUE: Final = dt.timedelta(days=8)
"""A comparison that is older says nothing about today, however rarely it is scheduled."""


class AlignmentStanding(Frozen):
    """Of one integration."""

    integration: str
    enabled: bool
    newest: AlignmentRow | None = None
    """None before the first comparison."""
    overdue: bool = False

    @property
    def schedule(self) -> str:
        return names.alignment_id(self.integration)


async def alignment_standings(
    store: Store, configuration: Configuration, now: dt.datetime
) -> tuple[AlignmentStanding, ...]:
    """Of every integration. Asks neither shop nor pod."""
    known = {row.integration: row for row in await store.alignments.newest()}
    return tuple(
        AlignmentStanding(
            integration=one.id,
            enabled=one.alignment.enabled,
            newest=(row := known.get(one.id)),
            overdue=one.alignment.enabled and row is not None and now - row.at > OVERDUE,
        )
        for one in configuration.integrations
    )
