"""Heartbeats that do not depend on how long a single vendor call takes, and what they remember between attempts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from temporalio import activity

EVERY: Final = 20.0
"""Seconds; well below the heartbeat timeout of the steps that watch something."""
FIRST: Final = 10.0
"""Seconds after which a step that calls a vendor beats for the first time. Nearly all are over by then, and cost no
heartbeat: on Temporal Cloud each one that is sent is a billed action."""


def beating(*details: object) -> contextlib.AbstractAsyncContextManager[None]:
    """Beats in the background, so that cancellation and a lost worker are noticed however slow the vendor is."""
    return remembering(lambda: details)


@contextlib.asynccontextmanager
async def staying_alive() -> AsyncIterator[None]:
    """For steps that call a vendor, also as their decorator: whoever takes over from a worker that died, or that never
    got the step, need not wait for the longest it may take. Of what is sent, the lease and the time to settle still say
    when anything may be looked for or sent again.

    What earlier attempts remembered is kept: see `sightings`."""
    info = activity.info()
    if info.heartbeat_timeout is None:
        yield
        return
    async with remembering(lambda: info.heartbeat_details, after=FIRST):
        yield


@contextlib.asynccontextmanager
async def remembering(details: Callable[[], Sequence[object]], *, after: float = 0.0) -> AsyncIterator[None]:
    """Beats in the background with what `details` gives at that moment: what the next attempt goes on with.

    The first time `after` so many seconds.
    """

    async def beat() -> None:
        await asyncio.sleep(after)
        while True:
            activity.heartbeat(*details())
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
