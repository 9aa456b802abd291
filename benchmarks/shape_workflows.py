"""The shapes that a flow can have: the same work as many durable steps, as few, and as one."""

from datetime import timedelta
from typing import Any, Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.journal import LedgerFacts, Period
    from contracts.receivable import Invoice
    from contracts.sale import OrderSnapshot
    from contracts.steps.documents import Lookups, Mapped

QUEUE: Final = "shapes"
LIMIT: Final = timedelta(minutes=1)


@workflow.defn
class EightSteps:
    """A durable step for everything, as one would write it first."""

    @workflow.run
    async def run(self, order_id: str) -> str:
        snapshot = await self._step("fetch", order_id, result=OrderSnapshot)
        ledger = await self._step("ask_ledger", order_id, result=LedgerFacts)
        periods = await self._step("ask_periods", ledger, result=tuple[Period, ...])
        found = Lookups(ledger=ledger, periods=periods, looked_up_at=workflow.now())
        mapped = await self._step("map_to_invoice", snapshot, found, result=Mapped)
        if not await self._step("look", mapped.invoice, result=str):
            await self._step("post", mapped.invoice, result=str)
        await self._step("write_audit", mapped.invoice, result=str)
        done: str = await self._step("settle", snapshot, mapped.invoice, result=str)
        return done

    async def _step(self, name: str, *given: object, result: Any) -> Any:
        return await workflow.execute_activity(name, args=given, result_type=result, start_to_close_timeout=LIMIT)


@workflow.defn
class LeanSteps:
    """Local activities for what is short, one durable step that looks and posts."""

    @workflow.run
    async def run(self, order_id: str) -> str:
        snapshot = await workflow.execute_local_activity(
            "fetch", order_id, result_type=OrderSnapshot, start_to_close_timeout=LIMIT
        )
        invoice = await workflow.execute_local_activity(
            "look_up_and_map", snapshot, result_type=Invoice, start_to_close_timeout=LIMIT
        )
        done: str = await workflow.execute_activity(
            "look_and_post", invoice, result_type=str, start_to_close_timeout=LIMIT
        )
        return done


@workflow.defn
class OneStep:
    """Everything in one durable step."""

    @workflow.run
    async def run(self, order_id: str) -> str:
        done: str = await workflow.execute_activity(
            "everything", order_id, result_type=str, start_to_close_timeout=LIMIT
        )
        return done
