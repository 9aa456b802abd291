# ruff: noqa: S608 -- the SQL is put together from names that stand here
"""Whatever somebody who owns the database does to sealed events or to seals, verification finds something."""

import asyncio
import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from support.audit_trail import event, seal_all

from store import Store, Vault
from store.trail.audit_rows import Verification
from store.trail.seal_digests import MARK_BYTES

TENANT: Final = "acme"
EVENTS: Final = 8
"""Under seals of three, three and two."""
EVENT_COLUMNS: Final = (
    "id",
    "tenant",
    "connection",
    "kind",
    "document_id",
    "at",
    "action",
    "sentence",
    "details",
    "job",
    "payload_id",
    "payload_key",
    "payload",
)
SEAL_COLUMNS: Final = (
    "tenant",
    "number",
    "first_id",
    "last_id",
    "count",
    "previous",
    "digest",
    "version",
    "sealed_at",
    "key",
    "marks",
)
Change = tuple[Any, ...]


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory, vault: Vault) -> Path:
    """A trail, as a file to copy. Its triggers are gone: whoever owns the database removes them."""
    path = tmp_path_factory.mktemp("trail") / "store.db"

    async def make() -> None:
        async with Store.open(f"sqlite+aiosqlite:///{path}", vault) as store:
            await store.migrate()
            for number in range(EVENTS):
                await store.audit.append([event(TENANT, str(number), payload=f"original of {number}")])
            assert await seal_all(store, TENANT, limit=3) == 3

    asyncio.run(make())
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("DROP INDEX IF EXISTS ix_audit_events_document")
        connection.execute("PRAGMA journal_mode = DELETE")
    return path


def contents(connection: sqlite3.Connection) -> list[Any]:
    """Every value with its type, as SQLite writes it."""
    return [
        connection.execute(
            f"SELECT {', '.join(f'quote({name})' for name in columns)} FROM {table} ORDER BY 1, 2"
        ).fetchall()
        for table, columns in (("audit_events", EVENT_COLUMNS), ("audit_seals", SEAL_COLUMNS))
    ]


VALUES: Final = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-2, 12),
    st.floats(allow_nan=False),
    st.text(max_size=12),
    st.binary(max_size=40),
    st.sampled_from(["k1", TENANT, "2026-03-02T15:00:00+00:00", "2026-03-02T15:00:00Z", "1772463600", "A" * 64]),
)
PLACE: Final = st.integers(1, EVENTS)
NUMBER: Final = st.integers(1, 3)
MARKS: Final = st.tuples(st.lists(st.integers(0, 2), max_size=4), st.binary(max_size=MARK_BYTES))
"""Which of a seal's marks are left, in which order, and what is put behind them."""
CHANGES: Final = st.one_of(
    st.tuples(st.just("event"), st.sampled_from(EVENT_COLUMNS), PLACE, VALUES),
    st.tuples(st.just("event as bytes"), st.sampled_from(EVENT_COLUMNS), PLACE),
    st.tuples(st.just("event from"), st.sampled_from(EVENT_COLUMNS), PLACE, PLACE),
    st.tuples(st.just("no event"), PLACE),
    st.tuples(st.just("one more event"), PLACE, st.integers(-3, EVENTS - 1)),
    st.tuples(st.just("seal"), st.sampled_from(SEAL_COLUMNS), NUMBER, VALUES),
    st.tuples(st.just("seal as bytes"), st.sampled_from(SEAL_COLUMNS), NUMBER),
    st.tuples(st.just("seal from"), st.sampled_from(SEAL_COLUMNS), NUMBER, NUMBER),
    st.tuples(st.just("no seal"), NUMBER),
    st.tuples(st.just("one more seal"), NUMBER, st.integers(-3, 5)),
    st.tuples(st.just("marks"), NUMBER, MARKS),
    st.tuples(st.just("no event and no mark"), PLACE, st.binary(max_size=MARK_BYTES), st.booleans()),
)


def make(connection: sqlite3.Connection, change: Change) -> None:
    """One change. What the tables themselves refuse (a key twice, nothing where something must be) is not made."""
    with contextlib.suppress(sqlite3.IntegrityError):
        match change:
            case ("event", name, place, value):
                connection.execute(f"UPDATE audit_events SET {name} = ? WHERE id = ?", (value, place))
            case ("event as bytes", name, place):
                connection.execute(f"UPDATE audit_events SET {name} = CAST({name} AS BLOB) WHERE id = ?", (place,))
            case ("event from", name, place, other):
                there = f"(SELECT {name} FROM audit_events WHERE id = ?)"
                connection.execute(f"UPDATE audit_events SET {name} = {there} WHERE id = ?", (other, place))
            case ("no event", place):
                connection.execute("DELETE FROM audit_events WHERE id = ?", (place,))
            case ("one more event", place, free):
                names = ", ".join(EVENT_COLUMNS[1:])
                connection.execute(
                    f"INSERT INTO audit_events (id, {names}) SELECT ?, {names} FROM audit_events WHERE id = ?",
                    (free, place),
                )
            case ("seal", name, number, value):
                connection.execute(f"UPDATE audit_seals SET {name} = ? WHERE number = ?", (value, number))
            case ("seal as bytes", name, number):
                connection.execute(f"UPDATE audit_seals SET {name} = CAST({name} AS BLOB) WHERE number = ?", (number,))
            case ("seal from", name, number, other):
                there = f"(SELECT {name} FROM audit_seals WHERE number = ?)"
                connection.execute(f"UPDATE audit_seals SET {name} = {there} WHERE number = ?", (other, number))
            case ("no seal", number):
                connection.execute("DELETE FROM audit_seals WHERE number = ?", (number,))
            case ("one more seal", number, free):
                names = ", ".join(SEAL_COLUMNS[3:])
                connection.execute(
                    f"INSERT INTO audit_seals (tenant, number, first_id, {names}) "
                    f"SELECT tenant, ?, ?, {names} FROM audit_seals WHERE number = ?",
                    (free, -free, number),
                )
            case ("marks", number, (left, more)):
                change_marks(connection, number, lambda marks: [marks[one] for one in left if one < len(marks)], more)
            case ("no event and no mark", place, more, counted):
                connection.execute("DELETE FROM audit_events WHERE id = ?", (place,))
                mark = place.to_bytes(8, signed=True)
                number = (place + 2) // 3
                change_marks(connection, number, lambda marks: [one for one in marks if not one.startswith(mark)], more)
                if counted:
                    connection.execute("UPDATE audit_seals SET count = count - 1 WHERE number = ?", (number,))


def change_marks(connection: sqlite3.Connection, number: int, pick: Any, more: bytes) -> None:
    for (marks,) in connection.execute("SELECT marks FROM audit_seals WHERE number = ?", (number,)).fetchall():
        if isinstance(marks, bytes):
            cut = [marks[start : start + MARK_BYTES] for start in range(0, len(marks), MARK_BYTES)]
            put = (b"".join(pick(cut)) + more, number)
            connection.execute("UPDATE audit_seals SET marks = ? WHERE number = ?", put)


@pytest.fixture
def copies(tmp_path: Path, sealed: Path) -> Any:
    """Where the copy lies, and what makes a new one and opens it."""
    path = tmp_path / "store.db"

    @contextlib.contextmanager
    def copy() -> Iterator[sqlite3.Connection]:
        shutil.copyfile(sealed, path)
        with contextlib.closing(sqlite3.connect(path)) as connection:
            yield connection
            connection.commit()

    return path, copy


async def verified(path: Path, vault: Vault) -> Verification:
    async with Store.open(f"sqlite+aiosqlite:///{path}", vault) as store:
        return await store.verify_audit(TENANT)


def test_an_unchanged_trail_is_intact(copies: Any, vault: Vault) -> None:
    path, copy = copies
    with copy():
        pass
    assert asyncio.run(verified(path, vault)).intact


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@example(changes=[("no event and no mark", 5, b"\x00", False)])
@example(changes=[("no event and no mark", 4, b"", True), ("seal from", "sealed_at", 2, 1)])
@example(changes=[("event as bytes", "sentence", 3)])
@example(changes=[("event", "at", 3, "2026-03-02T15:00:00Z")])
@example(changes=[("event", "payload_key", 3, None)])
@example(changes=[("event", "id", 3, -(2**63))])
@example(changes=[("seal", "first_id", 2, -(2**63)), ("no seal", 1)])
@example(changes=[("seal", "digest", 2, "é")])
@example(changes=[("seal", "sealed_at", 2, "yesterday")])
@example(changes=[("one more seal", 1, -3)])
@given(changes=st.lists(CHANGES, min_size=1, max_size=4))
def test_any_change_of_sealed_events_or_seals_is_found(copies: Any, vault: Vault, changes: list[Change]) -> None:
    path, copy = copies
    with copy() as connection:
        before = contents(connection)
        for change in changes:
            make(connection, change)
        changed = contents(connection) != before
    assume(changed)
    found = asyncio.run(verified(path, vault))
    assert found.faults
    assert found.findings
    assert not found.intact


def test_bytes_that_are_no_text_are_found_and_not_an_error(copies: Any, vault: Vault) -> None:
    for statement in (
        "UPDATE audit_events SET sentence = CAST(x'ff' AS TEXT) WHERE id = 4",
        "UPDATE audit_seals SET previous = CAST(x'ff' AS TEXT) WHERE number = 2",
    ):
        path, copy = copies
        with copy() as connection:
            connection.execute(statement)
        assert not asyncio.run(verified(path, vault)).intact
