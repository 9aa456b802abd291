"""What may be changed on an invoice that exists, and what may not (Oracle Fusion: 3.1).

The vendor's page names the attributes; how installments must add up, and when an invoice can be deleted, is unconfirmed
(`ReceivablesHabits.deletable`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from sandbox.fusion.answers import RestError
from sandbox.fusion.receivables.document import HEADER, INSTALLMENT, INSTALLMENTS, Read, read_attributes
from sandbox.fusion.receivables.invoice import Installment, Invoice
from sandbox.fusion.receivables.refusals import refuse
from sandbox.fusion.receivables.subledger import Subledger

_PRINTED = ("OriginalPrintDate", "LastPrintDate", "DeliveryMethod", "Email")
CHANGEABLE = ("InvoiceStatus", "PaymentTerms", "TransactionDate", "InvoicePrinted", *_PRINTED)
CHANGEABLE_INSTALLMENT = ("InstallmentDueDate", "OriginalAmount")


class Changes:
    """PATCH and DELETE. Each raises `RestError` 400 and then has changed nothing."""

    def __init__(self, books: Subledger, now: Any) -> None:
        self._books = books
        self._now = now

    def update(self, invoice: Invoice, body: Mapping[str, Any]) -> None:
        """Change what the page allows; installments in the same document must make the amount together."""
        read = read_attributes(body, HEADER, "", (INSTALLMENTS,))
        fixed = sorted(set(body) - {*CHANGEABLE, INSTALLMENTS, "links"})
        if fixed:
            raise RestError(400, f"Attribute {fixed[0]} can't be updated.", "JBO-27008", f"/{fixed[0]}")
        setup = self._books.world.receivables
        status = read.get("InvoiceStatus", invoice.status)
        if status not in ("Complete", "Incomplete"):
            raise refuse(setup, "AR_STATUS_INVALID", "The status must be Complete or Incomplete.", "/InvoiceStatus")
        if status == "Incomplete" and invoice.accounted is not None:
            detail = "The invoice can't be made incomplete: it was accounted."
            raise refuse(setup, "AR_INCOMPLETE_NOT_ALLOWED", detail, "/InvoiceStatus")
        printed = read.get("InvoicePrinted", invoice.given.get("InvoicePrinted"))
        if printed != "Y" and any(name in read for name in _PRINTED):
            detail = "Print attributes can be updated only when the invoice was printed."
            raise refuse(setup, "AR_INVOICE_NOT_PRINTED", detail, "/InvoicePrinted")
        terms = self._books.rules.terms(read.get("PaymentTerms", invoice.terms))
        if terms.name != invoice.terms and invoice.accounted is not None:
            detail = "The payment terms can't be updated: the invoice was accounted."
            raise refuse(setup, "AR_TERMS_NOT_UPDATABLE", detail, "/PaymentTerms")
        day: date = read.get("TransactionDate", invoice.transaction_date)
        installments = invoice.installments
        if (terms.name, day) != (invoice.terms, invoice.transaction_date):
            installments = self._books.installments(invoice.amount, terms, day, invoice.digits)
        if body.get(INSTALLMENTS):
            installments = self._changed(invoice, installments, body[INSTALLMENTS])
        completed = (invoice.status, status) == ("Incomplete", "Complete")
        invoice.status, invoice.terms, invoice.transaction_date = status, terms.name, day
        invoice.installments = installments
        invoice.given |= {name: read[name] for name in ("InvoicePrinted", *_PRINTED) if name in read}
        invoice.updated = self._now()
        if completed:
            self._books.schedule_accounting(invoice)

    def update_installment(self, invoice: Invoice, installment: Installment, body: Mapping[str, Any]) -> None:
        """Change one installment at its own address."""
        invoice.installments = self._changed(invoice, invoice.installments, [{**body, "InstallmentId": installment.id}])
        invoice.updated = self._now()

    def _changed(self, invoice: Invoice, installments: list[Installment], rows: Any) -> list[Installment]:
        setup = self._books.world.receivables
        changed = {each.id: each for each in installments}
        for index, row in enumerate(rows if isinstance(rows, list) else []):
            where = f"/{INSTALLMENTS}/{index}"
            known = changed.get(row.get("InstallmentId", 0)) if isinstance(row, dict) else None
            if known is None:
                detail = "The installment you entered doesn't exist."
                raise refuse(setup, "AR_INSTALLMENT_NOT_FOUND", detail, f"{where}/InstallmentId")
            read: Read = read_attributes(
                {name: value for name, value in row.items() if name != "InstallmentId"}, INSTALLMENT, where
            )
            due = read.get("InstallmentDueDate", known.due)
            if due < invoice.transaction_date:
                detail = "The installment due date can't be earlier than the transaction date."
                raise refuse(setup, "AR_DUE_DATE_INVALID", detail, f"{where}/InstallmentDueDate")
            amount = read.get("OriginalAmount", known.amount)
            changed[known.id] = Installment(known.id, known.number, due, amount)
        total = sum((each.amount for each in changed.values()), start=Decimal(0))
        if total != invoice.amount:
            detail = f"The installments must make {invoice.amount}, not {total}."
            raise refuse(setup, "AR_INSTALLMENT_AMOUNT", detail, f"/{INSTALLMENTS}")
        return list(changed.values())

    def delete(self, invoice: Invoice) -> None:
        """Delete an invoice, where this pod lets it."""
        setup = self._books.world.receivables
        allowed = {
            "unaccounted": invoice.accounted is None,
            "incomplete": invoice.accounted is None and invoice.status == "Incomplete",
            "never": False,
        }
        if not allowed[setup.habits.deletable]:
            raise refuse(setup, "AR_DELETE_NOT_ALLOWED", "You can't delete this invoice.")
        self._books.remove(invoice)
