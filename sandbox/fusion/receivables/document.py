"""What was sent, read attribute by attribute: names, types, lengths, what may not be written (Oracle Fusion: 3.1).

Names of attributes that the vendor's page marks as unconfirmed are as public clients use them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from sandbox.fusion.answers import RestError
from sandbox.fusion.receivables.setup import Flexfield, ReceivablesSetup

Kind = Literal["string", "number", "integer", "date", "datetime"]

INVOICES = "receivablesInvoices"
LINES, TAX_LINES = "receivablesInvoiceLines", "receivablesInvoiceLineTaxLines"
DISTRIBUTIONS, INSTALLMENTS = "receivablesInvoiceDistributions", "receivablesInvoiceInstallments"
HEADER_DFF, HEADER_TRANSACTION_DFF = "receivablesInvoiceDFF", "receivablesInvoiceTransactionDFF"
LINE_DFF, LINE_TRANSACTION_DFF = "receivablesInvoiceLineDFF", "receivablesInvoiceLineTransactionDFF"
CONTEXT = "__FLEX_Context"


@dataclass(frozen=True)
class Attribute:
    kind: Kind
    length: int | None = None
    writable: bool = True


def attributes_of(kind: Kind, names: str, *, writable: bool = True) -> dict[str, Attribute]:
    """`Name` or `Name:length`, separated by spaces."""
    found = {}
    for part in names.split():
        name, _, length = part.partition(":")
        found[name] = Attribute(kind, int(length) if length else None, writable)
    return found


HEADER = {
    **attributes_of("integer", "CustomerTransactionId BillToPartyId", writable=False),
    **attributes_of(
        "string",
        "TransactionNumber:20 TransactionSource:50 TransactionType:20 BusinessUnit:240 InvoiceCurrencyCode:15 "
        "ConversionRateType:30 BillToCustomerName:360 BillToCustomerNumber:30 BillToSite:150 BillToContact:360 "
        "ShipToCustomerName:360 ShipToCustomerNumber:30 ShipToSite:150 ShipToContact:360 SoldToPartyNumber:30 "
        "PayingCustomerName:360 PayingCustomerAccount:30 PayingCustomerSite:150 PaymentTerms:15 PurchaseOrder:50 "
        "PurchaseOrderRevision:50 CrossReference:150 SpecialInstructions:240 Comments:1760 InternalNotes:240 "
        "InvoicingRule:30 FirstPartyRegistrationNumber:60 ThirdPartyRegistrationNumber:60 DefaultTaxationCountry:2 "
        "DocumentFiscalClassification:240 Carrier:30 ShippingReference:30 RemitToAddress:240 ReceiptMethod:30 "
        "SalesPersonNumber:30 StructuredPaymentReference:256 PrintOption:20 InvoicePrinted:1 DeliveryMethod:30 "
        "Email:1000 Prepayment:1 Intercompany:1 InvoiceStatus:30 BankAccountNumber:30 CreditCardTokenNumber:30 "
        "CreditCardAuthorizationRequestIdentifier:30 CreditCardExpirationDate:30 CreditCardIssuerCode:30 "
        "CreditCardVoiceAuthorizationCode:100 CreditCardErrorCode:80 CreditCardErrorText:240 CardHolderLastName:50 "
        "CardHolderFirstName:40",
    ),
    **attributes_of(
        "string",
        "DocumentNumber LegalEntityIdentifier AllowCompletion ControlCompletionReason CreatedBy LastUpdatedBy",
        writable=False,
    ),
    **attributes_of("number", "ConversionRate FreightAmount"),
    **attributes_of("number", "EnteredAmount InvoiceBalanceAmount", writable=False),
    **attributes_of(
        "date",
        "TransactionDate AccountingDate BillingDate DueDate ConversionDate PurchaseOrderDate ShipDate "
        "OriginalPrintDate LastPrintDate",
    ),
    **attributes_of("datetime", "CreationDate LastUpdateDate", writable=False),
}
LINE = {
    **attributes_of("integer", "CustomerTransactionLineId", writable=False),
    **attributes_of("integer", "LineNumber AccountingRuleDuration"),
    **attributes_of(
        "string",
        "Description:240 ItemNumber:300 MemoLine:50 UnitOfMeasure:25 TaxClassificationCode:50 "
        "TaxExemptionHandling:80 LineAmountIncludesTax:80 SalesOrder:50 Warehouse:18 AccountingRule:30",
    ),
    **attributes_of("number", "Quantity UnitSellingPrice AllocatedFreightAmount"),
    **attributes_of("number", "LineAmount", writable=False),
    **attributes_of("date", "RuleStartDate RuleEndDate SalesOrderDate"),
    **attributes_of("string", "CreatedBy LastUpdatedBy", writable=False),
    **attributes_of("datetime", "CreationDate LastUpdateDate", writable=False),
}
TAX_LINE = {
    **attributes_of("integer", "CustomerTransactionLineId TaxLineNumber", writable=False),
    **attributes_of(
        "string",
        "TaxRegimeCode:30 Tax:80 TaxStatusCode:30 TaxRateCode:150 TaxJurisdictionCode:30 PlaceOfSupply:80 "
        "TaxInclusiveIndicator:1",
    ),
    **attributes_of("number", "TaxRate TaxAmount"),
    **attributes_of("number", "TaxableAmount", writable=False),
}
DISTRIBUTION = {
    **attributes_of("integer", "DistributionId", writable=False),
    **attributes_of("integer", "InvoiceLineNumber DetailedTaxLineNumber"),
    **attributes_of("string", "AccountClass:80 AccountCombination Comments:240"),
    **attributes_of("number", "Amount AccountedAmount Percent"),
    **attributes_of("string", "CreatedBy LastUpdatedBy", writable=False),
    **attributes_of("datetime", "CreationDate LastUpdateDate", writable=False),
}
INSTALLMENT = {
    **attributes_of("integer", "InstallmentId InstallmentSequenceNumber PaymentDaysLate", writable=False),
    **attributes_of("date", "InstallmentDueDate"),
    **attributes_of("number", "OriginalAmount"),
    **attributes_of(
        "number",
        "InstallmentBalanceDue AccountedBalanceDue AmountPaid InstallmentAmountAdjusted InstallmentAmountCredited "
        "DisputeAmount",
        writable=False,
    ),
    **attributes_of("date", "DisputeDate", writable=False),
    **attributes_of("string", "InstallmentStatus CreatedBy LastUpdatedBy", writable=False),
    **attributes_of("datetime", "CreationDate LastUpdateDate", writable=False),
}

Read = dict[str, Any]
"""Typed values by attribute name, without nulls; children as lists of the same."""


def read_invoice(body: Mapping[str, Any], setup: ReceivablesSetup) -> Read:
    """The posted document. Raises `RestError` 400 as the framework does, before any rule of Receivables is asked."""
    read = read_attributes(body, HEADER, "", (LINES, DISTRIBUTIONS, HEADER_DFF, HEADER_TRANSACTION_DFF))
    read[LINES] = [_line(each, where, setup) for where, each in child_rows(body, LINES, "")]
    read[DISTRIBUTIONS] = [
        read_attributes(each, DISTRIBUTION, where) for where, each in child_rows(body, DISTRIBUTIONS, "")
    ]
    read_flexfields(
        read, body, "", {HEADER_DFF: setup.header_flexfield, HEADER_TRANSACTION_DFF: setup.transaction_flexfield}
    )
    return read


def _line(body: Mapping[str, Any], where: str, setup: ReceivablesSetup) -> Read:
    read = read_attributes(body, LINE, where, (TAX_LINES, LINE_DFF, LINE_TRANSACTION_DFF))
    read[TAX_LINES] = [read_attributes(each, TAX_LINE, at) for at, each in child_rows(body, TAX_LINES, where)]
    read_flexfields(
        read, body, where, {LINE_DFF: setup.line_flexfield, LINE_TRANSACTION_DFF: setup.transaction_flexfield}
    )
    return read


def read_flexfields(read: Read, body: Mapping[str, Any], where: str, fields: Mapping[str, Flexfield]) -> None:
    for name, flexfield in fields.items():
        rows = child_rows(body, name, where)
        if len(rows) > 1:
            raise RestError(400, f"There can be one row of {name} only.", "JBO-25009", f"{where}/{name}")
        for at, row in rows:
            context = row.get(CONTEXT)
            lengths = flexfield.contexts.get(str(context))
            if lengths is None:
                detail = f"The value {context} for the attribute {CONTEXT} isn't valid."
                raise RestError(400, detail, "FND-2754", f"{at}/{CONTEXT}")
            attributes = {CONTEXT: Attribute("string")} | {
                each: Attribute("string", length) for each, length in lengths.items()
            }
            read[name] = read_attributes(row, attributes, at)


def child_rows(body: Mapping[str, Any], name: str, where: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Children of a posted row with their places; an absent or null accessor has none."""
    rows = body.get(name)
    if rows is None:
        return []
    if not isinstance(rows, list) or not all(isinstance(each, dict) for each in rows):
        raise RestError(400, f"The payload can't be parsed: {name} isn't a list.", "JBO-25009", f"{where}/{name}")
    return [(f"{where}/{name}/{index}", each) for index, each in enumerate(rows)]


def read_attributes(
    body: Mapping[str, Any], attributes: Mapping[str, Attribute], where: str, children: tuple[str, ...] = ()
) -> Read:
    """The attributes of one row. Raises `RestError` 400 for unknown, read-only, mistyped and too long ones."""
    read: Read = {}
    for name, value in body.items():
        if name in children or name == "links":
            continue
        path = f"{where}/{name}"
        attribute = attributes.get(name)
        if attribute is None:
            detail = f"Unable to parse the payload: the attribute {name} isn't known."
            raise RestError(400, detail, "JBO-25009", path)
        if not attribute.writable:
            detail = f"Attribute {name} can't be set."
            raise RestError(400, detail, "JBO-27008", path)
        if value is not None:
            read[name] = _value(name, value, attribute, path)
    return read


def _value(name: str, value: Any, attribute: Attribute, path: str) -> Any:
    typed = _typed(value, attribute.kind)
    if typed is None:
        detail = f"The value {value} of attribute {name} isn't a valid {attribute.kind}."
        raise RestError(400, detail, "JBO-25009", path)
    if attribute.length is not None and len(typed) > attribute.length:
        detail = f"Attribute set with value {value} for {name} has invalid precision/scale."
        raise RestError(400, detail, "JBO-27010", path)
    return typed


def _typed(value: Any, kind: Kind) -> Any:
    """The value in its type, or None. Numbers may come as text and text as whole numbers."""
    if isinstance(value, bool):
        return None
    if kind == "string":
        return str(value) if isinstance(value, str | int) else None
    try:
        if kind == "date":
            return date.fromisoformat(value) if isinstance(value, str) and len(value) == 10 else None
        number = Decimal(value) if isinstance(value, str | int | Decimal) else None
    except (ValueError, InvalidOperation):
        return None
    if number is None or not number.is_finite():
        return None
    if kind == "integer":
        return int(number) if number == number.to_integral_value() else None
    return number
