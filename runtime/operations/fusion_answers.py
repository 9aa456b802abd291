"""What a pod answers, made fit for a screen or a file: no links, no personal data, no secrets."""

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from runtime.observing.redaction import HIDDEN, Redactor, redactor
from runtime.operations.sheets import defused

PERSONAL: Final = re.compile(
    r"E-?mail|Phone|Fax|Mobile|FirstName|MiddleName|LastName|PersonName|Contact|Address|Street|PostalCode|ZipCode|"
    r"(?-i:City(?![a-z]))|"  # of an address; not in Capacity
    r"BirthDa|NationalI|Passport|Taxpayer|TaxRegistration|BankAccount|IBAN|CreditCard|CardHolder|CardNumber|"
    r"Password|Secret|Token|CreatedBy|LastUpdatedBy|UserName|Requester|Buyer$|Comments|InternalNotes|Notes$",
    re.IGNORECASE,
)
"""Attributes that tell of a person, or hold free text in which people do. Names of firms are none of them."""

WIDTH: Final = 8
"""Columns of a table when nobody has said which."""


def cleaned(
    rows: Iterable[Mapping[str, Any]], hide: Redactor = redactor
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """The rows without links, children included, and the names of the attributes that were hidden."""
    hidden: dict[str, None] = {}
    return [_row(row, hidden, hide) for row in rows], tuple(hidden)


def _row(row: Mapping[str, Any], hidden: dict[str, None], hide: Redactor) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, value in row.items():
        if name == "links":
            continue
        if value not in (None, "") and not isinstance(value, Mapping | list) and PERSONAL.search(name):
            hidden[name] = None
            shown[name] = HIDDEN
        else:
            shown[name] = _value(value, hidden, hide)
    return shown


def _value(value: Any, hidden: dict[str, None], hide: Redactor) -> Any:
    if isinstance(value, Mapping):
        return _row(value, hidden, hide)
    if isinstance(value, list | tuple):
        return [_value(one, hidden, hide) for one in value]
    if isinstance(value, str):
        return hide(value)
    # An amount as text keeps its digits, here as everywhere.
    return str(value) if isinstance(value, Decimal) else value


def columns(rows: Sequence[Mapping[str, Any]], wanted: Sequence[str] = ()) -> tuple[str, ...]:
    """Attributes by which rows are shown in a file: those asked for, else all, in the pod's order."""
    every = dict.fromkeys(name for row in rows for name in row)
    named = tuple(name for name in wanted if name in every)
    return named or tuple(every)


def few_columns(rows: Sequence[Mapping[str, Any]], wanted: Sequence[str] = ()) -> tuple[str, ...]:
    """As `columns`, but without a wish only as many as a screen takes: the first that say anything."""
    every = columns(rows, wanted)
    if wanted:
        return every
    return tuple(name for name in every if any(cell(row.get(name)) for row in rows))[:WIDTH]


def cell(value: Any) -> str:
    """A value in a table."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        value = value["items"] if isinstance(value.get("items"), list) else [value]
    if isinstance(value, list):
        return f"{len(value)} {'row' if len(value) == 1 else 'rows'}" if value else ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def as_json(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)


def as_csv(rows: Sequence[Mapping[str, Any]], wanted: Sequence[str] = ()) -> str:
    """A header and one line a row; children as JSON in their cell. No cell is a formula."""
    names = columns(rows, wanted)
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(map(defused, names))
    for row in rows:
        writer.writerow([defused(_flat(row.get(name))) for name in names])
    return written.getvalue()


def _flat(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping | list) else cell(value)
