"""Fixtures of the crash proof: a nursery, and the report, which is written at the end however the session ended."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from crash.report import Report
from support.processes import ROOT, Nursery

REPORT = pytest.StashKey[Report]()
PAGE = pytest.StashKey[Path]()
VARIABLE = "CRASH_REPORT"
USUAL = ROOT / "build" / "crash-report"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--crash-report",
        metavar="DIR",
        help=f"where the crash proof writes index.html and report.json (default: {VARIABLE}, else build/crash-report)",
    )


def pytest_configure(config: pytest.Config) -> None:
    # Not an option where this file was found too late to be asked, as in a run of all tests.
    wanted = config.getoption("--crash-report", None) or os.environ.get(VARIABLE) or USUAL
    config.stash[REPORT] = Report(Path(wanted), topology=config.getoption("--topology"))


def pytest_sessionfinish(session: pytest.Session) -> None:
    report = session.config.stash.get(REPORT, None)
    if report is not None and report.runs and report.directory is not None:
        session.config.stash[PAGE] = report.write(report.directory)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    report = config.stash.get(REPORT, None)
    if report is None or not report.runs:
        return
    terminalreporter.section("crash proof")
    for line in report.lines():
        terminalreporter.write_line(line)
    if PAGE in config.stash:
        terminalreporter.write_line(f"page: {config.stash[PAGE]}")


@pytest.fixture(scope="session")
def report(request: pytest.FixtureRequest) -> Report:
    return request.config.stash[REPORT]


@pytest.fixture(scope="session")
async def nursery(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nursery]:
    directory = tmp_path_factory.mktemp("nursery")
    async with Nursery(Path(__file__).parent / "mortal.py", directory / "nursery.log") as opened:
        yield opened
