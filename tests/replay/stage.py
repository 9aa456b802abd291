"""What scenes are played on: a stack whose workflows are hurried, and the saving of what they left behind."""

import dataclasses
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from replay import history_files
from support.stack import Stack, eventually, open_stack
from temporalio import workflow
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import ResetReapplyExcludeType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHistory
from temporalio.plugin import SimplePlugin
from temporalio.service import RPCError
from temporalio.worker import WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from contracts import names
from contracts.configuration import Configuration, FusionConnection
from contracts.flow import Decided, Decision, State
from runtime.temporal.codec import EncryptionCodec
from runtime.temporal.connect import connect
from runtime.temporal.devserver import DevServer
from runtime.temporal.starting import TemporalStarter
from sandbox.bigcommerce import US_SHOP, Draft, Shape, draft
from sandbox.fusion.demo_world import US_LEDGER
from workflows.patience import Patience

HURRIED = {"flush_after": 0.5, "quiet_period": 0.1, "reread_after": 30.0, "unknown_limit": 3 / 3600}
SOURCE = "ML Connector"


@dataclass
class Stage:
    """One stack and where its histories go."""

    stack: Stack
    directory: Path
    saved: list[str]

    async def save(self, name: str, workflow_id: str, *, run: int = -1) -> None:
        """Saves one run of the workflow's chain of runs: the last, or counted from the first (0)."""
        runs = await self.runs(workflow_id)
        await history_files.save(name, runs[run], EncryptionCodec(self.stack.keys), self.directory)
        self.saved.append(name)

    async def runs(self, workflow_id: str) -> list[WorkflowHistory]:
        """The histories from the first run to the newest, each continued as the next."""
        client = self.stack.temporal
        newest = await client.get_workflow_handle(workflow_id).fetch_history()
        run_id: str = newest.events[0].workflow_execution_started_event_attributes.first_execution_run_id
        chain = []
        while run_id:
            history = await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
            chain.append(history)
            run_id = history.events[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id
        # A reset ends the chain and begins beside it.
        return chain if newest.run_id in {one.run_id for one in chain} else [*chain, newest]

    async def closed(self, workflow_id: str) -> None:
        """Waits until the workflow has ended."""

        async def ended() -> bool:
            try:
                description = await self.stack.temporal.get_workflow_handle(workflow_id).describe()
            except RPCError:  # not started yet
                return False
            return description.status is not WorkflowExecutionStatus.RUNNING

        await eventually(ended, f"{workflow_id} has ended")

    def place(self, basket: Draft | None = None, *, seed: int = 0, **how: Any) -> int:
        """A new order of the US shop."""
        order_id: int = self.stack.shop().place(basket or draft(Shape.ORDINARY, US_SHOP, seed=seed), **how).id
        return order_id

    async def posted(self, basket: Draft | None = None, *, seed: int = 0) -> int:
        order_id = self.place(basket, seed=seed)
        await self.stack.announce(order_id)
        assert (await self.stack.result(order_id)).state is State.POSTED
        return order_id

    async def reviewed(self, order_id: int, *, announce: bool = True) -> None:
        """Waits until the order is parked in a run of its own."""
        if announce:
            await self.stack.announce(order_id)
        await self.parked(order_flow(order_id))

    async def parked(self, workflow_id: str, *, renewals: int = 0) -> None:
        async def waits() -> bool:
            try:
                history = await self.stack.temporal.get_workflow_handle(workflow_id).fetch_history()
            except RPCError:  # not started yet
                return False
            started = history.events[0].workflow_execution_started_event_attributes
            done = any(event.HasField("workflow_task_completed_event_attributes") for event in history.events)
            return (
                bool(started.continued_execution_run_id) and done and len(await self.runs(workflow_id)) > 1 + renewals
            )

        await eventually(waits, f"{workflow_id} is parked")

    async def started_anew(self, workflow_id: str) -> None:
        """Waits until the newest run has been refused the start of a child that runs already."""

        async def refused() -> bool:
            history = await self.stack.temporal.get_workflow_handle(workflow_id).fetch_history()
            field = "start_child_workflow_execution_failed_event_attributes"
            return any(event.HasField(field) for event in history.events)

        await eventually(refused, f"{workflow_id} has met its import again")

    async def decide(self, workflow_id: str, kind: str, **more: Any) -> Decided:
        decision = Decision.model_validate(
            {"id": f"decision-{len(self.saved)}-{kind}", "kind": kind, "who": "dana", "why": "recorded", **more}
        )
        handle = self.stack.temporal.get_workflow_handle(workflow_id)
        return await handle.execute_update(names.DECIDE, decision, id=decision.id, result_type=Decided)

    async def imports(self) -> list[str]:
        """Workflow ids of all imports of the US ledger, oldest group first."""
        rows = await self.stack.parts.store.groups.open_groups("fusion", US_LEDGER, SOURCE)
        found = {row.group_id for row in rows}
        async for run in self.stack.temporal.list_workflows(f'WorkflowType = "{names.JOURNAL_IMPORT}"'):
            found.add(int(run.id.rsplit(":", 1)[1]))
        return [names.journal_import_id("fusion", US_LEDGER, group_id) for group_id in sorted(found)]

    async def import_of(self, order_id: int) -> str:
        """The import that carries the order, by the group of its fate or posting."""
        (posting,) = await self.stack.parts.store.journals.postings_of("bc-us", "order", str(order_id))
        assert posting.group_id, "not in a group"
        return names.journal_import_id("fusion", US_LEDGER, posting.group_id)

    async def reset(self, workflow_id: str, event_id: int, *, leave_signals: bool = False) -> None:
        """As a person resets in the Temporal UI."""
        excluded = [ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL] if leave_signals else []
        description = await self.stack.temporal.get_workflow_handle(workflow_id).describe()
        await self.stack.temporal.workflow_service.reset_workflow_execution(
            ResetWorkflowExecutionRequest(
                namespace=self.stack.temporal.namespace,
                workflow_execution=WorkflowExecution(workflow_id=workflow_id, run_id=description.run_id),
                reason="recorded",
                workflow_task_finish_event_id=event_id,
                reset_reapply_exclude_types=excluded,
                request_id=f"reset-{workflow_id}-{event_id}",
            )
        )


def order_flow(order_id: int) -> str:
    return names.order_to_journal_id("bc-us", str(order_id))


def groups_flow() -> str:
    return names.journal_groups_id("fusion", US_LEDGER, SOURCE)


@asynccontextmanager
async def open_stage(
    server: DevServer,
    directory: Path,
    saved: list[str],
    scratch: Path,
    *,
    imports: Mapping[str, Any] | None = None,
    adjust: Callable[[Configuration], Configuration] = lambda configuration: configuration,
    fusion: Mapping[str, Any] | None = None,
    **stack_options: Any,
) -> AsyncIterator[Stage]:
    """A stack with its worker. `imports` and `fusion` change the import policy and the Fusion connection."""
    scratch.mkdir(parents=True)  # noqa: ASYNC240 -- one directory, before anything runs

    def adjusted(configuration: Configuration) -> Configuration:
        return adjust(with_fusion(configuration, import_timeout=2.0, settle=0.5, **(fusion or {})))

    async with open_stack(
        server, scratch, imports=HURRIED | (imports or {}), adjust=adjusted, **stack_options
    ) as opened:
        stack = await with_shared_flows(opened)
        async with stack.worker():
            yield Stage(stack, directory, saved)


async def with_shared_flows(stack: Stack) -> Stack:
    """The same stack; its workers use the client of `hurried`."""
    client = await hurried(stack)
    parts = dataclasses.replace(stack.parts, temporal=client, starter=TemporalStarter(client))
    return dataclasses.replace(stack, temporal=client, parts=parts)


async def hurried(stack: Stack) -> Client:
    """A client whose workers run the workflows' modules as this process has them, so that `patched` reaches them."""

    def shared(existing: WorkflowRunner | None) -> WorkflowRunner:
        assert isinstance(existing, SandboxedWorkflowRunner)
        restrictions = existing.restrictions.with_passthrough_modules("workflows")
        return dataclasses.replace(existing, restrictions=restrictions)

    hurry = SimplePlugin("hurry", workflow_runner=shared)
    return await connect(stack.configuration.temporal, stack.keys, plugins=[hurry])


@contextmanager
def patched(where: Any, **values: Any) -> Iterator[None]:
    """Attributes of a module or class have other values meanwhile: a month of waiting becomes a second."""
    before = {name: getattr(where, name) for name in values}
    for name, value in values.items():
        setattr(where, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(where, name, value)


@contextmanager
def before(change: str) -> Iterator[None]:
    """Workflows run meanwhile as they did before a change: what they write down is what the change has to replay."""
    now = workflow.patched

    def unknown(id: str) -> bool:
        return not id.startswith(change) and now(id)

    with patched(workflow, patched=unknown):
        yield


@contextmanager
def shortened(patience: Patience, **values: Any) -> Iterator[None]:
    """A step gives up sooner meanwhile."""
    before = dict(patience)
    patience.update(values)  # type: ignore[typeddict-item]
    try:
        yield
    finally:
        patience.clear()  # type: ignore[attr-defined]
        patience.update(before)  # type: ignore[typeddict-item]


def with_fusion(configuration: Configuration, **changes: Any) -> Configuration:
    """The configuration with another Fusion connection; `journal_import` is a mapping of changes itself."""

    def changed(connection: Any) -> Any:
        if not isinstance(connection, FusionConnection):
            return connection
        settings = connection.journal_import.model_copy(update=changes.get("journal_import", {}))
        return connection.model_copy(update={**changes, "journal_import": settings})

    return configuration.model_copy(update={"connections": tuple(map(changed, configuration.connections))})


def with_integration(configuration: Configuration, integration: str, **changes: Any) -> Configuration:
    """The configuration with one integration changed."""
    return configuration.model_copy(
        update={
            "integrations": tuple(
                one.model_copy(update=changes) if one.id == integration else one for one in configuration.integrations
            )
        }
    )


SECOND = timedelta(seconds=1)
