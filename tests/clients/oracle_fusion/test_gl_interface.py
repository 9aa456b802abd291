import csv
import datetime as dt
import io
import json
import os
import zipfile
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.oracle_fusion.gl_interface import COLUMNS, batch_name, interface_zip
from contracts.journal import Journal, JournalLine, LedgerFacts, Purpose

LEDGER = LedgerFacts(ledger="US Primary", ledger_id=300000001, currency="USD", segment_count=4)
CREATED = dt.date(2026, 3, 2)

# Positions as the vendor counts them, from 1 (Oracle Fusion: 4.4), deliberately not taken from the code.
SEGMENT1, ENTERED_DR, ENTERED_CR, REFERENCE1, REFERENCE4, REFERENCE5 = 9, 39, 40, 43, 46, 47
REFERENCE6, REFERENCE10, REFERENCE21, REFERENCE22 = 48, 52, 53, 54
CONVERSION_TYPE, CONVERSION_DATE, CONVERSION_RATE, GROUP_ID, LEDGER_NAME, PERIOD_NAME, END = 64, 65, 66, 67, 92, 95, 150


def rows_of(packed: bytes) -> list[list[str]]:
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        (name,) = archive.namelist()
        assert name == "GlInterface.csv"
        return list(csv.reader(io.StringIO(archive.read(name).decode("utf-8"), newline="")))


def written(*journals: Journal, **changes: Any) -> list[list[str]]:
    settings = {"group_id": 176000000000001, "ledger": LEDGER, "batch": "MLC 176000000000001", "created": CREATED}
    return rows_of(interface_zip(journals, **{**settings, **changes}))


def test_every_column_stands_where_the_vendor_wants_it(make_journal: Any) -> None:
    debit, credit = written(make_journal())
    assert len(debit) == END
    assert debit[:8] == ["NEW", "300000001", "2026/03/01", "Web Shop", "Sales", "USD", "2026/03/02", "A"]
    assert debit[SEGMENT1 - 1 : SEGMENT1 + 4] == ["101", "10", "41000", "000", ""]
    assert (debit[ENTERED_DR - 1], debit[ENTERED_CR - 1]) == ("10.50", "")
    assert (credit[ENTERED_DR - 1], credit[ENTERED_CR - 1]) == ("", "10.50")
    assert debit[REFERENCE1 - 1] == "MLC 176000000000001"
    assert debit[REFERENCE4 - 1] == debit[REFERENCE6 - 1] == debit[REFERENCE21 - 1] == "acme/bc-us/order/1024/sale/1"
    assert debit[REFERENCE5 - 1] == "Order 1024 of shop bc-us"
    assert credit[REFERENCE10 - 1] == 'Shirt, "blue"'
    assert (debit[REFERENCE22 - 1], credit[REFERENCE22 - 1]) == ("1", "2")
    assert debit[GROUP_ID - 1] == "176000000000001"
    assert debit[END - 1] == "END"


def test_own_currency_needs_no_conversion_and_foreign_currency_never_carries_a_rate(make_journal: Any) -> None:
    own = written(make_journal(conversion_type="Corporate"))[0]
    assert own[CONVERSION_TYPE - 1 : CONVERSION_RATE] == ["", "", ""]
    foreign = written(make_journal(currency="EUR", conversion_type="Corporate"))[0]
    assert foreign[CONVERSION_TYPE - 1 : CONVERSION_RATE] == ["Corporate", "2026/03/01", ""]


def test_the_other_date_format_is_a_setting(make_journal: Any) -> None:
    assert written(make_journal(), date_format="%d/%m/%y")[0][2] == "01/03/26"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ledger": "UK Primary"}, "belongs to ledger"),
        ({"currency": "EUR"}, "conversion type"),
        ({"currency": "EUR", "conversion_type": "User"}, "needs a rate"),
    ],
)
def test_a_journal_the_file_cannot_carry_is_refused_before_sending(
    make_journal: Any, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        written(make_journal(**changes))


def test_an_account_of_another_chart_is_refused_before_sending(make_journal: Any, make_line: Any) -> None:
    short = (make_line(debit="1", account="101-10"), make_line(credit="1", account="101-10"))
    with pytest.raises(ValueError, match="2 segments"):
        written(make_journal(lines=short))


def test_a_line_break_in_a_description_does_not_break_the_file(make_journal: Any, make_line: Any) -> None:
    lines = (make_line(debit="1", description="a\r\nb\x00c"), make_line(credit="1", description="z" * 500))
    rows = written(make_journal(lines=lines))
    assert [row[REFERENCE10 - 1] for row in rows] == ["a b c", "z" * 240]


def test_equal_groups_make_equal_bytes(make_journal: Any) -> None:
    settings: dict[str, Any] = {"group_id": 1, "ledger": LEDGER, "batch": batch_name(1), "created": CREATED}
    assert interface_zip([make_journal()], **settings) == interface_zip([make_journal()], **settings)


def test_the_column_table_is_the_published_one() -> None:
    shared = Path(os.environ.get("ML_CONNECTOR_SHARED", Path(__file__).parents[4] / "shared"))
    published = shared / "vendors" / "specs" / "oracle" / "gl_interface_fbdi_columns.json"
    if not published.exists():
        assert os.environ.get("CI") != "true", f"{published} is missing; set ML_CONNECTOR_SHARED to the vendor facts."
        pytest.skip("the vendor facts are not beside this repository")
    columns = json.loads(published.read_text())["columns"]
    assert [*columns[:-1], "END"] == list(COLUMNS)


words = st.text(st.characters(blacklist_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=30)
amounts = st.integers(1, 10**11).map(lambda cents: Decimal(cents) / 100)
accounts = st.tuples(*(st.from_regex(r"[0-9A-Z]{1,8}", fullmatch=True) for _ in range(4)))


@st.composite
def journals(draw: st.DrawFn, number: int) -> Journal:
    sides = draw(st.lists(amounts, min_size=1, max_size=4))

    def one(amount: Decimal, *, debit: bool) -> JournalLine:
        return JournalLine(
            purpose=Purpose.REVENUE,
            segments=draw(accounts),
            debit=amount if debit else Decimal(0),
            credit=Decimal(0) if debit else amount,
            description=draw(words),
        )

    return Journal(
        reference=f"acme/bc-us/order/{number}/sale/1",
        description=draw(words),
        ledger="US Primary",
        journal_source=draw(words),
        journal_category=draw(words),
        accounting_date=draw(st.dates(dt.date(2020, 1, 1), dt.date(2035, 1, 1))),
        date_reason="placed",
        currency=draw(st.sampled_from(["USD", "EUR", "JPY"])),
        conversion_type="Corporate",
        lines=(*(one(amount, debit=True) for amount in sides), one(sum(sides, start=Decimal(0)), debit=False)),
        mapping_set="retail",
        mapping_version=1,
    )


@given(st.integers(1, 4).flatmap(lambda count: st.tuples(*(journals(number) for number in range(count)))))
def test_the_file_reads_back_as_the_same_journals(group: tuple[Journal, ...]) -> None:
    read: dict[str, list[list[str]]] = defaultdict(list)
    for row in written(*group):
        assert len(row) == END
        read[row[REFERENCE4 - 1]].append(row)
    assert list(read) == [journal.reference for journal in group]
    for journal in group:
        rows = read[journal.reference]
        assert [int(row[REFERENCE22 - 1]) for row in rows] == list(range(1, len(journal.lines) + 1))
        for row, line in zip(rows, journal.lines, strict=True):
            assert tuple(row[SEGMENT1 - 1 : SEGMENT1 + 3]) == line.segments
            assert Decimal(row[ENTERED_DR - 1] or 0) == line.debit
            assert Decimal(row[ENTERED_CR - 1] or 0) == line.credit
            assert row[REFERENCE10 - 1] == line.description
            assert row[2] == journal.accounting_date.strftime("%Y/%m/%d")
            assert (row[3], row[4], row[5]) == (journal.journal_source, journal.journal_category, journal.currency)
            assert bool(row[CONVERSION_TYPE - 1]) is (journal.currency != "USD")
            assert row[CONVERSION_RATE - 1] == ""
