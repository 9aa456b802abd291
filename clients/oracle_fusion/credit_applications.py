"""Applying credit memos on account to invoices, and what is applied (Oracle Fusion: 3.2, 3.4).

An application carries no reference that can be asked for. What of a memo is applied to what is a state, though, and it
can be read: the memo's own row shows its balance, and the activities of the customer account show the applications.

Fusion applies over SOAP only. How its operation is called is not in a public document: objects of the service are
created by operations that begin with `create` and end with the object's name.
"""

import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Final

from clients.errors import Rejected
from clients.oracle_fusion.models import FoundApplication, FoundCreditMemo
from clients.oracle_fusion.rest import (
    RESOURCES,
    FusionRest,
    Row,
    child_key,
    day,
    finder,
    flag,
    money,
    quoted,
    text,
    whole,
)
from clients.oracle_fusion.soap import Soap
from clients.oracle_fusion.soap_document import make, tag
from contracts.credit_memo import CreditApplication

NAMESPACE: Final = "http://xmlns.oracle.com/apps/financials/receivables/transactions/creditMemos/creditMemoService/"
TYPES: Final = f"{NAMESPACE}types/"
SERVICE: Final = "fscmService/CreditMemoService"
OPERATION: Final = "createApplyOnAccountCreditMemo"
PARAMETER: Final = "applyOnAccountCreditMemo"
_ACCOUNTS: Final = "receivablesCustomerAccountActivities"
_APPLICATIONS: Final = "creditMemoApplications"
_STANDS_NO_MORE: Final = ("revers", "unappl")
"""How the status of an application begins that was taken back."""


class CreditApplications:
    """Applies memos, and reads what is applied. Nothing here takes an application back."""

    def __init__(self, rest: FusionRest) -> None:
        self._rest = rest
        self._service = Soap(rest, SERVICE, NAMESPACE)
        self._accounts: dict[str, str] = {}
        """Keys of customer accounts by their number."""
        self._asks_by_memo = True
        """Whether applications can be asked for by their memo."""

    async def apply_credit_memo(self, application: CreditApplication, *, ends: float) -> None:
        """Apply the whole memo to its invoice. `ends`: moment of the event loop's clock; nothing goes out after it.

        Raises `NotSent` when that is over, `Rejected` when Fusion declined, `InDoubt` when it may have been applied.
        """
        fields = {
            "CreditMemoTrxId": str(application.credit_memo_id),
            "CreditMemoTrxNumber": application.credit_memo_number,
            "InvoiceCustomerTrxId": str(application.invoice_id),
            "InvoiceTrxNumber": application.invoice_number,
            "BusinessUnit": application.business_unit,
            "AmountApplied": f"{application.amount:f}",
            "ApplyDate": application.apply_date.isoformat(),
            "GlDate": application.accounting_date.isoformat(),
            "Comments": application.comments,
        }
        content = make(
            tag(TYPES, PARAMETER), [make(tag(NAMESPACE, name), value) for name, value in fields.items() if value]
        )
        await self._service.call(
            make(tag(TYPES, OPERATION), [content]), subject=f"the {application.what}", write=True, ends=ends
        )

    async def applications_of(self, memo: FoundCreditMemo) -> tuple[FoundApplication, ...]:
        """What of the memo is applied, by transaction; all that stands, whoever applied it.

        A memo of which its own row says that nothing is applied has none, and nothing else is asked. What the balance
        says is applied and no list shows comes as one with transaction 0.
        """
        if memo.balance is not None and memo.balance == memo.credited:
            return ()
        found: dict[int, FoundApplication] = {}
        async for row in self._rows(memo):
            one = _application(row, memo)
            known = found.get(one.transaction_id)
            if known is not None:
                one = one.model_copy(
                    update={
                        "amount": known.amount + one.amount,
                        "application_ids": (*known.application_ids, *one.application_ids),
                    }
                )
            found[one.transaction_id] = one
        listed = sum((one.amount for one in found.values()), start=Decimal(0))
        missing = memo.credited - memo.balance - listed if memo.balance is not None else Decimal(0)
        if missing > 0:
            found[0] = FoundApplication(
                credit_memo_id=memo.customer_transaction_id,
                credit_memo_number=memo.transaction_number,
                transaction_id=0,
                transaction_number="",
                currency=memo.currency,
                amount=missing,
            )
        return tuple(found.values())

    async def _rows(self, memo: FoundCreditMemo) -> AsyncIterator[Row]:
        """Applications of the memo that stand."""
        subject = f"the applications of credit memo {memo.transaction_number}"
        resource = f"{_ACCOUNTS}/{await self._account(memo.customer_account)}/child/{_APPLICATIONS}"
        wanted = memo.customer_transaction_id
        if self._asks_by_memo:
            try:
                rows = self._rest.rows(resource, subject=subject, q=f"CreditMemoId={wanted}", order_by="ApplicationId")
                async for row in rows:
                    if _stands(row, wanted):
                        yield row
                return
            except Rejected as refusal:
                if refusal.status != 400:
                    raise
                self._asks_by_memo = False
        # Nothing is applied before the memo's own day.
        newest_first = self._rest.rows(resource, subject=subject, order_by="ApplicationDate:desc,ApplicationId:desc")
        async for row in newest_first:
            applied_on = day(row, "ApplicationDate")
            if applied_on is not None and applied_on < memo.transaction_date - dt.timedelta(days=1):
                return
            if _stands(row, wanted):
                yield row

    async def _account(self, number: str) -> str:
        """The key of a customer account's activities. Raises `Rejected` when there is none that we may see."""
        known = self._accounts.get(number)
        if known:
            return known
        for row in await self._accounts_numbered(number):
            if text(row, "AccountNumber") == number:
                self._accounts[number] = child_key(row) or text(row, "AccountId")
                return self._accounts[number]
        raise Rejected(
            self._rest.connection.id,
            f"Oracle Fusion ({self._rest.connection.id}) shows no activities of customer account {number}, so it cannot"
            " be told what is applied there.",
            remedy="Give the integration user the privilege to review customer account activities, then retry.",
        )

    async def _accounts_numbered(self, number: str) -> Sequence[Row]:
        """By the finder that is documented, else by question."""
        ways: list[dict[str, str | int | bool]] = [{"q": f"AccountNumber={quoted(number)}"}]
        with contextlib.suppress(ValueError):
            ways.insert(0, {"finder": finder("CustomerAccountActivitiesFinder", AccountNumber=number)})
        while True:
            way = ways.pop(0)
            try:
                body = await self._rest.page(
                    f"{RESOURCES}/{_ACCOUNTS}",
                    subject=f"the activities of customer account {number}",
                    params={**way, "limit": 2},
                )
            except Rejected as refusal:
                if refusal.status != 400 or not ways:
                    raise
                continue
            rows: list[Row] = body["items"]
            return rows


def _application(row: Row, memo: FoundCreditMemo) -> FoundApplication:
    application_id = whole(row, "ApplicationId")
    return FoundApplication(
        credit_memo_id=memo.customer_transaction_id,
        credit_memo_number=memo.transaction_number,
        transaction_id=whole(row, "ReferenceTransactionId") or 0,
        transaction_number=text(row, "ReferenceTransactionNumber"),
        currency=text(row, "EnteredCurrency") or memo.currency,
        # Whether amounts of applications have the memo's sign is said nowhere.
        amount=abs(money(row, "ApplicationAmount")),
        accounting_date=day(row, "AccountingDate"),
        application_ids=() if application_id is None else (application_id,),
    )


def _stands(row: Row, memo: int) -> bool:
    """An application of this memo that was not taken back."""
    latest = row.get("IsLatestApplication") is None or flag(row, "IsLatestApplication")
    status = text(row, "ApplicationStatus").strip().lower()
    return whole(row, "CreditMemoId") == memo and latest and not status.startswith(_STANDS_NO_MORE)
