"""Fixtures of the crash tests: lanes, a nursery, and the report."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from crash.lane import Lane, open_lane
from crash.report import Report
from support.processes import Nursery
from support.topology import TemporalServer

REPORT = pytest.StashKey[Report]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[REPORT] = Report()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    report = config.stash.get(REPORT, None)
    if report is None or not report.runs:
        return
    terminalreporter.section("crash proof")
    for line in report.lines():
        terminalreporter.write_line(line)
    path = os.environ.get("CRASH_REPORT")
    if path:
        report.write(Path(path))
        terminalreporter.write_line(f"written to {path}")


@pytest.fixture(scope="session")
def report(request: pytest.FixtureRequest) -> Report:
    return request.config.stash.setdefault(REPORT, Report())


@pytest.fixture(scope="session")
async def nursery(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nursery]:
    directory = tmp_path_factory.mktemp("nursery")
    async with Nursery(Path(__file__).parent / "mortal.py", directory / "nursery.log") as opened:
        yield opened


@pytest.fixture
async def lane(quick_server: TemporalServer, nursery: Nursery, tmp_path: Path) -> AsyncIterator[Lane]:
    """A stack for one test alone."""
    async with open_lane(quick_server, nursery, tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
async def shared_lane(
    quick_server: TemporalServer, nursery: Nursery, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Lane]:
    """A stack for all rows of a table: each has orders of its own."""
    async with open_lane(quick_server, nursery, tmp_path_factory.mktemp("lane")) as opened:
        yield opened
