"""The GL interface file: 150 columns without a header, in a zip (Oracle Fusion: 4.4)."""

from __future__ import annotations

import base64
import binascii
import csv
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation


def _names() -> Iterator[str]:
    yield from ("STATUS", "LEDGER_ID", "ACCOUNTING_DATE", "USER_JE_SOURCE_NAME", "USER_JE_CATEGORY_NAME")
    yield from ("CURRENCY_CODE", "DATE_CREATED", "ACTUAL_FLAG")
    yield from (f"SEGMENT{number}" for number in range(1, 31))
    yield from ("ENTERED_DR", "ENTERED_CR", "ACCOUNTED_DR", "ACCOUNTED_CR")
    yield from (f"REFERENCE{number}" for number in range(1, 11))
    yield from (f"REFERENCE{number}" for number in range(21, 31))
    yield from ("STAT_AMOUNT", "USER_CURRENCY_CONVERSION_TYPE", "CURRENCY_CONVERSION_DATE", "CURRENCY_CONVERSION_RATE")
    yield from ("GROUP_ID", "ATTRIBUTE_CATEGORY")
    yield from (f"ATTRIBUTE{number}" for number in range(1, 21))
    yield from ("ATTRIBUTE_CATEGORY3", "AVERAGE_JOURNAL_FLAG", "ORIGINATING_BAL_SEG_VALUE", "LEDGER_NAME")
    yield from ("ENCUMBRANCE_TYPE_ID", "JGZZ_RECON_REF", "PERIOD_NAME", "REFERENCE18", "REFERENCE19", "REFERENCE20")
    yield from (f"ATTRIBUTE_DATE{number}" for number in range(1, 11))
    yield from (f"ATTRIBUTE_NUMBER{number}" for number in range(1, 11))
    yield "GLOBAL_ATTRIBUTE_CATEGORY"
    yield from (f"GLOBAL_ATTRIBUTE{number}" for number in range(1, 21))
    yield from (f"GLOBAL_ATTRIBUTE_DATE{number}" for number in range(1, 6))
    yield from (f"GLOBAL_ATTRIBUTE_NUMBER{number}" for number in range(1, 6))
    yield "END"


COLUMNS = tuple(_names())
_AMOUNTS = ("ENTERED_DR", "ENTERED_CR", "ACCOUNTED_DR", "ACCOUNTED_CR", "CURRENCY_CONVERSION_RATE")
_LENGTHS = {"REFERENCE1": 100, "REFERENCE4": 100, "REFERENCE2": 240, "REFERENCE5": 240, "REFERENCE10": 240} | {
    f"REFERENCE{number}": 240 for number in (6, *range(21, 31))
}


class FileRejectedError(Exception):
    """The loader cannot read the file; nothing of it reaches the interface. The message goes to the loader's log."""


@dataclass
class InterfaceRow:
    """One row of GL_INTERFACE."""

    id: int
    line: int
    """Position among the rows of its file, from 1."""
    values: dict[str, str]
    accounting_date: date
    conversion_date: date | None
    load_request: int
    status: str = "NEW"

    def text(self, column: str) -> str:
        return self.values.get(column, "")

    def amount(self, column: str) -> Decimal | None:
        return Decimal(self.values[column]) if self.values.get(column) else None

    @property
    def ledger_id(self) -> str:
        return self.values["LEDGER_ID"]

    @property
    def source(self) -> str:
        return self.values["USER_JE_SOURCE_NAME"]

    @property
    def group_id(self) -> str:
        return self.values["GROUP_ID"]

    @property
    def journal(self) -> str:
        return self.values["REFERENCE4"]

    @property
    def segments(self) -> tuple[str, ...]:
        """Segment values up to the last one given."""
        given = [self.values[f"SEGMENT{number}"] for number in range(1, 31)]
        while given and not given[-1]:
            given.pop()
        return tuple(given)


def read_interface_file(content: str, *, date_format: str, request_id: int, first_id: int) -> list[InterfaceRow]:
    """Read the base64 of a zip, as strictly as the loader. Raises `FileRejectedError` with line and column."""
    try:
        with zipfile.ZipFile(io.BytesIO(base64.b64decode(content, validate=True))) as archive:
            names = archive.namelist()
            files = [name for name in names if name.lower().replace("_", "") == "glinterface.csv"]
            if len(files) != 1 or len(names) != 1:
                raise FileRejectedError(f"The archive must hold one GlInterface.csv; it holds {', '.join(names)}.")
            text = archive.read(files[0]).decode("utf-8")
    except (binascii.Error, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise FileRejectedError(f"The document is not a readable zip file: {error}.") from error
    rows = []
    for line, cells in enumerate(csv.reader(io.StringIO(text, newline=""), strict=True), start=1):
        rows.append(_row(cells, line, date_format, request_id, first_id + line - 1))
    if not rows:
        raise FileRejectedError("The file has no rows.")
    return rows


def _row(cells: list[str], line: int, date_format: str, request_id: int, row_id: int) -> InterfaceRow:
    if len(cells) != len(COLUMNS):
        raise FileRejectedError(f"Line {line}: {len(cells)} columns instead of {len(COLUMNS)}.")
    values = dict(zip(COLUMNS, cells, strict=True))
    if values["END"] != "END":
        raise FileRejectedError(f"Line {line}: the last column must be END.")
    for column in ("STATUS", "LEDGER_ID", "ACCOUNTING_DATE", "USER_JE_SOURCE_NAME", "USER_JE_CATEGORY_NAME"):
        if not values[column]:
            raise FileRejectedError(f"Line {line}: {column} is empty.")
    if values["STATUS"] != "NEW" or values["ACTUAL_FLAG"] != "A":
        raise FileRejectedError(f"Line {line}: STATUS must be NEW and ACTUAL_FLAG must be A.")
    if not values["LEDGER_ID"].isdigit() or (values["GROUP_ID"] and not values["GROUP_ID"].isdigit()):
        raise FileRejectedError(f"Line {line}: LEDGER_ID and GROUP_ID must be numbers.")
    if len(values["GROUP_ID"]) > 18:
        raise FileRejectedError(f"Line {line}: GROUP_ID has more than 18 digits.")
    for column, length in _LENGTHS.items():
        if len(values[column]) > length:
            raise FileRejectedError(f"Line {line}: {column} is longer than {length} characters.")
    accounting_date = _date(values["ACCOUNTING_DATE"], date_format, line, "ACCOUNTING_DATE")
    if values["DATE_CREATED"]:
        _date(values["DATE_CREATED"], date_format, line, "DATE_CREATED")
    given = values["CURRENCY_CONVERSION_DATE"]
    conversion_date = _date(given, date_format, line, "CURRENCY_CONVERSION_DATE") if given else None
    for column in _AMOUNTS:
        if values[column]:
            _amount(values[column], line, column)
    if bool(values["ENTERED_DR"]) == bool(values["ENTERED_CR"]):
        raise FileRejectedError(f"Line {line}: exactly one of ENTERED_DR and ENTERED_CR must be given.")
    return InterfaceRow(row_id, line, values, accounting_date, conversion_date, request_id)


def _date(text: str, date_format: str, line: int, column: str) -> date:
    try:
        return datetime.strptime(text, date_format).date()  # noqa: DTZ007 - an accounting date has no zone
    except ValueError as error:
        raise FileRejectedError(f"Line {line}: {column} {text!r} is not a date in the expected format.") from error


def _amount(text: str, line: int, column: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation as error:
        raise FileRejectedError(f"Line {line}: {column} {text!r} is not a number.") from error
    if not amount.is_finite() or "E" in text.upper():
        raise FileRejectedError(f"Line {line}: {column} {text!r} is not a plain number.")
    return amount
