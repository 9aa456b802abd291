"""One gate per connection and process: while a system is down or refuses us, one step tries and the others wait.

    open     calls go on; one refused connect, or two failures in a row of different steps, shut it
    outage   one step tries, after a pause that doubles with every failure (1 s to 60 s); an answer opens for all
    refused  nobody signs in again before the secret changed in the store, or another process could sign in

A gate decides by the calls of its own process alone; what it finds is marked in the store for people.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

import structlog

from activities.access.evidence import Evidence, evidence_of
from activities.access.marks import Health, Marks, Notice
from activities.access.proofs import Identify, Proof
from clients.errors import Forbidden, Held, SignInRefused, VendorError
from store import StoreUnavailable
from store.rows import ConnectionHealth

STUBBORN: Final = 3
"""Failures in a row of one and the same step that count as an outage: nobody else is there to confirm it."""
SHORTEST_WAIT: Final = 0.001
"""Seconds; two clocks that differ in the last digit do not make a busy loop."""

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True)
class Pace:
    """Seconds."""

    first: float = 1.0
    """Pause before the first try during an outage; it doubles with every failure."""
    longest: float = 60.0
    look: float = 3.0
    """Between two looks into the store for a changed secret, while somebody waits."""
    retry_refused: float = 300.0
    """Between two tries with a token that the vendor refuses. A refused sign-in is never tried again by itself."""


@dataclass(eq=False)
class Turn:
    """One step on its way to a vendor. `kind` is its activity, `document` what it works on."""

    kind: str
    document: str
    tries: int = 0
    """How often it tried for all the others."""
    proving: bool = False
    aside: bool = False
    """Its failures say nothing of the connection: nothing that is posted depends on it."""


class Paused(Exception):  # noqa: N818 -- a state, not a mistake
    """The gate stayed shut for longer than a step can wait."""


class _Shut(Enum):
    OUTAGE = auto()
    REFUSED = auto()


@dataclass
class _Streak:
    """Failures since the last answer."""

    steps: list[str] = field(default_factory=list)

    def add(self, document: str) -> bool:
        """Whether they are an outage by now."""
        self.steps.append(document)
        return len(set(self.steps)) > 1 or len(self.steps) >= STUBBORN


_passing: ContextVar[tuple[tuple["Gate", Turn], ...]] = ContextVar("passing", default=())


class Gate:
    """As a `clients.http.Watch` it sees every call; a step calls between `enter` and the end of `passing`.

    `identify` says who signs in, before anything else is called. `remedy` is what a person does about a refused
    sign-in. `marks` is where other processes and people read how the connection is.
    """

    def __init__(
        self,
        connection: str,
        *,
        remedy: str = "",
        marks: Marks | None = None,
        identify: Identify | None = None,
        pace: Pace | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.connection = connection
        self._remedy = remedy
        self._marks = marks
        self.pace = pace or Pace()
        self._clock = clock
        self._sleep = sleep
        self._proof = Proof(connection, identify, marks, remedy)
        self._notice = Notice(marks, self.health, clock)
        self._shut: _Shut | None = None
        self._sentence = ""
        self._number = 0
        """Rises whenever the gate opens or shuts: failures of calls from before prove nothing any more."""
        self._streak = _Streak()
        self._waiting: list[Turn] = []
        self._trying: Turn | None = None
        self._try_at = 0.0
        self._pause = self.pace.first
        self._retry_at: float | None = None
        """When a refused token is tried again; None: never by itself."""
        self._tried_at: dict[str, float] = {}
        """By kind of step: one path may work while another one does not."""
        self._changed = asyncio.Event()
        self._forbidden: dict[str, str] = {}
        """By kind of step: what the account may not do."""

    @property
    def is_open(self) -> bool:
        return self._shut is None

    @property
    def waiting(self) -> int:
        """Steps that wait in this process."""
        return len(self._waiting)

    @property
    def sentence(self) -> str:
        """Why it is shut; empty while it is open."""
        return self._sentence

    @property
    def wants_proof(self) -> bool:
        """Who signs in is not known, or may have changed."""
        return self._proof.wanted

    def health(self) -> Health:
        """How the connection looks from here."""
        if self._shut is _Shut.OUTAGE:
            return ConnectionHealth.UNAVAILABLE, self._sentence
        if self._shut is _Shut.REFUSED:
            return ConnectionHealth.MISCONFIGURED, self._sentence
        if self._forbidden:
            return ConnectionHealth.MISCONFIGURED, next(iter(self._forbidden.values()))
        return ConnectionHealth.WORKING, ""

    # What clients tell

    def begin(self) -> int:
        """A call of the step at hand. Raises `Held`; a caller that is no step is never held."""
        turn = self._turn()
        if turn is not None:
            self._admit(turn)
            if self._proof.wanted and not turn.proving:
                raise Held(self.connection, f"The account of {self.connection} is checked first.")
        return self._number

    def ended(self, began: int, error: VendorError | None) -> None:
        turn = self._turn()
        tries = turn is not None and turn is self._trying
        evidence = evidence_of(error)
        if error is None or evidence is Evidence.ANSWERS:
            self._streak = _Streak()
            if self._shut is _Shut.OUTAGE or tries:
                self._open()
        elif evidence is Evidence.NOTHING or (turn is not None and turn.aside):
            return
        elif tries:
            self._try_failed(error, evidence)
        elif self._shut is None and began == self._number:
            if evidence in (Evidence.REFUSES, Evidence.DENIES):
                self._refuse(error, evidence)
            elif evidence is Evidence.SILENT or self._streak.add(turn.document if turn else ""):
                self._close(error)

    def uses(self, secret: str | None) -> None:
        """A sign-in is about to use this value of the secret, by its id; None: there is none. Raises `Held`."""
        turn = self._turn()
        self._proof.uses(secret, proving=turn is None or turn.proving)

    # What steps do

    async def enter(self, turn: Turn, patience: float) -> None:
        """Returns when the step may call: the gate is open, or this is the one that tries. Raises `Paused`.

        `patience` in seconds.
        """
        ends = self._clock() + patience
        self._waiting.append(turn)
        try:
            while self._shut is not None:
                now = self._clock()
                if now >= ends:
                    raise Paused(self._sentence)
                wakes = ends
                if self._trying is None and self._next() is turn:
                    if now >= self._try_at:
                        if await self._may_try():
                            self._trying = turn
                            turn.tries += 1
                            self._tried_at[turn.kind] = self._clock()
                            return
                        continue
                    wakes = min(ends, self._try_at)
                await self._wait(max(wakes - now, SHORTEST_WAIT))
        finally:
            self._waiting.remove(turn)
            if self._shut is not None:
                self._tell()

    @contextmanager
    def passing(self, turn: Turn) -> Iterator[None]:
        """Calls of the body are those of this step."""
        token = _passing.set((*_passing.get(), (self, turn)))
        try:
            yield
        finally:
            _passing.reset(token)
            self.leave(turn)

    def leave(self, turn: Turn) -> None:
        """A step that was let in to try does not try any more: it needed no call, or it was stopped."""
        if self._trying is turn:
            self._trying = None
            self._rest()
            self._tell()

    async def prove(self, turn: Turn) -> None:
        """Find out who signs in, where that is not known. Raises a `VendorError`."""
        if not self._proof.wanted:
            return
        turn.proving = True
        try:
            await self._proof.find_out(lambda: self._admit(turn))
        except SignInRefused as error:
            if self._shut is None or turn is self._trying:
                self._refuse(error, Evidence.DENIES)
            raise
        finally:
            turn.proving = False

    def forbid(self, kind: str, error: Forbidden) -> None:
        """The account lacks a role for this kind of step; the others go on."""
        self._forbidden[kind] = f"{error.sentence} {error.remedy}"

    def allow(self, kind: str) -> None:
        """This kind of step has succeeded."""
        self._forbidden.pop(kind, None)

    async def publish(self) -> None:
        """Let the store know when something changed."""
        await self._notice.publish()

    # Within

    def _turn(self) -> Turn | None:
        return next((turn for gate, turn in reversed(_passing.get()) if gate is self), None)

    def _admit(self, turn: Turn) -> None:
        if self._shut is not None and turn is not self._trying:
            raise Held(self.connection, f"{self.connection} is paused: {self._sentence}")

    def _next(self) -> Turn:
        """Who tries next: who has not tried yet, of the kind of step that tried least lately, first come first."""
        return min(self._waiting, key=lambda turn: (turn.tries, self._tried_at.get(turn.kind, 0.0)))

    async def _may_try(self) -> bool:
        """An outage is over when somebody tries; a refused sign-in only when somebody did something."""
        if self._shut is not _Shut.REFUSED:
            return True
        self._try_at = self._clock() + self.pace.look
        due = self._retry_at is not None and self._clock() >= self._retry_at
        if self._marks is None:
            return due
        await self.publish()
        try:
            signs = await self._marks.signs()
        except StoreUnavailable:
            return False
        if self._trying is not None or self._shut is not _Shut.REFUSED:
            return False
        changed = signs.secret is not None and signs.secret != self._proof.secret
        others_can = self._notice.said is ConnectionHealth.MISCONFIGURED and signs.state is ConnectionHealth.WORKING
        return changed or others_can or due

    def _close(self, error: VendorError) -> None:
        self._shut, self._sentence = _Shut.OUTAGE, error.sentence
        self._pause = self.pace.first
        self._rest(error)
        self._shift()
        _log.warning("connection is paused", connection=self.connection, why=error.sentence)

    def _refuse(self, error: VendorError, evidence: Evidence) -> None:
        again = self._shut is _Shut.REFUSED
        remedy = error.remedy if "ml-connector" in error.remedy else f"{error.remedy} {self._remedy}".strip()
        self._shut, self._sentence = _Shut.REFUSED, f"{error.sentence} {remedy}"
        self._proof.want()
        now = self._clock()
        self._try_at = now + self.pace.look
        # A good token may be refused by mistake, once: it is tried again soon, and then seldom.
        pause = self.pace.retry_refused if again else self.pace.look
        self._retry_at = now + pause if evidence is Evidence.REFUSES else None
        self._notice.doubt()
        self._shift()
        _log.warning("connection is refused", connection=self.connection, why=error.sentence)

    def _try_failed(self, error: VendorError, evidence: Evidence) -> None:
        if evidence in (Evidence.REFUSES, Evidence.DENIES):
            self._refuse(error, evidence)
        elif self._shut is _Shut.REFUSED:
            # It is down now: whether the new secret is right is still to be found out.
            self._close(error)
        else:
            self._sentence = error.sentence
            self._pause = min(self._pause * 2, self.pace.longest)
            self._rest(error)
            self._trying = None
            self._tell()

    def _rest(self, error: VendorError | None = None) -> None:
        pause = random.uniform(0.5, 1.0) * self._pause  # noqa: S311 -- jitter
        self._try_at = self._clock() + max(pause, (error.retry_after or 0.0) if error else 0.0)

    def _open(self) -> None:
        self._shut, self._sentence = None, ""
        self._shift()
        _log.info("connection is released", connection=self.connection, waiting=len(self._waiting))

    def _shift(self) -> None:
        self._number += 1
        self._streak = _Streak()
        self._trying = None
        self._tell()

    async def _wait(self, seconds: float) -> None:
        changed = asyncio.ensure_future(self._changed.wait())
        over = asyncio.ensure_future(self._sleep(seconds))
        try:
            await asyncio.wait({changed, over}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()
            over.cancel()

    def _tell(self) -> None:
        """All that wait look again."""
        told, self._changed = self._changed, asyncio.Event()
        told.set()


class Gates:
    """The gates of one process, by connection id."""

    def __init__(self) -> None:
        self._gates: dict[str, Gate] = {}

    def add(self, gate: Gate) -> Gate:
        self._gates[gate.connection] = gate
        return gate

    def of(self, connection: str) -> Gate:
        """That of the connection; one that marks nothing where none was added."""
        found = self._gates.get(connection)
        return found if found is not None else self.add(Gate(connection))
