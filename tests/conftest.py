"""Fixtures of the whole test suite: one Temporal server per session, a fresh stack per test."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from support.busy_machines import let_examples_take_their_time, let_flows_stand_still
from support.postgres import MortalPostgres
from support.server_tools import ServerTools, find_or_build
from support.stack import Stack, open_stack
from support.topology import CLUSTER, DEV, QUICK, VARIABLE, ClusterTopology, DevTopology, TemporalServer, Topology
from support.typed import log_as_commands_do

from runtime.temporal.temporal_cli import find_or_obtain

Say = Callable[[str], None]

let_flows_stand_still()
let_examples_take_their_time()
log_as_commands_do()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--topology",
        choices=(DEV, CLUSTER),
        default=os.environ.get(VARIABLE) or DEV,
        help="what the product under test runs on: Temporal's dev server and SQLite, or the production server and "
        f"PostgreSQL, which has to be built with Go the first time (default: {VARIABLE}, else {DEV})",
    )


@pytest.fixture(scope="session")
def say(pytestconfig: pytest.Config) -> Say:
    """Tells people at once what takes minutes, past the capture of output."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")

    def say(line: str) -> None:
        if capture is None:
            print(line, flush=True)  # noqa: T201 -- for people
        else:
            with capture.global_and_fixture_disabled():
                print(line, flush=True)  # noqa: T201 -- for people

    return say


@pytest.fixture(scope="session")
async def temporal_cli(say: Say) -> Path:
    """Found or obtained; a machine where it cannot be had fails the suite and says what to do."""
    return await find_or_obtain(say)


@pytest.fixture(scope="session")
async def server_tools(say: Say) -> ServerTools:
    """The production server, found or built; a machine where it cannot be had fails and says what to do."""
    return await asyncio.to_thread(find_or_build, say)


@pytest.fixture(scope="session")
async def topology(pytestconfig: pytest.Config, say: Say) -> AsyncIterator[Topology]:
    """Opens servers of the kind that this run is about. Tests that kill one open their own."""
    if pytestconfig.getoption("topology") == CLUSTER:
        tools = await asyncio.to_thread(find_or_build, say)
        async with MortalPostgres() as postgres:
            yield ClusterTopology(tools, postgres)
    else:
        yield DevTopology(await find_or_obtain(say))


@pytest.fixture(scope="session")
async def temporal_server(
    topology: Topology, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TemporalServer]:
    async with topology.server(tmp_path_factory.mktemp("temporal")) as server:
        yield server


@pytest.fixture(scope="session")
async def quick_server(topology: Topology, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TemporalServer]:
    """One that notices dead workers soon: for tests that kill them."""
    async with topology.server(tmp_path_factory.mktemp("quick-temporal"), dynamic_config=QUICK) as server:
        yield server


@pytest.fixture
async def stack(temporal_server: TemporalServer, tmp_path: Path) -> AsyncIterator[Stack]:
    async with open_stack(temporal_server, tmp_path) as opened:
        yield opened
