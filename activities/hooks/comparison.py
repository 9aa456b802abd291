"""Which of the webhooks a shop shall have it has, and what is wrong with the others."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from activities.hooks.plan import HookPlan
from contracts.bigcommerce import BlockedDomain, Hook
from contracts.hooks import EXCEPTION_SCOPE
from store.rows import HookRow, HookState


@dataclass(frozen=True)
class Found:
    """One scope, and the hook that announces it or should."""

    scope: str
    destination: str
    hook: Hook | None
    state: HookState
    sentence: str = ""
    time_left: int = 0
    """Seconds until the shop delivers again by itself, where it is blocked."""


def compare(
    plan: HookPlan, registered: Iterable[Hook], blocked: Iterable[BlockedDomain], known: Mapping[str, HookRow]
) -> tuple[Found, ...]:
    """In the plan's order. `known`: by scope, what was found before.

    A hook with another destination is somebody else's and not looked at, unless it is known as ours: then it still
    delivers to where the gateway was before. BigCommerce: an API account has one hook for delivery exceptions. Where
    somebody else has it, none is wanted.
    """
    hooks, domains = tuple(registered), tuple(blocked)
    taken = any(
        hook.scope == EXCEPTION_SCOPE
        and (EXCEPTION_SCOPE, hook.destination) not in plan.wanted()
        and not _is_known(hook, known)
        for hook in hooks
    )
    return tuple(
        _found(plan, scope, destination, hooks, domains, known)
        for scope, destination in plan.wanted()
        if not (taken and scope == EXCEPTION_SCOPE)
    )


def _found(
    plan: HookPlan,
    scope: str,
    destination: str,
    hooks: tuple[Hook, ...],
    blocked: tuple[BlockedDomain, ...],
    known: Mapping[str, HookRow],
) -> Found:
    ours = [hook for hook in hooks if hook.destination == destination and _covers(hook.scope, scope)]
    sound = next((hook for hook in ours if hook.is_active and _carries(hook, plan.headers)), None)
    if sound is not None:
        left = max((one.time_left for one in blocked if _is_at(destination, one.destination)), default=0)
        if left <= 0:
            return Found(scope, destination, sound, HookState.ACTIVE)
        sentence = f"The shop delivers nothing to {_domain(destination)} for another {left} s: most deliveries failed."
        return Found(scope, destination, sound, HookState.BLOCKED, sentence, left)
    # One hook per scope and destination: a second one would be refused.
    own = next((hook for hook in ours if hook.scope == scope), None)
    moved = next((hook for hook in hooks if hook.scope == scope and _is_known(hook, known)), None)
    if own is None and moved is not None:
        sentence = f"It delivers to {moved.destination}, where the gateway was before."
        return Found(scope, destination, moved, HookState.MOVED, sentence)
    if own is None:
        return Found(scope, destination, None, HookState.MISSING, "The shop does not have it.")
    if not own.is_active:
        sentence = "It is switched off: deliveries failed for two days, nothing happened for 90, or somebody did it."
        return Found(scope, destination, own, HookState.OFF, sentence)
    names = ", ".join(plan.headers)
    return Found(scope, destination, own, HookState.HEADER, f"Its deliveries do not carry our value of {names}.")


def _is_known(hook: Hook, known: Mapping[str, HookRow]) -> bool:
    """A wildcard that serves us was made by hand, so it is not."""
    row = known.get(hook.scope)
    return row is not None and row.hook_id == hook.id


def _covers(registered: str, scope: str) -> bool:
    """`store/order/*` announces everything below it."""
    return registered == scope or (registered.endswith("/*") and scope.startswith(registered[:-1]))


def _carries(hook: Hook, headers: Mapping[str, str]) -> bool:
    given = {name.lower(): value for name, value in hook.headers.items()}
    return all(given.get(name.lower()) == value for name, value in headers.items())


def _is_at(destination: str, domain: str) -> bool:
    return bool(domain) and _domain(destination) == _domain(domain)


def _domain(address: str) -> str:
    """BigCommerce shows blocked domains as addresses, with or without a scheme."""
    return (urlsplit(address if "//" in address else f"//{address}").hostname or "").lower()
