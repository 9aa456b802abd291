"""A till that creates one kind of document, with every way in which a create goes wrong, and a clock that is moved."""

import datetime as dt
import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from activities.posting.posting import Posting
from activities.posting.resource import Facts, Home, Seen
from activities.posting.subject import Subject
from clients.errors import InDoubt, NotFound, Rejected, VendorError
from contracts.model import Amount, Frozen
from contracts.steps.documents import Created
from store import KeyRing, Store, Vault
from store.creating.creation import Declaration
from store.rows import AuditEvent, PostingKey

START = dt.datetime(2026, 3, 2, 15, 0, tzinfo=dt.UTC)
DEADLINE, SETTLE, LIMIT = dt.timedelta(seconds=60), dt.timedelta(seconds=30), dt.timedelta(hours=1)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> dt.datetime:
        return self.now

    def advance(self, by: dt.timedelta) -> None:
        self.now += by


class Bill(Frozen):
    """What is created."""

    reference: str
    total: Amount
    account: str = "4000"


class KilledError(BaseException):
    """The worker is gone."""


@dataclass
class Row:
    """What the till has. Shown from `visible_at` on."""

    id: str
    reference: str
    total: Decimal
    visible_at: dt.datetime
    ours: bool = True
    account: str = "4000"


@dataclass
class Till:
    """An ERP whose books are the truth. `faults` strike the next creates, one each."""

    clock: Clock
    refuses: bool = True
    proves: bool = False
    """Its documents carry our full reference besides their number."""
    rows: list[Row] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    late: list[tuple[dt.datetime, Bill]] = field(default_factory=list)
    """Commits that are still to come."""
    late_by: dt.timedelta = dt.timedelta(0)
    shown_after: dt.timedelta = dt.timedelta(0)
    unfit: tuple[str, ...] = ()
    """What it says of every document before it is sent."""
    sends: int = 0
    looks: int = 0
    during_look: Callable[[], None] = lambda: None
    ids: Any = field(default_factory=lambda: itertools.count(300100))
    tax: Decimal = Decimal(0)
    """What its tax engine adds."""

    length: int = 80

    name = "bills"

    def home(self, document: Bill) -> Home:
        return Home(name="number", length=self.length, reference=document.reference, refuses_duplicates=self.refuses)

    def facts(self, document: Bill) -> Facts:
        return Facts(reference=document.reference, currency="USD", total=document.total)

    def dump(self, document: Bill) -> str:
        return document.model_dump_json()

    def load(self, text: str) -> Bill:
        return Bill.model_validate_json(text)

    def settle(self) -> None:
        due = [one for one in self.late if one[0] <= self.clock()]
        for one in due:
            self.late.remove(one)
            if not (self.refuses and self._has(one[1].reference)):
                self.commit(one[1])

    def commit(self, bill: Bill, *, ours: bool = True) -> Row:
        total = bill.total + self.tax
        row = Row(str(next(self.ids)), bill.reference, total, self.clock() + self.shown_after, ours, bill.account)
        self.rows.append(row)
        return row

    def _has(self, reference: str) -> bool:
        return any(row.reference == reference for row in self.rows)

    async def look(self, document: Bill, *, thorough: bool) -> list[Row]:
        self.looks += 1
        self.settle()
        found = [r for r in self.rows if r.reference == document.reference and r.visible_at <= self.clock()]
        self.during_look()
        return found

    async def check(self, document: Bill) -> None:
        if self.unfit:
            raise Rejected("till", "It does not fit.", messages=self.unfit)

    async def create(self, document: Bill, *, ends: float) -> Row:
        self.settle()
        self.sends += 1
        fault = self.faults.pop(0) if self.faults else ""
        match fault:
            case "cut":
                raise InDoubt("till", "It was cut off.")
            case "500" | "503" | "502":
                raise InDoubt("till", f"It answered {fault}.", status=int(fault))
            case "late":
                self.late.append((self.clock() + self.late_by, document))
                raise InDoubt("till", "It did not answer in time.")
            case "refused":
                raise Rejected("till", "It said no.", status=400, messages=("Unknown account.", "Closed period."))
        if self.refuses and self._has(document.reference):
            raise Rejected("till", "That number exists.", status=400, code="taken")
        row = self.commit(document)
        if fault == "lost":
            raise InDoubt("till", "Its answer was cut off.")
        if fault == "killed":
            raise KilledError
        if fault:
            raise AssertionError(f"no fault is named {fault}")
        return row

    async def read(self, target_id: str, *, whole: bool = False) -> Row:
        for row in self.rows:
            if row.id == target_id and row.visible_at <= self.clock():
                return row
        raise NotFound("till", f"There is no {target_id}.", status=404)

    def seen(self, hit: Row) -> Seen:
        said = f"bill {hit.id} over {hit.total} USD"
        return Seen(target_id=hit.id, target_number=f"N{hit.id}", currency="USD", total=hit.total, sentence=said)

    def is_ours(self, hit: Row, document: Bill) -> bool:
        return self.proves and hit.ours

    def difference(self, hit: Row, document: Bill) -> str:
        return "" if hit.total == document.total else f"it is over {hit.total}, not {document.total}"

    def another_sale(self, hit: Row, document: Bill) -> str:
        if hit.account != document.account:
            return f"it is on {hit.account}"
        return self.difference(hit, document)

    def ended(self, error: VendorError) -> bool:
        return error.status in {500, 503}

    def taken(self, error: VendorError) -> bool:
        return error.code == "taken"


@dataclass
class Epochs:
    """The keeper of the store's epoch."""

    during: Callable[[], None] = lambda: None
    sentence: str = ""

    async def behind(self, seen: int = 0) -> str:
        return self.sentence

    async def tell(self, epoch: int, *, every: float = 0.0) -> str:
        self.during()
        return ""


@dataclass
class Parts:
    """As much of `Collaborators` as posting asks for."""

    store: Any
    clock: Clock
    epochs: Epochs


@dataclass
class Desk:
    """Posts bills, each from a worker that knows nothing."""

    parts: Parts
    till: Till
    name: str

    @property
    def store(self) -> Store:
        store: Store = self.parts.store
        return store

    @property
    def clock(self) -> Clock:
        return self.parts.clock

    @property
    def reference(self) -> str:
        return f"acme/{self.name}/order/1/bill/1"

    def bill(self, total: str = "10.00", account: str = "4000") -> Bill:
        return Bill(reference=self.reference, total=Decimal(total), account=account)

    def posting(
        self,
        total: str = "10.00",
        *,
        declared: str = "",
        store: Any = None,
        account: str = "4000",
        open_since: dt.datetime | None = None,
    ) -> Posting[Bill, Row]:
        def tell(action: str, sentence: str, details: Any) -> AuditEvent:
            return AuditEvent(
                tenant="acme",
                connection=self.name,
                kind="order",
                document_id="1",
                at=self.clock(),
                action=action,
                sentence=sentence,
                details=dict(details),
                job="poll 1",
            )

        key = PostingKey(
            tenant="acme",
            integration="us",
            connection=self.name,
            fusion="till",
            kind="order",
            document_id="1",
            purpose="bill",
            ordinal=1,
        )
        parts: Any = Parts(store, self.clock, self.parts.epochs) if store else self.parts
        return Posting(
            parts,
            self.till,
            Subject(
                name="Order 1 (shop)",
                what="bill",
                vendor="The till",
                key=key,
                reference=self.reference,
                fingerprint=f"total {total}" if account == "4000" else f"total {total} on {account}",
                job="poll 1",
                tell=tell,
                deadline=DEADLINE,
                settle=SETTLE,
                unknown_limit=LIMIT,
                open_since=open_since,
                declaration=Declaration(decision=declared, who="dana", why="looked") if declared else None,
            ),
        )

    async def post(self, total: str = "10.00", account: str = "4000", **more: Any) -> Created:
        return await self.posting(total, account=account, **more).create(self.bill(total, account))

    async def ended(self, total: str = "10.00", **more: Any) -> Created:
        """As the workflow does it: the same step again at the moment it named, until it is not in doubt."""
        for _ in range(200):
            created = await self.post(total, **more)
            if created.outcome != "in_doubt":
                return created
            self.wait_until(created)
        raise AssertionError("in doubt for ever")

    def wait_until(self, created: Created) -> None:
        assert created.until is not None
        self.clock.now = max(self.clock.now + dt.timedelta(seconds=1), created.until)

    async def trail(self) -> list[str]:
        return [event.action for event in await self.store.audit.of(self.name, "order", "1")]


@pytest.fixture(scope="session")
async def store(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Store]:
    path: Path = tmp_path_factory.mktemp("activities") / "store.db"
    async with Store.open(f"sqlite+aiosqlite:///{path}", Vault(KeyRing.generate())) as opened:
        await opened.migrate()
        yield opened


_numbers = itertools.count(1)


@pytest.fixture(params=[True, False], ids=["refuses duplicates", "takes duplicates"])
def desk(store: Store, request: pytest.FixtureRequest) -> Desk:
    return new_desk(store, refuses=request.param)


@pytest.fixture
def strict(store: Store) -> Desk:
    """A till that refuses duplicates."""
    return new_desk(store, refuses=True)


@pytest.fixture
def lenient(store: Store) -> Desk:
    """A till that takes duplicates."""
    return new_desk(store, refuses=False)


def new_desk(store: Store, *, refuses: bool) -> Desk:
    clock = Clock()
    return Desk(Parts(store, clock, Epochs()), Till(clock, refuses=refuses), f"shop-{next(_numbers)}")
