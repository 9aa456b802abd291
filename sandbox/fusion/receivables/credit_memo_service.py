"""The SOAP service `CreditMemoService`, as far as on-account memos are applied by it (Oracle Fusion: 3.2, 3.5).

The vendor's page names the business object and its attributes; how the operation is called follows from how the
service calls its others.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation

from starlette.requests import Request
from starlette.responses import Response

from sandbox.fusion.masters import soap
from sandbox.fusion.masters.soap import SoapFaultError, Tree, one
from sandbox.fusion.receivables.applications import Wanted
from sandbox.fusion.receivables.credit_memos import CreditMemos
from sandbox.fusion.receivables.invoice import Invoice
from sandbox.fusion.receivables.subledger import Subledger
from sandbox.kit import Faults

PATH = "/fscmService/CreditMemoService"
NAMESPACE = "http://xmlns.oracle.com/apps/financials/receivables/transactions/creditMemos/creditMemoService/"
TYPES = f"{NAMESPACE}types/"
APPLY, APPLICATION = "createApplyOnAccountCreditMemo", "applyOnAccountCreditMemo"


class CreditMemoService:
    """Applies memos to invoices. A `soap_fault` fault answers with what its options say instead."""

    def __init__(self, books: Subledger, memos: CreditMemos, faults: Faults) -> None:
        self._books = books
        self._memos = memos
        self._faults = faults

    async def answer(self, request: Request) -> Response:
        """The answer to a POST; faults come with 500."""
        try:
            self._injected(request)
            name, parameters = soap.read(await request.body())
            if name != f"{{{TYPES}}}{APPLY}":
                raise SoapFaultError("The operation is not known.", fault_code="env:Client", service=False)
            wanted = self._wanted(_fields(one(parameters, f"{{{TYPES}}}{APPLICATION}")))
            made = self._books.applications.apply(wanted, request.url.path)
            shown = {
                "ReceivableApplicationId": made.id,
                "CreditMemoTrxId": made.memo.id,
                "InvoiceCustomerTrxId": made.invoice.id,
                "AmountApplied": made.amount,
            }
            rows = [soap.build("Value", shown, {}, NAMESPACE)]
            envelope, status = soap.answer(f"{NAMESPACE}{APPLY}Response", TYPES, APPLY, rows), 200
        except SoapFaultError as error:
            envelope, status = soap.fault(error), 500
        body, kind = envelope, "text/xml; charset=utf-8"
        if self._books.world.receivables.habits.soap_multipart:
            body, kind = soap.mime(envelope)
        return Response(body, status_code=status, headers={"Content-Type": kind})

    def _injected(self, request: Request) -> None:
        struck = self._faults.take("soap_fault", "POST", request.url.path)
        if struck is not None:
            told = struck.options
            raise SoapFaultError(
                str(told.get("message", "An unexpected error occurred.")),
                str(told.get("code", "")),
                fault_code=str(told.get("fault_code", "env:Server")),
                service=bool(told.get("service", True)),
            )

    def _wanted(self, given: Mapping[str, str]) -> Wanted:
        unit = given.get("BusinessUnit")
        memo = self._memos.find(_id(given, "CreditMemoTrxId"), given.get("CreditMemoTrxNumber"), unit)
        if memo is None:
            raise _invalid("AR_APP_CREDIT_MEMO_NOT_FOUND", "The credit memo you entered doesn't exist.")
        invoice = self._invoice(_id(given, "InvoiceCustomerTrxId"), given.get("InvoiceTrxNumber"), memo)
        return Wanted(
            memo=memo,
            invoice=invoice,
            amount=_amount(given),
            installment=_id(given, "Installment"),
            apply_date=_day(given, "ApplyDate"),
            accounting_date=_day(given, "GlDate"),
            comments=given.get("Comments", ""),
        )

    def _invoice(self, invoice_id: int | None, number: str | None, memo: Invoice) -> Invoice:
        found = [
            each
            for each in self._books.invoices()
            if invoice_id in (None, each.id)
            and number in (None, each.number)
            and each.business_unit == memo.business_unit
        ]
        if len(found) != 1 or (invoice_id is None and number is None):
            raise _invalid("AR_APP_TRANSACTION_NOT_FOUND", "The transaction you entered doesn't exist.")
        return found[0]


def _fields(parameter: Tree | str) -> dict[str, str]:
    """Texts of the business object's own fields, by local names, without empty ones."""
    if isinstance(parameter, str):
        raise _invalid("JBO-25009", "The request holds no application.")
    found = {name.rpartition("}")[2]: one(parameter, name) for name in parameter}
    return {name: text for name, text in found.items() if isinstance(text, str) and text}


def _id(given: Mapping[str, str], name: str) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    if not text.isdigit():
        raise _invalid("JBO-25009", f"The value {text} of {name} isn't a number.")
    return int(text)


def _amount(given: Mapping[str, str]) -> Decimal | None:
    text = given.get("AmountApplied")
    try:
        return None if text is None else Decimal(text)
    except InvalidOperation as error:
        raise _invalid("JBO-25009", f"The value {text} of AmountApplied isn't a number.") from error


def _day(given: Mapping[str, str], name: str) -> date | None:
    text = given.get(name)
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise _invalid("JBO-25009", f"The value {text} of {name} isn't a date.") from error


def _invalid(code: str, message: str) -> SoapFaultError:
    return SoapFaultError(f"{message} ({code})", code)
