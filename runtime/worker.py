"""The worker: workflows and store-bound steps on one queue, and one rate-limited queue per vendor account."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Final

import structlog
from temporalio.client import Client
from temporalio.worker import Worker

from activities.audit_sealing import AuditSealingActivities
from activities.closing import ClosingActivities
from activities.collaborators import Collaborators
from activities.fetch import FetchActivities
from activities.importing import ImportingActivities
from activities.lookup import LookupActivities
from activities.mapping import MappingActivities
from activities.outcome import OutcomeActivities
from activities.polling import PollingActivities
from activities.posted import PostedActivities
from activities.receivables import ReceivablesActivities
from activities.sealing import SealingActivities
from activities.staging import StagingActivities
from activities.verify import VerifyActivities
from contracts import names
from contracts.configuration import BigCommerceConnection, Configuration, FusionConnection
from workflows.audit_sealing import AuditSealing
from workflows.journal_groups import JournalGroups
from workflows.journal_import import JournalImport
from workflows.order_to_journal import OrderToJournal
from workflows.poll_orders import PollOrdersFlow, SweepOrdersFlow
from workflows.store_epoch import StoreEpochKeeper

WORKFLOWS: Final = (
    OrderToJournal,
    JournalGroups,
    JournalImport,
    PollOrdersFlow,
    SweepOrdersFlow,
    StoreEpochKeeper,
    AuditSealing,
)

CALLS_PER_FETCH: Final = 4
"""Vendor calls of an ordinary order: the server limits activities, the vendor limits calls (design rule 10)."""
CALLS_PER_IMPORT_STEP: Final = 3
SHOP_WINDOW: Final = 30.0
"""Seconds of a shop's quota window."""

Activity = Callable[..., Any]

_log = structlog.stdlib.get_logger(__name__)


def store_activities(parts: Collaborators) -> list[Activity]:
    """Steps that call no vendor, local activities included, and the rare one that a person waits for."""
    lookup, mapping, staging = LookupActivities(parts), MappingActivities(parts), StagingActivities(parts)
    sealing, closing, verify = SealingActivities(parts), ClosingActivities(parts), VerifyActivities(parts)
    return [
        lookup.lookup_cached,
        mapping.map_order,
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
    ]


def vendor_activities(parts: Collaborators, connection: FusionConnection | BigCommerceConnection) -> list[Activity]:
    """Steps that call this account."""
    if isinstance(connection, FusionConnection):
        importing, outcome, posted = ImportingActivities(parts), OutcomeActivities(parts), PostedActivities(parts)
        return [
            LookupActivities(parts).lookup,
            importing.submit_group,
            importing.follow_job,
            importing.purge_group,
            outcome.read_outcome,
            posted.follow_posting,
            ReceivablesActivities(parts).post_invoice,
        ]
    return [FetchActivities(parts).fetch_order, PollingActivities(parts).poll_orders]


def activities_per_second(connection: FusionConnection | BigCommerceConnection) -> float:
    """What the server lets through to all workers of the account together."""
    if isinstance(connection, FusionConnection):
        return connection.requests_per_minute / 60 / CALLS_PER_IMPORT_STEP
    return connection.requests_per_window / SHOP_WINDOW / CALLS_PER_FETCH


def active_connections(configuration: Configuration) -> tuple[FusionConnection | BigCommerceConnection, ...]:
    """Connections that an integration uses: the others get no queue and no pollers."""
    used = {one.fusion for one in configuration.integrations} | {one.source for one in configuration.integrations}
    return tuple(connection for connection in configuration.connections if connection.id in used)


def build_workers(client: Client, parts: Collaborators, *, grace: float = 30.0) -> Iterator[Worker]:
    """One worker per queue. `grace`: seconds that running activities get to finish when the process is told to stop."""
    drain = timedelta(seconds=grace)
    yield Worker(
        client,
        task_queue=names.WORKFLOW_QUEUE,
        workflows=WORKFLOWS,
        activities=store_activities(parts),
        max_cached_workflows=2000,
        graceful_shutdown_timeout=drain,
    )
    for connection in active_connections(parts.configuration):
        yield Worker(
            client,
            task_queue=names.vendor_queue(connection.id),
            activities=vendor_activities(parts, connection),
            max_concurrent_activities=50,
            max_task_queue_activities_per_second=activities_per_second(connection),
            graceful_shutdown_timeout=drain,
        )


async def run_worker(client: Client, parts: Collaborators, stop: asyncio.Event, *, grace: float = 30.0) -> None:
    """Runs until `stop` is set, then drains: no new tasks, running ones finish. A fatal error ends the process."""
    for mapping_set in parts.configuration.mapping_sets:
        await parts.store.mapping_sets.register(mapping_set)
    workers = list(build_workers(client, parts, grace=grace))
    runs = [asyncio.create_task(worker.run()) for worker in workers]
    stopping = asyncio.create_task(stop.wait())
    _log.info("worker is up", queues=[worker.task_queue for worker in workers])
    try:
        await asyncio.wait([*runs, stopping], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        await asyncio.gather(*(worker.shutdown() for worker in workers))
        await asyncio.gather(*runs)
        _log.info("worker has drained")
