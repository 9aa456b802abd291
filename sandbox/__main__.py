"""Run a twin by itself: `python -m sandbox fusion --port 8801`."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable

from sandbox.bigcommerce import BigCommerceTwin
from sandbox.fusion import FusionTwin
from sandbox.kit import Twin, serve

TWINS: dict[str, Callable[[int], Twin]] = {
    "fusion": lambda seed: FusionTwin(seed=seed),
    "bigcommerce": lambda seed: BigCommerceTwin(seed=seed),
}


async def run(name: str, host: str, port: int, seed: int) -> None:
    """Serve one twin until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with serve(TWINS[name](seed), host, port) as listener:
        sys.stdout.write(f"{name} twin at {listener.url}\n")
        sys.stdout.flush()
        await stop.wait()


def main() -> None:
    """The command line of the sandbox."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="Run a simulated vendor system.")
    parser.add_argument("twin", choices=sorted(TWINS))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--seed", type=int, default=0, help="makes faults with a chance repeatable")
    arguments = parser.parse_args()
    asyncio.run(run(arguments.twin, arguments.host, arguments.port, arguments.seed))


if __name__ == "__main__":
    main()
