"""Reading `connector.toml`: every mistake in it at once, each with file, line and remedy.

Text values may take from the environment: `${NAME}`, or `${NAME:-default}`. Secrets do not belong into the file at all;
the one exception, a database URL with a password, is meant to come in this way.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from contracts.configuration import Configuration, MappingSet
from mapping.rules_csv import RuleTableError, read_rules
from runtime.configuring import positions
from runtime.configuring.agreement import disagreements
from runtime.configuring.disagreement import Disagreement
from runtime.configuring.mistakes import ConfigurationErrors, Mistake, shape_mistakes, written

PATH_VARIABLE: Final = "ML_CONNECTOR_CONFIG"
DEFAULT_PATH: Final = Path("connector.toml")

_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_TOML_PLACE: Final = re.compile(
    r"^(?P<what>.*?) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$"
)


@dataclass(frozen=True)
class ConfigurationFile:
    """A configuration together with where its parts are written."""

    configuration: Configuration
    path: Path
    places: positions.Positions
    table_rules: Mapping[tuple[str, str], tuple[str, int]]
    """Mapping set and rule id -> file and line, for rules that come from a table."""

    def place(self, *path: str | int) -> tuple[str, int]:
        """File and line of a path, e.g. `("integrations", 0, "books", 1)`; of a rule also when a table holds it."""
        if len(path) >= 4 and path[0] == "mapping_sets" and path[2] == "rules":
            mapping_set = self.configuration.mapping_sets[int(path[1])]
            known = self.table_rules.get((mapping_set.id, mapping_set.rules[int(path[3])].id))
            if known is not None:
                return known
        return str(self.path), self.places.line(path)


def default_path(environment: Mapping[str, str] = os.environ) -> Path:
    """`ML_CONNECTOR_CONFIG`, or `connector.toml` in the working directory."""
    return Path(environment.get(PATH_VARIABLE) or DEFAULT_PATH)


def load(path: Path, environment: Mapping[str, str] = os.environ) -> Configuration:
    """The configuration in `path`, rule tables included. Raises `ConfigurationErrors`."""
    return read(path, environment).configuration


def read(path: Path, environment: Mapping[str, str] = os.environ) -> ConfigurationFile:
    """`load`, with the positions that `ml-connector check` needs. Raises `ConfigurationErrors`."""
    text = _text(path)
    content = _parsed(text, path)
    places = positions.locate(text)
    mistakes: list[Mistake] = []
    expanded = _expanded(content, (), environment, _Notes(mistakes, str(path), places))
    try:
        configuration = Configuration.model_validate(expanded)
    except ValidationError as error:
        mistakes += shape_mistakes(error, expanded, str(path), places)
        raise ConfigurationErrors(_in_order(mistakes)) from None
    with_tables, table_rules = _with_tables(configuration, path, places, mistakes)
    file = ConfigurationFile(with_tables, path, places, table_rules)
    mistakes += [_placed(finding, file) for finding in disagreements(with_tables)]
    if mistakes:
        raise ConfigurationErrors(_in_order(mistakes))
    return file


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        sentence, remedy = "The configuration file does not exist.", f"Name it with --config or {PATH_VARIABLE}."
    except UnicodeDecodeError as error:
        sentence, remedy = f"The file is not UTF-8 text (byte {error.start}).", "Save it as UTF-8."
    except OSError as error:
        sentence, remedy = f"The file cannot be read: {error.strerror}.", "Check its permissions."
    raise ConfigurationErrors((Mistake(file=str(path), line=1, sentence=sentence, remedy=remedy),))


def _parsed(text: str, path: Path) -> dict[str, Any]:
    try:
        # Decimal and not float: the limits in it are compared with money.
        return tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        found = _TOML_PLACE.match(str(error))
        what = found["what"] if found else str(error)
        line = int(found["line"]) if found and found["line"] else max(1, len(text.splitlines()))
        column = f" at column {found['column']}" if found and found["column"] else ""
        mistake = Mistake(
            file=str(path),
            line=line,
            sentence=f"This is not TOML: {what[:1].lower()}{what[1:]}{column}.",
            remedy="Correct the line; a value that looks right may follow one that was not closed.",
        )
    raise ConfigurationErrors((mistake,))


@dataclass(frozen=True)
class _Notes:
    mistakes: list[Mistake]
    file: str
    places: positions.Positions

    def add(self, path: positions.Path, sentence: str, remedy: str) -> None:
        self.mistakes.append(Mistake(file=self.file, line=self.places.line(path), sentence=sentence, remedy=remedy))


def _expanded(value: Any, path: positions.Path, environment: Mapping[str, str], notes: _Notes) -> Any:
    if isinstance(value, dict):
        return {name: _expanded(inner, (*path, name), environment, notes) for name, inner in value.items()}
    if isinstance(value, list):
        return [_expanded(inner, (*path, index), environment, notes) for index, inner in enumerate(value)]
    if not isinstance(value, str) or "${" not in value:
        return value

    def replacement(found: re.Match[str]) -> str:
        name, default = found[1], found[2]
        given = environment.get(name)
        if given is None and default is None:
            notes.add(path, f"{written(path)} uses the environment variable {name}, which is not set.", f"Set {name}.")
        return given if given is not None else default or ""

    return _VARIABLE.sub(replacement, value)


def _with_tables(
    configuration: Configuration, path: Path, places: positions.Positions, mistakes: list[Mistake]
) -> tuple[Configuration, dict[tuple[str, str], tuple[str, int]]]:
    """The configuration with the rules of all tables appended, and where those rules are written."""
    table_rules: dict[tuple[str, str], tuple[str, int]] = {}
    complete: list[MappingSet] = []
    for index, mapping_set in enumerate(configuration.mapping_sets):
        notes = _Notes(mistakes, str(path), places)
        for number, name in enumerate(mapping_set.rules_csv):
            table = path.parent / name
            here: positions.Path = ("mapping_sets", index, "rules_csv", number)
            try:
                text = table.read_text(encoding="utf-8-sig")
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
                notes.add(here, f"Rule table {name} cannot be read: {reason}.", "Correct the path or the file.")
                continue
            try:
                rules = read_rules(text, file=str(table), mapping_set=mapping_set)
            except RuleTableError as error:
                mistakes += [
                    Mistake(file=one.file, line=one.line, sentence=one.sentence, remedy=one.remedy)
                    for one in error.mistakes
                ]
                continue
            for rule in rules:
                table_rules[mapping_set.id, rule.id] = str(table), _line_of(rule.id, text)
            mapping_set = mapping_set.model_copy(update={"rules": (*mapping_set.rules, *rules)})
        complete.append(mapping_set)
    return configuration.model_copy(update={"mapping_sets": tuple(complete)}), table_rules


def _line_of(rule_id: str, table: str) -> int:
    cell = re.compile(rf'(?:^|[,;"\s]){re.escape(rule_id)}(?:$|[,;"\s])')
    for number, line in enumerate(table.splitlines(), start=1):
        if number > 1 and cell.search(line):
            return number
    return 1


def _placed(finding: Disagreement, file: ConfigurationFile) -> Mistake:
    name, line = file.place(*finding.path)
    return Mistake(file=name, line=line, sentence=finding.sentence, remedy=finding.remedy)


def _in_order(mistakes: list[Mistake]) -> tuple[Mistake, ...]:
    return tuple(sorted(dict.fromkeys(mistakes), key=lambda one: (one.file, one.line)))
