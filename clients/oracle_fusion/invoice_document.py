"""An invoice as `receivablesInvoices` takes and shows it (Oracle Fusion: 3.1).

Lines are distributed by hand: one Revenue distribution each, with the account the rules chose. Tax of Fusion's own kind
hangs on an invoice line, so it goes with the first one, and its Tax distributions name it there.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from clients.oracle_fusion.models import FoundDistribution, FoundInvoice
from clients.oracle_fusion.rest import Row, day, instant, money, text, whole
from contracts.configuration import ReceivableBooks
from contracts.receivable import Invoice, InvoiceLine

INVOICES: Final = "receivablesInvoices"
LINES: Final = "receivablesInvoiceLines"
LINE_FLEXFIELD: Final = "receivablesInvoiceLineTransactionDFF"
TAX_LINES: Final = "receivablesInvoiceLineTaxLines"
DISTRIBUTIONS: Final = "receivablesInvoiceDistributions"
CONTEXT: Final = "__FLEX_Context"
CROSS_REFERENCE_LENGTH: Final = 150

_PURCHASE_ORDER_LENGTH: Final = 50
_DUPLICATE: Final = re.compile(
    r"transaction number.{0,80}(already (exists|used|in use)|(must|should) be unique|is(n't| not) unique)"
    r"|duplicate transaction number|enter a unique transaction number",
    re.IGNORECASE | re.DOTALL,
)
"""How the refusal of a number that exists is worded; its code is documented nowhere."""


def invoice_body(invoice: Invoice, books: ReceivableBooks) -> dict[str, Any]:
    """The document to post. Raises `ValueError` for an invoice that the resource cannot carry."""
    lines = [line for line in invoice.lines if line.tax is None]
    taxes = [line for line in invoice.lines if line.tax is not None]
    if not lines:
        raise ValueError(f"Invoice {invoice.reference} has tax and no line that it belongs to.")
    rows = [_line(line) for line in lines]
    if taxes:
        rows[0][TAX_LINES] = [_tax_line(line) for line in taxes]
    if invoice.home == "line_flexfield":
        rows[0][LINE_FLEXFIELD] = [{CONTEXT: books.flexfield_context, books.flexfield_attribute: invoice.reference}]
    body: dict[str, Any] = {
        "BusinessUnit": invoice.business_unit,
        "TransactionSource": invoice.transaction_source,
        "TransactionType": invoice.transaction_type,
        "TransactionDate": invoice.transaction_date.isoformat(),
        "AccountingDate": invoice.accounting_date.isoformat(),
        "BillToCustomerNumber": invoice.customer_account,
        "InvoiceCurrencyCode": invoice.currency,
        "PurchaseOrder": invoice.order_number[:_PURCHASE_ORDER_LENGTH],
        LINES: rows,
        DISTRIBUTIONS: list(_distributions(invoice, lines, taxes, books.account_separator)),
    }
    if invoice.home == "transaction_number":
        body["TransactionNumber"] = invoice.number
    if len(invoice.reference) <= CROSS_REFERENCE_LENGTH:
        body["CrossReference"] = invoice.reference
    optional = {
        "BillToSite": invoice.bill_to_site,
        "PaymentTerms": invoice.payment_terms,
        "Comments": invoice.comments,
        "ConversionRateType": invoice.conversion_type or "",
    }
    body |= {name: value for name, value in optional.items() if value}
    if invoice.conversion_type:
        # The rate stays away: Fusion takes it from its own rates by type and date.
        body["ConversionDate"] = (invoice.conversion_date or invoice.transaction_date).isoformat()
    return body


def found_invoice(row: Row, books: ReceivableBooks | None = None) -> FoundInvoice:
    """A row as it stands in Fusion. With `books` also the line flexfield's reference, where the row brings its lines.

    Raises `ValueError` for a row without id, amount or transaction date.
    """
    transaction_id, transaction_date = whole(row, "CustomerTransactionId"), day(row, "TransactionDate")
    if transaction_id is None or transaction_date is None or row.get("EnteredAmount") is None:
        raise ValueError("an invoice has no id, no date or no amount")
    return FoundInvoice(
        customer_transaction_id=transaction_id,
        transaction_number=text(row, "TransactionNumber"),
        cross_reference=text(row, "CrossReference"),
        line_reference=_line_reference(row, books) if books is not None else "",
        transaction_source=text(row, "TransactionSource"),
        transaction_type=text(row, "TransactionType"),
        business_unit=text(row, "BusinessUnit"),
        customer_account=text(row, "BillToCustomerNumber"),
        currency=text(row, "InvoiceCurrencyCode"),
        entered_amount=money(row, "EnteredAmount"),
        transaction_date=transaction_date,
        accounting_date=day(row, "AccountingDate"),
        status=text(row, "InvoiceStatus"),
        purchase_order=text(row, "PurchaseOrder"),
        comments=text(row, "Comments"),
        created_at=instant(row, "CreationDate"),
        distributions=tuple(_found_distribution(one) for one in child_rows(row, DISTRIBUTIONS)),
    )


def other_accounts(found: FoundInvoice, invoice: Invoice, separator: str) -> str:
    """Which account the invoice in Fusion has and ours has not, or not with that amount; empty when all agree.

    What a pod does not show, or makes by itself (the receivable's own account), cannot differ.
    """
    made = {"Revenue", "Tax"}
    shown = Counter((one.account, one.amount) for one in found.distributions if one.account_class in made)
    meant = Counter((separator.join(line.segments), line.amount) for line in invoice.lines)
    if not shown or shown == meant:
        return ""
    account, amount = next(iter((shown - meant) or (meant - shown)))
    return f"{amount:f} {invoice.currency} on {account} is not in both"


def refused_as_duplicate(messages: Sequence[str], code: str, codes: Collection[str]) -> bool:
    """Whether a refusal says that the transaction number exists; by the pod's codes, or else by how it is worded."""
    return code in codes or any(
        _DUPLICATE.search(one) or any(f"({known})" in one for known in codes) for one in messages
    )


def _line(line: InvoiceLine) -> dict[str, Any]:
    return {
        "LineNumber": line.number,
        "Description": line.description,
        "Quantity": json_number(line.quantity),
        "UnitSellingPrice": json_number(line.unit_price),
    }


def _tax_line(line: InvoiceLine) -> dict[str, Any]:
    if line.tax is None:
        raise ValueError(f"Invoice line {line.number} is not a tax line.")
    return {
        "TaxRegimeCode": line.tax.regime,
        "TaxRateCode": line.tax.rate_code,
        "TaxAmount": json_number(line.amount),
    }


def _distributions(
    invoice: Invoice, lines: Sequence[InvoiceLine], taxes: Sequence[InvoiceLine], separator: str
) -> Iterator[dict[str, Any]]:
    for line in lines:
        yield {"InvoiceLineNumber": line.number, **_distribution("Revenue", line.segments, line.amount, separator)}
    for number, line in enumerate(taxes, start=1):
        yield {
            "InvoiceLineNumber": lines[0].number,
            "DetailedTaxLineNumber": number,
            **_distribution("Tax", line.segments, line.amount, separator),
        }
    if invoice.receivable is not None:
        yield _distribution("Receivable", invoice.receivable, invoice.total, separator)


def _found_distribution(row: Row) -> FoundDistribution:
    return FoundDistribution(
        account_class=text(row, "AccountClass"),
        account=text(row, "AccountCombination"),
        amount=money(row, "Amount"),
    )


def _distribution(account_class: str, segments: Sequence[str], amount: Decimal, separator: str) -> dict[str, Any]:
    return {
        "AccountClass": account_class,
        "AccountCombination": separator.join(segments),
        "Amount": json_number(amount),
        "Percent": 100,
    }


def json_number(amount: Decimal) -> int | float | str:
    """A JSON number that says exactly this amount; as text where a float would not (Fusion reads both)."""
    if amount == amount.to_integral_value():
        return int(amount)
    number = float(amount)
    return number if Decimal(repr(number)) == amount else f"{amount:f}"


def _line_reference(row: Row, books: ReceivableBooks) -> str:
    for line in child_rows(row, LINES):
        for flexfield in child_rows(line, LINE_FLEXFIELD):
            if text(flexfield, CONTEXT) == books.flexfield_context and (
                found := text(flexfield, books.flexfield_attribute)
            ):
                return found
    return ""


def child_rows(row: Row, name: str) -> list[Mapping[str, Any]]:
    """Expanded children: a collection document, or a plain list in older framework versions."""
    found = row.get(name)
    rows = found.get("items") if isinstance(found, Mapping) else found
    return [one for one in rows if isinstance(one, Mapping)] if isinstance(rows, list) else []
