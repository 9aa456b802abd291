"""Ways in which the twins go wrong, each as a row of a table: where it strikes, and who has to act on it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from support.stack import Stack

from sandbox.kit import Exchange, Twin

Struck = Callable[[], int]
"""How often it has happened: a fault that never strikes proves nothing."""
Arrange = Callable[[Stack], Struck]


@dataclass(frozen=True)
class Row:
    """One thing that goes wrong."""

    name: str
    arrange: Arrange
    group_review: str = ""
    """Problem code with which the group waits for a person; a retry then posts it."""
    order_review: str = ""
    """The same of the order."""
    orders: int = 1


def fusion(kind: str, **settings: Any) -> Arrange:
    """A fault of the Fusion twin."""
    return lambda stack: _fault(stack.fusion, kind, settings)


def shop(kind: str, **settings: Any) -> Arrange:
    """A fault of the shops' twin."""
    return lambda stack: _fault(stack.shops, kind, settings)


def _fault(twin: Twin, kind: str, settings: dict[str, Any]) -> Struck:
    fault = twin.faults.set(kind, **settings)
    return lambda: fault.struck


def both(*arranged: Arrange) -> Arrange:
    """All of them; each must strike."""

    def arrange(stack: Stack) -> Struck:
        struck = [one(stack) for one in arranged]
        return lambda: min(one() for one in struck)

    return arrange


def never_needed(arranged: Arrange) -> Arrange:
    """A fault of something that is never asked for; it does not have to strike."""

    def arrange(stack: Stack) -> Struck:
        arranged(stack)
        return lambda: 1

    return arrange


def down(
    system: Literal["fusion", "shops"],
    how: Literal["503", "refused"],
    *,
    after: int = 0,
    seconds: float = 3.0,
    **conditions: Any,
) -> Arrange:
    """The whole system is down for a while from the moment a request that fits arrives (`after` that many)."""

    def arrange(stack: Stack) -> Struck:
        twin: Twin = getattr(stack, system)
        passed = [0]

        def nth(_: Exchange) -> bool:
            passed[0] += 1
            return passed[0] > after

        async def go_down(_: Exchange) -> None:
            if how == "503":
                twin.faults.set("outage", lasts=seconds)
            elif twin.listener is not None:
                twin.listener.refuse(seconds)

        hook = twin.hooks.on("received", go_down, match=nth, **conditions)
        return lambda: hook.fired

    return arrange


def tight_quota(stack: Stack) -> Struck:
    """The shop allows few requests in a short window, and says so: who listens is never refused."""
    quota = stack.shops.stores["us1abc"].quota
    quota.requests, quota.window_seconds = 2, 2.0
    used_up = quota.used_up
    return lambda: quota.used_up - used_up


def busy_neighbours(stack: Stack) -> Struck:
    """Other apps of the store use its quota up before each window ends, whatever is asked here."""
    quota = stack.shops.stores["us1abc"].quota
    quota.requests, quota.window_seconds, quota.others_per_second = 8, 2.0, 6.0
    before = quota.used_up + quota.refused
    return lambda: quota.used_up + quota.refused - before


def brackets_for_nothing(stack: Stack) -> Struck:
    """Empty lists are `[]` with 200 instead of 204."""
    store = stack.shops.stores["us1abc"]
    store.settings = replace(store.settings, empty_lists=200)
    return lambda: 1


def set_right(stack: Stack) -> None:
    """Nothing is wrong any more."""
    stack.fusion.faults.clear()
    stack.fusion.hooks.clear()
    stack.shops.faults.clear()
    stack.shops.hooks.clear()
    store = stack.shops.stores["us1abc"]
    store.settings = replace(store.settings, empty_lists=204)
    store.quota.requests, store.quota.window_seconds = store.settings.requests_per_window, 30.0
    store.quota.others_per_second = 0.0
