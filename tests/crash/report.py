"""What the crash proof did and found: runs, kills, duplicates, losses, differences; as lines, JSON and a page."""

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from support.topology import DEV

TEST: Final = "tests/crash/test_table.py::test_no_crash_loses_or_repeats_a_document"
"""What runs the rows of the table."""
KEPT_EVERY: Final = 20.0
"""Seconds."""


@dataclass
class Verdict:
    """What the books of a target's twin say of a set of documents."""

    documents: int = 0
    duplicates: int = 0
    """Entries beyond the first, over all documents; any entry of a document that must have none."""
    losses: int = 0
    """Documents that should have an entry that counts, and have none."""
    differences: dict[str, Decimal] = field(default_factory=dict)
    """Currency -> sum of absolute differences between the books and the source, only where it is not zero."""
    leftovers: int = 0
    """Rows that wait in the target where a person could still post them."""

    def add(self, other: "Verdict") -> None:
        """Counts another set of documents as well."""
        self.documents += other.documents
        self.duplicates += other.duplicates
        self.losses += other.losses
        self.leftovers += other.leftovers
        for currency, amount in other.differences.items():
            self.differ(currency, amount)

    def differ(self, currency: str, amount: Decimal) -> None:
        """A document is off by `amount`."""
        if amount:
            self.differences[currency] = self.differences.get(currency, Decimal(0)) + abs(amount)

    @property
    def clean(self) -> bool:
        return not (self.duplicates or self.losses or self.differences or self.leftovers)

    def sentence(self) -> str:
        return (
            f"{self.documents} documents: {self.duplicates} duplicates, {self.losses} lost, "
            f"difference {self.difference()}, {self.leftovers} rows left behind"
        )

    def difference(self) -> str:
        """Amounts with their currencies, or 0."""
        return ", ".join(f"{amount} {currency}" for currency, amount in sorted(self.differences.items())) or "0"

    def facts(self) -> dict[str, Any]:
        return {
            "documents": self.documents,
            "duplicates": self.duplicates,
            "losses": self.losses,
            "differences": {currency: str(amount) for currency, amount in sorted(self.differences.items())},
            "leftovers": self.leftovers,
        }


def row_id(posting: str, point: str, seed: int) -> str:
    """How a row is called in its test."""
    return f"{posting}: {point}" + (f", seed {seed}" if seed > 1 else "")


@dataclass
class Run:
    """One run of a row of the table."""

    posting: str
    point: str
    seed: int = 1
    kills: Counter[str] = field(default_factory=Counter)
    """By what was done to whom: worker, worker paused, gateway, server, reset, ..."""
    decisions: Counter[str] = field(default_factory=Counter)
    """What a person decided, by kind of document and decision."""
    verdict: Verdict | None = None
    """None: it did not come so far."""
    failure: str = ""
    """Why it did not end as it should, in one sentence."""
    seconds: float = 0.0
    began: float = field(default_factory=time.monotonic, repr=False)

    def end(self, verdict: Verdict) -> Verdict:
        self.verdict = verdict
        self.seconds = round(time.monotonic() - self.began, 1)
        return verdict

    def fail(self, error: BaseException, verdict: Verdict | None) -> None:
        """It broke off; `verdict`: what the books said at that moment."""
        self.failure = (str(error) or type(error).__name__).splitlines()[0]
        self.verdict = verdict
        self.seconds = round(time.monotonic() - self.began, 1)

    @property
    def ended(self) -> bool:
        """As it should or not."""
        return self.verdict is not None or bool(self.failure)

    @property
    def good(self) -> bool:
        return self.verdict is not None and self.verdict.clean and not self.failure

    def sentence(self) -> str:
        found = self.verdict.sentence() if self.verdict else "did not end"
        return f"{found}; {self.failure}" if self.failure else found

    def facts(self) -> dict[str, Any]:
        return {
            "posting": self.posting,
            "point": self.point,
            "seed": self.seed,
            "kills": dict(sorted(self.kills.items())),
            "decisions": dict(sorted(self.decisions.items())),
            "verdict": self.verdict.facts() if self.verdict else None,
            "failure": self.failure,
            "seconds": self.seconds,
        }


@dataclass
class Totals:
    """Any set of runs, added up."""

    runs: int = 0
    bad: int = 0
    """Runs that did not end as they should."""
    kills: Counter[str] = field(default_factory=Counter)
    decisions: Counter[str] = field(default_factory=Counter)
    verdict: Verdict = field(default_factory=Verdict)
    seeds: set[int] = field(default_factory=set)
    seconds: float = 0.0
    longest: float = 0.0

    @classmethod
    def of(cls, runs: Iterable[Run]) -> "Totals":
        totals = cls()
        for run in runs:
            totals.runs += 1
            totals.bad += not run.good
            totals.kills += run.kills
            totals.decisions += run.decisions
            totals.seeds.add(run.seed)
            totals.seconds += run.seconds
            totals.longest = max(totals.longest, run.seconds)
            if run.verdict:
                totals.verdict.add(run.verdict)
        return totals

    def sentence(self) -> str:
        found = self.verdict
        return (
            f"{self.runs} runs, {self.kills.total()} kills, {found.documents} documents, "
            f"{found.duplicates} duplicates, {found.losses} lost, difference {found.difference()}, "
            f"{self.bad} runs not as they should be"
        )

    def facts(self) -> dict[str, Any]:
        return {
            "runs": self.runs,
            "bad": self.bad,
            "kills": dict(sorted(self.kills.items())),
            "decisions": dict(sorted(self.decisions.items())),
            **self.verdict.facts(),
            "seeds": sorted(self.seeds),
            "seconds": round(self.seconds, 1),
        }


class Report:
    """All runs of a session, in the order in which they began."""

    def __init__(self, directory: Path | None = None, *, topology: str = DEV) -> None:
        """`directory`: where it is kept while the session lasts, which may be hours and end by anything."""
        self.runs: list[Run] = []
        self.topology = topology
        self.began = datetime.now(UTC)
        self.directory = directory
        self._kept = time.monotonic()

    def begin(self, posting: str, point: str, seed: int = 1) -> Run:
        run = Run(posting, point, seed)
        self.runs.append(run)
        return run

    @property
    def totals(self) -> Totals:
        return Totals.of(self.runs)

    def command(self, run: Run) -> str:
        """How to repeat a run, and nothing else."""
        where = "" if self.topology == DEV else f" --topology={self.topology}"
        return f'CRASH_SEEDS={run.seed}-{run.seed} pytest{where} "{TEST}[{row_id(run.posting, run.point, run.seed)}]"'

    def lines(self) -> Iterator[str]:
        """For the terminal: every run, then the totals."""
        width = max((len(run.point) for run in self.runs), default=0)
        for run in self.runs:
            kills = ", ".join(f"{count} {what}" for what, count in sorted(run.kills.items())) or "nothing"
            seed = f", seed {run.seed}" if run.seed > 1 else ""
            yield f"{run.posting}{seed} | {run.point:{width}} | {run.seconds:5.1f} s | hit: {kills} | {run.sentence()}"
        yield self.totals.sentence()

    def facts(self) -> dict[str, Any]:
        return {
            "began": self.began.isoformat(timespec="seconds"),
            "topology": self.topology,
            "totals": self.totals.facts(),
            "runs": [run.facts() for run in self.runs],
        }

    def keep(self) -> None:
        """Writes what has ended by now, at most every few seconds."""
        if self.directory is not None and time.monotonic() - self._kept > KEPT_EVERY:
            by_now = Report(topology=self.topology)
            by_now.began = self.began
            by_now.runs = [run for run in self.runs if run.ended]
            by_now.write(self.directory)
            self._kept = time.monotonic()

    def write(self, directory: Path) -> Path:
        """Writes `report.json` and `index.html`; gives the page."""
        from crash.page import page_of

        directory.mkdir(parents=True, exist_ok=True)
        (directory / "report.json").write_text(json.dumps(self.facts(), indent=2) + "\n")
        page = directory / "index.html"
        page.write_text(page_of(self))
        return page.resolve()
