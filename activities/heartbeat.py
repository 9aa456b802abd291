"""Heartbeats that do not depend on how long a single vendor call takes, and what they remember between attempts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from temporalio import activity

EVERY: Final = 20.0
"""Seconds; well below the heartbeat timeout of the steps that watch something."""


@contextlib.asynccontextmanager
async def beating(*details: object) -> AsyncIterator[None]:
    """Beats in the background, so that cancellation and a lost worker are noticed however slow the vendor is."""

    async def beat() -> None:
        while True:
            activity.heartbeat(*details)
            await asyncio.sleep(EVERY)

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def sightings() -> int:
    """How often this step, over all its attempts, has now found something missing. Outages in between do not count."""
    details = activity.info().heartbeat_details
    seen = (details[0] if details and isinstance(details[0], int) else 0) + 1
    activity.heartbeat(seen)
    return seen
