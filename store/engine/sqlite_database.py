"""SQLite: one thread writes, two read.

Writes of one process queue for a single thread, which runs all that wait in one transaction, each in its own
savepoint, and syncs the disk once (`synchronous=FULL`: a commit that was reported survives a power cut). A unit is one
hop to that thread and back, however many statements it has. Other processes are kept out by `BEGIN IMMEDIATE`.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool, QueuePool

from store.engine.database import Unit, is_unavailable, translated

T = TypeVar("T")

_BATCH: Final = 64
"""Most units in one transaction: how long a single one may have to wait for its neighbours."""
_BUSY_MS: Final = 30_000
_READERS: Final = 2


class SQLiteDatabase:
    """A database file. Several processes on one machine may share it."""

    dialect: Final = "sqlite"

    def __init__(self, url: URL) -> None:
        if not url.database or url.database == ":memory:":
            raise ValueError("The store needs a database file: sqlite+aiosqlite:///path/to/ml-connector.db")
        plain = url.set(drivername="sqlite+pysqlite")
        self._path = Path(url.database)
        self._writer = _engine(plain, pool=NullPool)
        event.listen(self._writer, "begin", _begin_immediate)
        self._reader = _engine(plain, pool=QueuePool, pool_size=_READERS, max_overflow=0)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="store-read")
        self._writes = _WriteQueue(self._writer)

    async def write(self, unit: Unit[T]) -> T:
        return await self._writes.submit(unit)

    async def write_one(self, unit: Unit[T]) -> T:
        return await self._writes.submit(unit)

    async def read(self, unit: Unit[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, unit)

    async def migrate(self, unit: Unit[None]) -> None:
        await self._writes.submit(unit)

    async def aclose(self) -> None:
        await asyncio.to_thread(self._close)

    def _read(self, unit: Unit[T]) -> T:
        try:
            with self._reader.connect() as connection:
                return unit(connection)
        except DBAPIError as error:
            raise translated(error) from None

    def _close(self) -> None:
        self._writes.close()
        self._readers.shutdown()
        self._writer.dispose()
        self._reader.dispose()

    def __repr__(self) -> str:
        return f"SQLiteDatabase({str(self._path)!r})"


class _WriteQueue:
    """The writing thread and what waits for it. The thread starts with the first write."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: queue.SimpleQueue[tuple[Unit[Any], Future[Any]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._closed = False

    async def submit(self, unit: Unit[T]) -> T:
        future: Future[T] = Future()
        with self._starting:
            if self._closed:
                raise RuntimeError("The store is closed.")
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="store-write", daemon=True)
                self._thread.start()
            self._waiting.put((unit, future))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Finish what waits, then end the thread."""
        with self._starting:
            self._closed = True
            thread, self._thread = self._thread, None
        if thread is not None:
            self._waiting.put(None)
            thread.join()

    def _run(self) -> None:
        connection: Connection | None = None
        while True:
            batch, ending = self._next()
            if batch:
                connection = self._commit(connection, batch)
            if ending:
                break
        if connection is not None:
            connection.close()

    def _next(self) -> tuple[list[tuple[Unit[Any], Future[Any]]], bool]:
        batch: list[tuple[Unit[Any], Future[Any]]] = []
        entry = self._waiting.get()
        while entry is not None:
            if entry[1].set_running_or_notify_cancel():
                batch.append(entry)
            if len(batch) >= _BATCH:
                return batch, False
            try:
                entry = self._waiting.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _commit(self, connection: Connection | None, batch: list[tuple[Unit[Any], Future[Any]]]) -> Connection | None:
        """Run a batch in one transaction, then answer. Gives the connection to go on with."""
        answers: list[Callable[[], None]] = []
        try:
            if connection is None:
                connection = self._engine.connect()
            with connection.begin():
                for unit, future in batch:
                    answers.append(_run_unit(connection, unit, future))
        except BaseException as error:  # whatever stopped the commit, everyone who waits must hear of it
            cause = translated(error) if isinstance(error, DBAPIError) else error
            for _, future in batch:
                future.set_exception(cause)
            if connection is not None:
                connection.invalidate()
                connection.close()
            return None
        for answer in answers:
            answer()
        return connection


def _run_unit(connection: Connection, unit: Unit[Any], future: Future[Any]) -> Callable[[], None]:
    """Run one unit in its savepoint, so that its failure stays its own; the answer waits for the commit."""
    try:
        with connection.begin_nested():
            result = unit(connection)
    except DBAPIError as error:
        if is_unavailable(error):
            raise
        cause: Exception = translated(error)
        return lambda: future.set_exception(cause)
    except Exception as error:
        problem = error
        return lambda: future.set_exception(problem)
    return lambda: future.set_result(result)


def _engine(url: URL, *, pool: type[NullPool] | type[QueuePool], **options: Any) -> Engine:
    engine = create_engine(
        url,
        poolclass=pool,
        connect_args={"check_same_thread": False, "timeout": _BUSY_MS / 1000},
        hide_parameters=True,
        **options,
    )
    event.listen(engine, "connect", _prepare)
    return engine


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    # The driver's own implicit BEGIN is deferred, so a writer could fail half-way: we begin ourselves.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout = {_BUSY_MS}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "temp_store = MEMORY",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
