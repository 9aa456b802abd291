"""One store per test module on each database."""

import datetime as dt
import uuid
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy.engine import URL
from support.postgres import new_database, postgres_server

from contracts.journal import FateKind, Journal, JournalFate, JournalLine, Purpose, RuleReference
from contracts.names import journal_reference
from contracts.steps.journals import Staged
from store import KeyRing, Store, Vault
from store.rows import AuditEvent, Recorded
from store.turns import Turn


@pytest.fixture(scope="session")
def database_server() -> Iterator[URL]:
    """A server on which databases may be created."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def ring() -> KeyRing:
    return KeyRing.generate("k1")


@pytest.fixture(scope="session")
def vault(ring: KeyRing) -> Vault:
    return Vault(ring)


@pytest_asyncio.fixture(scope="module", params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A fresh, empty database."""
    if request.param == "sqlite":
        path: Path = tmp_path_factory.mktemp("store") / "store.db"
        yield f"sqlite+aiosqlite:///{path}"
        return
    server: URL = request.getfixturevalue("database_server")
    async with new_database(server) as database:
        yield database.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)


@pytest_asyncio.fixture(scope="module")
async def store(url: str, vault: Vault) -> AsyncIterator[Store]:
    async with Store.open(url, vault) as opened:
        await opened.migrate()
        yield opened


@pytest_asyncio.fixture(scope="module")
async def other(url: str, vault: Vault, store: Store) -> AsyncIterator[Store]:
    """Another process on the same database."""
    async with Store.open(url, vault) as opened:
        yield opened


@pytest.fixture
def fresh() -> str:
    """An id nothing else in the module uses."""
    return uuid.uuid4().hex[:10]


NOW = dt.datetime(2026, 3, 2, 15, 0, tzinfo=dt.UTC)


class Desk:
    """Stages journals of one ledger that no other test uses."""

    def __init__(self, store: Store, name: str) -> None:
        self.store = store
        self.ledger = f"Ledger {name}"
        self.outlet = ("fusion-us", self.ledger, "Web Sales")
        self.shop = f"bc-{name}"

    def reference(self, order: str, ordinal: int = 1, purpose: str = "sale") -> str:
        return journal_reference("acme", self.shop, "order", order, purpose, ordinal)

    def journal(
        self, order: str, amount: str = "10.00", *, ordinal: int = 1, purpose: str = "sale", version: int = 7
    ) -> Journal:
        rule = RuleReference(mapping_set="retail", version=version, rule="shirts")
        return Journal(
            reference=self.reference(order, ordinal, purpose),
            description=f"Order {order}",
            ledger=self.ledger,
            journal_source="Web Sales",
            journal_category="Sales",
            accounting_date=dt.date(2026, 3, 1),
            date_reason="placed 2026-03-01 in America/Chicago",
            currency="USD",
            lines=(
                JournalLine(
                    purpose=Purpose.CLEARING,
                    segments=("101", "10", "11000", "000"),
                    debit=Decimal(amount),
                    credit=Decimal(0),
                    description="Paid by Ada Lovelace",
                ),
                JournalLine(
                    purpose=Purpose.REVENUE,
                    segments=("101", "10", "41000", "000"),
                    debit=Decimal(0),
                    credit=Decimal(amount),
                    description="Shirt for Ada Lovelace",
                    source_key="line-1",
                    rule=rule,
                ),
            ),
            mapping_set="retail",
            mapping_version=version,
        )

    async def stage(
        self,
        order: str,
        amount: str = "10.00",
        *,
        at: dt.datetime = NOW,
        store: Store | None = None,
        ordinal: int = 1,
        purpose: str = "sale",
        version: int = 7,
        turn: dt.datetime | None = None,
        event: AuditEvent | None = None,
    ) -> Staged:
        """Stage an order; its amount is its fingerprint."""
        return await (store or self.store).journals.stage(
            self.journal(order, amount, ordinal=ordinal, purpose=purpose, version=version),
            tenant="acme",
            integration="us",
            connection=self.shop,
            fusion="fusion-us",
            kind="order",
            document_id=order,
            purpose=purpose,
            ordinal=ordinal,
            fingerprint=f"total {amount}",
            job="poll 1",
            now=at,
            turn=self.turn(order, turn) if turn else None,
            event=event,
        )

    def turn(self, order: str, at: dt.datetime) -> Turn:
        return Turn(connection=self.shop, kind="order", document_id=order, at=at)

    async def seal(self, *, limit: int = 500, at: dt.datetime = NOW, store: Store | None = None) -> int | None:
        return await (store or self.store).groups.seal(*self.outlet, limit=limit, now=at)

    async def sealed(self, *orders: str) -> int:
        for order in orders:
            await self.stage(order)
        group_id = await self.seal()
        assert group_id is not None
        return group_id

    async def waiting(self) -> int:
        return (await self.store.journals.pending(*self.outlet)).count

    def fate(self, order: str, kind: FateKind, group_id: int, *, code: str = "", purpose: str = "sale") -> JournalFate:
        return JournalFate(
            reference=self.reference(order, purpose=purpose),
            kind=kind,
            group_id=group_id,
            at=NOW,
            journal_header_id=4711 if kind in (FateKind.IMPORTED, FateKind.POSTED) else None,
            code=code,
        )

    async def tell(self, group_id: int, kind: FateKind, *orders: str, code: str = "") -> Recorded:
        fates = [self.fate(order, kind, group_id, code=code) for order in orders]
        return await self.store.groups.record_fates(group_id, fates, NOW)


@pytest.fixture
def desk(store: Store, fresh: str) -> Desk:
    return Desk(store, fresh)
