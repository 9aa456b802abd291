"""The worker: workflows and store-bound steps on one queue, and one rate-limited queue per vendor account."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import timedelta
from typing import Any, Final

import structlog
from temporalio.client import Client
from temporalio.worker import PollerBehaviorSimpleMaximum, Worker

from activities.alignment.comparing import AlignmentActivities
from activities.audit_sealing import AuditSealingActivities
from activities.collaborators import Collaborators
from activities.converging.polling import RecordPollingActivities
from activities.converging.steps import ConvergingActivities
from activities.decisions import DecisionActivities
from activities.hooks.health import HooksActivities
from activities.journals.closing import ClosingActivities
from activities.journals.importing import ImportingActivities
from activities.journals.outcome import OutcomeActivities
from activities.journals.posted import PostedActivities
from activities.journals.sealing import SealingActivities
from activities.journals.staging import StagingActivities
from activities.journals.verify import VerifyActivities
from activities.orders.counting import CountingActivities
from activities.orders.fetch import FetchActivities
from activities.orders.lookup import LookupActivities
from activities.orders.mapping import MappingActivities
from activities.orders.noting import NotingActivities
from activities.orders.polling import PollingActivities
from activities.receivables.invoices import ReceivablesActivities
from activities.receivables.refunds import RefundActivities
from activities.receivables.reversing import ReversalActivities
from activities.refunds.fetch import RefundFetchActivities
from activities.refunds.mapping import RefundMappingActivities
from activities.refunds.waiting import RefundWaitingActivities
from activities.releasing import ReleasingActivities
from contracts import names
from contracts.configuration import BigCommerceConnection, FusionConnection
from runtime import pollers
from runtime.mapping_releases import register_mapping_sets
from workflows.alignment import Alignment
from workflows.audit_sealing import AuditSealing
from workflows.converge_customer import ConvergeCustomer
from workflows.converge_item import ConvergeItem
from workflows.hooks_health import HooksHealth
from workflows.journal_groups import JournalGroups
from workflows.journal_import import JournalImport
from workflows.loss_count import LossCountFlow
from workflows.order_to_journal import OrderToJournal
from workflows.poll_orders import PollOrdersFlow, SweepOrdersFlow
from workflows.poll_records import LookAtCustomer, LookAtProduct, PollRecordsFlow
from workflows.refund_to_journal import RefundToJournal
from workflows.release_review import ReleaseReview
from workflows.store_epoch import StoreEpochKeeper

WORKFLOWS: Final = (
    OrderToJournal,
    RefundToJournal,
    ConvergeItem,
    ConvergeCustomer,
    JournalGroups,
    JournalImport,
    PollOrdersFlow,
    SweepOrdersFlow,
    PollRecordsFlow,
    LookAtProduct,
    LookAtCustomer,
    LossCountFlow,
    Alignment,
    HooksHealth,
    StoreEpochKeeper,
    AuditSealing,
    ReleaseReview,
)

CALLS_PER_FETCH: Final = 4
"""Vendor calls of an ordinary order: the server limits activities, the vendor limits calls (design rule 10)."""
CALLS_PER_IMPORT_STEP: Final = 3
SHOP_WINDOW: Final = 30.0
"""Seconds of a shop's quota window."""
STEADY: Final = 0.8
"""Of a limit, what workers let through one call after another: tasks that come faster would only wait in them."""
LEAST: Final = 16.0
"""Steps a second that the server lets through at least: it divides a queue's rate among the queue's partitions (four
unless told otherwise), each of which saves up one step. Slower, and a lone step would wait for seconds at an account
where nothing happens. The calls themselves stay within the vendor's limit (docs/decisions/0019)."""
BEATS_HELD_BACK: Final = timedelta(seconds=10)
"""The SDK sends a heartbeat no sooner than this after the one before. By itself it would take four fifths of the time
after which a silent worker counts as dead, and leave a busy one few seconds."""
VENDOR_STEPS: Final = 20
"""Steps of one connection at once in a worker, at most."""
CALLS_AT_ONCE: Final = 3
"""That a fetch has waiting: after the order itself it reads what belongs to it side by side."""
TURN: Final = 5.0
"""Seconds within which each call should have its turn: half of what it waits for one. A step whose call waits longer is
given up and begins again, and the calls it has made are made again."""
FEWEST_AT_SHOP: Final = 4
"""Steps at once at least: a sweep and a poll take one each, for an hour at times. Where a shop allows fewer than a
hundred calls in its window, some of them may begin again."""
FEWEST_AT_POD: Final = 8
"""The same, where followers of jobs and of postings take several for minutes and mostly sleep."""

Activity = Callable[..., Any]

_log = structlog.stdlib.get_logger(__name__)

CACHED_RUNS: Final = 500
"""Runs kept in memory, at 70 to 200 KB each. One that waits longer than the others is read anew when it is woken."""


def store_activities(parts: Collaborators) -> list[Activity]:
    """Steps that call no vendor, local activities included, and the rare one that a person waits for."""
    lookup, mapping, staging = LookupActivities(parts), MappingActivities(parts), StagingActivities(parts)
    sealing, closing, verify = SealingActivities(parts), ClosingActivities(parts), VerifyActivities(parts)
    waiting, refunds = RefundWaitingActivities(parts), RefundMappingActivities(parts)
    converging = ConvergingActivities(parts)
    return [
        lookup.lookup_cached,
        mapping.map_order,
        refunds.map_refund,
        refunds.map_application,
        ReversalActivities(parts).map_reversal,
        waiting.await_order,
        waiting.record_waiting,
        converging.compare_record,
        converging.agree_record,
        staging.stage_journal,
        staging.read_fate,
        staging.settle_document,
        sealing.seal_group,
        sealing.keeps_its_slot,
        closing.close_group,
        closing.tell_documents,
        closing.review_group,
        verify.verify_journal,
        AuditSealingActivities(parts).seal_audit,
        DecisionActivities(parts).record_decision,
        NotingActivities(parts).record_unnoted,
        HooksActivities(parts).close_gap,
        ReleasingActivities(parts).release_reviews,
        AlignmentActivities(parts).keep_alignment,
    ]


def vendor_activities(parts: Collaborators, connection: FusionConnection | BigCommerceConnection) -> list[Activity]:
    """Steps that call this account."""
    converging = ConvergingActivities(parts)
    records: list[Activity] = [
        converging.read_record,
        converging.write_record,
        RecordPollingActivities(parts).poll_records,
    ]
    if isinstance(connection, FusionConnection):
        importing, outcome, posted = ImportingActivities(parts), OutcomeActivities(parts), PostedActivities(parts)
        refunds = RefundActivities(parts)
        return [
            LookupActivities(parts).lookup,
            importing.submit_group,
            importing.follow_job,
            importing.purge_group,
            outcome.read_outcome,
            posted.follow_posting,
            ReceivablesActivities(parts).post_invoice,
            refunds.post_credit_memo,
            refunds.apply_credit_memo,
            AlignmentActivities(parts).compare_pod,
            *records,
        ]
    return [
        FetchActivities(parts).fetch_order,
        NotingActivities(parts).note_order,
        RefundFetchActivities(parts).fetch_refund,
        PollingActivities(parts).poll_orders,
        CountingActivities(parts).count_loss,
        HooksActivities(parts).ensure_hooks,
        AlignmentActivities(parts).compare_shop,
        *records,
    ]


def calls_per_second(connection: FusionConnection | BigCommerceConnection) -> float:
    """What the vendor allows to all workers of the account together."""
    if isinstance(connection, FusionConnection):
        return connection.requests_per_minute / 60
    return connection.requests_per_window / SHOP_WINDOW


def activities_per_second(connection: FusionConnection | BigCommerceConnection) -> float:
    """What the server lets through to all workers of the account together."""
    calls = CALLS_PER_IMPORT_STEP if isinstance(connection, FusionConnection) else CALLS_PER_FETCH
    return max(LEAST, STEADY * calls_per_second(connection) / calls)


def steps_at_once(connection: FusionConnection | BigCommerceConnection, workers: int) -> int:
    """In one of so many workers: no more than its part of the vendor's limit gives turns to in time."""
    turns = TURN * calls_per_second(connection) / workers
    if isinstance(connection, FusionConnection):
        return min(VENDOR_STEPS, max(FEWEST_AT_POD, int(turns)))
    return min(VENDOR_STEPS, max(FEWEST_AT_SHOP, int(turns / CALLS_AT_ONCE)))


def build_common_worker(client: Client, parts: Collaborators, *, grace: float = 30.0) -> Worker:
    """For workflows, and for steps that call no vendor. `grace`: as of `build_vendor_workers`."""
    return Worker(
        client,
        task_queue=names.WORKFLOW_QUEUE,
        workflows=WORKFLOWS,
        activities=store_activities(parts),
        max_cached_workflows=CACHED_RUNS,
        workflow_task_poller_behavior=PollerBehaviorSimpleMaximum(pollers.WORKFLOW_POLLERS),
        activity_task_poller_behavior=PollerBehaviorSimpleMaximum(pollers.STORE_POLLERS),
        graceful_shutdown_timeout=timedelta(seconds=grace),
    )


def build_vendor_workers(
    client: Client, parts: Collaborators, groups: Collection[str], *, grace: float = 30.0
) -> Iterator[Worker]:
    """One per connection of these worker groups.

    `grace`: seconds that running activities get to finish when the process is told to stop.
    """
    polling = PollerBehaviorSimpleMaximum(pollers.vendor_pollers(parts.configuration))
    for connection in pollers.served_by(parts.configuration, groups):
        yield Worker(
            client,
            task_queue=names.vendor_queue(connection.id),
            activities=vendor_activities(parts, connection),
            max_concurrent_activities=steps_at_once(connection, parts.configuration.workers_expected),
            max_task_queue_activities_per_second=activities_per_second(connection),
            max_heartbeat_throttle_interval=BEATS_HELD_BACK,
            activity_task_poller_behavior=polling,
            graceful_shutdown_timeout=timedelta(seconds=grace),
        )


async def run_worker(
    client: Client,
    parts: Collaborators,
    stop: asyncio.Event,
    *,
    grace: float = 30.0,
    groups: Collection[str] | None = None,
) -> None:
    """Runs until `stop` is set, then drains: no new tasks, running ones finish. A fatal error ends the process.

    `groups`: worker groups whose connections are served; all by default. Their tasks are taken once this process has
    its part of what the accounts allow.
    """
    await register_mapping_sets(client, parts)
    served = pollers.groups(parts.configuration) if groups is None else groups
    workers: list[Worker] = []
    runs: list[asyncio.Task[None]] = []
    stopping = asyncio.create_task(stop.wait())
    joining = asyncio.create_task(_join(parts, served))

    def start(more: Iterable[Worker]) -> None:
        for worker in more:
            workers.append(worker)
            runs.append(asyncio.create_task(worker.run()))

    try:
        start([build_common_worker(client, parts, grace=grace)])
        await asyncio.wait([*runs, joining, stopping], return_when=asyncio.FIRST_COMPLETED)
        if joining.done() and not stop.is_set():
            joining.result()
            start(build_vendor_workers(client, parts, served, grace=grace))
            _log.info("worker is up", groups=list(served), queues=len(workers))
            await asyncio.wait([*runs, stopping], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        joining.cancel()
        await asyncio.gather(*(worker.shutdown() for worker in workers))
        await asyncio.gather(*runs)
        _log.info("worker has drained")


async def _join(parts: Collaborators, groups: Collection[str]) -> None:
    if parts.sharing is not None:
        await parts.sharing.join(groups)
