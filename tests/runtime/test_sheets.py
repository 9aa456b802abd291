"""Files for spreadsheets: what other people's systems call things is text there, never a formula."""

import csv
import io

import pytest

from runtime.operations.fusion_answers import as_csv
from runtime.operations.sheets import defused


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        '=HYPERLINK("https://example.com?x="&A1)',
        "+SUM(A1:A9)",
        "-2+3+cmd|' /C calc'!A0",
        "@SUM(1)",
        "  =1+1",
        "\t=1+1",
        "\r=1+1",
        "\n@x",
        "＝1+1",
        "--1",
        "-",
    ],
)
def test_what_would_begin_a_formula_begins_with_an_apostrophe(text: str) -> None:
    assert defused(text) == f"'{text}"


@pytest.mark.parametrize(
    "text",
    ["", "Blue shirt", "a=b", "12", "-12.50", "+1", "-1,234.56", "1e5", "-1E-7", "101-000-41000", "'=1", "{}"],
)
def test_everything_else_stays_as_it_is(text: str) -> None:
    assert defused(text) == text


def test_names_and_values_of_a_pods_rows_are_defused() -> None:
    written = as_csv([{"Name": "=cmd()", "Amount": "-12.50", "@Odd": "fine", "Lines": [{"Name": "=x"}]}])
    header, row = csv.reader(io.StringIO(written))
    assert header == ["Name", "Amount", "'@Odd", "Lines"]
    assert row == ["'=cmd()", "-12.50", "fine", '[{"Name": "=x"}]']
