"""An installation as an operator runs it: two workers, two gateways, a production server, a store on PostgreSQL.

Its processes are those of the crash proof, which are in a hurry: a step that could not report what it did is repeated
after seconds. Temporal's SDK reports for ten seconds, fewer than a server needs after its database has come back, and
in production the step is repeated when its time is up, minutes later. Orders come by webhook alone, each attempt at any
of the two gateways.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from support.cluster import ProductionServer
from support.postgres import MortalPostgres
from support.processes import MortalProcess, Nursery
from workers.crew import Crew, Order, open_crew

from contracts.flow import State

TOGETHER: Final = "2.0"
"""Seconds that journals wait for others, so that what is killed has many orders on their way."""
SETTLED: Final = 240.0
"""Seconds until everything must have ended."""


@dataclass
class Installation:
    crew: Crew
    server: ProductionServer

    @property
    def postgres(self) -> MortalPostgres:
        return self.server.postgres

    @property
    def workers(self) -> list[MortalProcess]:
        return self.crew.workers

    @property
    def gateways(self) -> list[MortalProcess]:
        return list(self.crew.gateways.values())

    async def bring_back(self) -> None:
        """Starts what was killed, the database first."""
        if self.postgres.pid is None:
            await self.postgres.start()
        if self.server.pid is None:
            await self.server.start()

    def sell(self, count: int) -> list[Order]:
        """Places orders in both shops, which announce them at once."""
        return [self.crew.sell("bc-eu" if len(self.crew.orders) % 3 == 2 else "bc-us") for _ in range(count)]

    async def on_their_way(self, orders: list[Order]) -> None:
        """Waits until the first of them waits for its import."""
        await self.crew.in_state(State.WAITING_IMPORT, orders[:1], patience=SETTLED)

    async def all_booked_once(self) -> None:
        """Waits until every order since the beginning is posted and counts the books; nobody has been restarted."""
        await self.crew.posted(patience=SETTLED)
        await self.crew.acknowledged(patience=SETTLED)
        self.crew.booked_once()
        assert [one.name for one in (*self.workers, *self.gateways) if not one.alive] == []


@asynccontextmanager
async def open_installation(server: ProductionServer, nursery: Nursery, directory: Path) -> AsyncIterator[Installation]:
    """Everything is up while the context lasts."""
    together = f"{TOGETHER}\nunknown_limit = 0.0015"  # hours: five seconds
    async with open_crew(server, nursery, directory, flush_after=together, quiet_period="0.3") as crew:
        crew.subscribe()
        for number in (0, 1):
            await crew.start_worker()
            await crew.start_gateway(number)
        yield Installation(crew, server)
