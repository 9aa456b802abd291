"""What an operator types beside a stack, as another process would run it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import structlog
from support.stack import DEMO_CONFIGURATION, Stack
from typer.testing import CliRunner, Result

from runtime.cli import application

Typed = Callable[..., Awaitable[Result]]


def typed_beside(stack: Stack) -> Typed:
    """Runs a command line with the stack's environment; keyword arguments are further variables."""

    async def run(*arguments: str, **environment: str) -> Result:
        root = logging.getLogger()
        handlers, level = root.handlers[:], root.level
        chosen = () if "--config" in arguments else ("--config", str(DEMO_CONFIGURATION))
        runner = CliRunner(env={**stack.environment, "COLUMNS": "200", **environment})
        try:
            return await asyncio.to_thread(runner.invoke, application(), (*arguments, *chosen))
        finally:
            # The command's own handlers write to a stream that ends with it.
            logging.captureWarnings(False)
            root.handlers[:] = handlers
            root.setLevel(level)
            structlog.reset_defaults()

    return run
