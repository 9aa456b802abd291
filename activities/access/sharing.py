"""How the processes that call one account share what the account allows.

Every process that calls systems is present in the store, in the worker groups whose connections it calls. It sees who
else is, and takes its part of every ceiling, in order of arrival. The parts never add up to more than the ceiling:

- A newcomer has no part before everybody else who is present has taken note of it.
- Who has not been able to say for `fence` seconds that it is there makes no calls; the others count it for longer, for
  `dead` seconds, and have its part only then.
- While a process takes note of a change, for milliseconds, it makes no calls.
"""

import asyncio
import contextlib
import datetime as dt
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

import structlog

from activities.access.neighbours import host, is_gone, new_identity
from clients.limiter import Part, Throttled
from store import StoreError
from store.presence import Presence, Present, Roll

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True)
class Rhythm:
    """Seconds."""

    renewal: float = 15.0
    """Between two writes that say that this process is there."""
    look: float = 3.0
    """Between two looks at who is there: how long a newcomer waits, where all others are well."""
    knock: float = 0.5
    """The same, for a newcomer."""
    fence: float = 30.0
    dead: float = 45.0
    idle: float = 60.0
    """Without a call, after which a visitor, who does not serve the group, leaves it."""
    farewell: float = 5.0
    """Longest time that leaving may take."""


RHYTHM: Final = Rhythm()


@dataclass
class _Seat:
    """This process in one group."""

    group: str
    serves: bool
    """Until the end, and not only while it calls."""
    asked_at: float
    announced: bool = False
    awaited: dict[str, dt.datetime] = field(default_factory=dict)
    """Who must take note of us yet, and when they were seen before they could have."""
    joined: float = 0.0
    until: float = 0.0
    """When others may stop counting us unless we renew."""
    frozen: bool = False
    part: Part | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class Sharing:
    """`async with Sharing(presence, group_of) as sharing`: one per process, for its whole life.

    `group_of` gives the worker group of a connection. The process counts from its first call on, or from `join`.
    """

    def __init__(
        self,
        presence: Presence,
        group_of: Callable[[str], str],
        *,
        rhythm: Rhythm | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.id = new_identity()
        self._presence = presence
        self._group_of = group_of
        self.rhythm = rhythm or RHYTHM
        self._dead = dt.timedelta(seconds=self.rhythm.dead)
        self._clock = clock
        self._seats: dict[str, _Seat] = {}
        self._known: frozenset[tuple[str, str]] = frozenset()
        """Those present in our groups, by what we took note of."""
        self._renewed_at = 0.0
        self._woken = asyncio.Event()
        self._heart: asyncio.Task[None] | None = None
        self._troubled = False

    def share(self, connection: str) -> "GroupShare":
        """For the limiter of a connection's client."""
        return GroupShare(self, self._group_of(connection))

    async def join(self, groups: Collection[str]) -> None:
        """Count in these groups until the end. Returns once this process has a part in each, store permitting."""
        for group in groups:
            self.seat(group).serves = True
        for group in groups:
            while self.current(group) is None:
                with contextlib.suppress(TimeoutError):
                    await self.changed(group, self.rhythm.look)

    def current(self, group: str) -> Part | None:
        """This process's part of what the group's accounts allow; None while it has none."""
        seat = self._seats.get(group)
        if seat is None or seat.frozen:
            return None
        now = self._clock()
        seat.asked_at = now
        return seat.part if now < seat.until else None

    def seat(self, group: str) -> _Seat:
        """Ours in the group; asks for one when there is none."""
        if group not in self._seats:
            self._seats[group] = _Seat(group, serves=False, asked_at=self._clock())
        self._wake()
        return self._seats[group]

    async def changed(self, group: str, patience: float) -> None:
        """Waits for the next change of our part. Raises `TimeoutError`."""
        seat = self.seat(group)
        seat.changed.clear()
        async with asyncio.timeout(patience):
            await seat.changed.wait()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._heart is None:
            return
        self._heart.cancel()
        await asyncio.gather(self._heart, return_exceptions=True)
        self._seats.clear()
        with contextlib.suppress(StoreError, TimeoutError):
            async with asyncio.timeout(self.rhythm.farewell):
                await self._presence.leave(self.id)

    def _wake(self) -> None:
        self._woken.set()
        if self._heart is None:
            self._heart = asyncio.create_task(self._live())

    async def _live(self) -> None:
        while True:
            self._woken.clear()
            try:
                await self._attend()
                self._troubled = False
            except StoreError as error:
                if not self._troubled:
                    _log.warning("who else calls the systems cannot be seen", reason=str(error))
                self._troubled = True
            except Exception:
                _log.exception("taking note of other workers failed; it is tried again")
            if any(seat.part is None or seat.frozen for seat in self._seats.values()):
                await asyncio.sleep(self.rhythm.knock)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.rhythm.look if self._seats else None):
                    await self._woken.wait()

    async def _attend(self) -> None:
        """One turn: leave where we are not needed, announce ourselves, see who is there and say that we are."""
        await self._leave_idle()
        if new := [seat for seat in self._seats.values() if not seat.announced]:
            await self._announce(new)
        announced = self._announced()
        groups = [seat.group for seat in announced]
        if not announced:
            return
        roll = await self._without_the_gone(await self._presence.roll())
        members, now = self._members(roll), self._clock()
        if members == self._known and not any(seat.frozen or now >= seat.until for seat in announced):
            if now < self._renewed_at + self.rhythm.renewal:
                self._settle(roll)
                return
            roll = await self._presence.renew(self.id, groups, within=self._dead, known=members)
            if self._members(roll) == members:
                self._renewed(roll, now)
                return
        for seat in announced:
            seat.frozen = True
        now = self._clock()
        self._renewed(await self._presence.renew(self.id, groups, within=self._dead), now)

    async def _leave_idle(self) -> None:
        longest = self._clock() - self.rhythm.idle
        idle = [one for one in self._announced() if not one.serves and one.asked_at < longest]
        for seat in idle:
            del self._seats[seat.group]
        if idle:
            self._known = frozenset(one for one in self._known if one[1] in self._seats)
            await self._presence.leave(self.id, [seat.group for seat in idle])

    async def _announce(self, seats: Collection[_Seat]) -> None:
        began = self._clock()
        roll = await self._presence.announce(self.id, host(), [seat.group for seat in seats])
        for seat in seats:
            seat.announced = True
            seat.joined = self._clock()
            seat.until = began + self.rhythm.fence
            seat.awaited = {row.id: row.seen_at for row in self._live_rows(roll, seat.group) if row.id != self.id}
        if len(seats) == len(self._seats):
            self._renewed_at = began
        self._known |= {one for one in self._members(roll) if one[1] in {seat.group for seat in seats}}

    async def _without_the_gone(self, roll: Roll) -> Roll:
        """Removes who ended on this machine without leaving, so that nobody waits for it."""
        gone = {row.id for row in roll.rows if row.id != self.id and is_gone(row.id, row.host)}
        for one in gone:
            await self._presence.leave(one)
        return Roll(at=roll.at, rows=tuple(row for row in roll.rows if row.id not in gone))

    def _renewed(self, roll: Roll, began: float) -> None:
        """After the store has our renewal: from now on, we act by this roll."""
        self._renewed_at = began
        self._known = self._members(roll)
        for seat in self._announced():
            seat.frozen = False
            if (self.id, seat.group) in self._known:
                seat.until = began + self.rhythm.fence
            else:
                # Others may have stopped counting us: we begin anew.
                seat.announced, seat.part = False, None
        self._settle(roll)

    def _settle(self, roll: Roll) -> None:
        """Takes our parts, where everybody has taken note of us."""
        for seat in self._announced():
            rows = self._live_rows(roll, seat.group)
            seen = {row.id: row.seen_at for row in rows}
            seat.awaited = {one: before for one, before in seat.awaited.items() if seen.get(one) == before}
            if not seat.awaited:
                self._take(seat, [row.id for row in rows])

    def _take(self, seat: _Seat, present: list[str]) -> None:
        rank, count = present.index(self.id), len(present)
        part = seat.part
        if part is None or (part.rank, part.of, part.joined) != (rank, count, seat.joined):
            seat.part = Part(rank=rank, of=count, joined=seat.joined, since=self._clock())
            if count > 1 or part is not None:
                _log.info("sharing what accounts allow", group=seat.group, processes=count)
        seat.changed.set()

    def _announced(self) -> list[_Seat]:
        return [seat for seat in self._seats.values() if seat.announced]

    def _live_rows(self, roll: Roll, group: str) -> list[Present]:
        return [row for row in roll.live(self._dead) if row.scope == group]

    def _members(self, roll: Roll) -> frozenset[tuple[str, str]]:
        groups = {seat.group for seat in self._announced()}
        return frozenset((row.id, row.scope) for row in roll.live(self._dead) if row.scope in groups)


class GroupShare:
    """A `clients.limiter.Share` of accounts of one group."""

    def __init__(self, sharing: Sharing, group: str) -> None:
        self._sharing = sharing
        self._group = group

    def current(self) -> Part | None:
        return self._sharing.current(self._group)

    async def settled(self, patience: float) -> None:
        gives_up = asyncio.get_running_loop().time() + patience
        while self.current() is None:
            try:
                await self._sharing.changed(self._group, gives_up - asyncio.get_running_loop().time())
            except TimeoutError:
                raise Throttled(self._sharing.rhythm.look) from None
