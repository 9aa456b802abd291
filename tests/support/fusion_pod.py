"""A small client of the Fusion twin that knows the vendor's pages and nothing of the connector."""

from __future__ import annotations

import asyncio
import base64
import csv
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import httpx

from sandbox.fusion import FusionTwin

LEDGER, ACCESS_SET, SOURCE_ID = 300000046975971, 300000046976001, 300000081234567
RESOURCES = "/fscmRestApi/resources/11.13.18.05"
JSON_ERRORS = "application/json, application/vnd.oracle.adf.error+json"
CLEARING, REVENUE, SHIPPING = "101-000-11200-0000", "101-000-41000-0000", "101-000-42100-0000"
TODAY = date(2026, 11, 20)


@dataclass
class Row:
    """One line of a GL interface file."""

    journal: str
    account: str
    debit: str = ""
    credit: str = ""
    day: date = TODAY
    currency: str = "USD"
    group: str = "1001"
    batch: str = "MLC 1001"
    ledger: int = LEDGER
    category: str = "Web Sales"
    conversion: tuple[str, str, str] = ("", "", "")
    """Type, date, rate."""
    more: dict[int, str] = field(default_factory=dict)
    """Further cells by their column, from 1."""

    def cells(self) -> list[str]:
        cells = [""] * 150
        given = {
            1: "NEW",
            2: str(self.ledger),
            3: self.day.strftime("%Y/%m/%d"),
            4: "ML Connector",
            5: self.category,
            6: self.currency,
            7: self.day.strftime("%Y/%m/%d"),
            8: "A",
            39: self.debit,
            40: self.credit,
            43: self.batch,
            46: self.journal,
            47: f"Order {self.journal}",
            48: self.journal,
            52: f"line of {self.journal}",
            53: self.journal,
            64: self.conversion[0],
            65: self.conversion[1],
            66: self.conversion[2],
            67: self.group,
            150: "END",
        }
        given |= {9 + index: value for index, value in enumerate(self.account.split("-"))}
        for column, value in (given | self.more).items():
            cells[column - 1] = value
        return cells


def sale(journal: str, amount: str = "19.95", **facts: Any) -> list[Row]:
    """A balanced journal of two lines."""
    return [Row(journal, CLEARING, debit=amount, **facts), Row(journal, REVENUE, credit=amount, **facts)]


def packed(rows: Sequence[Row], name: str = "GlInterface.csv") -> str:
    text = io.StringIO()
    csv.writer(text).writerows(row.cells() for row in rows)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, text.getvalue())
    return base64.b64encode(buffer.getvalue()).decode()


@dataclass
class Pod:
    """A signed-in client of the twin, and the twin."""

    twin: FusionTwin
    http: httpx.AsyncClient

    async def sign_in(self) -> str:
        known = self.twin.world.credentials
        answer = await self.http.post(
            "/oauth2/v1/token",
            data={"grant_type": "client_credentials", "scope": known.scope},
            auth=(known.client_id, known.client_secret),
        )
        token: str = answer.json()["access_token"]
        self.http.headers["Authorization"] = f"Bearer {token}"
        return token

    async def get(self, path: str, version: int = 4, **parameters: str | int) -> httpx.Response:
        return await self.http.get(
            f"{RESOURCES}/{path}", params=parameters, headers={"REST-Framework-Version": str(version)}
        )

    async def items(self, path: str, version: int = 4, **parameters: str | int) -> list[dict[str, Any]]:
        answer = await self.get(path, version, **parameters)
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def erp(self, body: dict[str, Any]) -> httpx.Response:
        return await self.http.post(f"{RESOURCES}/erpintegrations", json=body)

    async def bill(self, body: dict[str, Any], version: int = 4, **parameters: str) -> httpx.Response:
        """POST an invoice."""
        headers = {"REST-Framework-Version": str(version)}
        return await self.http.post(f"{RESOURCES}/receivablesInvoices", json=body, params=parameters, headers=headers)

    async def billed(self, body: dict[str, Any], version: int = 4) -> dict[str, Any]:
        """The document of an invoice that is taken."""
        answer = await self.bill(body, version)
        assert answer.status_code == 201, answer.text
        document: dict[str, Any] = answer.json()
        return document

    async def change(self, path: str, body: dict[str, Any]) -> httpx.Response:
        """PATCH below the resources."""
        return await self.http.patch(f"{RESOURCES}/{path}", json=body)

    async def submit(self, rows: Sequence[Row], *, group: str = "1001", options: str = "ExtractFileType=ALL") -> int:
        answer = await self.erp(import_body(rows, group=group, options=options))
        assert answer.status_code == 201, answer.text
        return int(answer.json()["ReqstId"])

    async def run(
        self, rows: Sequence[Row], *, group: str = "1001", options: str = "ExtractFileType=ALL"
    ) -> dict[str, Any]:
        """Import and wait; the tree of requests at the end."""
        return await self.finished(await self.submit(rows, group=group, options=options))

    async def tree(self, request_id: int) -> dict[str, Any]:
        found = await self.items("erpintegrations", finder=f"ESSExecutionDetailsRF;requestId={request_id}")
        tree: dict[str, Any] = json.loads(found[0]["RequestStatus"])["JOBS"]
        return tree

    async def finished(self, request_id: int) -> dict[str, Any]:
        async with asyncio.timeout(60):
            while True:
                tree = await self.tree(request_id)
                if tree["STATUS"].upper() in {"SUCCEEDED", "WARNING", "ERROR"}:
                    return tree
                self.twin.clock.advance(0.05)

    async def job(self, name: str, *parameters: str | int) -> dict[str, Any]:
        answer = await self.erp(
            {
                "OperationName": "submitESSJobRequest",
                "JobPackageName": "/oracle/apps/ess/financials/generalLedger/programs/common",
                "JobDefName": name,
                "ESSParameters": ",".join(str(each) for each in parameters),
            }
        )
        return await self.finished(int(answer.json()["ReqstId"]))

    async def output(self, request_id: int, kind: str = "ALL") -> dict[str, str]:
        found = await self.items(
            "erpintegrations", finder=f"ESSJobExecutionDetailsRF;requestId={request_id},fileType={kind}"
        )
        with zipfile.ZipFile(io.BytesIO(base64.b64decode(found[0]["DocumentContent"]))) as archive:
            return {name: archive.read(name).decode() for name in archive.namelist()}

    def totals(self) -> dict[str, Decimal]:
        """What the books hold, by journal name as given."""
        return {journal.given_name: journal.total("entered_dr") for journal in self.twin.journals()}


def import_body(rows: Sequence[Row], *, group: str = "1001", options: str = "ExtractFileType=ALL") -> dict[str, Any]:
    return {
        "OperationName": "importBulkData",
        "DocumentContent": packed(rows),
        "ContentType": "zip",
        "FileName": "GlInterface_1001.zip",
        "DocumentAccount": "fin$/generalLedger$/import$",
        "JobName": "/oracle/apps/ess/financials/generalLedger/programs/common,JournalImportLauncher",
        "ParameterList": f"{ACCESS_SET},{SOURCE_ID},{LEDGER},{group},N,N,N",
        "CallbackURL": "#NULL",
        "NotificationCode": "10",
        "JobOptions": options,
    }


def invoice_body(number: str | None = "MLC-1024", *amounts: str, **facts: Any) -> dict[str, Any]:
    """A receivables invoice of the US store: a line an amount, its number in the manual source."""
    lines = [
        {"LineNumber": number, "Description": f"Order 1024, line {number}", "Quantity": 1, "UnitSellingPrice": amount}
        for number, amount in enumerate(amounts or ("19.95",), start=1)
    ]
    body = {
        "BusinessUnit": "US Web Sales",
        "TransactionSource": "ML Connector",
        "TransactionType": "Web Invoice",
        "TransactionNumber": number,
        "TransactionDate": TODAY.isoformat(),
        "AccountingDate": TODAY.isoformat(),
        "InvoiceCurrencyCode": "USD",
        "BillToCustomerNumber": "1006",
        "receivablesInvoiceLines": lines,
    } | facts
    return {name: value for name, value in body.items() if value is not None}
