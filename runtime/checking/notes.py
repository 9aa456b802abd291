"""What proofs of one connection write down, each thing once: several books share ledgers, sources and rules."""

from collections.abc import Awaitable
from typing import TypeVar

from clients.errors import NotFound, VendorError
from runtime.checking.findings import Finding, Level, refused
from runtime.configuring.configuration import ConfigurationFile
from runtime.configuring.positions import Path

T = TypeVar("T")


class Notes:
    """Findings about one connection, with their places in the configuration."""

    def __init__(self, file: ConfigurationFile, connection: str) -> None:
        self._file = file
        self._connection = connection
        self._said: set[tuple[str, str]] = set()
        self.found: list[Finding] = []

    def note(self, level: Level, path: Path, sentence: str, remedy: str = "") -> None:
        name, line = ("", 0) if level is Level.OK else self._file.place(*path)
        if (name, sentence) in self._said:
            return
        self._said.add((name, sentence))
        self.found.append(
            Finding(level=level, subject=self._connection, sentence=sentence, remedy=remedy, file=name, line=line)
        )

    async def ask(self, path: Path, question: Awaitable[T]) -> T | None:
        """The answer; None, and a finding, when the pod refuses it."""
        try:
            return await question
        except VendorError as error:
            finding = refused(error, self._connection)
            remedy = error.remedy if isinstance(error, NotFound) else finding.remedy
            self.note(finding.level, path, error.sentence, remedy)
            return None

    async def ask_if_shown(self, path: Path, what: str, question: Awaitable[T]) -> T | None:
        """As `ask`, for what flows do not need: when the pod does not show it, it is only not proved."""
        try:
            return await question
        except VendorError as error:
            outage = refused(error, self._connection).level is Level.UNPROVED
            self.note(
                Level.UNPROVED if outage else Level.WARNING,
                path,
                f"{what} could not be proved: {error.sentence}",
                "Run this again when it answers." if outage else "Compare it with Fusion's setup by eye.",
            )
            return None
