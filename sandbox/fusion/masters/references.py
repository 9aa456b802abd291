"""Source references: what a record is called in another system (Oracle Fusion: 6.3)."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.fusion.masters.setup import Masters


class ReferenceRefusedError(Exception):
    """A reference that cannot be given to a record. `duplicate` where another one has it."""

    def __init__(self, sentence: str, code: str, attribute: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code
        self.attribute = attribute


@dataclass
class References:
    """Who has which reference, per kind of record."""

    masters: Masters
    _owners: dict[tuple[str, str, str], list[int]] = field(default_factory=dict)

    def check(self, kind: str, system: str, value: str) -> None:
        """Raises `ReferenceRefusedError` when a further record of the kind cannot have the reference."""
        if system not in self.masters.source_systems:
            sentence = f"The source system {system or '(none)'} isn't valid."
            raise ReferenceRefusedError(sentence, "HZ_INVALID_ORIG_SYSTEM", "SourceSystem")
        if not value:
            raise ReferenceRefusedError(
                "The source system reference is required.", "HZ_API_MISSING_COLUMN", "SourceSystemReferenceValue"
            )
        if self.masters.habits.duplicate_references == "refused" and self._owners.get((kind, system, value)):
            sentence = "A record with this source system and source system reference already exists."
            raise ReferenceRefusedError(sentence, "HZ_API_DUPLICATE_COLUMN", "SourceSystemReferenceValue")

    def keep(self, kind: str, system: str, value: str, owner: int) -> None:
        self._owners.setdefault((kind, system, value), []).append(owner)

    def duplicates(self) -> list[tuple[str, str, str]]:
        """References that more than one record has."""
        return [known for known, owners in self._owners.items() if len(owners) > 1]
