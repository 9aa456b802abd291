"""What the product under test runs on: the dev server and SQLite, or the production server and PostgreSQL.

A test asks for a server and a stack and gets either; `--topology` (or `ML_CONNECTOR_TOPOLOGY`) chooses.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from sqlalchemy.engine import URL

from runtime.temporal.devserver import DevServer

from .cluster import ProductionServer
from .ports import free_ports
from .postgres import MortalPostgres
from .server_tools import ServerTools

VARIABLE: Final = "ML_CONNECTOR_TOPOLOGY"
DEV: Final = "dev"
CLUSTER: Final = "cluster"

QUICK: Final[Mapping[str, object]] = {"history.defaultWorkflowTaskTimeout": "3s"}
"""Dynamic configuration: a workflow task of a worker that died is given to another after this long."""

PRAGMAS: Final = ("journal_mode=wal", "synchronous=off")
"""Of the dev server's database in a file: a write waits for no disk."""


class TemporalServer(Protocol):
    """A Temporal server that can be killed and started again on the same address."""

    @property
    def address(self) -> str: ...

    @property
    def pid(self) -> int | None: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def kill(self) -> None: ...


@runtime_checkable
class KeepsStores(Protocol):
    """A server beside which the connector's store is a database of its own, too."""

    @property
    def database_pid(self) -> int | None:
        """The process all of whose children are the database's; None where it is not ours."""
        ...

    def new_store(self) -> AbstractAsyncContextManager[URL]: ...


class Topology(Protocol):
    """Opens servers of one kind."""

    def server(
        self, directory: Path, *, dynamic_config: Mapping[str, object] | None = None
    ) -> AbstractAsyncContextManager[TemporalServer]:
        """A running server with its files in `directory`. What it knows survives a kill."""
        ...


@dataclass(frozen=True)
class DevTopology:
    """One process, one history shard, everything in one file; stores on SQLite.

    Never in memory: a busy machine makes the server lose that now and then, and a file outlives the server.
    """

    cli: Path

    @asynccontextmanager
    async def server(
        self, directory: Path, *, dynamic_config: Mapping[str, object] | None = None
    ) -> AsyncIterator[TemporalServer]:
        settings = [f"{name}={json.dumps(value)}" for name, value in (dynamic_config or {}).items()]
        extra = [part for setting in settings for part in ("--dynamic-config-value", setting)]
        # Survives the server and not the machine, which is all that is killed here.
        extra += [part for pragma in PRAGMAS for part in ("--sqlite-pragma", pragma)]
        async with DevServer(
            self.cli,
            database=directory / "temporal.db",
            port=free_ports(1)[0],  # which nobody else is given while it is down
            ui_port=None,
            log=directory / "server.log",
            patience=180.0,
            extra_arguments=extra,
        ) as server:
            yield server


@dataclass(frozen=True)
class ClusterTopology:
    """The production server on PostgreSQL, several history shards; stores on the same PostgreSQL."""

    tools: ServerTools
    postgres: MortalPostgres

    @asynccontextmanager
    async def server(
        self, directory: Path, *, dynamic_config: Mapping[str, object] | None = None
    ) -> AsyncIterator[TemporalServer]:
        async with ProductionServer(self.tools, self.postgres, directory, dynamic_config=dynamic_config) as server:
            yield server


@asynccontextmanager
async def store_beside(server: object, directory: Path) -> AsyncIterator[str]:
    """The URL of an empty store: a database beside a server that keeps stores, else a file in `directory`."""
    if not isinstance(server, KeepsStores):
        yield f"sqlite+aiosqlite:///{directory / 'store.db'}"
        return
    async with server.new_store() as database:
        yield database.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)
