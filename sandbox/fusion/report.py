"""The Journal Import Execution Report and the logs of an import, as text files.

Sections in this order: totals, batches created, `Unbalanced Journal Entries`, `Error Lines`, `Error Key`. Section
titles stand between equals signs; tables are fixed-width under a line of dashes; an error key line is the code, at
least two spaces and its sentence (Oracle Fusion: 4.5). Where several errors hit one line their codes are joined by
commas. Journal names are printed whole, accounts with hyphens.
"""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

SENTENCES = {
    "EC01": "A conversion rate must be entered when using the User conversion rate type.",
    "EC02": "There is no conversion date supplied.",
    "EC03": "A conversion rate type or an accounted amount must be supplied for foreign currency journal lines.",
    "EC06": "There is no conversion rate for this currency, conversion rate type and conversion date.",
    "EC08": "Invalid conversion rate type.",
    "EC09": "Invalid or disabled currency.",
    "EC12": "Entered and accounted amounts must match in the ledger currency.",
    "EF01": "This account combination is inactive for this accounting date.",
    "EF02": "Detail posting to this account is not allowed.",
    "EF03": "This account combination has been disabled.",
    "EF04": "The account isn't valid. Check your cross validation rules and segment values.",
    "EF05": "There is no account with this code combination ID.",
    "EM01": "Invalid journal category.",
    "EP01": "The accounting date isn't in an open or future-enterable period.",
    "EP02": "This ledger has no open or future-enterable periods.",
    "EU02": "This journal entry is unbalanced and suspense posting isn't allowed in this ledger.",
    "WU01": "This journal entry is unbalanced. It is accepted because suspense posting is allowed.",
}
"""What each code means, in this twin's words. EM01 stands in for category errors, whose code is not documented."""

WIDTH = 132


@dataclass(frozen=True)
class ErrorLine:
    """One interface row that was refused. `line` is its line in the file, from 1."""

    codes: tuple[str, ...]
    line: int
    journal: str
    accounting_date: str
    period: str
    category: str
    currency: str
    account: str
    debit: str
    credit: str


@dataclass(frozen=True)
class Unbalanced:
    """A journal whose sides differ."""

    code: str
    journal: str
    period: str
    category: str
    currency: str
    debit: Decimal
    credit: Decimal


@dataclass(frozen=True)
class BatchCreated:
    name: str
    period: str
    journals: int
    lines: int


def execution_report(
    *,
    request_id: int,
    at: datetime,
    ledger: str,
    source: str,
    group_id: str,
    rows: int,
    batches: Sequence[BatchCreated] = (),
    unbalanced: Sequence[Unbalanced] = (),
    errors: Sequence[ErrorLine] = (),
) -> str:
    """The report of one group; `rows` is how many interface rows it had."""
    codes = sorted({code for line in errors for code in line.codes} | {entry.code for entry in unbalanced})
    refused = any(not code.startswith("W") for code in codes)
    parts = [
        f"{'Journal Import Execution Report':^{WIDTH}}",
        f"Report Date: {at:%Y-%m-%d %H:%M}",
        f"Process ID: {request_id}",
        f"Ledger: {ledger}",
        "",
        *_table(
            ("Source", 30, "<"), ("Group ID", 20, "<"), ("Status", 10, "<"), ("Lines", 8, ">"), ("Errors", 8, ">"),
            rows=[(source, group_id, "ERROR" if refused else "SUCCESS", str(rows), str(len(errors)))],
        ),
        "",
        *_title("Batches Created"),
        *_table(
            ("Batch Name", 100, "<"), ("Period Name", 15, "<"), ("Journals", 8, ">"), ("Lines", 8, ">"),
            rows=[(batch.name, batch.period, str(batch.journals), str(batch.lines)) for batch in batches],
        ),
        *_title("Unbalanced Journal Entries"),
        *_table(
            ("Code", 6, "<"), ("Journal Name", 100, "<"), ("Period Name", 15, "<"), ("Category", 25, "<"),
            ("Currency", 8, "<"), ("Total Debits", 18, ">"), ("Total Credits", 18, ">"),
            rows=[
                (each.code, each.journal, each.period, each.category, each.currency, str(each.debit), str(each.credit))
                for each in unbalanced
            ],
        ),
        *_title("Error Lines"),
        *_table(
            ("Error Code", 15, "<"), ("Line", 6, ">"), ("Journal Name", 100, "<"), ("Accounting Date", 15, "<"),
            ("Period Name", 15, "<"), ("Category", 25, "<"), ("Currency", 8, "<"), ("Account", 60, "<"),
            ("Entered Debit", 18, ">"), ("Entered Credit", 18, ">"),
            rows=[
                (
                    ",".join(line.codes), str(line.line), line.journal, line.accounting_date, line.period,
                    line.category, line.currency, line.account, line.debit, line.credit,
                )
                for line in errors
            ],
        ),
        *_title("Error Key"),
        *(f"{code}   {SENTENCES.get(code, 'Error.')}" for code in codes),
        "",
        f"{'***** End of Report *****':^{WIDTH}}",
    ]  # fmt: skip
    return "\n".join(parts) + "\n"


def _title(text: str) -> list[str]:
    return ["", f" {text} ".center(WIDTH, "="), ""]


def _table(*columns: tuple[str, int, str], rows: Iterable[Sequence[str]]) -> list[str]:
    def line(values: Iterable[str]) -> str:
        cells = zip(values, columns, strict=True)
        return "  ".join(f"{value:{side}{width}}" for value, (_, width, side) in cells).rstrip()

    return [
        line(title for title, _, _ in columns),
        "  ".join("-" * width for _, width, _ in columns),
        *(line(row) for row in rows),
    ]


def zipped(files: Mapping[str, str]) -> str:
    """Text files as the base64 of a zip, as `DocumentContent` carries them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return base64.b64encode(buffer.getvalue()).decode()
