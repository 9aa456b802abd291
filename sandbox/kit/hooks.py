"""Points in the life of a request at which a test may act: kill a process, change the world, hold the answer.

received    the request has been read whole, nothing has happened yet
committed   the twin has done what was asked and remembers it
answering   the answer is about to go out
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from sandbox.kit.exchange import Exchange
from sandbox.kit.outbound import send

Point = Literal["received", "committed", "answering"]
Callback = Callable[[Exchange], Awaitable[None]]
Match = Callable[[Exchange], bool]


@dataclass
class Hook:
    """One thing to do at a point. `times` is how many more exchanges it acts on (None: all)."""

    id: int
    point: Point
    callback: Callback
    method: str = ".*"
    path: str = ".*"
    body: str = ""
    match: Match | None = None
    times: int | None = 1
    gate: Gate | None = None
    fired: int = 0

    def covers(self, point: Point, exchange: Exchange) -> bool:
        """True when the hook is meant for this exchange at this point."""
        return (
            self.point == point
            and self.times != 0
            and re.fullmatch(self.method, exchange.method, re.IGNORECASE) is not None
            and re.search(self.path, exchange.path) is not None
            and (not self.body or re.search(self.body.encode(), exchange.body) is not None)
            and (self.match is None or self.match(exchange))
        )

    def facts(self) -> dict[str, Any]:
        """The hook as JSON for the control routes."""
        names = ("id", "point", "method", "path", "body", "times", "fired")
        return {name: getattr(self, name) for name in names} | {"held": self.gate.held if self.gate else 0}


class Gate:
    """Holds every exchange that reaches its hook until `release()`."""

    def __init__(self) -> None:
        self.held = 0
        self.exchanges: list[Exchange] = []
        self._arrived = asyncio.Event()
        self._open = asyncio.Event()

    async def __call__(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)
        self.held += 1
        self._arrived.set()
        try:
            await self._open.wait()
        finally:
            self.held -= 1

    async def reached(self, timeout: float | None = 420.0) -> Exchange:
        """Wait until an exchange is held here and return the newest; TimeoutError after `timeout` seconds."""
        async with asyncio.timeout(timeout):
            await self._arrived.wait()
        return self.exchanges[-1]

    def release(self) -> None:
        """Let all held exchanges go on, and all later ones pass."""
        self._open.set()


class Hooks:
    """The hooks of one twin. They act in the order they were set; an exchange waits for each of them."""

    def __init__(self) -> None:
        self._hooks: dict[int, Hook] = {}
        self._last = 0

    def on(
        self,
        point: Point,
        callback: Callback,
        *,
        method: str = ".*",
        path: str = ".*",
        body: str = "",
        match: Match | None = None,
        times: int | None = 1,
    ) -> Hook:
        """Await `callback(exchange)` at `point` for exchanges that fit.

        `method` is matched whole, `path` and `body` are searched for (regular expressions); `match` is any further
        condition. What the callback raises goes up to the server, which answers 500.
        """
        if point not in get_args(Point):
            raise ValueError(f"There is no point {point!r}; choose one of {', '.join(get_args(Point))}.")
        self._last += 1
        gate = callback if isinstance(callback, Gate) else None
        hook = Hook(self._last, point, callback, method, path, body, match, times, gate)
        self._hooks[hook.id] = hook
        return hook

    def hold(self, point: Point, **conditions: Any) -> Gate:
        """Hold exchanges that fit (conditions as for `on`) until the returned gate is released."""
        gate = Gate()
        self.on(point, gate, **conditions)
        return gate

    def call(self, point: Point, callback_url: str, **conditions: Any) -> Hook:
        """At `point` post the exchange's facts to an address and wait for its 200; anything else is a RuntimeError."""

        async def callback(exchange: Exchange) -> None:
            content = json.dumps({"point": point, **exchange.facts()}).encode()
            answer = await send("POST", callback_url, content, {"content-type": "application/json"}, timeout=120.0)
            if answer.status != 200:
                raise RuntimeError(f"The hook's callback answered {answer.status} instead of 200.")

        return self.on(point, callback, **conditions)

    def get(self, hook_id: int) -> Hook | None:
        """A hook by its id."""
        return self._hooks.get(hook_id)

    def all(self) -> list[Hook]:
        """Every hook, also those that have acted often enough."""
        return list(self._hooks.values())

    def clear(self) -> None:
        """Remove all hooks and release what they hold."""
        for hook in self._hooks.values():
            if hook.gate is not None:
                hook.gate.release()
        self._hooks.clear()

    async def reach(self, point: Point, exchange: Exchange) -> None:
        """Called by the wire: run every hook that covers the exchange at this point."""
        for hook in list(self._hooks.values()):
            if hook.covers(point, exchange):
                if hook.times is not None:
                    hook.times -= 1
                hook.fired += 1
                await hook.callback(exchange)
