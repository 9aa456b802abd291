"""Processes of the product as a test meets them in the wild: started, killed, paused, and gone on with.

Importing the product takes seconds, and a crash test starts dozens of processes. A `Nursery` imports it once and forks:
each child is a process of its own, with its own event loop, connections and threads, none of which the nursery has.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parents[2]
"""The repository: where the rooms are imported from."""


class MortalProcess:
    """A process that a test may kill, pause and resume, whoever is its parent."""

    def __init__(self, pid: int, name: str, log: Path) -> None:
        self.pid = pid
        self.name = name
        self.log = log
        self._gone = asyncio.Event()
        self._handle: int | None = None
        try:
            self._handle = os.pidfd_open(pid)
        except ProcessLookupError:
            self._gone.set()
            return
        asyncio.get_running_loop().add_reader(self._handle, self._note_end)

    def _note_end(self) -> None:
        if self._handle is not None:
            asyncio.get_running_loop().remove_reader(self._handle)
            os.close(self._handle)
            self._handle = None
        self._gone.set()

    @property
    def alive(self) -> bool:
        return not self._gone.is_set()

    def signal(self, number: signal.Signals) -> None:
        """Does nothing when it is gone already."""
        if self._handle is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, number)

    async def kill(self) -> None:
        """SIGKILL, and waits until it is gone."""
        self.signal(signal.SIGKILL)
        await self.gone()

    def pause(self) -> None:
        """SIGSTOP: it stands still, its connections stay open, its clock runs on."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    async def end(self, grace: float = 15.0) -> None:
        """SIGTERM and an orderly end; killed after `grace` seconds."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            await self.gone(grace)
        except TimeoutError:
            await self.kill()

    async def gone(self, patience: float = 120.0) -> None:
        """Waits until it is gone; `TimeoutError` after `patience` seconds."""
        async with asyncio.timeout(patience):
            await self._gone.wait()

    async def says(self, words: str, patience: float = 180.0) -> None:
        """Waits until its log holds `words`."""
        async with asyncio.timeout(patience):
            while words not in self.text():
                if not self.alive:
                    raise AssertionError(f"{self.name} ended before it said {words!r}:\n{self.text()[-2000:]}")
                await asyncio.sleep(0.05)

    def text(self) -> str:
        """Its log."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""


async def start_command(
    arguments: Sequence[str], environment: Mapping[str, str], log: Path, name: str
) -> tuple[MortalProcess, asyncio.subprocess.Process]:
    """`ml-connector ARGUMENTS` as an operator starts it. Keep the second value: it reaps the process."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "from runtime.cli import main; main()",
            *arguments,
            env={**environment, "PYTHONPATH": str(ROOT)},
            cwd=log.parent,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    finally:
        os.close(output)
    return MortalProcess(child.pid, name, log), child


class Nursery:
    """`async with Nursery(script, environment, log) as nursery: await nursery.start(...)`.

    `script` imports what its children need, then reads one JSON object a line from standard input, forks for each and
    answers with `{"pid": ...}`. All children end with the nursery.
    """

    def __init__(self, script: Path, log: Path) -> None:
        self._script = script
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._one_at_a_time = asyncio.Lock()
        self._count = 0
        self._started: list[MortalProcess] = []

    async def __aenter__(self) -> Self:
        output = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                str(self._script),
                env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
                cwd=self._log.parent,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=output,
            )
        finally:
            os.close(output)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async with self._one_at_a_time:
            for child in self._started:
                child.signal(signal.SIGKILL)
        for child in self._started:
            await child.gone()
        process = self._process
        if process is not None and process.stdin is not None:
            process.stdin.close()
            await asyncio.wait_for(process.wait(), 120)

    async def start(self, role: str, directory: Path, environment: Mapping[str, str], **options: Any) -> MortalProcess:
        """A child that plays `role`. Its log goes to `directory`. Whoever is cancelled here leaves no child behind."""
        self._count += 1
        name = f"{role}-{self._count}"
        log = directory / f"{name}.log"
        wish = {"role": role, "log": str(log), "environment": dict(environment), "options": options}
        # The answer belongs to the question: one that nobody read would be taken for the next child's.
        forking = asyncio.create_task(self._fork(wish, name, log))
        try:
            return await asyncio.shield(forking)
        except asyncio.CancelledError:
            forking.add_done_callback(_unwanted)
            raise

    async def _fork(self, wish: Mapping[str, Any], name: str, log: Path) -> MortalProcess:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise RuntimeError("The nursery is not open.")
        async with self._one_at_a_time:
            process.stdin.write(json.dumps(wish).encode() + b"\n")
            await process.stdin.drain()
            answer = await asyncio.wait_for(process.stdout.readline(), 300)
            if not answer:
                raise AssertionError(f"The nursery ended:\n{self._log.read_text()[-2000:]}")
            child = MortalProcess(int(json.loads(answer)["pid"]), name, log)
            self._started.append(child)
        return child


def _unwanted(forking: asyncio.Task[MortalProcess]) -> None:
    """A child that nobody waits for any more."""
    if not forking.cancelled() and forking.exception() is None:
        forking.result().signal(signal.SIGKILL)
