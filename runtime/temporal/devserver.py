"""Temporal's dev server as a subprocess of our own, for `up`, the demo and the tests.

Not the SDK's ephemeral server: leaving the interpreter after one was shut down can abort Python, and a test must be
able to kill and restart the server on the same ports and database.
"""

import asyncio
import contextlib
import os
import random
import signal
import socket
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import structlog
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import CountWorkflowExecutionsRequest, DescribeNamespaceRequest
from temporalio.service import ConnectConfig, RPCError, ServiceClient

from contracts.names import SEARCH_ATTRIBUTES

DYNAMIC_CONFIG: Final = (
    # One shard polls its task queue 20 times a second by default: every hop would cost 50 ms.
    "history.transferProcessorMaxPollRPS=200",
    "history.timerProcessorMaxPollRPS=200",
)

INTERRUPTED: Final = "interrupted (9)"
"""How the server answers, to everything and for ever, once a call that was given up left its one database connection
interrupted: busy machines see that now and then. Starting it again on its file heals it."""
PORTS: Final = range(20_000, 32_000)
"""Where a port is chosen that nobody gave. A Temporal server keeps its ports as SMALLINT in PostgreSQL."""
LOOK_EVERY: Final = 2.0
STUCK_AFTER: Final = 3
"""Looks in a row."""
ANSWERED_WITHIN: Final = timedelta(seconds=10)

_log = structlog.stdlib.get_logger(__name__)


class DevServerError(Exception):
    """The server did not start or stopped by itself. The sentence ends with the last lines of its log."""


class DevServer:
    """One dev server: `async with DevServer(binary) as server: ... server.address`.

    Ports given as 0 are chosen at the first start and kept, so that `restart()` comes up where clients expect it.
    Without `database` its state is lost when it stops. With one, a server that is stuck (`INTERRUPTED`) is started
    again; clients wait meanwhile, as for any server that restarts. Its output goes to `log`, or nowhere.
    """

    def __init__(
        self,
        binary: Path,
        *,
        database: Path | None = None,
        port: int = 0,
        ui_port: int | None = 0,
        host: str = "127.0.0.1",
        namespace: str = "default",
        search_attributes: Sequence[str] = SEARCH_ATTRIBUTES,
        codec_endpoint: str | None = None,
        log: Path | None = None,
        log_level: str = "warn",
        patience: float = 60.0,
        extra_arguments: Sequence[str] = (),
    ) -> None:
        """`ui_port=None`: without the web UI. `patience`: seconds until a start that is not ready is a failure."""
        self.binary = binary
        self.database = database
        self.host = host
        self.port = port
        self.ui_port = ui_port
        self.namespace = namespace
        self.log = log
        self._search_attributes = tuple(search_attributes)
        self._codec_endpoint = codec_endpoint
        self._log_level = log_level
        self._patience = patience
        self._extra_arguments = tuple(extra_arguments)
        self._process: asyncio.subprocess.Process | None = None
        self._starting = asyncio.Lock()
        self._wanted = False
        """Somebody started it and nobody has stopped or killed it since."""
        self._watch: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """For `TEMPORAL_ADDRESS` and `Client.connect`."""
        return f"{self.host}:{self.port}"

    @property
    def ui_url(self) -> str | None:
        return None if self.ui_port is None else f"http://{self.host}:{self.ui_port}"

    @property
    def pid(self) -> int | None:
        """None when it is not running."""
        return self._process.pid if self.running and self._process else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def __aenter__(self) -> Self:
        await self.start()
        if self.database is not None:
            self._watch = asyncio.create_task(self._heal())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._watch is not None:
                self._watch.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._watch
        finally:
            await self.stop()

    async def start(self) -> None:
        """Returns when the namespace serves requests and knows the search attributes. Raises `DevServerError`."""
        self._wanted = True
        async with self._starting:
            await self._start()

    async def _start(self) -> None:
        if self.running:
            raise DevServerError(f"The Temporal dev server on {self.address} already runs.")
        self.port = self.port or _free_port(self.host)
        if self.ui_port == 0:
            self.ui_port = _free_port(self.host)
        for port in filter(None, (self.port, self.ui_port)):
            if _taken(self.host, port):
                # Otherwise the other server would answer for ours.
                raise DevServerError(
                    f"Port {port} on {self.host} is in use. Stop what runs there, or use another port."
                )
        for directory in {path.parent for path in (self.database, self.log) if path is not None}:
            directory.mkdir(parents=True, exist_ok=True)
        output: int = (
            asyncio.subprocess.DEVNULL
            if self.log is None
            else os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        )
        try:
            self._process = await asyncio.create_subprocess_exec(
                str(self.binary),
                *self._arguments(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # Ctrl-C at the terminal is for us: workers drain first, then the server is stopped.
                start_new_session=True,
            )
        except OSError as error:
            raise DevServerError(f"{self.binary} does not run: {error.strerror}.") from error
        finally:
            if output >= 0:
                os.close(output)
        try:
            await self._ready()
        except BaseException:
            await self._end(signal.SIGKILL, 10.0)
            raise
        _log.info("Temporal dev server is up", address=self.address, ui=self.ui_url, pid=self.pid)

    async def stop(self, grace: float = 10.0) -> None:
        """Orderly; killed after `grace` seconds. Does nothing when it is not running."""
        self._wanted = False
        await self._end(signal.SIGTERM, grace)

    async def kill(self) -> None:
        """SIGKILL, as a crash would end it, and waits until it is gone. Only a database file survives."""
        self._wanted = False
        await self._end(signal.SIGKILL, 10.0)

    async def restart(self) -> None:
        """Stops it if it runs, then starts it on the same ports and database."""
        await self.stop()
        await self.start()

    async def _end(self, how: signal.Signals, grace: float) -> None:
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            try:
                process.send_signal(how)
                await asyncio.wait_for(process.wait(), grace)
            except ProcessLookupError:
                await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        self._process = None

    def _arguments(self) -> list[str]:
        arguments = ["server", "start-dev", "--ip", self.host, "--port", str(self.port)]
        arguments += ["--namespace", self.namespace, "--log-level", self._log_level, "--log-format", "json"]
        arguments += ["--headless"] if self.ui_port is None else ["--ui-port", str(self.ui_port)]
        if self.database is not None:
            arguments += ["--db-filename", str(self.database)]
        if self._codec_endpoint is not None and self.ui_port is not None:
            arguments += ["--ui-codec-endpoint", self._codec_endpoint]
        for setting in DYNAMIC_CONFIG:
            arguments += ["--dynamic-config-value", setting]
        for name in self._search_attributes:
            arguments += ["--search-attribute", f"{name}=Keyword"]
        return [*arguments, *self._extra_arguments]

    async def _ready(self) -> None:
        gives_up_at = time.monotonic() + self._patience
        while True:
            if self._process is None or self._process.returncode is not None:
                code = self._process.returncode if self._process else None
                raise DevServerError(f"The Temporal dev server ended with code {code} while starting.{self._tail()}")
            if await self._serves():
                return
            if time.monotonic() > gives_up_at:
                raise DevServerError(
                    f"The Temporal dev server on {self.address} is not ready after {self._patience:.0f} s."
                    f"{self._tail()}"
                )
            await asyncio.sleep(0.1)

    async def _serves(self) -> bool:
        """The port opens before the namespace is served; the attributes come last."""
        try:
            service = await ServiceClient.connect(ConnectConfig(target_host=self.address, lazy=False))
            if not await service.check_health(timeout=None):
                return False
            answer = await service.operator_service.list_search_attributes(
                ListSearchAttributesRequest(namespace=self.namespace)
            )
        except (RuntimeError, RPCError):
            return False
        return set(self._search_attributes) <= set(answer.custom_attributes)

    async def _heal(self) -> None:
        """Whoever kills or stops the server is left alone: only one that runs and says that it is stuck is touched."""
        service = await ServiceClient.connect(ConnectConfig(target_host=self.address, lazy=True))
        stuck = 0
        while True:
            await asyncio.sleep(LOOK_EVERY)
            pid = self.pid
            stuck = stuck + 1 if pid is not None and await self._interrupted(service) else 0
            if stuck < STUCK_AFTER or self.pid != pid:
                continue
            _log.warning("Temporal dev server is stuck; starting it again", address=self.address, pid=pid)
            stuck = 0
            await self._end(signal.SIGKILL, 10.0)
            await self._start_in_the_end()

    async def _start_in_the_end(self) -> None:
        """A busy machine may need several attempts. Whoever stops it meanwhile, or starts it, has the last word."""
        while True:
            async with self._starting:
                if not self._wanted or self.running:
                    return
                try:
                    await self._start()
                except (DevServerError, OSError) as error:
                    _log.error("Temporal dev server cannot be started again yet", error=str(error))
            await asyncio.sleep(LOOK_EVERY)

    async def _interrupted(self, service: ServiceClient) -> bool:
        """Of the metadata, which every call needs, and of what lists workflows, which has a connection of its own."""
        calls = service.workflow_service
        try:
            await calls.describe_namespace(DescribeNamespaceRequest(namespace=self.namespace), timeout=ANSWERED_WITHIN)
            await calls.count_workflow_executions(
                CountWorkflowExecutionsRequest(namespace=self.namespace), timeout=ANSWERED_WITHIN
            )
        except RPCError as error:
            return INTERRUPTED in error.message
        except RuntimeError:
            return False
        return False

    def _tail(self, lines: int = 8) -> str:
        if self.log is None:
            return ""
        try:
            text = self.log.read_text(errors="replace")
        except OSError:
            return ""
        return "\n" + "\n".join(text.splitlines()[-lines:])


def _free_port(host: str) -> int:
    """Below what the system gives to whoever asks for any port: those are gone a moment later on a busy machine, and
    a server that was killed would find its own taken."""
    for port in random.sample(PORTS, len(PORTS)):
        if not _taken(host, port):
            return port
    raise DevServerError(f"No port of {PORTS.start} to {PORTS.stop - 1} on {host} is free.")


def _taken(host: str, port: int) -> bool:
    with socket.socket() as probe:
        # A port that a killed server left behind is free for the next one.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False
