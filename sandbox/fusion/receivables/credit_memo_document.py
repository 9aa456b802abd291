"""A credit memo as it is sent and shown: the same transaction as an invoice, under other names (Oracle Fusion: 3.2).

Everything is read under the resource's own names first, and goes on under those of invoices: one set of rules checks
both. Nothing here can name an invoice: over REST memos are on account.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sandbox.fusion.answers import RestError
from sandbox.fusion.receivables.document import (
    DISTRIBUTION,
    DISTRIBUTIONS,
    HEADER_DFF,
    HEADER_TRANSACTION_DFF,
    LINE_DFF,
    LINE_TRANSACTION_DFF,
    LINES,
    TAX_LINE,
    TAX_LINES,
    Attribute,
    Read,
    attributes_of,
    child_rows,
    read_attributes,
    read_flexfields,
)
from sandbox.fusion.receivables.setup import ReceivablesSetup

CREDIT_MEMOS = "receivablesCreditMemos"
CHILDREN = {
    LINES: "receivablesCreditMemoLines",
    TAX_LINES: "receivablesCreditMemoLineTaxLines",
    DISTRIBUTIONS: "receivablesCreditMemoDistributions",
    HEADER_DFF: "receivablesCreditMemoDFF",
    HEADER_TRANSACTION_DFF: "receivablesCreditMemoTransactionDFF",
    LINE_DFF: "receivablesCreditMemoLineDFF",
    LINE_TRANSACTION_DFF: "receivablesCreditMemoLineTransactionDFF",
}
"""Names of children by those of an invoice's."""
HEADER_NAMES = {
    "InvoiceCurrencyCode": "CreditMemoCurrency",
    "ConversionDate": "ConversionRateDate",
    "Comments": "CreditMemoComments",
    "FreightAmount": "FreightCreditAmount",
    "ShipToSite": "ShipToCustomerSite",
    "InvoiceStatus": "CreditMemoStatus",
    "InvoiceBalanceAmount": "TransactionBalanceDue",
}
LINE_NAMES = {
    "Description": "LineDescription",
    "Quantity": "LineQuantityCredit",
    "LineAmount": "LineAmountCredit",
    "AllocatedFreightAmount": "LineFreightCreditAmount",
}
DISTRIBUTION_NAMES = {"InvoiceLineNumber": "CreditMemoLineNumber"}
_NAMES = {**HEADER_NAMES, **LINE_NAMES, **DISTRIBUTION_NAMES, **CHILDREN}

HEADER = {
    **attributes_of("integer", "CustomerTransactionId", writable=False),
    **attributes_of(
        "string",
        "TransactionNumber:20 TransactionSource:50 TransactionType:20 BusinessUnit:240 CreditMemoCurrency:15 "
        "ConversionRateType:30 BillToCustomerName:255 BillToCustomerNumber:30 BillToSite:150 ShipToCustomerName:255 "
        "ShipToCustomerNumber:30 ShipToCustomerSite:150 CreditReason:255 CreditMemoComments:1760 CreditMemoStatus:30 "
        "CrossReference:150 PrimarySalesperson:30 GenerateBill:20 DefaultTaxationCountry:2 LegalEntityIdentifier:30 "
        "InternalNotes:240",
    ),
    **attributes_of("string", "CreatedBy LastUpdatedBy", writable=False),
    **attributes_of("integer", "DocumentNumber", writable=False),
    **attributes_of("number", "ConversionRate FreightCreditAmount"),
    **attributes_of("number", "EnteredAmount TransactionBalanceDue", writable=False),
    **attributes_of("date", "TransactionDate AccountingDate ConversionRateDate"),
    **attributes_of("datetime", "CreationDate LastUpdateDate", writable=False),
}
LINE = {
    **attributes_of("integer", "CustomerTransactionLineId", writable=False),
    **attributes_of("integer", "LineNumber"),
    **attributes_of(
        "string",
        "LineDescription:240 ItemNumber:300 MemoLine:50 UnitOfMeasure:25 TaxClassificationCode:50 LineCreditReason:255 "
        "Warehouse:18 TransactionBusinessCategory:240 LineIntendedUse:240 LineProductType:240 LineProductCategory:240 "
        "UserDefinedFiscalClassification:240",
    ),
    **attributes_of("number", "LineQuantityCredit UnitSellingPrice LineFreightCreditAmount"),
    **attributes_of("number", "LineAmountCredit", writable=False),
    **attributes_of("string", "CreatedBy LastUpdatedBy", writable=False),
    **attributes_of("datetime", "CreationDate LastUpdateDate", writable=False),
}
DISTRIBUTION_ATTRIBUTES = {DISTRIBUTION_NAMES.get(name, name): each for name, each in DISTRIBUTION.items()}


def read_credit_memo(body: Mapping[str, Any], setup: ReceivablesSetup) -> Read:
    """The posted document under the names of an invoice. Raises `RestError` 400 with the resource's own names."""
    header = dict(HEADER)
    if not setup.habits.credit_memo_cross_reference:
        header["CrossReference"] = Attribute("string", 150, writable=False)
    children = tuple(CHILDREN[name] for name in (LINES, DISTRIBUTIONS, HEADER_DFF, HEADER_TRANSACTION_DFF))
    read = _named(read_attributes(body, header, "", children), HEADER_NAMES)
    read[LINES] = [_line(each, where, setup) for where, each in child_rows(body, CHILDREN[LINES], "")]
    read[DISTRIBUTIONS] = [
        _named(read_attributes(each, DISTRIBUTION_ATTRIBUTES, where), DISTRIBUTION_NAMES)
        for where, each in child_rows(body, CHILDREN[DISTRIBUTIONS], "")
    ]
    fields = {HEADER_DFF: setup.header_flexfield, HEADER_TRANSACTION_DFF: setup.transaction_flexfield}
    _flexfields(read, body, "", fields)
    return read


def _line(body: Mapping[str, Any], where: str, setup: ReceivablesSetup) -> Read:
    children = tuple(CHILDREN[name] for name in (TAX_LINES, LINE_DFF, LINE_TRANSACTION_DFF))
    read = _named(read_attributes(body, LINE, where, children), LINE_NAMES)
    read[TAX_LINES] = [read_attributes(each, TAX_LINE, at) for at, each in child_rows(body, CHILDREN[TAX_LINES], where)]
    _flexfields(read, body, where, {LINE_DFF: setup.line_flexfield, LINE_TRANSACTION_DFF: setup.transaction_flexfield})
    return read


def _flexfields(read: Read, body: Mapping[str, Any], where: str, fields: Mapping[str, Any]) -> None:
    found: Read = {}
    read_flexfields(found, body, where, {CHILDREN[name]: flexfield for name, flexfield in fields.items()})
    read |= _named(found, CHILDREN)


def _named(read: Read, names: Mapping[str, str]) -> Read:
    """Under the names of an invoice."""
    back = {own: name for name, own in names.items()}
    return {back.get(name, name): value for name, value in read.items()}


def shown(values: Mapping[str, Any], names: Mapping[str, str], attributes: Mapping[str, Attribute]) -> dict[str, Any]:
    """Values of an invoice's row under the memo's names, as far as the memo has them."""
    named = {names.get(name, name): value for name, value in values.items()}
    return {name: named.get(name) for name in attributes}


def told(error: RestError) -> RestError:
    """A refusal by the rules for invoices, in the words of this resource."""
    words = re.compile("|".join(sorted((rf"\b{name}\b" for name in _NAMES), key=len, reverse=True)))

    def say(text: str) -> str:
        return words.sub(lambda found: _NAMES[found.group()], text)

    return RestError(error.status, say(error.detail), error.code, say(error.path), error.more)
