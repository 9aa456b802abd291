"""Orders that are billed in Receivables: the configuration, and the proof by the twin's own subledger."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from typing import Any

from replay.stage import with_fusion, with_integration
from support.proof import ordinary, sell
from support.stack import PATIENCE, Stack, eventually, working

from contracts.configuration import Configuration, ReceivableBooks
from contracts.flow import State
from contracts.receivable import ReferenceHome
from runtime.parts import open_parts
from runtime.temporal.connect import connect
from sandbox.fusion.receivables.demo import (
    AUTOMATIC_SOURCE,
    CONTEXT,
    CREDIT_MEMO_TYPE,
    INVOICE_TYPE,
    MANUAL_SOURCE,
    REFERENCE_ATTRIBUTE,
    US_CUSTOMER,
)
from sandbox.fusion.receivables.invoice import Invoice
from sandbox.kit.hooks import Gate


def billed(configuration: Configuration, home: ReferenceHome = "transaction_number") -> Configuration:
    """The American shop's channel becomes invoices instead of journals."""
    america, *others = configuration.integrations
    billing = ReceivableBooks(
        transaction_source=MANUAL_SOURCE if home == "transaction_number" else AUTOMATIC_SOURCE,
        transaction_type=INVOICE_TYPE,
        customer_account=US_CUSTOMER,
        credit_memo_type=CREDIT_MEMO_TYPE,
        reference_home=home,
        flexfield_context=CONTEXT,
        flexfield_attribute=REFERENCE_ATTRIBUTE,
    )
    channels = tuple(one.model_copy(update={"target": "receivable"}) for one in america.channels)
    books = tuple(one.model_copy(update={"receivable": billing}) for one in america.books)
    switched = america.model_copy(update={"channels": channels, "books": books})
    return configuration.model_copy(update={"integrations": (switched, *others)})


def quickly_credited(configuration: Configuration) -> Configuration:
    """`billed`, with little patience for answers, and much for what comes after its period was closed."""
    posting = configuration.integration("shop-us").posting.model_copy(update={"late_days": 120})
    patient = with_integration(configuration, "shop-us", posting=posting)
    return with_fusion(billed(patient), create_timeout=2.0, settle=0.5)


@contextmanager
def left_in_doubt(stack: Stack, fault: str, **call: Any) -> Iterator[None]:
    """The next such call has no answer, and what became of it stays unknown: until the context ends nobody that looks
    for it hears anything."""
    strike = stack.fusion.faults.set(fault, count=1, **call)
    gate = stack.fusion.hooks.hold(
        "received", method="GET|POST", path="/fscm", match=lambda _: bool(strike.struck), times=None
    )
    try:
        yield
    finally:
        gate.release()


@contextmanager
def nobody_sees(stack: Stack, held: Gate, resource: str) -> Iterator[None]:
    """While a call is held nobody can look for what it makes, so it is under way as long as the context lasts."""
    unseen = stack.fusion.hooks.hold("received", method="GET", path=resource, match=lambda _: held.held > 0, times=None)
    try:
        yield
    finally:
        held.release()
        unseen.release()


async def sold(stack: Stack, seed: int = 0) -> int:
    """An order that is billed."""
    (order_id,) = await sell(stack, ordinary(seed))
    await billed_once(stack, [order_id])
    return order_id


def invoices_of(stack: Stack, order_id: int) -> list[Invoice]:
    """Every invoice in the twin's books that carries the order, whoever made it."""
    return [one for one in stack.fusion.invoices() if one.given.get("PurchaseOrder") == str(order_id)]


def memos_of(stack: Stack, refund_id: int) -> list[Invoice]:
    """Every credit memo in the twin's books that carries the refund."""
    ours = f"/refund/{refund_id}/credit/"
    return [one for one in stack.fusion.credit_memos.all() if ours in str(one.given.get("Comments"))]


def reversals_of(stack: Stack, order_id: int) -> list[Invoice]:
    """Every credit memo in the twin's books that takes back what was left of a cancelled order."""
    ours = f"/order/{order_id}/reversal/"
    return [one for one in stack.fusion.credit_memos.all() if ours in str(one.given.get("Comments"))]


def applied_to(stack: Stack, order_id: int) -> list[Decimal]:
    """What was applied to the order's invoice, application by application."""
    (invoice,) = invoices_of(stack, order_id)
    return [one.amount for one in stack.fusion.applications() if one.invoice is invoice]


def open_balance(stack: Stack, order_id: int) -> Decimal:
    """What the order's invoice has open, as the pod knows it."""
    (invoice,) = invoices_of(stack, order_id)
    return stack.fusion.receivables.applications.balance(invoice)


def no_credit_twice(stack: Stack) -> None:
    """Each memo carries a reference of its own, and is applied once at most."""
    comments = [str(one.given.get("Comments")) for one in stack.fusion.credit_memos.all()]
    assert len(comments) == len(set(comments))
    memos = [one.memo.id for one in stack.fusion.applications()]
    assert len(memos) == len(set(memos))


async def billed_once(stack: Stack, orders: Iterable[int], *, patience: float = PATIENCE) -> None:
    """Waits until every order is posted, then holds the twin's subledger against the shop."""
    expected = list(orders)

    async def known() -> bool:
        for order_id in expected:
            document = await stack.parts.store.documents.get("bc-us", "order", str(order_id))
            if document is None or document.state is not State.POSTED:
                return False
        return True

    await eventually(known, f"orders {expected[:5]} ({len(expected)}) are billed", patience=patience)
    truth = stack.shop().truth()
    for order_id in expected:
        assert [one.amount for one in invoices_of(stack, order_id)] == [truth[order_id].total], f"order {order_id}"


def no_invoice_twice(stack: Stack) -> None:
    """Of what accountants enter by hand, which names no order, there may be any number."""
    count = Counter(one.given.get("PurchaseOrder") for one in stack.fusion.invoices())
    assert not {order: times for order, times in count.items() if order and times > 1}


@asynccontextmanager
async def worker_with(stack: Stack, configuration: Configuration) -> AsyncIterator[None]:
    """A worker on the same store that was started with another configuration."""
    # Two workers of one queue cannot share a client.
    temporal = await connect(configuration.temporal, stack.keys)
    async with open_parts(configuration, stack.keys, temporal=temporal) as parts, working(temporal, parts):
        yield
