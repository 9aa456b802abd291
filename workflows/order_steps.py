"""What an order's flow does of its own: fetch it from its shop, look up and map the sale."""

from temporalio import workflow
from temporalio.exceptions import ActivityError

from contracts import names
from contracts.flow import OrderToJournalInput
from contracts.sale import OrderSnapshot, Sale
from contracts.steps.documents import LookupFor, Lookups, Mapped
from contracts.steps.orders import FetchedOrder, FetchOrder, MapOrder
from workflows.document_steps import DocumentSteps
from workflows.patience import LOCAL_FAILURES, LOCAL_STEP, VENDOR_STEP, problem_of
from workflows.review import NeedsReviewError

with workflow.unsafe.imports_passed_through():
    from activities.orders.fetch import FetchActivities
    from activities.orders.mapping import MappingActivities


class OrderSteps(DocumentSteps[OrderToJournalInput, FetchedOrder]):
    """The steps of an order until it is mapped."""

    async def fetch(self, given: OrderToJournalInput) -> FetchedOrder:
        try:
            fetched = await workflow.execute_activity_method(
                FetchActivities.fetch_order,
                FetchOrder(
                    integration=given.integration,
                    connection=given.connection,
                    order_id=given.order_id,
                    job=given.job,
                    mapping_version=given.mapping_version,
                ),
                task_queue=names.vendor_queue(given.connection),
                summary=f"fetch order {given.order_id}",
                **VENDOR_STEP,
            )
        except ActivityError as error:
            raise NeedsReviewError(problem_of(error, self.document)) from error
        self.epoch = max(self.epoch, fetched.epoch)
        return fetched

    async def map(self, given: OrderToJournalInput, fetched: FetchedOrder, lookups: Lookups) -> Mapped:
        try:
            return await workflow.execute_local_activity_method(
                MappingActivities.map_order,
                MapOrder(
                    integration=given.integration,
                    snapshot=snapshot_of(fetched),
                    lookups=lookups,
                    mapping_version=given.mapping_version,
                    follows=fetched.edited_after is not None,
                ),
                summary="map the difference" if fetched.edited_after else "map to journal or invoice",
                **LOCAL_STEP,
            )
        except LOCAL_FAILURES as error:
            raise NeedsReviewError(problem_of(error, self.document)) from error

    def lookup_for(self, given: OrderToJournalInput, fetched: FetchedOrder, *, fresh: bool) -> LookupFor:
        return LookupFor(
            integration=given.integration,
            snapshot=snapshot_of(fetched),
            rate_day=fetched.edited_after.rate_day if fetched.edited_after else None,
            fresh=fresh,
            target="receivable" if fetched.edited_after and fetched.edited_after.what == "invoice" else "",
        )

    def basis(self, fetched: FetchedOrder) -> Sale:
        return snapshot_of(fetched).sale


def snapshot_of(fetched: FetchedOrder) -> OrderSnapshot:
    if fetched.snapshot is None:
        raise AssertionError("an unsettled order comes with its snapshot")
    return fetched.snapshot
