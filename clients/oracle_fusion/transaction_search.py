"""Looking for transactions of Receivables by their reference (Oracle Fusion: 3.1, 3.2).

Which attributes can be filtered by is not documented and differs between pods. So there are several ways to look, and
the first that a pod takes is remembered for the client's life: by the reference itself, by source, newest first, and by
the day of creation. Whatever a way brings is compared exactly by the caller.
"""

import datetime as dt
from collections.abc import AsyncIterator, Hashable, Sequence
from dataclasses import dataclass
from typing import Final

from clients.errors import Rejected
from clients.oracle_fusion.rest import FusionRest, Row, instant

BEFORE: Final = dt.timedelta(days=2)
"""A transaction is created after the day it is dated on; the rest is time zones."""
NEWEST_FIRST: Final = "CreationDate:desc,CustomerTransactionId:desc"


@dataclass(frozen=True)
class Way:
    """One way to ask for transactions."""

    q: str = ""
    finder: str = ""
    order_by: str = "CustomerTransactionId"
    since: dt.datetime | None = None
    """Rows come newest first; nothing older is wanted."""
    expand: str = ""


class TransactionSearch:
    """Reads one resource, by the first way that a pod takes."""

    def __init__(self, rest: FusionRest, resource: str) -> None:
        self._rest = rest
        self._resource = resource
        self._usable: dict[Hashable, int] = {}
        """Number of the first usable way, by what is looked for."""

    async def rows(self, what: Hashable, ways: Sequence[Way], subject: str) -> AsyncIterator[Row]:
        """`what` names the list of ways: those of one name are of one kind, in one order."""
        for number in range(self._usable.get(what, 0), len(ways)):
            answered = False
            try:
                async for row in self._ask(ways[number], subject):
                    answered = True
                    yield row
            except Rejected as refusal:
                if answered or refusal.status != 400 or number + 1 == len(ways):
                    raise
                continue
            self._usable[what] = number
            return

    async def _ask(self, way: Way, subject: str) -> AsyncIterator[Row]:
        rows = self._rest.rows(
            self._resource, subject=subject, q=way.q, finder=way.finder, order_by=way.order_by, expand=way.expand
        )
        async for row in rows:
            created = instant(row, "CreationDate")
            if way.since is not None and created is not None and created < way.since:
                return
            yield row
