# ruff: noqa: N818 -- the names say what happened; that they are errors is said by where they stand
"""How a unit of SQL reaches the database.

A *unit* is a plain function of a connection: it may be run again (after a deadlock) and never waits for the network.
`write` runs it in one transaction, `write_one` says that it is a single statement and needs no transaction around it,
`read` runs it outside transactions.
"""

from collections.abc import Callable
from typing import Protocol, TypeAlias, TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

T = TypeVar("T")
Unit = Callable[[Connection], T]
Insert: TypeAlias = postgresql.Insert | sqlite.Insert


class StoreError(Exception):
    """Base of what the store raises on purpose. The message is a sentence without SQL and without values."""


class StoreUnavailable(StoreError):
    """The database cannot be reached, is full, or stayed locked too long. Nothing is known to be written: retry."""

    def __init__(self, cause: BaseException) -> None:
        reason = getattr(cause, "orig", None) or cause
        super().__init__(f"The store's database does not answer ({type(reason).__name__}). Check that it runs; retry.")


class StoreFault(StoreError):
    """The database refused a statement: a mistake in this room. Names the statement, never its values."""

    def __init__(self, error: DBAPIError) -> None:
        statement = " ".join((error.statement or "a statement").split()[:4])
        super().__init__(f"The store's database refused {statement} ({type(error.orig).__name__}).")


class Database(Protocol):
    """What the repositories need of an engine."""

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        ...

    async def write(self, unit: Unit[T]) -> T:
        """All of the unit or nothing. Raises `StoreUnavailable`."""
        ...

    async def write_one(self, unit: Unit[T]) -> T: ...

    async def read(self, unit: Unit[T]) -> T: ...

    async def migrate(self, unit: Unit[None]) -> None:
        """Run schema changes alone: others that start at the same time wait."""
        ...

    async def aclose(self) -> None: ...


def insert_into(database: Database, table: Table) -> Insert:
    """An INSERT that knows ON CONFLICT, in the dialect of this database."""
    return postgresql.insert(table) if database.dialect == "postgresql" else sqlite.insert(table)


def translated(error: DBAPIError) -> StoreError:
    """What callers see instead of a driver's error, which may quote the row it is about."""
    return StoreUnavailable(error) if is_unavailable(error) else StoreFault(error)


def is_unavailable(error: DBAPIError) -> bool:
    """Lost connections, full disks and locks are the database's; everything else is a mistake of ours."""
    if error.connection_invalidated:
        return True
    state = str(getattr(error.orig, "sqlstate", "") or "")
    if state:
        return state[:2] in {"08", "53", "55", "57", "58"} or state in {"40001", "40P01"}
    code = str(getattr(error.orig, "sqlite_errorname", ""))
    return code.startswith(
        ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR", "SQLITE_FULL", "SQLITE_CANTOPEN", "SQLITE_READONLY")
    )
