"""What a check found, and how it is shown."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from rich.console import Console
from rich.markup import escape

from clients.errors import Resolution, VendorError
from contracts.model import Frozen


class Level(StrEnum):
    """From harmless to fatal."""

    OK = "ok"
    WARNING = "warning"
    """Works, but probably not as meant."""
    UNPROVED = "unproved"
    """The system could not be asked now."""
    MISTAKE = "mistake"
    """Documents would not be posted, or not where they belong."""


class Finding(Frozen):
    """One line of a report. `file` and `line` say where to change something, when that is in the configuration."""

    level: Level
    subject: str
    """What was looked at: `fusion-test`, `mapping set retail`."""
    sentence: str
    remedy: str = ""
    file: str = ""
    line: int = 0

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}" if self.file else ""


def refused(error: VendorError, subject: str, *, file: str = "", line: int = 0) -> Finding:
    """What a vendor's answer means for a check: an outage proves nothing, everything else is a mistake."""
    outage = error.resolution in (Resolution.RETRY, Resolution.WAIT, Resolution.IN_DOUBT)
    return Finding(
        level=Level.UNPROVED if outage else Level.MISTAKE,
        subject=subject,
        sentence=error.sentence,
        remedy="Run this again when it answers." if outage else error.remedy,
        file=file,
        line=line,
    )


def worst(findings: Iterable[Finding]) -> Level:
    order = list(Level)
    return max((finding.level for finding in findings), key=order.index, default=Level.OK)


EXIT_CODES: Final = {Level.OK: 0, Level.WARNING: 0, Level.UNPROVED: 3, Level.MISTAKE: 1}
"""2 is a wrong command line."""

_SIGNS: Final = {
    Level.OK: "[green]ok[/]      ",
    Level.WARNING: "[yellow]warning[/] ",
    Level.UNPROVED: "[magenta]unproved[/]",
    Level.MISTAKE: "[red]mistake[/] ",
}


def show(findings: Iterable[Finding], console: Console) -> None:
    """Grouped by subject, each with place and remedy, and a last line that counts."""
    rows = list(findings)
    subject = None
    for row in rows:
        if row.subject != subject:
            subject = row.subject
            console.print(f"\n[bold]{escape(subject)}[/]", highlight=False)
        place = f"[dim]{escape(row.place)}[/] " if row.place else ""
        console.print(f"  {_SIGNS[row.level]} {place}{escape(row.sentence)}", highlight=False, soft_wrap=True)
        if row.remedy:
            console.print(f"           [dim]->[/] {escape(row.remedy)}", highlight=False, soft_wrap=True)
    counts = {level: sum(row.level is level for row in rows) for level in Level}
    words = (
        f"{counts[Level.OK]} ok",
        f"{counts[Level.WARNING]} {'warning' if counts[Level.WARNING] == 1 else 'warnings'}",
        f"{counts[Level.MISTAKE]} {'mistake' if counts[Level.MISTAKE] == 1 else 'mistakes'}",
        *((f"{counts[Level.UNPROVED]} not proved",) if counts[Level.UNPROVED] else ()),
    )
    console.print(f"\n{', '.join(words)}", highlight=False)
