"""The SDK's sandbox for workflows, without the two things that cost an order most and give it nothing.

A third of a worker's CPU went into them: every run imported its flow and all of its helpers anew, and every payload's
conversion entered the sandbox three times to ask which activity it belongs to.
"""

from typing import Final

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import SerializationContext, StorageDriverStoreContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner
from temporalio.workflow import Info

PASSTHROUGH: Final = (
    "contracts",  # frozen models and constants; pydantic caches their validators per class
    "mapping",  # pure functions of contracts, no clock and no I/O
    "activities",  # imported for their signatures only, brings httpx and sqlalchemy along
    # The flows of every order and refund, and what flows share. They keep nothing between runs and reach for no clock,
    # chance or system: tests read them, and replay every line of them in the SDK's whole sandbox. A copy of the flow's
    # module for each run was 3 ms of CPU, and 40 KB while it waits.
    "workflows.attributes",
    "workflows.document_flow",
    "workflows.document_journal",
    "workflows.document_steps",
    "workflows.order_invoice",
    "workflows.order_steps",
    "workflows.order_to_journal",
    "workflows.patience",
    "workflows.refund_steps",
    "workflows.refund_to_journal",
    "workflows.review",
)
"""Our packages that workflows share with the worker instead of importing them anew for each run."""


class LeanSandbox(SandboxedWorkflowRunner):
    """As the SDK's; the converter is not told whose payload it converts."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        return _WithoutContexts(super().create_instance(det))


class _WithoutContexts(WorkflowInstance):
    """Neither our converter nor our codec looks at a context, and nothing is stored outside of histories.

    Contexts inside the sandbox, for the conversion of arguments and results, are the SDK's as before.
    """

    def __init__(self, sandboxed: WorkflowInstance) -> None:
        self._sandboxed = sandboxed

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        return self._sandboxed.activate(act)

    def get_serialization_context(self, command_info: object) -> SerializationContext | None:
        return None

    def get_external_store_context(self, command_info: object) -> StorageDriverStoreContext:
        return StorageDriverStoreContext(target=None)

    def get_info(self) -> Info:
        return self._sandboxed.get_info()

    def get_thread_id(self) -> int | None:
        return self._sandboxed.get_thread_id()
