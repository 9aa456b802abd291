"""No step of the product is left out: every activity that a worker registers is on the way of some posting."""

from pathlib import Path
from typing import Final

import pytest
from crash.journal_rows import ORDER
from crash.posting import READING
from crash.strikes import AtBoundary, AtTwin
from crash.table import POSTINGS, on_the_way, rows
from support.stack import DEMO_CONFIGURATION
from temporalio import activity

from runtime.configuring.configuration import load
from runtime.parts import open_parts
from runtime.pollers import active_connections
from runtime.temporal.connect import connect
from runtime.worker import store_activities, vendor_activities
from store import KeyRing

BESIDE: Final = frozenset({"count_loss", "compare_shop", "compare_pod", "keep_alignment"})
"""Activities that look at whole systems and keep what they found, once for each job (`tests/store`). No document passes
them; an order that a count starts goes its own way."""


@pytest.fixture(autouse=True)
def usual_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said here is said of a session that nobody asked for more."""
    monkeypatch.delenv("CRASH_SEEDS", raising=False)


@pytest.fixture
async def registered(tmp_path: Path) -> frozenset[str]:
    """Names of all activities of a worker of the demo's configuration."""
    environment = {
        "MLC_STORE_URL": f"sqlite+aiosqlite:///{tmp_path / 'store.db'}",
        "MLC_TEMPORAL": "127.0.0.1:1",
        "MLC_FUSION_URL": "http://127.0.0.1:1",
        "MLC_SHOP_URL": "http://127.0.0.1:1",
    }
    configuration, keys = load(DEMO_CONFIGURATION, environment), KeyRing.generate()
    temporal = await connect(configuration.temporal, keys, lazy=True)
    async with open_parts(configuration, keys, temporal=temporal, migrate=True) as parts:
        functions = store_activities(parts)
        for connection in active_connections(configuration):
            functions += vendor_activities(parts, connection)
    definitions = [activity._Definition.must_from_callable(one) for one in functions]
    return frozenset(one.name for one in definitions if one.name)


def test_every_activity_of_the_product_is_on_the_way_of_a_posting(registered: frozenset[str]) -> None:
    assert registered - on_the_way() == BESIDE, "add these to the way of the posting that passes them"
    assert on_the_way() - registered == set(), "these are no activities any more"


def test_what_is_said_to_write_nothing_is_an_activity(registered: frozenset[str]) -> None:
    assert registered >= READING


def test_every_activity_is_struck_on_both_sides_in_every_session() -> None:
    struck = {row.strike.boundary for row in rows() if isinstance(row.strike, AtBoundary) and row.seed == 1}
    assert struck >= {f"activity/{name}/{side}" for name in on_the_way() for side in ("before", "after")}


def test_a_worker_stands_still_around_every_activity_that_writes_in_every_session() -> None:
    paused = {
        row.strike.boundary
        for row in rows()
        if isinstance(row.strike, AtBoundary) and row.strike.fate == "SIGSTOP" and row.seed == 1
    }
    wanted = on_the_way() - READING
    assert paused >= {f"activity/{name}/{side}" for name in wanted for side in ("before", "after")}


def test_every_call_is_struck_at_the_three_points_of_its_twin() -> None:
    struck = {(row.strike.call, row.strike.point) for row in rows() if isinstance(row.strike, AtTwin)}
    calls = {call for posting in POSTINGS for call in posting.calls}
    assert struck >= {(call, point) for call in calls for point in ("received", "committed", "answering")}


def test_a_session_on_the_production_server_repeats_what_happened_and_was_not_told() -> None:
    short = list(rows(production=True))
    assert {row.id for row in short} < {row.id for row in rows()}
    assert {row.posting.name for row in short} == {posting.name for posting in POSTINGS}
    points = {row.strike.boundary for row in short if isinstance(row.strike, AtBoundary)}
    assert points >= {f"activity/{name}/after" for name in on_the_way()}
    calls = {call for posting in POSTINGS for call in posting.calls}
    assert {row.strike.call for row in short if isinstance(row.strike, AtTwin)} == calls


def test_seeds_that_are_asked_for_are_tried_in_full_on_the_production_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRASH_SEEDS", "2")
    assert [row.id for row in rows(production=True)] == [row.id for row in rows()]


def test_rows_have_names_of_their_own() -> None:
    ids = [row.id for row in rows()]
    assert len(ids) == len(set(ids))


def test_further_seeds_try_points_that_no_session_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRASH_SEEDS", "3")
    by_seed = {seed: {row.strike for row in rows([ORDER]) if row.seed == seed} for seed in (1, 2, 3)}
    assert by_seed[2] > by_seed[1] < by_seed[3]
    assert by_seed[2] != by_seed[3]
    monkeypatch.setenv("CRASH_SEEDS", "7-9")
    assert {row.seed for row in rows()} == {7, 8, 9}
