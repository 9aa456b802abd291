"""Sent, and nobody knows what became of it: nothing is sent again because nothing was found."""

import datetime as dt
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
from replay.stage import with_fusion
from support.proof import (
    SEND,
    group_ids,
    group_in_review,
    no_journal_twice,
    nothing_in_review,
    nothing_left,
    ordinary,
    posted,
    retry,
    sell,
)
from support.stack import FAST, Stack, eventually, journals_of, open_stack
from temporalio.client import WorkflowQueryFailedError
from temporalio.service import RPCError

from contracts import names
from contracts.configuration import Configuration
from contracts.flow import FlowState, State
from runtime.temporal.devserver import DevServer
from sandbox.fusion.demo_world import SOURCE, US_LEDGER
from sandbox.kit import Exchange

IMPORT: Final[dict[str, Any]] = {"method": "POST", "path": "/erpintegrations"}
LIMIT: Final = 10.0
"""Seconds an import may stay unknown before a person is asked."""
DEADLINE: Final = 2.0
SETTLE: Final = 1.0


@pytest.fixture(scope="module")
async def stack(temporal_server: DevServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    def adjust(configuration: Configuration) -> Configuration:
        return with_fusion(
            configuration, import_timeout=DEADLINE, settle=SETTLE, journal_import={"status_interval": 0.2}
        )

    imports = FAST | {"unknown_limit": LIMIT / 3600}
    directory = tmp_path_factory.mktemp("unknown")
    async with open_stack(temporal_server, directory, imports=imports, adjust=adjust) as opened, opened.worker():
        yield opened


@pytest.fixture(autouse=True)
async def books_are_right(stack: Stack) -> AsyncIterator[None]:
    """After each of them: nothing twice, nothing left, nobody asked."""
    yield
    stack.fusion.faults.clear()
    stack.fusion.hooks.clear()
    no_journal_twice(stack)
    nothing_left(stack)
    await nothing_in_review(stack)


class Sends:
    """When groups were sent, by the twin's clock."""

    def __init__(self, stack: Stack) -> None:
        self.at: list[dt.datetime] = []
        stack.fusion.hooks.on("received", self._note, times=None, **SEND)

    async def _note(self, exchange: Exchange) -> None:
        self.at.append(exchange.at)


async def _in_doubt(stack: Stack) -> int:
    """Waits until an import of the ledger is in doubt; its group id."""

    async def doubtful() -> int | None:
        for group in await stack.parts.store.groups.open_groups("fusion", US_LEDGER, SOURCE):
            handle = stack.temporal.get_workflow_handle(names.journal_import_id("fusion", US_LEDGER, group.group_id))
            try:
                standing = await handle.query(names.STATE, result_type=FlowState)
            except (RPCError, WorkflowQueryFailedError):  # not started yet
                continue
            if standing.state is State.IN_DOUBT:
                return group.group_id
        return None

    group_id: int = await eventually(doubtful, "an import is in doubt")
    return group_id


async def _group_of(stack: Stack, order_id: int) -> int:
    """The group that carries the order's journal now."""
    (posting,) = await stack.parts.store.journals.postings_of("bc-us", "order", str(order_id))
    return posting.group_id or 0


async def test_a_group_that_is_never_found_waits_for_a_person_and_goes_to_a_new_group(stack: Stack) -> None:
    stack.fusion.faults.set("cut", count=1, **IMPORT)
    sends = Sends(stack)
    orders = await sell(stack, ordinary())
    lost = await _in_doubt(stack)
    workflow_id, standing = await group_in_review(stack, "import_unknown", group_id=lost)
    assert len(sends.at) == 1
    assert journals_of(stack.fusion, orders[0]) == []
    assert f"group {lost}" in standing.problems[0].sentence
    # Another order is not held up by it.
    others = await sell(stack, ordinary(1))
    await posted(stack, others)
    await retry(stack, workflow_id)
    await posted(stack, orders)
    assert len(sends.at) == 3
    assert lost not in group_ids(stack)
    assert await _group_of(stack, orders[0]) > lost


async def test_a_commit_that_comes_late_but_before_the_limit_is_adopted(stack: Stack) -> None:
    late = DEADLINE + SETTLE + 3.0
    stack.fusion.faults.set("delayed_commit", seconds=late, options={"answer": "cut"}, count=1, **IMPORT)
    sends = Sends(stack)
    orders = await sell(stack, ordinary(2))
    group_id = await _in_doubt(stack)
    await posted(stack, orders)
    assert len(sends.at) == 1
    assert group_ids(stack)[-1] == group_id


async def test_a_commit_that_comes_after_the_limit_is_found_by_a_persons_retry_and_not_sent_again(
    stack: Stack,
) -> None:
    late = DEADLINE + LIMIT + 4.0
    stack.fusion.faults.set("delayed_commit", seconds=late, options={"answer": "cut"}, count=1, **IMPORT)
    sends = Sends(stack)
    orders = await sell(stack, ordinary(3))
    workflow_id, _ = await group_in_review(stack, "import_unknown", group_id=await _in_doubt(stack))
    await eventually(lambda: journals_of(stack.fusion, orders[0]), "Fusion has committed after all")
    await retry(stack, workflow_id)
    await posted(stack, orders)
    assert len(sends.at) == 1


async def test_what_fusion_answered_with_an_error_is_sent_again_only_after_the_proof(stack: Stack) -> None:
    stack.fusion.faults.set("error", status=500, count=1, **IMPORT)
    sends = Sends(stack)
    orders = await sell(stack, ordinary(4))
    await posted(stack, orders)
    first, second = sends.at
    assert (second - first).total_seconds() >= DEADLINE + 2 * SETTLE


@pytest.mark.parametrize("status", [500, 503])
async def test_what_fusion_answered_with_an_error_and_did_all_the_same_is_adopted(stack: Stack, status: int) -> None:
    stack.fusion.faults.set("error_after", status=status, count=1, **IMPORT)
    sends = Sends(stack)
    orders = await sell(stack, ordinary(5))
    await posted(stack, orders)
    assert len(sends.at) == 1


async def test_an_error_whose_commit_is_shown_only_late_is_adopted_and_not_sent_again(stack: Stack) -> None:
    stack.fusion.faults.set("error_after", status=500, count=1, **IMPORT)
    stack.fusion.faults.set("late_requests", seconds=DEADLINE + SETTLE / 2, count=1, path="^Import Journals$")
    sends = Sends(stack)
    orders = await sell(stack, ordinary(6))
    await posted(stack, orders)
    assert len(sends.at) == 1
