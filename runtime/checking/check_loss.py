"""What counting the orders of the shops has found, as findings: orders that nobody had heard of."""

from collections.abc import Iterable, Iterator
from typing import Final

from contracts.names import poll_orders_id
from runtime.checking.findings import Finding, Level
from runtime.operations.loss_standing import LossStanding
from store.rows import LossCount

SHOWN: Final = 5
"""Orders that a sentence names."""


def loss_findings(standings: Iterable[LossStanding]) -> list[Finding]:
    """A loss heals itself, so it is a warning; one that has not healed by the next count is a mistake."""
    return [finding for one in standings if one.enabled for finding in _findings(one)]


def _findings(standing: LossStanding) -> Iterator[Finding]:
    for row in standing.stores:
        subject = f"{row.connection}, {store_name(standing, row)}"
        if row.still_missing:
            yield Finding(
                level=Level.MISTAKE,
                subject=subject,
                sentence=(
                    f"{_orders(row.still_missing)} in the shop and not posted, in two counts in a row, although the "
                    f"first has started them; missing now: {_named(row)}"
                ),
                remedy=f"Look at one: ml-connector audit show {row.connection}/{row.missing_ids[0]}",
            )
        elif row.missing:
            yield Finding(
                level=Level.WARNING,
                subject=subject,
                sentence=f"{_orders(row.missing)} found by the count alone, not by webhook or poll: {_named(row)}",
                remedy=(
                    "They have been started, and the next count shows whether they are there. Find out why they were "
                    f"not heard of: ml-connector hooks status {row.connection}, and the schedule "
                    f"{poll_orders_id(row.connection)} in the Temporal UI."
                ),
            )
    if standing.overdue:
        yield Finding(
            level=Level.WARNING,
            subject=standing.connection,
            sentence="Nobody has counted its orders for more than a day.",
            remedy=f"Look at the schedule {standing.schedule} and its newest run in the Temporal UI.",
        )


def store_name(standing: LossStanding, row: LossCount) -> str:
    """`Main Street`, or `channel 1` where the configuration gives no name."""
    return standing.store_names.get(row.channel) or f"channel {row.channel}"


def _orders(count: int) -> str:
    return "1 order is" if count == 1 else f"{count:,} orders are"


def _named(row: LossCount) -> str:
    more = ", ..." if row.missing > SHOWN else ""
    return ", ".join(row.missing_ids[:SHOWN]) + more
