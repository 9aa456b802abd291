"""PostgreSQL through asyncpg. Single statements run without BEGIN and COMMIT around them: one round trip."""

import asyncio
from typing import Any, Final, TypeVar

import sqlalchemy.exc
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from store.engine.database import StoreUnavailable, Unit, translated

T = TypeVar("T")

_TRIES: Final = 4
_MIGRATION_LOCK: Final = 7_236_118_025
"""Any constant: who migrates this database."""
_CONNECT: Final = 10.0
_COMMAND: Final = 30.0
_TRANSIENT: Final = frozenset({"40001", "40P01"})
"""Serialization failure and deadlock: the transaction did not happen and may simply run again."""


class PostgreSQLDatabase:
    """A pool of connections to one database."""

    dialect: Final = "postgresql"

    def __init__(self, url: URL, *, pool_size: int = 10) -> None:
        self._engine = create_async_engine(
            url.set(drivername="postgresql+asyncpg"),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=_CONNECT,
            connect_args={
                "timeout": _CONNECT,
                "command_timeout": _COMMAND,
                "server_settings": {"application_name": "ml-connector"},
            },
            hide_parameters=True,
        )
        event.listen(self._engine.sync_engine, "checkout", _refuse_closed)
        self._single = self._engine.execution_options(isolation_level="AUTOCOMMIT")

    async def write(self, unit: Unit[T]) -> T:
        return await self._run(self._engine, unit)

    async def write_one(self, unit: Unit[T]) -> T:
        return await self._run(self._single, unit)

    async def read(self, unit: Unit[T]) -> T:
        return await self._run(self._single, unit)

    async def migrate(self, unit: Unit[None]) -> None:
        def alone(connection: Connection) -> None:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
            unit(connection)

        await self._run(self._engine, alone)

    async def aclose(self) -> None:
        await self._engine.dispose()

    async def _run(self, engine: AsyncEngine, unit: Unit[T]) -> T:
        for attempt in range(1, _TRIES + 1):
            try:
                async with engine.begin() as connection:
                    return await connection.run_sync(unit)
            except DBAPIError as error:
                if attempt < _TRIES and getattr(error.orig, "sqlstate", None) in _TRANSIENT:
                    await asyncio.sleep(0.01 * attempt)
                    continue
                raise translated(error) from None
            except (OSError, TimeoutError, sqlalchemy.exc.TimeoutError) as error:
                raise StoreUnavailable(error) from error
        raise AssertionError("the last attempt returns or raises")

    def __repr__(self) -> str:
        return f"PostgreSQLDatabase({self._engine.url.render_as_string(hide_password=True)!r})"


def _refuse_closed(connection: Any, _record: object, _proxy: object) -> None:
    """After a restart of the server, pooled connections are dead: notice it without asking the server."""
    if connection.driver_connection.is_closed():
        raise sqlalchemy.exc.DisconnectionError
