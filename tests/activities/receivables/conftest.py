"""A desk that credits one refund, by the books of a pod, on a clock that is moved; with a store on each database."""

import asyncio
import dataclasses
import datetime as dt
import itertools
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import pytest_asyncio
from sqlalchemy.engine import URL
from support.credit_memos import application, billing, client, connected, invoice, memo, soon
from support.postgres import new_database, postgres_server
from temporalio.testing import ActivityEnvironment

from activities.access.gates import Gates
from activities.collaborators import Collaborators
from activities.receivables.refunds import RefundActivities
from clients.oracle_fusion import FusionClient
from clients.oracle_fusion.models import FoundInvoice
from contracts import names
from contracts.configuration import Configuration
from contracts.credit_memo import CreditApplication, CreditMemo
from contracts.receivable import ReferenceHome
from contracts.steps.documents import Created
from contracts.steps.receivables import ApplyCreditMemo, PostCreditMemo
from sandbox.fusion import FusionTwin
from sandbox.fusion.demo_world import US_LEDGER, demo_world
from sandbox.fusion.receivables.demo import US_UNIT
from sandbox.kit import serve
from store import KeyRing, Store, Vault
from store.rows import DocumentRow
from tests.activities.conftest import Epochs

TIMEOUT, SETTLE = 60.0, 1.0
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def database_server() -> Iterator[URL]:
    with postgres_server() as server:
        yield server


@pytest_asyncio.fixture(scope="module", params=["sqlite", "postgresql"])
async def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Store]:
    """Shared by the tests of this module: each has a shop of its own."""
    if request.param == "sqlite":
        path: Path = tmp_path_factory.mktemp("refunds") / "store.db"
        async with opened(f"sqlite+aiosqlite:///{path}") as found:
            yield found
        return
    async with new_database(request.getfixturevalue("database_server")) as database:
        url = database.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)
        async with opened(url) as found:
            yield found


def opened(url: str) -> Any:
    class Opened:
        async def __aenter__(self) -> Store:
            self.store = Store.open(url, Vault(KeyRing.generate()))
            found: Store = await self.store.__aenter__()
            await found.migrate()
            return found

        async def __aexit__(self, *error: Any) -> None:
            await self.store.__aexit__(*error)

    return Opened()


class Orders:
    """Runs of orders, which are told when a refund is booked."""

    def get_workflow_handle(self, workflow_id: str) -> "Orders":
        return self

    async def signal(self, name: str) -> None:
        assert name == names.CHANGED


class Guard(Epochs):
    def recovered_since(self, seen: int) -> bool:
        return False


@dataclasses.dataclass
class Desk:
    """Runs the steps of one refund as its workflow does, on a clock that is moved when they say it is too early."""

    twin: FusionTwin
    store: Store
    fusion: FusionClient
    shop: str
    home: ReferenceHome = "transaction_number"
    offset: dt.timedelta = dt.timedelta(0)
    total: str = "30.00"
    busy: int = 1
    """Workers that do not wait."""

    def clock(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC) + self.offset

    @property
    def memo(self) -> CreditMemo:
        reference = f"acme/{self.shop}/refund/77/credit/1"
        number = f"M{abs(hash(reference)) % 10**15}"
        comments = f"Refund 77 | {reference}"
        return memo(77, self.total, home=self.home, reference=reference, number=number, comments=comments)

    async def bill(self, *amounts: str, number: str = "", **changes: Any) -> FoundInvoice:
        wanted = invoice(1024, *amounts, number=number or f"I-{self.shop}"[:20], **changes)
        return await self.fusion.create_invoice(wanted, billing(), ends=soon())

    async def application(self, billed: FoundInvoice, **changes: Any) -> CreditApplication:
        row = await self.store.creations.creation(self.memo.reference)
        assert row is not None
        credited = await self.fusion.credit_memos.credit_memo(int(row.target_id))
        return application(credited, billed, reference=f"acme/{self.shop}/refund/77/application/1", **changes)

    def steps(self, store: Store | None = None) -> RefundActivities:
        """Of a worker that knows nothing."""
        shared = {"tenant": "acme", "environment": "test"}
        books = {
            "channel": "1", "currency": "USD", "ledger": US_LEDGER, "data_access_set": "d", "journal_source": "s",
            "journal_category": "c", "balancing_segment": "101", "business_unit": US_UNIT,
            "receivable": billing(self.home).model_dump(),
        }  # fmt: skip
        connection = connected(self.twin, create_timeout=TIMEOUT, settle=SETTLE).model_dump(mode="json")
        configuration = Configuration.model_validate(
            {
                "tenants": [{"id": "acme"}],
                "connections": [
                    connection,
                    {"system": "bigcommerce", "id": self.shop, "store_hash": "abc", **shared},
                ],
                "integrations": [
                    {
                        "id": "us", "tenant": "acme", "fusion": "fusion-test", "source": self.shop,
                        "mapping_set": "retail", "cut_over": "2026-01-01", "books": [books],
                        "channels": [{"id": "1", "target": "receivable"}], "imports": {"unknown_limit": 1},
                    }
                ],
                "mapping_sets": [{"id": "retail", "version": 1, "segments": ["c"], "balancing_segment": "c"}],
            }
        )  # fmt: skip
        parts = SimpleNamespace(
            configuration=configuration,
            store=store or self.store,
            fusions={"fusion-test": self.fusion},
            clock=self.clock,
            gates=Gates(),
            epochs=Guard(),
            fusion_connection=configuration.connection,
            temporal=Orders(),
        )
        return RefundActivities(cast(Collaborators, parts))

    def _wanted(self, more: dict[str, Any]) -> dict[str, Any]:
        return {
            "integration": "us",
            "connection": self.shop,
            "order_id": "1024",
            "refund_id": "77",
            "fingerprint": "f1",
            "modified_at": dt.datetime(2026, 3, 2, tzinfo=dt.UTC),
            "job": "poll 1",
        } | more

    async def credit(
        self, credit_memo: CreditMemo | None = None, *, store: Store | None = None, **more: Any
    ) -> Created:
        given = {"credit_memo": credit_memo or self.memo} | more
        step = self.steps(store).post_credit_memo
        return await environment().run(step, PostCreditMemo(**self._wanted(given)))

    async def apply(self, wanted: CreditApplication | None, *, store: Store | None = None, **more: Any) -> Created:
        step = self.steps(store).apply_credit_memo
        return await environment().run(step, ApplyCreditMemo(**self._wanted({"application": wanted} | more)))

    async def ended(self, step: Any, *given: Any, **more: Any) -> Created:
        """As the workflow does it: the same step again at the moment it named, until it is not in doubt."""
        for _ in range(200):
            created: Created = await step(*given, **more)
            if created.outcome != "in_doubt":
                return created
            assert created.until is not None
            await self.wait_until(created.until)
        raise AssertionError("in doubt for ever")

    async def wait_until(self, until: dt.datetime) -> None:
        """Moves the clock, but only while nobody works: a lease would be over before its time."""
        self.busy -= 1
        while self.clock() < until and self.busy:  # noqa: ASYNC110 -- time passes, too
            await asyncio.sleep(0.005)
        self.offset += max(until - self.clock(), dt.timedelta(0)) + dt.timedelta(milliseconds=20)
        self.busy += 1

    async def ended_once(self, wanted: CreditApplication) -> Created:
        """The step once more, at the moment it named."""
        created = await self.apply(wanted)
        assert created.until is not None
        await self.wait_until(created.until)
        return await self.apply(wanted)

    async def whole(self, billed: FoundInvoice, *, store: Store | None = None) -> Created:
        """Both steps, from the start."""
        credited = await self.ended(self.credit, store=store)
        assert credited.outcome == "posted", credited
        wanted = application(
            await self.fusion.credit_memos.credit_memo(int(credited.target_id)),
            billed,
            reference=f"acme/{self.shop}/refund/77/application/1",
        )
        return await self.ended(self.apply, wanted, store=store)

    async def document(self) -> DocumentRow:
        found = await self.store.documents.get(self.shop, "refund", "77")
        assert found is not None
        return found

    async def trail(self) -> list[str]:
        return [event.action for event in await self.store.audit.of(self.shop, "refund", "77")]

    def memos(self) -> list[Decimal]:
        return [-one.amount for one in self.twin.credit_memos.all()]

    def applied(self) -> list[tuple[str, Decimal]]:
        return [(one.invoice.number, one.amount) for one in self.twin.applications()]


def environment(attempt: int = 1) -> ActivityEnvironment:
    made = ActivityEnvironment()
    now = dt.datetime.now(dt.UTC)
    made.info = dataclasses.replace(
        made.info, start_to_close_timeout=dt.timedelta(minutes=5), started_time=now, attempt=attempt
    )
    return made


@pytest.fixture
async def twin() -> AsyncIterator[FusionTwin]:
    twin = FusionTwin(demo_world())
    async with serve(twin):
        yield twin


@pytest.fixture
async def desk(twin: FusionTwin, store: Store) -> AsyncIterator[Desk]:
    fusion = client(twin)
    yield Desk(twin, store, fusion, f"shop-{next(_numbers)}")
    await fusion.aclose()
