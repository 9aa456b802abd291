"""Credit memos on account as the vendor's pages show them, applied over SOAP, and the balances that leaves."""

from __future__ import annotations

import asyncio
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest
from support.fusion_pod import RESOURCES, TODAY, Pod, invoice_body

MEMOS, ACTIVITIES = "receivablesCreditMemos", "receivablesCustomerAccountActivities"
SERVICE = "/fscmService/CreditMemoService"
NAMESPACE = "http://xmlns.oracle.com/apps/financials/receivables/transactions/creditMemos/creditMemoService/"


def memo_body(number: str | None = "CM-1", *amounts: str, **facts: Any) -> dict[str, Any]:
    lines = [
        {
            "LineNumber": place,
            "LineDescription": "Given back",
            "LineQuantityCredit": 1,
            "UnitSellingPrice": f"-{amount}",
        }
        for place, amount in enumerate(amounts or ("30.00",), start=1)
    ]
    body = {
        "BusinessUnit": "US Web Sales",
        "TransactionSource": "ML Connector",
        "TransactionType": "Web Credit Memo",
        "TransactionNumber": number,
        "TransactionDate": TODAY.isoformat(),
        "CreditMemoCurrency": "USD",
        "BillToCustomerNumber": "1006",
        "CreditMemoComments": "Refund 77",
        "receivablesCreditMemoLines": lines,
    } | facts
    return {name: value for name, value in body.items() if value is not None}


async def credit(pod: Pod, body: dict[str, Any]) -> httpx.Response:
    return await pod.http.post(f"{RESOURCES}/{MEMOS}", json=body, headers={"REST-Framework-Version": "4"})


async def credited(pod: Pod, *amounts: str, **facts: Any) -> dict[str, Any]:
    answer = await credit(pod, memo_body("CM-1", *amounts, **facts))
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def apply(pod: Pod, **fields: Any) -> httpx.Response:
    inside = "".join(f"<s:{name}>{value}</s:{name}>" for name, value in fields.items())
    body = (
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/">'
        f'<soapenv:Body><t:createApplyOnAccountCreditMemo xmlns:t="{NAMESPACE}types/" xmlns:s="{NAMESPACE}">'
        f"<t:applyOnAccountCreditMemo>{inside}</t:applyOnAccountCreditMemo>"
        "</t:createApplyOnAccountCreditMemo></soapenv:Body></soapenv:Envelope>"
    )
    return await pod.http.post(SERVICE, content=body, headers={"Content-Type": "text/xml"})


def fault(answer: httpx.Response) -> str:
    assert answer.status_code == 500
    found = ET.fromstring(answer.content).find(".//faultstring")  # noqa: S314 - what the twin itself wrote
    assert found is not None
    return found.text or ""


def code_of(answer: httpx.Response) -> tuple[str, str]:
    assert answer.status_code == 400, answer.text
    detail = answer.json()["o:errorDetails"][0]
    return detail["o:errorCode"], detail.get("o:errorPath", "")


async def test_a_memo_is_answered_whole_with_negative_amounts_and_its_balance(pod: Pod) -> None:
    document = await credited(pod, "19.95", "5.00", CreditReason="Returned goods")
    assert (document["EnteredAmount"], document["TransactionBalanceDue"]) == (-24.95, -24.95)
    assert (document["CreditMemoStatus"], document["CreditMemoComments"]) == ("Complete", "Refund 77")
    lines = document["receivablesCreditMemoLines"]["items"]
    assert [(row["LineDescription"], row["LineAmountCredit"]) for row in lines] == [
        ("Given back", -19.95),
        ("Given back", -5),
    ]
    distributions = document["receivablesCreditMemoDistributions"]["items"]
    assert [(row["AccountClass"], row["Amount"], row["CreditMemoLineNumber"]) for row in distributions] == [
        ("Receivable", -24.95, None),
        ("Revenue", -19.95, 1),
        ("Revenue", -5, 2),
    ]
    key = document["CustomerTransactionId"]
    assert (await pod.get(f"{MEMOS}/{key}")).json()["TransactionNumber"] == "CM-1"
    assert [row["CustomerTransactionId"] for row in await pod.items(MEMOS, q="TransactionNumber='CM-1'")] == [key]
    assert await pod.items("receivablesInvoices") == []


async def test_what_a_pod_checks_it_says_in_this_resources_words(pod: Pod) -> None:
    positive = memo_body()
    positive["receivablesCreditMemoLines"][0]["UnitSellingPrice"] = "30.00"
    priceless = memo_body()
    del priceless["receivablesCreditMemoLines"][0]["LineQuantityCredit"]
    for body, expected in (
        (memo_body(CreditMemoCurrency="XXX"), ("AR_FUNC_CURRENCY_REQ", "/CreditMemoCurrency")),
        (memo_body(TransactionType="Web Invoice"), ("AR_TRX_TYPE_NOT_FOUND", "/TransactionType")),
        (memo_body(CreditReason="Because"), ("AR_CREDIT_REASON_INVALID", "/CreditReason")),
        (memo_body(CreditMemoStatus="Incomplete"), ("AR-857798", "/CreditMemoStatus")),
        (memo_body(InvoiceCurrencyCode="USD"), ("JBO-25009", "/InvoiceCurrencyCode")),
        (memo_body(PreviousCustomerTransactionId=1), ("JBO-25009", "/PreviousCustomerTransactionId")),
        (memo_body(None), ("AR_TRX_NUMBER_REQ", "/TransactionNumber")),
        (memo_body(AccountingDate="2001-01-01"), ("AR_ACCOUNTING_DATE_INVALID", "/AccountingDate")),
        (positive, ("AR_CREATION_SIGN", "/EnteredAmount")),
        (priceless, ("JBO-27014", "/receivablesCreditMemoLines/0/LineQuantityCredit")),
    ):
        answer = await credit(pod, body)
        assert code_of(answer) == expected
        assert "receivablesInvoice" not in answer.text
    assert pod.twin.credit_memos.all() == []
    await pod.billed(invoice_body("CM-1"))
    assert code_of(await credit(pod, memo_body()))[0] == "AR_TRX_NUMBER_DUPLICATE"
    assert (await pod.http.delete(f"{RESOURCES}/{MEMOS}/1")).status_code in (400, 404)


async def test_an_invoice_type_is_no_memos_type_and_the_other_way_round(pod: Pod) -> None:
    assert code_of(await pod.bill(invoice_body("I-1", TransactionType="Web Credit Memo")))[0] == "AR_TRX_TYPE_NOT_FOUND"


async def test_an_application_moves_both_balances_and_is_shown_with_the_account(pod: Pod) -> None:
    billed = await pod.billed(invoice_body("I-1", "100.00"))
    memo = await credited(pod)
    answer = await apply(pod, CreditMemoTrxNumber="CM-1", InvoiceTrxNumber="I-1", AmountApplied="10.00")
    assert answer.status_code == 200
    assert b"<" in answer.content
    assert b"AmountApplied>10.00<" in answer.content
    key, of = memo["CustomerTransactionId"], billed["CustomerTransactionId"]
    assert (await pod.get(f"{MEMOS}/{key}")).json()["TransactionBalanceDue"] == -20
    invoice = (await pod.get(f"receivablesInvoices/{of}", expand="receivablesInvoiceInstallments")).json()
    assert invoice["InvoiceBalanceAmount"] == 90
    (installment,) = invoice["receivablesInvoiceInstallments"]["items"]
    assert (installment["InstallmentBalanceDue"], installment["InstallmentAmountCredited"]) == (90, -10)
    (account,) = await pod.items(ACTIVITIES, q="AccountNumber='1006'")
    assert account["TotalOpenReceivablesForAccount"] == 70
    (row,) = await pod.items(
        f"{ACTIVITIES}/{account['AccountId']}/child/creditMemoApplications", q=f"CreditMemoId={key}"
    )
    assert (row["ApplicationAmount"], row["ReferenceTransactionId"], row["IsLatestApplication"]) == (10, of, "Y")
    pod.twin.receivables.applications.unapply(row["ApplicationId"])
    (row,) = await pod.items(f"{ACTIVITIES}/{account['AccountId']}/child/creditMemoApplications")
    assert (row["ApplicationStatus"], row["IsLatestApplication"]) == ("Reversed", "N")
    assert (await pod.get(f"{MEMOS}/{key}")).json()["TransactionBalanceDue"] == -30


async def test_without_an_amount_all_that_fits_is_applied(pod: Pod) -> None:
    await pod.billed(invoice_body("I-1", "20.00"))
    await credited(pod)
    assert (await apply(pod, CreditMemoTrxNumber="CM-1", InvoiceTrxNumber="I-1")).status_code == 200
    (made,) = pod.twin.applications()
    assert str(made.amount) == "20.00"


async def test_of_many_that_apply_the_whole_memo_at_once_one_succeeds(pod: Pod) -> None:
    await pod.billed(invoice_body("I-1", "100.00"))
    await credited(pod)
    wanted = {"CreditMemoTrxNumber": "CM-1", "InvoiceTrxNumber": "I-1", "AmountApplied": "30.00"}
    answers = await asyncio.gather(*(apply(pod, **wanted) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [200] + [500] * 9
    assert len(pod.twin.applications()) == 1


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"AmountApplied": "100.01"}, "AR_APP_EXCEEDS_CREDIT_MEMO"),
        ({"AmountApplied": "25.00"}, "AR_APP_OVERAPPLICATION"),
        ({"AmountApplied": "0"}, "AR_APP_AMOUNT_INVALID"),
        ({"AmountApplied": "much"}, "isn't a number"),
        ({"ApplyDate": "2026-11-19"}, "AR_APP_DATE_INVALID"),
        ({"GlDate": "2026-11-19"}, "AR_APP_GL_DATE_INVALID"),
        ({"InvoiceTrxNumber": "I-9"}, "AR_APP_TRANSACTION_NOT_FOUND"),
        ({"CreditMemoTrxNumber": "CM-9"}, "AR_APP_CREDIT_MEMO_NOT_FOUND"),
        ({"BusinessUnit": "EU Web Sales"}, "AR_APP_CREDIT_MEMO_NOT_FOUND"),
        ({"Installment": "2"}, "AR_APP_INSTALLMENT_INVALID"),
    ],
)
async def test_what_is_wrong_with_an_application_is_a_fault_of_the_service(
    pod: Pod, fields: dict[str, str], said: str
) -> None:
    await pod.billed(invoice_body("I-1", "20.00"))
    await credited(pod)
    answer = await apply(pod, **({"CreditMemoTrxNumber": "CM-1", "InvoiceTrxNumber": "I-1"} | fields))
    assert said in fault(answer)
    assert b"ServiceErrorMessage" in answer.content
    assert pod.twin.applications() == []


async def test_what_is_no_call_of_the_service_is_a_fault_without_its_message(pod: Pod) -> None:
    for content in (b"nothing", b"<a/>", b"<!DOCTYPE a><a/>"):
        answer = await pod.http.post(SERVICE, content=content, headers={"Content-Type": "text/xml"})
        fault(answer)
        assert b"ServiceErrorMessage" not in answer.content
    pod.http.headers["Authorization"] = "Bearer nobody"
    assert (await apply(pod, CreditMemoTrxNumber="CM-1")).status_code == 401


async def test_an_application_may_be_shown_late_and_counts_at_once(pod: Pod) -> None:
    await pod.billed(invoice_body("I-1", "100.00"))
    memo = await credited(pod)
    pod.twin.faults.set("late_visibility", path="CreditMemoService", seconds=30)
    wanted = {"CreditMemoTrxNumber": "CM-1", "InvoiceTrxNumber": "I-1", "AmountApplied": "30.00"}
    assert (await apply(pod, **wanted)).status_code == 200
    address = f"{MEMOS}/{memo['CustomerTransactionId']}"
    assert (await pod.get(address)).json()["TransactionBalanceDue"] == -30
    assert "unapplied amount of the credit memo, 0" in fault(await apply(pod, **wanted))
    pod.twin.clock.advance(31)
    assert (await pod.get(address)).json()["TransactionBalanceDue"] == 0


async def test_the_twins_own_routes_show_memos_and_applications(pod: Pod) -> None:
    await pod.billed(invoice_body("I-1", "100.00"))
    await credited(pod)
    await apply(pod, CreditMemoTrxNumber="CM-1", InvoiceTrxNumber="I-1")
    (memo,) = (await pod.http.get("/_twin/credit-memos", params={"number": "CM-1"})).json()
    assert (memo["number"], memo["amount"]) == ("CM-1", "-30.00")
    (made,) = (await pod.http.get("/_twin/applications")).json()
    assert (made["credit_memo"], made["invoice"], made["amount"], made["reversed"]) == ("CM-1", "I-1", "30.00", False)
    summary = (await pod.http.get("/_twin/credit-memos/summary")).json()
    assert summary["totals"][0] | {"unapplied": "0.00"} == summary["totals"][0]
    undone = await pod.http.post("/_twin/applications", json={"unapply": made["id"]})
    assert undone.json()["reversed"] is True
    assert (await pod.http.post("/_twin/applications", json={"unapply": 1})).status_code == 400
