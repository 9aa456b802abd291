"""The general ledger's interface file: a zip with one CSV, 150 columns, no header row (Oracle Fusion: 4.4)."""

import csv
import datetime as dt
import io
import zipfile
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final, Literal

from contracts.journal import Journal, JournalLine, LedgerFacts

DateFormat = Literal["%Y/%m/%d", "%d/%m/%y"]


def _numbered(stem: str, first: int, last: int) -> tuple[str, ...]:
    return tuple(f"{stem}{number}" for number in range(first, last + 1))


COLUMNS: Final[tuple[str, ...]] = (
    "STATUS",
    "LEDGER_ID",
    "ACCOUNTING_DATE",
    "USER_JE_SOURCE_NAME",
    "USER_JE_CATEGORY_NAME",
    "CURRENCY_CODE",
    "DATE_CREATED",
    "ACTUAL_FLAG",
    *_numbered("SEGMENT", 1, 30),
    "ENTERED_DR",
    "ENTERED_CR",
    "ACCOUNTED_DR",
    "ACCOUNTED_CR",
    *_numbered("REFERENCE", 1, 10),
    *_numbered("REFERENCE", 21, 30),
    "STAT_AMOUNT",
    "USER_CURRENCY_CONVERSION_TYPE",
    "CURRENCY_CONVERSION_DATE",
    "CURRENCY_CONVERSION_RATE",
    "GROUP_ID",
    "ATTRIBUTE_CATEGORY",
    *_numbered("ATTRIBUTE", 1, 20),
    "ATTRIBUTE_CATEGORY3",
    "AVERAGE_JOURNAL_FLAG",
    "ORIGINATING_BAL_SEG_VALUE",
    "LEDGER_NAME",
    "ENCUMBRANCE_TYPE_ID",
    "JGZZ_RECON_REF",
    "PERIOD_NAME",
    *_numbered("REFERENCE", 18, 20),
    *_numbered("ATTRIBUTE_DATE", 1, 10),
    *_numbered("ATTRIBUTE_NUMBER", 1, 10),
    "GLOBAL_ATTRIBUTE_CATEGORY",
    *_numbered("GLOBAL_ATTRIBUTE", 1, 20),
    *_numbered("GLOBAL_ATTRIBUTE_DATE", 1, 5),
    *_numbered("GLOBAL_ATTRIBUTE_NUMBER", 1, 5),
    "END",
)
"""Column names by position. The last one holds the literal `END`."""

_POSITION: Final = {name: position for position, name in enumerate(COLUMNS)}
_NAME_LENGTH: Final = 100
_DESCRIPTION_LENGTH: Final = 240
_TIMESTAMP: Final = (1980, 1, 1, 0, 0, 0)
"""Of the file inside the zip: equal journals make equal bytes."""


def batch_name(group_id: int) -> str:
    """The batch name (REFERENCE1) of a group. Fusion may put decorations behind it."""
    return f"MLC {group_id}"


def interface_zip(
    journals: Sequence[Journal],
    *,
    group_id: int,
    ledger: LedgerFacts,
    batch: str,
    created: dt.date,
    file_name: str = "GlInterface.csv",
    date_format: DateFormat = "%Y/%m/%d",
) -> bytes:
    """The zipped interface file of one group.

    Raises `ValueError` for journals that the file cannot carry: another ledger's, an account with the wrong number of
    segments, a foreign currency without conversion type, or conversion type `User`, which needs a rate.
    """
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerows(interface_rows(journals, group_id, ledger, batch, created, date_format))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        entry = zipfile.ZipInfo(file_name, date_time=_TIMESTAMP)
        entry.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(entry, written.getvalue().encode("utf-8"))
    return packed.getvalue()


def interface_rows(
    journals: Iterable[Journal],
    group_id: int,
    ledger: LedgerFacts,
    batch: str,
    created: dt.date,
    date_format: DateFormat,
) -> Iterable[list[str]]:
    """One row per journal line, in order."""
    for journal in journals:
        _check(journal, ledger)
        common = _journal_columns(journal, group_id, ledger, batch, created, date_format)
        for number, line in enumerate(journal.lines, start=1):
            row = [""] * len(COLUMNS)
            for name, value in (common | _line_columns(journal, line, number)).items():
                row[_POSITION[name]] = value
            yield row


def _journal_columns(
    journal: Journal, group_id: int, ledger: LedgerFacts, batch: str, created: dt.date, date_format: DateFormat
) -> dict[str, str]:
    columns = {
        "STATUS": "NEW",
        "LEDGER_ID": str(ledger.ledger_id),
        "ACCOUNTING_DATE": journal.accounting_date.strftime(date_format),
        "USER_JE_SOURCE_NAME": journal.journal_source,
        "USER_JE_CATEGORY_NAME": journal.journal_category,
        "CURRENCY_CODE": journal.currency,
        "DATE_CREATED": created.strftime(date_format),
        "ACTUAL_FLAG": "A",
        "REFERENCE1": one_line(batch, _NAME_LENGTH),
        "REFERENCE4": one_line(journal.reference, _NAME_LENGTH),
        "REFERENCE5": one_line(journal.description, _DESCRIPTION_LENGTH),
        "REFERENCE6": one_line(journal.reference, _NAME_LENGTH),
        "REFERENCE21": one_line(journal.reference, _NAME_LENGTH),
        "GROUP_ID": str(group_id),
        "END": "END",
    }
    if journal.currency != ledger.currency and journal.conversion_type:
        # The rate stays empty: Fusion takes it from its own rates by type and date.
        columns["USER_CURRENCY_CONVERSION_TYPE"] = journal.conversion_type
        columns["CURRENCY_CONVERSION_DATE"] = (journal.conversion_date or journal.accounting_date).strftime(date_format)
    return columns


def _line_columns(journal: Journal, line: JournalLine, number: int) -> dict[str, str]:
    """Descriptions are for people, and reports cut them; import references carry the same facts one by one: which line
    of the order it is, and which rule of which version of the mapping set chose its account (none: suspense)."""
    columns = {f"SEGMENT{position}": value for position, value in enumerate(line.segments, start=1)}
    columns["ENTERED_DR" if line.debit else "ENTERED_CR"] = _amount(line.debit or line.credit)
    columns["REFERENCE10"] = one_line(line.description, _DESCRIPTION_LENGTH)
    columns["REFERENCE22"] = str(number)
    columns["REFERENCE23"] = one_line(line.source_key, _DESCRIPTION_LENGTH)
    chosen = line.rule
    columns["REFERENCE24"] = chosen.mapping_set if chosen else journal.mapping_set
    columns["REFERENCE25"] = str(chosen.version if chosen else journal.mapping_version)
    columns["REFERENCE26"] = chosen.rule if chosen else ""
    return columns


def _check(journal: Journal, ledger: LedgerFacts) -> None:
    if journal.ledger != ledger.ledger:
        raise ValueError(f"Journal {journal.reference} belongs to ledger {journal.ledger}, not to {ledger.ledger}.")
    for line in journal.lines:
        if len(line.segments) > 30 or (ledger.segment_count and len(line.segments) != ledger.segment_count):
            raise ValueError(
                f"Journal {journal.reference}: account {'-'.join(line.segments)} has {len(line.segments)} segments, "
                f"ledger {ledger.ledger} has {ledger.segment_count}."
            )
    if journal.currency != ledger.currency and not journal.conversion_type:
        raise ValueError(
            f"Journal {journal.reference} is in {journal.currency}, ledger {ledger.ledger} in {ledger.currency}: "
            "it needs a conversion type."
        )
    if journal.conversion_type == "User":
        raise ValueError(f"Journal {journal.reference}: conversion type User needs a rate; name a rate type instead.")


def one_line(text: str, limit: int) -> str:
    """`text` without line breaks and control characters, cut to what the column holds."""
    return " ".join("".join(" " if ord(character) < 32 else character for character in text).split())[:limit]


def _amount(amount: Decimal) -> str:
    return f"{amount:f}"
