"""A channel that is billed in Receivables: one invoice an order, of its total, on the store's customer account."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from replay.stage import with_fusion
from support.proof import nothing_in_review, ordinary, sell
from support.receivables import billed, billed_once, invoices_of
from support.stack import FAST, Stack, journals_of, open_stack

from contracts import names
from contracts.configuration import Configuration
from contracts.flow import State
from runtime.temporal.devserver import DevServer
from sandbox.fusion.receivables.demo import MANUAL_SOURCE, US_CUSTOMER, US_UNIT

POST: Final[dict[str, Any]] = {"method": "POST", "path": "/receivablesInvoices$"}
DEADLINE: Final = 2.0
SETTLE: Final = 0.5


def quick(configuration: Configuration) -> Configuration:
    return with_fusion(
        billed(configuration), create_timeout=DEADLINE, settle=SETTLE, journal_import={"status_interval": 0.2}
    )


@pytest.fixture(scope="module")
async def stack(temporal_server: DevServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    directory: Path = tmp_path_factory.mktemp("receivables")
    imports = FAST | {"unknown_limit": 6.0 / 3600}
    async with open_stack(temporal_server, directory, imports=imports, adjust=quick) as opened, opened.worker():
        yield opened


async def test_an_order_becomes_one_invoice_of_its_total_and_no_journal(stack: Stack) -> None:
    (order_id,) = await sell(stack, ordinary())
    await billed_once(stack, [order_id])
    (invoice,) = invoices_of(stack, order_id)
    assert (invoice.source, invoice.business_unit, invoice.customer) == (MANUAL_SOURCE, US_UNIT, US_CUSTOMER)
    assert invoice.number == names.short_reference(f"acme/bc-us/order/{order_id}/invoice/1", 20)
    assert journals_of(stack.fusion, order_id) == []
    result = await stack.result(order_id)
    assert (result.state, result.journal_name) == (State.POSTED, invoice.number)
    trail = [event.action for event in await stack.parts.store.audit.of("bc-us", "order", str(order_id))]
    assert trail == ["fetched", "intended", "sent", "posted"]
    assert all(event.job == "test" for event in await stack.parts.store.audit.of("bc-us", "order", str(order_id)))
    await nothing_in_review(stack)
