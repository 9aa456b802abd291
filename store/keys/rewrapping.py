"""Key rotation at rest: the envelopes of sealed values go under the current key, the values stay as they are.

And what still needs an old key, so that nobody drops it too early.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, LargeBinary, Table, and_, func, literal, not_, select, update

from store.engine.database import Database
from store.keys.vault import Unsealable, Vault

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

    Raises `store.KeyMissing` when an old key is gone from the ring already, or `store.Unsealable`.
    """
    table, column = sealed.table, sealed.table.c[sealed.column]
    keys = tuple(table.primary_key.columns)
    old = (
        select(*{name: table.c[name] for name in (*(key.name for key in keys), *sealed.place)}.values(), column)
        .where(column.is_not(None), not_(_begins(column, vault.header())))
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


async def count_by_key(database: Database, vault: Vault, sealed: Sealed) -> dict[str, int]:
    """How many values of one column are sealed under which key, also keys that are not in the ring.

    Raises `store.keys.vault.Unsealable` for a value that names no key.
    """
    column = sealed.table.c[sealed.column]

    def unit(connection: Connection) -> dict[str, int]:
        counts: dict[str, int] = {}
        others: list[ColumnElement[bool]] = [column.is_not(None)]
        # Each round learns one key from a value that is under none of those known so far.
        while (found := connection.scalar(select(column).where(and_(*others)).limit(1))) is not None:
            key_id = vault.key_id(found)
            header = vault.header(key_id)
            if not found.startswith(header):
                raise Unsealable
            here = _begins(column, header)
            counts[key_id] = connection.scalar(select(func.count()).select_from(sealed.table).where(here)) or 0
            others.append(not_(here))
        return counts

    return await database.read(unit)


def _begins(column: ColumnElement[Any], header: bytes) -> ColumnElement[bool]:
    return func.substr(column, 1, len(header), type_=LargeBinary()) == literal(header, LargeBinary())
