"""Lists of V3: filters by name and operator, sorting, pages. What is not understood is ignored in silence."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from starlette.responses import JSONResponse, Response

from sandbox.bigcommerce import listing, v3
from sandbox.bigcommerce.desk import Visit
from sandbox.bigcommerce.habits import Habits
from sandbox.bigcommerce.refusals import RefusedError

Read = Callable[[Any], Any]
Test = Callable[[Any], bool]
_CHANCE = random.Random(0)  # noqa: S311 - disorder, not secrets
_INVALID = "JSON data is missing or invalid"


class Shelf:
    """How rows of one resource are asked for: what can be filtered by, and what they can be sorted by.

    `values` are read from a row and compared with a filter's value as text without case, or as the number or moment
    that the row has. `sorts` are names as the `sort` parameter has them.
    """

    def __init__(self, values: Mapping[str, Read], sorts: Mapping[str, Read]) -> None:
        self._values = values
        self._sorts = sorts

    def chosen(self, rows: Iterable[Any], query: Mapping[str, str], habits: Habits) -> list[Any]:
        """The rows that were asked for, in the order that was asked for; without one, in whatever order."""
        asked = {name: value for name, value in query.items() if name not in habits.ignored}
        tests = list(self._tests(asked, habits))
        found = [row for row in rows if all(test(row) for test in tests)]
        sort = asked.get("sort", "")
        wanted, _, way = sort.partition(":")
        way = way or asked.get("direction", "asc")
        if sort and (wanted not in self._sorts or way not in ("asc", "desc")):
            raise RefusedError(422, _INVALID, errors={"sort": "error.expected.validenumvalue"})
        if habits.unordered == "shuffled" and wanted != "id":
            _CHANCE.shuffle(found)
        if wanted:
            found.sort(key=self._sorts[wanted], reverse=way == "desc")
        return found

    def _tests(self, query: Mapping[str, str], habits: Habits) -> Iterator[Test]:
        for name, value in query.items():
            field, _, operator = name.partition(":")
            if field in self._values:
                yield self._test(self._values[field], name, operator, value, habits)

    def _test(self, read: Read, name: str, operator: str, value: str, habits: Habits) -> Test:
        if operator in ("in", "not_in"):
            wanted = {part.strip().casefold() for part in value.split(",")}
            return lambda row: bool(wanted & _texts(read(row))) == (operator == "in")
        if operator in ("min", "max", "greater", "less"):
            return _between(read, name, operator, value, habits)
        if operator == "like":
            return lambda row: value.casefold() in str(read(row)).casefold()
        return lambda row: value.casefold() in _texts(read(row))


def _between(read: Read, name: str, operator: str, value: str, habits: Habits) -> Test:
    dated = "date" in name
    bound: Any
    try:
        bound = listing.moment(name, value) if dated else float(value)
    except (RefusedError, ValueError):
        raise RefusedError(422, _INVALID, errors={name: "error.expected.date" if dated else "error.number"}) from None
    strict = operator in ("greater", "less") or (dated and habits.bounds == "after")
    if operator in ("min", "greater"):
        return lambda row: bool(read(row) > bound if strict else read(row) >= bound)
    return lambda row: bool(read(row) < bound if strict else read(row) <= bound)


def _texts(value: Any) -> set[str]:
    """One value or several, as they are compared."""
    if isinstance(value, Collection) and not isinstance(value, str):
        return {text for one in value for text in _texts(one)}
    return {str(value).lower() if isinstance(value, bool) else str(value).casefold()}


def answer(
    visit: Visit, rows: Sequence[Any], render: Callable[[Any], Any], *, most: int = listing.MOST, cut: int = 0
) -> Response:
    """A page of rows. `cut` makes it shorter than the pagination says, as some sub-resources do."""
    try:
        number, limit = listing.page(visit.query, most=most)
    except RefusedError as refused:
        raise RefusedError(422 if refused.status == 400 else refused.status, refused.title, errors={}) from None
    body = v3.paged(rows, number, limit, visit.query.items())
    shown = body["data"]
    if cut and limit > cut:
        shown = rows[(number - 1) * cut : number * cut]
        body["meta"]["pagination"]["count"] = len(shown)
    body["data"] = [render(row) for row in shown]
    return JSONResponse(body)


def picked(document: dict[str, Any], query: Mapping[str, str], *, key: str = "id") -> dict[str, Any]:
    """The document with `include_fields` only, or without `exclude_fields`. The id always stays."""
    if "include_fields" in query:
        wanted = {key, *query["include_fields"].split(",")}
        return {name: value for name, value in document.items() if name in wanted}
    hidden = set(query.get("exclude_fields", "").split(",")) - {key}
    return {name: value for name, value in document.items() if name not in hidden}
