"""How a step reaches a vendor: through the gate of its connection, waiting there while the connection is down."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final, TypeVar

from temporalio import activity

from activities.access.evidence import blames_connection
from activities.access.gates import Gate, Paused, Turn
from activities.collaborators import Collaborators
from activities.failures import raise_for_temporal, wait
from activities.heartbeat import beating
from clients.errors import Forbidden, Held, Unauthorized, VendorError

T = TypeVar("T")

LONGEST_WAIT: Final = 180.0
"""Seconds a step waits inside its activity. The rest of its five minutes is for the calls themselves."""
FOR_CALLS: Final = 0.4
"""Share of the time an activity has that is never waited away."""
COME_BACK: Final = (1.0, 5.0)
"""Seconds, at random between these, after which Temporal brings back a step that has waited long enough: soon, so that
nobody is late when the connection works again, and not all at once."""
PAUSED: Final = "Paused"
"""`ApplicationError.type` of a step that waited for its connection."""


async def pass_gate(parts: Collaborators, connection: str, document: str, call: Callable[[], Awaitable[T]]) -> T:
    """`call`, once the connection lets it pass. `document` names for people what it is about.

    `call` may be run again after an outage, so it holds nothing that outlives a failure: leases are taken and given
    back inside. Its `VendorError` becomes what `activities.failures` says.
    """
    gate = parts.gates.of(connection)
    turn = Turn(kind=activity.info().activity_type, document=document)
    gives_up_at = asyncio.get_running_loop().time() + _patience()
    try:
        while True:
            if not gate.is_open:
                await _wait_at(gate, turn, gives_up_at)
            try:
                with gate.passing(turn):
                    await gate.prove(turn)
                    result = await call()
            except VendorError as error:
                if isinstance(error, Forbidden):
                    gate.forbid(turn.kind, error)
                if gate.is_open or not blames_connection(error):
                    _raise_unless_stale(gate, error, document)
            else:
                gate.allow(turn.kind)
                return result
            finally:
                await gate.publish()
    finally:
        gate.leave(turn)


def _raise_unless_stale(gate: Gate, error: VendorError, document: str) -> None:
    """What was refused or held back for a secret that has changed meanwhile is simply asked again."""
    if isinstance(error, Unauthorized) or (isinstance(error, Held) and gate.wants_proof):
        raise wait(f"{document}: {error.sentence}", random.uniform(*COME_BACK), kind=PAUSED) from error  # noqa: S311
    raise_for_temporal(error, document)


async def _wait_at(gate: Gate, turn: Turn, gives_up_at: float) -> None:
    """Until the gate lets this step pass, or it is better to come back later."""
    entering = asyncio.ensure_future(gate.enter(turn, gives_up_at - asyncio.get_running_loop().time()))
    stopping = asyncio.ensure_future(activity.wait_for_worker_shutdown())
    try:
        async with _alive():
            await asyncio.wait({entering, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not entering.done():
            raise wait(f"{turn.document}: the worker stops.", 1.0, kind=PAUSED)
        entering.result()
    except Paused as paused:
        soon = random.uniform(*COME_BACK)  # noqa: S311 -- jitter
        raise wait(f"{turn.document} waits: {paused}", soon, kind=PAUSED) from None
    finally:
        entering.cancel()
        stopping.cancel()
        await asyncio.gather(entering, stopping, return_exceptions=True)


@asynccontextmanager
async def _alive() -> AsyncIterator[None]:
    """Steps with a heartbeat keep beating, with what they remember."""
    info = activity.info()
    if info.heartbeat_timeout is None:
        yield
        return
    async with beating(*info.heartbeat_details):
        yield


def _patience() -> float:
    """Seconds this attempt may wait."""
    info = activity.info()
    allowed = info.start_to_close_timeout
    if allowed is None:
        return LONGEST_WAIT
    left = allowed - (datetime.now(UTC) - info.started_time)
    return max(0.0, min(LONGEST_WAIT, left.total_seconds() - FOR_CALLS * allowed.total_seconds()))
