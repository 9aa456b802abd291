"""Long lists, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

PER_PAGE = 50

Row = TypeVar("Row")


@dataclass(frozen=True)
class Leaf(Generic[Row]):
    """One page of a list. Pages count from 1."""

    rows: list[Row]
    number: int
    last: int
    total: int
    first_row: int
    """Position of the first row shown, from 1; 0 when there is none."""

    @property
    def last_row(self) -> int:
        """Position of the last row shown."""
        return self.first_row + len(self.rows) - 1 if self.rows else 0


def newest_first(rows: Sequence[Row], wanted: str | None, per_page: int = PER_PAGE) -> Leaf[Row]:
    """The wanted page of rows that were added in order, the last one first.

    Costs no more than the page itself. What is no number is page 1; a page past the end is the last one.
    """
    total = len(rows)
    last = max(1, -(-total // per_page))
    number = int(wanted) if wanted is not None and wanted.isascii() and wanted[:9].isdigit() and len(wanted) < 10 else 1
    number = min(max(number, 1), last)
    end = total - (number - 1) * per_page
    shown = list(rows[max(0, end - per_page) : end])[::-1]
    return Leaf(shown, number, last, total, (number - 1) * per_page + 1 if shown else 0)
