"""Whether a shop and a pod fit the books and rules between them: channels, categories, segments and business units."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from pydantic import Field

from contracts.model import Frozen

NAMED: Final = 100
"""Misalignments of one kind that are named, at most."""
ALIGNED: Final = "alignment_compared"
"""Action of the event that every comparison leaves."""


class AlignmentPolicy(Frozen):
    """The comparison of the shop and the pod with the books and rules between them."""

    enabled: bool = True
    cron: str = "50 4 * * *"
    """In the timezone of the polls."""
    segments: dict[str, str] = Field(default_factory=dict)
    """Segments of the mapping set whose values are compared, with the codes of their value sets; an empty code stands
    for the connection's `value_sets.cost_centers`. None unless set: codes differ between pods."""


class Misfit(StrEnum):
    """What does not fit."""

    CHANNEL_WITHOUT_BOOKS = "channel_without_books"
    BOOKS_WITHOUT_CHANNEL = "books_without_channel"
    CATEGORY_WITHOUT_RULE = "category_without_rule"
    SEGMENT_VALUE = "segment_value"
    BUSINESS_UNIT = "business_unit"


GRAVE: Final = frozenset({Misfit.SEGMENT_VALUE, Misfit.BUSINESS_UNIT})
"""Fusion refuses what is posted so: an import its whole group. The others send single orders to review."""


class Misalignment(Frozen):
    kind: Misfit
    subject: str
    """What it is about, and by what it is recognised in the next comparison: `channel 2`, `Apparel > Shirts`."""
    sentence: str
    remedy: str
    count: int = Field(default=1, ge=1)
    """With those that are not named because they belong to it: categories below this one."""

    @property
    def is_grave(self) -> bool:
        return self.kind in GRAVE


class Unread(Frozen):
    """What could not be looked at this time, so that nobody knows whether it fits."""

    kind: Misfit
    prefix: str = ""
    """With which the subjects begin; all of the kind when empty."""

    def covers(self, one: Misalignment) -> bool:
        return one.kind is self.kind and one.subject.startswith(self.prefix)


class SideCompared(Frozen):
    """What comparing one side has found."""

    misalignments: tuple[Misalignment, ...] = ()
    """At most `NAMED` of a kind."""
    unnamed: dict[Misfit, int] = Field(default_factory=dict)
    """How many more of a kind there are."""
    compared: dict[str, int] = Field(default_factory=dict)
    """How many channels, categories, values and units were looked at."""
    notes: tuple[str, ...] = ()
    """Sentences about what is no mistake, or could not be compared."""
    unread: tuple[Unread, ...] = ()
    """What `notes` say could not be compared."""


class AlignmentInput(Frozen):
    """Input of `alignment`: one per integration."""

    integration: str
    connection: str
    """The shop."""
    fusion: str


class CompareSide(Frozen):
    integration: str


class KeepAlignment(Frozen):
    integration: str
    job: str
    shop: SideCompared
    pod: SideCompared


class AlignmentKept(Frozen):
    """What one comparison came to. It is the workflow's result."""

    misaligned: int
    new: int = 0
    """Of those, how many the comparison before did not know."""


class Storefront(Frozen):
    """A channel of a shop."""

    id: str
    name: str = ""
    open: bool = True
    """It sells, or may begin to."""
    status: str = ""
    """The shop's own word."""


class CategoryNode(Frozen):
    id: int
    parent_id: int = 0
    name: str
    channels: tuple[str, ...] = ()
    """Channels that show it; empty where nobody says, which means all of them."""


def together(*sides: SideCompared) -> SideCompared:
    """All of it, in the order given."""
    unnamed: dict[Misfit, int] = {}
    compared: dict[str, int] = {}
    for side in sides:
        for kind, more in side.unnamed.items():
            unnamed[kind] = unnamed.get(kind, 0) + more
        compared |= side.compared
    return SideCompared(
        misalignments=tuple(one for side in sides for one in side.misalignments),
        unnamed=unnamed,
        compared=compared,
        notes=tuple(note for side in sides for note in side.notes),
        unread=tuple(one for side in sides for one in side.unread),
    )


def number_of(misalignments: Iterable[Misalignment], unnamed: dict[Misfit, int]) -> int:
    """How many there are, those included that are not named."""
    return sum(one.count for one in misalignments) + sum(unnamed.values())
