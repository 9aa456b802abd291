"""A person resets workflows that are done, to any of their tasks: no second journal, no endless wait."""

import uuid

import pytest
from crash.lane import Lane
from crash.report import Report
from crash.table import Neighbours, good_and_bad_order, until_good_is_posted_and_bad_skipped
from support.stack import eventually
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, ResetReapplyExcludeType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle

from contracts import names
from contracts.flow import State

WITHOUT_SIGNALS = (ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL,)


async def events(handle: WorkflowHandle[object, object]) -> list[HistoryEvent]:
    return [event async for event in handle.fetch_history_events()]


async def tasks(handle: WorkflowHandle[object, object]) -> list[int]:
    """Where it can be reset to: its completed workflow tasks, by event id."""
    done = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    return [event.event_id for event in await events(handle) if event.event_type == done]


async def reset(lane: Lane, run: WorkflowHandle[object, object], task: int, exclude: tuple[int, ...] = ()) -> None:
    """As the button in Temporal's UI does."""
    await lane.stack.temporal.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=lane.stack.temporal.namespace,
            workflow_execution=WorkflowExecution(workflow_id=run.id, run_id=run.run_id or ""),
            reason="crash test",
            workflow_task_finish_event_id=task,
            request_id=str(uuid.uuid4()),
            reset_reapply_exclude_types=[ResetReapplyExcludeType.ValueType(one) for one in exclude],
        )
    )
    lane.hit("reset")


async def newest_run(lane: Lane, workflow_id: str) -> WorkflowHandle[object, object]:
    described = await lane.stack.temporal.get_workflow_handle(workflow_id).describe()
    return lane.stack.temporal.get_workflow_handle(workflow_id, run_id=described.run_id)


async def ended(lane: Lane, workflow_id: str) -> None:
    """Waits until its newest run has ended by itself."""

    async def closed() -> bool:
        described = await lane.stack.temporal.get_workflow_handle(workflow_id).describe()
        return described.status == WorkflowExecutionStatus.COMPLETED

    await eventually(closed, f"{workflow_id} has ended")


async def of_type(lane: Lane, workflow_type: str) -> list[WorkflowHandle[object, object]]:
    """Every run of a type, newest first."""
    found = lane.stack.temporal.list_workflows(f"WorkflowType='{workflow_type}'")
    return [lane.stack.temporal.get_workflow_handle(one.id, run_id=one.run_id) async for one in found]


@pytest.fixture
async def posted(lane: Lane) -> int:
    """An order that is posted; everything about it has ended."""
    await lane.start_worker()
    order = lane.place()
    await lane.stack.announce(order)
    await lane.is_in(State.POSTED, order)
    await lane.at_rest()
    return order


async def test_a_reset_of_a_finished_order_to_any_task_posts_nothing(lane: Lane, posted: int, report: Report) -> None:
    lane.run = report.begin("an order to its journal", "finished order reset to every task")
    run = await newest_run(lane, lane.order(posted).id)
    for task in await tasks(run):
        for exclude in ((), WITHOUT_SIGNALS):
            await reset(lane, run, task, exclude)
            await ended(lane, run.id)
    await lane.at_rest()
    verdict = lane.run.end(lane.count([posted]))
    assert verdict.clean, verdict.sentence()


@pytest.mark.parametrize("workflow_type", [names.JOURNAL_IMPORT, names.JOURNAL_GROUPS])
async def test_a_reset_of_a_finished_import_or_of_its_groups_to_any_task_posts_nothing(
    workflow_type: str, lane: Lane, posted: int, report: Report
) -> None:
    lane.run = report.begin("an order to its journal", f"finished {workflow_type} reset to every task")
    (run,) = await of_type(lane, workflow_type)
    for task in await tasks(run):
        await reset(lane, run, task)
        await ended(lane, run.id)
    await lane.at_rest()
    verdict = lane.run.end(lane.count([posted]))
    assert verdict.clean, verdict.sentence()


async def test_a_reset_of_the_import_of_a_refused_group_sends_nothing_again(lane: Lane, report: Report) -> None:
    lane.run = report.begin("an order whose neighbour is refused", "finished journal-import reset to every task")
    await lane.start_worker()
    both: Neighbours = await good_and_bad_order(lane)
    await until_good_is_posted_and_bad_skipped(lane, both)
    runs = await of_type(lane, names.JOURNAL_IMPORT)
    assert len(runs) == 2
    for run in runs:
        for task in await tasks(run):
            await reset(lane, run, task)
            await ended(lane, run.id)
    await lane.at_rest()
    verdict = lane.run.end(lane.count([both.good], absent=[both.bad]))
    assert verdict.clean, verdict.sentence()


@pytest.mark.parametrize("exclude", [(), WITHOUT_SIGNALS], ids=["signals kept", "signals dropped"])
async def test_a_reset_of_an_order_whose_import_is_under_way_posts_one_journal(
    exclude: tuple[int, ...], lane: Lane, report: Report
) -> None:
    lane.run = report.begin("an order to its journal", f"waiting order reset, {'no ' if exclude else ''}signals kept")
    await lane.start_worker()
    hold = lane.stack.fusion.hooks.hold("received", method="POST", path="/erpintegrations$", body="importBulkData")
    order = lane.place()
    await lane.stack.announce(order)
    await hold.reached(60)
    run = await newest_run(lane, lane.order(order).id)
    await reset(lane, run, (await tasks(run))[0], exclude)
    hold.release()
    await lane.is_in(State.POSTED, order)
    await lane.at_rest()
    verdict = lane.run.end(lane.count([order]))
    assert verdict.clean, verdict.sentence()
