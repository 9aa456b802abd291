"""Journals to import, and a pod scripted request by request."""

import datetime as dt
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx
import pytest

from clients.oracle_fusion import FusionClient
from contracts.configuration import FusionConnection
from contracts.journal import Journal, JournalLine, LedgerFacts, Purpose
from contracts.receivable import Invoice, InvoiceLine

LEDGER = LedgerFacts(ledger="US Primary", ledger_id=300000001, currency="USD", segment_count=4)


def line(debit: str = "0", credit: str = "0", account: str = "101-10-41000-000", description: str = "x") -> JournalLine:
    return JournalLine(
        purpose=Purpose.REVENUE,
        segments=tuple(account.split("-")),
        debit=Decimal(debit),
        credit=Decimal(credit),
        description=description,
    )


def journal(reference: str = "acme/bc-us/order/1024/sale/1", **changes: Any) -> Journal:
    return Journal.model_validate(
        {
            "reference": reference,
            "description": "Order 1024 of shop bc-us",
            "ledger": "US Primary",
            "journal_source": "Web Shop",
            "journal_category": "Sales",
            "accounting_date": dt.date(2026, 3, 1),
            "date_reason": "placed 2026-03-01",
            "currency": "USD",
            "lines": (line(debit="10.50"), line(credit="10.50", description='Shirt, "blue"')),
            "mapping_set": "retail",
            "mapping_version": 7,
            **changes,
        }
    )


def invoice_line(
    number: int = 1, amount: str = "10.50", account: str = "101-10-41000-000", **changes: Any
) -> InvoiceLine:
    return InvoiceLine.model_validate(
        {
            "number": number,
            "purpose": Purpose.REVENUE,
            "description": "1 x Shirt | order 1024 | retail v7 rule shirts",
            "quantity": Decimal(1),
            "unit_price": Decimal(amount),
            "amount": Decimal(amount),
            "segments": tuple(account.split("-")),
            **changes,
        }
    )


def invoice(**changes: Any) -> Invoice:
    return Invoice.model_validate(
        {
            "reference": "acme/bc-us/order/1024/invoice/1",
            "number": "MABCDEFGHIJKLMNOPQRS",
            "home": "transaction_number",
            "business_unit": "US Retail",
            "transaction_source": "Web Shop",
            "transaction_type": "Invoice",
            "customer_account": "1006",
            "ledger": "US Primary",
            "transaction_date": dt.date(2026, 3, 1),
            "accounting_date": dt.date(2026, 3, 2),
            "date_reason": "placed 2026-03-01",
            "currency": "USD",
            "order_number": "1024",
            "lines": (invoice_line(),),
            "mapping_set": "retail",
            "mapping_version": 7,
            **changes,
        }
    )


class ScriptedPod:
    """Answers by path; every request is kept."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.answers: dict[str, Callable[[httpx.Request], httpx.Response]] = {}

    def on(self, path: str, answer: httpx.Response | Callable[[httpx.Request], httpx.Response]) -> None:
        """The answer for paths that end in `path`."""
        self.answers[path] = answer if callable(answer) else lambda _: answer

    def collection(self, path: str, items: list[dict[str, Any]]) -> None:
        def answer(request: httpx.Request) -> httpx.Response:
            offset, limit = (
                int(request.url.params.get(name, default)) for name, default in (("offset", 0), ("limit", 25))
            )
            page = items[offset : offset + limit]
            return httpx.Response(
                200,
                json={
                    "items": page,
                    "count": len(page),
                    "hasMore": offset + limit < len(items),
                    "limit": limit,
                    "offset": offset,
                },
            )

        self.on(path, answer)

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(request.content) for request in self.requests if request.method == "POST"]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth2/v1/token":
            return httpx.Response(200, json={"access_token": "t", "expires_in": 3600})
        self.requests.append(request)
        for path, answer in self.answers.items():
            if request.url.path.endswith(path):
                return answer(request)
        return httpx.Response(404, text="Not Found")


async def _secret() -> str:
    return "secret"


@pytest.fixture
def pod() -> ScriptedPod:
    return ScriptedPod()


@pytest.fixture
def connection() -> FusionConnection:
    return FusionConnection.model_validate(
        {
            "system": "oracle_fusion",
            "id": "fusion-test",
            "tenant": "acme",
            "environment": "test",
            "base_url": "https://pod.example",
            "requests_per_minute": 60_000,
            "oauth": {"token_url": "https://idcs.example/oauth2/v1/token", "client_id": "id", "scope": "scope"},
        }
    )


@pytest.fixture
def fusion(pod: ScriptedPod, connection: FusionConnection) -> FusionClient:
    return FusionClient(connection, _secret, transport=httpx.MockTransport(pod))


@pytest.fixture
def make_journal() -> Callable[..., Journal]:
    return journal


@pytest.fixture
def make_line() -> Callable[..., JournalLine]:
    return line


@pytest.fixture
def make_invoice() -> Callable[..., Invoice]:
    return invoice


@pytest.fixture
def make_invoice_line() -> Callable[..., InvoiceLine]:
    return invoice_line


@pytest.fixture
def ledger() -> LedgerFacts:
    return LEDGER
