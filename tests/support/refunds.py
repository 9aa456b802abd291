"""Refunds in flow tests: announced, waited for, and held against the twins' own books."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal

from support.stack import PATIENCE, Stack, eventually, journals_of
from temporalio.client import WorkflowQueryFailedError
from temporalio.service import RPCError

from contracts import names
from contracts.flow import FlowResult, FlowState, State
from contracts.starting import StartRequest
from sandbox.fusion import Journal
from store.rows import DocumentRow


def refund_flow(refund_id: int, connection: str = "bc-us") -> str:
    return names.document_workflow_id(names.REFUND, connection, str(refund_id))


async def announce_refund(
    stack: Stack, refund_id: int, connection: str = "bc-us", *, order_id: int | None = None
) -> None:
    """What a webhook leads to, without the gateway; webhooks say of which order it is, others may not."""
    integration = stack.configuration.integrations_of(connection)[0]
    await stack.parts.starter.start(
        StartRequest(
            flow=names.REFUND_TO_JOURNAL,
            connection=connection,
            integration=integration.id,
            document_id=str(refund_id),
            parent_id=None if order_id is None else str(order_id),
            job="test",
            received_at=stack.parts.clock(),
        )
    )


async def refund_result(stack: Stack, refund_id: int, connection: str = "bc-us") -> FlowResult:
    """The end of the refund's run."""
    handle = stack.temporal.get_workflow_handle(refund_flow(refund_id, connection), result_type=FlowResult)
    return await asyncio.wait_for(handle.result(), PATIENCE)


async def refund_in_state(stack: Stack, refund_id: int, state: State, words: str = "") -> FlowState:
    """Waits until the refund's run stands there, with these words in its sentence."""

    async def there() -> FlowState | None:
        handle = stack.temporal.get_workflow_handle(refund_flow(refund_id))
        try:
            standing: FlowState = await handle.query(names.STATE, result_type=FlowState)
        except (RPCError, WorkflowQueryFailedError):
            return None
        return standing if standing.state is state and words in standing.sentence else None

    found: FlowState = await eventually(there, f"refund {refund_id} is {state} {words}")
    return found


async def refund_row(stack: Stack, refund_id: int) -> DocumentRow | None:
    return await stack.parts.store.documents.get("bc-us", names.REFUND, str(refund_id))


def journals_of_refund(stack: Stack, refund_id: int) -> list[Journal]:
    """Every journal in the twin's books that carries the refund, whoever wrote it."""
    return [one for one in stack.fusion.journals() if f"/refund/{refund_id}/" in one.given_name]


def balances(journals: Iterable[Journal]) -> dict[str, Decimal]:
    """Debits less credits by account; what is zero is left out."""
    found: defaultdict[str, Decimal] = defaultdict(Decimal)
    for journal in journals:
        for line in journal.lines:
            found[line.account] += (line.entered_dr or Decimal(0)) - (line.entered_cr or Decimal(0))
    return {account: amount for account, amount in found.items() if amount}


def all_journals(stack: Stack, order_id: int, *refunds: int) -> list[Journal]:
    """Of an order and its refunds."""
    given = [journal for refund_id in refunds for journal in journals_of_refund(stack, refund_id)]
    return [*journals_of(stack.fusion, order_id), *given]
