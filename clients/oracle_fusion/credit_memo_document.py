"""A credit memo as `receivablesCreditMemos` takes and shows it (Oracle Fusion: 3.2).

On account: it names no invoice. Quantities are positive and prices negative. Attributes have other names than those of
invoices; names that the vendor's samples do not show are as public clients use them. CrossReference is sent only where
it is the reference's home, because it is not said to be writable; the comments end with the reference always.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

from clients.oracle_fusion.invoice_document import CONTEXT, child_rows, json_number
from clients.oracle_fusion.models import FoundCreditMemo, FoundDistribution
from clients.oracle_fusion.rest import Row, day, instant, money, text, whole
from contracts.configuration import ReceivableBooks
from contracts.credit_memo import CreditMemo
from contracts.receivable import InvoiceLine

CREDIT_MEMOS: Final = "receivablesCreditMemos"
LINES: Final = "receivablesCreditMemoLines"
LINE_FLEXFIELD: Final = "receivablesCreditMemoLineTransactionDFF"
TAX_LINES: Final = "receivablesCreditMemoLineTaxLines"
DISTRIBUTIONS: Final = "receivablesCreditMemoDistributions"
SEPARATOR: Final = " | "
"""Before the reference at the end of the comments."""


def credit_memo_body(memo: CreditMemo, books: ReceivableBooks) -> dict[str, Any]:
    """The document to post. Raises `ValueError` for a memo that the resource cannot carry."""
    lines = [line for line in memo.lines if line.tax is None]
    taxes = [line for line in memo.lines if line.tax is not None]
    if not lines:
        raise ValueError(f"Credit memo {memo.reference} has tax and no line that it belongs to.")
    rows = [_line(line) for line in lines]
    if taxes:
        rows[0][TAX_LINES] = [_tax_line(line) for line in taxes]
    if memo.home == "line_flexfield":
        rows[0][LINE_FLEXFIELD] = [{CONTEXT: books.flexfield_context, books.flexfield_attribute: memo.reference}]
    body: dict[str, Any] = {
        "BusinessUnit": memo.business_unit,
        "TransactionSource": memo.transaction_source,
        "TransactionType": memo.transaction_type,
        "TransactionDate": memo.transaction_date.isoformat(),
        "AccountingDate": memo.accounting_date.isoformat(),
        "BillToCustomerNumber": memo.customer_account,
        "CreditMemoCurrency": memo.currency,
        LINES: rows,
        DISTRIBUTIONS: list(_distributions(memo, lines, taxes, books.account_separator)),
    }
    optional = {
        "TransactionNumber": memo.number if memo.home == "transaction_number" else "",
        "CrossReference": memo.reference if memo.home == "cross_reference" else "",
        "BillToSite": memo.bill_to_site,
        "CreditReason": memo.credit_reason,
        "CreditMemoComments": memo.comments,
        "ConversionRateType": memo.conversion_type or "",
    }
    body |= {name: value for name, value in optional.items() if value}
    if memo.conversion_type:
        # The rate stays away: Fusion takes it from its own rates by type and date.
        body["ConversionRateDate"] = (memo.conversion_date or memo.transaction_date).isoformat()
    return body


def found_credit_memo(row: Row, books: ReceivableBooks | None = None) -> FoundCreditMemo:
    """A row as it stands in Fusion. With `books` also the line flexfield's reference, where the row brings its lines.

    Raises `ValueError` for a row without id, amount or transaction date.
    """
    transaction_id, transaction_date = whole(row, "CustomerTransactionId"), day(row, "TransactionDate")
    if transaction_id is None or transaction_date is None or row.get("EnteredAmount") is None:
        raise ValueError("a credit memo has no id, no date or no amount")
    balance = row.get("TransactionBalanceDue")
    return FoundCreditMemo(
        customer_transaction_id=transaction_id,
        transaction_number=text(row, "TransactionNumber"),
        cross_reference=text(row, "CrossReference"),
        line_reference=_line_reference(row, books) if books is not None else "",
        transaction_source=text(row, "TransactionSource"),
        transaction_type=text(row, "TransactionType"),
        business_unit=text(row, "BusinessUnit"),
        customer_account=text(row, "BillToCustomerNumber"),
        currency=text(row, "CreditMemoCurrency"),
        credited=_credited(money(row, "EnteredAmount")),
        balance=None if balance is None else _credited(money(row, "TransactionBalanceDue")),
        transaction_date=transaction_date,
        accounting_date=day(row, "AccountingDate"),
        status=text(row, "CreditMemoStatus"),
        comments=text(row, "CreditMemoComments"),
        created_at=instant(row, "CreationDate"),
        distributions=tuple(_found_distribution(one) for one in child_rows(row, DISTRIBUTIONS)),
    )


def carries(found: FoundCreditMemo, reference: str) -> bool:
    """Whether a memo itself proves whose it is, whatever its number."""
    in_comments = found.comments.endswith(f"{SEPARATOR}{reference}")
    return in_comments or reference in (found.cross_reference, found.line_reference)


def other_credit_accounts(found: FoundCreditMemo, memo: CreditMemo, separator: str) -> str:
    """Which account the memo in Fusion has and ours has not, or not with that amount; empty when all agree.

    What a pod does not show, or makes by itself (the receivable's own account), cannot differ.
    """
    made = {"Revenue", "Tax"}
    shown = Counter((one.account, one.amount) for one in found.distributions if one.account_class in made)
    meant = Counter((separator.join(line.segments), line.amount) for line in memo.lines)
    if not shown or shown == meant:
        return ""
    account, amount = next(iter((shown - meant) or (meant - shown)))
    return f"{amount:f} {memo.currency} on {account} is not in both"


def _credited(amount: Decimal) -> Decimal:
    return -amount if amount else Decimal(0)


def _line(line: InvoiceLine) -> dict[str, Any]:
    return {
        "LineNumber": line.number,
        "LineDescription": line.description,
        "LineQuantityCredit": json_number(line.quantity),
        "UnitSellingPrice": json_number(line.unit_price),
    }


def _tax_line(line: InvoiceLine) -> dict[str, Any]:
    if line.tax is None:
        raise ValueError(f"Credit memo line {line.number} is not a tax line.")
    return {
        "TaxRegimeCode": line.tax.regime,
        "TaxRateCode": line.tax.rate_code,
        "TaxAmount": json_number(line.amount),
    }


def _distributions(
    memo: CreditMemo, lines: Sequence[InvoiceLine], taxes: Sequence[InvoiceLine], separator: str
) -> Iterator[dict[str, Any]]:
    for line in lines:
        yield {"CreditMemoLineNumber": line.number, **_distribution("Revenue", line.segments, line.amount, separator)}
    for number, line in enumerate(taxes, start=1):
        yield {
            "CreditMemoLineNumber": lines[0].number,
            "DetailedTaxLineNumber": number,
            **_distribution("Tax", line.segments, line.amount, separator),
        }
    if memo.receivable is not None:
        yield _distribution("Receivable", memo.receivable, -memo.total, separator)


def _distribution(account_class: str, segments: Sequence[str], amount: Decimal, separator: str) -> dict[str, Any]:
    return {
        "AccountClass": account_class,
        "AccountCombination": separator.join(segments),
        "Amount": json_number(amount),
        "Percent": 100,
    }


def _found_distribution(row: Row) -> FoundDistribution:
    return FoundDistribution(
        account_class=text(row, "AccountClass"),
        account=text(row, "AccountCombination"),
        amount=money(row, "Amount"),
    )


def _line_reference(row: Row, books: ReceivableBooks) -> str:
    for line in child_rows(row, LINES):
        for flexfield in child_rows(line, LINE_FLEXFIELD):
            if text(flexfield, CONTEXT) == books.flexfield_context and (
                found := text(flexfield, books.flexfield_attribute)
            ):
                return found
    return ""
