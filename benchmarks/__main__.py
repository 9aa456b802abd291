"""`python -m benchmarks [PART ...]`: prints the figures as a Markdown table. Everything is on loopback and bounded."""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import acknowledgement, arrivals, changes, items, memory, parked, shapes, sweep, throughput
from benchmarks.figures import Figure, table
from runtime.observing.logs import configure_logs
from runtime.temporal.temporal_cli import find_or_obtain
from tests.support.postgres import MortalPostgres
from tests.support.server_tools import ServerToolsMissing, find_or_build
from tests.support.topology import ClusterTopology, DevTopology, TemporalServer

Run = Callable[[TemporalServer], Awaitable[tuple[list[Figure], str]]]

PARTS: Final[dict[str, Run]] = {
    "arrivals": arrivals.run,
    "changes": changes.run,
    "acknowledgement": acknowledgement.run,
    "throughput": throughput.run,
    "memory": memory.run,
    "parked": parked.run,
    "sweep": sweep.run,
    "items": items.run,
    "shapes": shapes.run,
    "production": shapes.run,
}
PRODUCTION: Final = frozenset({"production"})
"""Parts measured on the production server and PostgreSQL; all others on the dev server and SQLite."""


async def measure(wanted: list[str]) -> tuple[list[Figure], list[str]]:
    """The figures, and the parts that could not be measured for want of a server."""
    found: list[Figure] = []
    missed: list[str] = []
    for name in wanted:
        _say(f"{name} ...")
        try:
            # A server of its own for each part: none pays for what another left behind.
            async with _server(production=name in PRODUCTION) as server:
                measured, details = await PARTS[name](server)
        except ServerToolsMissing as missing:
            _say(str(missing))
            missed.append(name)
            continue
        _say(details)
        found += measured
    return found, missed


@asynccontextmanager
async def _server(*, production: bool) -> AsyncIterator[TemporalServer]:
    with TemporaryDirectory() as name:
        if production:
            tools = await asyncio.to_thread(find_or_build, _say)
            async with MortalPostgres() as postgres, ClusterTopology(tools, postgres).server(Path(name)) as server:
                yield server
        else:
            async with DevTopology(await find_or_obtain(_say)).server(Path(name)) as server:
                yield server


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the figures of the README.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all by default")
    wanted: list[str] = parser.parse_args().parts or list(PARTS)
    if unknown := set(wanted) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    configure_logs(level="ERROR")
    found, missed = asyncio.run(measure(wanted))
    print(table(found))
    if missed:
        _say(f"Not measured: {', '.join(missed)}; see above for what is missing.")
    sys.exit(bool(missed) or any(one.met is False for one in found))


if __name__ == "__main__":
    main()
