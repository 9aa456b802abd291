"""What becomes of an invoice after it was made: accounted, changed where the page lets it, deleted; and the truth."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.fusion_pod import RESOURCES, Pod, invoice_body

from sandbox.fusion.receivables.setup import Deletable

INVOICES = "receivablesInvoices"


async def key_of(pod: Pod, *amounts: str, **facts: Any) -> str:
    return str((await pod.billed(invoice_body("MLC-1", *amounts, **facts)))["CustomerTransactionId"])


async def refused(pod: Pod, path: str, body: dict[str, Any]) -> str:
    answer = await pod.change(path, body)
    assert answer.status_code == 400, answer.text
    code: str = answer.json()["o:errorDetails"][0]["o:errorCode"]
    return code


async def test_an_invoice_is_accounted_after_a_while_and_no_resource_shows_it(pod: Pod) -> None:
    pod.twin.world.receivables.habits.accounting_delay = 600
    key = await key_of(pod)
    before = (await pod.get(f"{INVOICES}/{key}")).json()
    assert pod.twin.invoices()[0].accounted is None
    pod.twin.clock.advance(601)
    assert pod.twin.invoices()[0].accounted is not None
    assert (await pod.get(f"{INVOICES}/{key}")).json() == before


async def test_some_invoices_are_never_accounted(pod: Pod) -> None:
    pod.twin.world.receivables.habits.accounting_delay = None
    await key_of(pod)
    pod.twin.clock.advance(3000)
    assert pod.twin.invoices()[0].accounted is None


@pytest.mark.parametrize(
    "body",
    [
        {"CrossReference": "x"},
        {"Comments": "x"},
        {"TransactionNumber": "x"},
        {"receivablesInvoiceLines": []},
        {"PaymentTerms": "60 Net", "PurchaseOrder": "x"},
    ],
    ids=lambda body: "+".join(body),
)
async def test_only_what_the_page_lists_can_be_changed(pod: Pod, body: dict[str, Any]) -> None:
    path = f"{INVOICES}/{await key_of(pod)}"
    before = (await pod.get(path)).json()
    assert await refused(pod, path, body) in ("JBO-27008", "JBO-25009")
    assert (await pod.get(path)).json() == before


async def test_terms_and_transaction_date_move_the_due_date_until_the_invoice_is_accounted(pod: Pod) -> None:
    pod.twin.world.receivables.habits.accounting_delay = 600
    path = f"{INVOICES}/{await key_of(pod)}"
    stamp = (await pod.get(path)).json()["LastUpdateDate"]
    answer = await pod.change(path, {"PaymentTerms": "60 Net"})
    assert (answer.status_code, answer.json()["DueDate"]) == (200, "2027-01-19")
    assert answer.json()["LastUpdateDate"] > stamp
    moved = await pod.change(path, {"TransactionDate": "2026-11-21"})
    assert (moved.json()["TransactionDate"], moved.json()["DueDate"]) == ("2026-11-21", "2027-01-20")
    assert await refused(pod, path, {"PaymentTerms": "Sometime"}) == "AR_TERMS_NOT_FOUND"
    pod.twin.clock.advance(601)
    assert await refused(pod, path, {"PaymentTerms": "30 Net"}) == "AR_TERMS_NOT_UPDATABLE"


async def test_an_invoice_can_be_made_incomplete_and_complete_again(pod: Pod) -> None:
    pod.twin.world.receivables.habits.accounting_delay = 600
    path = f"{INVOICES}/{await key_of(pod)}"
    open_again = (await pod.change(path, {"InvoiceStatus": "Incomplete"})).json()
    assert (open_again["InvoiceStatus"], open_again["InvoiceBalanceAmount"]) == ("Incomplete", None)
    pod.twin.clock.advance(601)
    assert pod.twin.invoices()[0].accounted is None
    assert (await pod.change(path, {"InvoiceStatus": "Complete"})).json()["InvoiceBalanceAmount"] == 19.95
    pod.twin.clock.advance(601)
    assert pod.twin.invoices()[0].accounted is not None
    assert await refused(pod, path, {"InvoiceStatus": "Incomplete"}) == "AR_INCOMPLETE_NOT_ALLOWED"
    assert await refused(pod, path, {"InvoiceStatus": "Frozen"}) == "AR_STATUS_INVALID"


async def test_print_attributes_need_a_printed_invoice(pod: Pod) -> None:
    path = f"{INVOICES}/{await key_of(pod)}"
    assert await refused(pod, path, {"LastPrintDate": "2026-11-20"}) == "AR_INVOICE_NOT_PRINTED"
    printed = await pod.change(path, {"InvoicePrinted": "Y", "LastPrintDate": "2026-11-20", "DeliveryMethod": "Email"})
    assert (printed.json()["InvoicePrinted"], printed.json()["LastPrintDate"]) == ("Y", "2026-11-20")
    assert (await pod.change(path, {"Email": "ap@example.com"})).json()["DeliveryMethod"] == "Email"


async def test_installments_can_be_moved_and_must_make_the_amount(pod: Pod) -> None:
    path = f"{INVOICES}/{await key_of(pod, '100.00', PaymentTerms='50 50 Split')}"
    rows = await pod.items(f"{path}/child/receivablesInvoiceInstallments")
    first, second = (row["InstallmentId"] for row in rows)
    one = f"{path}/child/receivablesInvoiceInstallments/{first}"
    assert (await pod.change(one, {"InstallmentDueDate": "2026-12-01"})).json()["InstallmentDueDate"] == "2026-12-01"
    assert await refused(pod, one, {"InstallmentDueDate": "2026-11-01"}) == "AR_DUE_DATE_INVALID"
    assert await refused(pod, one, {"OriginalAmount": 60}) == "AR_INSTALLMENT_AMOUNT"
    assert await refused(pod, one, {"InstallmentStatus": "Closed"}) == "JBO-27008"
    both = [{"InstallmentId": first, "OriginalAmount": 60}, {"InstallmentId": second, "OriginalAmount": 40}]
    assert (await pod.change(path, {"receivablesInvoiceInstallments": both})).status_code == 200
    assert [str(each.amount) for each in pod.twin.invoices()[0].installments] == ["60", "40"]
    unknown = {"receivablesInvoiceInstallments": [{"InstallmentId": 1, "OriginalAmount": 60}]}
    assert await refused(pod, path, unknown) == "AR_INSTALLMENT_NOT_FOUND"


async def test_lines_and_distributions_exist_from_the_creation_only(pod: Pod) -> None:
    key = await key_of(pod)
    for child in ("receivablesInvoiceLines", "receivablesInvoiceDistributions"):
        path = f"{INVOICES}/{key}/child/{child}"
        assert (await pod.http.post(f"{RESOURCES}/{path}", json={"Description": "x"})).status_code == 400
        (row, *_) = await pod.items(path)
        href = next(link["href"] for link in row["links"] if link["rel"] == "self")
        assert (await pod.http.get(href)).status_code == 200
        assert (await pod.http.patch(href, json={"Description": "x"})).status_code == 400
        assert (await pod.http.delete(href)).status_code == 400


@pytest.mark.parametrize(
    ("habit", "fresh", "incomplete", "accounted"),
    [("unaccounted", 204, 204, 400), ("incomplete", 400, 204, 400), ("never", 400, 400, 400)],
)
async def test_deleting_is_a_setting_of_the_pod(
    pod: Pod, habit: Deletable, fresh: int, incomplete: int, accounted: int
) -> None:
    habits = pod.twin.world.receivables.habits
    habits.deletable, habits.accounting_delay = habit, None

    async def status(number: str, change: dict[str, Any] | None = None, wait: float = 0) -> int:
        document = await pod.billed(invoice_body(number))
        path = f"{INVOICES}/{document['CustomerTransactionId']}"
        if change:
            assert (await pod.change(path, change)).status_code == 200
        pod.twin.clock.advance(wait)
        return (await pod.http.delete(f"{RESOURCES}/{path}")).status_code

    assert await status("A") == fresh
    assert await status("B", {"InvoiceStatus": "Incomplete"}) == incomplete
    habits.accounting_delay = 1
    assert await status("C", wait=2) == accounted


async def test_a_deleted_invoice_is_gone_and_its_number_free(pod: Pod) -> None:
    pod.twin.world.receivables.habits.accounting_delay = 600
    path = f"{INVOICES}/{await key_of(pod)}"
    assert (await pod.http.delete(f"{RESOURCES}/{path}")).status_code == 204
    assert (await pod.get(path)).status_code == 404
    assert await pod.items(INVOICES, q="TransactionNumber='MLC-1'") == []
    assert await key_of(pod) not in path


async def test_of_two_at_the_same_time_with_one_number_one_is_taken(pod: Pod) -> None:
    answers = await asyncio.gather(*(pod.bill(invoice_body("MLC-1")) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 400, 400, 400, 400]
    assert len(pod.twin.invoices()) == 1


async def test_the_truth_is_told_with_references_lines_and_distributions(pod: Pod) -> None:
    dff = [{"__FLEX_Context": "ML_CONNECTOR", "connectorReference": "in the flexfield"}]
    body = invoice_body("MLC-1", "10.00", CrossReference="order/1")
    body["receivablesInvoiceLines"][0]["receivablesInvoiceLineDFF"] = dff
    pod.twin.faults.set("late_visibility", path=INVOICES, seconds=60, count=1)
    await pod.billed(body)
    await pod.billed(invoice_body("MLC-2", "5.00", CrossReference="order/1"))

    async def told(**query: str) -> list[dict[str, Any]]:
        facts: list[dict[str, Any]] = (await pod.http.get("/_twin/invoices", params=query)).json()
        return facts

    for reference in ("MLC-1", "in the flexfield"):
        (fact,) = await told(reference=reference)
        assert (fact["number"], fact["amount"], fact["status"]) == ("MLC-1", "10.00", "Complete")
    assert [each["line"] for each in fact["distributions"]] == [None, 1]
    assert fact["lines"][0]["amount"] == "10.00"
    assert fact["created"] < fact["visible_from"]
    assert len(await told(reference="order/1")) == 2
    assert await told(business_unit="EU Web Sales") == []
    assert len(await told(number="MLC-2", source="ML Connector")) == 1
    summary = (await pod.http.get("/_twin/invoices/summary")).json()
    assert summary == {
        "invoices": 2,
        "totals": [{"business_unit": "US Web Sales", "currency": "USD", "invoices": 2, "amount": "15.00"}],
        "duplicates": ["order/1"],
    }


async def test_the_setup_can_be_changed_from_another_process(pod: Pod) -> None:
    async def post(path: str, **body: Any) -> int:
        return (await pod.http.post(f"/_twin/{path}", json=body)).status_code

    assert await post("customers", number="1006", enabled=False) == 200
    assert await post("customers", number="9999", enabled=False) == 400
    assert await post("customers", number="1006", party_id=1) == 400
    assert (await pod.bill(invoice_body())).status_code == 400
    assert await post("customers", number="1006", enabled=True) == 200
    assert await post("receivables", tax_engine="adds", codes={"AR_BU_NOT_FOUND": "AR-1"}) == 200
    assert await post("receivables", tax_engine="guesses") == 400
    assert await post("receivables", mood="bad") == 400
    document = await pod.billed(invoice_body("A", "10.00"))
    assert document["EnteredAmount"] == 10.15
    unit = {"business_unit": "US Web Sales"}
    assert await post("transaction-sources", name="ML Connector", numbering="automatic", **unit) == 200
    assert await post("transaction-sources", name="ML Connector", numbering="odd", **unit) == 400
    assert (await pod.billed(invoice_body(None)))["TransactionNumber"] == "1001"
    assert await post("transaction-sources", name="New", **unit) == 200
    await pod.billed(invoice_body("A", TransactionSource="New"))
    closed = {"ledger": "US Primary Ledger", "period": "Nov-26", "status": "C", "application": 222}
    assert await post("periods", **closed) == 200
    assert (await pod.bill(invoice_body("B", TransactionSource="New"))).status_code == 400


async def test_the_european_unit_bills_in_euro_with_its_own_accounts(pod: Pod) -> None:
    body = invoice_body("EU-1", BusinessUnit="EU Web Sales", BillToCustomerNumber="2006", InvoiceCurrencyCode="EUR")
    document = await pod.billed(body)
    assert (document["PaymentTerms"], document["DueDate"]) == ("30 Net", "2026-12-20")
    (invoice,) = pod.twin.invoices()
    assert invoice.ledger == "EU Primary Ledger"
    assert {row.account[:3] for row in invoice.distributions} == {"201"}
