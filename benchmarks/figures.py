"""Figures as Markdown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One row. `goal` and `met` where a goal is set."""

    what: str
    value: str
    goal: str = ""
    met: bool | None = None

    @property
    def verdict(self) -> str:
        return "" if self.met is None else ("yes" if self.met else "NO")


def at_most(what: str, value: float, goal: float, *, form: str = ".1f", unit: str = "") -> Figure:
    """A figure that must not exceed its goal."""
    return Figure(what, f"{value:{form}}{unit}", f"at most {goal:g}{unit}", value <= goal)


def below(what: str, value: float, goal: float, *, form: str = ".2f", unit: str = "") -> Figure:
    return Figure(what, f"{value:{form}}{unit}", f"below {goal:g}{unit}", value < goal)


def table(figures: Iterable[Figure]) -> str:
    rows = [("figure", "measured", "goal", "met"), ("---", "--:", "--:", "---")]
    rows += [(one.what, one.value, one.goal, one.verdict) for one in figures]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest rank. `share` between 0 and 1."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))]
