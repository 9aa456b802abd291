"""Orders that are billed in Receivables: the configuration, and the proof by the twin's own subledger."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from support.stack import Stack, eventually

from contracts.configuration import Configuration, ReceivableBooks
from contracts.flow import State
from contracts.receivable import ReferenceHome
from runtime.parts import open_parts
from runtime.temporal.connect import connect
from runtime.worker import run_worker
from sandbox.fusion.receivables.demo import (
    AUTOMATIC_SOURCE,
    CONTEXT,
    INVOICE_TYPE,
    MANUAL_SOURCE,
    REFERENCE_ATTRIBUTE,
    US_CUSTOMER,
)
from sandbox.fusion.receivables.invoice import Invoice


def billed(configuration: Configuration, home: ReferenceHome = "transaction_number") -> Configuration:
    """The American shop's channel becomes invoices instead of journals."""
    america, *others = configuration.integrations
    billing = ReceivableBooks(
        transaction_source=MANUAL_SOURCE if home == "transaction_number" else AUTOMATIC_SOURCE,
        transaction_type=INVOICE_TYPE,
        customer_account=US_CUSTOMER,
        reference_home=home,
        flexfield_context=CONTEXT,
        flexfield_attribute=REFERENCE_ATTRIBUTE,
    )
    channels = tuple(one.model_copy(update={"target": "receivable"}) for one in america.channels)
    books = tuple(one.model_copy(update={"receivable": billing}) for one in america.books)
    switched = america.model_copy(update={"channels": channels, "books": books})
    return configuration.model_copy(update={"integrations": (switched, *others)})


def invoices_of(stack: Stack, order_id: int) -> list[Invoice]:
    """Every invoice in the twin's books that carries the order, whoever made it."""
    return [one for one in stack.fusion.invoices() if one.given.get("PurchaseOrder") == str(order_id)]


async def billed_once(stack: Stack, orders: Iterable[int], *, patience: float = 90.0) -> None:
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
    stop = asyncio.Event()
    # Two workers of one queue cannot share a client.
    temporal = await connect(configuration.temporal, stack.keys)
    async with open_parts(configuration, stack.keys, temporal=temporal) as parts:
        running = asyncio.create_task(run_worker(temporal, parts, stop, grace=5))
        try:
            yield
        finally:
            stop.set()
            await running
