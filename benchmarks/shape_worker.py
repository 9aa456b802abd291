"""The worker of the shapes: the product's own clients, mapping and store, without its flows, leases and encryption.

`python -m benchmarks.shape_worker ADDRESS NAMESPACE PORT` serves the durable shapes on Temporal, and the one that is
not durable on a TCP port: an order id a line, answered by the same line when it is posted.
"""

import asyncio
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from temporalio import activity
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import PollerBehaviorSimpleMaximum, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.collaborators import Collaborators
from benchmarks.shape_workflows import QUEUE, EightSteps, LeanSteps, OneStep
from clients.oracle_fusion.reference_data import RECEIVABLES
from contracts.configuration import ReceivableBooks
from contracts.flow import State
from contracts.journal import LedgerFacts, Period
from contracts.receivable import Invoice
from contracts.sale import OrderSnapshot
from contracts.steps.documents import Lookups, Mapped
from mapping.receivable import to_invoice
from runtime import pollers
from runtime.configuring.configuration import load
from runtime.parts import open_parts
from runtime.temporal.lean_sandbox import PASSTHROUGH
from store import KeyRing
from store.rows import AuditEvent, DocumentRow

CONNECTION: Final = "bc-us"
SECONDS_TO_SEND: Final = 30.0
POLLERS: Final = 20


class ShapeSteps:
    """What an order needs done, in pieces of several sizes."""

    def __init__(self, parts: Collaborators) -> None:
        self._parts = parts
        self._integration = parts.configuration.integrations_of(CONNECTION)[0]
        self._books = self._integration.books[0]
        self._fusion = parts.fusions[self._integration.fusion]
        self._mapping_set = parts.configuration.mapping_set(self._integration.mapping_set)
        self._known: asyncio.Task[Lookups] | None = None

    @property
    def _billing(self) -> ReceivableBooks:
        if self._books.receivable is None:
            raise ValueError("the shapes bill in Receivables")
        return self._books.receivable

    @activity.defn
    async def fetch(self, order_id: str) -> OrderSnapshot:
        snapshot, _ = await self._parts.shops[CONNECTION].order(order_id)
        return snapshot

    @activity.defn
    async def ask_ledger(self, order_id: str) -> LedgerFacts:
        return await self._fusion.ledger(self._books.ledger)

    @activity.defn
    async def ask_periods(self, ledger: LedgerFacts) -> tuple[Period, ...]:
        return await self._fusion.periods(ledger.ledger_id, RECEIVABLES)

    @activity.defn
    async def map_to_invoice(self, snapshot: OrderSnapshot, lookups: Lookups) -> Mapped:
        return to_invoice(
            snapshot,
            tenant=self._integration.tenant,
            integration=self._integration,
            books=self._books,
            mapping_set=self._mapping_set,
            lookups=lookups,
            ordinal=1,
        )

    @activity.defn
    async def look(self, invoice: Invoice) -> str:
        return "".join(one.transaction_number for one in await self._fusion.find_invoices(invoice, self._billing))

    @activity.defn
    async def post(self, invoice: Invoice) -> str:
        ends = asyncio.get_running_loop().time() + SECONDS_TO_SEND
        return (await self._fusion.create_invoice(invoice, self._billing, ends=ends)).transaction_number

    @activity.defn
    async def write_audit(self, invoice: Invoice) -> str:
        event = AuditEvent(
            tenant=self._integration.tenant,
            connection=CONNECTION,
            kind="order",
            document_id=invoice.order_number,
            at=datetime.now(UTC),
            action="posted",
            sentence=f"posted as {invoice.number}",
            job="shape",
        )
        await self._parts.store.audit.append([event])
        return invoice.number

    @activity.defn
    async def settle(self, snapshot: OrderSnapshot, invoice: Invoice) -> str:
        row = DocumentRow(
            tenant=self._integration.tenant,
            integration=self._integration.id,
            connection=CONNECTION,
            kind="order",
            id=invoice.order_number,
            modified_at=snapshot.modified_at,
            state=State.POSTED,
            job="shape",
            at=datetime.now(UTC),
        )
        await self._parts.store.documents.settle(row)
        return invoice.number

    @activity.defn
    async def look_up_and_map(self, snapshot: OrderSnapshot) -> Invoice:
        if self._known is None:
            self._known = asyncio.create_task(self._look_up())
        mapped = await self.map_to_invoice(snapshot, await self._known)
        if mapped.invoice is None:
            raise ValueError(f"order {snapshot.sale.order_id} is not mapped: {mapped}")
        return mapped.invoice

    @activity.defn
    async def look_and_post(self, invoice: Invoice) -> str:
        if not await self.look(invoice):
            await self.post(invoice)
        return await self.write_audit(invoice)

    @activity.defn
    async def everything(self, order_id: str) -> str:
        return await self.look_and_post(await self.look_up_and_map(await self.fetch(order_id)))

    async def _look_up(self) -> Lookups:
        ledger = await self.ask_ledger("")
        return Lookups(ledger=ledger, periods=await self.ask_periods(ledger), looked_up_at=datetime.now(UTC))

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of the shape that is not durable."""
        async with asyncio.TaskGroup() as tasks:
            while line := await reader.readline():
                tasks.create_task(self._answer(line, writer))
        writer.close()

    async def _answer(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        await self.everything(line.decode().strip())
        writer.write(line)


async def serve(address: str, namespace: str, port: int) -> None:
    configuration = load(Path(os.environ["ML_CONNECTOR_CONFIG"]))
    client = await Client.connect(address, namespace=namespace, data_converter=pydantic_data_converter)
    async with open_parts(configuration, KeyRing.from_environment(os.environ), temporal=client) as parts:
        if parts.sharing is not None:
            await parts.sharing.join(pollers.groups(configuration))
        steps = ShapeSteps(parts)
        server = await asyncio.start_server(steps.answer, "127.0.0.1", port)
        restrictions = SandboxRestrictions.default.with_passthrough_modules(*PASSTHROUGH)
        worker = Worker(
            client,
            task_queue=QUEUE,
            workflows=[EightSteps, LeanSteps, OneStep],
            activities=[
                steps.fetch,
                steps.ask_ledger,
                steps.ask_periods,
                steps.map_to_invoice,
                steps.look,
                steps.post,
                steps.write_audit,
                steps.settle,
                steps.look_up_and_map,
                steps.look_and_post,
                steps.everything,
            ],
            workflow_runner=SandboxedWorkflowRunner(restrictions=restrictions),
            workflow_task_poller_behavior=PollerBehaviorSimpleMaximum(POLLERS),
            activity_task_poller_behavior=PollerBehaviorSimpleMaximum(POLLERS),
        )
        async with server, worker:
            print("worker is up", flush=True)
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2], int(sys.argv[3])))
