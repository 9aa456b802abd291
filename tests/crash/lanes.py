"""Rows are carried out side by side: they wait far longer than they compute. Each has a verdict of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Final

from crash.lane import Lane
from crash.mornings import kill_besides
from crash.posting import Row
from crash.report import Report, Run, Verdict
from crash.scene import Scene, together
from crash.settings import Setting
from crash.settling import operated, rows_say_so
from crash.strikes import Undisturbed

PATIENCE: Final = 1800.0
"""Seconds one row may take, whatever it does."""
OPENING: Final = 240.0
"""Seconds until a lane is there, on a machine that does much else."""
LONG_ONES: Final = 2
"""Long rows side by side: they keep the machine busy, and whatever is left when the others are done takes longer."""
TIMED: Final = frozenset({"read_fate", "keeps_its_slot", "seal_audit", "ensure_hooks"})
"""Activities that come when something else takes long, or at their own time."""

Opener = Callable[[Setting], AbstractAsyncContextManager[Lane]]


class Lanes:
    """Carries out rows on several lanes; `run` waits for one of them, `late` for all."""

    def __init__(self, wanted: Iterable[Row], open_lane: Opener, report: Report) -> None:
        self._left = sorted(wanted, key=lambda row: not row.posting.long)
        loop = asyncio.get_running_loop()
        self._runs: dict[str, asyncio.Future[Run]] = {row.id: loop.create_future() for row in self._left}
        self._open_lane = open_lane
        self._report = report
        self._late: list[Run] = []
        self._errors: list[Exception] = []
        self._long = 0
        """How many of the long rows are under way."""
        self._working: list[asyncio.Task[None]] = []
        self._one_at_a_time = asyncio.Lock()

    @asynccontextmanager
    async def working(self, number: int) -> AsyncIterator[None]:
        """At most so many lanes work while the context lasts."""
        self._working = [asyncio.create_task(self._work()) for _ in range(min(number, len(self._left)))]
        for task in self._working:
            task.add_done_callback(self._forsake)
        try:
            yield
        finally:
            for task in self._working:
                task.cancel()
            await asyncio.gather(*self._working, return_exceptions=True)

    async def run(self, row: Row) -> Run:
        """What became of it. Raises what broke it off."""
        return await self._runs[row.id]

    async def late(self) -> list[Run]:
        """When all rows are done: those of which the books said something else after the last row of their lane.

        Raises what went wrong when a lane was closed.
        """
        await asyncio.gather(*self._working, return_exceptions=True)
        for error in self._errors:
            raise error
        return self._late

    def _next(self, setting: Setting | None) -> Row | None:
        """The next row, of the same setting where there is one."""
        found = [row for row in self._left if not (row.posting.long and self._long == LONG_ONES)]
        row = next((row for row in found if row.posting.setting == setting), next(iter(found), None))
        if row is not None:
            self._left.remove(row)
            self._long += row.posting.long
        return row

    async def _work(self) -> None:
        """Lanes, one after the other: one is left when its rows are done or one of them failed."""
        following = self._next(None)
        while following is not None:
            row, following = following, None
            async with AsyncExitStack() as stack:
                # What closes a lane badly is nobody's row.
                stack.push(self._note)
                try:
                    # Alembic keeps the migration under way in a global: two databases of one process would mix.
                    async with self._one_at_a_time, asyncio.timeout(OPENING):
                        lane = await stack.enter_async_context(self._open_lane(row.posting.setting))
                except Exception as error:
                    self._fail(row, error)
                    following = self._next(None)
                    continue
                following = await self._use(lane, row)

    async def _use(self, lane: Lane, row: Row) -> Row | None:
        """Carries out this row and further ones of its setting. Gives the next, which needs another lane."""
        scenes: list[Scene] = []
        following: Row | None = row
        while following is not None and following.posting.setting == lane.setting:
            try:
                async with asyncio.timeout(PATIENCE):
                    scenes.append(await carry_out(following, lane, self._report))
            except Exception as error:
                self._fail(following, error)
                return self._next(None)
            self._long -= following.posting.long
            self._runs[following.id].set_result(lane.run)
            self._report.keep()
            following = self._next(lane.setting)
        self._recount(scenes)
        return following

    def _forsake(self, lane: asyncio.Task[None]) -> None:
        """With the last lane: a row that nobody carries out any more is not waited for."""
        if all(task.done() for task in self._working):
            errors = [task.exception() for task in self._working if not task.cancelled()]
            reason = next((repr(error) for error in errors if error is not None), "all of them had ended")
            for future in self._runs.values():
                if not future.done():
                    future.set_exception(AssertionError(f"no lane was left that could carry it out: {reason}"))
                    future.exception()

    def _note(self, kind: object, error: BaseException | None, trace: object) -> bool:
        """Keeps an error for the end of all lanes."""
        if isinstance(error, Exception):
            self._errors.append(error)
            return True
        return False

    def _recount(self, scenes: Iterable[Scene]) -> None:
        """What came later than its own count shows here."""
        for scene in scenes:
            verdict = scene.count()
            if verdict != scene.run.verdict:
                scene.run.fail(AssertionError("the books said something else afterwards"), verdict)
                self._late.append(scene.run)

    def _fail(self, row: Row, error: BaseException) -> None:
        self._long -= row.posting.long
        future = self._runs[row.id]
        if not future.done():
            future.set_exception(error)
            future.exception()  # a row that nobody asks for is no warning


async def carry_out(row: Row, lane: Lane, report: Report) -> Scene:
    """Staff, arrange and strike, settle, count."""
    lane.run = run = report.begin(row.posting.name, row.strike.name, row.seed)
    scene = Scene(lane, run, row.posting.books, row.seed, gentle=row.strike.gentle)
    scene.go_on = lambda: row.posting.arrange(scene)
    try:
        await row.strike.staff(scene, row.posting.workers)
        await operated(scene, _play(row, scene))
        _check(row, scene)
    except asyncio.CancelledError:
        run.fail(AssertionError("the session ended before it did"), None)
        raise
    except Exception as error:
        run.fail(error, _count_what_is_there(scene))
        raise
    finally:
        await scene.close()
        await lane.clean_up()
    run.end(scene.count())
    return scene


async def _play(row: Row, scene: Scene) -> None:
    posting, strike = row.posting, row.strike
    await row.posting.earlier(scene)
    struck = strike.prepare(scene)
    if scene.eventful and not strike.alone:
        scene.beside(kill_besides(scene))
    if strike.afterwards:
        await posting.arrange(scene)
        await struck()
    else:
        await together(posting.arrange(scene), struck())
    await posting.meanwhile(scene)
    await posting.settle(scene)
    await strike.finish(scene)
    await scene.lane.resume_paused()
    await scene.at_rest()
    await rows_say_so(scene)


def _check(row: Row, scene: Scene) -> None:
    """What must hold of the plain morning besides the books."""
    posting, decided = row.posting, scene.run.decisions
    if not scene.plain:
        return
    if posting.decisions not in (None, decided.total()):
        raise AssertionError(f"a person had to decide {dict(decided)}, expected were {posting.decisions} decisions")
    if isinstance(row.strike, Undisturbed):
        passed, way = scene.lane.points.passed(), frozenset(posting.way)
        if passed - TIMED != way - TIMED:
            raise AssertionError(
                f"its way is said to be {', '.join(sorted(way - TIMED))}; "
                f"it passed besides: {', '.join(sorted(passed - way - TIMED)) or 'nothing'}; "
                f"it did not pass: {', '.join(sorted(way - passed - TIMED)) or 'nothing'}"
            )


def _count_what_is_there(scene: Scene) -> Verdict | None:
    try:
        return scene.count()
    except Exception:
        return None
