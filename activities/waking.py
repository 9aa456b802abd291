"""Wakes a workflow at most once for any number of changes it has not looked at yet.

A signal is only sent when no confirmed one waits to be consumed; the consumer takes every wake-up announced so far
before it reads. So nothing is lost, and a storm of changes costs one signal.
"""

from collections.abc import Awaitable, Callable

from store.wakeups import Wakeups


async def wake(wakeups: Wakeups, key: str, send: Callable[[], Awaitable[None]]) -> None:
    """Announce a change under `key` and, where needed, call `send`, which must return once the signal is durable."""
    ring = await wakeups.ring(key)
    if ring.needed:
        await send()
        await wakeups.confirm(key, ring.number)
