"""The two dialects of `q` (Oracle Fusion: 2.1), `finder` and `orderBy`.

Version 1, query by example: `A=1;B LIKE 'x*'`, a semicolon means AND. Version 2 and above, row match: `A = 1 and (B
like 'x%' or C in (1, 2) or D between 1 and 9 or E is null)`; a semicolon is an error. Values may be quoted or not; a
quote inside a quoted value is doubled. An asterisk or a percent sign is a wildcard after LIKE.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any

Row = Mapping[str, Any]


class QueryError(ValueError):
    """The expression is not accepted; the message is the sentence of the 400."""


@dataclass(frozen=True)
class Predicate:
    """A condition on rows, and what every row it holds for is equal to: with that an index can be asked first."""

    holds: Callable[[Row], bool]
    equals: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, row: Row) -> bool:
        return self.holds(row)


def _all(parts: Sequence[Predicate]) -> Predicate:
    if len(parts) == 1:
        return parts[0]
    equals = {attribute: value for part in parts for attribute, value in part.equals.items()}
    return Predicate(lambda row: all(part(row) for part in parts), equals)


_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*'|\"[^\"]*\")|(?P<symbol><=|>=|<>|!=|[=<>(),;])|(?P<word>[^\s=<>!(),;'\"]+))"
)
_COMPARISONS = {"=", "!=", "<>", "<", ">", "<=", ">="}


def parse(expression: str, *, version: int, queryable: Callable[[str], bool], zone: tzinfo = UTC) -> Predicate:
    """A predicate over rows. `queryable(attribute)` says whether an attribute may be asked for. Raises `QueryError`.

    `zone`: in which times without an offset are read.
    """
    tokens = _tokens(expression)
    if version == 1:
        return _by_example(tokens, queryable, zone)
    if ";" in [token for kind, token in tokens if kind == "symbol"]:
        raise QueryError("URL request parameter q cannot be used in this context: a semicolon is not expected.")
    parser = _RowMatch(tokens, queryable, zone)
    predicate = parser.either()
    parser.end()
    return predicate


def _tokens(expression: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    position = 0
    expression = expression.rstrip()
    while position < len(expression):
        match = _TOKEN.match(expression, position)
        if match is None or match.lastgroup is None:
            raise QueryError(f"The query expression cannot be read at position {position + 1}.")
        value = match.group(match.lastgroup)
        if match.lastgroup == "text":
            value = value[1:-1].replace("''", "'")
        tokens.append((match.lastgroup, value))
        position = match.end()
    if not tokens:
        raise QueryError("The query expression is empty.")
    return tokens


def _by_example(tokens: list[tuple[str, str]], queryable: Callable[[str], bool], zone: tzinfo) -> Predicate:
    conditions: list[Predicate] = []
    clause: list[tuple[str, str]] = []
    for token in [*tokens, ("symbol", ";")]:
        if token == ("symbol", ";"):
            if clause:
                parser = _RowMatch(clause, queryable, zone)
                conditions.append(parser.condition())
                parser.end()
            clause = []
        else:
            clause.append(token)
    return _all(conditions)


class _RowMatch:
    def __init__(self, tokens: list[tuple[str, str]], queryable: Callable[[str], bool], zone: tzinfo) -> None:
        self._tokens = tokens
        self._zone = zone
        self._queryable = queryable
        self._at = 0

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        self._at += 1
        return token

    def _take(self, word: str) -> bool:
        kind, value = self._peek()
        if kind in ("word", "symbol") and value.lower() == word:
            self._at += 1
            return True
        return False

    def _need(self, word: str) -> None:
        if not self._take(word):
            raise QueryError(f"The query expression lacks {word!r} before {self._peek()[1]!r}.")

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise QueryError(f"The query expression has {self._peek()[1]!r} where it should end.")

    def either(self) -> Predicate:
        options = [self.both()]
        while self._take("or"):
            options.append(self.both())
        return options[0] if len(options) == 1 else Predicate(lambda row: any(option(row) for option in options))

    def both(self) -> Predicate:
        parts = [self.negated()]
        while self._take("and"):
            parts.append(self.negated())
        return _all(parts)

    def negated(self) -> Predicate:
        if self._take("not"):
            inner = self.negated()
            return Predicate(lambda row: not inner(row))
        if self._take("("):
            inner = self.either()
            self._need(")")
            return inner
        return self.condition()

    def condition(self) -> Predicate:
        kind, attribute = self._next()
        if kind != "word":
            raise QueryError(f"The query expression has {attribute!r} where an attribute should stand.")
        if not self._queryable(attribute):
            raise QueryError(f"The attribute {attribute} cannot be used in a query.")
        negated = self._take("not")
        exact = self._peek() == ("symbol", "=")
        comparison = self._comparison(attribute)

        def holds(row: Row) -> bool:
            value = row.get(attribute)
            if isinstance(value, tuple):
                # An attribute of children: one of them is enough.
                return any(comparison({attribute: each}) for each in value)
            return comparison(row)

        if negated:
            return Predicate(lambda row: not holds(row))
        return Predicate(holds, {attribute: self._tokens[self._at - 1][1]} if exact else {})

    def _comparison(self, attribute: str) -> Callable[[Row], bool]:
        if self._take("like"):
            pattern = _pattern(self._value())
            return lambda row: row.get(attribute) is not None and pattern.fullmatch(str(row[attribute])) is not None
        if self._take("in"):
            self._need("(")
            values = [self._value()]
            while self._take(","):
                values.append(self._value())
            self._need(")")
            return lambda row: any(compare(row.get(attribute), "=", value, self._zone) for value in values)
        if self._take("between"):
            low = self._value()
            self._need("and")
            high = self._value()
            zone = self._zone
            return lambda row: (
                compare(row.get(attribute), ">=", low, zone) and compare(row.get(attribute), "<=", high, zone)
            )
        if self._take("is"):
            wanted = not self._take("not")
            self._need("null")
            return lambda row: (row.get(attribute) is None) is wanted
        kind, operator = self._next()
        if kind != "symbol" or operator not in _COMPARISONS:
            raise QueryError(f"The operator {operator!r} cannot be used with {attribute}.")
        value = self._value()
        return lambda row: compare(row.get(attribute), operator, value, self._zone)

    def _value(self) -> str:
        kind, value = self._next()
        if kind not in ("word", "text"):
            raise QueryError("The query expression lacks a value.")
        return value


def _pattern(text: str) -> re.Pattern[str]:
    parts = (".*" if part in "*%" else re.escape(part) for part in re.split(r"([*%])", text) if part)
    return re.compile("".join(parts), re.DOTALL)


def compare(value: object, operator: str, literal: str, zone: tzinfo = UTC) -> bool:
    """Compare an attribute's value with a literal of the query, in the attribute's type. Null equals nothing."""
    if value is None:
        return False
    wanted: Any = literal
    actual: Any = value
    try:
        if isinstance(value, bool):
            wanted = literal.lower() in {"true", "y"}
        elif isinstance(value, int | Decimal):
            wanted = Decimal(literal)
        elif isinstance(value, datetime):
            wanted = datetime.fromisoformat(literal)
            if wanted.tzinfo is None:
                wanted = wanted.replace(tzinfo=zone)
        elif isinstance(value, date):
            wanted = date.fromisoformat(literal[:10])
        else:
            actual = str(value)
    except (ValueError, InvalidOperation) as error:
        raise QueryError(f"The value {literal!r} does not fit the attribute.") from error
    outcomes = {
        "=": actual == wanted,
        "!=": actual != wanted,
        "<>": actual != wanted,
        "<": actual < wanted,
        ">": actual > wanted,
        "<=": actual <= wanted,
        ">=": actual >= wanted,
    }
    return bool(outcomes[operator])


def parse_finder(text: str) -> tuple[str, dict[str, str]]:
    """`Name;variable=value,variable2=value2` as a name and its variables. Raises `QueryError`."""
    name, _, rest = text.partition(";")
    variables: dict[str, str] = {}
    for part in filter(None, rest.split(",")):
        variable, equals, value = part.partition("=")
        if not equals:
            raise QueryError(f"The finder {name} has a variable without a value.")
        variables[variable.strip()] = value.strip().strip("\"'")
    return name.strip(), variables


def sort(rows: Sequence[Row], order_by: str, *, known: Callable[[str], bool]) -> list[Row]:
    """Rows by `A:asc,B:desc`. Nulls come last. Raises `QueryError` for an unknown attribute."""
    ordered = list(rows)
    for part in reversed([part.strip() for part in order_by.split(",") if part.strip()]):
        name, _, direction = part.partition(":")
        if not known(name) or direction.lower() not in ("", "asc", "desc"):
            raise QueryError(f"URL request parameter orderBy cannot be used in this context: {part}.")
        present = [row for row in ordered if row.get(name) is not None]
        absent = [row for row in ordered if row.get(name) is None]
        present.sort(key=lambda row: row[name], reverse=direction.lower() == "desc")
        ordered = [*present, *absent]
    return ordered
