"""Key rotation at rest: the envelopes of sealed values go under the current key, the values stay as they are."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, LargeBinary, Table, func, literal, select, update

from store.database import Database
from store.vault import Vault

_BATCH: Final = 200


@dataclass(frozen=True, slots=True)
class Sealed:
    """A column that holds sealed values or their envelopes."""

    table: Table
    column: str
    place: tuple[str, ...]
    """Columns that `bind` reads."""
    bind: Callable[[Any], bytes]
    """The place a row's value is bound to."""


async def rewrap(database: Database, vault: Vault, sealed: Sealed) -> int:
    """Rewrap one column in short transactions; gives how many values changed their envelope. May be repeated.

    Raises `store.keyring.KeyMissing` when an old key is gone from the ring already, or `store.vault.Unsealable`.
    """
    table, column = sealed.table, sealed.table.c[sealed.column]
    keys = tuple(table.primary_key.columns)
    header = vault.header()
    prefix = func.substr(column, 1, len(header), type_=LargeBinary())
    old = (
        select(*{name: table.c[name] for name in (*(key.name for key in keys), *sealed.place)}.values(), column)
        .where(column.is_not(None), prefix != literal(header, LargeBinary()))
        .limit(_BATCH)
    )

    def unit(connection: Connection) -> int:
        rows = connection.execute(old).all()
        for row in rows:
            found = getattr(row, sealed.column)
            changed = vault.rewrap(sealed.bind(row), found)
            connection.execute(
                update(table)
                .where(*(key == getattr(row, key.name) for key in keys), column == found)
                .values({sealed.column: changed})
            )
        return len(rows)

    total = 0
    while done := await database.write(unit):
        total += done
    return total
