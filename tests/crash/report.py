"""What the crash tests did and found: runs, kills, duplicates, losses; as text and, at `CRASH_REPORT`, as JSON."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any


@dataclass
class Verdict:
    """What the books of the ledger's twin say of a set of orders. Amounts are absolute differences by currency."""

    orders: int = 0
    duplicates: int = 0
    """Journals beyond the first, over all orders."""
    losses: int = 0
    """Orders that should have a posted journal and have none."""
    differences: dict[str, Decimal] = field(default_factory=dict)
    """Currency -> ledger minus source, only where it is not zero."""
    interface_rows: int = 0
    """Rows left where a person could import them later."""

    def add(self, other: "Verdict") -> None:
        """Counts another set of orders of the same books as well."""
        self.orders += other.orders
        self.duplicates += other.duplicates
        self.losses += other.losses
        self.differences |= {
            currency: self.differences.get(currency, Decimal(0)) + amount
            for currency, amount in other.differences.items()
        }

    @property
    def clean(self) -> bool:
        return not (self.duplicates or self.losses or self.differences or self.interface_rows)

    def sentence(self) -> str:
        totals = ", ".join(f"{amount:+} {currency}" for currency, amount in sorted(self.differences.items())) or "0"
        return (
            f"{self.orders} orders: {self.duplicates} duplicates, {self.losses} lost, difference {totals}, "
            f"{self.interface_rows} rows left in the interface"
        )


@dataclass
class Run:
    """One run of a row of the table."""

    posting: str
    point: str
    seed: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    """By what was killed, paused or reset: worker, gateway, server."""
    verdict: Verdict | None = None
    seconds: float = 0.0
    began: float = field(default_factory=time.monotonic, repr=False)

    def end(self, verdict: Verdict) -> Verdict:
        self.verdict = verdict
        self.seconds = round(time.monotonic() - self.began, 1)
        return verdict

    def facts(self) -> dict[str, Any]:
        return {
            "posting": self.posting,
            "point": self.point,
            "seed": self.seed,
            "kills": dict(self.kills),
            "verdict": asdict(self.verdict) if self.verdict else None,
            "seconds": self.seconds,
        }


class Report:
    """All runs of a session."""

    def __init__(self) -> None:
        self.runs: list[Run] = []

    def begin(self, posting: str, point: str, seed: int = 0) -> Run:
        run = Run(posting, point, seed)
        self.runs.append(run)
        return run

    def lines(self) -> Iterator[str]:
        if not self.runs:
            return
        width = max(len(run.point) for run in self.runs)
        for run in self.runs:
            found = run.verdict.sentence() if run.verdict else "did not end"
            kills = ", ".join(f"{count} {what}" for what, count in sorted(run.kills.items())) or "nothing"
            seed = f" seed {run.seed}" if run.seed else ""
            yield f"{run.posting}{seed} | {run.point:{width}} | {run.seconds:5.1f} s | hit: {kills} | {found}"
        ended = [run.verdict for run in self.runs if run.verdict]
        yield (
            f"{len(self.runs)} runs, {sum(run.kills.total() for run in self.runs)} kills, "
            f"{sum(one.orders for one in ended)} orders, {sum(one.duplicates for one in ended)} duplicates, "
            f"{sum(one.losses for one in ended)} lost, {len(self.runs) - len(ended)} runs without a verdict"
        )

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {"runs": [run.facts() for run in self.runs], "summary": list(self.lines())[-1:]}
        path.write_text(json.dumps(content, indent=2, default=str) + "\n")
