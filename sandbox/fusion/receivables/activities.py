"""`receivablesCustomerAccountActivities`: what happened on a customer account, as far as memos are applied (3.4)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sandbox.fusion.query import QueryError
from sandbox.fusion.receivables.applications import Application
from sandbox.fusion.receivables.credit_memos import CreditMemos
from sandbox.fusion.receivables.setup import Customer
from sandbox.fusion.receivables.subledger import Subledger
from sandbox.fusion.resources import Entity, Resource

ACTIVITIES, APPLICATIONS = "receivablesCustomerAccountActivities", "creditMemoApplications"
_ACCOUNT = (
    "AccountId", "AccountNumber", "CustomerId", "CustomerName", "TotalOpenReceivablesForAccount",
    "TotalTransactionsDueForAccount", "CreatedBy", "CreationDate", "LastUpdatedBy", "LastUpdateDate",
)  # fmt: skip
_APPLICATION = (
    "ApplicationId", "ApplicationDate", "ApplicationAmount", "ApplicationStatus", "ReferenceInstallmentId",
    "ReferenceTransactionNumber", "ReferenceTransactionId", "ReferenceTransactionStatus", "AccountingDate",
    "CreditMemoId", "CreditMemoNumber", "CreditMemoStatus", "EnteredCurrency", "IsLatestApplication",
)  # fmt: skip


def account_activities(books: Subledger, memos: CreditMemos) -> Resource:
    """The resource over one subledger."""
    setup = books.world.receivables

    def accounts(_: Any) -> list[Entity]:
        return [Entity(_account(each, books, memos), each) for each in setup.customers if each.enabled]

    def applications(customer: Customer) -> list[Entity]:
        found = (each for each in books.applications.shown() if each.memo.customer == customer.number)
        return [Entity(_application(each, setup.habits.application_sign), each) for each in found]

    def numbered(variables: Mapping[str, str]) -> list[Entity]:
        if not setup.habits.activities_finder:
            raise QueryError("The finder CustomerAccountActivitiesFinder is not known.")
        unknown = sorted(set(variables) - {"AccountNumber", "CustomerName"})
        if unknown:
            raise QueryError(f"The finder has no variable {unknown[0]}.")
        return [each for each in accounts(None) if all(each.values[name] == value for name, value in variables.items())]

    child = Resource(APPLICATIONS, _APPLICATION, applications, "ApplicationId")
    finders = {"CustomerAccountActivitiesFinder": numbered}
    return Resource(ACTIVITIES, _ACCOUNT, accounts, "AccountId", children=(child,), finders=finders)


def _account(customer: Customer, books: Subledger, memos: CreditMemos) -> dict[str, Any]:
    owed = sum(
        (
            books.applications.balance(each, shown=True)
            for each in [*books.visible(), *memos.visible()]
            if each.customer == customer.number
        ),
        start=Decimal(0),
    )
    return {
        **dict.fromkeys(_ACCOUNT),
        "AccountId": customer.party_id + 1,
        "AccountNumber": customer.number,
        "CustomerId": customer.party_id,
        "CustomerName": customer.name,
        "TotalOpenReceivablesForAccount": owed,
        "TotalTransactionsDueForAccount": owed,
    }


def _application(application: Application, sign: str) -> dict[str, Any]:
    memo, invoice = application.memo, application.invoice
    installment = next(each for each in invoice.installments if each.number == application.installment)
    return {
        "ApplicationId": application.id,
        "ApplicationDate": application.apply_date,
        "ApplicationAmount": application.amount if sign == "plus" else -application.amount,
        "ApplicationStatus": "Reversed" if application.reversed else "Applied",
        "ReferenceInstallmentId": installment.id,
        "ReferenceTransactionNumber": invoice.number,
        "ReferenceTransactionId": invoice.id,
        "ReferenceTransactionStatus": "Open",
        "AccountingDate": application.accounting_date,
        "CreditMemoId": memo.id,
        "CreditMemoNumber": memo.number,
        "CreditMemoStatus": "Open",
        "EnteredCurrency": memo.currency,
        "IsLatestApplication": "N" if application.reversed else "Y",
    }
