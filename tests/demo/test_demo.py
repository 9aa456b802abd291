"""The demo as a person runs it, from an empty directory to its exit code.

On the production topology it gets a server that runs already and an empty database, two workers and two gateways.
"""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.stack import new_namespace
from support.topology import DevTopology, Topology, store_beside

from store import KeyRing

PATIENCE = 720.0


@pytest.fixture
async def setting(topology: Topology, tmp_path: Path) -> AsyncIterator[tuple[list[str], dict[str, str]]]:
    """Options of the command, and its environment besides our own."""
    if isinstance(topology, DevTopology):
        yield [], {"TEMPORAL_CLI_PATH": str(topology.cli)}
        return
    directory = tmp_path / "temporal"
    directory.mkdir()
    async with topology.server(directory) as server, store_beside(server, directory) as store:
        namespace = await new_namespace(server, KeyRing.generate())
        options = ["--temporal", server.address, "--store", store, "--workers", "2", "--gateways", "2"]
        yield options, {"TEMPORAL_NAMESPACE": namespace}


@pytest.mark.timeout(900)
async def test_a_morning_in_two_shops_is_reconciled_to_the_cent(
    setting: tuple[list[str], dict[str, str]], tmp_path: Path
) -> None:
    options, environment = setting
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from runtime.cli import main; main()",
        "--log-level",
        "WARNING",
        "demo",
        "--directory",
        str(tmp_path / "demo"),
        *options,
        env={**os.environ, **environment, "COLUMNS": "130", "PYTHONUNBUFFERED": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        shown = (await asyncio.wait_for(process.communicate(), PATIENCE))[0].decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, shown

    for event in (
        "its webhooks will never be sent",
        "no rule maps that category",
        "Fusion goes down for",
        "will be lost after Fusion has accepted it",
        "Every order is decided after",
        "In review: 2",
        "EF03",
        "ml-connector review resolve bc-eu/",
        "is retried",
        "Everything holds.",
    ):
        assert event in shown, f"{event!r} is missing in:\n{shown}"

    assert ("Temporal UI: http://127.0.0.1:" in shown) == (not options), "a server of its own has a UI of its own"
    for process_name in ("worker-2", "gateway-2") if options else ():
        assert "is up" in log(tmp_path, process_name)

    first, second = rows(shown, "bc-us"), rows(shown, "bc-eu")
    assert sum(int(row[2]) for row in (first[0], second[0])) >= 40
    for row in (*first, *second):
        assert row[-3:] == ["0.00", "0", "0"], "difference, duplicates, lost"
    assert [row[4] for row in first][1] == "0.00 (0)", "the refused order was resolved on screen"
    assert second[1][4].endswith("(1)"), "the unmapped one still waits for a rule"


def log(directory: Path, process_name: str) -> str:
    return Path(directory, "demo", f"{process_name}.log").read_text()


def rows(shown: str, shop: str) -> list[list[str]]:
    """The cells of the shop's row in each of the two reconciliations."""
    found = [
        [cell.strip() for cell in re.split("[│|]", line.strip())[1:-1]]
        for line in shown.splitlines()
        if re.match(rf"\s*[│|] {shop} ", line)
    ]
    assert len(found) == 2, shown
    return found
