"""`python -m benchmarks [PART ...]`: prints the figures as a Markdown table. Everything is on loopback and bounded."""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Final

from benchmarks import acknowledgement, arrivals, parked, throughput
from benchmarks.figures import Figure, table
from runtime.observing.logs import configure_logs
from runtime.temporal.devserver import DevServer
from runtime.temporal.temporal_cli import find_or_obtain

Part = Callable[[DevServer], Awaitable[tuple[list[Figure], str]]]

PARTS: Final[dict[str, Part]] = {
    "arrivals": arrivals.run,
    "acknowledgement": acknowledgement.run,
    "throughput": throughput.run,
    "parked": parked.run,
}


async def measure(wanted: list[str]) -> list[Figure]:
    binary = await find_or_obtain(lambda line: print(line, file=sys.stderr))
    found: list[Figure] = []
    for name in wanted:
        print(f"{name} ...", file=sys.stderr)
        # A server of its own for each part: none pays for what another left behind.
        async with DevServer(binary, ui_port=None) as server:
            measured, details = await PARTS[name](server)
        print(details, file=sys.stderr)
        found += measured
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the figures of the README.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all by default")
    wanted: list[str] = parser.parse_args().parts or list(PARTS)
    if unknown := set(wanted) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    configure_logs(level="ERROR")
    found = asyncio.run(measure(wanted))
    print(table(found))
    sys.exit(any(one.met is False for one in found))


if __name__ == "__main__":
    main()
