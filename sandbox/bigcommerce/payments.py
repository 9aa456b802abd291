"""The transactions that settle an order, tender by tender."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from sandbox.bigcommerce.documents import Order, RefundPayment, Transaction, TransactionEvent

GATEWAYS: dict[str, tuple[str, str]] = {
    "Credit Card": ("credit_card", "stripe"),
    "PayPal": ("electronic_wallet", "paypalexpress"),
    "Bank Deposit": ("offline", "bankdeposit"),
    "Cash on Delivery": ("offline", "cod"),
    "Check": ("offline", "cheque"),
}
"""Payment method as the order names it -> (transaction method, gateway). Others are custom methods."""


def gateway(order: Order) -> tuple[str, str]:
    method, name = GATEWAYS.get(order.draft.payment_method, ("custom", "custom"))
    return (method, "testgateway") if order.draft.test else (method, name)


def settle(order: Order, next_id: Callable[[], int], at: datetime) -> list[Transaction]:
    """Add the order's payment transactions; returns those added."""
    method, name = gateway(order)
    added: list[Transaction] = []

    def add(event: TransactionEvent, method: str, gateway: str, amount: Decimal, reference: int = 0) -> Transaction:
        transaction = Transaction(next_id(), event, method, gateway, amount, at, reference)
        added.append(transaction)
        return transaction

    for tender, amount in order.tenders().items():
        if tender == "gift_certificate":
            add("purchase", "gift_certificate", "giftcertificate", amount)
        elif tender == "store_credit":
            add("purchase", "store_credit", "storecredit", amount)
        elif order.draft.separate_capture:
            authorized = add("authorization", method, name, amount)
            add("capture", method, name, amount, authorized.id)
        else:
            add("pending" if method == "offline" else "purchase", method, name, amount)
    order.payment_status = "captured" if added and method != "offline" else ""
    order.transactions += added
    return added


def pay_back(order: Order, payment: RefundPayment, next_id: Callable[[], int], at: datetime) -> Transaction:
    """Add the transaction of one payment of a refund; one that is declined moves no money."""
    kind = {"storecredit": "store_credit", "giftcertificate": "gift_certificate", "custom": "custom"}
    method = kind.get(payment.provider_id, gateway(order)[0])
    paid = [known for known in order.transactions if known.gateway == payment.provider_id and known.event != "refund"]
    transaction = Transaction(
        id=next_id(),
        event="refund",
        method=method,
        gateway=payment.provider_id,
        amount=payment.amount,
        created=at,
        reference_id=paid[-1].id if paid else 0,
        status="error" if payment.declined else "ok",
    )
    payment.transaction_id = transaction.id
    order.transactions.append(transaction)
    return transaction


def decline(order: Order, payment: RefundPayment) -> None:
    """The transaction of a payment of a refund fails after it was taken."""
    payment.declined = True
    for transaction in order.transactions:
        if transaction.id == payment.transaction_id:
            transaction.status = "error"


def payment_method(order: Order) -> str:
    """The order's payment method: the tender itself where nothing else was paid."""
    tenders = order.tenders()
    if "payment" in tenders or not tenders:
        return order.draft.payment_method
    return "Gift Certificate" if "gift_certificate" in tenders else "Store Credit"
