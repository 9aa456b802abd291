"""What a gate lets through, by a clock that only moves when told to."""

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Callable

import pytest

from activities.access.gates import Gate, Paused, Turn
from clients.accounts import Account
from clients.errors import (
    Forbidden,
    Held,
    InDoubt,
    NotFound,
    RateLimited,
    SignInRefused,
    Unauthorized,
    Unavailable,
    Unreachable,
    VendorError,
)
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


async def test_a_refused_connect_shuts_the_gate_at_once(system: System, time: Time) -> None:
    system.down(refused_connect())
    system.begin(*orders(1))
    await settled()
    assert not system.gate.is_open
    assert len(system.calls) == 1


async def test_one_error_among_successes_stops_nobody(system: System) -> None:
    for number in range(20):
        system.down(unavailable(500) if number % 2 else None)
        await system.step(f"order {number}")
        assert system.gate.is_open


async def test_two_failures_in_a_row_of_different_documents_are_an_outage(system: System) -> None:
    system.down(unavailable(500))
    assert "HTTP 500" in await system.step("order 1")
    assert "HTTP 500" in await system.step("order 1")
    assert system.gate.is_open
    system.begin("order 2")
    await settled()
    assert not system.gate.is_open


async def test_one_document_alone_needs_three_failures(system: System) -> None:
    system.down(unavailable())
    for _ in range(2):
        await system.step("order 1")
    assert system.gate.is_open
    system.begin("order 1")
    await settled()
    assert not system.gate.is_open


@pytest.mark.parametrize(
    "error",
    [
        refused_connect(),
        unavailable(),
        InDoubt("pod", "The pod did not answer in time."),
        Unavailable("pod", "The pod was cut off."),
        RateLimited("pod", "The pod answered HTTP 503.", status=503, retry_after=1.0),
    ],
    ids=["refused", "503", "write timed out", "cut off", "503 with a waiting time"],
)
async def test_an_outage_costs_one_call_a_pause_however_many_wait_and_all_go_on_after_it(
    system: System, time: Time, error: VendorError
) -> None:
    system.down(error)
    steps = system.begin(*orders(60))
    await time.go(5)
    burst = len(system.calls)
    assert burst <= 60
    started = time.now
    await time.go(HOUR)
    # Pauses of 30 to 60 seconds once they have grown: never one a document.
    assert HOUR / 60 <= system.since(started) <= HOUR / 30 + 10
    system.down(None)
    await time.go(61)
    assert all_done(steps)
    # The very first failure of all may have been an accident: that step comes back by itself.
    assert [step.result() for step in steps[1:]] == orders(60)[1:]


async def test_the_pause_doubles_up_to_a_minute_and_starts_anew_with_the_next_outage(
    system: System, time: Time
) -> None:
    system.down(refused_connect())
    system.begin(*orders(3))
    await time.go(300)
    moments = [at for at, _ in system.calls]
    pauses = [later - earlier for earlier, later in itertools.pairwise(moments)]
    for number, pause in enumerate(pauses[3:], start=3):
        assert 0.5 * min(2.0**number, 60) <= pause <= min(2.0**number, 60)
    system.down(None)
    await time.go(61)
    system.down(refused_connect())
    system.begin("another")
    began = time.now
    await time.go(2)
    assert 2 <= system.since(began) <= 4


async def test_a_waiting_time_that_the_vendor_names_is_kept(system: System, time: Time) -> None:
    system.down(RateLimited("pod", "The pod answered HTTP 503.", status=503, retry_after=90.0))
    system.begin(*orders(5))
    await settled()
    burst = len(system.calls)
    await time.go(89)
    assert len(system.calls) == burst
    await time.go(2)
    assert len(system.calls) == burst + 1


async def test_a_path_that_is_broken_holds_up_the_others_for_a_few_pauses_only(system: System, time: Time) -> None:
    """Rows of one kind fail whenever they are asked for; another kind of step works."""
    system.failing = lambda kind: unavailable(500) if kind == "journals" else None
    system.begin(*(f"group {number}" for number in range(50)), kind="journals")
    await time.go(200)
    assert not system.gate.is_open
    working = system.begin("order 1", kind="lookup")
    await time.go(61)
    assert all_done(working)


async def test_who_failed_as_the_one_that_tries_gives_way_to_the_others(system: System, time: Time) -> None:
    """A document that can never be read must not be the one by which an outage is judged."""
    system.failing = lambda kind: refused_connect() if kind == "poison" else None
    system.begin("order 666", kind="poison")
    await time.go(100)
    good = system.begin("order 1", kind="fetch")
    await time.go(61)
    assert all_done(good)


async def test_an_answer_that_comes_late_opens_and_a_failure_that_comes_late_shuts_nothing(
    system: System, time: Time
) -> None:
    system.takes = 30.0
    system.down(unavailable())
    slow = system.begin("slow 1", "slow 2", "slow 3")
    await time.go(10)
    system.takes = 0.0
    system.down(refused_connect())
    waiting = system.begin("order 1")
    await settled()
    assert not system.gate.is_open
    system.down(None)
    await time.go(2)
    assert system.gate.is_open
    assert all_done(waiting)
    await time.go(30)
    assert system.gate.is_open, "what began before the outage says nothing of the time after it"
    assert all_done(slow)


async def test_a_gate_is_not_waited_at_for_longer_than_a_step_can(system: System, time: Time) -> None:
    system.down(refused_connect())
    system.begin("order 1")
    await settled()
    step = asyncio.create_task(system.step("order 2", patience=100.0))
    await time.go(99)
    assert not step.done()
    await time.go(2)
    with pytest.raises(Paused, match="could not be reached"):
        await step


async def test_when_the_one_that_tries_is_stopped_another_takes_its_place(system: System, time: Time) -> None:
    system.down(refused_connect())
    first = system.begin("order 1")
    await settled()
    system.down(None)
    system.takes = 1000.0
    await time.go(1.5)
    system.begin("order 2")
    await time.go(1)
    first[0].cancel()
    system.takes = 0.0
    await time.go(5)
    assert system.gate.is_open


async def test_a_refused_sign_in_is_not_repeated_until_the_secret_is_another(
    system: System, time: Time, board: Board
) -> None:
    system.down(SignInRefused("pod", "The client is unknown.", remedy="Check it."))
    steps = system.begin(*orders(50))
    await time.go(1)
    began = time.now
    await time.go(HOUR)
    assert system.since(began) == 0
    assert board.written[-1] is ConnectionHealth.MISCONFIGURED
    # One look into the store every few seconds, not one a document.
    assert board.looks <= HOUR / 3 + 5
    assert system.gate.sentence == "The client is unknown. Check it. ml-connector secrets set pod client_secret"
    board.secret = "second"
    system.gate.uses("second")
    board.secret = "third"
    system.down(None)
    await time.go(4)
    assert all_done(steps)
    await time.go(1)
    assert board.written[-1] is ConnectionHealth.WORKING


async def test_a_missing_secret_is_waited_for(time: Time, board: Board) -> None:
    gate = Gate("pod", marks=board, clock=time, sleep=time.sleep)
    board.secret = None
    system = System(gate, time)
    system.down(SignInRefused("pod", "There is no secret.", remedy="Run: ml-connector secrets set pod client_secret"))
    steps = system.begin(*orders(10))
    await time.go(60)
    assert len(system.calls) <= 10
    began = time.now
    board.secret = "first"
    system.down(None)
    await time.go(4)
    assert all_done(steps)
    assert system.since(began) == 10


async def test_a_wrong_new_secret_costs_one_sign_in(system: System, time: Time, board: Board) -> None:
    system.down(SignInRefused("pod", "The client is unknown."))
    system.begin(*orders(10))
    await time.go(10)
    began = time.now
    board.secret = "second"
    system.failing = lambda _: (system.gate.uses("second"), SignInRefused("pod", "The client is unknown."))[1]
    await time.go(HOUR)
    assert system.since(began) == 1


async def test_another_process_that_can_sign_in_is_reason_to_try_once(system: System, time: Time, board: Board) -> None:
    system.down(SignInRefused("pod", "The client is unknown."))
    system.begin(*orders(10))
    await time.go(10)
    began = time.now
    board.written.append(ConnectionHealth.WORKING)
    await time.go(HOUR)
    assert system.since(began) == 1
    assert board.written[-1] is ConnectionHealth.MISCONFIGURED


async def test_a_token_that_is_refused_without_a_sign_in_is_tried_again_soon_and_then_seldom(
    system: System, time: Time
) -> None:
    system.down(Unauthorized("pod", "The shop answered HTTP 401.", status=401))
    steps = system.begin(*orders(10))
    await time.go(10)
    assert len(system.calls) <= 11
    began = time.now
    await time.go(HOUR)
    assert HOUR / 310 <= system.since(began) <= HOUR / 300
    system.down(None)
    await time.go(304)
    assert all_done(steps)


async def test_a_missing_role_is_marked_and_stops_no_other_kind_of_step(
    system: System, time: Time, board: Board
) -> None:
    denied = Forbidden("pod", "The pod answered HTTP 403.", status=403)
    system.failing = lambda kind: denied if kind == "journals" else None
    await system.step("group 1", kind="journals")
    system.gate.forbid("journals", denied)
    await system.step("order 1", kind="lookup")
    assert system.gate.is_open
    assert board.written[-1] is ConnectionHealth.MISCONFIGURED
    system.gate.allow("journals")
    await system.gate.publish()
    assert board.written[-1] is ConnectionHealth.WORKING


async def test_a_mark_is_written_on_change_and_renewed_once_a_minute(system: System, time: Time, board: Board) -> None:
    for _ in range(50):
        await system.step("order 1")
    assert (board.written, board.confirmed) == ([ConnectionHealth.WORKING], 0)
    await time.go(61)
    for _ in range(50):
        await system.step("order 1")
    assert (board.written, board.confirmed) == ([ConnectionHealth.WORKING], 1)


async def test_a_store_that_does_not_answer_costs_no_step_and_is_told_later(
    system: System, time: Time, board: Board
) -> None:
    board.down = True
    assert await system.step("order 1") == "order 1"
    board.down = False
    await time.go(6)
    await system.step("order 2")
    assert board.written == [ConnectionHealth.WORKING]


async def test_a_document_that_is_refused_says_nothing_against_its_connection(system: System) -> None:
    system.down(NotFound("pod", "There is no such order.", status=404))
    for order in orders(10):
        await system.step(order)
    assert system.gate.is_open


async def test_a_quota_that_is_used_up_is_no_outage(system: System) -> None:
    system.down(RateLimited("pod", "Too many calls.", status=429, retry_after=30.0))
    for order in orders(10):
        await system.step(order)
    system.down(RateLimited("pod", "Our own ceiling.", retry_after=30.0))
    for order in orders(10):
        await system.step(order)
    assert system.gate.is_open


class Signed:
    """A system that knows who signs in."""

    def __init__(self, time: Time, board: Board) -> None:
        self.account = "A"
        self.asked = 0
        self.board = board
        self.gate = Gate("pod", marks=board, identify=self.identify, clock=time, sleep=time.sleep)
        self.system = System(self.gate, time)

    async def identify(self) -> Account:
        self.asked += 1
        self.gate.uses(self.board.secret)
        await asyncio.sleep(0)
        return Account(identity=self.account, sentence=f"pod {self.account}")


async def test_who_signs_in_is_asked_once_before_anything_is_called(time: Time, board: Board) -> None:
    signed = Signed(time, board)
    steps = signed.system.begin(*orders(20))
    await settled()
    assert all_done(steps)
    assert signed.asked == 1
    assert board.account == "A"


async def test_another_account_than_before_is_called_by_nobody_until_the_secret_is_another(
    time: Time, board: Board
) -> None:
    board.account = "B"
    signed = Signed(time, board)
    steps = signed.system.begin(*orders(20))
    await time.go(60)
    assert signed.system.calls == []
    assert signed.asked == 1
    assert "pod A instead of pod B" in signed.gate.sentence
    board.secret, signed.account = "second", "B"
    await time.go(4)
    assert all_done(steps)
    assert len(signed.system.calls) == 20


async def test_a_changed_secret_is_used_by_nobody_before_its_account_is_proved(time: Time, board: Board) -> None:
    signed = Signed(time, board)
    await signed.system.step("order 1")
    turn = Turn("fetch", "order 2")
    with signed.gate.passing(turn), pytest.raises(Held, match="its account is checked first"):
        signed.gate.uses("second")
    assert signed.gate.wants_proof
    board.secret = "second"
    signed.account = "another"
    step = asyncio.create_task(signed.system.step("order 3"))
    await time.go(1)
    assert len(signed.system.calls) == 1, "nothing was called in another's name"
    step.cancel()
    with pytest.raises(asyncio.CancelledError):
        await step
