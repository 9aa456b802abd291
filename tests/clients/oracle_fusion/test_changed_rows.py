"""Changed rows in windows: whatever the pod lets be asked, and whatever changes meanwhile, none is missed."""

import asyncio
import datetime as dt
import gc
import random
from collections.abc import AsyncIterator

import pytest
from support.fusion_framework import NAME, collection, connected, widgets

from clients.errors import Rejected
from clients.oracle_fusion import Collection, FusionClient, ResourceFacts, Window
from clients.oracle_fusion.described import Descriptions
from clients.oracle_fusion.errors import Unordered
from clients.oracle_fusion.windows import ChangedRows, Feed, Way, windows
from sandbox.fusion import FusionTwin, demo_world
from sandbox.kit import serve

HOUR = dt.timedelta(hours=1)
SECONDS = dt.timedelta(seconds=2)
"""What clocks of whole seconds may hide."""
NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


@pytest.fixture
async def twin() -> AsyncIterator[FusionTwin]:
    twin = FusionTwin(demo_world())
    async with serve(twin):
        yield twin


@pytest.fixture
async def fusion(twin: FusionTwin) -> AsyncIterator[FusionClient]:
    client = connected(twin)
    yield client
    await client.aclose()


def small(fusion: FusionClient, limit: int = 50) -> ChangedRows:
    return ChangedRows(fusion._rest, fusion.descriptions, limit=limit)


def habit(twin: FusionTwin, way: Way) -> None:
    """Make the pod one that can only be read this way, by what it describes."""
    habits = twin.world.habits
    if way in (Way.NEWEST_FIRST, Way.WHOLE):
        habits.not_queryable[NAME] = ["LastUpdateDate"]
    if way is Way.WHOLE:
        habits.not_sortable[NAME] = ["LastUpdateDate"]
    if way is Way.BY_STAMP:
        habits.not_queryable[NAME] = ["WidgetId"]


def test_a_long_time_is_cut_into_windows_without_gaps_that_end_with_seconds() -> None:
    cut = list(windows(NOON, NOON + dt.timedelta(hours=5, microseconds=7), length=2 * HOUR))
    assert [(one.since, one.until) for one in cut] == [
        (NOON, NOON + 2 * HOUR),
        (NOON + 2 * HOUR, NOON + 4 * HOUR),
        (NOON + 4 * HOUR, NOON + 5 * HOUR),
    ]
    with pytest.raises(ValueError, match="ends after"):
        Window(since=NOON, until=NOON)


def test_a_question_has_explicit_offsets_and_an_end_that_is_not_in_it() -> None:
    window = Window(since=NOON.astimezone(dt.timezone(dt.timedelta(hours=-8))), until=NOON + HOUR)
    assert window.question("LastUpdateDate") == (
        "LastUpdateDate >= '2026-11-20T12:00:00Z' and LastUpdateDate < '2026-11-20T13:00:00Z'"
    )
    assert window.holds(NOON)
    assert not window.holds(NOON + HOUR)


async def test_a_window_goes_by_the_pods_clock_and_overlaps_the_one_before(
    twin: FusionTwin, fusion: FusionClient
) -> None:
    changes = small(fusion)
    began = twin.clock.now()
    first = await changes.window(None)
    assert first.since is None
    assert began - SECONDS <= first.until <= twin.clock.now() + SECONDS
    mark = first.until - 10 * HOUR
    second = await changes.window(mark, overlap=HOUR, longest=2 * HOUR)
    assert (second.since, second.until) == (mark - HOUR, mark + 2 * HOUR)
    ahead = await changes.window(first.until + HOUR)
    assert ahead.until == first.until + HOUR, "a watermark is never taken back"


@pytest.mark.parametrize("way", [Way.BY_KEY, Way.BY_STAMP, Way.NEWEST_FIRST])
async def test_every_way_finds_exactly_the_rows_of_the_window(twin: FusionTwin, fusion: FusionClient, way: Way) -> None:
    records = widgets(twin, 400)
    habit(twin, way)
    twin.faults.set("unstable_order")
    feed = Feed(resource=NAME, key="WidgetId")
    now = twin.clock.now().replace(microsecond=0)
    window = Window(since=now - dt.timedelta(seconds=300), until=now - dt.timedelta(seconds=100))
    wanted = {row.values["WidgetId"] for row in records.rows if window.holds(row.values["LastUpdateDate"])}
    found = [row["WidgetId"] async for row in small(fusion).read(feed, window)]
    assert await small(fusion).way(feed) is way
    assert sorted(found) == sorted(wanted)
    assert 190 <= len(wanted) <= 210


@pytest.mark.parametrize("zone", [-8.0, 5.5])
@pytest.mark.parametrize("literals", ["utc", "session"])
async def test_neither_the_users_zone_nor_how_plain_literals_are_read_matters(
    twin: FusionTwin, fusion: FusionClient, zone: float, literals: str
) -> None:
    widgets(twin, 50, apart=60)
    twin.world.habits.session_offset = zone
    twin.world.habits.plain_literals = "session" if literals == "session" else "utc"
    now = twin.clock.now().replace(microsecond=0)
    window = Window(since=now - dt.timedelta(minutes=20), until=now)
    found = [row async for row in small(fusion).read(Feed(resource=NAME, key="WidgetId"), window)]
    assert 19 <= len(found) <= 20


async def test_a_pod_that_describes_more_than_it_takes_is_asked_once_and_remembered(
    twin: FusionTwin, fusion: FusionClient
) -> None:
    widgets(twin, 120)
    twin.world.habits.secretly_not_queryable[NAME] = ["LastUpdateDate"]
    feed, changes = Feed(resource=NAME, key="WidgetId"), small(fusion)
    window = await changes.window(twin.clock.now() - HOUR)
    assert await changes.way(feed) is Way.BY_KEY
    assert len([row async for row in changes.read(feed, window)]) == 120
    assert await changes.way(feed) is Way.NEWEST_FIRST
    before = twin.calls.total
    assert len([row async for row in changes.read(feed, window)]) == 120
    pages = twin.calls.matching("GET", NAME)[-(twin.calls.total - before) :]
    assert all(call.status == 200 for call in pages), "nothing is tried that was refused before"


async def test_where_neither_question_nor_sort_is_taken_everything_is_compared_here(
    twin: FusionTwin, fusion: FusionClient
) -> None:
    records = widgets(twin, 120, apart=60)
    twin.world.habits.not_queryable[NAME] = ["LastUpdateDate"]
    twin.world.habits.not_sortable[NAME] = ["LastUpdateDate"]
    feed, changes = Feed(resource=NAME, key="WidgetId"), small(fusion)
    window = await changes.window(twin.clock.now() - HOUR / 2, overlap=HOUR / 6)
    wanted = [row.values["WidgetId"] for row in records.rows if window.holds(row.values["LastUpdateDate"])]
    found = [row["WidgetId"] async for row in changes.read(feed, window)]
    assert await changes.way(feed) is Way.WHOLE
    assert sorted(found) == sorted(wanted)
    assert 35 <= len(wanted) <= 41


async def test_a_question_of_the_callers_own_that_is_wrong_is_not_blamed_on_the_pod(
    twin: FusionTwin, fusion: FusionClient
) -> None:
    widgets(twin, 3)
    feed, changes = Feed(resource=NAME, key="WidgetId"), small(fusion)
    window = await changes.window(twin.clock.now() - HOUR)
    with pytest.raises(Rejected, match="Nothing"):
        _ = [row async for row in changes.read(feed, window, q="Nothing = 1")]
    assert await changes.way(feed) is Way.BY_KEY


async def test_a_resource_that_cannot_be_described_is_read_all_the_same(twin: FusionTwin, fusion: FusionClient) -> None:
    widgets(twin, 60)
    twin.faults.set("error", path="describe", status=504)
    changes = small(fusion)
    window = await changes.window(twin.clock.now() - HOUR)
    assert len([row async for row in changes.read(Feed(resource=NAME, key="WidgetId"), window)]) == 60
    assert len([row async for row in changes.read(Feed(resource=NAME, key="WidgetId"), window)]) == 60
    assert len(twin.calls.matching("GET", "describe")) == 1


@pytest.mark.parametrize("way", [Way.BY_STAMP, Way.NEWEST_FIRST, Way.WHOLE])
async def test_rows_with_opaque_keys_and_one_stamp_for_all_are_read_in_an_order_of_their_own(
    twin: FusionTwin, fusion: FusionClient, way: Way
) -> None:
    records = widgets(twin, 130, opaque=True, apart=0)
    habit(twin, way)
    twin.faults.set("unstable_order")
    changes, feed = small(fusion, 20), Feed(resource=NAME, ties=("Since", "Number"))
    window = await soon(changes, twin)
    found = [row["Number"] async for row in changes.read(feed, window)]
    assert await changes.way(feed) is way
    assert sorted(found) == sorted(row.values["Number"] for row in records.rows)


@pytest.mark.parametrize("way", [Way.BY_STAMP, Way.NEWEST_FIRST, Way.WHOLE])
@pytest.mark.parametrize("described", [True, False])
async def test_what_a_pod_cannot_put_in_order_is_not_taken_for_read(
    twin: FusionTwin, fusion: FusionClient, way: Way, described: bool
) -> None:
    widgets(twin, 130, opaque=True, apart=0)
    habit(twin, way)
    twin.world.habits.not_sortable.setdefault(NAME, []).append("Number")
    changes = small(fusion, 20)
    feed = Feed(resource=NAME, ties=("Number",) if described else ())
    window = await soon(changes, twin)
    with pytest.raises(Unordered, match="some rows would be missed"):
        _ = [row async for row in changes.read(feed, window)]
    assert len([row async for row in changes.read(feed, window, q="Number = 'W-7'")]) == 1


async def soon(changes: ChangedRows, twin: FusionTwin) -> Window:
    """A window with everything that was just changed."""
    window = await changes.window(twin.clock.now() - HOUR)
    return Window(since=window.since, until=window.until + dt.timedelta(minutes=1))


@pytest.mark.parametrize("way", [Way.BY_KEY, Way.BY_STAMP])
async def test_no_row_is_missed_when_others_leave_the_window_while_it_is_read(
    twin: FusionTwin, fusion: FusionClient, way: Way
) -> None:
    records = widgets(twin, 600)
    habit(twin, way)
    changes, feed = small(fusion), Feed(resource=NAME, key="WidgetId")
    window = await changes.window(twin.clock.now() - HOUR)
    chance, seen, touched = random.Random(7), set[int](), set[int]()
    twin.clock.advance(5)
    async for row in changes.read(feed, window):
        seen.add(row["WidgetId"])
        if chance.random() < 0.4:
            record = chance.choice(records.rows)
            records.touch(record)
            touched.add(record.values["WidgetId"])
    everything = {record.values["WidgetId"] for record in records.rows}
    assert everything - seen <= touched, "only what changed meanwhile may be left for the next window"
    after = await changes.window(window.until, overlap=dt.timedelta(seconds=0))
    after = Window(since=window.until, until=after.until + dt.timedelta(minutes=1))
    assert touched <= {row["WidgetId"] async for row in changes.read(feed, after)}


async def test_a_first_load_of_20_000_rows_that_change_meanwhile_sees_all_in_flat_memory(
    twin: FusionTwin, fusion: FusionClient
) -> None:
    records = widgets(twin, 20_000)
    twin.faults.set("unstable_order")
    things, seen = collection(fusion), bytearray(20_000)
    first = records.rows[0].values["WidgetId"]
    chance, kept = random.Random(3), 0
    async for row in things.changed(await things.window(None), fields=("Number",), links=True):
        seen[row["WidgetId"] - first] = 1
        if chance.random() < 0.01:
            records.touch(chance.choice(records.rows))
        if row["WidgetId"] % 5_000 == 0:
            kept = max(kept, rows_in_memory())
    assert all(seen)
    assert 0 < kept < 2_000, "a few pages, however many rows there are"


def rows_in_memory() -> int:
    """Rows as the client has read them."""
    shape = {"Number", "WidgetId", "LastUpdateDate", "links"}
    return sum(type(one) is dict and len(one) == len(shape) and one.keys() == shape for one in gc.get_objects())


class Kept:
    """What a caller keeps between processes, as text."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    async def fetch(self, resource: str) -> ResourceFacts | None:
        text = self.texts.get(resource)
        return ResourceFacts.model_validate_json(text) if text else None

    async def keep(self, facts: ResourceFacts) -> None:
        self.texts[facts.resource] = facts.model_dump_json()


async def test_what_one_process_learnt_of_a_pod_the_next_one_knows(twin: FusionTwin) -> None:
    widgets(twin, 5)
    twin.world.habits.secretly_not_queryable[NAME] = ["LastUpdateDate"]
    kept = Kept()
    for _ in range(2):
        fusion = connected(twin, kept)
        things = collection(fusion)
        window = await things.window(twin.clock.now() - HOUR)
        assert len([row async for row in things.changed(window)]) == 5
        assert await things.way() is Way.NEWEST_FIRST
        await fusion.aclose()
    assert len(twin.calls.matching("GET", "describe")) == 1


@pytest.mark.parametrize("kept", [None, Kept()], ids=["one process", "kept between processes"])
async def test_a_description_that_is_read_again_does_not_forget_what_the_pod_refused(
    twin: FusionTwin, fusion: FusionClient, kept: Kept | None
) -> None:
    widgets(twin, 5)
    twin.world.habits.secretly_not_queryable[NAME] = ["LastUpdateDate"]
    passed = [dt.timedelta()]
    known = Descriptions(fusion._rest, kept, lambda: dt.datetime.now(dt.UTC) + passed[-1])
    things = Collection(fusion._rest, known, Feed(resource=NAME, key="WidgetId"))
    window = await things.window(twin.clock.now() - HOUR)
    assert len([row async for row in things.changed(window)]) == 5
    for days, way in ((2, Way.NEWEST_FIRST), (29, Way.NEWEST_FIRST), (31, Way.BY_KEY)):
        passed.append(dt.timedelta(days=days))
        assert await things.way() is way
        assert len(twin.calls.matching("GET", "describe")) == len(passed), "once a day"


async def test_what_two_processes_learnt_at_the_same_time_is_kept_of_both(twin: FusionTwin) -> None:
    widgets(twin, 1)
    kept = Kept()
    fusions = [connected(twin, kept), connected(twin, kept)]
    for fusion in fusions:
        await fusion.descriptions.known(NAME)
    await fusions[0].descriptions.refuse_filter(NAME, "LastUpdateDate")
    await fusions[1].descriptions.refuse_sort(NAME, "Number")
    third = connected(twin, kept)
    facts = await third.descriptions.known(NAME)
    assert (facts.unfilterable, facts.unsortable) == ({"LastUpdateDate"}, {"Number"})
    for fusion in (*fusions, third):
        await fusion.aclose()


async def test_yesterdays_description_counts_while_there_is_no_newer_one(
    twin: FusionTwin, fusion: FusionClient
) -> None:
    widgets(twin, 1)
    passed = [dt.timedelta()]
    known = Descriptions(fusion._rest, None, lambda: dt.datetime.now(dt.UTC) + passed[-1])
    await known.known(NAME)
    twin.faults.set("error", path="describe", status=504)
    for minutes, asked in ((0, 2), (50, 2), (70, 3), (110, 3), (140, 4)):
        passed.append(dt.timedelta(days=2, minutes=minutes))
        assert (await known.known(NAME)).described
        assert len(twin.calls.matching("GET", "describe")) == asked


async def test_many_who_need_a_description_that_does_not_come_ask_for_it_once(
    twin: FusionTwin, fusion: FusionClient
) -> None:
    twin.faults.set("error", path="describe", status=504)
    facts = await asyncio.gather(*(fusion.descriptions.known(NAME) for _ in range(8)))
    assert not any(one.described for one in facts)
    assert len(twin.calls.matching("GET", "describe")) == 1


async def test_a_changed_child_shows_in_its_parent_only_where_the_pod_says_so(
    twin: FusionTwin, fusion: FusionClient
) -> None:
    records = widgets(twin, 1)
    things = collection(fusion)
    path = await things.locate("Number = 'W-0'", subject="widget W-0")
    before = records.rows[0].values["LastUpdateDate"]
    twin.world.habits.children_touch_parents = False
    await things.create({"Code": "A"}, subject="a part", within=path, child="parts")
    assert records.rows[0].values["LastUpdateDate"] == before
    twin.world.habits.children_touch_parents = True
    await things.create({"Code": "B"}, subject="a part", within=path, child="parts")
    assert records.rows[0].values["LastUpdateDate"] > before
