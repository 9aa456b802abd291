"""What an operator types, as another process would run it."""

import asyncio
import io
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from support.stack import DEMO_CONFIGURATION, Stack
from typer.testing import CliRunner, Result

from runtime.cli import application
from runtime.observing.logs import configure_logs

Typed = Callable[..., Awaitable[Result]]


@contextmanager
def logs_apart() -> Iterator[None]:
    """Around commands that run in the test's process: their handlers write to streams that end with them.

    Only the handlers are put back. How records are made stays as commands set it (`log_as_commands_do`): a worker
    beside them that finds it half changed has its logs in a command's output, or fails for a stream that is closed.
    """
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        logging.captureWarnings(False)
        own = [handler for handler in root.handlers if handler not in handlers]
        root.handlers[:] = handlers
        root.setLevel(level)
        for handler in own:
            if isinstance(handler, logging.StreamHandler):
                handler.setStream(io.StringIO())  # under its lock, so that nobody is left writing to a closed one


def log_as_commands_do() -> None:
    """Once for a test process, before anything in it logs: no command changes then how records are made."""
    with logs_apart():
        configure_logs()


class _Runner(CliRunner):
    """Swaps the streams of the whole process, and lets go of them while they can still be written to."""

    @contextmanager
    def isolation(self, *arguments: Any, **options: Any) -> Iterator[tuple[io.BytesIO, io.BytesIO, io.BytesIO]]:
        with super().isolation(*arguments, **options) as streams, logs_apart():
            yield streams


def run_line(environment: Mapping[str, str | None], *arguments: str, text: str | None = None) -> Result:
    """Runs a command line; `text` is what a person types into it."""
    return _Runner(env=environment).invoke(application(), arguments, input=text)


async def typed(environment: Mapping[str, str | None], *arguments: str) -> Result:
    """Runs a command line beside what else runs in the test's process."""
    return await asyncio.to_thread(run_line, environment, *arguments)


def typed_beside(stack: Stack) -> Typed:
    """Runs command lines with the stack's environment; keyword arguments are further variables."""

    async def run(*arguments: str, **environment: str) -> Result:
        chosen = () if "--config" in arguments else ("--config", str(DEMO_CONFIGURATION))
        return await typed({**stack.environment, "COLUMNS": "200", **environment}, *arguments, *chosen)

    return run
