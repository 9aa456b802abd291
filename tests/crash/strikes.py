"""What is done to the processes of a row, and where. A strike has no state: it may be carried out any number of times.

Its part in a row: `staff`, `prepare` before the documents are arranged, the wait that `prepare` gives after that, and
`finish` once everything has settled.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal

from crash.boundaries import Fate
from crash.lane import SETTLED
from crash.resets import ended, newest_run, reset, runs_of, tasks
from crash.scene import Scene, within

from contracts import names
from contracts.flow import State
from sandbox.kit import Exchange
from sandbox.kit.hooks import Point

PAUSED: Final[dict[Fate, str]] = {"SIGKILL": "", "SIGSTOP": ", paused", "NOTE": ""}
IMPORT: Final = {"method": "POST", "path": "/erpintegrations$", "body": "importBulkData"}
"""The request that sends a group."""

Struck = Callable[[], Awaitable[None]]
"""Waits until it has happened."""


async def nothing() -> None:
    """Nothing is waited for."""


class Strike:
    """One way to strike. By itself it does nothing, under no name."""

    gentle = False
    """Nothing else may happen to the documents, whatever the seed."""
    alone = False
    """No other process is killed besides."""
    afterwards = False
    """It waits until the whole morning is arranged; others strike while documents are placed."""

    @property
    def name(self) -> str:
        """As the table and its report call it."""
        return ""

    async def staff(self, scene: Scene, workers: int) -> None:
        """Who is there when it begins."""
        await scene.lane.staff(workers=workers)

    def prepare(self, scene: Scene) -> Struck:
        return nothing

    async def finish(self, scene: Scene) -> None:
        """After everything has settled, before the books are counted."""


@dataclass(frozen=True)
class Undisturbed(Strike):
    """Nothing is done, and the documents' way is watched. Caches are cold, so that the whole of it is passed."""

    alone = True

    @property
    def name(self) -> str:
        return "undisturbed"

    async def staff(self, scene: Scene, workers: int) -> None:
        await scene.lane.staff(workers=workers, fresh=True)


@dataclass(frozen=True)
class Call:
    """A request to a twin on the way of a document, by regular expressions as hooks take them."""

    name: str
    twin: Literal["fusion", "shops"]
    method: str
    path: str
    query: str = ""
    body: str = ""
    paused_at: tuple[Point, ...] = ()
    """Points at which a worker that stands still is tried in every session; at the others by chance."""

    def covers(self, exchange: Exchange) -> bool:
        """What hooks do not look at."""
        return self.query in exchange.query


@dataclass(frozen=True)
class AtTwin(Strike):
    """The worker dies, or stands still, while a twin is at `point` with a request of it."""

    call: Call
    point: Point
    fate: Fate = "SIGKILL"

    @property
    def name(self) -> str:
        return f"{self.call.name}, {self.point}{PAUSED[self.fate]}"

    def prepare(self, scene: Scene) -> Struck:
        done = scene.lane.at(
            getattr(scene.lane.stack, self.call.twin),
            self.point,
            lambda: scene.lane.strike_worker(self.fate),
            method=self.call.method,
            path=self.call.path,
            body=self.call.body,
            match=self.call.covers,
        )
        return lambda: within(done.wait(), f"{self.name} is reached")


@dataclass(frozen=True)
class AtBoundary(Strike):
    """A process dies, or stands still, at a boundary of an activity, of a step of the store inside one, or of a step
    of the gateway."""

    boundary: str
    """`activity/NAME/before|after`, `store/STEP/before|after`, `gateway/STEP/before|after`."""
    fate: Fate = "SIGKILL"
    fresh: bool = False
    """The step only runs in a worker whose caches are cold."""

    @property
    def name(self) -> str:
        kind, step, side = self.boundary.split("/")
        return f"{side} {step if kind == 'activity' else f'{step} in the {kind}'}{PAUSED[self.fate]}"

    async def staff(self, scene: Scene, workers: int) -> None:
        await scene.lane.staff(workers=workers, fresh=self.fresh)

    def prepare(self, scene: Scene) -> Struck:
        scene.lane.points.arm(self.boundary, self.fate)

        async def struck() -> None:
            await scene.lane.succeed(await scene.lane.reached(self.boundary), self.fate)

        return struck


@dataclass(frozen=True)
class AtRandom(Strike):
    """One process after another dies and is replaced, until all documents have ended or for a while after the last of
    them was placed."""

    lives: tuple[float, float]
    """Seconds between two kills: from, to."""
    lasts: float
    """Seconds at most after everything was placed, edited and announced."""
    gateways: float = 0.0
    """The share of gateways among those killed."""
    name: str = "at random"
    alone = True

    def prepare(self, scene: Scene) -> Struck:
        scene.harass(self._harass(scene), lasts=self.lasts)
        return nothing

    async def _harass(self, scene: Scene) -> None:
        chance = scene.chance_of("kills")
        while True:
            await asyncio.sleep(chance.uniform(*self.lives))
            await scene.lane.kill_any(chance, gateway=chance.random() < self.gateways)

    async def finish(self, scene: Scene) -> None:
        if not scene.run.kills:
            raise AssertionError("everything had ended before anything was killed")


@dataclass(frozen=True)
class ServerKilledTwice(Strike):
    """With documents on their way, and again while their group is being sent. What the shop announces meanwhile goes to
    the inbox of the gateway."""

    afterwards = True

    @property
    def name(self) -> str:
        return "Temporal server killed twice"

    def prepare(self, scene: Scene) -> Struck:
        async def struck() -> None:
            lane = scene.lane
            await scene.is_in(State.WAITING_IMPORT, scene.documents[0])
            await lane.server.kill()
            lane.hit("server")
            await scene.go_on()
            await scene.acknowledged(scene.documents)
            # Workers come back before the server's start is known here: what they send must not slip past.
            held = lane.stack.fusion.hooks.hold("committed", **IMPORT)
            await lane.server.start()
            await held.reached(SETTLED)
            await lane.server.kill()
            lane.hit("server")
            held.release()
            await lane.server.start()

        return struck


@dataclass(frozen=True)
class GatewayWithInboxKilled(Strike):
    """Temporal hangs, deliveries are acknowledged from the inbox, and then the gateway dies."""

    gentle = True
    alone = True
    afterwards = True

    @property
    def name(self) -> str:
        return "gateway with an inbox, server paused"

    def prepare(self, scene: Scene) -> Struck:
        server = scene.lane.pause_server()
        scene.at_close(server.resume)

        async def struck() -> None:
            await scene.acknowledged(scene.documents)
            await scene.lane.kill_any(scene.chance, gateway=True)
            server.resume()

        return struck


@dataclass(frozen=True)
class CommandsKilled(Strike):
    """`ml-connector worker` and `ml-connector gateway` as an operator starts them, with an order on its way."""

    gentle = True
    alone = True
    afterwards = True

    @property
    def name(self) -> str:
        return "ml-connector worker and gateway"

    async def staff(self, scene: Scene, workers: int) -> None:
        lane = scene.lane
        await lane.staff(workers=0)  # the shops know the gateway's address
        await lane.nobody()
        await lane.start_commands()

    def prepare(self, scene: Scene) -> Struck:
        async def struck() -> None:
            await scene.is_in(State.WAITING_IMPORT, scene.documents[0])
            await scene.lane.kill_commands()
            for document in scene.documents:
                scene.lane.stack.shop(document.connection).touch(document.number)
            await scene.lane.start_commands()

        return struck

    async def finish(self, scene: Scene) -> None:
        await scene.lane.end_commands()


@dataclass(frozen=True)
class ResetWhenFinished(Strike):
    """A person resets every run of a type to every of its tasks: no second posting, no endless wait."""

    workflow_type: str
    gentle = True
    alone = True

    @property
    def name(self) -> str:
        return f"finished {self.workflow_type} reset to every task"

    async def finish(self, scene: Scene) -> None:
        runs = await runs_of(scene, self.workflow_type)
        if not runs:
            raise AssertionError(f"no {self.workflow_type} ran")
        # Only a document gets signals that matter to what it posts.
        signals = (True, False) if self.workflow_type == names.ORDER_TO_JOURNAL else (True,)
        for run in runs:
            for task in await tasks(run):
                for keep in signals:
                    await reset(scene, run, task, signals=keep)
                    await ended(scene, run.id)


@dataclass(frozen=True)
class ResetUnderWay(Strike):
    """A person resets a document to its first task while its import is being sent."""

    signals: bool
    gentle = True
    afterwards = True

    @property
    def name(self) -> str:
        return f"waiting order reset, signals {'kept' if self.signals else 'dropped'}"

    def prepare(self, scene: Scene) -> Struck:
        held = scene.lane.stack.fusion.hooks.hold("received", **IMPORT)

        async def struck() -> None:
            await held.reached(SETTLED)
            run = await newest_run(scene, scene.documents[0].workflow_id)
            await reset(scene, run, (await tasks(run))[0], signals=self.signals)
            held.release()

        return struck
