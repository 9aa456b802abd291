"""Until everything has ended: documents by themselves, or by what an operator decides about them."""

import asyncio
import contextlib
import math
from collections.abc import Coroutine
from typing import Any, Final

from crash.desk import operate
from crash.lane import SETTLED
from crash.scene import QUERY, Scene
from support.stack import eventually
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError

from contracts import names
from contracts.flow import FlowResult, State

PAUSE: Final = 0.3
"""Seconds between two looks of the operator."""
ENDED: Final = frozenset({State.POSTED, State.REVERSED, State.SKIPPED})


async def settle(scene: Scene, patience: float = SETTLED) -> None:
    """Waits until everything beside it has happened, and every document has ended and stays so."""
    try:
        async with asyncio.timeout(patience):
            await _until_ended(scene)
    except TimeoutError:
        raise AssertionError(f"not within {patience:.0f} s: {await _left(scene)}") from None


async def operated(scene: Scene, work: Coroutine[Any, Any, None]) -> None:
    """Does the work while an operator decides about what comes into review. What goes wrong with either goes up."""
    tasks = [asyncio.create_task(work), asyncio.create_task(_operate(scene))]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _operate(scene: Scene) -> None:
    while True:
        # A server that does not answer is asked again.
        with contextlib.suppress(RPCError):
            await operate(scene)
        await asyncio.sleep(PAUSE)


async def _until_ended(scene: Scene) -> None:
    await scene.all_happened()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(scene.harassed_for):
            await eventually(lambda: _nobody_waits(scene), "every document has ended", patience=math.inf)
    await scene.leave_alone()
    while True:
        open_ones = [one for one in scene.documents if not await _has_ended(scene, one.workflow_id)]
        if not open_ones and not await scene.running():
            return
        await asyncio.sleep(PAUSE)


async def _nobody_waits(scene: Scene) -> bool:
    """With one question for all documents: while they are struck nobody can ask each of them."""
    ids = {document.workflow_id for document in scene.documents}
    return not ids & set(await scene.running()) and ids <= set(await scene.completed())


async def _has_ended(scene: Scene, workflow_id: str) -> bool:
    """By what its newest run left behind: a question to it would have a worker replay all of it."""
    try:
        handle = scene.lane.stack.temporal.get_workflow_handle(workflow_id, result_type=FlowResult)
        if (await handle.describe()).status is not WorkflowExecutionStatus.COMPLETED:
            return False
        result: FlowResult = await handle.result(rpc_timeout=QUERY)
    except (RPCError, TimeoutError):
        return False
    return result.state in ENDED


async def rows_say_so(scene: Scene) -> None:
    """Of everything that has ended our store's row says the same as its run: it is what people read."""
    for document in scene.documents:
        handle = scene.lane.stack.temporal.get_workflow_handle(document.workflow_id, result_type=FlowResult)
        result: FlowResult = await handle.result()
        flow, connection, document_id = document.workflow_id.split(":", 2)
        row = await scene.lane.stack.parts.store.documents.get(connection, names.KINDS[flow], document_id)
        if row is None or row.state is not result.state:
            told = f"{row.state} ({row.reason})" if row else "nothing"
            raise AssertionError(f"{document} ended as {result.state} ({result.sentence}), and its row says {told}")


async def _left(scene: Scene) -> str:
    """What did not end, for people."""
    told = []
    for document in scene.documents:
        standing = await scene.standing(document.workflow_id)
        if standing is None or standing.state not in ENDED:
            told.append(f"{document} {'cannot be asked' if standing is None else f'is {standing.state}'}")
    told = [*told[:5], *(await scene.running())[:5], *scene.lane.last_words()]
    return f"every document has ended ({'; '.join(told) or 'all have by now'})"
