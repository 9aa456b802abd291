"""The schedules of every integration and tenant, created or updated at boot without un-pausing what a person paused."""

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Final

import structlog
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode

from contracts import names
from contracts.audit import AuditSealingInput
from contracts.configuration import Configuration, Integration, Tenant
from contracts.flow import PollInput
from runtime.temporal.starting import OUTAGES

AT_ONCE: Final = 16
"""Schedules that are put in place at the same time."""
_PASSES: Final = OUTAGES | {RPCStatusCode.NOT_FOUND}
"""Answers of a server that is busy, or not all of whose services know the namespace yet; or somebody deleted the
schedule that was about to be updated."""

_log = structlog.stdlib.get_logger(__name__)


def schedules(configuration: Configuration) -> Iterator[tuple[str, Schedule]]:
    """Schedule id and schedule: for every shop a poll, and a daily sweep that reads further back; for every tenant the
    sealing of its audit trail."""
    for integration in configuration.integrations:
        source, poll = integration.source, integration.poll
        yield (
            names.poll_orders_id(source),
            _schedule(
                integration, names.POLL_ORDERS, names.poll_orders_id(source), PollInput(connection=source), poll.cron
            ),
        )
        yield (
            names.sweep_orders_id(source),
            _schedule(
                integration,
                names.SWEEP_ORDERS,
                names.sweep_orders_id(source),
                PollInput(connection=source, days=poll.sweep_days),
                poll.sweep_cron,
            ),
        )
    for tenant in configuration.tenants:
        yield names.audit_sealing_id(tenant.id), _sealing(tenant, configuration.audit.seal_every)


async def sync_schedules(client: Client, configuration: Configuration, *, patience: float = 120.0) -> None:
    """Safe to call from every process at every start.

    There are two for each shop: a server that is busy is asked again for `patience` seconds, so that one late answer in
    hundreds does not end the process. Raises `RPCError`.
    """
    wanted = list(schedules(configuration))
    at_once = asyncio.Semaphore(AT_ONCE)
    gives_up_at = time.monotonic() + patience

    async def put(schedule_id: str, schedule: Schedule) -> None:
        async with at_once:
            while True:
                try:
                    await _put(client, schedule_id, schedule)
                except RPCError as error:
                    if error.status not in _PASSES or time.monotonic() > gives_up_at:
                        raise
                    _log.info("a schedule is tried again", schedule=schedule_id, reason=error.status.name.lower())
                else:
                    break
                await asyncio.sleep(1.0)
        _log.debug("schedule in place", schedule=schedule_id)

    await asyncio.gather(*(put(schedule_id, schedule) for schedule_id, schedule in wanted))
    _log.info("schedules are in place", count=len(wanted))


async def _put(client: Client, schedule_id: str, schedule: Schedule) -> None:
    try:
        await client.create_schedule(schedule_id, schedule)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(schedule_id).update(_keeping_state(schedule))


def _keeping_state(schedule: Schedule) -> Callable[[ScheduleUpdateInput], ScheduleUpdate]:
    def update(current: ScheduleUpdateInput) -> ScheduleUpdate:
        # The state holds a person's pause and note.
        schedule.state = current.description.schedule.state
        return ScheduleUpdate(schedule=schedule)

    return update


def _schedule(integration: Integration, flow: str, workflow_id: str, poll: PollInput, cron: str) -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            flow,
            poll,
            id=workflow_id,
            task_queue=names.WORKFLOW_QUEUE,
            typed_search_attributes=TypedSearchAttributes(
                [
                    SearchAttributePair(SearchAttributeKey.for_keyword(names.SA_FLOW), flow),
                    SearchAttributePair(SearchAttributeKey.for_keyword(names.SA_INTEGRATION), integration.id),
                ]
            ),
            static_summary=f"{flow} of {poll.connection}",
        ),
        spec=ScheduleSpec(
            cron_expressions=[cron],
            jitter=timedelta(seconds=integration.poll.jitter),
            time_zone_name=integration.poll.timezone,
        ),
        policy=SchedulePolicy(
            overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(seconds=integration.poll.catchup)
        ),
    )


def _sealing(tenant: Tenant, every: float) -> Schedule:
    interval = timedelta(seconds=every)
    return Schedule(
        action=ScheduleActionStartWorkflow(
            names.AUDIT_SEALING,
            AuditSealingInput(tenant=tenant.id),
            id=names.audit_sealing_id(tenant.id),
            task_queue=names.WORKFLOW_QUEUE,
            typed_search_attributes=TypedSearchAttributes(
                [SearchAttributePair(SearchAttributeKey.for_keyword(names.SA_FLOW), names.AUDIT_SEALING)]
            ),
            static_summary=f"audit trail of {tenant.id}",
        ),
        # Tenants begin at different moments of the interval.
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=interval)], jitter=interval / 10),
        # Whatever was missed is sealed by the next run.
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=interval),
    )
