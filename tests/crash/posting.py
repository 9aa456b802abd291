"""What a row of the table is made of: a posting, and the strikes that follow from its way."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, get_args

from crash.books import JOURNALS, Books
from crash.boundaries import Fate
from crash.report import row_id
from crash.scene import Scene
from crash.settings import Setting
from crash.settling import settle
from crash.strikes import AtBoundary, AtTwin, Call, Strike, Undisturbed

from sandbox.kit.hooks import Point

READING: Final = frozenset(
    {
        "lookup_cached",
        "lookup",
        "map_order",
        "map_refund",
        "map_application",
        "read_record",
        "compare_record",
        "read_fate",
        "follow_job",
        "keeps_its_slot",
    }
)
"""Activities that write nothing: one that stands still there has nothing to write late."""
COLD: Final = frozenset({"lookup"})
"""Activities that run where nothing is cached only."""
SIDES: Final[tuple[Literal["before", "after"], ...]] = ("before", "after")

ORDINARY: Final = Setting("ordinary")


async def nothing_more(scene: Scene) -> None:
    """Whatever happens was arranged."""


@dataclass(frozen=True)
class Posting:
    """One kind of document on its way into the books.

    A later kind adds one of these to `crash.table.POSTINGS`: its way, its write, how a morning of it is arranged and
    where its truth is counted. The kill points follow from the way.
    """

    name: str
    arrange: Callable[[Scene], Awaitable[None]]
    """A morning from the scene's chance: places its documents, announces them, and says what happens beside it."""
    earlier: Callable[[Scene], Awaitable[None]] = nothing_more
    """What has happened, undisturbed, before anything is struck."""
    way: tuple[str, ...] = ()
    """Every activity that its documents pass. A run that nobody strikes proves it."""
    calls: tuple[Call, ...] = ()
    """The requests at whose three points the worker is struck: the writes, and the looks that decide about them."""
    steps: tuple[str, ...] = ()
    """Boundaries inside an activity: `store/STEP/before|after`."""
    special: frozenset[str] = frozenset()
    """Activities that do something here that they did not do for an earlier posting of the table."""
    strikes: tuple[Strike, ...] = ()
    """What else is done to it."""
    meanwhile: Callable[[Scene], Awaitable[None]] = nothing_more
    """What happens right after the strike."""
    settle: Callable[[Scene], Awaitable[None]] = settle
    """Waits until all documents have ended as they should, and decides as an operator would."""
    books: Books = JOURNALS
    """Where its truth is counted."""
    setting: Setting = ORDINARY
    workers: int = 1
    decisions: int | None = None
    """How many a person has to take in the plain morning; None: that depends on the strike."""
    usual_seeds: int = 1
    """With how many seeds it runs when nobody asks for more."""
    long: bool = False
    """Begins before the others, so that nothing waits for it in the end."""

    def all_strikes(self) -> Iterator[Strike]:
        """Everything that is ever done to it: every activity x before and after, every call x its three points, each
        killed and standing still; and what is its own."""
        if self.way:
            yield Undisturbed()
        for fate in get_args(Fate)[:2]:
            for call in self.calls:
                yield from (AtTwin(call, point, fate) for point in get_args(Point))
            for name in self.way:
                yield from (AtBoundary(f"activity/{name}/{side}", fate, name in COLD) for side in SIDES)
            yield from (AtBoundary(step, fate) for step in self.steps)
        yield from self.strikes

    def in_every_session(self, strike: Strike, passed_before: frozenset[str]) -> bool:
        """Whether a strike belongs to every session; the others are tried by chance when more seeds are asked for.

        An activity is struck on the first posting of the table that passes it, and where it does something special. A
        worker stands still where something could be written late.
        """
        match strike:
            case AtTwin(call, point, "SIGSTOP"):
                return point in call.paused_at
            case AtBoundary(boundary, fate) if boundary.startswith("activity/") and strike not in self.strikes:
                name = boundary.split("/")[1]
                new = name in self.special or name not in passed_before
                return new and (fate == "SIGKILL" or name not in READING)
            case _:
                return True

    def also_on_production(self, strike: Strike) -> bool:
        """Whether a strike of every session belongs to a session on the production server and PostgreSQL, too.

        What differs there is who remembers, and not the code between two boundaries. So what has happened there and
        was not told to anybody is proved again: each request at the moment when it took effect, each activity and each
        step of the store when its work is done. Plain mornings and what is a posting's own are all repeated.
        """
        match strike:
            case AtTwin(point=point):
                return point == "committed"
            case AtBoundary(boundary, fate) if strike not in self.strikes:
                return fate == "SIGKILL" and (boundary.endswith("/after") or boundary in self.steps)
            case _:
                return True


@dataclass(frozen=True)
class Row:
    """A posting, struck in one way, on one morning."""

    posting: Posting
    strike: Strike
    seed: int

    @property
    def id(self) -> str:
        return row_id(self.posting.name, self.strike.name, self.seed)
