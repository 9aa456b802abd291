"""The demo as a person runs it, from an empty directory to its exit code."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

PATIENCE = 360.0


@pytest.mark.timeout(400)
async def test_a_morning_in_two_shops_is_reconciled_to_the_cent(temporal_cli: Path, tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from runtime.cli import main; main()",
        "--log-level",
        "WARNING",
        "demo",
        "--directory",
        str(tmp_path / "demo"),
        env={**os.environ, "TEMPORAL_CLI_PATH": str(temporal_cli), "COLUMNS": "130", "PYTHONUNBUFFERED": "1"},
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
        "Temporal UI: http://127.0.0.1:",
        "Everything holds.",
    ):
        assert event in shown, f"{event!r} is missing in:\n{shown}"

    first, second = rows(shown, "bc-us"), rows(shown, "bc-eu")
    assert sum(int(row[2]) for row in (first[0], second[0])) >= 40
    for row in (*first, *second):
        assert row[-3:] == ["0.00", "0", "0"], "difference, duplicates, lost"
    assert [row[4] for row in first][1] == "0.00 (0)", "the refused order was resolved on screen"
    assert second[1][4].endswith("(1)"), "the unmapped one still waits for a rule"


def rows(shown: str, shop: str) -> list[list[str]]:
    """The cells of the shop's row in each of the two reconciliations."""
    found = [
        [cell.strip() for cell in re.split("[│|]", line.strip())[1:-1]]
        for line in shown.splitlines()
        if re.match(rf"\s*[│|] {shop} ", line)
    ]
    assert len(found) == 2, shown
    return found
