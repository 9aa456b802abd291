"""An invoice of a pod and what a refund takes back of it, as a client sends them."""

import asyncio
import datetime as dt
from decimal import Decimal
from typing import Any

from clients.oracle_fusion import FusionClient
from clients.oracle_fusion.models import FoundCreditMemo, FoundInvoice
from contracts.configuration import FusionConnection, ReceivableBooks
from contracts.credit_memo import CreditApplication, CreditMemo
from contracts.journal import Purpose
from contracts.names import short_reference
from contracts.receivable import Invoice, InvoiceLine, ReferenceHome
from sandbox.fusion import FusionTwin
from sandbox.fusion.demo_world import US_LEDGER
from sandbox.fusion.receivables.demo import (
    AUTOMATIC_SOURCE,
    CONTEXT,
    CREDIT_MEMO_TYPE,
    INVOICE_TYPE,
    MANUAL_SOURCE,
    REFERENCE_ATTRIBUTE,
    US_CUSTOMER,
    US_UNIT,
)

HOMES: tuple[ReferenceHome, ...] = ("transaction_number", "cross_reference", "line_flexfield")


def soon() -> float:
    return asyncio.get_running_loop().time() + 60


def connected(twin: FusionTwin, **settings: Any) -> FusionConnection:
    """The connection to a twin that is served."""
    assert twin.listener is not None
    credentials = twin.world.credentials
    return FusionConnection.model_validate(
        {
            "system": "oracle_fusion",
            "id": "fusion-test",
            "tenant": "acme",
            "environment": "test",
            "base_url": twin.listener.url,
            "requests_per_minute": 60_000,
            "timeout": 60.0,
            "oauth": {
                "token_url": f"{twin.listener.url}/oauth2/v1/token",
                "client_id": credentials.client_id,
                "scope": credentials.scope,
            },
            **settings,
        }
    )


def client(twin: FusionTwin, connection: FusionConnection | None = None) -> FusionClient:
    async def secret() -> str:
        return twin.world.credentials.client_secret

    return FusionClient(connection or connected(twin), secret)


def billing(home: ReferenceHome = "transaction_number", **more: Any) -> ReceivableBooks:
    return ReceivableBooks.model_validate(
        {
            "transaction_source": MANUAL_SOURCE if home == "transaction_number" else AUTOMATIC_SOURCE,
            "transaction_type": INVOICE_TYPE,
            "customer_account": US_CUSTOMER,
            "credit_memo_type": CREDIT_MEMO_TYPE,
            "reference_home": home,
            "flexfield_context": CONTEXT,
            "flexfield_attribute": REFERENCE_ATTRIBUTE,
            **more,
        }
    )


def line(number: int, amount: str, account: str = "41100", **more: Any) -> InvoiceLine:
    return InvoiceLine.model_validate(
        {
            "number": number,
            "purpose": Purpose.REVENUE,
            "description": f"Line {number} | order 1024",
            "quantity": Decimal(1),
            "unit_price": Decimal(amount),
            "amount": Decimal(amount),
            "segments": ("101", "000", account, "0000"),
            **more,
        }
    )


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


def invoice(order: int = 1024, *amounts: str, **changes: Any) -> Invoice:
    reference = f"acme/bc-us/order/{order}/invoice/1"
    given: dict[str, Any] = {
        "reference": reference,
        "number": short_reference(reference, 20),
        "home": "transaction_number",
        "business_unit": US_UNIT,
        "transaction_source": MANUAL_SOURCE,
        "transaction_type": INVOICE_TYPE,
        "customer_account": US_CUSTOMER,
        "ledger": US_LEDGER,
        "transaction_date": _today(),
        "accounting_date": _today(),
        "date_reason": "placed today",
        "currency": "USD",
        "order_number": str(order),
        "lines": tuple(line(n, amount) for n, amount in enumerate(amounts or ("100.00",), start=1)),
        "mapping_set": "retail",
        "mapping_version": 1,
    }
    return Invoice.model_validate(given | changes)


def memo(refund: int = 77, *amounts: str, home: ReferenceHome = "transaction_number", **changes: Any) -> CreditMemo:
    """Over 30.00 where no amounts are given; they are positive."""
    reference = f"acme/bc-us/refund/{refund}/credit/1"
    given: dict[str, Any] = {
        "reference": reference,
        "number": short_reference(reference, 20),
        "home": home,
        "business_unit": US_UNIT,
        "transaction_source": billing(home).transaction_source,
        "transaction_type": CREDIT_MEMO_TYPE,
        "customer_account": US_CUSTOMER,
        "ledger": US_LEDGER,
        "transaction_date": _today(),
        "accounting_date": _today(),
        "date_reason": "refunded today",
        "currency": "USD",
        "order_number": "1024",
        "refund_id": str(refund),
        "comments": f"Refund {refund} of order 1024 | {reference}",
        "lines": tuple(line(n, f"-{amount}") for n, amount in enumerate(amounts or ("30.00",), start=1)),
        "mapping_set": "retail",
        "mapping_version": 1,
    }
    return CreditMemo.model_validate(given | changes)


def application(
    credited: FoundCreditMemo, billed: FoundInvoice, amount: Decimal | None = None, **changes: Any
) -> CreditApplication:
    given: dict[str, Any] = {
        "reference": "acme/bc-us/refund/77/application/1",
        "business_unit": credited.business_unit,
        "customer_account": credited.customer_account,
        "credit_memo_id": credited.customer_transaction_id,
        "credit_memo_number": credited.transaction_number,
        "invoice_id": billed.customer_transaction_id,
        "invoice_number": billed.transaction_number,
        "currency": credited.currency,
        "amount": credited.credited.quantize(Decimal("0.01")) if amount is None else amount,
        "apply_date": _today(),
        "accounting_date": _today(),
        "comments": "Refund 77 of order 1024 | acme/bc-us/refund/77/application/1",
    }
    return CreditApplication.model_validate(given | changes)
