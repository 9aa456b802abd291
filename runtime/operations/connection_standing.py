"""How long a connection has not worked, how many documents wait for it, and when somebody has to be told loudly."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Final

from contracts.configuration import Configuration
from contracts.flow import State
from contracts.model import Instant
from store.rows import ConnectionHealth, ConnectionState

AT_SOURCE: Final = (State.RUNNING,)
AT_FUSION: Final = (State.RUNNING, State.WAITING_IMPORT, State.IN_DOUBT)
"""States in which a document may need its shop, or Fusion, to go on."""

Running = Mapping[str, Mapping[State, int]]
"""Open workflows by integration and state."""


class ConnectionStanding(ConnectionState):
    """A connection as its workers marked it."""

    at: Instant
    waiting: int | None = None
    """Documents on their way over this connection; None while it works, and where Temporal was not asked."""
    overdue: bool = False
    """Unavailable for longer than its `outage_alert`."""

    @property
    def lasts(self) -> dt.timedelta:
        return self.at - self.since


def connection_standings(
    states: Iterable[ConnectionState], configuration: Configuration, running: Running | None, now: dt.datetime
) -> tuple[ConnectionStanding, ...]:
    """Each with who waits for it. Connections that left the configuration are not hidden."""
    limits = {one.id: dt.timedelta(hours=one.outage_alert) for one in configuration.connections}
    standings = []
    for state in states:
        working = state.state is ConnectionHealth.WORKING
        limit = limits.get(state.connection)
        standings.append(
            ConnectionStanding(
                **state.model_dump(),
                at=now,
                waiting=None if working or running is None else _waiting(state.connection, configuration, running),
                overdue=(
                    state.state is ConnectionHealth.UNAVAILABLE and limit is not None and now - state.since >= limit
                ),
            )
        )
    return tuple(standings)


def _waiting(connection: str, configuration: Configuration, running: Running) -> int:
    documents = 0
    for integration in configuration.integrations:
        states = AT_FUSION if integration.fusion == connection else AT_SOURCE
        if connection in (integration.fusion, integration.source):
            documents += sum(running.get(integration.id, {}).get(state, 0) for state in states)
    return documents
