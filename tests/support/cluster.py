"""The production Temporal server on PostgreSQL, several history shards, as a subprocess of our own; no Docker.

The shape is that of the product's `DevServer`, so that a test runs against either.
"""

import asyncio
import json
import os
import signal
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Final, Self

from google.protobuf.duration_pb2 import Duration
from sqlalchemy.engine import URL
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, RegisterNamespaceRequest
from temporalio.service import ConnectConfig, RPCError, RPCStatusCode, ServiceClient

from .ports import free_ports
from .postgres import MortalPostgres, execute, new_database
from .server_tools import ServerTools, write_schema_without_extension

SHARDS: Final = 4
"""History shards, as the compose file of the product has them. The dev server has one."""

SERVICES: Final = ("frontend", "history", "matching", "worker")
CONNECTIONS: Final = {"temporal": 20, "visibility": 10}
"""To the database, of each service."""

DYNAMIC_CONFIG: Final[Mapping[str, object]] = {
    # As the dev server in the product: without it every hop of a task costs up to 50 ms a shard.
    "history.transferProcessorMaxPollRPS": 200,
    "history.timerProcessorMaxPollRPS": 200,
    # Every test has a namespace of its own, which every service has to hear of.
    "system.namespaceCacheRefreshInterval": "1s",
}


class ProductionServerError(Exception):
    """The server did not start or stopped by itself. The sentence ends with the last lines of its log."""


class ProductionServer:
    """One server process with all four services: `async with ProductionServer(...) as server: ... server.address`.

    Its ports are chosen at the first start and kept. Its state is in two databases of `postgres`, made at the first
    start, and survives everything. Stores of the connector may be made beside them: `new_store`.
    """

    def __init__(
        self,
        tools: ServerTools,
        postgres: MortalPostgres,
        directory: Path,
        *,
        namespace: str = "default",
        dynamic_config: Mapping[str, object] | None = None,
        patience: float = 240.0,
    ) -> None:
        """`directory` takes its configuration and `server.log`. `patience`: seconds until a start has failed."""
        self.postgres = postgres
        self.namespace = namespace
        self.host = "127.0.0.1"
        self.port = 0
        self.log = directory / "server.log"
        self._tools = tools
        self._directory = directory
        self._dynamic_config = {**DYNAMIC_CONFIG, **(dynamic_config or {})}
        self._patience = patience
        suffix = uuid.uuid4().hex[:8]
        self._databases = {"temporal": f"temporal_{suffix}", "visibility": f"temporal_visibility_{suffix}"}
        self._process: asyncio.subprocess.Process | None = None

    @property
    def address(self) -> str:
        """For `TEMPORAL_ADDRESS` and `Client.connect`."""
        return f"{self.host}:{self.port}"

    @property
    def pid(self) -> int | None:
        """None when it is not running."""
        return self._process.pid if self._process and self._process.returncode is None else None

    @property
    def database(self) -> URL:
        """Where Temporal keeps its histories, for those who look into them."""
        return self.postgres.url.set(database=self._databases["temporal"])

    @property
    def database_pid(self) -> int | None:
        """Of the database's main process."""
        return self.postgres.pid

    def new_store(self) -> AbstractAsyncContextManager[URL]:
        """A fresh database for the connector on the same PostgreSQL."""
        return new_database(self.postgres.url)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()

    async def start(self) -> None:
        """Returns when the namespace serves requests. Raises `ProductionServerError`."""
        if self.pid is not None:
            raise ProductionServerError(f"The Temporal server on {self.address} already runs.")
        if not self.port:
            await self._create_schemas()
            self._write_configuration()
        with self.log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                str(self._tools.server),
                *("--root", str(self._directory), "--config", "config", "--env", "cluster", "--allow-no-auth", "start"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            await self._ready()
        except BaseException:
            await self.kill()
            raise

    async def stop(self, grace: float = 30.0) -> None:
        """Orderly; killed after `grace` seconds. Does nothing when it is not running."""
        await self._end(signal.SIGTERM, grace)

    async def kill(self) -> None:
        """SIGKILL, as a crash would end it, and waits until it is gone."""
        await self._end(signal.SIGKILL, 10.0)

    async def restart(self) -> None:
        """Stops it if it runs, then starts it on the same ports and databases."""
        await self.stop()
        await self.start()

    async def _end(self, how: signal.Signals, grace: float) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(how)
        try:
            await asyncio.wait_for(process.wait(), grace)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _create_schemas(self) -> None:
        await asyncio.gather(*(self._create_schema(store, name) for store, name in self._databases.items()))

    async def _create_schema(self, store: str, database: str) -> None:
        """The empty schema of the tool, brought to its newest version, as an operator does it."""
        await execute(self.postgres.url, f'CREATE DATABASE "{database}"')
        await self._run_tool(database, "setup-schema", "--version", "0.0")
        if store == "visibility" and not await self.postgres.has_extension("btree_gin"):
            with TemporaryDirectory() as directory:
                await asyncio.to_thread(write_schema_without_extension, Path(directory))
                await self._run_tool(database, "update-schema", "--schema-dir", directory)
        else:
            await self._run_tool(database, "update-schema", "--schema-name", f"postgresql/v12/{store}")

    async def _run_tool(self, database: str, *arguments: str) -> None:
        url = self.postgres.url
        process = await asyncio.create_subprocess_exec(
            str(self._tools.sql),
            *("--plugin", "postgres12", "--endpoint", str(url.host), "--port", str(url.port)),
            *("--user", str(url.username), "--password", "", "--database", database, *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(process.communicate(), self._patience)
        if process.returncode:
            raise ProductionServerError(f"The schema of {database} was not made:\n{output.decode()[-2000:]}")

    def _write_configuration(self) -> None:
        directory = self._directory / "config"
        directory.mkdir(parents=True)
        ports = free_ports(2 * len(SERVICES))
        services = {service: (ports.pop(), ports.pop()) for service in SERVICES}
        self.port = services["frontend"][0]
        dynamic_config = directory / "dynamic.yaml"
        dynamic_config.write_text(_yaml({name: [{"value": value}] for name, value in self._dynamic_config.items()}))
        Path(directory, "cluster.yaml").write_text(_yaml(self._configuration(services, dynamic_config)))

    def _configuration(self, services: Mapping[str, tuple[int, int]], dynamic_config: Path) -> dict[str, Any]:
        """`services`: name -> gRPC port, membership port."""
        url = self.postgres.url
        return {
            "log": {"stdout": True, "level": "warn", "format": "json"},
            "persistence": {
                "defaultStore": "temporal",
                "visibilityStore": "visibility",
                "numHistoryShards": SHARDS,
                "datastores": {
                    store: {
                        "sql": {
                            "pluginName": "postgres12",
                            "databaseName": database,
                            "connectAddr": f"{url.host}:{url.port}",
                            "connectProtocol": "tcp",
                            "user": url.username,
                            "password": "",
                            "maxConns": CONNECTIONS[store],
                            "maxIdleConns": CONNECTIONS[store],
                            "maxConnLifetime": "1h",
                        }
                    }
                    for store, database in self._databases.items()
                },
            },
            "global": {"membership": {"maxJoinDuration": "30s", "broadcastAddress": self.host}},
            "services": {
                service: {"rpc": {"grpcPort": grpc, "membershipPort": membership, "bindOnIP": self.host}}
                for service, (grpc, membership) in services.items()
            },
            "clusterMetadata": {
                "enableGlobalNamespace": False,
                "failoverVersionIncrement": 10,
                "masterClusterName": "active",
                "currentClusterName": "active",
                "clusterInformation": {
                    "active": {
                        "enabled": True,
                        "initialFailoverVersion": 1,
                        "rpcName": "frontend",
                        "rpcAddress": self.address,
                    }
                },
            },
            "dcRedirectionPolicy": {"policy": "noop"},
            "archival": {"history": {"state": "disabled"}, "visibility": {"state": "disabled"}},
            "namespaceDefaults": {"archival": {"history": {"state": "disabled"}, "visibility": {"state": "disabled"}}},
            "dynamicConfigClient": {"filepath": str(dynamic_config), "pollInterval": "10s"},
        }

    async def _ready(self) -> None:
        gives_up_at = time.monotonic() + self._patience
        while not await self._serves():
            if self.pid is None:
                code = self._process.returncode if self._process else None
                raise ProductionServerError(f"The Temporal server ended with code {code} while starting.{self._tail()}")
            if time.monotonic() > gives_up_at:
                raise ProductionServerError(
                    f"The Temporal server on {self.address} is not ready after {self._patience:.0f} s.{self._tail()}"
                )
            await asyncio.sleep(0.1)

    async def _serves(self) -> bool:
        """The frontend answers, and the other services for it: describing a namespace reads the database."""
        try:
            service = await ServiceClient.connect(ConnectConfig(target_host=self.address, lazy=False))
            if not await service.check_health(timeout=None):
                return False
            try:
                await service.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=self.namespace))
            except RPCError as error:
                if error.status != RPCStatusCode.NOT_FOUND:
                    return False
                await service.workflow_service.register_namespace(
                    RegisterNamespaceRequest(
                        namespace=self.namespace, workflow_execution_retention_period=Duration(seconds=86400)
                    )
                )
                return False
        except (RuntimeError, RPCError):
            return False
        return True

    def _tail(self, lines: int = 8) -> str:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n" + "\n".join(line[:300] for line in text.splitlines()[-lines:])


@asynccontextmanager
async def open_cluster(
    tools: ServerTools, directory: Path, *, dynamic_config: Mapping[str, object] | None = None
) -> AsyncIterator[ProductionServer]:
    """A server with a PostgreSQL that nobody else uses: a test may kill both."""
    async with (
        MortalPostgres() as postgres,
        ProductionServer(tools, postgres, directory, dynamic_config=dynamic_config) as server,
    ):
        yield server


def _yaml(content: object) -> str:
    """JSON, which every reader of YAML takes."""
    return json.dumps(content, indent=2) + os.linesep
