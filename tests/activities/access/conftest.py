"""A system behind a gate, steps that call it, and a clock that only moves when told to."""

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Callable

import pytest

from activities.access.gates import Gate, Turn
from clients.accounts import Account
from clients.errors import Unavailable, Unreachable, VendorError
from store import StoreUnavailable
from store.rows import ConnectionHealth, ConnectionSigns, ConnectionState

HOUR = 3600.0


class Time:
    """Seconds since the test began; sleepers wake when the time has come."""

    def __init__(self) -> None:
        self.now = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        wakes: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + seconds, next(self._numbers), wakes))
        await wakes

    async def go(self, seconds: float) -> None:
        until = self.now + seconds
        await settled()
        while self._sleepers and self._sleepers[0][0] <= until:
            at, _, wakes = heapq.heappop(self._sleepers)
            self.now = max(self.now, at)
            if not wakes.done():
                wakes.set_result(None)
                await settled()
        self.now = until
        await settled()


async def settled() -> None:
    """Everything that can go on without the clock has done so."""
    for _ in range(30):
        await asyncio.sleep(0)


class Board:
    """Marks, as the store would keep them."""

    def __init__(self) -> None:
        self.written: list[ConnectionHealth] = []
        self.confirmed = 0
        self.looks = 0
        self.secret: str | None = "first"
        self.account = ""
        self.down = False

    async def mark(self, health: ConnectionHealth, sentence: str) -> None:
        if self.down:
            raise StoreUnavailable(OSError())
        assert bool(sentence) == (health is not ConnectionHealth.WORKING)
        self.written.append(health)

    async def confirm(self) -> None:
        self.confirmed += 1

    async def signs(self) -> ConnectionSigns:
        self.looks += 1
        return ConnectionSigns(secret=self.secret, state=self.written[-1] if self.written else None)

    async def remember(self, account: Account) -> ConnectionState:
        self.account = self.account or account.identity
        return ConnectionState.model_construct(identity=self.account, identity_sentence=f"pod {self.account}")


class System:
    """A vendor behind a gate, and steps that call it. What `failing` gives for a kind of step is how its call ends."""

    def __init__(self, gate: Gate, time: Time) -> None:
        self.gate = gate
        self.time = time
        self.failing: Callable[[str], VendorError | None] = lambda _: None
        self.calls: list[tuple[float, str]] = []
        self.takes = 0.0
        self.steps: list[asyncio.Task[str]] = []

    def down(self, error: VendorError | None) -> None:
        self.failing = lambda _: error

    async def call(self, kind: str) -> None:
        began = self.gate.begin()
        self.calls.append((self.time.now, kind))
        error = self.failing(kind)
        if self.takes:
            await self.time.sleep(self.takes)
        self.gate.ended(began, error)
        if error is not None:
            raise error

    async def step(self, document: str, kind: str = "fetch", patience: float = 1e9) -> str:
        """As `activities.access.passage` does it."""
        turn, ends = Turn(kind, document), self.time.now + patience
        try:
            while True:
                if not self.gate.is_open:
                    await self.gate.enter(turn, ends - self.time.now)
                try:
                    with self.gate.passing(turn):
                        await self.gate.prove(turn)
                        await self.call(kind)
                except VendorError as error:
                    if self.gate.is_open:
                        return f"{document}: {error}"
                else:
                    return document
                finally:
                    await self.gate.publish()
        finally:
            self.gate.leave(turn)

    def begin(self, *documents: str, kind: str = "fetch") -> list[asyncio.Task[str]]:
        started = [asyncio.create_task(self.step(document, kind)) for document in documents]
        self.steps += started
        return started

    def since(self, moment: float) -> int:
        return sum(at >= moment for at, _ in self.calls)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
async def system(time: Time, board: Board) -> AsyncIterator[System]:
    gate = Gate("pod", remedy="ml-connector secrets set pod client_secret", marks=board, clock=time, sleep=time.sleep)
    gate.uses("first")
    opened = System(gate, time)
    yield opened
    for step in opened.steps:
        step.cancel()
    await asyncio.gather(*opened.steps, return_exceptions=True)


def orders(count: int) -> list[str]:
    return [f"order {number}" for number in range(count)]


def refused_connect() -> Unreachable:
    return Unreachable("pod", "The pod could not be reached.")


def unavailable(status: int = 503) -> Unavailable:
    return Unavailable("pod", f"The pod answered HTTP {status}.", status=status)


def all_done(steps: list[asyncio.Task[str]]) -> bool:
    return all(step.done() for step in steps)
