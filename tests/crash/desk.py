"""What an operator does about documents and groups in review: looks, as the remedy says, and decides."""

from typing import Any, Final

from crash.lane import SETTLED
from crash.scene import QUERY, Scene
from support.stack import eventually
from temporalio.client import RPCTimeoutOrCancelledError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from contracts import names
from contracts.flow import Decided, Decision, FlowState, State

UNKNOWN: Final = frozenset({"import_unknown", "import_unexplained"})
"""Groups whose outcome nobody knows: the operator finds nothing in Fusion and retries."""
ABSENT: Final = frozenset({"posting_unknown"})
"""The same for what is created by one call."""
EDITED: Final = frozenset({"edited_after_posting"})


async def operate(scene: Scene) -> None:
    """Decides about everything that is in review at this moment. What nobody expected there fails the run."""
    for workflow_id in await scene.running(f'{names.SA_STATE}="{State.NEEDS_REVIEW}"'):
        standing = await scene.standing(workflow_id)
        if standing is not None and standing.state is State.NEEDS_REVIEW:
            decision = await _judge(scene, workflow_id, standing)
            if decision is not None:
                await decide(scene, workflow_id, **decision)


async def _judge(scene: Scene, workflow_id: str, standing: FlowState) -> dict[str, Any] | None:
    codes = {problem.code for problem in standing.problems}
    document = next((one for one in scene.documents if one.workflow_id == workflow_id), None)
    if document is None:
        if codes <= UNKNOWN:
            return {"kind": "retry"}
    elif document.judged is not None:
        return await document.judged(document)
    elif document.ends is State.SKIPPED:
        return {"kind": "skip"}
    elif codes <= ABSENT:
        return {"kind": "retry"}
    elif codes <= EDITED:
        document.kept = True
        return {"kind": "skip"}
    told = " ".join(problem.sentence for problem in standing.problems)
    raise AssertionError(f"{workflow_id} needs a person, which nobody expected: {told}")


async def decide(scene: Scene, workflow_id: str, kind: Any, **more: Any) -> None:
    """A person decides; asked again with the same id until the answer comes, or it is no longer in review."""
    flow = workflow_id.partition(":")[0]
    decision = Decision(
        id=f"{workflow_id}-{kind}-{scene.run.decisions.total()}", kind=kind, who="operator", why="crash test", **more
    )
    handle = scene.lane.stack.temporal.get_workflow_handle(workflow_id)
    counted = asked = False

    async def decided() -> bool:
        nonlocal counted, asked
        try:
            await handle.execute_update(names.DECIDE, decision, id=decision.id, result_type=Decided, rpc_timeout=QUERY)
        except (RPCError, RPCTimeoutOrCancelledError):
            asked = True
            counted = await _has_left_review(scene, workflow_id)
            return counted
        except WorkflowUpdateFailedError as error:
            if not isinstance(error.cause, ApplicationError) or error.cause.type != "NotInReview":
                raise
            # Decided before, perhaps by this very decision, whose answer was lost.
            counted = asked
            return True
        counted = True
        return True

    await eventually(decided, f"{workflow_id} takes the decision {kind}", patience=SETTLED)
    scene.run.decisions[f"{flow} {kind}"] += counted


async def _has_left_review(scene: Scene, workflow_id: str) -> bool:
    """An update that nobody answered may have been taken all the same."""
    standing = await scene.standing(workflow_id)
    return standing is not None and standing.state is not State.NEEDS_REVIEW
