"""Records that two systems have, brought to agree: what each side shows, what was agreed, and the steps in between."""

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from contracts.journal import Problem
from contracts.model import Frozen, Instant
from contracts.ownership import Side
from contracts.steps.documents import Fetched


class SeenRecord(Frozen):
    """A record as one side shows it. Where it has none, `id` is empty."""

    id: str = ""
    """The side's own key."""
    parent: str = ""
    """What it is a part of there, e.g. the product of a variant."""
    name: str = ""
    """What both sides know it by, as this one writes it."""
    values: dict[str, str] = Field(default_factory=dict)
    """Fields that this side has, by our names, in one spelling: equal texts are equal values."""
    first_values: dict[str, str] = Field(default_factory=dict)
    """What a record that is made after this one begins with, besides `values`."""
    unfit: str = ""
    """Why no record is made after this one on the other side, one clause; empty when one may be."""
    changed_at: Instant | None = None
    problem: Problem | None = None
    """It cannot be judged without a person."""

    @property
    def there(self) -> bool:
        return bool(self.id)

    def only(self, fields: Iterable[str]) -> "SeenRecord":
        """Without the values that a step has no use for: texts may be long."""
        wanted = set(fields)
        values = {field: value for field, value in self.values.items() if field in wanted}
        return self.model_copy(update={"values": values, "first_values": {}})

    def written(self, now: "SeenRecord", fields: Iterable[str]) -> "SeenRecord":
        """As it was looked at, but for these fields, which are as they are now that they were written.

        What else it shows now was not compared with the other side: taken for agreed it would be lost.
        """
        sent = set(fields)
        left = {field: value for field, value in self.values.items() if field not in sent}
        taken = {field: value for field, value in now.values.items() if field in sent}
        return self.model_copy(update={"values": {**left, **taken}, "changed_at": now.changed_at})


class Digests(Frozen):
    """Digests of what a side showed, by field; `""` is that of whether a record may be made after it."""

    fusion: dict[str, str] = Field(default_factory=dict)
    shop: dict[str, str] = Field(default_factory=dict)

    def of(self, side: Side) -> dict[str, str]:
        return self.fusion if side == "fusion" else self.shop


class FieldWrite(Frozen):
    """A value that goes to the side that does not own it."""

    field: str
    side: Side
    value: str
    rule: Literal["first", "owner_changed", "restored"]
    """`first`: nothing was agreed before · `owner_changed`: the owner changed it · `restored`: the other side changed
    what it does not own, and the owner's value goes back."""


class FieldConflict(Frozen):
    """The side that does not own a field changed it, or both did."""

    field: str
    owner: Side
    fusion: str
    shop: str
    both: bool
    """The owner changed it, too."""


class Comparison(Frozen):
    """What makes two records agree: conflicts first, nothing is written while there are any."""

    writes: tuple[FieldWrite, ...] = ()
    conflicts: tuple[FieldConflict, ...] = ()

    def for_side(self, side: Side) -> dict[str, str]:
        return {one.field: one.value for one in self.writes if one.side == side}


class RecordStep(Frozen):
    """Which record a step is about."""

    integration: str
    connection: str
    """The shop."""
    kind: str
    record_id: str
    job: str = ""


class ReadRecord(RecordStep):
    side: Side


class ShownRecord(Frozen):
    """What one side shows of a record."""

    seen: SeenRecord
    fusion: str
    """Id of the connection to Fusion that the shop is paired with."""


class CompareRecord(RecordStep):
    fusion: SeenRecord
    shop: SeenRecord


class FetchedRecord(Fetched):
    """What is to be done about a record, both sides of which were read."""

    changed_at: Instant | None = None
    """The later of both sides' stamps."""
    comparison: Comparison = Comparison()
    ruled: Comparison = Comparison()
    """The same, once a person says that the owner is right."""
    make: Side | None = None
    """The side that has no such record and on which one is to be made."""
    problems: tuple[Problem, ...] = ()
    """Why it cannot be compared."""
    conflicts: tuple[Problem, ...] = ()
    """Those of `comparison`, as people read them. A person's retry settles them as `ruled` says."""
    leave: str = ""
    """Why nothing is done, when only one side has it or none."""

    @property
    def modified_at(self) -> Instant | None:
        return self.changed_at


class WriteRecord(RecordStep):
    """Make what `seen` shows have these values, or make a record after `seen` of the other side where `make`."""

    side: Side
    seen: SeenRecord
    """As this side showed it; as the other one does where a record is to be made."""
    writes: tuple[FieldWrite, ...] = ()
    make: bool = False
    epoch: int = 0
    """The highest that the record's run has seen: a store that is behind it writes nothing."""


class WrittenRecord(Frozen):
    """The record as it is after a write; None: somebody changed it since it was seen, or the store was recovered since
    it was compared. Nothing was written."""

    seen: SeenRecord | None = None


class AgreeRecord(RecordStep):
    """Both sides are as they should be, or nothing can be done: the record's run ends here."""

    fusion: SeenRecord
    shop: SeenRecord
    leave: str = ""
    """Why nothing was done; empty where both sides have it."""
    writes: tuple[FieldWrite, ...] = ()
    made: Side | None = None
    """Where the record was made."""
    decided_at: Instant | None = None
    """As in `contracts.steps.journals.StageJournal`."""


class AgreedRecord(Frozen):
    sentence: str = ""
    """How the record stands, for people."""
    superseded: bool = False
    """Another step came later; nothing was done."""


class PollRecordsInput(Frozen):
    """Input of `poll-records`: one per integration, kind and side."""

    integration: str
    connection: str
    """Of the side that is read."""
    kind: str
    side: Side
    whole: bool = False
    """Read everything and leave the watermark alone."""


class LookAtRecordsInput(Frozen):
    """Input of the flows that a shop's webhook starts: all records that are parts of one of its own."""

    integration: str
    connection: str
    kind: str
    parent: str
    job: str = ""
    """The delivery."""


class PollRecords(Frozen):
    integration: str
    kind: str
    side: Side
    job: str
    whole: bool = False
    parent: str = ""
    """Only what is part of this record of the shop, and what was."""


class PolledRecords(Frozen):
    """What one poll did."""

    seen: int
    started: int
    watermark: Instant | None = None
