"""Cells of files that people open in a spreadsheet."""

import re
from typing import Final

_BEGINS_A_FORMULA: Final = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n]")
_NUMBER: Final = re.compile(r"[+-]?\d+([.,]\d+)*([eE][+-]?\d+)?")


def defused(text: str) -> str:
    """The text as a cell that no spreadsheet calculates: what would begin a formula begins with an apostrophe.

    Names come from other people's systems, and a formula can read other cells and call addresses. A number stays one,
    also with a sign. Source: OWASP, CSV Injection.
    """
    if _BEGINS_A_FORMULA.match(text) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text
