"""The one Temporal plugin of client, worker, gateway, console and replayer.

All of them read and write histories the same way because they get everything from here: pydantic conversion,
encrypted payloads, encrypted failure messages and stack traces, the sandbox, and the log context.
"""

import dataclasses

from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter
from temporalio.plugin import SimplePlugin
from temporalio.worker import WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from runtime.observing.log_context import LogContextInterceptor
from runtime.temporal.codec import EncryptionCodec
from runtime.temporal.failures import SealedFailureConverter
from runtime.temporal.lean_sandbox import PASSTHROUGH, LeanSandbox
from store.keys.keyring import KeyRing


def data_converter(keys: KeyRing) -> DataConverter:
    """The converter by itself, for the codec endpoint and for tools without a client."""
    return dataclasses.replace(
        pydantic_data_converter,
        payload_codec=EncryptionCodec(keys),
        failure_converter_class=SealedFailureConverter,
    )


class MlConnectorPlugin(SimplePlugin):
    """Pass it to `Client.connect(plugins=[...])`; workers made from that client pick it up, replayers take it too.

    Exceptions other than `ApplicationError` suspend a workflow task instead of failing the run (the SDK's default,
    kept on purpose): a mistake of ours is healed by a deploy and loses no document.
    """

    def __init__(self, keys: KeyRing) -> None:
        super().__init__(
            "ml-connector",
            data_converter=data_converter(keys),
            interceptors=[LogContextInterceptor()],
            workflow_runner=_sandboxed,
        )


def _sandboxed(existing: WorkflowRunner | None) -> WorkflowRunner:
    """Adds our packages to the sandbox's own list; leaves a runner of another kind (a test's) alone."""
    if existing is not None and not isinstance(existing, SandboxedWorkflowRunner):
        return existing
    restrictions = existing.restrictions if existing else SandboxRestrictions.default
    return LeanSandbox(restrictions=restrictions.with_passthrough_modules(*PASSTHROUGH))
