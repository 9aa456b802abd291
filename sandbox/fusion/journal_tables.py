"""`journalBatches` with its headers and lines: what can be read of the journals (Oracle Fusion: 4.2).

Only batches are addressed by number; headers and lines have opaque keys. The interface's line references are not
shown, as in the pod; REFERENCE6 is the header's ExternalReference.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from sandbox.fusion.answers import RestError
from sandbox.fusion.ledger import Batch, GeneralLedger, Journal, JournalLine
from sandbox.fusion.resources import Entity, Resource

BATCH_ATTRIBUTES = (
    "JeBatchId", "BatchName", "BatchDescription", "DefaultPeriodName", "AccountedPeriodType", "Status",
    "StatusMeaning", "ActualFlagMeaning", "ApprovalStatusMeaning", "CompletionStatusMeaning", "FundsStatusMeaning",
    "ControlTotal", "ErrorMessage", "PostedDate", "PostingRunId", "RequestId", "RunningTotalDr", "RunningTotalCr",
    "RunningTotalAccountedDr", "RunningTotalAccountedCr", "ParentJeBatchName", "ChartOfAccountsName",
    "UserJeSourceName", "ApproverEmployeeName", "CreatedBy", "CreationDate", "LastUpdatedBy", "LastUpdateDate",
)  # fmt: skip
HEADER_ATTRIBUTES = (
    "JeHeaderId", "JournalName", "JournalDescription", "LedgerName", "LedgerCurrencyCode", "CurrencyCode",
    "PeriodName", "DefaultEffectiveDate", "UserJeCategoryName", "UserCurrencyConversionType",
    "CurrencyConversionDate", "CurrencyConversionRate", "RunningTotalDr", "RunningTotalCr",
    "RunningTotalAccountedDr", "RunningTotalAccountedCr", "ControlTotal", "LegalEntityName", "ExternalReference",
    "AccrualReversalStatus", "CreationDate", "LastUpdateDate",
)  # fmt: skip
LINE_ATTRIBUTES = (
    "JeLineNumber", "AccountCombination", "EnteredDr", "EnteredCr", "AccountedDr", "AccountedCr", "CurrencyCode",
    "CurrencyConversionDate", "CurrencyConversionRate", "Description", "ChartOfAccountsName", "StatAmount",
    "ReconciliationReference", "CreationDate", "LastUpdateDate",
)  # fmt: skip

_MEANINGS = {"U": "Unposted", "P": "Posted", "S": "Selected for posting", "I": "In process"}


def journal_batches(books: GeneralLedger, now: Callable[[], datetime]) -> Resource:
    """The resource over the books; batches that are not visible yet are left out."""
    header_attributes = HEADER_ATTRIBUTES if books.world.habits.header_ids else HEADER_ATTRIBUTES[1:]
    lines = Resource("journalLines", LINE_ATTRIBUTES, _lines_of, hash_of=("JeLineNumber", "CreationDate"))
    headers = Resource(
        "journalHeaders",
        header_attributes,
        lambda batch: _headers_of(books, batch),
        hash_of=("JournalName", "CurrencyCode", "UserJeCategoryName", "CreationDate", "DefaultEffectiveDate"),
        children=(lines,),
    )

    def batches(_: Any) -> list[Entity]:
        return [Entity(_batch(books, each), each) for each in books.batches if each.visible_from <= now()]

    return Resource(
        "journalBatches",
        BATCH_ATTRIBUTES,
        batches,
        "JeBatchId",
        unqueryable=frozenset({"RunningTotalDr", "RunningTotalCr", "ApproverEmployeeName", "ErrorMessage"}),
        children=(headers,),
        delete=lambda _, entity: _delete(books, entity.subject),
    )


def _delete(books: GeneralLedger, batch: Batch) -> None:
    if batch.status == "P":
        raise RestError(400, "A posted journal batch can't be deleted.")
    books.batches.remove(batch)


def _total(batch: Batch, side: str) -> Decimal:
    return sum((journal.total(side) for journal in batch.journals), start=Decimal(0))


def _batch(books: GeneralLedger, batch: Batch) -> dict[str, Any]:
    ledger = books.world.ledger(batch.ledger_id)
    user = books.world.credentials.user
    return {
        "JeBatchId": batch.id,
        "BatchName": batch.name,
        "BatchDescription": batch.description,
        "DefaultPeriodName": batch.period,
        "AccountedPeriodType": "Month1",
        "Status": batch.status,
        "StatusMeaning": _MEANINGS.get(batch.status, "Error"),
        "ActualFlagMeaning": "Actual",
        "ApprovalStatusMeaning": "Not required",
        "CompletionStatusMeaning": "Complete",
        "FundsStatusMeaning": "Not attempted",
        "ControlTotal": None,
        "ErrorMessage": batch.error,
        "PostedDate": batch.posted.date() if batch.posted else None,
        "PostingRunId": batch.posting_run,
        "RequestId": batch.request_id,
        "RunningTotalDr": _total(batch, "entered_dr"),
        "RunningTotalCr": _total(batch, "entered_cr"),
        "RunningTotalAccountedDr": _total(batch, "accounted_dr"),
        "RunningTotalAccountedCr": _total(batch, "accounted_cr"),
        "ParentJeBatchName": None,
        "ChartOfAccountsName": books.world.chart(ledger.chart_id).name,
        "UserJeSourceName": batch.source,
        "ApproverEmployeeName": None,
        "CreatedBy": user,
        "CreationDate": batch.created,
        "LastUpdatedBy": user,
        "LastUpdateDate": batch.updated,
    }


def _headers_of(books: GeneralLedger, batch: Batch) -> list[Entity]:
    return [Entity(_header(books, journal), journal) for journal in batch.journals]


def _header(books: GeneralLedger, journal: Journal) -> dict[str, Any]:
    ledger = books.world.ledger(journal.batch.ledger_id)
    unit = next((each for each in books.world.business_units if each.ledger_id == ledger.id), None)
    header = {
        "JeHeaderId": journal.id,
        "JournalName": journal.name,
        "JournalDescription": journal.description or None,
        "LedgerName": journal.ledger,
        "LedgerCurrencyCode": ledger.currency,
        "CurrencyCode": journal.currency,
        "PeriodName": journal.period,
        "DefaultEffectiveDate": journal.accounting_date,
        "UserJeCategoryName": journal.category,
        "UserCurrencyConversionType": journal.conversion_type,
        "CurrencyConversionDate": journal.conversion_date,
        "CurrencyConversionRate": journal.conversion_rate,
        "RunningTotalDr": journal.total("entered_dr"),
        "RunningTotalCr": journal.total("entered_cr"),
        "RunningTotalAccountedDr": journal.total("accounted_dr"),
        "RunningTotalAccountedCr": journal.total("accounted_cr"),
        "ControlTotal": None,
        "LegalEntityName": unit.legal_entity if unit else None,
        "ExternalReference": journal.external_reference or None,
        "AccrualReversalStatus": None,
        "CreationDate": journal.batch.created,
        "LastUpdateDate": journal.batch.updated,
    }
    if not books.world.habits.header_ids:
        del header["JeHeaderId"]
    return header


def _lines_of(journal: Journal) -> list[Entity]:
    return [Entity(_line(journal, line), line) for line in journal.lines]


def _line(journal: Journal, line: JournalLine) -> dict[str, Any]:
    return {
        "JeLineNumber": line.number,
        "AccountCombination": line.account,
        "EnteredDr": line.entered_dr,
        "EnteredCr": line.entered_cr,
        "AccountedDr": line.accounted_dr,
        "AccountedCr": line.accounted_cr,
        "CurrencyCode": journal.currency,
        "CurrencyConversionDate": journal.conversion_date,
        "CurrencyConversionRate": journal.conversion_rate,
        "Description": line.description or None,
        "ChartOfAccountsName": None,
        "StatAmount": None,
        "ReconciliationReference": None,
        "CreationDate": journal.batch.created,
        "LastUpdateDate": journal.batch.updated,
    }
