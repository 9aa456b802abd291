"""Wakes a workflow at most once for any number of changes it has not looked at yet.

A signal is only sent when no confirmed one waits to be consumed; the consumer takes every wake-up announced so far
before it reads. So nothing is lost, and a storm of changes costs one signal.
"""

from collections.abc import Awaitable, Callable, Mapping

from store.wakeups import Wakeups


async def wake(wakeups: Wakeups, key: str, send: Callable[[], Awaitable[None]]) -> None:
    """Announce a change under `key` and, where needed, call `send`, which must return once the signal is durable."""
    ring = await wakeups.ring(key)
    if ring.needed:
        await send()
        await wakeups.confirm(key, ring.number)


async def wake_all(wakeups: Wakeups, sends: Mapping[str, Callable[[], Awaitable[None]]]) -> None:
    """`wake` for a page of keys. All are announced at once, right after the page was read.

    Announcing one after the other would come too late for most: their consumers, busy with the very change, would have
    taken the wake-up of an earlier announcer and would be woken again for nothing.
    """
    rings = await wakeups.ring_many(list(sends))
    for key, send in sends.items():
        if rings[key].needed:
            await send()
            await wakeups.confirm(key, rings[key].number)
