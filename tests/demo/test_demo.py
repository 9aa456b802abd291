"""The demo as a person runs it, from an empty directory to its exit code.

On the production topology it gets a server that runs already and an empty database, two workers and two gateways.
"""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
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
        "--keep",
        "--directory",
        str(tmp_path / "demo"),
        *options,
        env={**os.environ, **environment, "COLUMNS": "130", "PYTHONUNBUFFERED": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    shown = ""
    try:
        async with asyncio.timeout(PATIENCE):
            assert process.stdout is not None
            while line := (await process.stdout.readline()).decode():
                shown += line
                if "Everything stays up until Ctrl-C." in line:
                    await look_at_the_pages(shown)
                    process.send_signal(signal.SIGINT)
            await process.wait()
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
        "before its order",
        "switches webhook store/order/created (bc-eu) off",
        "The webhook is switched on again",
        "its payment is declined",
        "to the three tenders that paid it",
        "for restocking",
        "it is billed in Receivables",
        ": a credit memo.",
        "as store credit",
        "is edited after posting",
        "is repeated",
        "Everything is decided after",
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
    assert [counted(row[2]) for row in (first[0], second[0])] == [37, 28], "orders"
    assert [counted(row[3]) for row in (first[0], second[0])] == [12, 3], "refunds"
    for row in (*first, *second):
        assert row[-3:] == ["0.00", "0", "0"], "difference, duplicates, lost"
    assert [row[5] for row in first][1] == "0.00 (0)", "the refused order was resolved on screen"
    assert second[1][5].endswith("(1)"), "the unmapped one still waits for a rule"


async def look_at_the_pages(shown: str) -> None:
    """What the demo says a browser shows of the simulated systems."""
    assert "Watch it happen: the shops at http://" in shown
    signs = {"shops": "Maple &amp; Pine Goods: latest orders", "Fusion": "US Primary Ledger: periods"}
    async with httpx.AsyncClient(timeout=30) as client:
        for system, sign in signs.items():
            [address] = re.findall(rf"^  {system} +(http://\S+)$", shown, re.MULTILINE)
            assert sign in (await client.get(address)).text


def log(directory: Path, process_name: str) -> str:
    return Path(directory, "demo", f"{process_name}.log").read_text()


def counted(cell: str) -> int:
    """How many, of a cell like `9,198.48 (26)`."""
    return int(cell.partition("(")[2].rstrip(")"))


def rows(shown: str, shop: str) -> list[list[str]]:
    """The cells of the shop's row in each of the two reconciliations."""
    found = [
        [cell.strip() for cell in re.split("[│|]", line.strip())[1:-1]]
        for line in shown.splitlines()
        if re.match(rf"\s*[│|] {shop} ", line)
    ]
    assert len(found) == 2, shown
    return found
