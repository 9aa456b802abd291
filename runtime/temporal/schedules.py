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

from activities.converging.policies import connection_of, policy_of
from contracts import names
from contracts.alignment import AlignmentInput
from contracts.audit import AuditSealingInput
from contracts.configuration import BigCommerceConnection, Configuration, Integration, Tenant
from contracts.converging import PollRecordsInput
from contracts.flow import PollInput
from contracts.hooks import HooksHealthInput
from contracts.loss import LossCountInput
from contracts.ownership import SIDES
from runtime.temporal.starting import OUTAGES

AT_ONCE: Final = 16
"""Schedules that are put in place at the same time."""
_PASSES: Final = OUTAGES | {RPCStatusCode.NOT_FOUND}
"""Answers of a server that is busy, or not all of whose services know the namespace yet; or somebody deleted the
schedule that was about to be updated."""

_log = structlog.stdlib.get_logger(__name__)


def schedules(configuration: Configuration) -> Iterator[tuple[str, Schedule]]:
    """Schedule id and schedule: for every shop a poll, a daily sweep that reads further back, a look at its webhooks,
    an hourly count of its orders and a daily comparison with its books and rules; for every tenant the sealing of its
    audit trail."""
    for integration in configuration.integrations:
        source, poll = integration.source, integration.poll
        yield (
            names.poll_orders_id(source),
            _schedule(
                integration, names.POLL_ORDERS, names.poll_orders_id(source), PollInput(connection=source), poll.cron
            ),
        )
        shop = configuration.connection(source)
        if isinstance(shop, BigCommerceConnection):
            health, looked_after = names.hooks_health_id(source), HooksHealthInput(connection=source)
            yield health, _schedule(integration, names.HOOKS_HEALTH, health, looked_after, shop.hooks.check_cron)
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
        if integration.loss_count.enabled:
            counted = names.loss_count_id(integration.id)
            yield (
                counted,
                _schedule(
                    integration,
                    names.LOSS_COUNT,
                    counted,
                    LossCountInput(integration=integration.id, connection=source),
                    integration.loss_count.cron,
                ),
            )
        if integration.alignment.enabled:
            compared = names.alignment_id(integration.id)
            sides = AlignmentInput(integration=integration.id, connection=source, fusion=integration.fusion)
            yield compared, _schedule(integration, names.ALIGNMENT, compared, sides, integration.alignment.cron)
        yield from _records(integration)
    for tenant in configuration.tenants:
        yield names.audit_sealing_id(tenant.id), _sealing(tenant, configuration.audit.seal_every)


def _records(integration: Integration) -> Iterator[tuple[str, Schedule]]:
    """A poll and a sweep of both sides, for every kind of record that is kept equal."""
    for kind in names.RECORDS:
        policy = policy_of(integration, kind)
        if not policy.enabled:
            continue
        for side in SIDES:
            given = PollRecordsInput(
                integration=integration.id, connection=connection_of(integration, side), kind=kind, side=side
            )
            poll, sweep = (
                names.poll_records_id(integration.id, kind, side),
                names.sweep_records_id(integration.id, kind, side),
            )
            yield poll, _schedule(integration, names.POLL_RECORDS, poll, given, policy.cron)
            whole = given.model_copy(update={"whole": True})
            yield sweep, _schedule(integration, names.POLL_RECORDS, sweep, whole, policy.sweep_cron)


async def _not_kept_equal(client: Client, configuration: Configuration) -> list[str]:
    """Schedules of records that were kept equal once. They are looked up: hardly any installation has some."""
    wanted = {name for integration in configuration.integrations for name, _ in _records(integration)}
    ours = {integration.id for integration in configuration.integrations}
    found: list[str] = []
    try:
        async for listed in await client.list_schedules():
            flow, _, rest = listed.id.partition(":")
            if flow in (names.POLL_RECORDS, names.SWEEP_RECORDS) and rest.partition(":")[0] in ours:
                found.append(listed.id)
    except RPCError as error:
        if error.status not in _PASSES:
            raise
        # Their runs find that nothing is to be done, and the next start removes them.
        _log.info("schedules cannot be listed", reason=error.status.name.lower())
    return [one for one in found if one not in wanted]


async def sync_schedules(client: Client, configuration: Configuration, *, patience: float = 120.0) -> None:
    """Safe to call from every process at every start.

    There are five for each shop, and more where records are kept equal: a server that is busy is asked again for
    `patience` seconds, so that one late answer in hundreds does not end the process. What was switched off is removed.
    Raises `RPCError`.
    """
    wanted: list[tuple[str, Schedule | None]] = [*schedules(configuration)]
    wanted += [(names.loss_count_id(one.id), None) for one in configuration.integrations if not one.loss_count.enabled]
    wanted += [(names.alignment_id(one.id), None) for one in configuration.integrations if not one.alignment.enabled]
    at_once = asyncio.Semaphore(AT_ONCE)
    gives_up_at = time.monotonic() + patience

    async def put(schedule_id: str, schedule: Schedule | None) -> None:
        async with at_once:
            while True:
                try:
                    await (_put(client, schedule_id, schedule) if schedule else _remove(client, schedule_id))
                except RPCError as error:
                    if error.status not in _PASSES or time.monotonic() > gives_up_at:
                        raise
                    _log.info("a schedule is tried again", schedule=schedule_id, reason=error.status.name.lower())
                else:
                    break
                await asyncio.sleep(1.0)
        _log.debug("schedule in place", schedule=schedule_id)

    await asyncio.gather(*(put(schedule_id, schedule) for schedule_id, schedule in wanted))
    await asyncio.gather(*(put(one, None) for one in await _not_kept_equal(client, configuration)))
    _log.info("schedules are in place", count=len(wanted))


async def _put(client: Client, schedule_id: str, schedule: Schedule) -> None:
    try:
        await client.create_schedule(schedule_id, schedule)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(schedule_id).update(_keeping_state(schedule))


async def _remove(client: Client, schedule_id: str) -> None:
    try:
        await client.get_schedule_handle(schedule_id).delete()
    except RPCError as error:
        # Also where not all of the server's services know the namespace yet: then nobody has made it either.
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise


def _keeping_state(schedule: Schedule) -> Callable[[ScheduleUpdateInput], ScheduleUpdate]:
    def update(current: ScheduleUpdateInput) -> ScheduleUpdate:
        # The state holds a person's pause and note.
        schedule.state = current.description.schedule.state
        return ScheduleUpdate(schedule=schedule)

    return update


def _schedule(
    integration: Integration,
    flow: str,
    workflow_id: str,
    given: PollInput | HooksHealthInput | LossCountInput | AlignmentInput | PollRecordsInput,
    cron: str,
) -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            flow,
            given,
            id=workflow_id,
            task_queue=names.WORKFLOW_QUEUE,
            typed_search_attributes=TypedSearchAttributes(
                [
                    SearchAttributePair(SearchAttributeKey.for_keyword(names.SA_FLOW), flow),
                    SearchAttributePair(SearchAttributeKey.for_keyword(names.SA_INTEGRATION), integration.id),
                ]
            ),
            static_summary=f"{flow} of {given.connection}",
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
