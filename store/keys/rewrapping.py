"""Key rotation at rest: the envelopes of sealed values go under the current key, the values stay as they are.

And what still needs an old key, so that nobody drops it too early.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    LargeBinary,
    Table,
    cast,
    func,
    literal,
    not_,
    select,
    tuple_,
    update,
)

from store.engine.database import Database
from store.keys.keyring import KeyMissing
from store.keys.vault import Unsealable, Vault

_BATCH: Final = 200
EXAMPLES: Final = 20
"""Rows that are named for each reason; the others are counted."""
ANOTHER: Final = "{} (another key)"
"""How a key is called that has the id of one in the ring and is not that one."""

_Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Sealed:
    """A column that holds sealed values or their envelopes."""

    table: Table
    column: str
    place: tuple[str, ...]
    """Columns that `bind` reads."""
    bind: Callable[[Any], bytes]
    """The place a row's value is bound to."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Values of one table that do not open, all for the same reason."""

    table: str
    reason: str
    """A sentence, with what to do."""
    count: int
    rows: tuple[str, ...]
    """The first of their primary keys."""


@dataclass(frozen=True, slots=True)
class Rewrapped:
    changed: int
    """Values whose envelope was replaced."""
    unreadable: tuple[Unreadable, ...] = ()
    """What stays as it was; their keys are still needed."""


async def rewrap(database: Database, vault: Vault, sealed: Sealed) -> Rewrapped:
    """Rewrap one column in short transactions. May be repeated, and may run while others write.

    What does not open is passed over and told.
    """
    changed = 0
    while True:
        done = await _go_through(database, vault, sealed)
        changed += done.changed
        # Meanwhile somebody may have sealed with the old key behind us: it is done when nothing was left to do.
        if not done.changed:
            return Rewrapped(changed, done.unreadable)


async def _go_through(database: Database, vault: Vault, sealed: Sealed) -> Rewrapped:
    """Once through the table, in the order of its primary key: a row that stays as it is stops no other."""
    table, column = sealed.table, sealed.table.c[sealed.column]
    keys = tuple(table.primary_key.columns)
    stored = cast(column, LargeBinary)  # SQLite keeps what it was given, and somebody may have given it a text
    page = (
        select(
            *{name: table.c[name] for name in (*(key.name for key in keys), *sealed.place)}.values(),
            stored.label(sealed.column),
        )
        .where(column.is_not(None), not_(_begins(stored, vault.header())))
        .order_by(*keys)
        .limit(_BATCH)
    )

    def rewrap_page(connection: Connection, after: _Key | None) -> tuple[int, list[tuple[str, str]], _Key | None]:
        """How many were rewrapped, reason and row of those that were not, and where the next page begins."""
        rows = connection.execute(page if after is None else page.where(tuple_(*keys) > tuple_(*after))).all()
        told = []
        changed = 0
        for row in rows:
            found = getattr(row, sealed.column)
            place = tuple(getattr(row, key.name) for key in keys)
            try:
                fresh = vault.rewrap(sealed.bind(row), found)
            except (KeyMissing, Unsealable) as error:
                told.append((str(error), " ".join(map(str, place))))
                continue
            here = (key == value for key, value in zip(keys, place, strict=True))
            # Somebody may have put another value there since it was read.
            done = connection.execute(update(table).where(*here, stored == found).values({sealed.column: fresh}))
            changed += done.rowcount
        last = tuple(getattr(rows[-1], key.name) for key in keys) if len(rows) == _BATCH else None
        return changed, told, last

    changed, counts, examples = 0, Counter[str](), dict[str, list[str]]()
    after: _Key | None = None
    while True:
        more, failed, after = await database.write(partial(rewrap_page, after=after))
        changed += more
        for reason, name in failed:
            counts[reason] += 1
            if counts[reason] <= EXAMPLES:
                examples.setdefault(reason, []).append(name)
        if after is None:
            break
    unreadable = (Unreadable(table.name, reason, counts[reason], tuple(names)) for reason, names in examples.items())
    return Rewrapped(changed, tuple(unreadable))


async def count_by_key(database: Database, vault: Vault, sealed: Sealed) -> dict[str, int]:
    """How many values of one column are sealed under which key, also keys that are not in the ring.

    A key that the ring has another one of under the same id is told as `ANOTHER`. Raises
    `store.keys.vault.Unsealable` for a value that names no key.
    """
    column = sealed.table.c[sealed.column]
    stored = cast(column, LargeBinary)

    def unit(connection: Connection) -> dict[str, int]:
        counts: dict[str, int] = {}
        others: list[ColumnElement[bool]] = [column.is_not(None)]
        # Each round learns one key from a value that is under none of those known so far.
        while row := connection.execute(select(stored, *sealed.table.primary_key).where(*others).limit(1)).first():
            found, *place = row
            try:
                key_id, header = vault.key_id(found), vault.header_of(found)
                name = key_id if key_id not in vault.ring or vault.holds(found) else ANOTHER.format(key_id)
            except Unsealable:
                raise Unsealable(f"in table {sealed.table.name}, row {' '.join(map(str, place))},") from None
            here = _begins(stored, header)
            count = connection.scalar(select(func.count()).select_from(sealed.table).where(here)) or 0
            counts[name] = counts.get(name, 0) + count
            others.append(not_(here))
        return counts

    return await database.read(unit)


def _begins(column: ColumnElement[Any], header: bytes) -> ColumnElement[bool]:
    return func.substr(column, 1, len(header), type_=LargeBinary()) == literal(header, LargeBinary())
