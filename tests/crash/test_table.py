"""Processes are killed, paused and reset at every point of every posting: each document is in the books once.

Rows are carried out side by side; each is still one test with its own verdict.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from crash.lane import Lane, open_lane
from crash.lanes import Lanes
from crash.posting import Row
from crash.report import Report
from crash.settings import LANES, Setting
from crash.table import rows
from support.processes import Nursery
from support.topology import CLUSTER, QUICK, TemporalServer, Topology


@pytest.fixture(scope="module")
async def lanes(
    request: pytest.FixtureRequest,
    topology: Topology,
    nursery: Nursery,
    report: Report,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Lanes]:
    """At work on the rows that were selected."""

    def quick_server(directory: Path) -> AbstractAsyncContextManager[TemporalServer]:
        # In a file: the dev server's database in memory is lost with its one connection, which a server closes when a
        # question to it is given up, as it happens on a machine that is busy.
        return topology.server(directory, dynamic_config=QUICK)

    @asynccontextmanager
    async def opened(setting: Setting) -> AsyncIterator[Lane]:
        directory = tmp_path_factory.mktemp("lane")
        async with AsyncExitStack() as stack:
            server = common
            if setting.own_server:
                server = await stack.enter_async_context(quick_server(directory))
            yield await stack.enter_async_context(open_lane(server, nursery, directory, setting))

    wanted = [
        item.callspec.params["row"]
        for item in request.session.items
        if item.path == request.path and "row" in getattr(getattr(item, "callspec", None), "params", {})
    ]
    at_work = Lanes(wanted, opened, report)
    async with quick_server(tmp_path_factory.mktemp("common")) as common, at_work.working(LANES):
        yield at_work


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "row" in metafunc.fixturenames:
        production = metafunc.config.getoption("topology") == CLUSTER
        metafunc.parametrize("row", list(rows(production=production)), ids=lambda row: row.id)


@pytest.mark.timeout(0)  # a row has a patience of its own, and waits for those before it
async def test_no_crash_loses_or_repeats_a_document(row: Row, lanes: Lanes) -> None:
    run = await lanes.run(row)
    assert run.good, run.sentence()


@pytest.mark.timeout(0)
async def test_nothing_came_into_the_books_after_it_was_counted(lanes: Lanes) -> None:
    assert [f"{run.posting}: {run.point}, seed {run.seed}: {run.sentence()}" for run in await lanes.late()] == []
