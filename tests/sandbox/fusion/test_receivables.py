"""Receivables invoices: created one by one, found again, numbered, and only the number is unique."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import httpx
import pytest
from support.fusion_pod import Pod, invoice_body
from support.held_sleeps import held_sleeps

from sandbox.kit import wire

INVOICES = "receivablesInvoices"
AUTOMATIC = {"TransactionSource": "ML Connector Auto", "TransactionNumber": None}
REFERENCE = "acme/bc-us/order/1024/sale/1"


def flexfield(reference: str = REFERENCE) -> list[dict[str, str]]:
    return [{"__FLEX_Context": "ML_CONNECTOR", "connectorReference": reference}]


def code_of(answer: httpx.Response) -> str:
    assert answer.status_code == 400, answer.text
    code: str = answer.json()["o:errorDetails"][0]["o:errorCode"]
    return code


async def test_a_posted_invoice_is_answered_whole_and_found_at_its_address(pod: Pod) -> None:
    answer = await pod.bill(invoice_body("MLC-1024", "19.95", "5.00", CrossReference=REFERENCE))
    assert answer.status_code == 201
    document = answer.json()
    assert len(str(document["CustomerTransactionId"])) == 15
    assert (document["TransactionNumber"], document["CrossReference"]) == ("MLC-1024", REFERENCE)
    assert (document["InvoiceStatus"], document["EnteredAmount"], document["InvoiceBalanceAmount"]) == (
        "Complete", 24.95, 24.95,
    )  # fmt: skip
    assert (document["DueDate"], document["PaymentTerms"], document["BillToSite"]) == (
        "2026-11-20", "IMMEDIATE", "Web Store US Billing",
    )  # fmt: skip
    assert [line["LineAmount"] for line in document["receivablesInvoiceLines"]["items"]] == [19.95, 5]
    assert document["LastUpdateDate"].endswith("+00:00")
    href = next(link["href"] for link in document["links"] if link["rel"] == "self")
    assert answer.headers["location"] == href
    assert (await pod.http.get(href)).json()["TransactionNumber"] == "MLC-1024"
    (invoice,) = pod.twin.invoices()
    assert (invoice.amount, invoice.source, invoice.business_unit) == (
        Decimal("24.95"), "ML Connector", "US Web Sales",
    )  # fmt: skip


async def test_children_are_lists_for_old_framework_versions(pod: Pod) -> None:
    document = await pod.billed(invoice_body("MLC-1024", *["1.00"] * 40), version=1)
    assert len(document["receivablesInvoiceLines"]) == 40
    assert [row["AccountClass"] for row in document["receivablesInvoiceDistributions"][:2]] == ["Receivable", "Revenue"]
    newer = await pod.billed(invoice_body("MLC-1025", *["1.00"] * 40))
    assert newer["receivablesInvoiceLines"]["count"] == 40


async def test_invoices_are_found_by_number_cross_reference_and_finders(pod: Pod) -> None:
    first = await pod.billed(invoice_body("MLC-1", CrossReference="one"))
    await pod.billed(invoice_body("MLC-2", CrossReference="two"))
    wanted = [first["CustomerTransactionId"]]

    async def ids(version: int = 4, **parameters: str) -> list[int]:
        return [row["CustomerTransactionId"] for row in await pod.items(INVOICES, version, **parameters)]

    assert await ids(q="TransactionNumber = 'MLC-1' and TransactionSource = 'ML Connector'") == wanted
    assert await ids(q="CrossReference='one'") == wanted
    assert await ids(1, q="CrossReference=one;BusinessUnit='US Web Sales'") == wanted
    assert await ids(q=f"CustomerTransactionId={wanted[0]}") == wanted
    assert await ids(q="CreationDate > '2026-11-21T00:00:00Z'") == []
    assert await ids(finder=f"PrimaryKey;CustomerTransactionId={wanted[0]}") == wanted
    search = "invoiceSearch;BusinessUnit=US Web Sales,BillToCustomerNumber=1006,InvoiceStatus=Complete"
    assert await ids(finder=search, orderBy="TransactionNumber:desc", limit="1", offset="1") == wanted
    assert await ids(finder="invoiceSearch;BillToCustomerNumber=2006") == []
    assert (await pod.get(INVOICES, finder="invoiceSearch;Colour=blue")).status_code == 400
    page = (await pod.get(INVOICES, limit=1, totalResults="true", fields="TransactionNumber", onlyData="true")).json()
    assert (page["items"], page["hasMore"], page["totalResults"]) == ([{"TransactionNumber": "MLC-1"}], True, 2)


async def test_a_flexfield_of_header_or_line_finds_its_invoice(pod: Pod) -> None:
    body = invoice_body("MLC-1", "1.00", "2.00", receivablesInvoiceDFF=flexfield("header"))
    body["receivablesInvoiceLines"][1]["receivablesInvoiceLineDFF"] = flexfield("line")
    await pod.billed(body)
    await pod.billed(invoice_body("MLC-2"))
    for q in (
        "receivablesInvoiceDFF.connectorReference = 'header'",
        "receivablesInvoiceLines.receivablesInvoiceLineDFF.connectorReference = 'line'",
    ):
        (row,) = await pod.items(INVOICES, q=q, expand="receivablesInvoiceLines.receivablesInvoiceLineDFF")
        assert row["TransactionNumber"] == "MLC-1"
        shown = [line["receivablesInvoiceLineDFF"]["items"] for line in row["receivablesInvoiceLines"]["items"]]
        assert (len(shown[0]), shown[1][0]["connectorReference"]) == (0, "line")
    pod.twin.world.receivables.habits.flexfields_queryable = False
    refused = await pod.get(INVOICES, q="receivablesInvoiceDFF.connectorReference = 'header'")
    assert refused.status_code == 400


async def test_flexfields_have_the_contexts_and_attributes_of_the_pod(pod: Pod) -> None:
    unknown: list[dict[str, str]] = [{"__FLEX_Context": "OTHER", "connectorReference": "x"}]
    assert code_of(await pod.bill(invoice_body(receivablesInvoiceDFF=unknown))) == "FND-2754"
    wrong: list[dict[str, str]] = [{"__FLEX_Context": "ML_CONNECTOR", "colour": "x"}]
    assert code_of(await pod.bill(invoice_body(receivablesInvoiceDFF=wrong))) == "JBO-25009"
    assert code_of(await pod.bill(invoice_body(receivablesInvoiceDFF=flexfield("x" * 151)))) == "JBO-27010"
    assert pod.twin.invoices() == []


@pytest.mark.parametrize("attribute", ["TransactionNumber", "CrossReference"])
async def test_some_pods_cannot_query_the_home_of_a_reference_and_say_so(pod: Pod, attribute: str) -> None:
    async def described() -> dict[str, Any]:
        facts = (await pod.get(f"{INVOICES}/describe")).json()["Resources"][INVOICES]
        return {each["name"]: each for each in facts["attributes"]}

    assert (await described())[attribute]["queryable"] is True
    assert (await described())["TransactionNumber"]["maxLength"] == 20
    pod.twin.world.receivables.habits.queryable[attribute] = False
    assert (await described())[attribute]["queryable"] is False
    assert (await pod.get(INVOICES, q=f"{attribute}='x'")).status_code == 400


async def test_describe_names_writes_finders_and_flexfields(pod: Pod) -> None:
    facts = (await pod.get(f"{INVOICES}/describe")).json()["Resources"][INVOICES]
    assert [each["name"] for each in facts["collection"]["actions"]] == ["get", "create"]
    assert [each["name"] for each in facts["item"]["actions"]] == ["get", "update", "delete"]
    assert [each["name"] for each in facts["collection"]["finders"]] == ["PrimaryKey", "invoiceSearch"]
    attributes = {each["name"]: each for each in facts["attributes"]}
    assert attributes["PaymentTerms"]["updatable"]
    assert not attributes["CrossReference"]["updatable"]
    line = facts["children"]["receivablesInvoiceLines"]["children"]["receivablesInvoiceLineDFF"]
    assert {each["name"]: each["queryable"] for each in line["attributes"]}["connectorReference"] is True


async def test_a_manual_number_is_refused_the_second_time_within_its_source_and_business_unit(pod: Pod) -> None:
    await pod.billed(invoice_body("MLC-1"))
    again = await pod.bill(invoice_body("MLC-1", "7.00"))
    assert code_of(again) == "AR_TRX_NUMBER_DUPLICATE"
    details = again.json()["o:errorDetails"][0]
    assert details["o:errorPath"] == "/TransactionNumber"
    assert details["detail"].endswith("(AR_TRX_NUMBER_DUPLICATE)")
    await pod.billed(
        invoice_body("MLC-1", BusinessUnit="EU Web Sales", BillToCustomerNumber="2006", InvoiceCurrencyCode="EUR")
    )
    pod.twin.set_source("Other", "US Web Sales")
    await pod.billed(invoice_body("MLC-1", TransactionSource="Other"))
    assert len(pod.twin.invoices()) == 3
    pod.twin.world.receivables.habits.codes["AR_TRX_NUMBER_DUPLICATE"] = "AR-855040"
    assert code_of(await pod.bill(invoice_body("MLC-1"))) == "AR-855040"
    pod.twin.world.receivables.habits.duplicate_status = 409
    assert (await pod.bill(invoice_body("MLC-1"))).status_code == 409


async def test_a_manual_source_needs_a_number(pod: Pod) -> None:
    assert code_of(await pod.bill(invoice_body(None))) == "AR_TRX_NUMBER_REQ"


async def test_an_automatic_source_counts_and_refuses_or_ignores_a_number(pod: Pod) -> None:
    numbers = [(await pod.billed(invoice_body(**AUTOMATIC)))["TransactionNumber"] for _ in range(2)]
    assert numbers == ["1001", "1002"]
    given = invoice_body("MLC-9", TransactionSource="ML Connector Auto")
    assert code_of(await pod.bill(given)) == "AR_TRX_NUMBER_NOT_ALLOWED"
    pod.twin.world.receivables.habits.given_number = "ignored"
    assert (await pod.billed(given))["TransactionNumber"] == "1003"


async def test_nothing_but_the_number_is_unique(pod: Pod) -> None:
    facts = {**AUTOMATIC, "CrossReference": REFERENCE, "receivablesInvoiceDFF": flexfield()}
    await pod.billed(invoice_body(**facts))
    await pod.billed(invoice_body(**facts))
    assert [invoice.cross_reference for invoice in pod.twin.invoices()] == [REFERENCE] * 2
    assert pod.twin.receivables.summary()["duplicates"] == [REFERENCE]


async def test_too_long_texts_are_refused_and_not_cut(pod: Pod) -> None:
    assert code_of(await pod.bill(invoice_body("M" * 21))) == "JBO-27010"
    assert code_of(await pod.bill(invoice_body(CrossReference="x" * 151))) == "JBO-27010"
    await pod.billed(invoice_body("M" * 20, CrossReference="x" * 150))


async def test_a_lost_answer_is_an_invoice_nobody_knows_of(pod: Pod) -> None:
    pod.twin.faults.set("lost_answer", method="POST", path="/receivablesInvoices", count=1)
    with pytest.raises(httpx.RemoteProtocolError):
        await pod.bill(invoice_body("MLC-1"))
    assert [invoice.number for invoice in pod.twin.invoices()] == ["MLC-1"]


async def test_an_invoice_may_be_committed_after_the_caller_has_gone(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    delays = held_sleeps(monkeypatch, wire)
    pod.twin.faults.set("delayed_commit", method="POST", path=INVOICES, seconds=0.2, count=1, options={"answer": "cut"})
    committed = asyncio.Event()

    async def note(_: object) -> None:
        committed.set()

    pod.twin.hooks.on("committed", note, method="POST", path=INVOICES)
    with pytest.raises(httpx.RemoteProtocolError):
        await pod.bill(invoice_body("MLC-1"))
    assert pod.twin.invoices() == []
    assert await pod.items(INVOICES, q="TransactionNumber='MLC-1'") == []
    delays.end()
    await asyncio.wait_for(committed.wait(), 600)
    assert len(await pod.items(INVOICES, q="TransactionNumber='MLC-1'")) == 1


async def test_a_new_invoice_may_be_visible_late_and_its_number_is_taken_all_the_same(pod: Pod) -> None:
    pod.twin.faults.set("late_visibility", path=INVOICES, seconds=30, count=1)
    key = (await pod.billed(invoice_body("MLC-1")))["CustomerTransactionId"]
    assert await pod.items(INVOICES, q="TransactionNumber='MLC-1'") == []
    assert (await pod.get(f"{INVOICES}/{key}")).status_code == 404
    assert len(pod.twin.invoices()) == 1
    assert code_of(await pod.bill(invoice_body("MLC-1"))) == "AR_TRX_NUMBER_DUPLICATE"
    pod.twin.clock.advance(31)
    assert len(await pod.items(INVOICES, q="TransactionNumber='MLC-1'")) == 1
    assert (await pod.get(f"{INVOICES}/{key}")).status_code == 200


async def test_lists_alone_may_be_late(pod: Pod) -> None:
    pod.twin.faults.set("late_visibility", path=INVOICES, seconds=30, count=1, options={"by_key": True})
    key = (await pod.billed(invoice_body("MLC-1")))["CustomerTransactionId"]
    assert await pod.items(INVOICES) == []
    assert (await pod.get(f"{INVOICES}/{key}")).status_code == 200


@pytest.mark.parametrize(("kind", "status", "made"), [("error", 500, 0), ("outage", 503, 0), ("error_after", 504, 1)])
async def test_errors_before_and_after_the_commit(pod: Pod, kind: str, status: int, made: int) -> None:
    pod.twin.faults.set(kind, method="POST", path=INVOICES, count=1)
    assert (await pod.bill(invoice_body("MLC-1"))).status_code == status
    assert len(pod.twin.invoices()) == made


async def test_hooks_see_an_invoice_received_committed_and_answered(pod: Pod) -> None:
    seen: list[tuple[str, int]] = []

    def note(point: str) -> Any:
        async def callback(_: object) -> None:
            seen.append((point, len(pod.twin.invoices())))

        return callback

    for point in ("received", "committed", "answering"):
        pod.twin.hooks.on(point, note(point), method="POST", path=INVOICES, body="MLC-1")  # type: ignore[arg-type]
    await pod.billed(invoice_body("MLC-1"))
    assert seen == [("received", 0), ("committed", 1), ("answering", 1)]
