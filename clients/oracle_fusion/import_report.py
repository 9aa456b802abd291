"""The output of Journal Import, read to the row (Oracle Fusion: 4.5).

The report is text for printing. It has an "Error Key" (code, spaces, sentence), tables under "Error Lines" and
"Unbalanced Journal Entries" whose columns are marked by dashes, and layouts that differ between releases. So rows are
read by their column headings where there are any, and by what they contain where there are none.
"""

import io
import re
import zipfile
from collections.abc import Collection, Iterator
from typing import Final

from clients.oracle_fusion.models import ImportFault
from clients.redaction import plain

_CODE: Final = r"(?:EP|EU|WU|EF|EC|EB|EM|ED|EE|EA|EL|ES|ET|EX|WE|WF)\d{2}"
_KEY: Final = re.compile(rf"^\s*({_CODE})(?:\s{{2,}}|\s*[-:]\s+|\t)(\S.*)$")
_ANY_CODE: Final = re.compile(rf"\b({_CODE})\b")
_DASHES: Final = re.compile(r"-{2,}|={2,}|_{2,}")
_ACCOUNT: Final = re.compile(r"(?<![\w/.-])[A-Za-z0-9]+(?:([-.|])[A-Za-z0-9]+)(?:\1[A-Za-z0-9]+)+(?![\w/-])")
_CELL: Final = re.compile(r"\s{2,}|\t|\s*\|\s*")
_HEADINGS: Final = (
    ("journal_name", ("journal name", "journal entry name", "journal", "reference4")),
    ("line", ("line number", "line num", "journal line", "line", "reference22")),
    ("account", ("account combination", "account", "accounting flexfield")),
    ("code", ("error code", "error codes", "errors", "error", "status", "code")),
)
_MEMBER_LIMIT: Final = 32 * 1024 * 1024


def report_texts(packed: bytes, depth: int = 2) -> Iterator[str]:
    """The texts in a zip of job output, nested zips included. A broken zip counts as text or as nothing."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(packed))
    except zipfile.BadZipFile:
        return
    with archive:
        for entry in sorted(archive.infolist(), key=lambda one: one.filename):
            if entry.is_dir() or entry.file_size > _MEMBER_LIMIT:
                continue
            content = archive.read(entry)
            if content[:2] == b"PK" and depth:
                yield from report_texts(content, depth - 1)
            elif entry.filename.lower().endswith((".txt", ".log", ".out", ".csv")) or b"\0" not in content[:4096]:
                yield content.decode("utf-8", errors="replace")


def read_report(text: str, names: Collection[str] = ()) -> tuple[ImportFault, ...]:
    """All errors of a report, each once, in order.

    `names` are the journal names of the group: a row that contains one belongs to it, whatever the columns say.
    A code of the key that no row uses is kept without a journal.
    """
    key = dict(_error_key(text))
    faults: dict[tuple[str, str, int | None, str], ImportFault] = {}
    explained = set[str]()
    for row in _rows(text):
        for code in dict.fromkeys(_ANY_CODE.findall(row.code or row.text)):
            name = _name_in(row.text, names) or row.journal_name
            account = row.account or _account_in(row.text)
            if not (name or account or row.line is not None):
                continue
            explained.add(code)
            fault = ImportFault(
                code=code,
                sentence=key.get(code) or f"Journal Import refused it with {code}.",
                journal_name=name,
                line=row.line,
                account=account,
            )
            faults.setdefault((code, name, row.line, account), fault)
    unnamed = [ImportFault(code=code, sentence=said) for code, said in key.items() if code not in explained]
    return (*faults.values(), *(fault for fault in unnamed if _used(text, fault.code)))


class _Row:
    """One line of the report that may name an error."""

    def __init__(self, text: str, cells: dict[str, str]) -> None:
        self.text = text
        self.journal_name = cells.get("journal_name", "")
        self.account = cells.get("account", "")
        self.code = cells.get("code", "") if _ANY_CODE.search(cells.get("code", "")) else ""
        number = re.search(r"\d+", cells.get("line", ""))
        self.line = int(number.group()) if number else None


def _error_key(text: str) -> Iterator[tuple[str, str]]:
    """Codes and sentences; a sentence may go on in indented lines."""
    code, said = "", ""
    for line in text.splitlines():
        key = _key_of(line)
        if key:
            if code:
                yield code, plain(said)
            code, said = key
        elif code and line.startswith(("    ", "\t")) and line.strip() and not _ANY_CODE.search(line):
            said += " " + line.strip()
        elif code:
            yield code, plain(said)
            code, said = "", ""
    if code:
        yield code, plain(said)


def _key_of(line: str) -> tuple[str, str] | None:
    """Code and sentence of a line of the error key; a line with more cells than these two is a row."""
    found = _KEY.match(line)
    if found is None or _CELL.search(found.group(2).strip()):
        return None
    return found.group(1), found.group(2).strip()


def _rows(text: str) -> Iterator[_Row]:
    """Every line with a code that is not part of the key, with its cells where headings were found."""
    columns: list[tuple[int, int | None, str]] = []
    cells_by_order: list[str] = []
    previous = ""
    for line in text.splitlines():
        stripped = line.strip()
        if stripped and not _DASHES.sub("", stripped).replace(" ", ""):
            columns = _columns(previous, line)
        elif not stripped:
            if not previous.strip():
                columns = []
        elif not columns and _is_heading(line):
            cells_by_order = [_meaning(cell) for cell in _CELL.split(stripped)]
        elif _ANY_CODE.search(line) and not _key_of(line):
            yield _Row(line, _cells(line, columns, cells_by_order))
        previous = line


def _columns(heading: str, dashes: str) -> list[tuple[int, int | None, str]]:
    spans = [found.span() for found in _DASHES.finditer(dashes)]
    if len(spans) < 2:
        return []
    ends: list[int | None] = [start for start, _ in spans[1:]]
    return [
        (start, end, _meaning(heading[start:end].strip())) for (start, _), end in zip(spans, [*ends, None], strict=True)
    ]


def _is_heading(line: str) -> bool:
    meanings = [_meaning(cell) for cell in _CELL.split(line.strip())]
    return len(meanings) >= 2 and "code" in meanings and ("journal_name" in meanings or "line" in meanings)


def _meaning(heading: str) -> str:
    heading = heading.strip().lower()
    for meaning, words in _HEADINGS:
        if heading in words:
            return meaning
    return heading


def _cells(line: str, columns: list[tuple[int, int | None, str]], by_order: list[str]) -> dict[str, str]:
    if columns:
        return {meaning: line[start:end].strip() for start, end, meaning in columns}
    cells = _CELL.split(line.strip())
    return dict(zip(by_order, cells, strict=True)) if len(cells) == len(by_order) else {}


def _name_in(line: str, names: Collection[str]) -> str:
    found = [name for name in names if re.search(rf"(?<![\w/-]){re.escape(name)}(?![\w/-])", line)]
    return max(found, key=len, default="")


def _account_in(line: str) -> str:
    found = _ACCOUNT.search(line)
    return found.group() if found else ""


def _used(text: str, code: str) -> bool:
    """A printed key may list every code there is; one that stands only in the key of a long list says nothing."""
    keys = sum(1 for line in text.splitlines() if _key_of(line))
    return keys <= 3 or len(re.findall(rf"\b{code}\b", text)) > 1
