"""The one interface through which records of a kind are read and written at one side, whatever system it runs on."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from activities.failures import review
from contracts.converging import FieldWrite, SeenRecord
from contracts.journal import Problem
from contracts.model import Instant

TOO_LONG = "value_does_not_fit"
NOT_TAKEN = "value_not_taken"


class ChangedMeanwhileError(Exception):
    """What is to be overwritten is not what was seen: look at both sides again."""


@dataclass(frozen=True)
class Page:
    """Some of the records that changed."""

    records: tuple[SeenRecord, ...]
    unread: tuple[str, ...] = ()
    """Names of those that a person has to look at before they can be read: their own runs say why."""
    reached: Instant | None = None
    """Everything up to here, by the side's own clock, has been handed over with this page."""


class Desk(Protocol):
    """Records of one kind at one side. Implementations raise `clients.errors.VendorError`."""

    async def read(self, name: str) -> SeenRecord:
        """The record that is known by this name; one without an id where there is none."""
        ...

    async def write(self, seen: SeenRecord, writes: tuple[FieldWrite, ...]) -> SeenRecord:
        """Give the record these values, if it still is as it was seen, and show it as it is then.

        What is so already is not sent. Raises `ChangedMeanwhileError`.
        """
        ...

    async def make(self, model: SeenRecord) -> SeenRecord:
        """A record like this one of the other side, made once however often this runs, and shown as it is then."""
        ...

    def changed(self, since: datetime | None, *, whole: bool) -> AsyncIterator[Page]:
        """Records that changed since a watermark, all of them without one or where `whole`; pages of a few hundred."""
        ...

    async def parts_of(self, parent: str) -> tuple[SeenRecord, ...]:
        """All records that are parts of one of this side's own; none where that is gone."""
        ...


def require_unchanged(seen: SeenRecord, now: SeenRecord, writes: tuple[FieldWrite, ...]) -> None:
    """Nobody's change is overwritten that nobody has looked at. A value that has arrived already is no change.

    Raises `ChangedMeanwhileError`.
    """
    for one in writes:
        if now.values.get(one.field) not in (seen.values.get(one.field), one.value):
            raise ChangedMeanwhileError


def require_room(title: str, values: Mapping[str, str], longest: Mapping[str, int], *, where: str) -> None:
    """Raises a final failure with the problem when a value is longer than the other side takes."""
    for field, limit in longest.items():
        if len(values.get(field, "")) > limit:
            raise review(
                Problem(
                    code=TOO_LONG,
                    sentence=f"{title}: {field} has {len(values[field])} characters, {where} takes {limit}.",
                    remedy=f"Shorten it where it is owned, or take {field} out of the owners in the configuration.",
                )
            )
