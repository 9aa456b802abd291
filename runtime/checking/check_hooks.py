"""How the shops' webhooks were when they were looked at last, as findings: those that do not deliver."""

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Final

from runtime.checking.findings import Finding, Level
from runtime.operations.ages import age
from runtime.operations.hook_standing import ShopHooks

PATIENCE: Final = dt.timedelta(hours=1)
"""Several looks: what is still down then is not healed by another one."""
OVERDUE: Final = dt.timedelta(days=1)
"""A look that is older says nothing about today, however rarely it is scheduled."""


def hook_findings(shops: Iterable[ShopHooks], now: dt.datetime) -> list[Finding]:
    """At most one for each shop and cause. Webhooks are healed by themselves, so it is a warning while that may still
    come; one that was not healed for an hour is a mistake."""
    return [finding for one in shops for finding in _findings(one, now)]


def not_delivering(shop: ShopHooks) -> str:
    """`2 of 6 webhooks do not deliver` and which, with what was found."""
    told = "; ".join(f"{one.scope} ({one.state.value.replace('_', ' ')})" for one in shop.down)
    verb = "does" if len(shop.down) == 1 else "do"
    return f"{len(shop.down)} of {len(shop.hooks)} webhooks {verb} not deliver: {told}"


def _findings(shop: ShopHooks, now: dt.datetime) -> Iterator[Finding]:
    if shop.down:
        since = min((one.lost_at for one in shop.down if one.lost_at), default=now)
        lasts = now - since > PATIENCE
        yield Finding(
            level=Level.MISTAKE if lasts else Level.WARNING,
            subject=shop.connection,
            sentence=f"{not_delivering(shop)}. For {age(now - since)}; what they miss is found by poll meanwhile.",
            remedy=(
                "Nobody could heal them. What the shop answers, and since when changes are still to be read: "
                f"ml-connector hooks status {shop.connection}"
                if lasts
                else "They are healed with the next look, and what was missed is read then. If they stay so: "
                f"ml-connector hooks status {shop.connection}"
            ),
        )
    elif shop.hooks and now - min(one.checked_at for one in shop.hooks) > OVERDUE:
        yield Finding(
            level=Level.WARNING,
            subject=shop.connection,
            sentence="Nobody has looked after its webhooks for more than a day.",
            remedy=f"Look at the schedule {shop.schedule} and its newest run in the Temporal UI.",
        )
