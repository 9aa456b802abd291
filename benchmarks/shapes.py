"""What the shape of a flow costs: four shapes of the same work beside the product's own flows, in the same run.

Each shape gets the same orders of the same twins, `AT_ONCE` at a time: read the order, look up ledger and periods, map,
look before the post, post, one line of audit. The shapes have no leases, no outbox, no review and no encryption; the
product has all of them. Journals wait in the outbox for their group, so all are announced at once, and their latency
is until they are staged. Latency is measured at `RATE` a second, from the request to start; what a webhook costs before
is `acknowledgement`. Twins and clients share the machine: ratios carry over, absolute figures do not.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from temporalio.client import Client

from benchmarks.counting import sample_bill
from benchmarks.figures import Figure, percentile
from benchmarks.shape_workflows import QUEUE
from benchmarks.worker_process import cpu, product_worker, worker_process, write_configuration
from contracts import names
from contracts.flow import State
from sandbox.bigcommerce import US_SHOP, Shape, StoreSettings, draft
from tests.support.ports import free_ports
from tests.support.stack import Stack, eventually, open_stack
from tests.support.topology import KeepsStores, TemporalServer

DOCUMENTS: Final = 500
AT_ONCE: Final = 50
RATE: Final = 8
"""Documents a second while latency is measured."""
PACED: Final = 80
"""Documents of that measurement."""
WARM_UP: Final = 10
GOALS: Final = {False: 50, True: 30}
"""Documents a second of the product, by whether it is the production server."""
PACE: Final = {"flush_after": 2.0, "quiet_period": 1.0, "reread_after": 3600.0}
SHOP: Final = "bc-us"

Move = Callable[[int], Awaitable[None]]
"""Takes one order to where it counts as done."""


@dataclass(frozen=True)
class Shaped:
    """One shape's measurement. CPU in seconds for 1,000 documents."""

    shape: str
    per_second: float
    p50_ms: float
    p99_ms: float
    worker_cpu: float
    server_cpu: float
    """The Temporal server's, its database's, and where they share one the connector's store's."""
    events: float
    actions: float


async def run(server: TemporalServer) -> tuple[list[Figure], str]:
    measured = await measure(server)
    return figures(measured, production=isinstance(server, KeepsStores)), describe(measured)


async def measure(server: TemporalServer, *, documents: int = DOCUMENTS, paced: int = PACED) -> list[Shaped]:
    """Every shape with so many documents, one after the other; `paced` more for the latency of each."""
    with TemporaryDirectory() as name:
        stores = (StoreSettings(US_SHOP, requests_per_window=1_000_000),)
        async with open_stack(server, Path(name), imports=PACE, stores=stores) as stack:
            bench = _Bench(server, stack, documents, paced)
            found = await bench.bare_shapes()
            async with product_worker(stack, PACE, billed=True) as pid:
                found.append(await bench.take("invoice", pid, bench.posted, kinds=(names.ORDER_TO_JOURNAL,)))
            async with product_worker(stack, PACE) as pid:
                found.append(await bench.journals(pid))
            return found


class _Bench:
    """Acts on one stack; every order is used once."""

    def __init__(self, server: TemporalServer, stack: Stack, documents: int, paced: int) -> None:
        self._server = server
        self._stack = stack
        self._documents = documents
        self._paced = paced
        self._began = stack.parts.clock()

    async def bare_shapes(self) -> list[Shaped]:
        stack, found = self._stack, []
        known = stack.temporal
        address, namespace = known.service_client.config.target_host, known.namespace
        client = await Client.connect(address, namespace=namespace)
        path = write_configuration(stack, PACE, billed=True)
        [port] = free_ports(1)
        command = ("-m", "benchmarks.shape_worker", address, namespace, str(port))
        async with worker_process(command, {**stack.environment, "ML_CONNECTOR_CONFIG": str(path)}) as pid:
            for workflow in ("EightSteps", "LeanSteps", "OneStep"):

                async def durable(order_id: int, workflow: str = workflow) -> None:
                    key = f"{workflow}-{order_id}"
                    await client.execute_workflow(workflow, str(order_id), id=key, task_queue=QUEUE)

                found.append(await self.take(workflow, pid, durable, kinds=(workflow,)))
            async with _not_durable(port) as move:
                found.append(await self.take("not durable", pid, move))
        return found

    async def take(
        self, shape: str, pid: int, move: Move, *, kinds: Sequence[str] = (), staged: Move | None = None
    ) -> Shaped:
        """`staged`: what latency is measured by, where it is not `move`; then nothing limits how many are at once."""
        print(f"  {shape} ...", file=sys.stderr)
        began = self._stack.parts.clock()
        await asyncio.gather(*(move(order_id) for order_id in self._place(min(WARM_UP, self._documents))))
        room = asyncio.Semaphore(self._documents if staged else AT_ONCE)

        async def one(order_id: int) -> None:
            async with room:
                await move(order_id)

        orders = self._place(self._documents)
        worker, server, started = cpu(pid), cpu(*self._servers()), time.perf_counter()
        await asyncio.gather(*(one(order_id) for order_id in orders))
        seconds = time.perf_counter() - started
        worker, server = cpu(pid) - worker, cpu(*self._servers()) - server
        times = await self._latencies(staged or move)
        bill = await sample_bill(self._stack.temporal, kinds, since=began) if kinds else None
        return Shaped(
            shape=shape,
            per_second=self._documents / seconds,
            p50_ms=percentile(times, 0.5),
            p99_ms=percentile(times, 0.99),
            worker_cpu=worker * 1000 / self._documents,
            server_cpu=server * 1000 / self._documents,
            events=bill.events if bill else 0,
            actions=bill.actions if bill else 0,
        )

    async def journals(self, pid: int) -> Shaped:
        return await self.take(
            "journal", pid, self.posted, kinds=(names.ORDER_TO_JOURNAL,), staged=self._announced_until_staged
        )

    async def posted(self, order_id: int) -> None:
        """The product's own flow, to its end."""
        await self._stack.announce(order_id)
        handle = self._stack.temporal.get_workflow_handle(names.order_to_journal_id(SHOP, str(order_id)))
        result = await handle.result()
        assert result["state"] == State.POSTED, result

    async def _announced_until_staged(self, order_id: int) -> None:
        await self._stack.announce(order_id)

        async def staged() -> bool:
            document = await self._stack.parts.store.documents.get(SHOP, "order", str(order_id))
            return document is not None

        await eventually(staged, f"order {order_id} is staged")

    async def _latencies(self, move: Move) -> list[float]:
        """Milliseconds of each; they begin on time, whether or not earlier ones are done."""

        async def timed(order_id: int) -> float:
            began = time.perf_counter()
            await move(order_id)
            return (time.perf_counter() - began) * 1000

        began, tasks = time.perf_counter(), []
        for position, order_id in enumerate(self._place(self._paced)):
            await asyncio.sleep(max(0.0, began + position / RATE - time.perf_counter()))
            tasks.append(asyncio.create_task(timed(order_id)))
        return list(await asyncio.gather(*tasks))

    def _place(self, count: int) -> list[int]:
        shop = self._stack.shop()
        return [shop.place(draft(Shape.ORDINARY, US_SHOP, seed=seed), quiet=True).id for seed in range(count)]

    def _servers(self) -> list[int]:
        pids = [self._server.pid or 0]
        if isinstance(self._server, KeepsStores):
            pids.append(self._server.database_pid or 0)
        return pids


@asynccontextmanager
async def _not_durable(port: int) -> AsyncIterator[Move]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    waiting: dict[str, asyncio.Future[None]] = {}

    async def listen() -> None:
        while line := await reader.readline():
            waiting.pop(line.decode().strip()).set_result(None)

    async def move(order_id: int) -> None:
        waiting[str(order_id)] = asyncio.get_running_loop().create_future()
        done = waiting[str(order_id)]
        writer.write(f"{order_id}\n".encode())
        await asyncio.wait_for(done, 60)

    listening = asyncio.create_task(listen())
    try:
        yield move
    finally:
        listening.cancel()
        writer.close()


def figures(measured: Sequence[Shaped], *, production: bool) -> list[Figure]:
    """The product's goals, and what it costs against the lean shape."""
    by_name = {one.shape: one for one in measured}
    lean, where = by_name["LeanSteps"], "production server" if production else "dev server"
    goal, found = GOALS[production], []
    for name in ("invoice", "journal"):
        one = by_name[name]
        found += [
            Figure(
                f"{name}s a second, {where}",
                f"{one.per_second:.0f}",
                f"at least {goal}",
                one.per_second >= goal,
            ),
            Figure(f"worker CPU: {name} against the lean shape, {where}", f"{one.worker_cpu / lean.worker_cpu:.1f} x"),
            Figure(f"server CPU: {name} against the lean shape, {where}", f"{one.server_cpu / lean.server_cpu:.1f} x"),
        ]
    return found


def describe(measured: Sequence[Shaped]) -> str:
    """The whole table, then the same as JSON."""
    rows = [
        "| shape | docs/s | p50 / p99 ms at 8/s | worker / server CPU s per 1000 | events / actions |",
        "|---|--:|--:|--:|--:|",
    ]
    rows += [
        f"| {one.shape} | {one.per_second:.1f} | {one.p50_ms:.0f} / {one.p99_ms:.0f} | "
        f"{one.worker_cpu:.1f} / {one.server_cpu:.1f} | {one.events:.0f} / {one.actions:.1f} |"
        for one in measured
    ]
    return "\n".join([*rows, json.dumps([asdict(one) for one in measured])])
