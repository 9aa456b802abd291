"""A worker of the product as a process of its own, and what processes use: CPU and memory, read from /proc."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from sandbox.fusion.masters.setup import ITEM_MASTER
from tests.support.stack import DEMO_CONFIGURATION, Stack

ROOT: Final = Path(__file__).parents[1]
BYTECODE: Final = ROOT / ".cache" / "bytecode"
WORKER: Final = ("-c", "from runtime.cli import main; main()", "--log-level", "INFO", "--log-form", "json", "worker")
BILLED: Final = """
[integrations.books.receivable]
transaction_source = "ML Connector"
transaction_type = "Web Invoice"
customer_account = "1006"

[integrations.imports]
"""


KEPT_EQUAL: Final = (
    ('id = "fusion"\n', f'id = "fusion"\nitems = {{ organization = "{ITEM_MASTER}" }}\n'),
    (
        'id = "shop-us"\n',
        'id = "shop-us"\nitems = { enabled = true, overlap = 1, cron = "0 4 1 1 *", sweep_cron = "0 5 1 1 *" }\n',
    ),
)


@asynccontextmanager
async def product_worker(
    stack: Stack, pace: Mapping[str, float], *, billed: bool = False, items: bool = False
) -> AsyncIterator[int]:
    """`ml-connector worker` with the import policy `pace`. `billed`: the American shop makes invoices, not journals;
    `items`: its products are kept equal to items.

    Yields its process id once it serves every queue.
    """
    path = write_configuration(stack, pace, billed=billed, items=items)
    async with worker_process(WORKER, {**stack.environment, "ML_CONNECTOR_CONFIG": str(path)}) as pid:
        yield pid


def write_configuration(stack: Stack, pace: Mapping[str, float], *, billed: bool = False, items: bool = False) -> Path:
    """The demo's configuration without its limits, with the default polls and this import policy.

    `billed`, `items`: as of `product_worker`.
    """
    text = DEMO_CONFIGURATION.read_text(encoding="utf-8")
    text = text.replace("flush_after = 10.0\nquiet_period = 1.0", "\n".join(f"{n} = {v}" for n, v in pace.items()))
    text = text.replace('cron = "* * * * *"\njitter = 0.0\n', "")
    text = text.replace("patience = 60.0\n", "enabled = false\n")
    text = text.replace("requests_per_window = 3000", "requests_per_window = 1000000")
    text = text.replace("requests_per_minute = 6000", "requests_per_minute = 600000")
    if billed:
        text = text.replace('name = "Maple & Pine Goods" }', 'name = "Maple & Pine Goods", target = "receivable" }', 1)
        text = text.replace("\n[integrations.imports]\n", BILLED, 1)
    for passage, kept in KEPT_EQUAL if items else ():
        text = text.replace(passage, kept, 1)
    path = stack.directory / ("billed.toml" if billed else "connector.toml")
    path.write_text(text, encoding="utf-8")
    return path


@asynccontextmanager
async def worker_process(arguments: Sequence[str], environment: Mapping[str, str]) -> AsyncIterator[int]:
    """A worker as a process; ready when it says so."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        env=_compiled({**environment, "PYTHONPATH": str(ROOT)}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    output = process.stdout
    said = b""
    async with asyncio.timeout(180):
        while (line := await output.readline()) and b"worker is up" not in line:
            said = line
    if not line:
        raise RuntimeError(f"The worker ended before it was up: {said.decode()[-500:]}")
    draining = asyncio.create_task(_drain(output))
    try:
        yield process.pid
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        await draining


def _compiled(environment: dict[str, str]) -> dict[str, str]:
    """With bytecode kept, as where the product is installed: the sandbox imports modules for every run."""
    kept = {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {"PYTHONPYCACHEPREFIX": str(BYTECODE), **kept}


async def _drain(output: asyncio.StreamReader) -> None:
    while await output.read(65536):
        pass


def cpu(*pids: int) -> float:
    """Seconds of CPU that these processes and all of theirs have used, in user and kernel mode, the dead included."""
    children = _children()
    seen: set[int] = set()
    waiting = list(pids)
    ticks = 0
    while waiting:
        pid = waiting.pop()
        if pid not in seen:
            seen.add(pid)
            ticks += _ticks(pid)
            waiting += children.get(pid, [])
    return ticks / os.sysconf("SC_CLK_TCK")


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(field) for field in fields[11:15])


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rsplit(")", 1)[1].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        found.setdefault(parent, []).append(int(path.parent.name))
    return found


def resident(pid: int) -> float:
    """Resident memory of the process in MB (10**6 bytes)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ProcessLookupError(pid)
