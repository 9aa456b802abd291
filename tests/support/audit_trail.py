"""Audit events for tests, a process that writes them, and somebody who changes them behind the store's back.

`python -m support.audit_trail URL TENANT WRITER COUNT` adds events in batches of changing size, as a worker would.
"""

import asyncio
import datetime as dt
import functools
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

from sqlalchemy import Connection, text

from store import KeyRing, Store, StoreUnavailable, Vault
from store.rows import AuditEvent

T = TypeVar("T")
NOW = dt.datetime(2026, 3, 2, 15, 0, tzinfo=dt.UTC)


def event(tenant: str, document_id: str = "1", action: str = "staged", **given: Any) -> AuditEvent:
    fields: dict[str, Any] = {
        "tenant": tenant,
        "connection": "bc-us",
        "kind": "order",
        "document_id": document_id,
        "at": NOW,
        "action": action,
        "sentence": f"Order {document_id} was {action}.",
        "details": {"group_id": 177, "nested": {"rule": "shirts", "version": 7}},
        "job": "poll-orders:bc-us",
    } | given
    return AuditEvent(**fields)


async def tell(store: Store, tenant: str, *documents: str, **given: Any) -> None:
    """One event per document, each on its own."""
    for document_id in documents:
        await store.audit.append([event(tenant, document_id, **given)])


async def until_answered(ask: Callable[[], Awaitable[T]]) -> T:
    """As every worker does: what the database was too busy for is asked again. SQLite lets writers of several processes
    in by chance, and while each sync of the disk takes long, some wait for longer than the store does."""
    while True:
        try:
            return await ask()
        except StoreUnavailable:
            continue


async def seal_all(store: Store, tenant: str, *, limit: int = 5000) -> int:
    """Seals until nothing is left; gives how many seals were made."""
    made = 0
    while await until_answered(lambda: store.seals.seal(tenant, limit=limit)):
        made += 1
    return made


async def tamper(store: Store, *statements: str, **values: Any) -> None:
    """Runs SQL as somebody who owns the database would: with the triggers out of the way."""

    def on_postgresql(connection: Connection) -> None:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        _run(connection, statements, values)

    def on_sqlite(connection: Connection) -> None:
        triggers = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")).all()
        for trigger in triggers:
            connection.execute(text(f"DROP TRIGGER {trigger.name}"))
        _run(connection, statements, values)
        for trigger in triggers:
            connection.exec_driver_sql(trigger.sql)

    await store._database.write(on_postgresql if store._database.dialect == "postgresql" else on_sqlite)


def _run(connection: Connection, statements: tuple[str, ...], values: dict[str, Any]) -> None:
    for statement in statements:
        wanted = {name: value for name, value in values.items() if f":{name}" in statement}
        connection.execute(text(statement), wanted)


def batches(count: int) -> Iterator[int]:
    """Sizes 1, 2, 3, 4, 5, 1, ... that add up to `count`."""
    size = 0
    while count:
        size = min(size % 5 + 1, count)
        yield size
        count -= size


async def write(url: str, tenant: str, writer: str, count: int) -> None:
    vault = Vault(KeyRing.from_environment(os.environ))
    async with Store.open(url, vault) as store:
        number = 0
        for size in batches(count):
            page = []
            for _ in range(size):
                number += 1
                page.append(event(tenant, f"{writer}-{number}", payload=f"original of {writer}-{number}"))
            await until_answered(functools.partial(store.audit.append, page))


if __name__ == "__main__":
    asyncio.run(write(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
