import io
import zipfile

from clients.oracle_fusion.import_report import read_report, report_texts

TABLE = """
                    Journal Import Execution Report
Ledger: US Primary

============ Unbalanced Journal Entries ============

Code    Journal Name                    Period Name      Currency       Total Debits      Total Credits
------  ------------------------------  ---------------  --------  ------------------  ------------------
EU02    acme/bc-us/order/7/sale/1       Mar-26           USD                    10.00                9.00

============ Error Lines ============

Error Code         Line  Journal Name                    Account                         Entered Debit
---------------  ------  ------------------------------  ------------------------------  ------------------
EF04,EP01            12  acme/bc-us/order/1024/sale/1    101-10-41000-000                             10.50
EF03                 15  acme/bc-us/order/1024/sale/10   101-10-41999-000

============ Error Key ============

EF03   This account has been disabled.
EF04   The account isn't valid.
       Check your cross validation rules.
EP01   The date isn't in an open period.
EU02   This journal entry is unbalanced.

                    ***** End of Report *****
"""

WORDS = """
Error Lines
acme/bc-us/order/1024/sale/1   101.10.41000.000   EF04

Error Key
EF04  The account isn't valid. Check your cross validation rules.
"""


def test_every_error_is_read_to_its_journal_row_and_account() -> None:
    faults = {(fault.code, fault.journal_name, fault.line, fault.account) for fault in read_report(TABLE)}
    assert faults == {
        ("EU02", "acme/bc-us/order/7/sale/1", None, ""),
        ("EF04", "acme/bc-us/order/1024/sale/1", 12, "101-10-41000-000"),
        ("EP01", "acme/bc-us/order/1024/sale/1", 12, "101-10-41000-000"),
        ("EF03", "acme/bc-us/order/1024/sale/10", 15, "101-10-41999-000"),
    }
    sentences = {fault.code: fault.sentence for fault in read_report(TABLE)}
    assert sentences["EF04"] == "The account isn't valid. Check your cross validation rules."


def test_a_report_without_headings_is_read_by_what_its_rows_contain() -> None:
    (fault,) = read_report(WORDS, names=["acme/bc-us/order/1024/sale/1", "acme/bc-us/order/102/sale/1"])
    assert (fault.code, fault.journal_name, fault.account) == (
        "EF04",
        "acme/bc-us/order/1024/sale/1",
        "101.10.41000.000",
    )
    assert fault.sentence.startswith("The account isn't valid.")


def test_journal_one_is_not_blamed_for_journal_ten() -> None:
    text = "EF04   5   acme/bc-us/order/1/sale/10   101-10-41000-000\n"
    (fault,) = read_report(text, names=["acme/bc-us/order/1/sale/1", "acme/bc-us/order/1/sale/10"])
    assert fault.journal_name == "acme/bc-us/order/1/sale/10"


def test_an_error_that_names_no_journal_is_kept() -> None:
    (fault,) = read_report("Error Key\nEP02  This ledger has no open periods.\n")
    assert (fault.code, fault.journal_name) == ("EP02", "")


def test_a_clean_report_has_no_errors() -> None:
    assert read_report("Journal Import Execution Report\nStatus  SUCCESS\n" + "\n".join(["", "Error Key", ""])) == ()


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("_", "."), content)
    return buffer.getvalue()


def test_output_is_found_in_nested_zips_and_binaries_are_left_out() -> None:
    packed = zipped(a_log=b"log", b_zip=zipped(c_txt="Übersicht".encode()), d_pdf=b"%PDF\0\0")
    assert list(report_texts(packed)) == ["log", "Übersicht"]
    assert list(report_texts(b"not a zip")) == []
