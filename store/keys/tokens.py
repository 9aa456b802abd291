"""Rotating tokens that several processes share: sealed, and refreshed by one of them at a time under a lease.

Client-credentials tokens are not here; they live in the memory of the process that asked for them.
"""

import datetime as dt

from sqlalchemy import Connection, or_, select, update

from store.engine.database import Database, insert_into
from store.keys.rewrapping import Sealed
from store.keys.vault import Vault, binding
from store.rows import Token
from store.schema import tokens


def token_binding(connection: str) -> bytes:
    return binding("token", connection)


SEALED = Sealed(tokens, "sealed", place=("connection",), bind=lambda row: token_binding(row.connection))


class Tokens:
    """One token per connection."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault
        insert = insert_into(database, tokens)
        self._lease = insert.on_conflict_do_update(
            index_elements=[tokens.c.connection],
            set_={"lease_owner": insert.excluded.lease_owner, "lease_until": insert.excluded.lease_until},
            where=or_(
                tokens.c.lease_until.is_(None),
                tokens.c.lease_until <= insert.excluded.updated_at,
                tokens.c.lease_owner == insert.excluded.lease_owner,
            ),
        ).returning(tokens.c.connection)

    async def get(self, connection: str) -> Token | None:
        statement = select(tokens.c.sealed, tokens.c.expires_at).where(tokens.c.connection == connection)
        row = await self._database.read(lambda at: at.execute(statement).one_or_none())
        if row is None or row.sealed is None:
            return None
        return Token(self._vault.open(token_binding(connection), row.sealed).decode(), row.expires_at)

    async def lease(self, connection: str, owner: str, *, now: dt.datetime, until: dt.datetime) -> bool:
        """The right to refresh. False: another one is refreshing; read the token again later."""
        wish = {
            "connection": connection,
            "sealed": None,
            "expires_at": None,
            "lease_owner": owner,
            "lease_until": until,
            "updated_at": now,
        }
        return await self._database.write_one(lambda at: at.execute(self._lease, wish).first() is not None)

    async def put(self, connection: str, owner: str, token: Token, *, now: dt.datetime | None = None) -> bool:
        """Store what a refresh gave and end the lease. False: the lease was lost; someone else has refreshed."""
        statement = (
            update(tokens)
            .where(tokens.c.connection == connection, tokens.c.lease_owner == owner)
            .values(
                sealed=self._vault.seal(token_binding(connection), token.value.encode()),
                expires_at=token.expires_at,
                lease_owner=None,
                lease_until=None,
                updated_at=now or dt.datetime.now(dt.UTC),
            )
            .returning(tokens.c.connection)
        )

        def unit(at: Connection) -> bool:
            return at.execute(statement).first() is not None

        return await self._database.write_one(unit)
