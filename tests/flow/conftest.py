"""What rooms of flows share: a stack whose American orders are billed in Receivables, and credited there."""

import datetime as dt
from collections.abc import AsyncIterator, Iterator

import pytest
from support.receivables import no_credit_twice, quickly_credited
from support.stack import FAST, Stack, open_stack
from support.topology import TemporalServer

from runtime.operations import standing


@pytest.fixture(autouse=True)
def _temporal_may_be_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks how things stand waits for a busy server, too: a person would ask once more."""
    monkeypatch.setattr(standing, "PATIENCE", dt.timedelta(minutes=2))


@pytest.fixture(scope="module")
async def billed_stack(
    temporal_server: TemporalServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stack]:
    """One stack with a worker for the whole file; every test has orders of its own."""
    directory = tmp_path_factory.mktemp("credits")
    imports = FAST | {"reread_after": 3.0}
    async with (
        open_stack(temporal_server, directory, imports=imports, adjust=quickly_credited) as opened,
        opened.worker(),
    ):
        yield opened


@pytest.fixture
def credited_once(request: pytest.FixtureRequest) -> Iterator[None]:
    """After a test on the file's stack nothing is credited twice, and the twin is as it was."""
    yield
    if "stack" in request.fixturenames:
        stack: Stack = request.getfixturevalue("stack")
        no_credit_twice(stack)
        stack.fusion.faults.clear()
        stack.fusion.hooks.clear()
