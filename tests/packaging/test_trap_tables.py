"""The tables of traps name tests that exist, row by row, and leave out no pitfall of the vendors' pages."""

import ast
import functools
import os
import re
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ("bigcommerce-traps.md", "fusion-traps.md")
NOTHING_TO_TEST = {("fusion-traps.md", "2")}
"""Pitfalls that no flow can meet."""


class Row(NamedTuple):
    page: str
    line: int
    cells: tuple[str, ...]

    @property
    def tests(self) -> list[tuple[str, str]]:
        """File below `tests` and name of each test that the last cell names; "" for all of a file."""
        found: list[tuple[str, str]] = []
        for quoted in re.findall(r"`([^`]+)`", self.cells[-1]):
            file, _, name = quoted.partition("::")
            found.append((file or found[-1][0], name))
        return found


def rows(page: str) -> list[Row]:
    """Of all tables of the page, without their headings."""
    found = []
    for number, line in enumerate((ROOT / "docs" / page).read_text(encoding="utf-8").splitlines(), 1):
        cells = tuple(cell.strip() for cell in line.strip("|").split("|"))
        if line.startswith("|") and not set(line) <= set("|-: ") and cells[-1] != "test":
            found.append(Row(page, number, cells))
    return found


@functools.cache
def defined(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    return frozenset(one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("page", PAGES)
def test_every_row_names_tests_that_exist(page: str) -> None:
    wrong = []
    for row in rows(page):
        if not row.tests and (page, row.cells[0]) not in NOTHING_TO_TEST:
            wrong.append(f"{page}:{row.line} names no test")
        for file, name in row.tests:
            if not (ROOT / "tests" / file).is_file():
                wrong.append(f"{page}:{row.line}: there is no {file}")
            elif name and name not in defined(file):
                wrong.append(f"{page}:{row.line}: {file} has no {name}")
    assert wrong == []


@pytest.mark.parametrize("page", PAGES)
def test_rows_have_as_many_cells_as_their_heading(page: str) -> None:
    width = 0
    for number, line in enumerate((ROOT / "docs" / page).read_text(encoding="utf-8").splitlines(), 1):
        if not line.startswith("|"):
            width = 0
            continue
        cells = line.count("|") - 1
        width = width or cells
        assert cells == width, f"{page}:{number}"


@pytest.mark.parametrize(
    ("page", "vendor", "section"),
    [
        ("bigcommerce-traps.md", "bigcommerce.md", "## 12. Pitfalls"),
        ("fusion-traps.md", "oracle_fusion.md", "## 8. Pitfalls"),
    ],
)
def test_every_pitfall_of_the_vendors_page_has_its_row(page: str, vendor: str, section: str) -> None:
    published = Path(os.environ.get("ML_CONNECTOR_SHARED", ROOT.parent / "shared")) / "vendors" / vendor
    if not published.exists():
        assert os.environ.get("CI") != "true", f"{published} is missing; set ML_CONNECTOR_SHARED to the vendor facts."
        pytest.skip("the vendor facts are not beside this repository")
    text = published.read_text(encoding="utf-8").split(section, 1)[1].split("\n## ", 1)[0]
    pitfalls = [line for line in text.splitlines() if re.match(r"- |\| \d+ \|", line)]
    numbers = [row.cells[0] for row in rows(page) if row.cells[0].isdigit()]
    assert numbers == [str(number) for number in range(1, len(pitfalls) + 1)]
