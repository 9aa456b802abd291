"""An order that becomes an invoice in Receivables: created by one call that looks before it posts."""

from functools import partial

from temporalio import workflow

from contracts.flow import FlowResult, OrderToJournalInput, State
from contracts.receivable import Invoice
from contracts.steps.documents import Created
from contracts.steps.orders import FetchedOrder
from contracts.steps.receivables import PostInvoice
from workflows.document_creation import CreationSteps
from workflows.order_steps import OrderSteps, snapshot_of
from workflows.patience import VENDOR_CREATE
from workflows.review import NeedsReviewError

with workflow.unsafe.imports_passed_through():
    from activities.receivables.invoices import ReceivablesActivities


class InvoiceSteps(CreationSteps[OrderToJournalInput, FetchedOrder], OrderSteps):
    """From a mapped invoice to the one in Fusion."""

    async def find_out(self, given: OrderToJournalInput, fetched: FetchedOrder, fusion_queue: str, seen: int) -> None:
        await self.create_invoice(given, fetched, None, fusion_queue, seen)

    async def create_invoice(
        self, order: OrderToJournalInput, fetched: FetchedOrder, invoice: Invoice | None, fusion_queue: str, seen: int
    ) -> FlowResult | None:
        """`invoice` is None when nothing is to be created any more, but something may be on its way.

        None: look at the order again, it changed while the outcome was open.
        """
        created = await self.until_known(partial(self._create_once, order, fetched, invoice, fusion_queue), seen)
        if created is None or created.outcome == "absent":
            return None
        if created.outcome == "edited_after_posting":
            raise NeedsReviewError(self.edited(created.reference, "invoice"))
        return self.ended(State.POSTED, created.sentence, created.reference, created.target_number)

    async def _create_once(
        self, order: OrderToJournalInput, fetched: FetchedOrder, invoice: Invoice | None, fusion_queue: str
    ) -> Created:
        declared = self.declared
        return await workflow.execute_activity_method(
            ReceivablesActivities.post_invoice,
            PostInvoice(
                integration=order.integration,
                connection=order.connection,
                order_id=order.order_id,
                invoice=invoice,
                fingerprint=fetched.fingerprint,
                modified_at=snapshot_of(fetched).modified_at,
                job=order.job,
                decided_at=workflow.now(),
                epoch=self.epoch,
                open_since=self.open_since,
                declared_absent=declared is not None,
                who=declared.who if declared else "",
                why=declared.why if declared else "",
                decision=declared.id if declared else "",
            ),
            task_queue=fusion_queue,
            summary="look for the invoice in Fusion, else create it",
            **VENDOR_CREATE,
        )
