"""How long a shop waits for its 202: against a bare `start_workflow` at the same rate, and while Temporal is down.

Load is open-loop: requests go out on time, whether or not earlier ones were answered. Gateway, Temporal and this client
are processes of their own. Bare starts carry the same input, signal and search attributes through the same plugin.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import aiohttp

from benchmarks.figures import Figure, at_most, below, percentile
from contracts.starting import StartRequest
from sandbox.bigcommerce import US_SHOP
from sandbox.bigcommerce.webhooks import signature
from tests.support.ports import free_ports
from tests.support.stack import DEMO_CONFIGURATION, Stack, eventually, open_stack
from tests.support.topology import TemporalServer

RATE: Final = 40
"""Deliveries a second, each about another order."""
SECONDS: Final = 8
ROUNDS: Final = 3
"""Bare and gateway take turns, so that a busy moment of the machine hits both."""
ROOT: Final = Path(__file__).parents[1]


async def run(
    server: TemporalServer, *, rate: int = RATE, seconds: int = SECONDS, rounds: int = ROUNDS
) -> tuple[list[Figure], str]:
    with TemporaryDirectory() as name:
        directory = Path(name)
        async with (
            open_stack(server, directory) as stack,
            _gateway(stack, directory) as url,
            aiohttp.ClientSession() as http,
        ):
            deliver, start = _deliveries(http, url), _bare_starts(stack)
            await _paced(deliver, rate, 1, 0)
            await _paced(start, rate, 1, 0)
            bare: list[float] = []
            gateway: list[float] = []
            for round_ in range(1, rounds + 1):
                bare += await _paced(start, rate, seconds, round_)
                gateway += await _paced(deliver, rate, seconds, round_)
            await server.stop()
            down = await _paced(deliver, rate, seconds, rounds + 1)
            await server.start()
    return _figures(rate, bare, gateway, down), _details(
        {"bare start": bare, "gateway": gateway, "Temporal down": down}
    )


def _figures(rate: int, bare: list[float], gateway: list[float], down: list[float]) -> list[Figure]:
    return [
        at_most(
            f"acknowledgement against a bare start at {rate}/s, median",
            percentile(gateway, 0.5) / percentile(bare, 0.5),
            1.5,
            form=".2f",
            unit=" x",
        ),
        Figure(
            f"the same, p95 ({percentile(gateway, 0.95):.1f} ms against {percentile(bare, 0.95):.1f} ms)",
            f"{percentile(gateway, 0.95) / percentile(bare, 0.95):.2f} x",
        ),
        below("acknowledgement while Temporal is down, p99", percentile(down, 0.99), 100, form=".0f", unit=" ms"),
    ]


def _details(measured: dict[str, list[float]]) -> str:
    return "\n".join(
        f"  {what}: {len(times)} requests, p50 {percentile(times, 0.5):.1f}, p95 {percentile(times, 0.95):.1f}, "
        f"p99 {percentile(times, 0.99):.1f}, worst {max(times):.1f} ms"
        for what, times in measured.items()
    )


Move = Callable[[int], Awaitable[None]]


async def _paced(move: Move, rate: int, seconds: int, round_: int) -> list[float]:
    """Milliseconds of each move; they begin `1/rate` seconds apart."""

    async def timed(number: int) -> float:
        began = time.perf_counter()
        await move(number)
        return (time.perf_counter() - began) * 1000

    began = time.perf_counter()
    tasks = []
    for position in range(rate * seconds):
        await asyncio.sleep(max(0.0, began + position / rate - time.perf_counter()))
        tasks.append(asyncio.create_task(timed(round_ * 100_000 + position + 1)))
    return list(await asyncio.gather(*tasks))


def _deliveries(http: aiohttp.ClientSession, url: str) -> Move:
    async def deliver(order_id: int) -> None:
        document = {
            "scope": "store/order/created",
            "store_id": US_SHOP.store_id,
            "data": {"type": "order", "id": order_id},
            "hash": str(order_id),
            "created_at": 1,
            "producer": f"stores/{US_SHOP.store_hash}",
        }
        body = json.dumps(document).encode()
        headers = signature("client-secret", f"msg_{order_id}", datetime.now(UTC), body)
        async with http.post(f"{url}/webhooks/acme/bc-us", data=body, headers=headers) as answer:
            assert answer.status == 202, answer.status

    return deliver


def _bare_starts(stack: Stack) -> Move:
    async def start(order_id: int) -> None:
        await stack.parts.starter.start(
            StartRequest(
                connection="bc-eu",
                integration="shop-eu",
                document_id=str(order_id),
                job=f"delivery:msg_{order_id}",
                received_at=datetime.now(UTC),
                quiet=1.0,
            )
        )

    return start


@asynccontextmanager
async def _gateway(stack: Stack, directory: Path) -> AsyncIterator[str]:
    """`ml-connector gateway` as operators run it."""
    [port] = free_ports(1)
    path = directory / "connector.toml"
    path.write_text(DEMO_CONFIGURATION.read_text(encoding="utf-8").replace("port = 18080", f"port = {port}"), "utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from runtime.cli import main; main()",
        "--log-level",
        "ERROR",
        "gateway",
        env={**stack.environment, "ML_CONNECTOR_CONFIG": str(path), "PYTHONPATH": str(ROOT)},
    )
    url = f"http://127.0.0.1:{port}"
    try:
        async with aiohttp.ClientSession() as http:

            async def answers() -> bool:
                try:
                    async with http.get(f"{url}/readyz") as answer:
                        return answer.status == 200
                except aiohttp.ClientError:
                    return False

            await eventually(answers, "the gateway answers")
        yield url
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
