"""Runs `ml-connector` commands quickly: imported once, forked for each. Importing alone takes seconds a command."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parents[3]


class Shell:
    """`async with Shell() as shell: code, text = await shell.run(["status"], environment, log)`."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            __file__,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._process
        if process is not None and process.stdin is not None:
            process.stdin.close()
            await asyncio.wait_for(process.wait(), 60)

    async def run(self, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> tuple[int, str]:
        """Exit code and everything the command printed, which is also in `log`."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise RuntimeError("The shell is not open.")
        wish = {"arguments": list(arguments), "environment": dict(environment), "log": str(log)}
        process.stdin.write(json.dumps(wish).encode() + b"\n")
        await process.stdin.drain()
        answer = await asyncio.wait_for(process.stdout.readline(), 300)
        return int(answer), log.read_text(errors="replace")  # noqa: ASYNC240 -- a few kilobytes


def _serve() -> None:
    from runtime.cli import main

    for line in sys.stdin:
        wish: dict[str, Any] = json.loads(line)
        child = os.fork()
        if child == 0:
            _become(main, wish)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _become(main: Any, wish: Mapping[str, Any]) -> None:
    """The child: one command with its own output and environment. Does not return."""
    code = 1
    try:
        output = os.open(wish["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for stream in (1, 2):
            os.dup2(output, stream)
        os.environ.clear()
        os.environ.update(wish["environment"])
        sys.argv = ["ml-connector", *wish["arguments"]]
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
