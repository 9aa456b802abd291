"""Secrets of connections: sealed per row, several valid at once while one is being rotated."""

import datetime as dt
import uuid

from sqlalchemy import Connection, delete, func, insert, select

from store.engine.database import Database
from store.keys.rewrapping import Sealed
from store.keys.vault import Vault, binding
from store.rows import SecretName
from store.schema import secrets


def secret_binding(tenant: str, connection: str, name: str, row_id: str) -> bytes:
    return binding("secret", tenant, connection, name, row_id)


SEALED = Sealed(
    secrets,
    "sealed",
    place=("tenant", "connection", "name", "id"),
    bind=lambda row: secret_binding(row.tenant, row.connection, row.name, row.id),
)


class Secrets:
    """Values by tenant, connection and name. Nothing here prints or logs one."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def put(self, tenant: str, connection: str, name: str, value: str, *, now: dt.datetime | None = None) -> None:
        """Add a value; it becomes the newest. Older ones stay valid until `remove_old`."""
        row_id = uuid.uuid4().hex
        row = {
            "id": row_id,
            "tenant": tenant,
            "connection": connection,
            "name": name,
            "sealed": self._vault.seal(secret_binding(tenant, connection, name, row_id), value.encode()),
            "created_at": now or dt.datetime.now(dt.UTC),
        }

        def unit(connection: Connection) -> None:
            connection.execute(insert(secrets), row)

        await self._database.write_one(unit)

    async def get(self, tenant: str, connection: str, name: str) -> list[str]:
        """Every valid value, newest first; empty when none is set.

        Raises `store.keys.keyring.KeyMissing` or `store.keys.vault.Unsealable`.
        """
        statement = (
            select(secrets)
            .where(secrets.c.tenant == tenant, secrets.c.connection == connection, secrets.c.name == name)
            .order_by(secrets.c.created_at.desc(), secrets.c.id.desc())
        )
        rows = await self._database.read(lambda connection: connection.execute(statement).all())
        return [self._vault.open(secret_binding(tenant, connection, name, row.id), row.sealed).decode() for row in rows]

    async def newest(self, tenant: str, connection: str, name: str) -> tuple[str, str] | None:
        """Id and value of the newest one; `None` when none is set. Raises as `get`."""
        statement = (
            select(secrets)
            .where(secrets.c.tenant == tenant, secrets.c.connection == connection, secrets.c.name == name)
            .order_by(secrets.c.created_at.desc(), secrets.c.id.desc())
            .limit(1)
        )
        row = await self._database.read(lambda at: at.execute(statement).one_or_none())
        if row is None:
            return None
        return row.id, self._vault.open(secret_binding(tenant, connection, name, row.id), row.sealed).decode()

    async def names(self, tenant: str | None = None) -> tuple[SecretName, ...]:
        """Which secrets are set, with their ages; never values."""
        table = secrets.c
        grouping = (table.tenant, table.connection, table.name)
        statement = select(
            *grouping,
            func.count(),
            func.max(table.created_at, type_=table.created_at.type),
            func.min(table.created_at, type_=table.created_at.type),
        )
        if tenant is not None:
            statement = statement.where(table.tenant == tenant)
        ordered = statement.group_by(*grouping).order_by(*grouping)

        def unit(connection: Connection) -> tuple[SecretName, ...]:
            return tuple(
                SecretName(tenant=of, connection=at, name=name, values=values, newest=newest, oldest=oldest)
                for of, at, name, values, newest, oldest in connection.execute(ordered)
            )

        return await self._database.read(unit)

    async def remove_old(self, tenant: str, connection: str, name: str, *, keep: int = 1) -> int:
        """End a rotation: remove all but the newest `keep` values. Gives how many went."""
        table = secrets.c
        here = (table.tenant == tenant, table.connection == connection, table.name == name)

        def unit(connection: Connection) -> int:
            ids = connection.scalars(
                select(table.id).where(*here).order_by(table.created_at.desc(), table.id.desc())
            ).all()[keep:]
            if ids:
                connection.execute(delete(secrets).where(table.id.in_(ids)))
            return len(ids)

        return await self._database.write(unit)
