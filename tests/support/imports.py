"""Imports into the general ledger that are over soon."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from replay.stage import with_fusion
from support.stack import FAST, Stack, open_stack
from support.topology import TemporalServer

from contracts.configuration import Configuration

HELD: Final = 60.0
"""Seconds for which a test may hold back what Fusion answers to an import, before the import is looked for instead."""


def let_imports_be_held(configuration: Configuration) -> Configuration:
    """For tests that act while an import is under way: it goes on when they say so, however long they take."""
    return with_fusion(configuration, import_timeout=HELD)


@asynccontextmanager
async def importing_stack(
    server: TemporalServer,
    directory: Path,
    *,
    deadline: float,
    settle: float,
    fusion: Mapping[str, Any],
    imports: Mapping[str, Any],
    adjust: Callable[[Configuration], Configuration] = lambda configuration: configuration,
) -> AsyncIterator[Stack]:
    """A stack with its worker.

    `deadline` of an import's request, and until anybody looks for it (`settle`), are in seconds; `fusion` changes how
    the connection imports, `imports` the policy, which is `FAST` else, and `adjust` what more there is.
    """

    def quick(configuration: Configuration) -> Configuration:
        return adjust(with_fusion(configuration, import_timeout=deadline, settle=settle, journal_import=fusion))

    async with open_stack(server, directory, imports={**FAST, **imports}, adjust=quick) as stack, stack.worker():
        yield stack
