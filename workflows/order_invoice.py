"""An order that becomes an invoice in Receivables: created by one call that looks before it posts."""

from temporalio import workflow
from temporalio.exceptions import ActivityError

from contracts.flow import Decision, FlowResult, OrderToJournalInput, State
from contracts.receivable import Invoice
from contracts.steps import Created, FetchedOrder, PostInvoice
from workflows.order_steps import OrderSteps, snapshot_of
from workflows.patience import VENDOR_CREATE, problem_of, rest_until
from workflows.review import NeedsReviewError

with workflow.unsafe.imports_passed_through():
    from activities.receivables.invoices import ReceivablesActivities

ABSENT = frozenset({"posting_unknown"})
"""Problems that ask a person whether what was sent never arrived; a retry of any other declares nothing."""


class InvoiceSteps(OrderSteps):
    """From a mapped invoice to the one in Fusion."""

    def __init__(self, order: OrderToJournalInput) -> None:
        super().__init__(order)
        self.declared: Decision | None = None
        """A person has looked and says that the invoice never reached Receivables."""

    def declare(self, decision: Decision) -> None:
        """Remember a retry that answers the question whether the invoice is absent."""
        parked = self.order.parked
        if parked and parked.problems[0].code in ABSENT:
            self.declared = decision

    async def create_invoice(
        self, order: OrderToJournalInput, fetched: FetchedOrder, invoice: Invoice | None, fusion_queue: str, seen: int
    ) -> FlowResult | None:
        """`invoice` is None when nothing is to be created any more, but something may be on its way.

        None: look at the order again, it changed while the outcome was open.
        """
        while True:
            created = await self._create_once(order, fetched, invoice, fusion_queue)
            self.epoch = max(self.epoch, created.epoch)
            match created.outcome:
                case "posted":
                    return self.ended(State.POSTED, created.sentence, created.reference, created.target_number)
                case "edited_after_posting":
                    raise NeedsReviewError(self.edited(created.reference, "invoice"))
                case "superseded":
                    await self.wait_for_turn()
                    return None
                case "absent":
                    return None
                case "behind":
                    self.show(State.RUNNING, created.sentence)
                    await self.sleep_until_change(seen, rest_until(created.until))
                    if self.changes != seen:
                        return None
                case "in_doubt":
                    await self._wait_in_doubt(created)
                case "review":
                    if created.problem is None:
                        raise AssertionError("a review comes with its problem")
                    raise NeedsReviewError(created.problem)
            if workflow.info().is_continue_as_new_suggested():
                return None

    async def _create_once(
        self, order: OrderToJournalInput, fetched: FetchedOrder, invoice: Invoice | None, fusion_queue: str
    ) -> Created:
        declared = self.declared
        began = workflow.now()
        try:
            created = await workflow.execute_activity_method(
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
        except ActivityError as error:
            # An attempt before the last may have sent it.
            self.open_since = self.open_since or began
            raise NeedsReviewError(problem_of(error, self.document)) from error
        self.open_since = created.open_since
        return created

    async def _wait_in_doubt(self, created: Created) -> None:
        """Nothing is sent blindly: the same step looks again once the request must have settled."""
        until = created.until or workflow.now()
        state = State.IN_DOUBT if created.open_since else State.RUNNING
        self.show(state, f"{created.sentence}; looking again at {until:%H:%M:%S} UTC", created.reference)
        await workflow.sleep(rest_until(until), summary="until the send has settled")
