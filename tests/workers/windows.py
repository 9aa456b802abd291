"""How many calls fell into any span of time, by the moments at which a vendor's twin took them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sandbox.kit.calls import Call


@dataclass(frozen=True)
class Load:
    """What one account was asked. `fullest`: most calls within one window, wherever it begins."""

    calls: int
    fullest: int
    usual: float
    """Calls within a window on average, from the first call to the last."""


def load_of(calls: Iterable[Call], window: float) -> Load:
    """`window`: seconds. A call exactly one window after another is not in the same."""
    moments = sorted(_seconds(call.at) for call in calls)
    fullest, oldest = 0, 0
    for newest, moment in enumerate(moments):
        while moment - moments[oldest] >= window:
            oldest += 1
        fullest = max(fullest, newest - oldest + 1)
    lasted = moments[-1] - moments[0] if len(moments) > 1 else window
    return Load(calls=len(moments), fullest=fullest, usual=len(moments) * window / max(lasted, window))


def _seconds(moment: datetime) -> float:
    return moment.timestamp()
