"""The report of the crash proof as one page without anything from elsewhere."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from crash.report import Report, Run, Totals
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from support.topology import CLUSTER, DEV

TEMPLATE: Final = "page.html.j2"
SYSTEMS: Final = {
    DEV: "Temporal's dev server and SQLite",
    CLUSTER: "the production Temporal server and PostgreSQL",
}
"""What the product ran on."""


@dataclass(frozen=True)
class Line:
    """One kill point of a posting, over all seeds."""

    point: str
    totals: Totals


@dataclass(frozen=True)
class Section:
    """One posting."""

    posting: str
    totals: Totals
    lines: tuple[Line, ...]


def sections(runs: list[Run]) -> Iterator[Section]:
    """Postings and their points in the order in which they first ran."""
    for posting in dict.fromkeys(run.posting for run in runs):
        own = [run for run in runs if run.posting == posting]
        points = dict.fromkeys(run.point for run in own)
        yield Section(
            posting,
            Totals.of(own),
            tuple(Line(point, Totals.of(run for run in own if run.point == point)) for point in points),
        )


def page_of(report: Report) -> str:
    """The whole page as text."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"seeds": seeds_text, "struck": struck_text, "long": duration_text, "of": count_text}
    return environment.get_template(TEMPLATE).render(
        began=report.began,
        system=SYSTEMS[report.topology],
        command=report.command,
        totals=report.totals,
        sections=list(sections(report.runs)),
        bad=[run for run in report.runs if not run.good],
    )


def count_text(number: int, what: str) -> str:
    """`1 run`, `2 runs`."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def seeds_text(seeds: set[int]) -> str:
    """`1-3, 7` for 1, 2, 3 and 7."""
    parts: list[list[int]] = []
    for seed in sorted(seeds):
        if parts and seed == parts[-1][-1] + 1:
            parts[-1] = [parts[-1][0], seed]
        else:
            parts.append([seed, seed])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


def struck_text(kills: dict[str, int]) -> str:
    """Who was struck how often, the most frequent first."""
    return ", ".join(f"{count} × {what}" for what, count in sorted(kills.items(), key=lambda one: (-one[1], one[0])))


def duration_text(seconds: float) -> str:
    """`45.2 s`, or `12 min`, or `3 h 20 min`."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes = round(timedelta(seconds=seconds).total_seconds() / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
