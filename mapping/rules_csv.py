"""Mapping rules from a table: one rule a row, for what would be too long in the configuration file.

The first row names the columns, in any order:

    id                 required; unique over the whole mapping set
    purpose            required: revenue, shipping, handling, wrapping, fee, tax, clearing, ...
    account            the full combination, `101-10-41000-000`; or else one column `segment:NAME` for each segment
    any condition      category, channel, connection, sku, product_type, tax_title, ...; several values: `A | B`
    effective_from, effective_to   days as 2026-03-31, both inclusive; empty is open
    control_account    yes or no; empty is no

Comma or semicolon separated (read from the first row), quoted as spreadsheets do. Empty rows and rows whose first cell
starts with `#` are skipped. Order of rows is order of rules.
"""

import csv
import datetime as dt
import difflib
import io
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from contracts.configuration import MappingSet, Rule
from contracts.journal import Purpose
from contracts.model import Frozen
from mapping.rules import CONDITIONS, parse_account

SEGMENT_COLUMN: Final = "segment:"
VALUE_SEPARATOR: Final = "|"

_REQUIRED: Final = ("id", "purpose")
_DATES: Final = ("effective_from", "effective_to")
_COLUMNS: Final = (*_REQUIRED, "account", *CONDITIONS, *_DATES, "control_account")
_TRUTH: Final = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False, "": False}
_BY_IDENTIFIER: Final = "lower case letters, digits and hyphens, at most 40"


class TableMistake(Frozen):
    """One mistake in a rule table."""

    file: str
    line: int
    """1 is the row of column names."""
    sentence: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.sentence} {self.remedy}"


class RuleTableError(ValueError):
    """A rule table that cannot be read; `mistakes` lists all of them in the order of lines."""

    def __init__(self, mistakes: tuple[TableMistake, ...]) -> None:
        super().__init__("\n".join(str(mistake) for mistake in mistakes))
        self.mistakes = mistakes


def read_rules(text: str, *, file: str, mapping_set: MappingSet) -> tuple[Rule, ...]:
    """The rules of one table. `file` is its name for messages; `mapping_set` gives segments, separator and known ids.

    Raises `RuleTableError` with every mistake: unknown or missing columns (then rows are not read), cells that cannot
    be read, accounts that do not fit the segments, ids used before.
    """
    reader = _Table(file, mapping_set)
    rules = reader.read(text.removeprefix("\ufeff"))
    if reader.mistakes:
        raise RuleTableError(tuple(reader.mistakes))
    return rules


class _Table:
    """One reading of one table; collects mistakes instead of stopping at the first."""

    def __init__(self, file: str, mapping_set: MappingSet) -> None:
        self._file = file
        self._set = mapping_set
        self._by_segment = {f"{SEGMENT_COLUMN}{name}".casefold(): name for name in mapping_set.segments}
        self._ids = {rule.id: f"mapping set {mapping_set.id}" for rule in mapping_set.rules}
        self.mistakes: list[TableMistake] = []

    def read(self, text: str) -> tuple[Rule, ...]:
        first = text.split("\n", 1)[0]
        delimiter = ";" if first.count(";") > first.count(",") else ","
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        columns: list[str] | None = None
        rules: list[Rule] = []
        line = 1
        try:
            for row in rows:
                cells = [cell.strip() for cell in row]
                if any(cells) and not cells[0].startswith("#"):
                    if columns is None:
                        columns = [cell.casefold() for cell in cells]
                        if not self._columns_fit(columns, line):
                            return ()
                    elif rule := self._rule(columns, cells, line):
                        rules.append(rule)
                line = rows.line_num + 1
        except csv.Error as wrong:
            self._note(line, f"The row cannot be read: {wrong}.", "Check its quotation marks.")
        if columns is None and not self.mistakes:
            self._note(
                1, "The file is empty.", f"Give it a first row with column names: {', '.join(_REQUIRED)}, account."
            )
        return tuple(rules)

    def _columns_fit(self, columns: list[str], line: int) -> bool:
        before = len(self.mistakes)
        known = (*_COLUMNS, *self._by_segment)
        for name in columns:
            if name and name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                remedy = f'Did you mean "{near[0]}"?' if near else f"Columns are: {', '.join(known)}."
                self._note(line, f'Column "{name}" is not known.', remedy)
        for name in sorted({name for name in columns if name and columns.count(name) > 1}):
            self._note(line, f'Column "{name}" appears twice.', "Keep one of them.")
        for name in _REQUIRED:
            if name not in columns:
                self._note(line, f'Column "{name}" is missing.', "Add it; every row needs a value in it.")
        self._account_columns_fit(set(columns), line)
        return len(self.mistakes) == before

    def _account_columns_fit(self, columns: set[str], line: int) -> None:
        split = columns & set(self._by_segment)
        if "account" in columns and split:
            self._note(line, "The account is given in one column and by segment.", "Keep one of the two ways.")
        elif "account" not in columns and not split:
            self._note(
                line,
                'Column "account" is missing.',
                f"Add it, or one column for each segment: {self._segment_names()}.",
            )
        elif split and (absent := set(self._by_segment) - split):
            names = ", ".join(name for name in self._by_segment if name in absent)
            self._note(line, f"Segment columns are missing: {names}.", "Add them; an account needs every segment.")

    def _segment_names(self) -> str:
        return ", ".join(f"{SEGMENT_COLUMN}{name}" for name in self._by_segment.values())

    def _rule(self, columns: list[str], cells: list[str], line: int) -> Rule | None:
        before = len(self.mistakes)
        if any(cells[len(columns) :]):
            self._note(
                line,
                f"The row has {len(cells)} cells, the table {len(columns)} columns.",
                "Quote cells that contain the separator.",
            )
            return None
        row = dict(zip(columns, (*cells, *[""] * (len(columns) - len(cells))), strict=False))
        content: dict[str, Any] = {
            "id": self._id(row["id"], line),
            "purpose": self._purpose(row["purpose"], line),
            "account": self._account(row, line),
            "when": {name: _values(row[name]) for name in CONDITIONS if row.get(name)},
            "control_account": self._truth(row.get("control_account", ""), line),
        }
        for name in _DATES:
            content[name] = self._date(name, row.get(name, ""), line)
        if len(self.mistakes) > before:
            return None
        try:
            return Rule.model_validate(content)
        except ValidationError as invalid:
            for error in invalid.errors(include_url=False, include_input=False):
                self._note(line, *_sentence(error, row))
            return None

    def _id(self, given: str, line: int) -> str:
        if not given:
            self._note(line, "The rule has no id.", f"Give it one: {_BY_IDENTIFIER}.")
        elif given in self._ids:
            self._note(line, f'Rule id "{given}" is used before, in {self._ids[given]}.', "Give each rule its own id.")
        else:
            self._ids[given] = f"line {line}"
        return given

    def _purpose(self, given: str, line: int) -> Purpose | None:
        try:
            return Purpose(given.casefold())
        except ValueError:
            self._note(
                line,
                f'"{given}" is not a purpose.',
                f"Purposes are: {', '.join(purpose.value for purpose in Purpose)}.",
            )
            return None

    def _account(self, row: Mapping[str, str], line: int) -> str:
        account = row.get("account")
        if account is None:
            account = self._set.separator.join(row[column] for column in self._by_segment)
        try:
            parse_account(account, self._set)
        except ValueError as wrong:
            self._note(line, str(wrong), "Write every segment, in the chart's order.")
        return account

    def _date(self, name: str, given: str, line: int) -> dt.date | None:
        if not given:
            return None
        try:
            return dt.date.fromisoformat(given)
        except ValueError:
            self._note(line, f'{name} is "{given}", which is not a day.', "Write it as year-month-day: 2026-03-31.")
            return None

    def _truth(self, given: str, line: int) -> bool:
        known = _TRUTH.get(given.casefold())
        if known is None:
            self._note(line, f'control_account is "{given}".', "Write yes or no.")
        return bool(known)

    def _note(self, line: int, sentence: str, remedy: str) -> None:
        self.mistakes.append(TableMistake(file=self._file, line=line, sentence=sentence, remedy=remedy))


def _values(cell: str) -> tuple[str, ...]:
    return tuple(value for value in map(str.strip, cell.split(VALUE_SEPARATOR)) if value)


def _sentence(error: Mapping[str, Any], row: Mapping[str, str]) -> tuple[str, str]:
    if error["loc"] == ("id",):
        return f'"{row["id"]}" is not a rule id.', f"Use {_BY_IDENTIFIER}."
    reason = str(error["msg"]).removeprefix("Value error, ")
    return f"{reason[:1].upper()}{reason[1:]}.", "Correct the row."
